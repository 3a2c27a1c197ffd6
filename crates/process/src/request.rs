//! What is asked of a process, as CBOR: `docs/protocol` has each request. Knows nothing of answers.

use std::convert::Infallible;

use bytes::Bytes;
use minicbor::Encoder;
use minicbor::encode::Error;

use squall_core::configuration::{Change, Configuration, Member, Transition};
use squall_core::ids::{NodeId, NodeSet, Term};
use squall_core::operator::{Admin, Setting};
use squall_core::options::{DriverOptions, MissedTicks, Persistence, RaftOptions, ReadContext};
use squall_core::own::{DriverOption, OptionValue};
use squall_core::plan::Plan;
use squall_core::replica::Request;
use squall_core::service::{Command, Operation};
use squall_core::storage::{EntryKind, Snapshot, StableState};

type Cbor<'a> = Encoder<&'a mut Vec<u8>>;
type Done = Result<(), Error<Infallible>>;

/// The version of the protocol.
pub(crate) const PROTOCOL: u64 = 1;

const WRITTEN: &str = "a vector takes all that is written into it";

/// What happens to a node, as its process is told.
#[derive(Debug)]
pub(crate) enum Told {
    Tick,
    Deliver {
        from: NodeId,
        data: Bytes,
        snapshot: Option<Box<Snapshot>>,
    },
    Synced {
        number: u64,
        ok: bool,
    },
    Propose {
        /// The node's own number for it, from when the process is told.
        number: u64,
        request: Request,
    },
    Read {
        number: u64,
        request: Request,
    },
    Admin(Admin),
    Unreachable(NodeId),
    SnapshotSent {
        peer: NodeId,
        delivered: bool,
    },
    Connection {
        peer: NodeId,
        stands: bool,
    },
    Compacted {
        through: u64,
        snapshot: Box<Snapshot>,
    },
}

/// What a node starts from.
pub(crate) struct Disk<'a> {
    pub(crate) incarnation: u32,
    pub(crate) seed: u64,
    pub(crate) state: &'a StableState,
    pub(crate) configuration: &'a Configuration,
}

/// Asks who is there.
pub(crate) fn hello(into: &mut Vec<u8>) {
    let mut write = || -> Done {
        let mut cbor = Encoder::new(&mut *into);
        cbor.array(2)?.u8(0)?.map(2)?;
        cbor.str("protocol")?.u64(PROTOCOL)?;
        let harness = concat!("squall ", env!("CARGO_PKG_VERSION"));
        cbor.str("harness")?.str(harness)?;
        Ok(())
    };
    write().expect(WRITTEN);
}

/// Begins a run of `plan`, for an adapter that has these options.
pub(crate) fn reset(into: &mut Vec<u8>, plan: &Plan, options: &[DriverOption]) {
    let mut write = || -> Done {
        let mut cbor = Encoder::new(&mut *into);
        cbor.array(2)?.u8(1)?.map(5)?;
        cbor.str("seed")?.u64(plan.seed)?;
        let nodes = plan.cluster.nodes();
        cbor.str("nodes")?.array(nodes.into())?;
        for node in 1..=nodes {
            cbor.u8(node)?;
        }
        cbor.str("raft")?;
        raft(&mut cbor, &plan.raft)?;
        cbor.str("driver")?;
        driver(&mut cbor, &plan.driver)?;
        let on = plan.driver.own.iter().filter_map(|(name, value)| {
            let is_on = matches!(value, OptionValue::Flag(true));
            let is_its = options.iter().any(|option| option.name == name);
            (is_on && is_its).then_some(name)
        });
        let on: Vec<&String> = on.collect();
        cbor.str("options")?.array(on.len() as u64)?;
        for name in on {
            cbor.str(name)?;
        }
        Ok(())
    };
    write().expect(WRITTEN);
}

