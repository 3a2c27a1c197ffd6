//! The state machine of a node: Squall's own service, here; or one of the user's in the process,
//! where the answer to hello says so. That one does what Squall's service does, on keys and locks,
//! and is judged by what clients are told.
//!
//! States of one in the process are compared among nodes by a hash of all commands and answers.
//! They are not held against the state that the log gives: a wrong answer is told as what it breaks
//! for clients.

use std::cell::RefCell;

use bytes::Bytes;

use super::link::Link;
use squall_core::adapter::state_machine::StateMachine;
use squall_core::ids::{Index, NodeId};
use squall_core::replica::{BootContext, BootError, Effect, Observation, Output, Recovered, Start};
use squall_core::service::{Answer, Applied, Command};
use squall_world::hash::{mix, mix_bytes};

/// A state machine, and the clients that wait for it.
pub(crate) struct Machine {
    /// The clients; and the service, where that is here.
    pub(crate) clients: StateMachine,
    /// A hash of all commands and answers of the one in the process.
    history: Option<u64>,
}

/// The hash before the first command.
const NOTHING: u64 = 0;

/// Bytes of the hash, before those of the process, in a snapshot.
const HASH: usize = 8;

/// The state that is told of such a history. It is none that Squall's own service is ever in.
fn state(history: u64) -> u64 {
    !history
}

/// The hash that a snapshot begins with.
fn history_in(snapshot: &[u8]) -> u64 {
    let hash = snapshot.first_chunk::<HASH>();
    u64::from_le_bytes(*hash.expect("snapshots arrive whole"))
}

/// What [`Recovered::recover`] does, where the state machine is in the process.
pub(crate) fn recover<M>(
    disk: Recovered,
    boot: &BootContext<'_>,
    out: &mut Output<M>,
) -> Result<Start, BootError> {
    // A service takes its state from the snapshot, which is not one of Squall's.
    let mut own = disk;
    let snapshot = own.state.snapshot.clone();
    let data = snapshot.as_ref().map(|snapshot| snapshot.data.clone());
    if let Some(snapshot) = &mut own.state.snapshot {
        snapshot.data = boot.service.encode();
    }
    let mut told: Output<M> = Output::default();
    let mut start = own.recover(boot, &mut told)?;
    if let (Some(kept), Some(data)) = (&mut start.state.snapshot, &data) {
        kept.data = data.clone();
    }
    let history = data.as_deref().map_or(NOTHING, history_in);
    for effect in told.take_effects() {
        match effect {
            Effect::Write(record) => out.write(record),
            Effect::Sync(sync) => out.sync(sync),
            Effect::Observe(seen) => out.observe(match seen {
                Observation::Started {
                    term,
                    vote,
                    last,
                    commit,
                    applied,
                    configuration,
                    ..
                } => Observation::Started {
                    term,
                    vote,
                    last,
                    commit,
                    applied,
                    state: state(history),
                    configuration,
                },
                other => other,
            }),
        }
    }
    Ok(start)
}

impl Machine {
    /// As the snapshot of a node that starts has it.
    pub(crate) fn start(link: &RefCell<Link>, node: NodeId, start: &Start) -> Self {
        let clients = StateMachine::new(start.service.clone());
        if !link.borrow().has_machine() {
            return Self {
                clients,
                history: None,
            };
        }
        let mut machine = Self {
            clients,
            history: Some(NOTHING),
        };
        if let Some(snapshot) = &start.state.snapshot {
            machine.restore(link, node, &snapshot.data);
        }
        machine
    }

    /// Applies the data of the entry at `index`, reports that, and answers the client if it waits
    /// here.
    pub(crate) fn apply<M>(
        &mut self,
        link: &RefCell<Link>,
        node: NodeId,
        index: Index,
        data: &[u8],
        out: &mut Output<M>,
    ) {
        let Some(history) = &mut self.history else {
            self.clients.apply(index, data, out);
            return;
        };
        let applied = Command::decode(data).map(|command| {
            let answer = link.borrow_mut().perform(node, &command);
            *history = mix(mix_bytes(*history, data), answer.hash());
            Applied {
                client: command.client,
                sequence: command.sequence,
                answer,
                // The process knows.
                again: false,
            }
        });
        let state = state(*history);
        self.clients.applied(index, state, applied, out);
    }

    /// What a read would be told now; none when `data` holds none.
    pub(crate) fn query(&self, link: &RefCell<Link>, node: NodeId, data: &[u8]) -> Option<Answer> {
        if self.history.is_none() {
            return self.clients.service.query(data);
        }
        let command = Command::decode(data)?;
        let reads = command.operation.only_reads();
        reads.then(|| link.borrow_mut().query(node, &command))
    }

    /// The state as bytes.
    pub(crate) fn snapshot(&self, link: &RefCell<Link>, node: NodeId) -> Bytes {
        let Some(history) = self.history else {
            return self.clients.service.encode();
        };
        let data = link.borrow_mut().snapshot_of(node);
        [&history.to_le_bytes()[..], &data].concat().into()
    }

    /// Takes on the state in `data`, and returns a hash of it.
    pub(crate) fn restore(&mut self, link: &RefCell<Link>, node: NodeId, data: &[u8]) -> u64 {
        if self.history.is_none() {
            let is_whole = self.clients.service.restore(data);
            assert!(is_whole, "snapshots arrive whole");
            return self.clients.service.state();
        }
        let history = history_in(data);
        self.history = Some(history);
        link.borrow_mut().restore(node, &data[HASH..]);
        state(history)
    }
}
