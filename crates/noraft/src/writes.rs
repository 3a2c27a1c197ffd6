//! How noraft's actions are carried out: what is written, what is reported, and
//! which messages leave.

use noraft::{Actions, LogEntries, LogEntry, LogIndex};

use super::driver::NoraftNode;
use super::entries;
use super::messages::{self, Message};
use super::reproduction::Note;
use squall_core::ids::{Index, NodeId, Role};
use squall_core::replica::{Observation, Output};
use squall_core::storage::{HardState, Record};

impl NoraftNode {
    /// Carries out what the node has asked for since the last time.
    pub(super) fn carry_out(&mut self, now_us: u64, out: &mut Output<Message>) {
        self.note(|| Note::Ready);
        self.mind_timer();
        let mut actions = std::mem::take(self.node.actions_mut());
        let saves_state = actions.save_current_term || actions.save_voted_for;
        if saves_state {
            out.write(Record::HardState(HardState {
                term: self.node.current_term().get(),
                vote: self.vote(),
            }));
        }
        let appended = actions.append_log_entries.take();
        self.unsaved_since = None;
        if let Some(entries) = &appended {
            // A leader begins the end of a joint configuration when that one is committed, and
            // counts what comes after it by the next one.
            let before = entries.prev_position().index.get();
            self.show_commit(before.min(self.shown.configuration.0), out);
            self.write_entries(entries, out);
        }
        self.show_configuration(out);
        self.show_role(out);
        self.fresh.clear();
        let messages = self.addressed(actions);
        match saves_state || appended.is_some() {
            true => self.wait_to_send(messages, out),
            false => self.finish(messages, now_us, out),
        }
    }

    /// The vote as it is to be saved. A leader of noraft's that a change removes steps down
    /// within its term and says that it has not voted in it; here it has.
    fn vote(&mut self) -> Option<NodeId> {
        let term = self.node.current_term().get();
        let vote = self.node.voted_for().map(messages::node);
        let (saved_in, saved) = self.saved_vote;
        let kept = saved.filter(|_| saved_in == term && !self.triggers.forget_vote_when_removed);
        let vote = vote.or(kept);
        self.saved_vote = (term, vote);
        vote
    }

    /// All that was to be saved is durable.
    pub(super) fn finish(
        &mut self,
        messages: Vec<Message>,
        now_us: u64,
        out: &mut Output<Message>,
    ) {
        self.note(|| Note::Saved);
        self.show_commit(Index::MAX, out);
        self.commit(now_us, out);
        self.tend_reads(out);
        out.send_all(messages);
    }

    /// Where `entries`, when they are written, begin to change what the log has. noraft may hand
    /// over entries that are there already: those are left alone, for to write them again
    /// is to cut off what was durable, and a crash may come before it is again.
    fn changes_from(&self, entries: &LogEntries) -> Option<Index> {
        let is_there = |index: Index, term| self.log.get(index).is_some_and(|e| e.term == term);
        let first_new = entries
            .iter_with_positions()
            .map(|(position, _)| position)
            .find(|position| !is_there(position.index.get(), position.term.get()));
        let last = entries.last_position().index.get();
        match first_new {
            Some(position) => Some(position.index.get()),
            // All are there, and more: the last is written again to cut off what follows it.
            None if self.log.last() > last => Some(last),
            None => None,
        }
    }

    /// How far the log that is written is noraft's own: what waits to be saved may replace its
    /// tail.
    pub(super) fn written(&self) -> Index {
        let waiting = self.node.actions().append_log_entries.as_ref();
        let from = waiting.and_then(|entries| self.changes_from(entries));
        from.map_or(self.log.last(), |from| from - 1)
    }

    /// Writes `entries` over what the log has after their first position.
    fn write_entries(&mut self, entries: &LogEntries, out: &mut Output<Message>) {
        let Some(from) = self.changes_from(entries) else {
            return;
        };
        self.show_configuration_before(from, out);
        for (position, entry) in entries.iter_with_positions() {
            let (index, term) = (position.index.get(), position.term.get());
            if index < from {
                continue;
            }
            let known = self.log.get(index).filter(|known| known.term == term);
            let data = known
                .map(|known| known.data.clone())
                .or_else(|| self.fresh.remove(&(index, term)));
            let whole = entries::entry(term, &entry, data);
            self.log.place(index, whole.clone());
            out.write(Record::Entry {
                index,
                entry: whole,
            });
            if let LogEntry::ClusterConfig(config) = entry {
                let configuration = messages::configuration(&config);
                self.shown.configuration = (index, config);
                out.observe(Observation::Configured {
                    index,
                    configuration,
                });
            }
        }
    }

