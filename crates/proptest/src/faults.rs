//! Faults, each kind by its own constructor. On their own they are faults of a storm of one
//! simulated second over as many nodes as a plan may have; a plan fits them to its own.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{NewTree, SBoxedStrategy};
use proptest::test_runner::TestRunner;
use squall_core::faults;

use super::{Count, faults_of, skewed};
use squall_core::ids::NodeId;
use squall_core::operator::{Admin, Setting};
use squall_core::plan::{
    Fault, FaultKind, JournalName, LossMode, MAX_NODES, Milestone, What, When,
};
use squall_core::replica::MessageKind;
use squall_world::network::LinkDegradation;

/// The storm that faults are drawn for, in microseconds.
pub(super) const STORM_US: u64 = 1_000_000;

/// Longest that a fault lasts, in microseconds.
const LONGEST_US: u64 = 2_000_000;

/// A strategy for lists of faults. It shrinks by leaving faults out, then by making each simpler.
#[derive(Clone, Debug)]
pub struct Faults(pub(super) SBoxedStrategy<Vec<Fault>>);

impl Faults {
    /// These, and the others.
    pub fn and(self, others: Faults) -> Self {
        let both = (self.0, others.0);
        Self(both.prop_map(|(one, other)| [one, other].concat()).sboxed())
    }
}

impl Strategy for Faults {
    type Tree = <SBoxedStrategy<Vec<Fault>> as Strategy>::Tree;
    type Value = Vec<Fault>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        self.0.new_tree(runner)
    }
}

fn node() -> SBoxedStrategy<NodeId> {
    (1..=MAX_NODES).prop_map(NodeId).sboxed()
}

fn nodes() -> SBoxedStrategy<Vec<NodeId>> {
    vec(node(), 1..4).sboxed()
}

fn links() -> impl Strategy<Value = (Vec<NodeId>, Vec<NodeId>)> {
    (nodes(), nodes())
}

fn for_us() -> SBoxedStrategy<u64> {
    skewed(1_000..LONGEST_US)
}

fn at_message() -> SBoxedStrategy<When> {
    let kinds = select(&MessageKind::ALL[..]);
    let whole = (node(), node(), kinds, 1..60u32);
    let when = |(from, to, kind, nth)| When::Message {
        from,
        to,
        kind,
        nth,
    };
    whole.prop_map(when).sboxed()
}

/// At a time, at a sync, at a message, or at what comes about at a node; a time is the simplest.
fn when() -> SBoxedStrategy<When> {
    let at = (0..STORM_US).prop_map(When::AtUs);
    let sync = (node(), 1..100u32).prop_map(|(node, nth)| When::Sync { node, nth });
    let reached = (node(), select(&Milestone::ALL[..]), 1..5u32);
    let reached = reached.prop_map(|(node, milestone, nth)| When::Milestone {
        node,
        milestone,
        nth,
    });
    prop_oneof![2 => at, 1 => sync, 1 => at_message(), 1 => reached].sboxed()
}

fn some(count: impl Into<Count>, what: SBoxedStrategy<What>) -> Faults {
    let fault = (when(), what).prop_map(|(when, what)| Fault { when, what });
    Faults(vec(fault, count).sboxed())
}

fn at_messages(count: impl Into<Count>, what: SBoxedStrategy<What>) -> Faults {
    let fault = (at_message(), what).prop_map(|(when, what)| Fault { when, what });
    Faults(vec(fault, count).sboxed())
}

fn lasting(what: impl Fn(NodeId, u64) -> What + Send + Sync + 'static) -> SBoxedStrategy<What> {
    (node(), for_us())
        .prop_map(move |(node, us)| what(node, us))
        .sboxed()
}

fn linked(
    what: impl Fn(Vec<NodeId>, Vec<NodeId>, u64) -> What + Send + Sync + 'static,
) -> SBoxedStrategy<What> {
    (links(), for_us())
        .prop_map(move |((from, to), us)| what(from, to, us))
        .sboxed()
}

fn asked(
    node: Option<SBoxedStrategy<NodeId>>,
    admin: SBoxedStrategy<Admin>,
) -> SBoxedStrategy<What> {
    let node = match node {
        Some(node) => node.prop_map(Some).sboxed(),
        None => Just(None).sboxed(),
    };
    (node, admin)
        .prop_map(|(node, admin)| What::Ask(faults::Ask { node, admin }))
        .sboxed()
}

/// Nodes lose power, and what is not durable in one way or another.
pub fn crashes(count: impl Into<Count>) -> Faults {
    let what = (node(), select(&LossMode::ALL[..]), for_us());
    let what = what.prop_map(|(node, loss, down_us)| {
        What::Crash(faults::Crash {
            node,
            loss,
            down_us,
        })
    });
    some(count, what.sboxed())
}

