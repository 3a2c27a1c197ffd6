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

use squall_core::engine::{Line, NOTE, Outcome, Trigger};
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
        let mut lines = Vec::new();
        let mut left_out = 0;
        for (place, is_told) in places {
            let moment = &self.0.all[place];
            let telling = render::Telling {
                plan,
                topic: topic.as_ref(),
                in_full: in_full.contains(&place),
            };
            let sentence = render::sentence(&self.0, place, &telling);
            if !is_told {
                left_out += usize::from(!sentence.is_empty());
            } else if !sentence.is_empty() {
                let node = moment.node.map(|node| node.to_string());
                lines.extend(line(
                    moment.time_us,
                    moment.step,
                    node.as_deref(),
                    &sentence,
                ));
            }
        }
        lines.insert(0, "   seconds    step  node".to_owned());
        if left_out > 0 {
            let steps = if left_out == 1 { "step" } else { "steps" };
            let words = format!("({left_out} more {steps} on the way left out; --trace has all)");
            lines.insert(0, words);
        }
        if self.0.cut_off {
            lines.insert(
                0,
                "(the run is long: what lies further back is left out)".to_owned(),
            );
        }
        if let (Some(failure), Some(topic)) = (&outcome.failure, &topic) {
            let standing = final_state::at_the_end(&self.0, topic, outcome);
            for words in standing {
                lines.extend(indented("", &words, COLUMN, WIDTH));
            }
            // What a test took down of its run, it wants to read.
            for moment in &self.0.all {
                let notes = moment.words.iter().filter(|words| words.starts_with(NOTE));
                lines.extend(notes.flat_map(|note| line(moment.time_us, moment.step, None, note)));
            }
            let node = failure.violation.node.map(|node| node.to_string());
            let words = format!("breaks {}", failure.violation.property());
            lines.extend(line(failure.time_us, failure.step, node.as_deref(), &words));
        }
        lines
    }
}

/// Where the words of a line begin.
const COLUMN: usize = 24;

fn line(time_us: u64, step: u64, node: Option<&str>, words: &str) -> Vec<String> {
    let (seconds, micros) = (time_us / 1_000_000, time_us % 1_000_000);
    let place = format!("{seconds:>3}.{micros:06} {step:>7}  {}", node.unwrap_or(""));
    indented(&place, words, COLUMN, WIDTH)
}
