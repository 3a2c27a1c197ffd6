//! What operators ask of a node, in the library's calls.

use raft::eraftpb::{
    ConfChange, ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, Message,
    MessageType,
};
use raft::{Raft, StateRole, Storage};

use super::contract::Asked;
use super::driver::RaftNode;
use super::messages;
use super::reproduction::Note;
use super::store::Backend;
use squall_core::configuration::{Change, Member, Refused, Step, Transition};
use squall_core::operator::{Admin, Setting};
use squall_core::replica::{LibraryEvent, Observation, Output};

impl<S: Backend> RaftNode<S> {
    pub(super) fn administer(&mut self, admin: Admin, out: &mut Output<Message>) {
        let event = match admin {
            Admin::Change(change) => self
                .propose_change(&change)
                .then_some(LibraryEvent::DeclinedChange),
            Admin::TransferLeader { to } => {
                let before = Asked::new(&self.raw);
                self.raw.mut_store().note(|| Note::TransferLeader(to));
                self.raw.transfer_leader(to.0.into());
                if self.raw.raft.state == StateRole::Follower && self.leader().is_some() {
                    before.passed_on(&self.raw);
                }
                None
            }
            Admin::Campaign => {
                let may = self.raw.raft.promotable() || self.switches.campaign_as_outsider;
                if may {
                    self.raw.mut_store().note(|| Note::Campaign);
                    let _ = self.raw.campaign();
                }
                may.then_some(LibraryEvent::Campaigned)
            }
            Admin::RequestSnapshot => {
                let log = &self.raw.raft.raft_log;
                let ahead =
                    self.switches.snapshot_requests_ahead || self.switches.snapshot_requests_block;
                let may = ahead || log.committed == log.last_index();
                let before = Asked::new(&self.raw);
                if may {
                    self.raw.mut_store().note(|| Note::RequestSnapshot);
                }
                let asked = may && self.raw.request_snapshot().is_ok();
                if asked {
                    before.passed_on(&self.raw);
                }
                asked.then_some(LibraryEvent::SnapshotAsked)
            }
            Admin::Ping => {
                let before = Asked::new(&self.raw);
                self.raw.mut_store().note(|| Note::Ping);
                self.raw.ping();
                before.pinged(&self.raw);
                (self.raw.raft.state == StateRole::Leader).then_some(LibraryEvent::Pinged)
            }
            Admin::Set(setting) => {
                self.raw.mut_store().note(|| Note::Set(setting));
                self.set(setting);
                Some(LibraryEvent::SettingChanged)
            }
        };
        if let Some(event) = event {
            out.observe(Observation::Did(event));
        }
    }

    /// Proposes a change that fits the configuration in force. What is wrong with others the
    /// library does not look at, except that it refuses what only a joint configuration allows,
    /// or forbids. Returns whether it was declined.
    fn propose_change(&mut self, change: &Change) -> bool {
        let configuration = messages::configuration(&self.raw.store().held().conf);
        match configuration.after(change) {
            Ok(_) | Err(Refused::Joint | Refused::NotJoint) => {}
            Err(_) => return true,
        }
        self.raw.mut_store().note(|| Note::Change(change.clone()));
        // The first interface of the library, where it will do.
        let proposed = match (change.transition, change.steps.as_slice()) {
            (Transition::Simple, [step]) if step.node.0 % 2 == 1 => {
                let Step { node, becomes } = *step;
                let mut single = ConfChange::default();
                single.set_change_type(change_type(becomes));
                single.node_id = node.0.into();
                self.raw.propose_conf_change(Vec::new(), single)
            }
            _ => self.raw.propose_conf_change(Vec::new(), whole(change)),
        };
        proposed.is_err()
    }

    /// A follower that waits for the snapshot that it asked for takes no entries, and a leader of a
    /// new term may need just this follower to commit anything, a snapshot's entries included.
    #[inline]
    pub(super) fn forget_snapshot_request(&mut self, term: u64) {
        let raft = &mut self.raw.raft;
        if raft.pending_request_snapshot != raft::INVALID_INDEX
            && term > raft.term
            && !self.switches.snapshot_requests_block
        {
            raft.pending_request_snapshot = raft::INVALID_INDEX;
        }
    }

