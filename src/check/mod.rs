//! The checks: what must hold after every step, whichever engine and whichever
//! implementation. They see observations, writes, sends and disks only; they
//! know no engine, no plan and no Raft library. Each does work in proportion to
//! what changed, and none looks over a whole log.
//!
//! To add a check: a file with its type, a variant of [`Property`], and its calls
//! in [`Checks`] below.

mod ack_before_durable;
mod durable_commit;
mod election_safety;
mod leader_append_only;
mod leader_completeness;
mod ledger;
pub mod liveness;
mod log_matching;
mod monotonic;
mod property;
mod state_machine_safety;
mod view;

pub use property::{Property, Violation};
pub use view::{NodeView, Written};

use crate::disk::Disk;
use crate::replica::{Label, Observation};
use crate::sometimes::{Counters, Event};
use crate::stable::{Chain, Record, StableState};
use crate::types::{Index, NodeId, Role};

use ledger::Ledger;

/// What the checks may look at: every node as it has shown itself, and every disk.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Every node, in order of id.
    pub nodes: &'a [NodeView],
    /// Every node's disk, in order of id.
    pub disks: &'a [Disk<StableState>],
}

impl Scene<'_> {
    fn node(&self, id: NodeId) -> &NodeView {
        &self.nodes[id.position()]
    }

    fn durable(&self, id: NodeId) -> &StableState {
        self.disks[id.position()].durable()
    }
}

/// All safety checks, over one run.
#[derive(Debug)]
pub struct Checks {
    ledger: Ledger,
    election_safety: election_safety::ElectionSafety,
    log_matching: log_matching::LogMatching,
}

impl Checks {
    /// Checks for a cluster of `voters` voters.
    pub fn new(voters: usize) -> Self {
        Self {
            ledger: Ledger::new(voters),
            election_safety: election_safety::ElectionSafety::default(),
            log_matching: log_matching::LogMatching::default(),
        }
    }

    /// A node writes a record. Returns the chain of its log up to it.
    ///
    /// # Errors
    /// The first property that this breaks.
    #[inline(always)]
    pub fn wrote(
        &mut self,
        view: &mut NodeView,
        id: NodeId,
        record: &Record,
        counters: &mut Counters,
    ) -> Result<Chain, Violation> {
        let ledger = &self.ledger;
        let mut chain = Chain::default();
        match record {
            Record::Entry { index, entry } => {
                let written = view.append(*index, entry, |at| ledger.committed(at));
                let written = written.map_err(|gap| log_matching::gap(id, *index, gap))?;
                if let Some(last) = written.cut_after {
                    leader_append_only::check(id, view, *index, last)?;
                    counters.hit(Event::EntryTruncated);
                }
                counters.hit(Event::EntryAppended);
                chain = written.chain;
                self.log_matching.appended(id, *index, entry.term, chain)?;
            }
            Record::HardState(hard) => {
                monotonic::hard_state(id, view, hard)?;
                view.hard = *hard;
            }
            Record::LogReset { next } => {
                chain = view.reset(*next, |at| ledger.committed(at));
            }
            Record::LogCompact { through } => {
                view.compact(*through);
                counters.hit(Event::LogCompacted);
            }
            Record::Snapshot(snapshot) => {
                chain = view
                    .chain_at(snapshot.index)
                    .or_else(|| ledger.committed(snapshot.index))
                    .unwrap_or_default();
                view.snapshot = (snapshot.index, chain);
            }
        }
        Ok(chain)
    }

    /// A node is down, and `durable` is all that its disk kept.
    pub fn crashed(&mut self, id: NodeId, view: &NodeView, durable: &StableState) {
        let mut index = view.last();
        while let Some((term, chain)) = view.entry_at(index) {
            if durable.chain_at(index) == Some(chain) {
                break;
            }
            self.log_matching.lost(id, index, term);
            index -= 1;
        }
    }

