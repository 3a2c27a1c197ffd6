//! The checks: what must hold after every step, whichever engine and whichever
//! implementation. They see observations, writes, sends and disks only; they
//! know no engine, no plan and no Raft library. Each does work in proportion to
//! what changed, and none looks over a whole log.
//!
//! To add a check: its line in `property_list.rs`; a file in [`breach`] with what the rule says and
//! the ways in which it is broken; and a file here that looks, with its calls in [`Checks`] below.

#[macro_use]
mod property_list;

mod ack_before_durable;
pub mod breach;
#[cfg(test)]
mod by_hand;
mod configuration;
mod counting;
mod durable_commit;
mod election_safety;
mod leader_append_only;
mod leader_completeness;
mod ledger;
mod linearizability;
pub mod liveness;
mod lock_safety;
mod log_matching;
mod monotonic;
mod property;
mod read_index;
mod state_machine_safety;
mod view;
mod violation;

pub use property::Property;
pub use read_index::Postmark;
pub use view::{NodeView, Written};
pub use violation::{Verdict, Violation};

use crate::counters::{Counter, Counters};
use crate::history::{History, MachineHistory, OperationId, Settled, Wrong};
use crate::ids::{Index, NodeId, Role};
use crate::replica::{Label, LibraryEvent, Observation, ReplyOutcome};
use crate::service::{Command, Service};
use crate::storage::{Chain, Entry, EntryKind, Record, StableState};
use squall_linearizability::Budget;
use squall_world::journal_disk::Disk;

use counting::{count_answer, count_configuration, count_role};
use ledger::Ledger;

/// What the checks may look at: every node as it has shown itself, and every disk.
#[derive(Clone, Copy)]
pub struct ClusterView<'a> {
    /// Every node, in order of id.
    pub nodes: &'a [NodeView],
    /// Every node's disk, in order of id.
    pub disks: &'a [Disk<StableState>],
}

impl ClusterView<'_> {
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
    ack_before_durable: ack_before_durable::AckBeforeDurable,
    log_matching: log_matching::LogMatching,
    /// Reads around the log, where they are to be confirmed by a quorum.
    read_index: Option<read_index::ReadIndex>,
    configurations: configuration::Configurations,
    /// What clients are told of keys and locks; none when proposals are opaque, or commands of a
    /// machine.
    told: Option<Told>,
    /// What clients are told by a machine of a user's own, where there is one.
    machine: Option<Box<MachineHistory>>,
    /// The state that nodes begin with, as the harness has it; none where one of them says
    /// another, and states cannot be held against what the log gives. Those of a machine of a
    /// user's own are not: its answers are, in its own words, and Squall's sessions keep a command
    /// from being applied to it twice.
    first_state: Option<u64>,
}

/// The checks on what clients are told.
#[derive(Debug)]
struct Told {
    lock_safety: lock_safety::LockSafety,
    history: History,
    lease_lag_us: Option<u64>,
}

/// What a search for a linearization may cost: a second or two.
const SEARCH: Budget = Budget { steps: 2_000_000 };

impl Checks {
    /// Checks for a cluster whose log begins after the index `first`, where every
    /// node that is there from the start has a snapshot (0 when there is none). Reads around
    /// the log may show a state that is `lease_lag_us` microseconds older than the read; where
    /// nothing is promised of them, those that are stale are only counted.
    pub fn new(first: Index, lease_lag_us: Option<u64>) -> Self {
        Self {
            told: Some(Told {
                lock_safety: lock_safety::LockSafety::default(),
                history: History::new(first, SEARCH).with_lag(lease_lag_us.unwrap_or(0)),
                lease_lag_us,
            }),
            first_state: Some(Service::default().state()),
            ..Self::of_log(first)
        }
    }