/// The settings of the library, by the names that they have in plans.
fn raft(cbor: &mut Cbor<'_>, raft: &RaftOptions) -> Done {
    // All fields are named, so that one that is added is not forgotten here.
    let RaftOptions {
        pre_vote,
        check_quorum,
        election_ticks,
        heartbeat_ticks,
        max_inflight_messages,
        max_size_per_message,
        max_committed_size_per_ready,
        batch_append,
        skip_broadcast_commit,
        priorities,
        lease_reads,
        max_uncommitted_size,
        group_commit,
    } = raft;
    cbor.map(13)?;
    for (name, value) in [
        ("pre_vote", pre_vote),
        ("check_quorum", check_quorum),
        ("batch_append", batch_append),
        ("skip_broadcast_commit", skip_broadcast_commit),
        ("lease_reads", lease_reads),
        ("group_commit", group_commit),
    ] {
        cbor.str(name)?.bool(*value)?;
    }
    for (name, value) in [
        ("election_ticks", u64::from(*election_ticks)),
        ("heartbeat_ticks", u64::from(*heartbeat_ticks)),
        ("max_inflight_messages", u64::from(*max_inflight_messages)),
        ("max_size_per_message", *max_size_per_message),
        (
            "max_committed_size_per_ready",
            *max_committed_size_per_ready,
        ),
        ("max_uncommitted_size", *max_uncommitted_size),
    ] {
        cbor.str(name)?.u64(value)?;
    }
    cbor.str("priorities")?.array(priorities.len() as u64)?;
    for priority in priorities {
        cbor.i64(*priority)?;
    }
    Ok(())
}

/// The settings of the code around it. What Squall does itself is not told.
fn driver(cbor: &mut Cbor<'_>, driver: &DriverOptions) -> Done {
    let DriverOptions {
        persistence,
        inputs_per_ready,
        apply_lag_us: _,
        snapshot_every_bytes: _,
        keep_entries: _,
        snapshot_install_us: _,
        snapshot_build_us: _,
        fetch_us: _,
        send_after_sync,
        acknowledge_newest,
        read_context,
        missed_ticks: _,
        own: _,
    } = driver;
    cbor.map(5)?;
    cbor.str("persistence")?.str(match persistence {
        Persistence::Synchronous => "synchronous",
        Persistence::Asynchronous => "asynchronous",
    })?;
    cbor.str("inputs_per_ready")?.u32(*inputs_per_ready)?;
    cbor.str("send_after_sync")?.bool(*send_after_sync)?;
    cbor.str("acknowledge_newest")?.bool(*acknowledge_newest)?;
    cbor.str("read_context")?.str(match read_context {
        ReadContext::Fresh => "fresh",
        ReadContext::Request => "request",
    })?;
    Ok(())
}

/// Whether ticks that come due while a node waits for its disk are gone.
pub(crate) fn skips_missed_ticks(driver: &DriverOptions) -> bool {
    driver.missed_ticks == MissedTicks::Skip
}

/// Starts a node.
pub(crate) fn boot(into: &mut Vec<u8>, node: NodeId, disk: &Disk<'_>) {
    let mut write = || -> Done {
        let mut cbor = Encoder::new(&mut *into);
        let state = disk.state;
        cbor.array(3)?.u8(2)?.u8(node.0)?.map(10)?;
        cbor.str("incarnation")?.u32(disk.incarnation)?;
        cbor.str("seed")?.u64(disk.seed)?;
        cbor.str("term")?.u64(state.hard.term)?;
        cbor.str("vote")?.u8(nobody(state.hard.vote))?;
        cbor.str("commit")?.u64(state.commit)?;
        cbor.str("configuration")?;
        configuration(&mut cbor, disk.configuration)?;
        cbor.str("snapshot")?;
        snapshot(&mut cbor, state.snapshot.as_ref())?;
        cbor.str("first")?.u64(state.log.first())?;
        cbor.str("before")?.u64(state.term_before_log)?;
        let length = state.log.iter().len_of();
        cbor.str("entries")?.array(length)?;
        for (_, entry) in state.log.iter() {
            cbor.array(3)?
                .u64(entry.term)?
                .u8(kind(entry.kind))?
                .bytes(&entry.data)?;
        }
        Ok(())
    };
    write().expect(WRITTEN);
}

/// How many an iterator has.
trait LenOf {
    fn len_of(self) -> u64;
}

impl<I: Iterator> LenOf for I {
    fn len_of(self) -> u64 {
        self.count() as u64
    }
}

/// Tells a node of `told`, in order, at its own time, after so many ticks that are not told.
/// `waiting` inputs come behind these, where the process wants to know.
pub(crate) fn step(
    into: &mut Vec<u8>,
    node: NodeId,
    now_us: u64,
    idle_ticks: u64,
    waiting: Option<u64>,
    told: &[Told],
) {
    let mut write = || -> Done {
        let mut cbor = Encoder::new(&mut *into);
        cbor.array(5)?
            .u8(3)?
            .u8(node.0)?
            .u64(now_us)?
            .u64(idle_ticks)?
            .array(told.len() as u64 + u64::from(waiting.is_some()))?;
        if let Some(waiting) = waiting {
            cbor.array(2)?.u8(14)?.u64(waiting)?;
        }
        for one in told {
            input(&mut cbor, one)?;
        }
        Ok(())
    };
    write().expect(WRITTEN);
}

