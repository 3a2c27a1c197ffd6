//! A run as moments: a step of a node, with what it brought about, or something
//! that the world did to one. Each knows the moments that it follows from.

use std::collections::{BTreeMap, BTreeSet};

use squall_core::configuration::Configuration;
use squall_core::engine::{Happened, Line, Trigger, Wrote};
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::replica::{Claim, Observation};
use squall_world::queue::SlabKey;

/// Moments that are kept. A run that has more is told from where these begin.
const MOST: usize = 1_000_000;

/// Something that happened at one node, or to the world.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When, in simulated microseconds.
    pub time_us: u64,
    /// In or after which step.
    pub step: u64,
    /// At which node; none for what happens to the world.
    pub node: Option<NodeId>,
    /// What the step began with; none for a crash, a start, a fault.
    pub trigger: Option<Trigger>,
    /// What happened in it, in order.
    pub events: Vec<Happened>,
    /// What only words tell.
    pub words: Vec<String>,
    /// The message it began with, in full.
    pub heard: String,
    /// The moment from which its message was sent, or in which its fault struck.
    pub cause: Option<usize>,
    /// The node's moment before.
    pub before: Option<usize>,
    /// Of an election that is won: who voted, and where their logs ended as they did.
    pub votes: Vec<(NodeId, LogEnd)>,
    /// Where the node's log ended after it.
    pub log: LogEnd,
    /// Of an election that is won: the configuration that the node goes by.
    pub configuration: Option<Configuration>,
    /// A leader leads no more.
    pub steps_down: bool,
    /// The first entry that it cut off to write another, and its term.
    pub replaced: Option<(Index, Term)>,
}

/// Where a log ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The last index; 0 for an empty log.
    pub index: Index,
    /// The term of that entry; 0 where it is not known.
    pub term: Term,
}

impl std::fmt::Display for LogEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.index, self.term) {
            (0, _) => f.write_str("is empty"),
            (index, 0) => write!(f, "ends at {index}"),
            (index, term) => write!(f, "ends at {index} of term {term}"),
        }
    }
}

/// A run, as it is told line by line.
#[derive(Debug, Default)]
pub struct Moments {
    /// All moments, in order.
    pub all: Vec<Moment>,
    /// Where the last thing told was put.
    current: Option<usize>,
    last_of: BTreeMap<NodeId, usize>,
    on_their_way: Vec<(SlabKey, usize)>,
    logs: BTreeMap<NodeId, BTreeMap<Index, Term>>,
    configurations: BTreeMap<NodeId, Configuration>,
    leaders: BTreeSet<NodeId>,
    /// Whether the run had more than are kept.
    pub cut_off: bool,
}

impl Moments {
    /// Takes in the next line of the run.
    pub fn add(&mut self, line: Line) {
        if self.all.len() >= MOST {
            self.cut_off = true;
            *self = Self {
                cut_off: true,
                logs: std::mem::take(&mut self.logs),
                configurations: std::mem::take(&mut self.configurations),
                leaders: std::mem::take(&mut self.leaders),
                ..Self::default()
            };
        }
        let Line {
            time_us,
            step,
            node,
            text,
            event,
            ..
        } = line;
        let moment = Moment {
            time_us,
            step,
            node,
            trigger: None,
            events: Vec::new(),
            words: Vec::new(),
            heard: String::new(),
            cause: None,
            before: None,
            votes: Vec::new(),
            log: LogEnd::default(),
            configuration: None,
            steps_down: false,
            replaced: None,
        };
        match event {
            Happened::Began(trigger) => {
                let cause = match &trigger {
                    Trigger::Message { parcel, .. } => self.take(*parcel),
                    _ => None,
                };
                self.begin(Moment {
                    heard: text,
                    trigger: Some(trigger),
                    cause,
                    ..moment
                });
            }
            Happened::Struck(_) | Happened::Over(_) | Happened::Healed => {
                let events = vec![event];
                self.all.push(Moment { events, ..moment });
                self.current = Some(self.all.len() - 1);
            }
            Happened::Down(_) => {
                let struck = self.current.filter(|at| {
                    let now = &self.all[*at];
                    now.node.is_none() && (now.step, now.time_us) == (step, time_us)
                });
                self.begin(Moment {
                    cause: struck,
                    ..moment
                });
                self.put(node, event);
            }
            // A node that starts may write before it says so.
            _ if node.is_some_and(|node| self.is_down(node)) => {
                self.begin(moment);
                self.put(node, event);
            }
            // What the library says of itself is no cause.
            Happened::Broken | Happened::Library => {}
            Happened::Other => {
                let place = node.and_then(|node| self.last_of.get(&node).copied());
                match place.filter(|at| self.all[*at].step == step) {
                    Some(at) => self.all[at].words.push(text),
                    None if node.is_none() => self.all.push(Moment {
                        words: vec![text],
                        ..moment
                    }),
                    None => {
                        self.begin(moment);
                        let at = self.all.len() - 1;
                        self.all[at].words.push(text);
                    }
                }
            }
            _ => self.put(node, event),
        }
    }