    /// The node's messages as they leave, each with the data of its entries.
    fn addressed(&mut self, actions: Actions) -> Vec<Message> {
        let mut messages = Vec::new();
        if let Some(message) = actions.broadcast_message {
            let message = self.limited(message);
            for peer in self.node.peers() {
                messages.push(self.whole(messages::node(peer), message.clone()));
            }
        }
        for (to, message) in actions.send_messages {
            let message = self.limited(message);
            messages.push(self.whole(messages::node(to), message));
        }
        for to in actions.install_snapshots {
            let to = messages::node(to);
            // It may have stepped down since it asked for this, and then the snapshot would speak
            // for a leader that it is not.
            let leads = self.node.role().is_leader();
            // noraft asks again whenever the peer answers. One at a time is enough.
            if leads && self.sending.insert(to) {
                let snapshot = self.snapshot.clone();
                messages.push(Message::Snapshot {
                    to,
                    term: self.node.current_term().get(),
                    snapshot: snapshot.expect("a log that begins later follows a snapshot"),
                });
            }
        }
        messages
    }

    /// `message` with no more entries than may leave at once; the peer's answer brings the rest.
    fn limited(&self, mut message: noraft::Message) -> noraft::Message {
        if let noraft::Message::AppendEntriesCall { entries, .. } = &mut message {
            let before = entries.prev_position().index.get();
            let mut bytes = 0;
            let fits = |at: &u64| {
                bytes += self.log.get(*at).map_or(0, |entry| entry.data.len() as u64);
                *at == before + 1 || bytes <= self.max_size
            };
            let count = (before + 1..=entries.last_position().index.get())
                .take_while(fits)
                .count();
            entries.truncate(count);
        }
        message
    }

    fn whole(&self, to: NodeId, message: noraft::Message) -> Message {
        let content = match &message {
            noraft::Message::AppendEntriesCall { entries, .. } => entries
                .iter_with_positions()
                .map(|(position, _)| {
                    let entry = self.log.get(position.index.get());
                    let entry = entry.filter(|entry| entry.term == position.term.get());
                    entry.expect("a leader sends what it holds").data.clone()
                })
                .collect(),
            _ => Vec::new(),
        };
        let round = self.reads.round_for(to, &message);
        let agreed = match self.agreed {
            (term, leader, index) if (term, leader) == (message.term().get(), to) => index,
            _ => 0,
        };
        Message::Raft {
            label: messages::label_for(to, &message, agreed),
            message,
            content,
            round,
        }
    }

    pub(super) fn role(&self) -> Role {
        match self.node.role() {
            noraft::Role::Follower => Role::Follower,
            noraft::Role::Candidate => Role::Candidate,
            noraft::Role::Leader => Role::Leader,
        }
    }

    pub(super) fn show_role(&mut self, out: &mut Output<Message>) {
        let term = self.node.current_term().get();
        self.shown.reports.role(self.role(), term, out);
    }

    /// Reports the commit index, as far as `most`.
    pub(super) fn show_commit(&mut self, most: Index, out: &mut Output<Message>) {
        let index = self.node.commit_index().get().min(most);
        // What is held back for a while may be less than has been reported already.
        if most == Index::MAX || index > self.shown.reports.last_commit() {
            self.shown.reports.commit(index, out);
        }
    }

    /// How far the commit index goes by the configuration that was reported last. A leader begins
    /// the end of a joint one when that is committed, and counts what comes after it by the
    /// next one, which may still have to be saved.
    pub(super) fn told_so_far(&self) -> Index {
        match *self.node.config() == self.shown.configuration.1 {
            true => Index::MAX,
            false => self.shown.configuration.0,
        }
    }

    /// Reports the configuration in force, where the node has come to another one by
    /// cutting its log or by a snapshot.
    pub(super) fn show_configuration(&mut self, out: &mut Output<Message>) {
        if *self.node.config() != self.shown.configuration.1 {
            self.show_configuration_before(Index::MAX, out);
        }
    }

    /// Reports the configuration in force before the entry at `end`, if that is another.
    fn show_configuration_before(&mut self, end: Index, out: &mut Output<Message>) {
        if end != Index::MAX && self.shown.configuration.0 < end {
            return;
        }
        let entries = self.node.log().entries();
        let first = entries.prev_position().index.get();
        let last = entries.last_position().index.get().min(end - 1);
        let held = (first + 1..=last).rev().find_map(|index| {
            match entries.get_entry(LogIndex::new(index)) {
                Some(LogEntry::ClusterConfig(config)) => Some((index, config)),
                _ => None,
            }
        });
        let (index, config) =
            held.unwrap_or_else(|| (first, self.node.log().snapshot_config().clone()));
        let configuration = messages::configuration(&config);
        self.shown.configuration = (index, config);
        out.observe(Observation::Configured {
            index,
            configuration,
        });
    }

    /// Reports, after a start, each configuration that the log holds.
    pub(super) fn show_recovered_configurations(&mut self, out: &mut Output<Message>) {
        let entries = self.node.log().entries();
        for (position, entry) in entries.iter_with_positions() {
            if let LogEntry::ClusterConfig(config) = entry {
                let index = position.index.get();
                let configuration = messages::configuration(&config);
                self.shown.configuration = (index, config);
                out.observe(Observation::Configured {
                    index,
                    configuration,
                });
            }
        }
    }
}
