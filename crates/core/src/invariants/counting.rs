//! What the checks count of what they are told. Judges nothing.

use super::NodeView;
use crate::configuration::Configuration;
use crate::counters::{Counter, Counters};
use crate::ids::Role;
use crate::service::{Answer, Command, Operation};

pub(super) fn count_role(view: &NodeView, role: Role, counters: &mut Counters) {
    match role {
        Role::Candidate => counters.hit(Counter::ElectionStarted),
        Role::PreCandidate => counters.hit(Counter::PreVoteStarted),
        Role::Follower if view.role == Role::Leader => counters.hit(Counter::LeaderSteppedDown),
        Role::Follower | Role::Leader => {}
    }
}

pub(super) fn count_configuration(view: &NodeView, after: &Configuration, counters: &mut Counters) {
    let (_, before) = view.configuration;
    counters.hit(Counter::Configured);
    if view.snapshot.0 == view.applied && view.applied > 0 && before != *after {
        counters.hit(Counter::SnapshotWithChange);
    }
    if after.is_joint() && !before.is_joint() {
        counters.hit(Counter::JointEntered);
    }
    if before.is_joint() && !after.is_joint() {
        counters.hit(Counter::JointLeft);
    }
}

pub(super) fn count_answer(command: &Command, answer: Answer, counters: &mut Counters) {
    counters.hit(match answer {
        Answer::Value { .. } => Counter::KeyRead,
        Answer::Done { .. } => Counter::KeyWritten,
        Answer::Differs { .. } => Counter::ComparisonFailed,
        Answer::Granted { .. } => match command.operation {
            Operation::Renew { .. } => Counter::LockRenewed,
            _ => Counter::LockGranted,
        },
        Answer::Waiting => Counter::LockAwaited,
        Answer::Held => Counter::LockHeld,
        // A keeper of leases is told so of what it wanted revoked.
        Answer::NotHeld if matches!(command.operation, Operation::Revoke { .. }) => return,
        Answer::NotHeld => Counter::LockLost,
        Answer::Released { .. } => Counter::LockReleased,
        Answer::Revoked { .. } => Counter::LeaseRevoked,
        Answer::Written => Counter::GuardedWrite,
        Answer::Stale => Counter::StaleTokenRefused,
        // It is no answer of this service.
        Answer::OfMachine { .. } => return,
    });
}
