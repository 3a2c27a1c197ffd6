//! Requests that nodes have taken and not answered. A client tries again, so an answer that never
//! comes is not missed by anyone; here it is.
//!
//! Two things are demanded, and neither of anyone whom a fault keeps from it. A leader answers
//! within [`WITHIN_ELECTIONS`] election time-outs, where it stays in office for as long, nothing
//! disturbs the cluster, and a quorum is up with all that matters. And who has put a command into
//! its log, as a leader, answers within one when it applies that, whoever leads by then.

use super::event::Event;
use super::world::World;
use crate::counters::Counter;
use crate::ids::{Index, NodeId, NodeSet, Role, Term};
use crate::invariants::{Verdict, Violation, breach};
use crate::replica::{Request, Subject};
use crate::service::Command;

/// Within how many election time-outs a leader answers. The disturbances before have worn off by
/// then: a window that lost messages keep shut opens by one with each heartbeat.
const WITHIN_ELECTIONS: u64 = 4;

/// What nodes owe to clients.
#[derive(Debug)]
pub(super) struct Answers {
    /// Whether the plan lets a leader answer in time.
    lets_answer: bool,
    owed: Vec<Owed>,
    /// When something last went wrong anywhere, in microseconds.
    disturbed_us: u64,
    /// The last step has applied something that is owed.
    just_applied: bool,
}

/// One request that a node has taken.
#[derive(Clone, Copy, Debug)]
struct Owed {
    node: NodeId,
    client: u32,
    sequence: u64,
    attempt: u32,
    asked_us: u64,
    /// It goes around the log.
    reads: bool,
    /// The term that the node led when it was asked, where all was well then.
    led: Option<Term>,
    /// Nobody else has been asked for it, who may have passed it on to the node.
    only_here: bool,
    /// It is a command, and this is the newest entry that the node has made of it since, as the
    /// leader of a term.
    taken: Option<(Index, Term)>,
    /// The node has applied it as this entry.
    applied: Option<Applied>,
}

#[derive(Clone, Copy, Debug)]
struct Applied {
    index: Index,
    at_us: u64,
    /// An event is to look after it.
    watched: bool,
}

impl Answers {
    pub(super) fn new(lets_answer: bool) -> Self {
        Self {
            lets_answer,
            owed: Vec::new(),
            disturbed_us: 0,
            just_applied: false,
        }
    }

    /// Whether a client still waits for what this node was asked while all was well, and all is
    /// well since: then it does not try again before the answer is due.
    pub(super) fn is_awaited(
        &self,
        now_us: u64,
        within_us: u64,
        (client, sequence, attempt): (u32, u64, u32),
    ) -> bool {
        let it = |owed: &&Owed| {
            (owed.client, owed.sequence, owed.attempt) == (client, sequence, attempt)
        };
        let mut owed = self.owed.iter().filter(it);
        owed.any(|owed| {
            let is_calm = owed.led.is_some() && self.disturbed_us < owed.asked_us;
            is_calm && now_us < owed.asked_us + within_us
        })
    }

    /// Something goes wrong, or goes right again.
    #[inline]
    pub(super) fn disturb(&mut self, now_us: u64) {
        self.disturbed_us = self.disturbed_us.max(now_us);
    }

    /// The storm is over: what was to come late comes now.
    pub(super) fn heal(&mut self, now_us: u64) {
        self.disturbed_us = now_us;
    }

    /// The node is down, and owes nothing.
    pub(super) fn drop_node(&mut self, node: NodeId) {
        self.owed.retain(|owed| owed.node != node);
    }

    /// The client is gone, and waits for nothing.
    pub(super) fn drop_client(&mut self, client: u32) {
        self.owed.retain(|owed| owed.client != client);
    }

    /// The node answers.
    #[inline]
    pub(super) fn answered(&mut self, node: NodeId, client: u32, sequence: u64) {
        let mut owed = self.owed.iter();
        let it = |owed: &Owed| (owed.node, owed.client, owed.sequence) == (node, client, sequence);
        if let Some(place) = owed.position(it) {
            self.owed.swap_remove(place);
        }
    }
}

