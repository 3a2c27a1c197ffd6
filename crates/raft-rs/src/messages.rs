//! The library's types in the harness's terms, and back.

use bytes::Bytes;
use raft::StateRole;
use raft::eraftpb::{
    ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState, Entry as RaftEntry, EntryType,
    HardState as RaftHardState, Message, MessageType, Snapshot as RaftSnapshot,
};

use squall_core::configuration::{Change, Configuration, Member, Step, Transition};
use squall_core::ids::{NodeId, NodeSet, Role};
use squall_core::replica::{Claim, Label, MessageKind};
use squall_core::storage::{Entry, EntryKind, HardState, Snapshot};

/// What the library keeps as bytes with one codec and as a vector with the other, as bytes.
#[inline]
pub(crate) fn data(kept: impl Into<Bytes>) -> Bytes {
    kept.into()
}

/// Bytes as the library keeps them.
#[inline]
pub(crate) fn library_data<D: From<Bytes>>(bytes: Bytes) -> D {
    bytes.into()
}

/// A node by the library's number.
///
/// # Panics
/// For a number that no plan has.
pub fn node(id: u64) -> NodeId {
    NodeId(u8::try_from(id).expect("ids of a plan's nodes fit a byte"))
}

/// A role in the harness's terms.
pub fn role(state: StateRole) -> Role {
    match state {
        StateRole::Follower => Role::Follower,
        StateRole::PreCandidate => Role::PreCandidate,
        StateRole::Candidate => Role::Candidate,
        StateRole::Leader => Role::Leader,
    }
}

/// What `message` is, and what it promises. Asked once for each message that is sent.
#[inline(always)]
pub fn label(message: &Message) -> Label {
    let (kind, term, claim) = match message.get_msg_type() {
        MessageType::MsgAppend => (MessageKind::Append, message.term, Claim::Nothing),
        MessageType::MsgAppendResponse => {
            let promises = !message.reject && message.index > 0;
            let claim = match promises {
                true => Claim::Appended {
                    index: message.index,
                },
                false => Claim::Nothing,
            };
            (MessageKind::AppendReply, message.term, claim)
        }
        MessageType::MsgRequestVote => {
            let candidate = node(message.from);
            (MessageKind::Vote, message.term, Claim::Voted { candidate })
        }
        MessageType::MsgRequestVoteResponse => {
            let claim = match message.reject {
                true => Claim::Nothing,
                false => Claim::Voted {
                    candidate: node(message.to),
                },
            };
            (MessageKind::VoteReply, message.term, claim)
        }
        // A pre-vote speaks of a term that its sender has not entered.
        MessageType::MsgRequestPreVote => (MessageKind::PreVote, 0, Claim::Nothing),
        MessageType::MsgRequestPreVoteResponse => (MessageKind::PreVoteReply, 0, Claim::Nothing),
        MessageType::MsgSnapshot => (MessageKind::Snapshot, message.term, Claim::Nothing),
        MessageType::MsgHeartbeat => (MessageKind::Heartbeat, message.term, Claim::Nothing),
        MessageType::MsgHeartbeatResponse => {
            (MessageKind::HeartbeatReply, message.term, Claim::Nothing)
        }
        MessageType::MsgTimeoutNow => (MessageKind::TimeoutNow, message.term, Claim::Nothing),
        MessageType::MsgPropose
        | MessageType::MsgTransferLeader
        | MessageType::MsgReadIndex
        | MessageType::MsgReadIndexResp => (MessageKind::Forward, message.term, Claim::Nothing),
        MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum => unreachable!("raft sends no local message to a peer"),
    };
    Label {
        to: node(message.to),
        kind,
        term,
        claim,
    }
}

