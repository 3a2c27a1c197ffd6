//! A cluster by hand, for the tests of checks: its nodes do what a test says, right or wrong.

use bytes::Bytes;

use super::breach::Breach;
use super::{Checks, ClusterView, NodeView, Verdict};
use crate::configuration::Configuration;
use crate::counters::Counters;
use crate::ids::{Index, NodeId, NodeSet, Role, Term};
use crate::replica::{Claim, Label, MessageKind, Observation};
use crate::storage::{ChainedRecord, Entry, EntryKind, HardState, Record, Snapshot, StableState};
use squall_world::journal_disk::Disk;

/// The nodes from 1 on, which all vote.
pub(super) struct ByHand {
    pub(super) nodes: Vec<NodeView>,
    pub(super) disks: Vec<Disk<StableState>>,
    pub(super) checks: Checks,
    pub(super) counters: Counters,
}

/// A configuration of these voters.
pub(super) fn voters(nodes: &[u8]) -> Configuration {
    Configuration::of(nodes.iter().copied().map(NodeId).collect())
}

/// The way in which a rule was broken.
///
/// # Panics
/// When none was.
#[track_caller]
pub(super) fn broken<T: std::fmt::Debug>(verdict: Verdict<T>) -> Breach {
    verdict.expect_err("a rule is broken").breach
}

impl ByHand {
    /// So many nodes, which have started on empty disks.
    pub(super) fn new(nodes: u8) -> Self {
        let mut cluster = Self {
            nodes: vec![NodeView::default(); nodes.into()],
            disks: (0..nodes).map(|_| Disk::default()).collect(),
            checks: Checks::new(0, Some(0)).with_read_index(nodes.into()),
            counters: Counters::default(),
        };
        for node in 1..=nodes {
            cluster.start(node, |_| {}).unwrap();
        }
        cluster
    }

    /// The node starts on what its disk keeps, and says so with a mistake.
    pub(super) fn start(&mut self, node: u8, mistake: impl FnOnce(&mut Observation)) -> Verdict {
        let at = NodeId(node).position();
        let durable = self.disks[at].durable();
        let everyone = NodeSet::first(self.nodes.len() as u8);
        let mut started = Observation::Started {
            term: durable.hard.term,
            vote: durable.hard.vote,
            last: durable.usable_last(),
            commit: durable.commit.max(durable.snapshot_index()),
            applied: durable.snapshot_index(),
            // States of these tests are none of the service's.
            state: match durable.snapshot_index() {
                0 => u64::MAX,
                index => index,
            },
            configuration: Configuration::of(everyone),
        };
        mistake(&mut started);
        self.nodes[at] = NodeView::booting(durable, 0);
        self.observe(node, started)
    }

    /// The same, where nodes begin with the service as the harness has it.
    pub(super) fn with_the_service(nodes: u8) -> Self {
        let mut cluster = Self::new(nodes);
        cluster.checks = Checks::new(0, Some(0));
        for node in 1..=nodes {
            let as_it_is = |seen: &mut Observation| {
                if let Observation::Started { state, .. } = seen {
                    *state = crate::service::Service::default().state();
                }
            };
            cluster.start(node, as_it_is).unwrap();
        }
        cluster
    }

    pub(super) fn cluster_view(&self) -> ClusterView<'_> {
        ClusterView {
            nodes: &self.nodes,
            disks: &self.disks,
        }
    }

    /// The node writes a record.
    pub(super) fn write(&mut self, node: u8, record: Record) -> Verdict {
        let (id, at) = (NodeId(node), NodeId(node).position());
        let (view, counters) = (&mut self.nodes[at], &mut self.counters);
        let chain = self.checks.wrote(view, id, &record, counters)?;
        self.disks[at].write(ChainedRecord { record, chain });
        Ok(())
    }

    /// The node writes an entry with this data.
    pub(super) fn write_entry(
        &mut self,
        node: u8,
        index: Index,
        term: Term,
        data: Bytes,
    ) -> Verdict {
        let kind = EntryKind::Normal;
        let entry = Entry { term, kind, data };
        self.write(node, Record::Entry { index, entry })
    }

    /// The node writes an empty entry.
    pub(super) fn append(&mut self, node: u8, index: Index, term: Term) -> Verdict {
        self.write_entry(node, index, term, Bytes::new())
    }

    /// The node writes a change of the configuration.
    pub(super) fn change(&mut self, node: u8, index: Index, term: Term) -> Verdict {
        let entry = Entry {
            term,
            kind: EntryKind::Configuration(1),
            data: Bytes::new(),
        };
        self.write(node, Record::Entry { index, entry })
    }

    /// The node writes term and vote.
    pub(super) fn vote(&mut self, node: u8, term: Term, vote: Option<u8>) -> Verdict {
        let vote = vote.map(NodeId);
        self.write(node, Record::HardState(HardState { term, vote }))
    }

    /// The node writes a snapshot.
    pub(super) fn snapshot(&mut self, node: u8, index: Index, term: Term) -> Verdict {
        let snapshot = Snapshot {
            index,
            term,
            configuration: Configuration::of(NodeSet::first(self.nodes.len() as u8)),
            data: Bytes::new(),
        };
        self.write(node, Record::Snapshot(Box::new(snapshot)))
    }

    /// All that the node has written is durable now.
    pub(super) fn sync(&mut self, node: u8) {
        let disk = &mut self.disks[NodeId(node).position()];
        disk.complete_sync(disk.begin_sync());
    }

    /// The node reports a change.
    pub(super) fn observe(&mut self, node: u8, observation: Observation) -> Verdict {
        let (nodes, disks) = (&mut self.nodes, &self.disks);
        let counters = &mut self.counters;
        self.checks
            .observed(nodes, disks, NodeId(node), &observation, counters)
    }

    /// The node goes by another role or term.
    pub(super) fn role(&mut self, node: u8, role: Role, term: Term) -> Verdict {
        self.observe(node, Observation::Role { role, term })
    }

    /// Everyone votes for the node, which leads from now on.
    pub(super) fn elect(&mut self, node: u8, term: Term) {
        for voter in 1..=self.nodes.len() as u8 {
            self.vote(voter, term, Some(node)).unwrap();
            self.sync(voter);
            self.role(voter, Role::Follower, term).unwrap();
        }
        self.role(node, Role::Leader, term).unwrap();
    }

    /// These nodes write an empty entry, which is durable at once.
    pub(super) fn replicate(&mut self, nodes: &[u8], index: Index, term: Term) {
        for node in nodes {
            self.append(*node, index, term).unwrap();
            self.sync(*node);
        }
    }

    pub(super) fn commit(&mut self, node: u8, index: Index) -> Verdict {
        self.observe(node, Observation::Committed { index })
    }

    /// The node applies an entry, and is in this state then.
    pub(super) fn apply(&mut self, node: u8, index: Index, state: u64) -> Verdict {
        self.observe(node, Observation::Applied { index, state })
    }

    /// The node sends a message of this term with this promise.
    pub(super) fn send(
        &mut self,
        from: u8,
        to: u8,
        kind: MessageKind,
        term: Term,
        claim: Claim,
    ) -> Verdict {
        let label = Label {
            to: NodeId(to),
            kind,
            term,
            claim,
        };
        let cluster_view = ClusterView {
            nodes: &self.nodes,
            disks: &self.disks,
        };
        self.checks.spoken(cluster_view, NodeId(from), &label)
    }
}