impl<S: Subject> World<'_, '_, S> {
    /// The node is about to be asked for something. Of what its client asked it before it owes
    /// nothing more, for a client has one request under way.
    pub(super) fn owe(&mut self, now_us: u64, node: NodeId, request: &Request, reads: bool) {
        let (client, sequence) = (request.client, request.sequence);
        let mut only_here = request.attempt == 0;
        let of_client = |owed: &Owed| (owed.node, owed.client) == (node, client);
        if let Some(place) = self.answers.owed.iter().position(of_client) {
            let before = self.answers.owed[place];
            if before.sequence == sequence && self.holds_taken(node, &before) {
                return;
            }
            only_here |= before.sequence == sequence && before.only_here;
            self.answers.owed.swap_remove(place);
        }
        for elsewhere in &mut self.answers.owed {
            elsewhere.only_here &= (elsewhere.client, elsewhere.sequence) != (client, sequence);
        }
        let view = &self.views[node.position()];
        let leads = self.answers.lets_answer && view.role == Role::Leader && self.is_calm(now_us);
        let led = (leads && self.has_quorum(node, true)).then_some(view.term);
        self.answers.owed.push(Owed {
            node,
            client,
            sequence,
            attempt: request.attempt,
            asked_us: now_us,
            reads,
            led,
            only_here,
            taken: None,
            applied: None,
        });
        if led.is_some() {
            self.counters.hit(Counter::AnswerOwed);
            self.look_after(now_us + self.within_us(), node, client);
        }
    }

    /// Within how many microseconds a leader answers.
    pub(super) fn within_us(&self) -> u64 {
        WITHIN_ELECTIONS * self.plan.election_us()
    }

    fn look_after(&mut self, at_us: u64, node: NodeId, client: u32) {
        self.queue.push(at_us, Event::AnswerDue { node, client });
    }

    /// A leader writes an entry of its own with this data.
    #[inline]
    pub(super) fn note_taken(&mut self, node: NodeId, index: Index, term: Term, data: &[u8]) {
        if self.answers.owed.iter().any(|owed| owed.node == node) {
            self.note_taken_here(node, index, term, data);
        }
    }

    /// Whether what the node has made of it is still in its log.
    fn holds_taken(&self, node: NodeId, owed: &Owed) -> bool {
        let view = &self.views[node.position()];
        let held = |(index, term): (Index, Term)| {
            view.entry_at(index).is_some_and(|(held, _)| held == term)
        };
        owed.taken.is_some_and(held)
    }

    fn note_taken_here(&mut self, node: NodeId, index: Index, term: Term, data: &[u8]) {
        let Some((client, sequence)) = Command::decode_sender(data) else {
            return;
        };
        let it =
            |owed: &&mut Owed| (owed.node, owed.client, owed.sequence) == (node, client, sequence);
        if let Some(owed) = self.answers.owed.iter_mut().find(it) {
            let is_own = owed.only_here && !owed.reads;
            owed.taken = is_own.then_some((index, term)).or(owed.taken);
        }
    }

    /// The node applied the entry at `index`.
    #[inline]
    pub(super) fn note_applied(&mut self, now_us: u64, node: NodeId, index: Index) {
        if !self.answers.owed.is_empty() {
            self.note_owed(now_us, node, index);
        }
    }

    fn note_owed(&mut self, now_us: u64, node: NodeId, index: Index) {
        let Some((term, _)) = self.views[node.position()].entry_at(index) else {
            return;
        };
        let owes = |owed: &&mut Owed| owed.node == node && owed.taken == Some((index, term));
        if let Some(owed) = self.answers.owed.iter_mut().find(owes) {
            owed.applied = Some(Applied {
                index,
                at_us: now_us,
                watched: false,
            });
            self.answers.just_applied = true;
        }
    }

    /// A step is over, and what it answered has been passed on.
    #[inline]
    pub(super) fn follow_up(&mut self, now_us: u64) {
        if self.answers.just_applied {
            self.answers.just_applied = false;
            self.watch_applied(now_us);
        }
    }