/// Nodes stand still.
pub fn pauses(count: impl Into<Count>) -> Faults {
    some(
        count,
        lasting(|node, for_us| What::Pause(faults::Pause { node, for_us })),
    )
}

/// Nothing gets through one way.
pub fn cuts(count: impl Into<Count>) -> Faults {
    some(
        count,
        linked(|from, to, for_us| What::Cut(faults::Cut { from, to, for_us })),
    )
}

/// Nothing gets through between two sides.
pub fn splits(count: impl Into<Count>) -> Faults {
    let what =
        (nodes(), for_us()).prop_map(|(side, for_us)| What::Split(faults::Split { side, for_us }));
    some(count, what.sboxed())
}

/// Nothing gets through between a leader and all others, or all but a few.
pub fn isolated_leaders(count: impl Into<Count>) -> Faults {
    let bridges = prop_oneof![2 => Just(Vec::new()), 1 => nodes()];
    let what = (for_us(), bridges);
    let what = what.prop_map(|(for_us, bridges)| {
        What::IsolateLeader(faults::IsolateLeader { for_us, bridges })
    });
    some(count, what.sboxed())
}

/// Messages on some links are lost, duplicated, reordered or late for a while.
pub fn troubles(count: impl Into<Count>) -> Faults {
    let rate = || prop_oneof![Just(0u32), 1_000..600_000u32];
    let rates = (rate(), rate(), rate(), rate(), skewed(0..LONGEST_US));
    let trouble = rates.prop_map(
        |(loss_ppm, duplicate_ppm, reorder_ppm, tail_ppm, tail_max_us)| LinkDegradation {
            loss_ppm,
            duplicate_ppm,
            reorder_ppm,
            tail_ppm,
            tail_max_us,
        },
    );
    let what = (links(), trouble, for_us());
    let what = what.prop_map(|((from, to), trouble, for_us)| {
        What::Trouble(faults::Trouble {
            from,
            to,
            trouble,
            for_us,
        })
    });
    some(count, what.sboxed())
}

/// Messages on some links are held back, then arrive at once.
pub fn bursts(count: impl Into<Count>) -> Faults {
    some(
        count,
        linked(|from, to, for_us| What::Burst(faults::Burst { from, to, for_us })),
    )
}

/// Messages to and from a node take longer.
pub fn slow_nodes(count: impl Into<Count>) -> Faults {
    let what = (node(), skewed(1_000..LONGEST_US / 4), for_us());
    let what = what.prop_map(|(node, extra_us, for_us)| {
        What::SlowNode(faults::SlowNode {
            node,
            extra_us,
            for_us,
        })
    });
    some(count, what.sboxed())
}

/// Single messages are lost.
pub fn lost_messages(count: impl Into<Count>) -> Faults {
    at_messages(
        count,
        Just(What::LoseMessage(faults::LoseMessage {})).sboxed(),
    )
}

/// Single messages arrive twice.
pub fn duplicated_messages(count: impl Into<Count>) -> Faults {
    let what = skewed(1..LONGEST_US)
        .prop_map(|after_us| What::DuplicateMessage(faults::DuplicateMessage { after_us }));
    at_messages(count, what.sboxed())
}

/// Single messages are late.
pub fn late_messages(count: impl Into<Count>) -> Faults {
    let what =
        skewed(1..LONGEST_US).prop_map(|by_us| What::DelayMessage(faults::DelayMessage { by_us }));
    at_messages(count, what.sboxed())
}

/// Syncs take long.
pub fn slow_disks(count: impl Into<Count>) -> Faults {
    let what = (node(), skewed(1_000..LONGEST_US / 4), for_us());
    let what = what.prop_map(|(node, sync_us, for_us)| {
        What::SlowDisk(faults::SlowDisk {
            node,
            sync_us,
            for_us,
        })
    });
    some(count, what.sboxed())
}

/// Syncs fail.
pub fn failed_syncs(count: impl Into<Count>) -> Faults {
    some(
        count,
        node()
            .prop_map(|node| What::FailSync(faults::FailSync { node }))
            .sboxed(),
    )
}

/// Disks have no room.
pub fn full_disks(count: impl Into<Count>) -> Faults {
    some(
        count,
        lasting(|node, for_us| What::FullDisk(faults::FullDisk { node, for_us })),
    )
}

/// Records rot, on a minority of nodes only, and never where the membership changes.
pub fn rots(count: impl Into<Count>) -> Faults {
    let journals = [
        JournalName::HardState,
        JournalName::Log,
        JournalName::Snapshot,
    ];
    let what = (node(), select(journals.to_vec()));
    let what = what.prop_map(|(node, journal)| What::Rot(faults::Rot { node, journal }));
    some(count, what.sboxed())
}

