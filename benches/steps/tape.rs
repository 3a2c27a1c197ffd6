//! A recording subject: raft-rs, with every input kept that the engine steps
//! into it.

use std::sync::{Arc, Mutex};

use squall_core::engine::{Outcome, run};
use squall_core::ids::{Index, NodeId, Role};
use squall_core::replica::{
    BootContext, BootError, Effect, Input, Label, Observation, Output, Recovered, Replica, Subject,
    SyncId,
};
use squall_core::storage::Record;
use squall_raft_rs::{Message, RaftRs, RaftRsNode};

use crate::steady::Steady;

/// One step of a run.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub node: NodeId,
    pub input: Input<Message>,
    /// Whether the node stood for election in it.
    pub campaigned: bool,
    /// The syncs it asked for on behalf of the library's output, and not of a snapshot of its own.
    pub syncs: Vec<SyncId>,
    /// How far it compacted its log.
    pub compacted: Option<Index>,
}

#[derive(Default)]
struct Recorder(Arc<Mutex<Vec<Recorded>>>);

struct Taped {
    node: NodeId,
    inner: RaftRsNode,
    tape: Arc<Mutex<Vec<Recorded>>>,
}

/// Carries the plan out and returns all its steps.
///
/// # Panics
/// When the run is not clean.
pub fn record(steady: &Steady) -> (Outcome, Vec<Recorded>) {
    let recorder = Recorder::default();
    let outcome = run(&steady.plan(), &recorder, steady.watch());
    assert_eq!(outcome.failure, None, "a calm run is clean");
    let tape = std::mem::take(&mut *recorder.0.lock().expect("nobody panics with the tape"));
    (outcome, tape)
}

impl Subject for Recorder {
    type Replica = Taped;

    fn supports(&self) -> &'static [squall_core::options::Feature] {
        squall_core::options::Feature::ALL
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<Taped, BootError> {
        Ok(Taped {
            node: boot.id,
            inner: RaftRs.boot(boot, disk, out)?,
            tape: Arc::clone(&self.0),
        })
    }
}

impl Replica for Taped {
    type Message = Message;

    fn step(&mut self, now_us: u64, input: Input<Message>, out: &mut Output<Message>) {
        let kept = input.clone();
        self.inner.step(now_us, input, out);
        let mut recorded = Recorded {
            node: self.node,
            input: kept,
            campaigned: false,
            syncs: Vec::new(),
            compacted: None,
        };
        let mut of_snapshot = false;
        for effect in out.effects() {
            match effect {
                Effect::Sync(sync) if !of_snapshot => recorded.syncs.push(sync),
                Effect::Write(Record::LogCompact { through }) => {
                    recorded.compacted = Some(*through);
                }
                Effect::Observe(Observation::Role { role, .. }) => {
                    recorded.campaigned |= *role == Role::Candidate;
                }
                _ => {}
            }
            // The driver asks for a snapshot's sync right after it says that it took one.
            of_snapshot = matches!(effect, Effect::Observe(Observation::SnapshotTaken { .. }));
        }
        let mut tape = self.tape.lock().expect("nobody panics with the tape");
        tape.push(recorded);
    }

    fn label(message: &Message) -> Label {
        RaftRsNode::label(message)
    }
}