/// A node is gone.
pub(crate) fn kill(into: &mut Vec<u8>, node: NodeId) {
    let mut write = || -> Done {
        Encoder::new(&mut *into).array(2)?.u8(4)?.u8(node.0)?;
        Ok(())
    };
    write().expect(WRITTEN);
}

/// Asks for a message in words.
pub(crate) fn describe(into: &mut Vec<u8>, data: &[u8]) {
    let mut write = || -> Done {
        Encoder::new(&mut *into).array(2)?.u8(5)?.bytes(data)?;
        Ok(())
    };
    write().expect(WRITTEN);
}

/// Has a node's state machine carry out a command.
pub(crate) fn perform(into: &mut Vec<u8>, node: NodeId, command: &Command) {
    commanded(into, 6, node, command);
}

/// Asks for a node's state machine as bytes.
pub(crate) fn snapshot_of(into: &mut Vec<u8>, node: NodeId) {
    let mut write = || -> Done {
        Encoder::new(&mut *into).array(2)?.u8(7)?.u8(node.0)?;
        Ok(())
    };
    write().expect(WRITTEN);
}

/// Puts these bytes in place of a node's state machine.
pub(crate) fn restore(into: &mut Vec<u8>, node: NodeId, data: &[u8]) {
    let mut write = || -> Done {
        let mut cbor = Encoder::new(&mut *into);
        cbor.array(3)?.u8(8)?.u8(node.0)?.bytes(data)?;
        Ok(())
    };
    write().expect(WRITTEN);
}

/// Asks a node's state machine for what a read is answered.
pub(crate) fn query(into: &mut Vec<u8>, node: NodeId, command: &Command) {
    commanded(into, 9, node, command);
}

fn commanded(into: &mut Vec<u8>, code: u8, node: NodeId, command: &Command) {
    let mut write = || -> Done {
        let mut cbor = Encoder::new(&mut *into);
        cbor.array(3)?.u8(code)?.u8(node.0)?.array(4)?;
        cbor.u32(command.client)?.u64(command.sequence)?;
        cbor.u64(command.time_us)?;
        operation(&mut cbor, command.operation)
    };
    write().expect(WRITTEN);
}

fn operation(cbor: &mut Cbor<'_>, operation: Operation) -> Done {
    match operation {
        Operation::Get { key } => cbor.array(2)?.u8(0)?.u8(key)?,
        Operation::Put { key, value } => cbor.array(3)?.u8(1)?.u8(key)?.u64(value)?,
        Operation::CompareAndSet {
            key,
            expected,
            value,
        } => {
            cbor.array(4)?.u8(2)?.u8(key)?;
            match expected {
                Some(expected) => cbor.u64(expected)?,
                None => cbor.null()?,
            };
            cbor.u64(value)?
        }
        Operation::Append { key, value } => cbor.array(3)?.u8(3)?.u8(key)?.u64(value)?,
        Operation::Delete { key } => cbor.array(2)?.u8(4)?.u8(key)?,
        Operation::Acquire { lock, lease_us } => cbor.array(3)?.u8(5)?.u8(lock)?.u64(lease_us)?,
        Operation::TryAcquire { lock, lease_us } => {
            cbor.array(3)?.u8(6)?.u8(lock)?.u64(lease_us)?
        }
        Operation::Renew {
            lock,
            token,
            lease_us,
        } => cbor.array(4)?.u8(7)?.u8(lock)?.u64(token)?.u64(lease_us)?,
        Operation::Release { lock, token } => cbor.array(3)?.u8(8)?.u8(lock)?.u64(token)?,
        Operation::Guarded { lock, token } => cbor.array(3)?.u8(9)?.u8(lock)?.u64(token)?,
        Operation::Revoke {
            lock,
            token,
            renewals,
            blind,
        } => {
            cbor.array(5)?.u8(10)?.u8(lock)?.u64(token)?;
            cbor.u32(renewals)?.bool(blind)?
        }
        Operation::OfMachine { .. } => unreachable!("clients of keys and locks ask for these"),
    };
    Ok(())
}