    /// The node goes on after it stood still: only now it can answer.
    pub(super) fn resume_answers(&mut self, now_us: u64, node: NodeId) {
        for owed in self
            .answers
            .owed
            .iter_mut()
            .filter(|owed| owed.node == node)
        {
            if let Some(applied) = &mut owed.applied {
                applied.at_us = now_us;
                applied.watched = false;
            }
        }
        self.watch_applied(now_us);
    }

    fn watch_applied(&mut self, now_us: u64) {
        let mut unanswered = Vec::new();
        for owed in &mut self.answers.owed {
            if let Some(applied) = owed.applied.as_mut().filter(|applied| !applied.watched) {
                applied.watched = true;
                unanswered.push((owed.node, owed.client));
            }
        }
        for (node, client) in unanswered {
            self.look_after(now_us + self.plan.election_us(), node, client);
        }
    }

    /// An answer may be overdue.
    ///
    /// # Errors
    /// [`Property::Answered`](crate::invariants::Property::Answered), when it is.
    pub(super) fn answer_due(&mut self, now_us: u64, node: NodeId, client: u32) -> Verdict {
        let mut all = self.answers.owed.iter();
        let Some(owed) = all.find(|owed| (owed.node, owed.client) == (node, client)) else {
            return Ok(());
        };
        let Owed {
            client,
            sequence,
            asked_us,
            reads,
            ..
        } = *owed;
        let election_us = self.plan.election_us();
        let synced_us = self.slots[node.position()].synced_by_us + election_us;
        let undisturbed = |since_us: u64| self.answers.disturbed_us < since_us;
        if let Some(Applied { index, at_us, .. }) = owed.applied
            && now_us >= at_us + election_us
            && !self.stands_still(node)
        {
            // It may wait for its disk before it answers.
            if now_us < synced_us {
                self.look_after(synced_us, node, client);
                return Ok(());
            }
            let breach = breach::Answered::NotWhenApplied {
                client,
                sequence,
                index,
            };
            return Err(Violation::by(node, breach));
        }
        let view = &self.views[node.position()];
        let leads = view.role == Role::Leader && owed.led == Some(view.term);
        if !leads
            || now_us < asked_us + WITHIN_ELECTIONS * election_us
            || !undisturbed(asked_us)
            || !self.has_quorum(node, false)
        {
            return Ok(());
        }
        let breach = breach::Answered::NotByLeader {
            client,
            sequence,
            reads,
            term: view.term,
            elections: WITHIN_ELECTIONS,
        };
        Err(Violation::by(node, breach))
    }

    /// Whether nothing is wrong now, nor was a moment ago.
    fn is_calm(&self, now_us: u64) -> bool {
        let settled_us = self.answers.disturbed_us + self.plan.election_us();
        self.under_way.is_empty() && settled_us <= now_us
    }

    /// Whether the leader and a quorum of its configuration run, in touch with one another and in
    /// no later term; and have its log but for what is new, where that is asked.
    fn has_quorum(&self, leader: NodeId, caught_up: bool) -> bool {
        let head = &self.views[leader.position()];
        let (_, configuration) = head.configuration;
        let now_us = self.queue.now_us();
        let soon_us = now_us + self.plan.prompt_us();
        let takes_part = |id: &NodeId| {
            let slot = &self.slots[id.position()];
            let view = &self.views[id.position()];
            let before = head.last().saturating_sub(LAGS);
            let lags = view.chain_at(before) != head.chain_at(before);
            let ticks_us = slot.clock.time_us(slot.tick_due_us, now_us);
            let (one, other) = (leader.position(), id.position());
            slot.replica.is_some()
                && view.term <= head.term
                && ticks_us <= now_us + self.plan.election_us()
                && slot.paused_until_us.is_none()
                && slot.fail_next == 0
                && !slot.disk_failed
                && slot.synced_by_us <= soon_us
                && !(caught_up && lags)
                && !self.network.is_cut(one, other)
                && !self.network.is_cut(other, one)
                && self.network.free_at_us(now_us, one, other) <= soon_us
                && self.network.free_at_us(now_us, other, one) <= soon_us
        };
        let present: NodeSet = configuration.electors().iter().filter(takes_part).collect();
        takes_part(&leader) && !configuration.is_empty() && configuration.has_quorum_in(present)
    }
}

/// By how many entries a follower may lag.
const LAGS: Index = 4;
