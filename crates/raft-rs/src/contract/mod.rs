//! What the library promises to whoever sets it up, and no property of Raft says: that its limits
//! are kept, that a setting has its effect. A broken promise of this kind is seldom missed by any
//! client, so the driver looks at what goes into the library and what comes out of it. It goes by
//! settings as they were asked for, and where it can by no bookkeeping of the library's own. What
//! is plain is not looked at, and costs nothing.

mod elections;
mod groups;
mod leader_stickiness;
mod limits;
mod self_report;
#[cfg(test)]
mod tests;
mod window;

use raft::eraftpb::{Entry, Message, MessageType};
use raft::raw_node::RawNode;
use raft::{Raft, StateRole, Storage};

use super::store::Backend;
use squall_core::ids::{Index, Term};
use squall_core::operator::Setting;
use squall_core::options::RaftOptions;
use squall_core::replica::BootContext;

use elections::Beats;
use leader_stickiness::Bond;
use limits::{Limits, Uncommitted};
use window::Window;

/// What one node holds its library to.
#[derive(Debug)]
pub(super) struct Contract {
    /// Whether there is anything to look at before and after an input.
    watches: bool,
    check_quorum: bool,
    skip_broadcast_commit: bool,
    batch_append: bool,
    group_commit: bool,
    /// The node's priority in elections; 0 where nobody has another.
    priority: i64,
    election_ticks: usize,
    heartbeat_ticks: usize,
    beats: Beats,
    limits: Limits,
    uncommitted: Uncommitted,
    window: Window,
    bond: Bond,
}

/// How things stood before a user asked for something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    leads: bool,
    last: Index,
    messages: usize,
}

impl Asked {
    pub(super) fn new<S: Storage>(raw: &RawNode<S>) -> Self {
        Self {
            leads: raw.raft.state == StateRole::Leader,
            last: raw.raft.raft_log.last_index(),
            messages: raw.raft.msgs.len(),
        }
    }

    /// What was asked for is the leader's to do.
    ///
    /// # Panics
    /// When it is not on its way there.
    pub(super) fn passed_on<S: Storage>(self, raw: &RawNode<S>) {
        let sent = raw.raft.msgs.len() > self.messages;
        assert!(sent, "what a follower takes for its leader is passed on");
    }

    /// Heartbeats were asked for.
    ///
    /// # Panics
    /// When the node leads others, and sends none.
    pub(super) fn pinged<S: Storage>(self, raw: &RawNode<S>) {
        let is_alone = raw.raft.prs().iter().all(|(id, _)| *id == raw.raft.id);
        let sent = raw.raft.msgs.len() > self.messages;
        assert!(
            sent || is_alone || !self.leads,
            "a leader that is asked for heartbeats sends them"
        );
    }
}

/// How things stood before an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// Messages that wait to be handed over.
    messages: usize,
    commit: Index,
    /// The term in which the node leads.
    leads: Option<Term>,
    /// A change of the configuration may be under way.
    changing: bool,
    /// The index of a leader's snapshot that is taken and not handed over.
    snapshot: Option<Index>,
}

impl Contract {
    /// Of a node in a new incarnation.
    pub(super) fn new(boot: &BootContext<'_>) -> Self {
        let options: &RaftOptions = boot.raft;
        let priority = options.priorities.get(boot.id.position());
        let mut contract = Self {
            watches: false,
            check_quorum: options.check_quorum,
            skip_broadcast_commit: options.skip_broadcast_commit,
            batch_append: options.batch_append,
            group_commit: options.group_commit,
            priority: priority.copied().unwrap_or(0),
            election_ticks: options.election_ticks as usize,
            heartbeat_ticks: options.heartbeat_ticks as usize,
            beats: Beats::default(),
            limits: Limits::new(options),
            uncommitted: Uncommitted::new(options),
            window: Window::new(options),
            bond: Bond::new(options.election_ticks),
        };
        contract.watch();
        contract
    }