fn input(cbor: &mut Cbor<'_>, told: &Told) -> Done {
    match told {
        Told::Tick => {
            cbor.array(1)?.u8(0)?;
        }
        Told::Deliver {
            from,
            data,
            snapshot: carried,
        } => {
            cbor.array(4)?.u8(1)?.u8(from.0)?.bytes(data)?;
            snapshot(cbor, carried.as_deref())?;
        }
        Told::Synced { number, ok } => {
            cbor.array(3)?.u8(2)?.u64(*number)?.bool(*ok)?;
        }
        Told::Propose { number, request } => {
            cbor.array(3)?
                .u8(3)?
                .u64(*number)?
                .bytes(&request.command)?;
        }
        Told::Read { number, .. } => {
            cbor.array(2)?.u8(4)?.u64(*number)?;
        }
        Told::Admin(admin) => return asked(cbor, admin),
        Told::Unreachable(peer) => {
            cbor.array(2)?.u8(11)?.u8(peer.0)?;
        }
        Told::SnapshotSent { peer, delivered } => {
            cbor.array(3)?.u8(12)?.u8(peer.0)?.bool(*delivered)?;
        }
        Told::Connection { peer, stands } => {
            let number = if *stands { 15 } else { 16 };
            cbor.array(2)?.u8(number)?.u8(peer.0)?;
        }
        Told::Compacted {
            through,
            snapshot: own,
        } => {
            cbor.array(3)?.u8(13)?.u64(*through)?;
            snapshot(cbor, Some(own))?;
        }
    }
    Ok(())
}

fn asked(cbor: &mut Cbor<'_>, admin: &Admin) -> Done {
    match admin {
        Admin::Change(change) => return changes(cbor, change),
        Admin::TransferLeader { to } => {
            cbor.array(2)?.u8(6)?.u8(to.0)?;
        }
        Admin::Campaign => {
            cbor.array(1)?.u8(7)?;
        }
        Admin::RequestSnapshot => {
            cbor.array(1)?.u8(8)?;
        }
        Admin::Ping => {
            cbor.array(1)?.u8(9)?;
        }
        Admin::Set(setting) => {
            cbor.array(3)?.u8(10)?;
            match setting {
                Setting::BatchAppend(on) => cbor.str("batch_append")?.bool(*on)?,
                Setting::SkipBroadcastCommit(on) => cbor.str("skip_broadcast_commit")?.bool(*on)?,
                Setting::CheckQuorum(on) => cbor.str("check_quorum")?.bool(*on)?,
                Setting::Priority(priority) => cbor.str("priority")?.i64(*priority)?,
                Setting::MaxInflight(most) => cbor.str("max_inflight_messages")?.u32(*most)?,
                Setting::MaxCommittedSize(most) => {
                    cbor.str("max_committed_size_per_ready")?.u64(*most)?
                }
                Setting::GroupCommit(on) => cbor.str("group_commit")?.bool(*on)?,
            };
        }
    }
    Ok(())
}

fn changes(cbor: &mut Cbor<'_>, change: &Change) -> Done {
    cbor.array(3)?.u8(5)?.array(change.steps.len() as u64)?;
    for step in &change.steps {
        cbor.array(2)?.u8(step.node.0)?.u8(match step.becomes {
            Member::Voter => 0,
            Member::Learner => 1,
            Member::Nobody => 2,
        })?;
    }
    cbor.u8(match change.transition {
        Transition::Simple => 0,
        Transition::Joint => 1,
        Transition::JointExplicit => 2,
        Transition::Leave => 3,
    })?;
    Ok(())
}

fn snapshot(cbor: &mut Cbor<'_>, snapshot: Option<&Snapshot>) -> Done {
    match snapshot {
        None => {
            cbor.null()?;
            Ok(())
        }
        Some(snapshot) => {
            let term: Term = snapshot.term;
            cbor.array(3)?.u64(snapshot.index)?.u64(term)?;
            configuration(cbor, &snapshot.configuration)
        }
    }
}

fn configuration(cbor: &mut Cbor<'_>, configuration: &Configuration) -> Done {
    cbor.array(5)?;
    for set in [
        configuration.voters,
        configuration.outgoing,
        configuration.learners,
        configuration.learners_next,
    ] {
        nodes(cbor, set)?;
    }
    cbor.bool(configuration.auto_leave)?;
    Ok(())
}

fn nodes(cbor: &mut Cbor<'_>, set: NodeSet) -> Done {
    cbor.array(set.len() as u64)?;
    for node in set.iter() {
        cbor.u8(node.0)?;
    }
    Ok(())
}

/// A node, or 0 for nobody.
fn nobody(node: Option<NodeId>) -> u8 {
    node.map_or(0, |node| node.0)
}

fn kind(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Normal => 0,
        EntryKind::Configuration(format) => format,
    }
}
