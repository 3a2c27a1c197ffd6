//! What clients and operators ask of a node, in openraft's calls.

use std::collections::{BTreeMap, BTreeSet};

use openraft::errors::{ClientWriteError, ForwardToLeader, LinearizableReadError, RaftError};
use openraft::{ChangeMembers, ReadPolicy};
use squall_core::configuration::{Change, Configuration, Member, Transition};
use squall_core::ids::NodeId;
use squall_core::operator::Admin;
use squall_core::replica::{LibraryEvent, Observation, ReplyOutcome, Request};

use super::desk::Desk;
use super::node::{OpenraftNode, spawn};
use super::types::{self, Command, Mode, Reply};

fn leader<C: Mode>(forward: &ForwardToLeader<C>) -> Option<NodeId> {
    forward.leader_id.map(types::node)
}

fn did<C: Mode>(desk: &Desk<C>, event: LibraryEvent) {
    desk.open().out.observe(Observation::Did(event));
}

impl<C: Mode> OpenraftNode<C> {
    pub(super) fn refuse(&self, request: &Request) {
        let outcome = ReplyOutcome::Refused { leader: None };
        let (client, sequence) = (request.client, request.sequence);
        self.desk.open().reply(client, sequence, outcome);
    }

    pub(super) fn propose(&self, request: Request) {
        let Some(raft) = self.raft() else {
            self.refuse(&request);
            return;
        };
        let desk = self.desk.clone();
        let (client, sequence) = (request.client, request.sequence);
        let answer = Reply::<openraft::raft::ClientWriteResult<C>>::new(move |result| {
            let outcome = match result {
                Ok(done) => {
                    let index = types::index::<C>(&done.log_id);
                    // What is not a command has no client.
                    done.data
                        .map(|answer| ReplyOutcome::Applied { index, answer })
                }
                // Nobody knows what became of it.
                Err(ClientWriteError::LogEntryDiscarded(_)) => None,
                Err(ClientWriteError::ForwardToLeader(forward)) => Some(ReplyOutcome::Refused {
                    leader: leader::<C>(&forward),
                }),
                Err(_) => Some(ReplyOutcome::Refused { leader: None }),
            };
            if let Some(outcome) = outcome {
                desk.open().reply(client, sequence, outcome);
            }
        });
        spawn(async move {
            // An error says that openraft has stopped.
            let command = Command(request.command);
            drop(raft.client_write_ff(command, Some(answer)).await);
        });
    }

