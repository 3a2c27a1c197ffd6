//! An example of each way in which a rule is broken.

use squall_core::configuration as members;
use squall_core::ids::{NodeId, NodeSet, Role};
use squall_core::invariants::breach::{
    AckBeforeDurable, Breach, Configuration, DurableCommit, ElectionSafety, LeaderAppendOnly,
    LeaderCompleteness, Linearizability, Liveness, LogMatching, Monotonic, NoPanic, Panic, Place,
    StateMachineSafety, StateOf, States, Unmet,
};
use squall_core::invariants::{Property, Violation};
use squall_core::replica::MessageKind;

pub(super) const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

pub(super) fn voters(nodes: &[u8]) -> NodeSet {
    nodes.iter().copied().map(NodeId).collect()
}

pub(super) fn joint() -> members::Configuration {
    members::Configuration {
        voters: voters(&[1, 4]),
        outgoing: voters(&[1, 2, 3]),
        learners: voters(&[5]),
        learners_next: voters(&[2]),
        auto_leave: true,
    }
}

pub(super) fn simple() -> members::Configuration {
    members::Configuration::of(voters(&[1, 2, 3]))
}

pub(super) fn panic() -> Panic {
    Panic {
        printed: None,
        message: "index out of bounds".to_owned(),
        place: Some(Place {
            file: "raft.rs".to_owned(),
            line: 1225,
            column: 17,
        }),
    }
}

fn of_elections_and_logs() -> Vec<Breach> {
    vec![
        ElectionSafety::SecondLeader { term: 4, other: N3 }.into(),
        ElectionSafety::NotElected {
            term: 4,
            voters: voters(&[1]),
            configuration: joint(),
        }
        .into(),
        ElectionSafety::SpokeAsLeader {
            to: N3,
            sent: MessageKind::Append,
            term: 4,
            role: Role::Follower,
            reported: 3,
        }
        .into(),
        LogMatching::Differs {
            index: 7,
            term: 4,
            other: N3,
        }
        .into(),
        LogMatching::Hole { index: 7, last: 5 }.into(),
        LogMatching::NotTheLeaders {
            index: 7,
            to: N3,
            term: 4,
            ends_at: Some(5),
        }
        .into(),
        LogMatching::NotTheLeaders {
            index: 7,
            to: N3,
            term: 4,
            ends_at: None,
        }
        .into(),
        LeaderAppendOnly::Overwrote {
            term: 4,
            index: 7,
            last: 9,
        }
        .into(),
        LeaderCompleteness::Lacks {
            term: 4,
            index: 7,
            ends_at: Some(5),
        }
        .into(),
        LeaderCompleteness::Lacks {
            term: 4,
            index: 7,
            ends_at: None,
        }
        .into(),
        LeaderCompleteness::CountedCopies {
            term: 4,
            index: 7,
            entry_term: 3,
        }
        .into(),
    ]
}

/// n2 is in another state than n3.
pub(super) fn states(right: Option<u64>) -> States {
    let of = |node, incarnation, state| StateOf {
        node,
        incarnation,
        state,
    };
    States {
        wrong: of(N2, 1, 0x1234),
        other: of(N3, 0, 0xabcd),
        right,
    }
}

fn of_commits() -> Vec<Breach> {
    vec![
        StateMachineSafety::CommittedBeyondLog { index: 7, last: 5 }.into(),
        StateMachineSafety::CommittedOther { index: 7 }.into(),
        StateMachineSafety::AppliedUncommitted {
            index: 7,
            committed: 5,
        }
        .into(),
        StateMachineSafety::AppliedOutOfOrder {
            index: 7,
            before: 5,
        }
        .into(),
        StateMachineSafety::OtherState {
            index: 7,
            states: states(Some(0xabcd)),
        }
        .into(),
        StateMachineSafety::NotTheLogs {
            index: 7,
            here: states(None).wrong,
            right: 0xabcd,
        }
        .into(),
        StateMachineSafety::AnsweredUnapplied {
            index: 7,
            applied: 5,
        }
        .into(),
        StateMachineSafety::InstalledUncommitted {
            index: 7,
            committed: 5,
        }
        .into(),
        StateMachineSafety::OtherStateBySnapshot {
            index: 7,
            states: states(None),
        }
        .into(),
        DurableCommit::NotInLog { index: 7 }.into(),
        DurableCommit::NoQuorum {
            index: 7,
            holders: voters(&[]),
            configuration: simple(),
        }
        .into(),
        DurableCommit::NoQuorum {
            index: 7,
            holders: voters(&[1, 3]),
            configuration: joint(),
        }
        .into(),
        DurableCommit::NoEntry { index: 7 }.into(),
        DurableCommit::WrittenOver { index: 7, term: 3 }.into(),
        AckBeforeDurable::TermNotDurable {
            to: N3,
            sent: MessageKind::Vote,
            term: 4,
            durable: 3,
        }
        .into(),
        AckBeforeDurable::VoteNotDurable {
            to: N3,
            sent: MessageKind::VoteReply,
            term: 4,
            candidate: N3,
        }
        .into(),
        AckBeforeDurable::LogNotDurable {
            to: N3,
            sent: MessageKind::AppendReply,
            term: 4,
            index: 7,
            durable: 5,
        }
        .into(),
    ]
}