    fn watch(&mut self) {
        self.watches = self.check_quorum
            || self.skip_broadcast_commit
            || self.batch_append
            || self.group_commit
            || self.priority != 0
            || self.limits.are_small()
            || self.window.is_small();
    }

    /// The node was told to change a setting.
    pub(super) fn set<S: Storage>(&mut self, raw: &RawNode<S>, setting: Setting) {
        match setting {
            Setting::BatchAppend(on) => self.batch_append = on,
            Setting::SkipBroadcastCommit(on) => self.skip_broadcast_commit = on,
            Setting::CheckQuorum(on) => self.check_quorum = on,
            Setting::Priority(priority) => self.priority = priority,
            Setting::MaxInflight(most) => self.window.set(&raw.raft, most as usize),
            Setting::MaxCommittedSize(most) => self.limits.set_committed(most),
            Setting::GroupCommit(on) => self.group_commit = on,
        }
        let watched = self.watches;
        self.watch();
        if !watched {
            // Ticks were not counted.
            self.beats = Beats::default();
        }
    }

    /// The node ticks.
    #[inline(always)]
    pub(super) fn tick(&mut self) {
        self.bond.tick();
    }

    /// The library has entered another configuration, by a change of these nodes.
    pub(super) fn configured<S: Storage>(&mut self, raw: &RawNode<S>, named: &[u64]) {
        self.window.configured(&raw.raft, named);
    }

    /// The library hands over `committed`.
    ///
    /// # Panics
    /// When that is more at once than it was allowed.
    #[inline(always)]
    pub(super) fn committed(&self, committed: &[Entry]) {
        if committed.len() > 1 {
            self.limits.committed(committed);
        }
    }

    /// The library was asked to take a command of so many bytes, before which things stood so, and
    /// says whether it did.
    ///
    /// # Panics
    /// When it has not, or should not have; or when it has refused for want of room that there is.
    pub(super) fn proposed<S: Storage>(
        &mut self,
        raw: &RawNode<S>,
        before: Asked,
        bytes: u64,
        took: bool,
    ) {
        let now = Asked::new(raw);
        match (before.leads, took) {
            (true, true) => {
                assert_eq!(
                    now.last,
                    before.last + 1,
                    "a command that is taken is in the log"
                );
                self.uncommitted.taken(&raw.raft, bytes);
            }
            (true, false) => self.uncommitted.refused(raw, bytes),
            (false, true) => before.passed_on(raw),
            (false, false) => {}
        }
    }

    /// To be asked for before anything but a message goes into the library, where there is anything
    /// to look at.
    #[inline(always)]
    pub(super) fn before<S: Storage>(&self, raw: &RawNode<S>) -> Option<Before> {
        self.watches.then(|| Before::new(&raw.raft))
    }

    /// To be told after it.
    ///
    /// # Panics
    /// When a promise is broken.
    #[inline(always)]
    pub(super) fn after<S: Backend>(
        &mut self,
        raw: &RawNode<S>,
        before: Option<Before>,
        ticks: bool,
    ) {
        if let Some(before) = before {
            let cause = match ticks {
                true => MessageType::MsgBeat,
                false => MessageType::MsgHup,
            };
            self.look(raw, before, (cause, raft::INVALID_ID));
        }
    }

    /// Steps `message` into `raw`. An error there is the library's way to say that it ignores the
    /// message.
    ///
    /// # Panics
    /// When a promise is broken.
    #[inline(always)]
    pub(super) fn step<S: Backend>(&mut self, raw: &mut RawNode<S>, message: Message) {
        match self.watches {
            true => self.step_watched(raw, message),
            false => drop(raw.step(message)),
        }
    }

