//! The world of one run: every node with its clock and disk, the network between
//! them, clients and an operator, and what looks at them. How it goes on, `lockstep`
//! says; this is what there is.

use super::Observer;
use super::answers::Answers;
use super::clients::Clients;
use super::connections::Connections;
use super::event::Event;
use super::lease_keepers::LeaseKeeper;
use super::node::Slot;
use super::panics;
use super::transport;
use super::triggers::Triggers;
use crate::configuration::Configuration;
use crate::counters::Counters;
use crate::ids::{Index, NodeId, NodeSet};
use crate::invariants::breach::Unmet;
use crate::invariants::{Checks, NodeView};
use crate::options::Feature;
use crate::plan::{Cluster, Plan};
use crate::replica::{LogSink, Message, Output, RunNotes, Subject};
use crate::service::Service;
use crate::storage::{Chain, ChainedRecord, HardState, Record, Snapshot, StableState};
use squall_world::clock::Clock;
use squall_world::hash::mix;
use squall_world::journal_disk::Disk;
use squall_world::network::Network;
use squall_world::queue::{Queue, Slab, SlabKey};
use squall_world::rng::Choices;

pub(crate) struct World<'p, 'w, S: Subject> {
    pub(super) plan: &'p Plan,
    pub(super) subject: &'p S,
    pub(super) nodes: Vec<NodeId>,
    pub(super) queue: Queue<Event>,
    /// What was to happen next when whoever watches ended the run.
    pub(super) next: Option<(u64, Event)>,
    /// The messages on their way, so that each moves in and out once.
    pub(super) parcels: Slab<Message<S>>,
    /// Of the messages being sent: where those lie that are not posted yet, the next one last.
    pub(super) places: Vec<SlabKey>,
    pub(crate) network: Network,
    /// The connections of nodes, where they talk over such.
    pub(super) connections: Option<Box<Connections>>,
    pub(crate) slots: Vec<Slot<S::Replica, Event>>,
    pub(super) views: Vec<NodeView>,
    pub(crate) disks: Vec<Disk<StableState>>,
    pub(super) checks: Checks,
    pub(super) triggers: Triggers,
    pub(crate) counters: Counters,
    pub(super) network_choices: Choices,
    pub(super) disk_choices: Choices,
    pub(super) clock_choices: Choices,
    pub(super) operator_choices: Choices,
    /// The newest committed configuration, and the index of its entry.
    pub(super) configuration: (Index, Configuration),
    /// Committed configurations that a member may still go by after a restart, oldest first.
    pub(super) past: Vec<(Index, Configuration)>,
    /// Changes of the plan that have been asked for.
    pub(super) asked: Vec<usize>,
    /// Replacements of disks in the plan that have got as far as the empty disk.
    pub(super) wiped_by: Vec<usize>,
    /// Nodes that have lost the disk that they began with.
    pub(super) wiped: NodeSet,
    /// Members that have lost their disks by mistake, in order of time.
    pub(super) members_without_disk: Vec<NodeId>,
    /// Nodes that a committed configuration has ever had.
    pub(super) ever_in: NodeSet,
    /// Some node has gone by a configuration before that was committed.
    pub(super) goes_by_log: bool,
    /// Each node's keeper of leases, where leaders keep them.
    pub(super) lease_keepers: Vec<LeaseKeeper>,
    /// The one before the joint configuration that is in force.
    pub(super) before_joint: Option<Configuration>,
    /// Nodes to be stopped for good when they are removed.
    pub(super) to_stop: NodeSet,
    /// Nodes that the operator has seen in a configuration since it last asked for them to join.
    pub(super) joined: NodeSet,
    /// Faults that have struck and are to be ended.
    pub(super) under_way: Vec<usize>,
    /// Leaders that are cut off, and by which fault.
    pub(crate) isolated: Vec<(usize, NodeId)>,
    /// Nodes that the last step has removed and that are to be stopped.
    pub(super) retiring: Vec<NodeId>,
    /// The service that every replica starts with.
    pub(super) service: Service,
    /// What the subject keeps for the whole run.
    pub(super) notes: RunNotes,
    /// Who takes part after the storm.
    pub(super) participants: Vec<NodeId>,
    /// Whether some were left out that could have taken part.
    pub(super) is_short_handed: bool,
    pub(super) healed: bool,
    pub(super) log: Option<LogSink>,
    /// What replicas put their wishes into; lent out while they are carried out.
    pub(super) out: Option<Box<Output<Message<S>>>>,
    pub(super) clients: Clients,
    pub(super) answers: Answers,
    /// Whom a client may ask; kept so that it need not be made anew.
    pub(super) asked_of: Vec<NodeId>,
    pub(super) due: Vec<usize>,
    pub(super) watch: Observer<'w>,
    pub(super) digest: u64,
    pub(super) step: u64,
    pub(super) stepping: Option<NodeId>,
    pub(super) converged: bool,
    pub(super) unmet: Option<Unmet>,
}