fn of_what_goes_back() -> Vec<Breach> {
    vec![
        Monotonic::TermWentBack {
            before: 4,
            after: 3,
        }
        .into(),
        Monotonic::CommitWentBack {
            before: 7,
            after: 5,
        }
        .into(),
        Monotonic::AppliedWentBack {
            before: 7,
            after: 5,
        }
        .into(),
        Monotonic::WrittenTermWentBack {
            before: 4,
            after: 3,
        }
        .into(),
        Monotonic::VoteChanged {
            term: 4,
            before: N2,
            after: Some(N3),
        }
        .into(),
        Monotonic::VoteChanged {
            term: 4,
            before: N2,
            after: None,
        }
        .into(),
        Monotonic::DroppedEntries {
            snapshot: 5,
            first: 6,
            last: 7,
        }
        .into(),
        Monotonic::RestartedWithTerm {
            term: 3,
            durable: 4,
        }
        .into(),
        Monotonic::RestartedWithLog {
            last: 5,
            durable: 7,
        }
        .into(),
        Monotonic::RestartedWithCommit {
            commit: 5,
            durable: 7,
        }
        .into(),
        Monotonic::RestartedWithApplied {
            applied: 5,
            durable: 7,
        }
        .into(),
        Monotonic::RestartedWithVote {
            term: 4,
            vote: None,
            durable: N3,
        }
        .into(),
        Monotonic::RestartedWithVote {
            term: 4,
            vote: Some(N2),
            durable: N3,
        }
        .into(),
        Monotonic::RestartedWithEntry { index: 7 }.into(),
    ]
}

fn of_configurations() -> Vec<Breach> {
    vec![
        Configuration::NoAllowedStep {
            index: 7,
            before: simple(),
            after: joint(),
        }
        .into(),
        Configuration::Differs {
            index: 7,
            configuration: simple(),
            other: N3,
            others: joint(),
        }
        .into(),
        Configuration::BeganTooEarly {
            index: 7,
            pending: 5,
            commit: 4,
        }
        .into(),
        Configuration::ElectedByOld {
            term: 4,
            configuration: simple(),
            change: 7,
        }
        .into(),
        Configuration::ChangedOtherwise {
            index: 7,
            before: simple(),
        }
        .into(),
        Configuration::StoodWithoutVote {
            role: Role::Candidate,
            term: 4,
            configuration: simple(),
        }
        .into(),
        Configuration::HandedOverToNoVoter {
            to: N3,
            term: 4,
            configuration: simple(),
        }
        .into(),
    ]
}

pub(super) fn unmet() -> Vec<Unmet> {
    vec![
        Unmet::Down { node: N3 },
        Unmet::NoLeader { term: 4 },
        Unmet::NoFollower {
            node: N3,
            role: Role::PreCandidate,
            leader: N2,
        },
        Unmet::AcknowledgedLost {
            leader: N2,
            last: 5,
            acknowledged: 7,
        },
        Unmet::CommandUnanswered {
            leader: N2,
            term: 4,
        },
        Unmet::ReadUnanswered {
            leader: N2,
            term: 4,
        },
        Unmet::TransferUnfinished { leader: N2, to: N3 },
        Unmet::StillJoint {
            configuration: joint(),
        },
        Unmet::LogLength {
            node: N3,
            last: 5,
            leaders_last: 7,
        },
        Unmet::LogDiffers { node: N3 },
        Unmet::CommitBehind {
            node: N3,
            commit: 5,
            leaders_last: 7,
        },
        Unmet::AppliedBehind {
            node: N3,
            applied: 5,
            leaders_last: 7,
        },
        Unmet::ServerEnds {
            node: N3,
            times: 12,
            why: "snap/meta is damaged".to_owned(),
        },
        Unmet::NobodyLeads,
        Unmet::ClientsUnanswered { clients: 2 },
        Unmet::ServerBehind { node: N3 },
    ]
}

fn of_runs() -> Vec<Breach> {
    let of_cluster = |unmet| {
        let unmet = Some(unmet);
        Liveness::NotConverged { unmet }.into()
    };
    let mut all: Vec<Breach> = unmet().into_iter().map(of_cluster).collect();
    all.extend([
        Breach::from(Liveness::NotConverged { unmet: None }),
        Liveness::ServersNotConverged {
            after_us: 40_000_001,
            unmet: Unmet::NobodyLeads,
        }
        .into(),
        Liveness::DoesNotStart {
            reason: "the log journal is damaged".to_owned(),
        }
        .into(),
        NoPanic::Panicked { panic: panic() }.into(),
        NoPanic::Unwound.into(),
        NoPanic::TestPanicked {
            panic: Some(panic()),
        }
        .into(),
        NoPanic::TestPanicked { panic: None }.into(),
        NoPanic::TestRanNothing.into(),
    ]);
    all
}

/// A violation of each kind: by a node, where it is one's, else by the cluster.
pub(super) fn examples() -> Vec<Violation> {
    let breaches = [
        of_elections_and_logs(),
        of_commits(),
        of_what_goes_back(),
        of_configurations(),
        super::clients::of_what_clients_see(),
        of_runs(),
    ];
    let mut all: Vec<Violation> = breaches
        .into_iter()
        .flatten()
        .map(|breach| {
            let of_all = matches!(breach, Breach::Liveness(Liveness::NotConverged { .. }));
            *Violation::by((!of_all).then_some(NodeId(1)), breach)
        })
        .collect();
    let of_cluster = |breach| *Violation::by(None, breach);
    all.extend([
        of_cluster(Breach::from(Linearizability::Stale { index: 5, floor: 7 })),
        of_cluster(NoPanic::Panicked { panic: panic() }.into()),
        Violation::in_words(N2, Property::LockSafety, "two hold it".to_owned()),
    ]);
    all
}
