//! A run as calls of raft 0.7.0 alone: what the driver calls is taken down (`tape`), and called
//! again in a small cluster (`cluster.rs`), whose source goes into every reproduction.

mod play;
mod tape;

use std::fmt::Write as _;

use raft::eraftpb::{Message, MessageType};

use super::known_issues::DriverSwitches;
use super::messages;
use play::Player;
use squall_core::configuration::{Change, Member, Transition};
use squall_core::invariants::Property;
use squall_core::invariants::breach::Panic;
use squall_core::operator::Setting;
use squall_core::options::{Persistence, RaftOptions};
use squall_core::plan::Plan;
use squall_core::reproduction::{
    Call, Case, NO_PROGRESS, Noted, Recorded, Reproducer, SetUp, Tape, What, calls_of, listed,
    members,
};
use tape::Taped;

pub(crate) use tape::Note;

/// Makes the calls of raft 0.7.0 again.
pub(crate) struct Reproductions;

/// The notes of a run.
type Notes = Vec<Noted<Note>>;

/// Ticks in which a cluster must come to a leader, and as many in which the leader must do what it
/// is asked for: 40 election time-outs.
fn patience(plan: &Plan) -> u32 {
    plan.raft.election_ticks * 40
}

impl Reproducer for Reproductions {
    fn record(&self, plan: &Plan) -> Recorded {
        let tape = Tape::default();
        let mut recorded = tape.record(&Taped(tape.clone()), plan);
        let failure = recorded.outcome.failure.as_ref();
        let panicked = failure.is_some_and(|it| it.violation.property() == Property::NoPanic);
        let notes = recorded.notes.downcast_mut::<Notes>();
        if panicked
            && let Some(last) = notes.and_then(|notes| notes.last_mut())
            && matches!(last.note, Note::Tick)
        {
            // A tick that panics does not say that the time-out elapsed; no other panics.
            last.note = Note::TimedOut;
        }
        recorded
    }

    fn can_tell(&self, property: Property) -> bool {
        property == Property::NoPanic || part_of(property).is_some()
    }

    fn calls(&self, case: &Case, recorded: &Recorded) -> Vec<Call> {
        calls_of(case, recorded, |notes, copies| {
            Player::new(case).convert(notes, copies)
        })
    }

    fn play(&self, case: &Case, calls: &[Call]) -> Option<Panic> {
        play::play(case, calls)
    }