    /// The same where the nodes replicate `service`, with a machine of a user's own. `guard` is
    /// told when code of the machine's begins, and when it is over.
    pub(crate) fn of_machine(first: Index, service: &Service, guard: fn(bool)) -> Self {
        Self {
            machine: MachineHistory::new(service, SEARCH, guard).map(Box::new),
            ..Self::of_log(first)
        }
    }

    /// The same without what clients are told: for commands that nobody looks into.
    pub fn of_log(first: Index) -> Self {
        Self {
            ledger: Ledger::new(first),
            election_safety: election_safety::ElectionSafety::default(),
            ack_before_durable: ack_before_durable::AckBeforeDurable::default(),
            log_matching: log_matching::LogMatching::new(first),
            read_index: None,
            configurations: configuration::Configurations::default(),
            told: None,
            machine: None,
            first_state: None,
        }
    }

    /// The state that the committed log gives after the entry at `index`, where states can be held
    /// against it.
    #[inline]
    fn right_state(&self, index: Index) -> Option<u64> {
        self.first_state?;
        self.told.as_ref()?.history.state_at(index)
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
    ) -> Verdict<Chain> {
        let ledger = &self.ledger;
        let mut chain = Chain::default();
        match record {
            Record::Entry { index, entry } => {
                return self.wrote_entry(view, id, *index, entry, counters);
            }
            Record::HardState(hard) => {
                monotonic::hard_state(id, view, hard, &self.election_safety)?;
                view.hard = *hard;
            }
            Record::Commit { .. } => {}
            Record::LogReset { next } => {
                monotonic::log_reset(id, view, *next, ledger.committed(*next - 1))?;
                chain = view.reset(*next, |at| ledger.committed(at));
            }
            Record::LogCompact { through } => {
                view.compact(*through);
                counters.hit(Counter::LogCompacted);
            }
            Record::Snapshot(snapshot) => {
                // A log that is about to be given up for it may have another entry there.
                let held = view.entry_at(snapshot.index);
                let is_other = held.is_some_and(|(term, _)| term != snapshot.term);
                chain = view
                    .chain_at(snapshot.index)
                    .filter(|_| !is_other)
                    .or_else(|| ledger.committed(snapshot.index))
                    .unwrap_or_default();
                view.snapshot = (snapshot.index, chain);
                self.ledger.snapshot(snapshot.index, chain);
            }
        }
        Ok(chain)
    }

    /// The same of an entry.
    ///
    /// # Errors
    /// As [`Checks::wrote`].
    #[inline(always)]
    pub fn wrote_entry(
        &mut self,
        view: &mut NodeView,
        id: NodeId,
        index: Index,
        entry: &Entry,
        counters: &mut Counters,
    ) -> Verdict<Chain> {
        let ledger = &self.ledger;
        if index <= view.last() {
            durable_commit::written_over(id, view, index, entry, ledger)?;
        }
        let written = view.append(index, entry, |at| ledger.committed(at));
        let written = written.map_err(|gap| log_matching::gap(id, index, gap))?;
        if let Some(last) = written.cut_after {
            leader_append_only::check(id, view, index, last)?;
            counters.hit(Counter::EntryTruncated);
        }
        counters.hit(Counter::EntryAppended);
        if entry.kind != EntryKind::Normal {
            counters.hit(Counter::ChangeAppended);
            if view.role == Role::Leader && view.term == entry.term {
                configuration::proposed(id, view, index)?;
            }
        }
        let chain = written.chain;
        self.log_matching.appended(id, index, entry.term, chain)?;
        Ok(chain)
    }

    /// A node is down, and `durable` is all that its disk kept.
    pub fn crashed(&mut self, id: NodeId, view: &NodeView, durable: &StableState) {
        self.election_safety.lost(id, durable.hard.term);
        let mut index = view.last();
        while let Some((term, chain)) = view.entry_at(index) {
            if durable.chain_at(index) == Some(chain) {
                break;
            }
            self.log_matching.lost(id, index, term);
            index -= 1;
        }
    }