    /// Who leads or stands in an earlier term must hear of the later one (paper, figures 2 and 13:
    /// "reply false if term < currentTerm"). The library says nothing, and leaves it to this
    /// node's next vote request to tell. Where that does not go to the sender, the driver answers.
    pub(super) fn answer_earlier_term(&mut self, message: &Message) {
        let raft = &mut self.raw.raft;
        if self.switches.deaf_in_later_term || tells_by_itself(raft, message.from) {
            return;
        }
        let answers = raft.check_quorum || raft.pre_vote;
        let kind = match message.get_msg_type() {
            MessageType::MsgAppend | MessageType::MsgHeartbeat if answers => return,
            MessageType::MsgAppend | MessageType::MsgHeartbeat | MessageType::MsgSnapshot => {
                MessageType::MsgAppendResponse
            }
            MessageType::MsgRequestVote => MessageType::MsgRequestVoteResponse,
            _ => return,
        };
        let mut answer = Message::default();
        answer.set_msg_type(kind);
        answer.reject = kind == MessageType::MsgRequestVoteResponse;
        (answer.from, answer.to, answer.term) = (raft.id, message.from, raft.term);
        raft.msgs.push(answer);
    }

    /// With group commit, puts odd and even nodes into a group each; nodes that join come into none
    /// by themselves.
    pub(super) fn assign_groups(&mut self) {
        let raft = &mut self.raw.raft;
        if raft.group_commit() {
            let mut groups: Vec<(u64, u64)> =
                raft.prs().iter().map(|(id, _)| (*id, id % 2 + 1)).collect();
            groups.sort_unstable();
            raft.clear_commit_group();
            let cleared = raft.prs().iter().all(|(_, peer)| peer.commit_group_id == 0);
            assert!(cleared, "groups that are cleared hold nobody");
            raft.assign_commit_groups(&groups);
        }
    }

    fn set(&mut self, setting: Setting) {
        self.contract.set(&self.raw, setting);
        let raft = &mut self.raw.raft;
        match setting {
            Setting::BatchAppend(on) => {
                // Now and then, for it promises to change nothing.
                raft.maybe_free_inflight_buffers();
                self.raw.set_batch_append(on);
            }
            Setting::SkipBroadcastCommit(on) => self.raw.skip_bcast_commit(on),
            Setting::CheckQuorum(on) => raft.set_check_quorum(on),
            Setting::Priority(priority) => self.raw.set_priority(priority),
            Setting::MaxInflight(cap) => {
                let mut peers: Vec<u64> = raft.prs().iter().map(|(id, _)| *id).collect();
                peers.sort_unstable();
                for peer in peers {
                    raft.adjust_max_inflight_msgs(peer, cap as usize);
                }
            }
            Setting::MaxCommittedSize(size) => raft.set_max_committed_size_per_ready(size),
            Setting::GroupCommit(on) => {
                raft.enable_group_commit(on);
                self.assign_groups();
            }
        }
    }
}

/// Whether `peer` hears of the term of `raft` without being answered: a leader speaks to all
/// members, and who may stand for election asks the voters, each by its own configuration.
fn tells_by_itself<S: Storage>(raft: &Raft<S>, peer: u64) -> bool {
    match raft.state {
        StateRole::Leader => raft.prs().get(peer).is_some(),
        _ => raft.promotable() && raft.prs().conf().voters().contains(peer),
    }
}

fn change_type(becomes: Member) -> ConfChangeType {
    match becomes {
        Member::Voter => ConfChangeType::AddNode,
        Member::Learner => ConfChangeType::AddLearnerNode,
        Member::Nobody => ConfChangeType::RemoveNode,
    }
}

fn whole(change: &Change) -> ConfChangeV2 {
    let mut whole = ConfChangeV2::default();
    let step = |step: &Step| {
        let mut single = ConfChangeSingle::default();
        single.set_change_type(change_type(step.becomes));
        single.node_id = step.node.0.into();
        single
    };
    whole.set_changes(change.steps.iter().map(step).collect::<Vec<_>>().into());
    whole.set_transition(match change.transition {
        Transition::Simple | Transition::Leave => ConfChangeTransition::Auto,
        Transition::Joint => ConfChangeTransition::Implicit,
        Transition::JointExplicit => ConfChangeTransition::Explicit,
    });
    whole
}
