//! What the driver does with what is committed: it applies it to the service,
//! now or later, installs snapshots from leaders, and takes its own.

use raft::eraftpb::{
    ConfChange, ConfChangeV2, Entry as RaftEntry, EntryType, Message, Snapshot as RaftSnapshot,
};

use super::codec;
use super::driver::RaftNode;
use super::messages;
use super::reproduction::Note;
use super::store::Backend;
use squall_core::configuration::{Change, Refused};
use squall_core::ids::Index;
use squall_core::replica::{LibraryEvent, Observation, Output, SyncId};
use squall_core::storage::{Record, Snapshot};

/// Bytes that an entry takes in the log beside its data, as the driver counts growth.
const ENTRY_OVERHEAD: u64 = 24;

/// Work for the state machine.
pub(super) struct Backlog {
    pub(super) due_us: u64,
    pub(super) work: Work,
}

pub(super) enum Work {
    Apply(RaftEntry),
    Install(RaftSnapshot),
}

/// A snapshot of its own, from its making to its being durable.
pub(super) struct OwnSnapshot {
    snapshot: Snapshot,
    stage: Stage,
}

enum Stage {
    /// The state machine builds it until then.
    Building {
        due_us: u64,
    },
    /// It is on its way to the disk.
    Syncing(SyncId),
    Durable,
}

impl OwnSnapshot {
    /// Syncs up to and including `sync` are done.
    pub(super) fn synced(&mut self, sync: SyncId) {
        if matches!(self.stage, Stage::Syncing(awaited) if awaited <= sync) {
            self.stage = Stage::Durable;
        }
    }
}

impl<S: Backend> RaftNode<S> {
    /// Hands committed entries to the state machine, at once or when they are due.
    pub(super) fn commit(
        &mut self,
        entries: Vec<RaftEntry>,
        now_us: u64,
        out: &mut Output<Message>,
    ) {
        let due_us = now_us + self.options.apply_lag_us;
        if due_us == now_us && self.backlog.is_empty() {
            let Some(last) = entries.last().map(|entry| entry.index) else {
                return;
            };
            for entry in &entries {
                self.apply(entry, out);
            }
            self.applied_to(last, now_us, out);
            return;
        }
        self.defer(entries, due_us);
    }

    /// Whether these entries must wait until their ready is acknowledged: when a change
    /// is applied, a leader may append the entry that leaves a joint configuration, and the
    /// library holds that against a ready that it has handed out before.
    #[inline]
    pub(super) fn must_wait(&self, entries: &[RaftEntry]) -> bool {
        let changes = |entry: &RaftEntry| entry.get_entry_type() != EntryType::EntryNormal;
        !self.switches.apply_changes_early
            && (self.raw.store().held().conf.auto_leave || entries.iter().any(changes))
    }

    /// Puts entries into the backlog.
    pub(super) fn defer(&mut self, entries: Vec<RaftEntry>, due_us: u64) {
        let backlog = |entry| Backlog {
            due_us,
            work: Work::Apply(entry),
        };
        self.backlog.extend(entries.into_iter().map(backlog));
    }

    /// Does the state machine's work that is due.
    #[inline]
    pub(super) fn drain_backlog(&mut self, now_us: u64, out: &mut Output<Message>) {
        if self.backlog.is_empty() {
            return;
        }
        // Nothing waits longer than this: where it seems to, the clock has jumped back.
        let longest_us = self
            .options
            .apply_lag_us
            .max(self.options.snapshot_install_us);
        let due = |next: &Backlog| next.due_us <= now_us || next.due_us > now_us + longest_us;
        while self.backlog.front().is_some_and(due) {
            let Some(Backlog { work, .. }) = self.backlog.pop_front() else {
                return;
            };
            match work {
                Work::Apply(entry) => {
                    self.apply(&entry, out);
                    self.applied_to(entry.index, now_us, out);
                }
                Work::Install(snapshot) => {
                    let index = snapshot.get_metadata().index;
                    assert!(
                        self.machine.service.restore(&snapshot.data),
                        "snapshots arrive whole"
                    );
                    self.applied = index;
                    let state = self.machine.service.state();
                    out.observe(Observation::Installed { index, state });
                    if !self.applies_when_durable() {
                        let conf = snapshot.get_metadata().get_conf_state();
                        out.observe(Observation::Configured {
                            index,
                            configuration: messages::configuration(conf),
                        });
                        self.raw.mut_store().note(|| Note::Apply);
                        self.raw.advance_apply_to(index);
                        self.show_role(out);
                    }
                    self.serve_reads(out);
                }
            }
        }
    }

    fn apply(&mut self, entry: &RaftEntry, out: &mut Output<Message>) {
        self.raw.mut_store().note(|| Note::Apply);
        self.applied = entry.index;
        self.grown_bytes += entry.data.len() as u64 + ENTRY_OVERHEAD;
        match entry.get_entry_type() {
            EntryType::EntryNormal => self.machine.apply(entry.index, &entry.data, out),
            // What it says is not for the service, which might take it for a command.
            _ => {
                self.apply_change(entry, out);
                self.machine.apply(entry.index, &[], out);
            }
        }
    }