    fn dependencies(&self) -> &'static str {
        "raft = { version = \"=0.7.0\", default-features = false, features = [\"protobuf-codec\"] }\nprotobuf = \"2\"\nslog = \"2\"\n"
    }

    fn cluster(&self) -> &'static str {
        include_str!("cluster.rs")
    }

    fn parts(&self, case: &Case, calls: &[Call]) -> Vec<&'static str> {
        let background = is_in_background(&case.plan);
        let mut parts = vec!["always"];
        parts.extend(part_of(case.property));
        let (term, index) = (case.plan.cluster.first_term, case.plan.cluster.first_index);
        if (term, index) != (0, 0) {
            parts.push("begin");
        }
        if index > 0 {
            parts.push("snapshot");
        }
        for call in calls {
            parts.extend(match &call.what {
                What::Tick(_) => &["tick"][..],
                What::TimeOut => &["time_out"],
                What::Campaign => &["campaign"],
                What::Propose => &["propose"],
                What::Change(_) if steps_down(&case.plan) => &["change", "steps-down"],
                What::Change(_) => &["change"],
                What::Configure { .. } => &[],
                What::Read(_) => &["read"],
                What::TransferLeader(_) => &["transfer_leader"],
                What::RequestSnapshot => &["request_snapshot", "snapshot"],
                What::Ping => &["ping"],
                What::Set(_) => &["set"],
                What::Unreachable(_) => &["report_unreachable"],
                What::SnapshotSent(..) => &["report_snapshot"],
                What::Receive {
                    passed_over: 0,
                    stays: false,
                    ..
                } => &["receive"],
                What::Receive { .. } => &["receive", "receive_late"],
                What::Ready if background => {
                    &["stepwise", "queue", "background", "ready-in-background"]
                }
                What::Saved if background => &["queue", "stepwise", "background", "persisted"],
                What::Ready => &["stepwise", "queue", "unsaved", "ready"],
                What::Saved => &["stepwise", "queue", "unsaved", "saved"],
                What::Apply => &["stepwise", "apply"],
                What::Compact(_) => &["compact", "snapshot"],
                What::Restart => &["restart", "snapshot"],
            });
        }
        parts
    }

    fn set_up(&self, case: &Case) -> SetUp {
        let [voters, learners, others] = members(&case.plan).map(|ids| listed(&ids));
        let cluster = &case.plan.cluster;
        let begin = match (cluster.first_term, cluster.first_index) {
            (0, 0) => String::new(),
            (term, index) => format!(".begin({term}, {index}, &[{others}], config)"),
        };
        SetUp {
            items: config_code(&case.plan.raft),
            statement: format!(
                "let mut c = Cluster::new([&[{voters}], &[{learners}], &[{others}]], config){begin};"
            ),
        }
    }

    fn code(&self, case: &Case, call: &Call) -> String {
        let background = is_in_background(&case.plan);
        match &call.what {
            What::Tick(times) => format!(".tick({times})"),
            What::TimeOut => ".time_out()".to_owned(),
            What::Campaign => ".campaign()".to_owned(),
            What::Propose => ".propose()".to_owned(),
            What::Change(change) => change_code(change),
            What::Configure { .. } => unreachable!("raft is asked for steps"),
            What::Read(name) => format!(".read({name})"),
            What::TransferLeader(to) => format!(".transfer_leader({})", to.0),
            What::RequestSnapshot => ".request_snapshot()".to_owned(),
            What::Ping => ".ping()".to_owned(),
            What::Set(setting) => format!(".set({})", setting_code(*setting)),
            What::Unreachable(peer) => format!(".report_unreachable({})", peer.0),
            What::SnapshotSent(peer, true) => {
                format!(".report_snapshot({}, SnapshotStatus::Finish)", peer.0)
            }
            What::SnapshotSent(peer, false) => {
                format!(".report_snapshot({}, SnapshotStatus::Failure)", peer.0)
            }
            What::Receive {
                from,
                kind,
                passed_over,
                stays,
            } => match (passed_over, stays) {
                (0, false) => format!(".receive({kind}, {})", from.0),
                (older, copy) => format!(".receive_late({kind}, {}, {older}, {copy})", from.0),
            },
            What::Ready if background => ".ready_in_background()".to_owned(),
            What::Ready => ".ready()".to_owned(),
            What::Saved if background => ".persisted()".to_owned(),
            What::Saved => ".saved()".to_owned(),
            What::Apply => ".apply()".to_owned(),
            What::Compact(through) => format!(".compact({through})"),
            What::Restart => ".restart(config)".to_owned(),
        }
    }

    fn look(&self, case: &Case) -> Option<String> {
        let ids = listed(&case.up.iter().map(|node| node.0.into()).collect::<Vec<_>>());
        let ticks = patience(&case.plan);
        (part_of(case.property) == Some("liveness")).then(|| {
            let words = format!("{NO_PROGRESS} {ticks} ticks");
            format!("assert!(c.makes_progress(&[{ids}], {ticks}), \"{words}\");")
        })
    }
}

/// The part of the cluster that looks at the property.
fn part_of(property: Property) -> Option<&'static str> {
    match property {
        Property::AckBeforeDurable => Some("durable"),
        Property::Monotonic => Some("keeps-entries"),
        Property::Linearizability => Some("stale-reads"),
        Property::Liveness => Some("liveness"),
        Property::ElectionSafety => Some("one-leader"),
        Property::LogMatching
        | Property::LeaderCompleteness
        | Property::StateMachineSafety
        | Property::DurableCommit => Some("agreement"),
        _ => None,
    }
}

/// Whether the driver has a leader step down that a change takes from the voters, as the library
/// does not: otherwise a known defect would strike, and perhaps hide the one at hand.
fn steps_down(plan: &Plan) -> bool {
    !DriverSwitches::of(&plan.driver).lead_when_removed
}

fn is_in_background(plan: &Plan) -> bool {
    plan.driver.persistence == Persistence::Asynchronous
}

