//! What operators ask of a node, in noraft's calls.

use noraft::ClusterConfig;

use super::driver::NoraftNode;
use super::messages::{self, Message};
use super::reproduction::Note;
use squall_core::configuration::{Change, Member, Transition};
use squall_core::operator::Admin;
use squall_core::replica::{LibraryEvent, Observation, Output};

impl NoraftNode {
    pub(super) fn administer(&mut self, admin: Admin, out: &mut Output<Message>) {
        let event = match admin {
            Admin::Change(change) => self
                .propose_change(&change, out)
                .is_none()
                .then_some(LibraryEvent::DeclinedChange),
            Admin::Campaign => {
                if !self.node.role().is_leader() {
                    self.note(|| Note::TimeOut);
                    self.node.handle_election_timeout();
                }
                Some(LibraryEvent::Campaigned)
            }
            Admin::Ping => {
                self.note(|| Note::Heartbeat);
                self.node.heartbeat().then_some(LibraryEvent::Pinged)
            }
            // Left out of plans: see `Subject::lacks`.
            Admin::TransferLeader { .. } | Admin::RequestSnapshot | Admin::Set(_) => None,
        };
        if let Some(event) = event {
            out.observe(Observation::Did(event));
        }
    }

    /// Proposes what brings `change` about. None when there is nothing to propose, or not
    /// now: one change at a time, and the next when the one before is committed. noraft
    /// itself refuses to make a voter a non-voter in one step.
    fn propose_change(&mut self, change: &Change, out: &mut Output<Message>) -> Option<()> {
        let config = self.node.config().clone();
        let (since, shown) = &self.shown.configuration;
        let pending = *since > self.shown.reports.last_commit() || *shown != config;
        if change.transition != Transition::Joint || pending {
            return None;
        }
        let mut next = ClusterConfig {
            new_voters: config.voters.clone(),
            ..config.clone()
        };
        for step in &change.steps {
            let id = messages::id(step.node);
            next.new_voters.remove(&id);
            next.non_voters.remove(&id);
            match step.becomes {
                Member::Voter => next.new_voters.insert(id),
                Member::Learner => next.non_voters.insert(id),
                Member::Nobody => false,
            };
        }
        // Until the change is through, an election needs a majority of the voters there were,
        // and noraft lets nobody stand who is to leave (see `FINDINGS.md`).
        let staying = next.new_voters.intersection(&config.voters).count();
        let enough = staying > config.voters.len() / 2 || self.triggers.remove_needed_voters;
        if next.new_voters.is_empty() || !enough {
            return None;
        }
        // Who learns may change without a joint configuration.
        if next.new_voters == next.voters {
            next.new_voters.clear();
        }
        // What is committed so far is so by the configuration in force. What is written is durable
        // here.
        self.show_commit(self.written(), out);
        if next != config {
            self.note(|| Note::Configure(next.new_voters.clone(), next.non_voters.clone()));
        }
        (next != config && !self.node.propose_config(next).is_invalid()).then_some(())
    }
}
