//! The encoder and the decoder held against `docs/protocol/vectors.json`, which all kits are held
//! against: what is asked has the bytes of the vectors, and what is answered is understood as they
//! say.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use minicbor::Decoder;
use minicbor::data::Type;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, Action, OwnIssue, OwnOption, Welcome};
use super::request::{self, Disk, Told};
use squall_core::configuration::{Change, Configuration, Member, Step, Transition};
use squall_core::ids::{NodeId, NodeSet};
use squall_core::operator::{Admin, Setting};
use squall_core::own::{DriverOption, OptionValue};
use squall_core::plan::{Cluster, Plan, PlanSpace, Profile};
use squall_core::replica::{BrokenPromise, Claim, Request};
use squall_core::service::{Answer, Command, Operation};
use squall_core::storage::{
    Chain, ChainedRecord, Entry, EntryKind, HardState, Record, Snapshot, StableState,
};
use squall_world::journal_disk::Image as _;

/// Settings that no operator changes today, of types that an adapter is to be able to read.
const NOT_SENT: [&str; 5] = [
    "request: step, set pre_vote",
    "request: step, set election_ticks",
    "request: step, set name",
    "request: step, set priorities",
    "request: step, set value",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    about: String,
    hex: String,
    item: Value,
}

impl Vector {
    fn bytes(&self) -> Vec<u8> {
        unhex(&self.hex)
    }
}

/// Those that say at the beginning what they are.
fn vectors(kind: &str) -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors.json");
    let text = squall_core::fsutil::read_text(&path).unwrap();
    let mut all: Vec<Vector> = serde_json::from_str(&text).unwrap();
    all.retain(|vector| vector.about.starts_with(kind));
    assert!(!all.is_empty(), "{kind}");
    all
}