    #[inline(never)]
    fn step_watched<S: Backend>(&mut self, raw: &mut RawNode<S>, message: Message) {
        let before = Before::new(&raw.raft);
        let (kind, from) = (message.get_msg_type(), message.from);
        let prefers_itself = self.prefers_itself(&raw.raft, &message);
        // The library takes one without a term, too.
        if before
            .leads
            .is_some_and(|term| [term, 0].contains(&message.term))
        {
            self.window.answered(&message);
        }
        match self.check_quorum {
            true => self.bond.step(raw, message),
            false => drop(raw.step(message)),
        }
        let raft = &raw.raft;
        if before.snapshot != Before::new(raft).snapshot {
            self.window.renew();
        }
        let mut new = raft.msgs.iter().skip(before.messages);
        assert!(
            !(prefers_itself && new.any(|answer| grants(answer, from))),
            "a node votes for no candidate of a lower priority than its own, unless that one's log is longer"
        );
        if kind == MessageType::MsgAppendResponse {
            self.told_only(raft, before, from);
        }
        self.look(raw, before, (kind, from));
    }

    /// Whether `request` is a candidate's to whom `raft` must not give its vote.
    fn prefers_itself<S: Storage>(&self, raft: &Raft<S>, request: &Message) -> bool {
        let asks = matches!(
            request.get_msg_type(),
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote
        );
        asks && priority(request) < self.priority && request.index <= raft.raft_log.last_index()
    }

    /// A leader that does not broadcast commits tells nobody but `from` of one that its answer has
    /// brought.
    fn told_only<S: Storage>(&self, raft: &Raft<S>, before: Before, from: u64) {
        let stays = before.leads.is_some() && Before::new(raft).leads == before.leads;
        if !self.skip_broadcast_commit || !stays || before.changing || raft.has_pending_conf() {
            return;
        }
        let tells = |message: &Message| {
            let appends = message.get_msg_type() == MessageType::MsgAppend;
            appends && message.entries.is_empty() && message.to != from
        };
        assert!(
            !raft.msgs.iter().skip(before.messages).any(tells),
            "a leader that skips it broadcasts no commit"
        );
    }

    /// Looks at what an input has come to, which is a kind and in whose name it was sent: a
    /// message, or in nobody's name a tick (`MsgBeat`) or something else (`MsgHup`).
    #[inline(never)]
    fn look<S: Backend>(&mut self, raw: &RawNode<S>, before: Before, cause: (MessageType, u64)) {
        let raft = &raw.raft;
        let now = Before::new(raft);
        let (old, new) = raft.msgs.split_at(before.messages.min(raft.msgs.len()));
        let (kind, from) = cause;
        elections::sent(raft, new, kind, from);
        self_report::fits(self, raft);
        let is_tick = kind == MessageType::MsgBeat;
        self.beats
            .see(now.leads, new, is_tick, self.heartbeat_ticks);
        let Some(term) = now.leads else {
            return;
        };
        self.window.sent(raft, term, new);
        match self.batch_append {
            true => limits::batched(old, new),
            false => self.limits.sent(new),
        }
        if self.group_commit && before.leads == now.leads && now.commit > before.commit {
            groups::committed(raft);
        }
    }
}

impl Before {
    #[inline(always)]
    fn new<S: Storage>(raft: &Raft<S>) -> Self {
        Self {
            messages: raft.msgs.len(),
            commit: raft.raft_log.committed,
            leads: (raft.state == StateRole::Leader).then_some(raft.term),
            changing: raft.has_pending_conf(),
            snapshot: raft.snap().map(|taken| taken.get_metadata().index),
        }
    }
}

/// Whether `answer` gives a vote to `candidate`.
fn grants(answer: &Message, candidate: u64) -> bool {
    let votes = matches!(
        answer.get_msg_type(),
        MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse
    );
    votes && answer.to == candidate && !answer.reject
}

/// The priority of the candidate whose `request` this is. Releases before 0.7 have it in another
/// field.
fn priority(request: &Message) -> i64 {
    match request.priority {
        0 => i64::try_from(request.deprecated_priority).unwrap_or(i64::MAX),
        priority => priority,
    }
}
