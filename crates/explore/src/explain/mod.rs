//! A run explained: of a violation, the steps through which it came about,
//! back from the one that broke the property; of a clean run, its outline.
//!
//! Two things make a step part of the explanation. It lies in the causal past of the
//! violation (Lamport 1978: order at a node, a message's sending before its
//! arrival, a disk's records over a crash), or in that of the event elsewhere that
//! the violation contradicts. And it matters: it is about what the violation is
//! about, or it is an election, a crash that forgets something, a fault. Knows what
//! lines say as data, and nothing of how an engine came to them.

mod final_state;
mod rank;
mod render;
mod state_at;
mod step_graph;
mod topic;

use std::collections::BTreeSet;

use squall_core::engine::{Line, NOTE, Outcome, Trigger};
use squall_core::ids::NodeId;
use squall_core::plan::{Asked, Plan};
use squall_core::text::{WIDTH, indented};

use step_graph::Moments;
use topic::Topic;

/// Lines of an explanation, at most.
pub const MOST_LINES: usize = 16;

/// Collects a run's lines, and explains it.
#[derive(Debug, Default)]
pub struct CausalTrace(Moments);

impl CausalTrace {
    /// Takes in the next line of the run.
    pub fn add(&mut self, line: Line) {
        self.0.add(line);
    }

    /// What a client asked for as the run told it in the words of a machine of a user's own; none
    /// where no node was asked, or there is no such machine.
    pub fn words_of(&self, asked: &Asked) -> Option<&str> {
        if !asked.operation.is_of_machine() {
            return None;
        }
        let at = |time_us: u64| asked.tries.iter().any(|one| one.at_us == time_us);
        let mut moments = self.0.all.iter().filter(|moment| at(moment.time_us));
        moments.find_map(|moment| match &moment.trigger {
            Some(Trigger::Client {
                operation: Some(operation),
                words: Some(words),
                ..
            }) if *operation == asked.operation => Some(words.as_str()),
            _ => None,
        })
    }

    /// An explanation of the run of `plan` that ended in `outcome`: a line of headers, then its
    /// lines, each of at most 80 columns.
    pub fn tell(&self, plan: &Plan, outcome: &Outcome) -> Vec<String> {
        let story = self.story(plan, outcome);
        let mut lines = Vec::new();
        if story.cut_off {
            lines.push("(the run is long: what lies further back is left out)".to_owned());
        }
        if story.left_out > 0 {
            let left_out = story.left_out;
            let steps = if left_out == 1 { "step" } else { "steps" };
            let words = format!("({left_out} more {steps} on the way left out; --trace has all)");
            lines.push(words);
        }
        lines.push("   seconds    step  node".to_owned());
        for told in &story.lines {
            lines.extend(told.in_columns());
        }
        for words in &story.standing {
            lines.extend(indented("", words, COLUMN, WIDTH));
        }
        for told in &story.ending {
            lines.extend(told.in_columns());
        }
        lines
    }

    /// What [`CausalTrace::tell`] tells, in its parts.
    pub fn story(&self, plan: &Plan, outcome: &Outcome) -> Story {
        let topic = outcome
            .failure
            .as_ref()
            .map(|failure| Topic::of(&failure.violation));
        let mut in_full = Vec::new();
        let places = match (&outcome.failure, &topic) {
            (Some(failure), Some(topic)) => {
                rank::causes(&self.0, topic, failure, plan, &mut in_full)
            }
            _ => rank::outline(&self.0, plan),
        };
        let mut story = Story {
            cut_off: self.0.cut_off,
            ..Story::default()
        };
        for (place, is_told) in places {
            let moment = &self.0.all[place];
            let telling = render::Telling {
                plan,
                topic: topic.as_ref(),
                in_full: in_full.contains(&place),
            };
            let text = render::sentence(&self.0, place, &telling);
            if !is_told {
                story.left_out += usize::from(!text.is_empty());
            } else if !text.is_empty() {
                story.lines.push(StoryLine {
                    time_us: moment.time_us,
                    step: moment.step,
                    node: moment.node,
                    text,
                });
            }
        }
        if let (Some(failure), Some(topic)) = (&outcome.failure, &topic) {
            story.standing = final_state::at_the_end(&self.0, topic, outcome);
            // What a test took down of its run, it wants to read.
            for moment in &self.0.all {
                let notes = moment.words.iter().filter(|words| words.starts_with(NOTE));
                story.ending.extend(notes.map(|note| StoryLine {
                    time_us: moment.time_us,
                    step: moment.step,
                    node: None,
                    text: note.clone(),
                }));
            }
            story.ending.push(StoryLine {
                time_us: failure.time_us,
                step: failure.step,
                node: failure.violation.node,
                text: format!("breaks {}", failure.violation.property()),
            });
        }
        story
    }

    /// The moments that the violation follows from, by messages and by order at a node, and those
    /// elsewhere that it contradicts, with what they follow from: the time, the step and the node
    /// of each. Empty for a clean run.
    pub fn past(&self, outcome: &Outcome) -> BTreeSet<(u64, u64, Option<NodeId>)> {
        let Some(failure) = &outcome.failure else {
            return BTreeSet::new();
        };
        let is_past = rank::past(&self.0, &Topic::of(&failure.violation), failure);
        let moments = self.0.all.iter().zip(is_past);
        let in_past = moments.filter(|(_, is_past)| *is_past);
        in_past
            .map(|(moment, _)| (moment.time_us, moment.step, moment.node))
            .collect()
    }
}

/// An explanation in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The run was so long that its beginning is not known any more.
    pub cut_off: bool,
    /// Steps that belong to it, and matter less than those that are told.
    pub left_out: usize,
    /// What is told, in order.
    pub lines: Vec<StoryLine>,
    /// How the nodes stood at the end, in as far as it has to do with the violation.
    pub standing: Vec<String>,
    /// The notes of a test, and at last the violation.
    pub ending: Vec<StoryLine>,
}

/// One sentence of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryLine {
    /// When, in simulated microseconds.
    pub time_us: u64,
    /// In or after which step.
    pub step: u64,
    /// Its subject, where it is a node.
    pub node: Option<NodeId>,
    /// What happened.
    pub text: String,
}

impl StoryLine {
    fn in_columns(&self) -> Vec<String> {
        let node = self.node.map_or(String::new(), |node| node.to_string());
        let (seconds, micros) = (self.time_us / 1_000_000, self.time_us % 1_000_000);
        let place = format!("{seconds:>3}.{micros:06} {:>7}  {node}", self.step);
        indented(&place, &self.text, COLUMN, WIDTH)
    }
}

/// Where the words of a line begin.
const COLUMN: usize = 24;