fn unhex(hex: &str) -> Vec<u8> {
    let pair = |place: usize| u8::from_str_radix(&hex[place..place + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An item of CBOR as vectors write it.
fn item(cbor: &mut Decoder<'_>) -> Value {
    match cbor.datatype().unwrap() {
        Type::Null => {
            cbor.null().unwrap();
            Value::Null
        }
        Type::Bool => cbor.bool().unwrap().into(),
        Type::Bytes => json!({ "bytes": hex(cbor.bytes().unwrap()) }),
        Type::String => cbor.str().unwrap().into(),
        Type::Array => {
            let length = cbor.array().unwrap().expect("of definite length");
            (0..length).map(|_| item(cbor)).collect()
        }
        Type::Map => {
            let length = cbor.map().unwrap().expect("of definite length");
            let pair = |cbor: &mut Decoder<'_>| (cbor.str().unwrap().to_owned(), item(cbor));
            Value::Object((0..length).map(|_| pair(cbor)).collect())
        }
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => cbor.i64().unwrap().into(),
        _ => cbor.u64().unwrap().into(),
    }
}

#[test]
fn bytes_and_items_of_vectors_are_the_same() {
    for vector in vectors("") {
        let bytes = vector.bytes();
        let mut cbor = Decoder::new(&bytes);
        assert_eq!(item(&mut cbor), vector.item, "{}", vector.about);
        assert_eq!(cbor.position(), bytes.len(), "{}", vector.about);
    }
}

#[test]
fn what_is_asked_has_the_bytes_of_the_vectors() {
    let mut codes = BTreeSet::new();
    for vector in vectors("request: ") {
        let about = vector.about.as_str();
        codes.insert(number(&vector.item[0]));
        if NOT_SENT.contains(&about) {
            continue;
        }
        let mut bytes = Vec::new();
        asked(&mut bytes, &vector.item);
        let mut expected = vector.bytes();
        if about == "request: hello" {
            // The version is that of the day.
            let mut said = vector.item.clone();
            said[1]["harness"] = concat!("squall ", env!("CARGO_PKG_VERSION")).into();
            assert_eq!(item(&mut Decoder::new(&bytes)), said);
            expected.clone_from(&bytes);
        }
        assert_eq!(hex(&bytes), hex(&expected), "{about}");
    }
    assert!(codes.iter().copied().eq(0..=9), "{codes:?}");
}

#[test]
fn what_is_answered_is_understood_as_the_vectors_say() {
    let mut codes = BTreeSet::new();
    for vector in vectors("action: ") {
        let understood = understood(&vector.bytes());
        assert_eq!(understood, vector.item, "{}", vector.about);
        codes.extend(list(&understood).iter().map(|action| number(&action[0])));
    }
    // There is a vector for each action that is understood.
    let after = codes.len() as u8;
    assert!(
        codes.iter().copied().eq(0..u64::from(after)),
        "{codes:?} have vectors"
    );
    let next = [0x81, 0x81, 0x18, after];
    let refused = answer::actions(&next, &mut Vec::new()).unwrap_err();
    assert!(refused.0.contains("there is no action"), "{refused}");
    for vector in vectors("answer: ") {
        let (bytes, about) = (vector.bytes(), vector.about.as_str());
        let understood = match about.trim_start_matches("answer: ") {
            welcome if welcome.starts_with("welcome") => {
                let given = &vector.item[1];
                welcomed(&answer::welcome(&bytes).unwrap(), given)
            }
            told if told.starts_with("told, ") => told_back(&answer::answer(&bytes).unwrap()),
            "a message in words" | "no words for a message" => {
                answer::words(&bytes).unwrap().into()
            }
            "no actions" | "a step with several actions" => understood(&bytes),
            "a state machine as bytes" => json!({ "bytes": hex(&answer::bytes(&bytes).unwrap()) }),
            "it was a state machine" | "it was none" => answer::done(&bytes).unwrap().into(),
            other => panic!("{other}: nothing here says what such an answer is"),
        };
        assert_eq!(understood, vector.item, "{about}");
    }
}

// ---- What is asked, as it is known here.

fn asked(into: &mut Vec<u8>, item: &Value) {
    let node = || node(&item[1]);
    match number(&item[0]) {
        0 => request::hello(into),
        1 => reset(into, &item[1]),
        2 => boot(into, node(), &item[2]),
        3 => {
            let mut inputs = list(&item[4]);
            let waiting = match number(&inputs[0][0]) {
                14 => Some(number(&inputs[0][1])),
                _ => None,
            };
            inputs = &inputs[usize::from(waiting.is_some())..];
            let told: Vec<Told> = inputs.iter().map(input).collect();
            let (now_us, idle_ticks) = (number(&item[2]), number(&item[3]));
            request::step(into, node(), now_us, idle_ticks, waiting, &told);
        }
        4 => request::kill(into, node()),
        5 => request::describe(into, &bytes(&item[1])),
        6 => request::perform(into, node(), &command(&item[2])),
        7 => request::snapshot_of(into, node()),
        8 => request::restore(into, node(), &bytes(&item[2])),
        9 => request::query(into, node(), &command(&item[2])),
        other => panic!("nothing here says what the request {other} is"),
    }
}

fn reset(into: &mut Vec<u8>, item: &Value) {
    let smoke = Profile::load("smoke").unwrap();
    let mut plan: Plan = PlanSpace::new("x", &smoke).draw(1);
    plan.seed = number(&item["seed"]);
    plan.cluster = Cluster {
        voters: list(&item["nodes"]).len() as u8,
        learners: 0,
        spares: 0,
        ..plan.cluster
    };
    plan.raft = serde_json::from_value(item["raft"].clone()).unwrap();
    let mut driver = serde_json::to_value(&plan.driver).unwrap();
    for (name, value) in item["driver"].as_object().unwrap() {
        assert!(driver.get(name).is_some(), "there is no setting {name}");
        driver[name] = value.clone();
    }
    plan.driver = serde_json::from_value(driver).unwrap();
    // Of an option that is on, and of the adapter's; and of others.
    let on = list(&item["options"]).iter().map(text);
    let its: Vec<&str> = on.map(|name| &*name.leak()).collect();
    for name in its.iter().chain(&["of-another-adapter"]) {
        let on = OptionValue::Flag(true);
        plan.driver.own.insert((*name).to_owned(), on);
    }
    let options: Vec<DriverOption> = its
        .iter()
        .map(|name| DriverOption::trigger(name, "an option"))
        .chain([DriverOption::trigger("that-is-off", "another")])
        .collect();
    request::reset(into, &plan, &options);
}

fn boot(into: &mut Vec<u8>, node: NodeId, item: &Value) {
    let mut state = StableState::default();
    let mut keep = |record| {
        state.apply(ChainedRecord {
            record,
            chain: Chain::default(),
        });
    };
    keep(Record::HardState(HardState {
        term: number(&item["term"]),
        vote: nobody(&item["vote"]),
    }));
    if let Some(snapshot) = snapshot(&item["snapshot"]) {
        keep(Record::Snapshot(Box::new(snapshot)));
    }
    let first = number(&item["first"]);
    keep(Record::LogReset { next: first });
    for (index, entry) in (first..).zip(list(&item["entries"])) {
        let kind = match number(&entry[1]) {
            0 => EntryKind::Normal,
            format => EntryKind::Configuration(format as u8),
        };
        let entry = Entry {
            term: number(&entry[0]),
            kind,
            data: bytes(&entry[2]),
        };
        keep(Record::Entry { index, entry });
    }
    state.commit = number(&item["commit"]);
    state.term_before_log = number(&item["before"]);
    let disk = Disk {
        incarnation: number(&item["incarnation"]) as u32,
        seed: number(&item["seed"]),
        state: &state,
        configuration: &configuration(&item["configuration"]),
    };
    request::boot(into, node, &disk);
}

fn input(item: &Value) -> Told {
    let request = |data: &Value| Request {
        client: 1,
        sequence: 1,
        attempt: 0,
        command: match data {
            Value::Null => Bytes::new(),
            data => bytes(data),
        },
    };
    match number(&item[0]) {
        0 => Told::Tick,
        1 => Told::Deliver {
            from: node(&item[1]),
            data: bytes(&item[2]),
            snapshot: snapshot(&item[3]).map(Box::new),
        },
        2 => Told::Synced {
            number: number(&item[1]),
            ok: is(&item[2]),
        },
        3 => Told::Propose {
            number: number(&item[1]),
            request: request(&item[2]),
        },
        4 => Told::Read {
            number: number(&item[1]),
            request: request(&Value::Null),
        },
        5 => Told::Admin(Admin::Change(Change {
            steps: list(&item[1]).iter().map(step).collect(),
            transition: match number(&item[2]) {
                0 => Transition::Simple,
                1 => Transition::Joint,
                2 => Transition::JointExplicit,
                _ => Transition::Leave,
            },
        })),
        6 => Told::Admin(Admin::TransferLeader { to: node(&item[1]) }),
        7 => Told::Admin(Admin::Campaign),
        8 => Told::Admin(Admin::RequestSnapshot),
        9 => Told::Admin(Admin::Ping),
        10 => Told::Admin(Admin::Set(match text(&item[1]).as_str() {
            "check_quorum" => Setting::CheckQuorum(is(&item[2])),
            "batch_append" => Setting::BatchAppend(is(&item[2])),
            "skip_broadcast_commit" => Setting::SkipBroadcastCommit(is(&item[2])),
            "group_commit" => Setting::GroupCommit(is(&item[2])),
            "priority" => Setting::Priority(item[2].as_i64().unwrap()),
            "max_inflight_messages" => Setting::MaxInflight(number(&item[2]) as u32),
            "max_committed_size_per_ready" => Setting::MaxCommittedSize(number(&item[2])),
            other => panic!("there is no setting {other}"),
        })),
        11 => Told::Unreachable(node(&item[1])),
        12 => Told::SnapshotSent {
            peer: node(&item[1]),
            delivered: is(&item[2]),
        },
        13 => Told::Compacted {
            through: number(&item[1]),
            snapshot: Box::new(snapshot(&item[2]).unwrap()),
        },
        number @ (15 | 16) => Told::Connection {
            peer: node(&item[1]),
            stands: number == 15,
        },
        other => panic!("nothing here says what the input {other} is"),
    }
}

fn step(item: &Value) -> Step {
    Step {
        node: node(&item[0]),
        becomes: match number(&item[1]) {
            0 => Member::Voter,
            1 => Member::Learner,
            _ => Member::Nobody,
        },
    }
}

fn command(item: &Value) -> Command {
    let of = &item[3];
    let (key, lock) = (number(&of[1]) as u8, number(&of[1]) as u8);
    let value = |place: usize| number(&of[place]);
    Command {
        client: number(&item[0]) as u32,
        sequence: number(&item[1]),
        time_us: number(&item[2]),
        operation: match number(&of[0]) {
            0 => Operation::Get { key },
            1 => Operation::Put {
                key,
                value: value(2),
            },
            2 => Operation::CompareAndSet {
                key,
                expected: of[2].as_u64(),
                value: value(3),
            },
            3 => Operation::Append {
                key,
                value: value(2),
            },
            4 => Operation::Delete { key },
            5 => Operation::Acquire {
                lock,
                lease_us: value(2),
            },
            6 => Operation::TryAcquire {
                lock,
                lease_us: value(2),
            },
            7 => Operation::Renew {
                lock,
                token: value(2),
                lease_us: value(3),
            },
            8 => Operation::Release {
                lock,
                token: value(2),
            },
            9 => Operation::Guarded {
                lock,
                token: value(2),
            },
            10 => Operation::Revoke {
                lock,
                token: value(2),
                renewals: value(3) as u32,
                blind: is(&of[4]),
            },
            other => panic!("nothing here says what the operation {other} is"),
        },
    }
}

fn number(item: &Value) -> u64 {
    item.as_u64().unwrap_or_else(|| panic!("{item}: no number"))
}

fn is(item: &Value) -> bool {
    item.as_bool()
        .unwrap_or_else(|| panic!("{item}: no boolean"))
}

fn text(item: &Value) -> String {
    item.as_str().expect("a text").to_owned()
}

fn list(item: &Value) -> &[Value] {
    item.as_array().expect("an array")
}

fn bytes(item: &Value) -> Bytes {
    unhex(item["bytes"].as_str().expect("a byte string")).into()
}

fn nobody(item: &Value) -> Option<NodeId> {
    let id = u8::try_from(number(item)).unwrap();
    (id > 0).then_some(NodeId(id))
}

fn node(item: &Value) -> NodeId {
    nobody(item).expect("a node")
}

fn nodes(item: &Value) -> NodeSet {
    list(item).iter().map(node).collect()
}

fn configuration(item: &Value) -> Configuration {
    Configuration {
        voters: nodes(&item[0]),
        outgoing: nodes(&item[1]),
        learners: nodes(&item[2]),
        learners_next: nodes(&item[3]),
        auto_leave: is(&item[4]),
    }
}

fn snapshot(item: &Value) -> Option<Snapshot> {
    (!item.is_null()).then(|| Snapshot {
        index: number(&item[0]),
        term: number(&item[1]),
        configuration: configuration(&item[2]),
        // Which is not sent.
        data: Bytes::from_static(b"state"),
    })
}

// ---- What is answered, as it was understood.

fn understood(content: &[u8]) -> Value {
    let mut actions = Vec::new();
    answer::actions(content, &mut actions).unwrap();
    actions.iter().map(action).collect()
}

fn action(action: &Action) -> Value {
    let id = |node: &Option<NodeId>| node.map_or(0, |node| node.0);
    match action {
        Action::HardState { term, vote } => json!([0, term, id(vote)]),
        Action::Entry {
            index,
            term,
            kind,
            data,
        } => {
            let kind = match kind {
                EntryKind::Normal => 0,
                EntryKind::Configuration(format) => *format,
            };
            json!([1, index, term, kind, { "bytes": hex(data) }])
        }
        Action::Commit(index) => json!([2, index]),
        Action::ResetLog { next } => json!([3, next]),
        Action::Compact { through } => json!([4, through]),
        Action::Sync { wait, tell } => json!([5, wait, tell]),
        Action::Send {
            label,
            data,
            with_snapshot,
        } => {
            let (claim, value) = match label.claim {
                Claim::Nothing => (0, 0),
                Claim::Appended { index } => (1, index),
                Claim::Voted { candidate } => (2, candidate.0.into()),
            };
            let (to, kind, term) = (label.to.0, label.kind as u8, label.term);
            let data = json!({ "bytes": hex(data) });
            json!([6, to, kind, term, claim, value, data, with_snapshot])
        }
        Action::Role { role, term } => json!([7, *role as u8, term]),
        Action::Committed(index) => json!([8, index]),
        Action::Apply { through, more } => json!([9, through, more]),
        Action::Configured {
            index,
            configuration,
        } => {
            let set = |set: NodeSet| -> Value { set.iter().map(|node| node.0).collect() };
            let parts = json!([
                set(configuration.voters),
                set(configuration.outgoing),
                set(configuration.learners),
                set(configuration.learners_next),
                configuration.auto_leave,
            ]);
            json!([10, index, parts])
        }
        Action::Refuse { request, leader } => json!([11, request, id(leader)]),
        Action::ReadConfirmed { request, index } => json!([12, request, index]),
        Action::Transfer(to) => json!([13, id(to)]),
        Action::Did(event) => json!([14, *event as u8]),
        Action::Broke(BrokenPromise::StoodWithoutVote { role, term }) => {
            json!([15, 0, *role as u8, term])
        }
        Action::Broke(BrokenPromise::HandedOverToNoVoter { to, term }) => {
            json!([15, 1, to.0, term])
        }
        Action::Broke(other) => panic!("{other:?}: nothing here says what that is"),
        Action::SaveSnapshot(index) => json!([16, index]),
        Action::InstallSnapshot(index) => json!([17, index]),
        Action::WantSnapshot => json!([18]),
        Action::Halt(text) => json!([19, text]),
        Action::Note(text) => json!([20, text]),
        Action::Idle(ticks) => json!([21, ticks]),
        Action::Failed { text, place } => match place {
            None => json!([22, text]),
            Some((file, line)) => json!([22, text, file, line]),
        },
    }
}

fn told_back(answer: &Answer) -> Value {
    match answer {
        Answer::Value { value } => json!([0, value]),
        Answer::Done { version } => json!([1, version]),
        Answer::Differs { value } => json!([2, value]),
        Answer::Granted {
            token,
            since_us,
            until_us,
        } => json!([3, token, since_us, until_us]),
        Answer::Waiting => json!([4]),
        Answer::Held => json!([5]),
        Answer::NotHeld => json!([6]),
        Answer::Released { at_us } => json!([7, at_us]),
        Answer::Written => json!([8]),
        Answer::Stale => json!([9]),
        Answer::Revoked { renewals } => json!([10, renewals]),
        other => panic!("{other:?}: nothing here says what that is"),
    }
}

/// What a process said of itself: of what it may leave out, as much as `given` has. That is as if
/// it had said what is usual.
fn welcomed(welcome: &Welcome, given: &Value) -> Value {
    let Welcome {
        protocol,
        name,
        about,
        supports,
        batch,
        machine,
        waiting,
        options,
        known_issues,
    } = welcome;
    let usual = [
        ("supports", json!(supports), json!([])),
        ("batch", json!(batch), json!(1)),
        ("machine", json!(machine), json!(false)),
        ("waiting", json!(waiting), json!(false)),
        ("options", options.iter().map(option).collect(), json!([])),
        (
            "known_issues",
            known_issues.iter().map(issue).collect(),
            json!([]),
        ),
    ];
    let mut said = json!({ "protocol": protocol, "name": name, "about": about });
    for (key, value, otherwise) in usual {
        match given.get(key) {
            Some(_) => said[key] = value,
            None => assert_eq!(value, otherwise, "{key}"),
        }
    }
    json!([0, said])
}

fn option(option: &OwnOption) -> Value {
    let mut said = json!({ "name": option.name, "about": option.about });
    if let Some(percent) = option.percent {
        said["percent"] = percent.into();
    }
    said
}

fn issue(issue: &OwnIssue) -> Value {
    let OwnIssue {
        name,
        about,
        breaks,
        triggers,
        hazards,
    } = issue;
    let mut said = json!({ "name": name, "about": about, "breaks": breaks, "triggers": triggers });
    if !hazards.is_empty() {
        said["hazards"] = json!(hazards);
    }
    said
}
