//! As few calls as will do: delta debugging, by making them.

use squall_core::ids::NodeId;
use squall_core::options::RaftOptions;
use squall_core::plan::Plan;
use squall_core::reproduction::{Call, What};

use super::Trial;

/// Calls on their way to fewer.
pub(super) struct Reduction<'a, 'b> {
    trial: &'a mut Trial<'b>,
    calls: Vec<Call>,
}

impl<'a, 'b> Reduction<'a, 'b> {
    /// The fewest calls of `calls`, which fail, that were found to fail as well, in the simplest
    /// form that was found. The plan of the trial, as far as it sets the cluster up, gets simpler,
    /// too.
    pub(super) fn of(trial: &'a mut Trial<'b>, calls: Vec<Call>) -> Vec<Call> {
        let mut reduction = Self { trial, calls };
        reduction.leave_out();
        reduction.settle();
        reduction.leave_out();
        reduction.set_up();
        reduction.simplify();
        reduction.gather_ticks();
        reduction.leave_out();
        reduction.calls
    }

    fn takes(&mut self, calls: Vec<Call>) -> bool {
        let fails = self.trial.fails(&calls);
        if fails {
            self.calls = calls;
        }
        fails
    }

    /// Leaves out parts, each half as long as those before it, from the end, until no single call
    /// can go.
    fn leave_out(&mut self) {
        let mut size = self.calls.len().div_ceil(2);
        while size > 0 {
            let mut end = self.calls.len();
            let mut fewer = false;
            while end > 0 {
                let begin = end.saturating_sub(size);
                let mut rest = self.calls.clone();
                rest.drain(begin..end.min(rest.len()));
                fewer |= self.takes(rest);
                end = begin;
            }
            if size == 1 && !fewer {
                return;
            }
            size = match size {
                1 => 1,
                _ => size / 2,
            };
        }
    }

    /// Where one call after the other says how what the library wants is done, all is done at once
    /// instead.
    fn settle(&mut self) {
        for place in (0..self.calls.len()).rev() {
            let Some(call) = self.calls.get(place) else {
                continue;
            };
            if call.settles || is_part_of_settling(&call.what) {
                continue;
            }
            let mut calls = self.calls.clone();
            let node = calls[place].node;
            calls[place].settles = true;
            drop_parts(&mut calls, place + 1, node);
            self.takes(calls);
        }
    }

    /// The cluster begins as a new one does, with fewer nodes and the library's own settings.
    fn set_up(&mut self) {
        let usual = RaftOptions::default();
        let simpler: [&dyn Fn(&mut Plan); 14] = [
            &|plan| (plan.cluster.first_term, plan.cluster.first_index) = (0, 0),
            &|plan| plan.cluster.first_index = 0,
            &|plan| plan.cluster.spares = 0,
            &|plan| plan.cluster.learners = 0,
            &|plan| plan.raft.priorities.clear(),
            &|plan| plan.raft.check_quorum = false,
            &|plan| plan.raft.pre_vote = false,
            &|plan| plan.raft.batch_append = false,
            &|plan| plan.raft.skip_broadcast_commit = false,
            &|plan| plan.raft.lease_reads = false,
            &|plan| plan.raft.max_size_per_message = 0,
            &|plan| plan.raft.max_committed_size_per_ready = u64::MAX,
            &|plan| plan.raft.max_uncommitted_size = 0,
            &|plan| plan.raft.max_inflight_messages = usual.max_inflight_messages,
        ];
        for change in simpler {
            let before = self.trial.case.clone();
            change(&mut self.trial.case.plan);
            if !self.trial.fails(&self.calls) {
                self.trial.case = before;
            }
        }
    }

    /// Messages arrive in the order in which they were sent, once each.
    fn simplify(&mut self) {
        for place in 0..self.calls.len() {
            let mut calls = self.calls.clone();
            if let What::Receive {
                passed_over, stays, ..
            } = &mut calls[place].what
                && (*passed_over > 0 || *stays)
            {
                (*passed_over, *stays) = (0, false);
                self.takes(calls);
            }
        }
    }

    /// Ticks of one node that follow one another are one call.
    fn gather_ticks(&mut self) {
        let mut place = 1;
        while place < self.calls.len() {
            let (before, call) = (&self.calls[place - 1], &self.calls[place]);
            let together = match (&before.what, &call.what) {
                (What::Tick(some), What::Tick(more)) if before.node == call.node => {
                    Some(some + more)
                }
                _ => None,
            };
            let taken = together.is_some_and(|times| {
                let mut calls = self.calls.clone();
                calls[place].what = What::Tick(times);
                calls.remove(place - 1);
                self.takes(calls)
            });
            place += usize::from(!taken);
        }
    }
}

fn is_part_of_settling(what: &What) -> bool {
    matches!(what, What::Ready | What::Saved | What::Apply)
}

/// Drops what settles `node` from `place` on, until it is told something else.
fn drop_parts(calls: &mut Vec<Call>, place: usize, node: NodeId) {
    let is_next = |call: &Call| call.node == node && !is_part_of_settling(&call.what);
    let next = calls[place..].iter().position(is_next);
    let until = next.map_or(calls.len(), |next| place + next);
    let mut at = 0;
    calls.retain(|call| {
        let goes = (place..until).contains(&at) && call.node == node;
        at += 1;
        !goes
    });
}