impl<'p, 'w, S: Subject> World<'p, 'w, S> {
    /// The world before anything has happened.
    pub(super) fn new(plan: &'p Plan, subject: &'p S, watch: Observer<'w>) -> Self {
        let nodes = plan.nodes();
        let configuration = plan.first_configuration();
        let service = match watch.log_only {
            true => Service::opaque(),
            false => subject.service(),
        };
        let first = plan.cluster.first_index;
        let keeps_leases = plan.workload.leases_by_leader && service.is_own();
        let kit = service.kit().cloned();
        let checks = match &kit {
            _ if watch.log_only => Checks::of_log(first),
            Some(_) => Checks::of_machine(first, &service, panics::guard),
            None => {
                let checks = Checks::new(first, plan.lease_lag_us());
                let checks = match keeps_leases {
                    true => checks.with_leases_by_leader(),
                    false => checks,
                };
                match plan.raft.lease_reads {
                    true => checks,
                    false => checks.with_read_index(nodes.len()),
                }
            }
        };
        // In opaque commands there is nothing to read; a machine is asked by the log alone.
        let reads = service.is_own() && subject.supports().contains(&Feature::ReadIndex);
        let slot = |id: &NodeId| {
            let options = plan.cluster.clocks[id.position()];
            let clock = Clock::new(options.offset_us, options.drift_ppm);
            Slot::new(*id, clock, options.drift_ppm)
        };
        Self {
            plan,
            subject,
            queue: Queue::new(),
            next: None,
            parcels: Slab::new(),
            places: Vec::new(),
            network: transport::network(plan),
            connections: plan
                .streams
                .then(|| Box::new(Connections::new(nodes.len()))),
            slots: nodes.iter().map(slot).collect(),
            views: vec![NodeView::default(); nodes.len()],
            disks: nodes
                .iter()
                .map(|id| match configuration.members().has(*id) {
                    true => first_disk(&plan.cluster, &configuration, &service),
                    false => Disk::default(),
                })
                .collect(),
            checks,
            triggers: Triggers::new(&plan.faults, nodes.len()),
            counters: Counters::default(),
            network_choices: Choices::labelled(plan.seed, "network", 0),
            disk_choices: Choices::labelled(plan.seed, "disk", 0),
            clock_choices: Choices::labelled(plan.seed, "clock", 0),
            operator_choices: Choices::labelled(plan.seed, "operator", 0),
            configuration: (plan.cluster.first_index, configuration),
            past: vec![(plan.cluster.first_index, configuration)],
            asked: Vec::new(),
            wiped_by: Vec::new(),
            wiped: NodeSet::default(),
            members_without_disk: Vec::new(),
            ever_in: configuration.members(),
            goes_by_log: false,
            lease_keepers: match keeps_leases {
                true => vec![LeaseKeeper::default(); nodes.len()],
                false => Vec::new(),
            },
            before_joint: None,
            to_stop: NodeSet::default(),
            joined: configuration.members(),
            under_way: Vec::new(),
            isolated: Vec::new(),
            retiring: Vec::new(),
            service,
            notes: RunNotes::default(),
            participants: Vec::new(),
            is_short_handed: false,
            healed: false,
            log: watch.library_log.then(LogSink::default),
            out: Some(Box::default()),
            answers: Answers::new(plan.lets_answer()),
            clients: Clients::new(plan.seed, plan.workload, reads, kit),
            asked_of: Vec::new(),
            due: Vec::new(),
            watch,
            digest: mix(0, plan.seed),
            step: 0,
            stepping: None,
            converged: false,
            unmet: None,
            nodes,
        }
    }

    /// Whether the node runs.
    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.slots[node.position()].replica.is_some()
    }

    /// Whether what happens to the node waits until it goes on.
    #[inline]
    pub(super) fn stands_still(&self, node: NodeId) -> bool {
        self.slots[node.position()].paused_until_us.is_some()
    }

    /// Takes `value` into the digest.
    #[inline]
    pub(super) fn fold(&mut self, value: u64) {
        self.digest = mix(self.digest, value);
    }
}

/// A founder's disk: empty but for what its cluster was set up with.
fn first_disk(
    cluster: &Cluster,
    configuration: &Configuration,
    service: &Service,
) -> Disk<StableState> {
    let mut disk = Disk::default();
    let term = cluster.first_term;
    let chain = Chain::default();
    let mut write = |record| disk.write(ChainedRecord { record, chain });
    if cluster.first_index > 0 {
        write(Record::Snapshot(Box::new(Snapshot {
            index: cluster.first_index,
            term,
            configuration: *configuration,
            data: service.encode(),
        })));
        write(Record::LogReset {
            next: cluster.first_index + 1,
        });
    }
    if term > 0 {
        write(Record::HardState(HardState { term, vote: None }));
    }
    disk.complete_sync(disk.begin_sync());
    disk
}