/// The library's configuration as Rust: what is not as the library has it.
fn config_code(options: &RaftOptions) -> String {
    let mut fields = format!(
        "id, election_tick: {}, heartbeat_tick: {}",
        options.election_ticks, options.heartbeat_ticks
    );
    let usual = raft::Config::default();
    let flags = [
        ("check_quorum", options.check_quorum),
        ("pre_vote", options.pre_vote),
        ("skip_bcast_commit", options.skip_broadcast_commit),
        ("batch_append", options.batch_append),
    ];
    for (name, _) in flags.iter().filter(|(_, on)| *on) {
        let _ = write!(fields, ", {name}: true");
    }
    let limit = |size: u64| match size {
        u64::MAX => "NO_LIMIT".to_owned(),
        size => size.to_string(),
    };
    if options.max_size_per_message != usual.max_size_per_msg {
        let _ = write!(
            fields,
            ", max_size_per_msg: {}",
            limit(options.max_size_per_message)
        );
    }
    if options.max_committed_size_per_ready != usual.max_committed_size_per_ready {
        let size = limit(options.max_committed_size_per_ready);
        let _ = write!(fields, ", max_committed_size_per_ready: {size}");
    }
    if options.max_uncommitted_size != 0 && options.max_uncommitted_size != raft::NO_LIMIT {
        let _ = write!(
            fields,
            ", max_uncommitted_size: {}",
            options.max_uncommitted_size
        );
    }
    if options.max_inflight_messages as usize != usual.max_inflight_msgs {
        let _ = write!(
            fields,
            ", max_inflight_msgs: {}",
            options.max_inflight_messages
        );
    }
    if options.priorities.iter().any(|priority| *priority != 0) {
        let all: Vec<String> = options.priorities.iter().map(ToString::to_string).collect();
        let _ = write!(fields, ", priority: [{}][id as usize - 1]", all.join(", "));
    }
    if options.lease_reads {
        fields.push_str(", read_only_option: ReadOnlyOption::LeaseBased");
    }
    format!("fn config(id: u64) -> Config {{\n    Config {{ {fields}, ..Config::default() }}\n}}\n")
}

fn change_code(change: &Change) -> String {
    let kind = match change.transition {
        Transition::Simple | Transition::Leave => "Auto",
        Transition::Joint => "Implicit",
        Transition::JointExplicit => "Explicit",
    };
    let steps = change.steps.iter().map(|step| {
        let kind = match step.becomes {
            Member::Voter => "AddNode",
            Member::Learner => "AddLearnerNode",
            Member::Nobody => "RemoveNode",
        };
        format!("({kind}, {})", step.node.0)
    });
    let steps: Vec<String> = steps.collect();
    format!(".change({kind}, &[{}])", steps.join(", "))
}

fn setting_code(setting: Setting) -> String {
    match setting {
        Setting::BatchAppend(on) => format!("|raw| raw.raft.set_batch_append({on})"),
        Setting::SkipBroadcastCommit(on) => format!("|raw| raw.skip_bcast_commit({on})"),
        Setting::CheckQuorum(on) => format!("|raw| raw.raft.set_check_quorum({on})"),
        Setting::Priority(priority) => format!("|raw| raw.set_priority({priority})"),
        Setting::MaxInflight(cap) => {
            format!("|raw| (1..=9).for_each(|peer| raw.raft.adjust_max_inflight_msgs(peer, {cap}))")
        }
        Setting::MaxCommittedSize(size) => {
            format!("|raw| raw.raft.set_max_committed_size_per_ready({size})")
        }
        Setting::GroupCommit(on) => format!("|raw| raw.raft.enable_group_commit({on})"),
    }
}

/// The name of a message's kind, as in the library.
fn kind(message: &Message) -> String {
    format!("{:?}", message.get_msg_type())
}

/// Whether two messages say the same; the names of changes aside. `named` says by which name the
/// second one calls a read of the first.
fn are_alike(one: &Message, other: &Message, named: impl Fn(&[u8]) -> Vec<u8>) -> bool {
    let content = |message: &Message| {
        let entries = message.entries.iter();
        let entries: Vec<_> = entries.map(|entry| (entry.index, entry.term)).collect();
        let facts = [
            message.term,
            message.index,
            message.log_term,
            message.commit,
            message.commit_term,
            message.reject_hint,
            message.request_snapshot,
            message.get_snapshot().get_metadata().index,
        ];
        (message.get_msg_type(), facts, message.reject, entries)
    };
    let reads = |message: &Message| match message.get_msg_type() {
        MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => {
            let asked = message.entries.first().map(|entry| entry.data.to_vec());
            asked.unwrap_or_default()
        }
        _ => message.context.to_vec(),
    };
    (one.from, one.to) == (other.from, other.to)
        && content(one) == content(other)
        && named(&reads(one)) == reads(other)
}
