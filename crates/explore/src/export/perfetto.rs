//! JSON for [Perfetto](https://ui.perfetto.dev) and `chrome://tracing`, in the Trace Event Format:
//! nodes are processes, what they do, their roles and their syncs are slices, messages are flows.

use serde_json::{Value, json};

use crate::run_document::{NodeChange, RoleName, RunDocument};
use squall_core::engine::NodeState;
use squall_core::ids::Term;

/// The tracks of a node, in the order in which they are shown.
const STEPS: u32 = 1;
const ROLE: u32 = 2;
const DISK: u32 = 3;

/// Processes of what is no node lie after those of nodes, whose numbers are up to 31.
const CLIENTS: u32 = 100;
const WORLD: u32 = 101;

/// How long a step is shown, in microseconds: it takes no simulated time, and what takes none
/// cannot be clicked. A tenth of the shortest hop of a message is not seen as time.
const STEP_US: u64 = 1;

/// The run as a trace in JSON.
pub fn perfetto(document: &RunDocument) -> String {
    let mut events = Vec::new();
    for node in 1..=u32::from(document.nodes) {
        names(&mut events, node, &format!("n{node}"));
        for (track, name) in [
            (STEPS, "steps"),
            (ROLE, "role"),
            (DISK, "written, not on the disk"),
        ] {
            events.push(json!({"ph": "M", "name": "thread_name", "pid": node, "tid": track, "args": {"name": name}}));
        }
    }
    names(&mut events, CLIENTS, "clients");
    names(&mut events, WORLD, "faults and operators");
    steps(document, &mut events);
    flows(document, &mut events);
    for node in 1..=document.nodes {
        lives(document, node, &mut events);
    }
    operations(document, &mut events);
    let whole = json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "squall": document.squall,
            "subject": document.subject,
            "reproduce": document.reproduce,
            "violation": document.violation.as_ref().map(|broken| &broken.message),
        },
        "traceEvents": events,
    });
    format!("{whole}\n")
}

fn names(events: &mut Vec<Value>, process: u32, name: &str) {
    events.push(json!({"ph": "M", "name": "process_name", "pid": process, "args": {"name": name}}));
    events.push(json!({"ph": "M", "name": "process_sort_index", "pid": process, "args": {"sort_index": process}}));
}

fn process_of(document: &RunDocument, place: usize) -> u32 {
    let node = document.moments[place].node;
    node.map_or(WORLD, |node| node.0.into())
}

fn steps(document: &RunDocument, events: &mut Vec<Value>) {
    let broken = document.violation.as_ref().map(|broken| broken.moment);
    for (place, moment) in document.moments.iter().enumerate() {
        let name = match moment.text.is_empty() {
            true => moment.lines.first().map_or("goes on", String::as_str),
            false => &moment.text,
        };
        let process = process_of(document, place);
        events.push(json!({
            "ph": "X", "cat": "step", "name": name, "pid": process, "tid": STEPS,
            "ts": moment.time_us, "dur": STEP_US,
            "args": {"step": moment.step, "what came of it": moment.lines, "led to the violation": moment.past},
        }));
        if broken == Some(place) {
            let message = document.violation.as_ref().map(|broken| &broken.message);
            events.push(json!({
                "ph": "i", "s": "g", "cat": "violation", "name": "VIOLATION", "pid": process, "tid": STEPS,
                "ts": moment.time_us, "args": {"message": message},
            }));
        }
    }
}

fn flows(document: &RunDocument, events: &mut Vec<Value>) {
    for (number, message) in document.messages.iter().enumerate() {
        let Some(taken) = message.taken else { continue };
        let ends = [("s", message.sent), ("f", taken)];
        for (phase, place) in ends {
            events.push(json!({
                "ph": phase, "bp": "e", "cat": "message", "name": message.text, "id": number,
                "pid": process_of(document, place), "tid": STEPS,
                "ts": document.moments[place].time_us,
            }));
        }
    }
}

/// What a node is between two of its changes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Life {
    state: NodeState,
    role: RoleName,
    term: Term,
    unsynced: bool,
}

impl Life {
    fn after(mut self, change: &NodeChange) -> Self {
        self.state = change.state.unwrap_or(self.state);
        self.role = change.role.unwrap_or(self.role);
        self.term = change.term.unwrap_or(self.term);
        self.unsynced = change.disk.map_or(self.unsynced, |disk| disk.unsynced > 0);
        self
    }

    fn role_in_words(self) -> Option<String> {
        let role = match self.role {
            RoleName::Follower => "follower",
            RoleName::PreCandidate => "pre-candidate",
            RoleName::Candidate => "candidate",
            RoleName::Leader => "leader",
        };
        match self.state {
            NodeState::Up => Some(format!("{role}, term {}", self.term)),
            NodeState::Still => Some(format!("paused ({role}, term {})", self.term)),
            NodeState::Down | NodeState::Gone => Some(self.state.to_string()),
        }
    }

    fn disk_in_words(self) -> Option<String> {
        self.unsynced.then(|| "not on the disk".to_owned())
    }
}

/// The roles of a node, and when it had written what was not on its disk.
fn lives(document: &RunDocument, node: u8, events: &mut Vec<Value>) {
    let mut now = Life {
        state: NodeState::Down,
        role: RoleName::Follower,
        term: 0,
        unsynced: false,
    };
    let mut open: [(u64, Option<String>); 2] = [(0, None), (0, None)];
    let mut close =
        |open: &mut (u64, Option<String>), track: u32, at_us: u64, next: Option<String>| {
            if open.1 == next {
                return;
            }
            if let (from_us, Some(name)) = std::mem::replace(open, (at_us, next)) {
                events.push(json!({
                    "ph": "X", "cat": "state", "name": name, "pid": node, "tid": track,
                    "ts": from_us, "dur": at_us - from_us,
                }));
            }
        };
    for moment in &document.moments {
        for change in moment.changes.iter().filter(|change| change.node.0 == node) {
            now = now.after(change);
            close(&mut open[0], ROLE, moment.time_us, now.role_in_words());
            close(&mut open[1], DISK, moment.time_us, now.disk_in_words());
        }
    }
    close(&mut open[0], ROLE, document.end.time_us, None);
    close(&mut open[1], DISK, document.end.time_us, None);
}

/// What clients asked for, each from the first time that it was asked until it was answered.
fn operations(document: &RunDocument, events: &mut Vec<Value>) {
    for (number, operation) in document.operations.iter().enumerate() {
        let Some(first) = operation.asked.first() else {
            continue;
        };
        let answer = operation.answers.iter().find(|answer| !answer.refused);
        let until_us = answer.map_or(document.end.time_us, |answer| {
            document.moments[answer.moment].time_us
        });
        let client = document
            .clients
            .iter()
            .find(|one| one.number == operation.client);
        let ends = [("b", document.moments[*first].time_us), ("e", until_us)];
        for (phase, at_us) in ends {
            events.push(json!({
                "ph": phase, "cat": "operation", "name": operation.text, "id": number,
                "pid": CLIENTS, "tid": 1, "ts": at_us,
                "args": {
                    "client": client.map(|client| &client.name),
                    "answer": answer.map(|answer| &answer.text),
                },
            }));
        }
    }
}
