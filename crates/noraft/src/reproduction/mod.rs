//! A run as calls of noraft 0.7.1 alone: what the driver calls is taken down, and called again in a
//! small cluster (`cluster.rs`), whose source goes into every reproduction. The cluster has no
//! snapshots: noraft leaves them to its users.

mod play;

use std::collections::BTreeSet;

use super::driver::NoraftNode;
use super::messages::Message;
use super::{Noraft, messages};
use play::Player;
use squall_core::ids::NodeId;
use squall_core::invariants::Property;
use squall_core::invariants::breach::Panic;
use squall_core::options::Feature;
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::plan::Plan;
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};
use squall_core::reproduction::{
    Call, Case, NO_PROGRESS, Recorded, Reproducer, SetUp, Tape, What, calls_of, listed, members,
};

/// A call of noraft by the driver.
#[derive(Clone, Debug)]
pub(super) enum Note {
    Restart,
    TimeOut,
    Step(NodeId, noraft::Message),
    Propose,
    /// With the new voters and the non-voters.
    Configure(BTreeSet<noraft::NodeId>, BTreeSet<noraft::NodeId>),
    Heartbeat,
    /// The actions are carried out.
    Ready,
    /// What was to be saved is saved.
    Saved,
}

impl squall_core::reproduction::Note for Note {
    fn restarts(&self) -> bool {
        matches!(self, Self::Restart)
    }

    fn is_saved(&self) -> bool {
        matches!(self, Self::Saved)
    }
}

/// The subject [`Noraft`], with a tape.
struct Taped(Tape<Note>);

impl Subject for Taped {
    type Replica = NoraftNode;

    fn supports(&self) -> &'static [Feature] {
        Noraft.supports()
    }

    fn options(&self) -> &'static [DriverOption] {
        Noraft.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        Noraft.known_issues()
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<NoraftNode, BootError> {
        if boot.incarnation > 0 {
            self.0.note(boot.id, Note::Restart);
        }
        let mut node = Noraft.boot(boot, disk, out)?;
        node.tape = Some(self.0.clone());
        Ok(node)
    }
}

/// Makes the calls of noraft 0.7.1 again.
pub(super) struct Reproductions;

/// Ticks in which the cluster must agree on something: 40 of its election time-outs.
const PATIENCE: u64 = 400;

impl Reproducer for Reproductions {
    fn record(&self, plan: &Plan) -> Recorded {
        let tape = Tape::default();
        tape.record(&Taped(tape.clone()), plan)
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
        "noraft = \"=0.7.1\"\n"
    }

    fn cluster(&self) -> &'static str {
        include_str!("cluster.rs")
    }

    fn parts(&self, case: &Case, calls: &[Call]) -> Vec<&'static str> {
        let mut parts = vec!["always"];
        if let Some(part) = part_of(case.property) {
            parts.push(part);
            if part == "liveness" {
                parts.push("time_out");
            }
        }
        parts.extend(calls.iter().map(|call| match &call.what {
            What::Propose => "propose",
            What::Configure { .. } => "change",
            What::Ping => "heartbeat",
            What::Receive { .. } => "receive",
            What::Restart => "restart",
            _ => "time_out",
        }));
        parts
    }

    fn set_up(&self, case: &Case) -> SetUp {
        let cluster = &case.plan.cluster;
        let [voters, learners, others] = members(&case.plan).map(|ids| listed(&ids));
        let term = cluster.first_term;
        SetUp {
            items: String::new(),
            statement: format!(
                "let mut c = Cluster::new([&[{voters}], &[{learners}], &[{others}]], {term});"
            ),
        }
    }

    fn code(&self, _: &Case, call: &Call) -> String {
        match &call.what {
            What::Propose => ".propose()".to_owned(),
            What::Configure { voters, learners } => {
                let [voters, learners] = [voters, learners].map(|ids| listed(ids));
                format!(".change(&[{voters}], &[{learners}])")
            }
            What::Ping => ".heartbeat()".to_owned(),
            What::Receive {
                from,
                kind,
                passed_over,
                stays,
            } => match (passed_over, stays) {
                (0, false) => format!(".receive(\"{kind}\", {})", from.0),
                (older, copy) => {
                    format!(".receive_late(\"{kind}\", {}, {older}, {copy})", from.0)
                }
            },
            What::Restart => ".restart()".to_owned(),
            _ => ".time_out()".to_owned(),
        }
    }

    fn look(&self, case: &Case) -> Option<String> {
        let ids = listed(&case.up.iter().map(|node| node.0.into()).collect::<Vec<_>>());
        (part_of(case.property) == Some("liveness")).then(|| {
            format!(
                "assert!(c.makes_progress(&[{ids}], {PATIENCE}), \"{NO_PROGRESS} {PATIENCE} ticks\");"
            )
        })
    }
}

/// The part of the cluster that looks at the property.
fn part_of(property: Property) -> Option<&'static str> {
    match property {
        Property::Liveness => Some("liveness"),
        Property::Monotonic => Some("one-vote"),
        Property::ElectionSafety => Some("one-leader"),
        _ => None,
    }
}

/// The name of a message's kind, as noraft has it.
fn kind(message: &noraft::Message) -> &'static str {
    match message {
        noraft::Message::RequestVoteCall { .. } => "RequestVoteCall",
        noraft::Message::RequestVoteReply { .. } => "RequestVoteReply",
        noraft::Message::AppendEntriesCall { .. } => "AppendEntriesCall",
        noraft::Message::AppendEntriesReply { .. } => "AppendEntriesReply",
    }
}