/// `message` in words.
pub fn describe(message: &Message) -> String {
    let kind = label(message).kind;
    let mut text = format!("{} of term {}", kind.words(), message.term);
    let mut add = |part: String| {
        text.push_str(", ");
        text.push_str(&part);
    };
    match kind {
        MessageKind::Append => {
            add(format!(
                "after {} of term {}",
                message.index, message.log_term
            ));
            match (message.entries.first(), message.entries.last()) {
                (Some(first), Some(last)) => {
                    add(format!("entries {} to {}", first.index, last.index))
                }
                _ => add("no entries".to_owned()),
            }
            add(format!("commit {}", message.commit));
        }
        MessageKind::AppendReply if message.reject => {
            add(format!(
                "rejects {}, hint {} of term {}",
                message.index, message.reject_hint, message.log_term
            ));
        }
        MessageKind::AppendReply => add(format!("holds {}", message.index)),
        MessageKind::Heartbeat => add(format!("commit {}", message.commit)),
        MessageKind::Vote | MessageKind::PreVote => {
            add(format!(
                "log to {} of term {}",
                message.index, message.log_term
            ));
        }
        MessageKind::VoteReply | MessageKind::PreVoteReply => {
            add(if message.reject { "no" } else { "yes" }.to_owned());
        }
        MessageKind::Snapshot => {
            let meta = message.get_snapshot().get_metadata();
            add(format!("at {} of term {}", meta.index, meta.term));
        }
        MessageKind::HeartbeatReply | MessageKind::TimeoutNow | MessageKind::Forward => {}
    }
    text
}

/// A hard state as it is written. Its commit index goes after the entries: see
/// [`squall_core::storage::Record::Commit`].
pub fn written_hard_state(hard: &RaftHardState) -> HardState {
    HardState {
        term: hard.term,
        vote: (hard.vote != 0).then(|| node(hard.vote)),
    }
}

/// An entry as it is written.
pub fn entry(entry: &RaftEntry) -> Entry {
    Entry {
        term: entry.term,
        kind: match entry.get_entry_type() {
            EntryType::EntryNormal => EntryKind::Normal,
            EntryType::EntryConfChange => EntryKind::Configuration(1),
            EntryType::EntryConfChangeV2 => EntryKind::Configuration(2),
        },
        data: data(entry.data.clone()),
    }
}

/// A snapshot as the library reads it.
pub fn snapshot(snapshot: &Snapshot) -> RaftSnapshot {
    let mut made = RaftSnapshot {
        data: library_data(snapshot.data.clone()),
        ..RaftSnapshot::default()
    };
    let meta = made.mut_metadata();
    meta.index = snapshot.index;
    meta.term = snapshot.term;
    meta.set_conf_state(conf_state(&snapshot.configuration));
    made
}

/// A configuration in the harness's terms.
pub fn configuration(conf: &ConfState) -> Configuration {
    let set = |ids: &[u64]| ids.iter().map(|id| node(*id)).collect();
    Configuration {
        voters: set(&conf.voters),
        outgoing: set(&conf.voters_outgoing),
        learners: set(&conf.learners),
        learners_next: set(&conf.learners_next),
        auto_leave: conf.auto_leave,
    }
}

/// A configuration in the library's terms.
pub fn conf_state(configuration: &Configuration) -> ConfState {
    let ids = |set: NodeSet| set.iter().map(|node| node.0.into()).collect();
    let mut conf = ConfState::default();
    conf.set_voters(ids(configuration.voters));
    conf.set_voters_outgoing(ids(configuration.outgoing));
    conf.set_learners(ids(configuration.learners));
    conf.set_learners_next(ids(configuration.learners_next));
    conf.auto_leave = configuration.auto_leave;
    conf
}

/// A change of the configuration in the harness's terms, as the library is documented to take it:
/// several steps at once are a joint change, none at all leaves one.
pub fn change(change: &ConfChangeV2) -> Change {
    let transition = match (change.get_transition(), change.changes.len()) {
        (ConfChangeTransition::Auto, 0) => Transition::Leave,
        (ConfChangeTransition::Auto, 1) => Transition::Simple,
        (ConfChangeTransition::Auto | ConfChangeTransition::Implicit, _) => Transition::Joint,
        (ConfChangeTransition::Explicit, _) => Transition::JointExplicit,
    };
    let steps = change
        .changes
        .iter()
        .map(|single| step(single.node_id, single.get_change_type()));
    Change {
        steps: steps.collect(),
        transition,
    }
}

/// One step of a change in the harness's terms.
pub fn step(id: u64, kind: ConfChangeType) -> Step {
    Step {
        node: node(id),
        becomes: match kind {
            ConfChangeType::AddNode => Member::Voter,
            ConfChangeType::AddLearnerNode => Member::Learner,
            ConfChangeType::RemoveNode => Member::Nobody,
        },
    }
}