    /// A change of the configuration takes effect when it is applied. One that
    /// does not fit is skipped, by every node alike.
    fn apply_change(&mut self, entry: &RaftEntry, out: &mut Output<Message>) {
        // What is committed so far was committed by the configuration before.
        self.show_commit(out);
        let content = "proposed by a node of this kind";
        let before = messages::configuration(&self.raw.store().held().conf);
        let (asked, applied) = match entry.get_entry_type() {
            EntryType::EntryConfChange => {
                let change: ConfChange = codec::parse(&entry.data).expect(content);
                let step = messages::step(change.node_id, change.get_change_type());
                (Change::of(step), self.raw.apply_conf_change(&change))
            }
            _ => {
                let change: ConfChangeV2 = codec::parse(&entry.data).expect(content);
                (
                    messages::change(&change),
                    self.raw.apply_conf_change(&change),
                )
            }
        };
        let named: Vec<u64> = asked.steps.iter().map(|step| step.node.0.into()).collect();
        let done = applied.as_ref().map(messages::configuration);
        let is_wrong = match before.after(&asked) {
            Ok(asked) => !done.is_ok_and(|done| done == asked),
            // These a leader refuses, and it has applied all changes before.
            Err(refused) => matches!(refused, Refused::Joint | Refused::NotJoint),
        };
        if is_wrong {
            out.observe(Observation::Did(LibraryEvent::ChangedOtherwise));
        }
        match applied {
            Ok(conf) => {
                let configuration = messages::configuration(&conf);
                self.raw.mut_store().set_conf(conf);
                out.observe(Observation::Configured {
                    index: entry.index,
                    configuration,
                });
                let (term, votes) = (self.raw.raft.term, configuration.electors());
                if !self.switches.lead_when_removed && !votes.has(self.id) {
                    self.raw.raft.become_follower(term, raft::INVALID_ID);
                }
                self.contract.configured(&self.raw, &named);
                // Not before: a leader may commit by this, and must not when it is removed.
                self.assign_groups();
                self.show_role(out);
            }
            Err(_) => out.observe(Observation::Did(LibraryEvent::SkippedChange)),
        }
    }

    fn applied_to(&mut self, index: Index, now_us: u64, out: &mut Output<Message>) {
        self.raw.advance_apply_to(index);
        self.serve_reads(out);
        if self.grown_bytes >= self.options.snapshot_every_bytes {
            self.begin_own_snapshot(now_us, out);
        }
    }

    /// Takes a snapshot of the state machine as it is now, if none is under way.
    fn begin_own_snapshot(&mut self, now_us: u64, out: &mut Output<Message>) {
        let index = self.applied;
        if self.own_snapshot.is_some() || index <= self.raw.store().held().snapshot_index() {
            return;
        }
        let store = self.raw.store();
        let term = raft::Storage::term(store, index).expect("just applied");
        let snapshot = Snapshot {
            index,
            term,
            configuration: messages::configuration(&store.held().conf),
            data: self.machine.service.encode(),
        };
        self.grown_bytes = 0;
        let due_us = now_us + self.options.snapshot_build_us;
        self.own_snapshot = Some(OwnSnapshot {
            snapshot,
            stage: Stage::Building { due_us },
        });
        self.poll_snapshot(now_us, out);
    }

    /// Writes its own snapshot once it is built, compacts the log once it is
    /// durable, and begins one that a peer waits for.
    #[inline]
    pub(super) fn poll_snapshot(&mut self, now_us: u64, out: &mut Output<Message>) {
        if self.own_snapshot.is_none() {
            if self.raw.store().held().wanted.take() {
                out.observe(Observation::Did(LibraryEvent::SnapshotWanted));
                self.begin_own_snapshot(now_us, out);
            }
            return;
        }
        let longest_us = self.options.snapshot_build_us;
        let built = |own: &mut OwnSnapshot| match own.stage {
            // Where it seems to take longer, the clock has jumped back.
            Stage::Building { due_us } => due_us <= now_us || due_us > now_us + longest_us,
            Stage::Syncing(_) => false,
            Stage::Durable => true,
        };
        let Some(mut own) = self.own_snapshot.take_if(built) else {
            return;
        };
        if let Stage::Durable = own.stage {
            self.compact(&own.snapshot, out);
            return;
        }
        let index = own.snapshot.index;
        out.write(Record::Snapshot(Box::new(own.snapshot.clone())));
        out.observe(Observation::SnapshotTaken { index });
        own.stage = Stage::Syncing(self.sync(out));
        self.own_snapshot = Some(own);
    }

    fn compact(&mut self, snapshot: &Snapshot, out: &mut Output<Message>) {
        let through = snapshot.index.saturating_sub(self.options.keep_entries);
        let store = self.raw.mut_store();
        store.keep_snapshot(messages::snapshot(snapshot));
        if through >= store.held().log.first() {
            store.compact(through);
            out.write(Record::LogCompact { through });
        }
    }

    /// Hands over entries that the library asked for while they were not at hand: no more
    /// at a time than inputs are stepped before a ready. Returns how many times.
    #[inline]
    pub(super) fn finish_fetches(&mut self, now_us: u64, out: &mut Output<Message>) -> u32 {
        if self.options.fetch_us == 0 {
            return 0;
        }
        for context in self.raw.store().held().asked.take() {
            out.observe(Observation::Did(LibraryEvent::FetchBegun));
            self.fetching
                .push_back((now_us + self.options.fetch_us, context));
        }
        let longest_us = self.options.fetch_us;
        let due = |at_us: u64| at_us <= now_us || at_us > now_us + longest_us;
        let mut done = 0;
        while done < self.options.inputs_per_ready
            && self.fetching.front().is_some_and(|(at_us, _)| due(*at_us))
            && let Some((_, context)) = self.fetching.pop_front()
        {
            self.raw.mut_store().held_mut().fetches = false;
            self.raw.on_entries_fetched(context);
            self.raw.mut_store().held_mut().fetches = true;
            out.observe(Observation::Did(LibraryEvent::FetchDone));
            done += 1;
        }
        done
    }
}
