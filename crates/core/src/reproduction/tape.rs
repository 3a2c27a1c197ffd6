//! What an adapter notes of its calls, in order, over all nodes of a run. Knows no call: what a
//! note says, the adapter alone understands.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::Recorded;
use crate::engine::{self, Happened, Line, Observer};
use crate::ids::NodeId;
use crate::invariants::Property;
use crate::plan::Plan;
use crate::replica::{Message, Subject};

/// What an adapter notes of a call.
pub trait Note: Clone + Send + 'static {
    /// Whether the node starts again.
    fn restarts(&self) -> bool;

    /// Whether what the node wrote before is on its disk then.
    fn is_saved(&self) -> bool;
}

/// A note, with its node and the step of the run that it is of.
#[derive(Clone, Debug)]
pub struct Noted<N> {
    /// The node.
    pub node: NodeId,
    /// The step.
    pub step: u64,
    /// The note.
    pub note: N,
}

/// A tape that all nodes of a run write on.
pub struct Tape<N>(Arc<Mutex<Written<N>>>);

struct Written<N> {
    /// The step that the run is in.
    step: u64,
    notes: Vec<Noted<N>>,
}

impl<N> Default for Tape<N> {
    fn default() -> Self {
        let written = Written {
            step: 0,
            notes: Vec::new(),
        };
        Self(Arc::new(Mutex::new(written)))
    }
}

impl<N> Clone for Tape<N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<N: Note> Tape<N> {
    fn with<T>(&self, change: impl FnOnce(&mut Written<N>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes something of a node.
    pub fn note(&self, node: NodeId, note: N) {
        self.with(|tape| {
            let step = tape.step;
            tape.notes.push(Noted { node, step, note });
        });
    }

    /// Puts a note in place of the last one.
    pub fn correct(&self, note: N) {
        self.with(|tape| {
            if let Some(last) = tape.notes.last_mut() {
                last.note = note;
            }
        });
    }

    /// Carries `plan` out on `subject`, whose nodes write on this tape.
    pub fn record<S: Subject>(&self, subject: &S, plan: &Plan) -> Recorded
    where
        S::Replica: 'static,
        Message<S>: 'static,
    {
        let mut healed = None;
        let mut line = |line: Line| {
            self.with(|tape| tape.step = line.step);
            if matches!(line.event, Happened::Healed) {
                healed.get_or_insert(self.with(|tape| tape.notes.len()));
            }
        };
        let watch = Observer {
            lines: Some(&mut line),
            ..Observer::default()
        };
        let outcome = engine::run(plan, subject, watch);
        let mut notes = self.with(|tape| std::mem::take(&mut tape.notes));
        let property = outcome.failure.as_ref().map(|it| it.violation.property());
        let up = match property {
            Some(Property::Liveness) => cut(&mut notes, healed.unwrap_or_default()),
            _ => Vec::new(),
        };
        Recorded {
            notes: Box::new(notes),
            outcome,
            up,
        }
    }
}

/// Cuts off what the cluster made of it once the faults were over, at note `healed` or when the
/// last node went that does not come back, but for the starts of nodes that were down. Returns the
/// nodes that are up in the end.
fn cut<N: Note>(notes: &mut Vec<Noted<N>>, healed: usize) -> Vec<NodeId> {
    let late = notes.len() - (notes.len() - healed) / 4;
    let up: BTreeSet<NodeId> = notes[late..].iter().map(|noted| noted.node).collect();
    let last = notes.iter().rposition(|noted| !up.contains(&noted.node));
    let rest = notes.split_off(last.map_or(healed, |last| healed.max(last + 1)));
    let mut started = BTreeSet::new();
    for noted in rest {
        if started.insert(noted.node) && noted.note.restarts() {
            notes.push(noted);
        }
    }
    up.into_iter().collect()
}

/// The notes without those of a node that a crash undid: those after the last one of which the
/// disk kept something.
pub fn without_the_forgotten<N: Note>(notes: &[Noted<N>]) -> Vec<Noted<N>> {
    let mut kept: Vec<bool> = vec![true; notes.len()];
    for (place, start) in notes.iter().enumerate() {
        if !start.note.restarts() {
            continue;
        }
        let before = notes[..place].iter().enumerate().rev();
        let of_the_node = before.filter(|(_, noted)| noted.node == start.node);
        let is_kept =
            |(_, noted): &(usize, &Noted<N>)| noted.note.is_saved() || noted.note.restarts();
        for (before, _) in of_the_node.take_while(|noted| !is_kept(noted)) {
            kept[before] = false;
        }
    }
    let notes = notes.iter().zip(kept);
    notes
        .filter(|(_, kept)| *kept)
        .map(|(noted, _)| noted.clone())
        .collect()
}