/// Clocks jump.
pub fn jumps(count: impl Into<Count>) -> Faults {
    let by_us = LONGEST_US as i64 / 2;
    let what =
        (node(), -by_us..=by_us).prop_map(|(node, by_us)| What::Jump(faults::Jump { node, by_us }));
    some(count, what.sboxed())
}

/// Clocks run fast or slow.
pub fn drifts(count: impl Into<Count>) -> Faults {
    let what = (node(), -500_000..=500_000i32, for_us());
    let what =
        what.prop_map(|(node, ppm, for_us)| What::Drift(faults::Drift { node, ppm, for_us }));
    some(count, what.sboxed())
}

/// Leadership is moved.
pub fn transfers(count: impl Into<Count>) -> Faults {
    let admin = node().prop_map(|to| Admin::TransferLeader { to });
    some(count, asked(None, admin.sboxed()))
}

/// Nodes are made to stand for election.
pub fn campaigns(count: impl Into<Count>) -> Faults {
    some(count, asked(Some(node()), Just(Admin::Campaign).sboxed()))
}

/// Followers are made to ask for a snapshot.
pub fn snapshot_requests(count: impl Into<Count>) -> Faults {
    some(
        count,
        asked(Some(node()), Just(Admin::RequestSnapshot).sboxed()),
    )
}

/// Leaders are made to send heartbeats.
pub fn pings(count: impl Into<Count>) -> Faults {
    some(count, asked(None, Just(Admin::Ping).sboxed()))
}

/// Settings of running nodes are changed.
pub fn settings(count: impl Into<Count>) -> Faults {
    let setting = prop_oneof![
        any::<bool>().prop_map(Setting::SkipBroadcastCommit),
        any::<bool>().prop_map(Setting::CheckQuorum),
        (1..16u32).prop_map(Setting::MaxInflight),
        (0..4_096u64).prop_map(Setting::MaxCommittedSize),
    ];
    asked_of_nodes(count, setting.prop_map(Admin::Set).sboxed())
}

pub(super) fn asked_of_nodes(count: impl Into<Count>, admin: SBoxedStrategy<Admin>) -> Faults {
    some(count, asked(Some(node()), admin))
}

type Constructor = fn(Count) -> Faults;

/// The strategies of this crate, and for which kind of fault each is.
const OWN: [(FaultKind, Constructor); 22] = [
    (FaultKind::Crash, crashes),
    (FaultKind::Pause, pauses),
    (FaultKind::Cut, cuts),
    (FaultKind::Split, splits),
    (FaultKind::IsolateLeader, isolated_leaders),
    (FaultKind::Trouble, troubles),
    (FaultKind::Burst, bursts),
    (FaultKind::SlowNode, slow_nodes),
    (FaultKind::LoseMessage, lost_messages),
    (FaultKind::DuplicateMessage, duplicated_messages),
    (FaultKind::DelayMessage, late_messages),
    (FaultKind::SlowDisk, slow_disks),
    (FaultKind::FailSync, failed_syncs),
    (FaultKind::FullDisk, full_disks),
    (FaultKind::Rot, rots),
    (FaultKind::Jump, jumps),
    (FaultKind::Drift, drifts),
    (FaultKind::Transfer, transfers),
    (FaultKind::Campaign, campaigns),
    (FaultKind::RequestSnapshot, snapshot_requests),
    (FaultKind::Ping, pings),
    (FaultKind::Set, settings),
];

/// Faults of any kind but changes of the configuration, requests for snapshots, disks that are
/// replaced or lost, and messages that are intercepted: at most so many.
/// A kind that has no strategy here is drawn by [`faults_of`].
pub fn faults(count: impl Into<Count>) -> Faults {
    let apart = [
        FaultKind::Change,
        FaultKind::RequestSnapshot,
        FaultKind::ReplaceDisk,
        // No cluster survives it.
        FaultKind::LoseDisk,
        // It is for stories, which know what is on its way.
        FaultKind::Intercept,
    ];
    let kinds = FaultKind::ALL.iter().filter(|kind| !apart.contains(kind));
    let one = |kind: &FaultKind| {
        let faults = match OWN.iter().find(|(own, _)| own == kind) {
            Some((_, own)) => own(1.into()),
            None => faults_of(*kind, 1),
        };
        faults.0.prop_map(|mut one| one.remove(0)).sboxed()
    };
    let any = proptest::strategy::Union::new(kinds.map(one));
    Faults(vec(any, count).sboxed())
}