    /// A node reports a change.
    ///
    /// # Errors
    /// The first property that this breaks.
    #[inline(always)]
    pub fn observed(
        &mut self,
        nodes: &mut [NodeView],
        disks: &[Disk<StableState>],
        id: NodeId,
        observation: Observation,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let position = id.position();
        match observation {
            Observation::Started { .. } => {
                monotonic::across_restart(id, &observation, disks[position].durable())?;
                let view = &mut nodes[position];
                view.start(&observation);
                if let Observation::Started {
                    applied: 1..,
                    state,
                    ..
                } = observation
                {
                    state_machine_safety::installed(id, view.applied, state, &mut self.ledger)?;
                }
            }
            Observation::Role { role, term } => {
                monotonic::term(id, nodes[position].term, term)?;
                count_role(&nodes[position], role, counters);
                nodes[position].role = role;
                nodes[position].term = term;
                if role == Role::Leader {
                    let scene = Scene { nodes, disks };
                    self.election_safety.elected(scene, id, term, counters)?;
                    leader_completeness::check(id, scene.node(id), &self.ledger)?;
                }
            }
            Observation::Committed { index } => {
                let scene = Scene { nodes, disks };
                monotonic::commit(id, scene.node(id).commit, index)?;
                state_machine_safety::committed(id, scene.node(id), index, &self.ledger)?;
                durable_commit::committed(scene, id, index, &mut self.ledger, counters)?;
                nodes[position].commit = index;
            }
            Observation::Applied { index, state } => {
                let view = &mut nodes[position];
                monotonic::applied(id, view.applied, index)?;
                state_machine_safety::applied(id, view, index, state, &mut self.ledger)?;
                counters.hit(Event::EntryApplied);
                view.applied = index;
            }
            Observation::Installed { index, state } => {
                let view = &mut nodes[position];
                monotonic::applied(id, view.applied, index)?;
                state_machine_safety::installed(id, index, state, &mut self.ledger)?;
                counters.hit(Event::SnapshotInstalled);
                view.applied = index;
            }
            Observation::SnapshotTaken { .. } => counters.hit(Event::SnapshotTaken),
        }
        Ok(())
    }

    /// A node sends a message.
    ///
    /// # Errors
    /// [`Property::AckBeforeDurable`], when it promises what is not durable.
    #[inline(always)]
    pub fn sent(&self, scene: Scene<'_>, from: NodeId, label: &Label) -> Result<(), Violation> {
        ack_before_durable::check(from, scene.node(from), scene.durable(from), label)
    }

    /// A node tells a client that its command was applied at `index`.
    ///
    /// # Errors
    /// [`Property::StateMachineSafety`], when the node has not applied that much.
    pub fn answered(&self, view: &NodeView, id: NodeId, index: Index) -> Result<(), Violation> {
        state_machine_safety::answered(id, view, index)
    }

    /// Some snapshot has become durable: forgets what no check will ask for again.
    /// A node that is gone for good asks for nothing.
    pub fn forget(&mut self, scene: Scene<'_>) {
        let horizon = scene
            .nodes
            .iter()
            .zip(scene.disks)
            .filter(|(node, _)| !node.gone)
            .map(|(_, disk)| disk.durable().snapshot_index())
            .min()
            .unwrap_or(0);
        self.ledger.forget_before(horizon);
        self.log_matching.forget_before(horizon);
    }

    /// The highest index known to be committed.
    pub fn committed(&self) -> Index {
        self.ledger.last()
    }
}

fn count_role(view: &NodeView, role: Role, counters: &mut Counters) {
    match role {
        Role::Candidate => counters.hit(Event::ElectionStarted),
        Role::PreCandidate => counters.hit(Event::PreVoteStarted),
        Role::Follower if view.role == Role::Leader => counters.hit(Event::LeaderSteppedDown),
        Role::Follower | Role::Leader => {}
    }
}