    pub(super) fn read(&self, request: Request) {
        let Some(raft) = self.raft() else {
            self.refuse(&request);
            return;
        };
        let desk = self.desk.clone();
        let votes = desk.open().log.configuration().electors().has(self.id);
        let by_lease = self.lease_reads && (votes || self.triggers.lease_reads_when_removed);
        let policy = match by_lease {
            true => ReadPolicy::LeaseRead,
            false => ReadPolicy::ReadIndex,
        };
        spawn(async move {
            // `Raft::ensure_linearizable`, in its two halves.
            let read = match raft.get_read_linearizer(policy).await {
                Ok(confirmed) => {
                    let index = confirmed.read_log_id().index() + 1;
                    let event = Observation::ReadConfirmed { index };
                    desk.open().out.observe(event);
                    let ready = confirmed.await_ready(&raft).await;
                    ready.map(|_| ()).map_err(RaftError::Fatal)
                }
                Err(error) => Err(error),
            };
            let mut things = desk.open();
            let things = &mut *things;
            let outcome = match read {
                Ok(()) => {
                    let index = things.machine.applied_index();
                    let answer = things.machine.service.query(&request.command);
                    answer.map(|answer| ReplyOutcome::Read { index, answer })
                }
                Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                    let leader = leader::<C>(&forward);
                    Some(ReplyOutcome::Refused { leader })
                }
                Err(RaftError::APIError(_)) => Some(ReplyOutcome::Refused { leader: None }),
                // openraft has stopped.
                Err(RaftError::Fatal(_)) => None,
            };
            if let Some(outcome) = outcome {
                things.reply(request.client, request.sequence, outcome);
            }
        });
    }

    pub(super) fn administer(&self, admin: Admin) {
        let Some(raft) = self.raft() else { return };
        let desk = self.desk.clone();
        match admin {
            Admin::Change(change) => self.change(&change),
            Admin::TransferLeader { to } => {
                let configuration = desk.open().log.configuration();
                let is_other_voter = to != self.id && configuration.voters.has(to);
                if !is_other_voter && !self.triggers.transfer_to_anyone {
                    return;
                }
                spawn(async move { drop(raft.trigger().transfer_leader(types::id(to)).await) });
            }
            Admin::Campaign => {
                did(&desk, LibraryEvent::Campaigned);
                spawn(async move { drop(raft.trigger().elect(false).await) });
            }
            Admin::Ping => {
                did(&desk, LibraryEvent::Pinged);
                spawn(async move { drop(raft.trigger().heartbeat().await) });
            }
            // Left out of plans: see `Subject::supports`.
            Admin::RequestSnapshot | Admin::Set(_) => {}
        }
    }

    /// Asks for what brings `change` about. openraft drives a change of voters from the task that
    /// asks for it: it writes the joint configuration and, when that is committed, the one after.
    fn change(&self, change: &Change) {
        let Some(raft) = self.raft() else { return };
        let desk = self.desk.clone();
        let configuration = desk.open().log.configuration();
        let votes = configuration.electors().has(self.id);
        let members = members(change, &configuration);
        let members = members.filter(|_| votes || self.triggers.ask_removed_leader);
        let Some((members, retain)) = members else {
            did(&desk, LibraryEvent::DeclinedChange);
            return;
        };
        spawn(async move {
            let changed = raft.change_membership(members, retain).await;
            if let Err(RaftError::APIError(_)) = changed {
                did(&desk, LibraryEvent::DeclinedChange);
            }
        });
    }
}

/// A change in openraft's terms, and whether voters that go become learners. openraft decides that
/// for all that go at once, and goes through a joint configuration wherever voters change; none
/// where it cannot do what is asked for.
fn members(
    change: &Change,
    configuration: &Configuration,
) -> Option<(ChangeMembers<u64, ()>, bool)> {
    match change.transition {
        // openraft would go on from one joint configuration to another that shares a half with it.
        Transition::Joint if configuration.is_joint() => return None,
        Transition::Joint => {}
        // Any change leaves a joint configuration, one that changes nothing too.
        Transition::Leave if configuration.is_joint() => {
            return Some((ChangeMembers::AddVoterIds(BTreeSet::new()), false));
        }
        Transition::Leave | Transition::Simple | Transition::JointExplicit => return None,
    }
    let voters = configuration.electors();
    let who = |member: Member, votes: bool| -> BTreeSet<u64> {
        let steps = change.steps.iter().filter(|step| step.becomes == member);
        let nodes = steps.map(|step| step.node);
        let nodes = nodes.filter(|node| voters.has(*node) == votes);
        nodes.map(types::id).collect()
    };
    let nodes =
        |ids: BTreeSet<u64>| -> BTreeMap<u64, ()> { ids.into_iter().map(|id| (id, ())).collect() };
    let (demoted, leaving) = (who(Member::Learner, true), who(Member::Nobody, true));
    if !demoted.is_empty() && !leaving.is_empty() {
        return None;
    }
    let retain = !demoted.is_empty();
    let changes = vec![
        ChangeMembers::AddNodes(nodes(who(Member::Learner, false))),
        ChangeMembers::AddVoters(nodes(who(Member::Voter, false))),
        ChangeMembers::RemoveVoters(if retain { demoted } else { leaving }),
        ChangeMembers::RemoveNodes(who(Member::Nobody, false)),
    ];
    Some((ChangeMembers::Batch(changes), retain))
}