    fn begin(&mut self, mut moment: Moment) {
        let Some(node) = moment.node else { return };
        let before = self.last_of.get(&node).copied();
        // A tick that brings nothing about is forgotten.
        if let Some(last) = before
            && last + 1 == self.all.len()
            && self.all[last].trigger == Some(Trigger::Tick)
            && self.all[last].events.is_empty()
            && self.all[last].words.is_empty()
        {
            let idle = self.all.pop();
            moment.before = idle.and_then(|idle| idle.before);
        } else {
            moment.before = before;
        }
        moment.log = self.log_end(node);
        self.all.push(moment);
        self.last_of.insert(node, self.all.len() - 1);
        self.current = Some(self.all.len() - 1);
    }

    fn is_down(&self, node: NodeId) -> bool {
        let Some(last) = self.last_of.get(&node) else {
            return true;
        };
        let events = self.all[*last].events.iter();
        events.rev().any(|event| matches!(event, Happened::Down(_)))
    }

    fn take(&mut self, parcel: SlabKey) -> Option<usize> {
        let place = self.on_their_way.iter().position(|(at, _)| *at == parcel)?;
        let (_, sender) = self.on_their_way.swap_remove(place);
        Some(sender)
    }

    fn put(&mut self, node: Option<NodeId>, event: Happened) {
        let Some(node) = node else { return };
        let Some(at) = self.last_of.get(&node).copied() else {
            return;
        };
        match &event {
            Happened::Sent { parcel, .. } => {
                // What lay there before has met a node that is down.
                self.on_their_way.retain(|(place, _)| place != parcel);
                self.on_their_way.push((*parcel, at));
            }
            Happened::Wrote(Wrote::Entry { index, term, .. }) => {
                let log = self.logs.entry(node).or_default();
                let rest = log.split_off(index);
                if let Some((first, old)) = rest.first_key_value() {
                    self.all[at].replaced.get_or_insert((*first, *old));
                }
                log.insert(*index, *term);
            }
            Happened::Wrote(Wrote::LogReset { next }) => {
                let log = self.logs.entry(node).or_default();
                let term = log.get(&(next - 1)).copied();
                log.clear();
                if let (1.., Some(term)) = (next - 1, term) {
                    log.insert(next - 1, term);
                }
            }
            Happened::Wrote(Wrote::Snapshot { index, term }) => {
                let log = self.logs.entry(node).or_default();
                log.entry(*index).or_insert(*term);
            }
            Happened::Observed(Observation::Started {
                last,
                configuration,
                ..
            }) => {
                let log = self.logs.entry(node).or_default();
                log.split_off(&(last + 1));
                // A node may be set up with a log of whose end nobody has told the term.
                if *last > 0 {
                    log.entry(*last).or_insert(0);
                }
                self.configurations.insert(node, *configuration);
            }
            Happened::Observed(Observation::Configured { configuration, .. }) => {
                self.configurations.insert(node, *configuration);
            }
            Happened::Observed(Observation::Role { role, .. }) if *role != Role::Leader => {
                self.all[at].steps_down |= self.leaders.remove(&node);
            }
            Happened::Down(_) => drop(self.leaders.remove(&node)),
            Happened::Observed(Observation::Role { term, .. }) => {
                self.leaders.insert(node);
                self.all[at].votes = self.votes(at, node, *term);
                self.all[at].configuration = self.configurations.get(&node).copied();
            }
            _ => {}
        }
        self.all[at].log = self.log_end(node);
        self.all[at].events.push(event);
    }

    fn log_end(&self, node: NodeId) -> LogEnd {
        let last = self.logs.get(&node).and_then(|log| log.last_key_value());
        last.map_or(LogEnd::default(), |(index, term)| LogEnd {
            index: *index,
            term: *term,
        })
    }

    /// Who gave `node` a vote in `term`, of those whose votes it has got by the moment `at`.
    fn votes(&self, at: usize, node: NodeId, term: Term) -> Vec<(NodeId, LogEnd)> {
        let mut votes = Vec::new();
        let mut here = Some(at);
        while let Some(place) = here {
            let moment = &self.all[place];
            if moment
                .events
                .iter()
                .any(|event| matches!(event, Happened::Down(_)))
            {
                break;
            }
            if let Some(Trigger::Message { from, label, .. }) = &moment.trigger
                && label.term == term
                && matches!(label.claim, Claim::Voted { candidate } if candidate == node)
                && !votes.iter().any(|(voter, _)| voter == from)
            {
                let log = moment.cause.map(|cause| self.all[cause].log);
                votes.push((*from, log.unwrap_or_default()));
            }
            // Votes come after the candidate has entered the term.
            let enters = |event: &Happened| matches!(event, Happened::Wrote(Wrote::HardState(hard)) if hard.term == term);
            if place != at && moment.events.iter().any(enters) {
                break;
            }
            here = moment.before;
        }
        votes.reverse();
        votes
    }

    /// The moment in which the run stood still at `node`.
    pub fn last_of(&self, node: NodeId) -> Option<usize> {
        self.last_of.get(&node).copied()
    }

    /// Everything that the moments at `roots` follow from, these included: by sends, by order
    /// at a node, by its disk over crashes. True at the place of each.
    pub fn past_of(&self, roots: &[usize]) -> Vec<bool> {
        let mut is_past = vec![false; self.all.len()];
        let mut open: Vec<usize> = roots.to_vec();
        while let Some(place) = open.pop() {
            if std::mem::replace(&mut is_past[place], true) {
                continue;
            }
            let Moment { cause, before, .. } = self.all[place];
            open.extend([cause, before].into_iter().flatten());
        }
        is_past
    }
}