    /// A node is down and its disk is lost, with all that `view` shows. What it has promised counts
    /// no more, and who was elected by its vote stays so.
    pub fn disk_lost(&mut self, id: NodeId, view: &NodeView) {
        self.ack_before_durable.forget(id);
        self.election_safety.disk_lost(id, view.hard.term);
        let mut index = view.last();
        while let Some((term, _)) = view.entry_at(index) {
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
        observation: &Observation,
        counters: &mut Counters,
    ) -> Verdict {
        let position = id.position();
        match *observation {
            Observation::Started { applied, state, .. } => {
                if applied == self.ledger.first() {
                    self.first_state.take_if(|first| *first != state);
                }
                monotonic::across_restart(id, observation, disks[position].durable())?;
                if let Some(read_index) = &mut self.read_index {
                    read_index.started(id);
                }
                let view = &mut nodes[position];
                view.start(observation);
                if let Observation::Started {
                    applied: applied @ 1..,
                    state,
                    configuration,
                    ..
                } = *observation
                {
                    let here = view.in_state(id, state);
                    let right = self.right_state(applied);
                    state_machine_safety::installed(here, applied, &mut self.ledger, right)?;
                    self.configurations
                        .entered(id, view, applied, configuration)?;
                }
            }
            Observation::Role { role, term } => {
                monotonic::term(id, nodes[position].term, term)?;
                count_role(&nodes[position], role, counters);
                nodes[position].role = role;
                nodes[position].term = term;
                if role == Role::Leader {
                    let cluster_view = ClusterView { nodes, disks };
                    self.election_safety
                        .elected(cluster_view, id, term, counters)?;
                    if cluster_view.node(id).configuration.1.is_joint() {
                        counters.hit(Counter::LeaderElectedInJoint);
                    }
                    leader_completeness::check(id, cluster_view.node(id), &self.ledger)?;
                    configuration::elected(id, cluster_view.node(id))?;
                }
            }
            Observation::Committed { index } => {
                let cluster_view = ClusterView { nodes, disks };
                monotonic::commit(id, cluster_view.node(id).commit, index)?;
                state_machine_safety::committed(id, cluster_view.node(id), index, &self.ledger)?;
                let before = self.ledger.last();
                if index > before {
                    leader_completeness::counted(id, cluster_view.node(id), index)?;
                }
                durable_commit::committed(cluster_view, id, index, &mut self.ledger, counters)?;
                for new in before + 1..=index {
                    self.perform(cluster_view, id, new)?;
                }
                nodes[position].commit = index;
            }
            Observation::Applied { index, state } => {
                let view = &mut nodes[position];
                monotonic::applied(id, view.applied, index)?;
                let (here, right) = (view.in_state(id, state), self.right_state(index));
                state_machine_safety::applied(here, view, index, &mut self.ledger, right)?;
                counters.hit(Counter::EntryApplied);
                view.applied = index;
            }
            Observation::Installed { index, state } => {
                let view = &mut nodes[position];
                monotonic::applied(id, view.applied, index)?;
                let (here, right) = (view.in_state(id, state), self.right_state(index));
                state_machine_safety::installed(here, index, &mut self.ledger, right)?;
                counters.hit(Counter::SnapshotInstalled);
                view.applied = index;
            }
            Observation::SnapshotTaken { .. } => counters.hit(Counter::SnapshotTaken),
            Observation::Configured {
                index,
                configuration,
            } => {
                let view = &mut nodes[position];
                self.configurations
                    .entered(id, view, index, configuration)?;
                count_configuration(view, &configuration, counters);
                if let Some(read_index) = &mut self.read_index {
                    read_index.before_change(id, view);
                }
                view.configuration = (index, configuration);
            }
            Observation::ReadConfirmed { .. } => counters.hit(Counter::ReadConfirmed),
            Observation::Transfer { to } => {
                nodes[position].transfer = to;
                counters.add(Counter::TransferBegun, to.is_some().into());
            }
            Observation::Did(LibraryEvent::ChangedOtherwise) => {
                return configuration::changed_otherwise(id, &nodes[position]);
            }
            Observation::Did(event) => counters.hit(Counter::from(event)),
            Observation::Broke(promise) => {
                return configuration::promised(id, &nodes[position], promise);
            }
        }
        Ok(())
    }

    /// The entry at `index` is committed: what clients are told is held against it from now on.
    fn perform(&mut self, cluster_view: ClusterView<'_>, id: NodeId, index: Index) -> Verdict {
        let chain = self.ledger.committed(index).unwrap_or_default();
        let mut disks = cluster_view.disks.iter();
        let entry = disks.find_map(|disk| disk.durable().log.get_of(index, chain));
        match entry {
            Some(entry) => {
                if self.told.is_some() || self.machine.is_some() {
                    let command: &[u8] = match entry.kind {
                        EntryKind::Normal => &entry.data,
                        EntryKind::Configuration(_) => &[],
                    };
                    if let Some(told) = &mut self.told {
                        told.history.committed(index, command);
                        if let Some(renewals) = told.history.revoked_at(index) {
                            return lock_safety::revoked(id, index, command, renewals);
                        }
                    } else if let Some(machine) = &mut self.machine {
                        machine.committed(index, command);
                    }
                }
                Ok(())
            }
            None => Err(durable_commit::no_entry(id, index)),
        }
    }

    /// A client asks for `command`, for the first time.
    pub fn invoked(&mut self, command: Command) -> OperationId {
        match &mut self.told {
            Some(told) => {
                told.lock_safety.invoked(&command);
                told.history.invoked(command)
            }
            None => OperationId::default(),
        }
    }

    /// The same of what may be a command of a machine, which is in `bytes`.
    pub(crate) fn invoked_in(&mut self, command: Command, bytes: &[u8]) -> OperationId {
        match &mut self.machine {
            Some(machine) => machine.invoked(command, bytes),
            None => self.invoked(command),
        }
    }

    /// A client gives up on an operation and does not know what became of it.
    pub fn abandoned(&mut self, operation: OperationId) {
        self.closed(operation);
        if let Some(told) = &mut self.told {
            told.history.abandoned(operation);
        } else if let Some(machine) = &mut self.machine {
            machine.abandoned(operation);
        }
    }

    /// A client's operation was refused whenever it asked: it never takes effect.
    pub fn failed(&mut self, operation: OperationId) {
        self.closed(operation);
        if let Some(told) = &mut self.told {
            told.history.failed(operation);
        } else if let Some(machine) = &mut self.machine {
            machine.failed(operation);
        }
    }

    /// A node sends a message, and whatever role it has is told. Async servers tell theirs after
    /// what they send.
    ///
    /// # Errors
    /// [`Property::ElectionSafety`], when it speaks as a leader that it was not; those of
    /// [`Checks::sent`].
    #[inline(always)]
    pub fn spoken(
        &mut self,
        cluster_view: ClusterView<'_>,
        from: NodeId,
        label: &Label,
    ) -> Verdict {
        self.election_safety
            .sent(from, cluster_view.node(from), label)?;
        self.sent(cluster_view, from, label)
    }

    /// A node sends a message.
    ///
    /// # Errors
    /// [`Property::AckBeforeDurable`], when it promises what is not durable;
    /// [`Property::LogMatching`], when it acknowledges what its leader does not have.
    #[inline(always)]
    pub fn sent(&mut self, cluster_view: ClusterView<'_>, from: NodeId, label: &Label) -> Verdict {
        let (view, durable) = (cluster_view.node(from), cluster_view.durable(from));
        let elected = &self.election_safety;
        let acknowledged = self
            .ack_before_durable
            .check(from, view, durable, label, elected)?;
        match (acknowledged, cluster_view.nodes.get(label.to.position())) {
            (Some(chain), Some(leader)) => log_matching::acknowledged(from, chain, leader, label),
            _ => Ok(()),
        }
    }

    /// A node says what became of a command.
    ///
    /// # Errors
    /// [`Property::StateMachineSafety`], when the node has not applied that much.
    pub fn replied(&self, view: &NodeView, id: NodeId, outcome: &ReplyOutcome) -> Verdict {
        match *outcome {
            ReplyOutcome::Applied { index, .. } | ReplyOutcome::Read { index, .. } => {
                state_machine_safety::answered(id, view, index)
            }
            ReplyOutcome::Refused { .. } => Ok(()),
        }
    }

    /// A client that waits for `operation` takes this for its answer.
    ///
    /// # Errors
    /// [`Property::LockSafety`], [`Property::ExactlyOnce`] or [`Property::Linearizability`].
    pub fn answered(
        &mut self,
        id: NodeId,
        operation: OperationId,
        command: &Command,
        outcome: &ReplyOutcome,
        counters: &mut Counters,
    ) -> Verdict {
        let (ReplyOutcome::Applied { index, answer } | ReplyOutcome::Read { index, answer }) =
            *outcome
        else {
            return Ok(());
        };
        let Some(told) = &mut self.told else {
            return match &mut self.machine {
                Some(machine) => {
                    let settled = machine.answered(operation, index, answer);
                    linearizability::judge_machine(Some(id), settled, counters)
                }
                None => Ok(()),
            };
        };
        count_answer(command, answer, counters);
        let place = told.history.position(operation).unwrap_or(index);
        told.lock_safety.answered(id, place, command, answer)?;
        let settled = told.history.answered(operation, index, answer);
        let reads = matches!(outcome, ReplyOutcome::Read { .. });
        if reads && told.lease_lag_us != Some(0) && settled != Ok(Settled::ByLog) {
            // What is not settled now might turn out stale at the end of the run.
            counters.add(Counter::StaleLeaseRead, settled.is_err().into());
            let floor = told.history.lags(operation, index);
            let floor = floor.filter(|_| told.lease_lag_us.is_some());
            told.history.disregard(operation);
            return match floor {
                Some(floor) => {
                    let stale = Err(Wrong::Stale { index, floor });
                    linearizability::judge(Some(id), stale, counters)
                }
                None => Ok(()),
            };
        }
        linearizability::judge(Some(id), settled, counters)
    }

    /// The run is over: judges what the order of the log has not settled.
    ///
    /// # Errors
    /// [`Property::Linearizability`].
    pub fn finish(&mut self, counters: &mut Counters) -> Verdict {
        match &mut self.told {
            Some(told) => linearizability::judge(None, told.history.finish(), counters),
            None => match &self.machine {
                Some(machine) => linearizability::judge_machine(None, machine.finish(), counters),
                None => Ok(()),
            },
        }
    }

    /// Some snapshot has become durable: forgets what no check will ask for again.
    /// A node that is gone for good asks for nothing.
    pub fn forget(&mut self, cluster_view: ClusterView<'_>) {
        let horizon = cluster_view
            .nodes
            .iter()
            .zip(cluster_view.disks)
            .filter(|(node, _)| !node.gone && !node.configuration.1.is_empty())
            .map(|(_, disk)| disk.durable().snapshot_index())
            .min()
            .unwrap_or(0);
        self.ledger.forget_before(horizon);
        self.log_matching.forget_before(horizon);
        self.configurations.forget_before(horizon);
        if let Some(told) = &mut self.told {
            told.history.forget_before(horizon);
        }
    }

    /// Whether what the node in `view` holds at `index` is committed. What all disks' snapshots
    /// have passed is.
    pub fn holds_committed(&self, view: &NodeView, index: Index) -> bool {
        let chain = self.ledger.committed(index);
        index <= self.committed() && (chain.is_none() || chain == view.chain_at(index))
    }

    /// The highest index known to be committed.
    pub fn committed(&self) -> Index {
        self.ledger.last()
    }
}
