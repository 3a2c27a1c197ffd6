//! What the driver does with what is committed: it applies it to the service,
//! now or later, installs snapshots from leaders, and takes its own.

use noraft::LogIndex;

use super::driver::NoraftNode;
use super::messages::{self, Message};
use squall_core::ids::{Index, NodeId, Term};
use squall_core::replica::{Observation, Output, SyncId};
use squall_core::storage::{EntryKind, Record, Snapshot};

/// Bytes that an entry takes in the log beside its data, as the driver counts growth.
const ENTRY_OVERHEAD: u64 = 24;

/// Work for the state machine.
pub(super) struct Backlog {
    due_us: u64,
    work: Work,
}

enum Work {
    Apply(Index),
    Install(Snapshot),
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

impl NoraftNode {
    /// Hands what is newly committed to the state machine, at once or when it is due.
    pub(super) fn commit(&mut self, now_us: u64, out: &mut Output<Message>) {
        let new = self.scheduled + 1..=self.shown.reports.last_commit();
        self.scheduled = self.scheduled.max(self.shown.reports.last_commit());
        let due_us = now_us + self.options.apply_lag_us;
        for index in new {
            match due_us == now_us && self.backlog.is_empty() {
                true => self.apply(index, now_us, out),
                false => self.backlog.push_back(Backlog {
                    due_us,
                    work: Work::Apply(index),
                }),
            }
        }
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
                Work::Apply(index) => self.apply(index, now_us, out),
                Work::Install(snapshot) => {
                    let index = snapshot.index;
                    let whole = self.machine.service.restore(&snapshot.data);
                    assert!(whole, "snapshots arrive whole");
                    self.shown.applied = index;
                    let state = self.machine.service.state();
                    out.observe(Observation::Installed { index, state });
                }
            }
        }
    }

    fn apply(&mut self, index: Index, now_us: u64, out: &mut Output<Message>) {
        let entry = self.log.get(index).expect("committed, and not compacted");
        self.shown.applied = index;
        self.grown_bytes += entry.data.len() as u64 + ENTRY_OVERHEAD;
        let command: &[u8] = match entry.kind {
            EntryKind::Normal => &entry.data,
            // What it says is not for the service, which might take it for a command.
            EntryKind::Configuration(_) => &[],
        };
        self.machine.apply(index, command, out);
        if self.grown_bytes >= self.options.snapshot_every_bytes {
            self.begin_own_snapshot(now_us, out);
        }
    }

    /// Takes a snapshot of the state machine as it is now, if none is under way.
    fn begin_own_snapshot(&mut self, now_us: u64, out: &mut Output<Message>) {
        let index = self.shown.applied;
        let newest = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        if self.own_snapshot.is_some() || index <= newest {
            return;
        }
        let log = self.node.log();
        let Some((position, config)) = log.get_position_and_config(LogIndex::new(index)) else {
            return;
        };
        let snapshot = Snapshot {
            index,
            term: position.term.get(),
            configuration: messages::configuration(config),
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

    /// Writes its own snapshot once it is built, and compacts the log once it is durable.
    #[inline]
    pub(super) fn poll_snapshot(&mut self, now_us: u64, out: &mut Output<Message>) {
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
            self.compact(own.snapshot, out);
            return;
        }
        let index = own.snapshot.index;
        out.write(Record::Snapshot(Box::new(own.snapshot.clone())));
        out.observe(Observation::SnapshotTaken { index });
        own.stage = Stage::Syncing(self.sync(out));
        self.own_snapshot = Some(own);
    }

    /// Its own snapshot is durable: the log before it may go, but for what is kept for
    /// peers that lag a little.
    fn compact(&mut self, snapshot: Snapshot, out: &mut Output<Message>) {
        let through = snapshot.index.saturating_sub(self.options.keep_entries);
        self.snapshot = Some(snapshot);
        let log = self.node.log();
        if through <= log.snapshot_position().index.get() {
            return;
        }
        let held = log.get_position_and_config(LogIndex::new(through));
        let (position, config) = held.expect("applied, and not compacted");
        let config = config.clone();
        let taken = self.node.handle_snapshot_installed(position, config);
        assert!(taken, "noraft refuses a snapshot of its own log");
        self.log.drop_through(through);
        out.write(Record::LogCompact { through });
    }

    /// A leader's snapshot has come. One that is of use is made durable first.
    pub(super) fn receive_snapshot(
        &mut self,
        leader: NodeId,
        term: Term,
        snapshot: Snapshot,
        out: &mut Output<Message>,
    ) {
        let node = &self.node;
        let useful = term == node.current_term().get()
            && !node.role().is_leader()
            && snapshot.index > node.commit_index().get();
        if useful {
            out.write(Record::Snapshot(Box::new(snapshot.clone())));
            // Nothing leaves before it is there.
            self.agree(term, leader, snapshot.index);
            self.wait_to_install(snapshot, out);
        }
    }

    /// A leader's snapshot is durable: the log up to it is given up, and all of it where
    /// it does not hold the snapshot's position.
    pub(super) fn install(&mut self, snapshot: Snapshot, now_us: u64, out: &mut Output<Message>) {
        let index = snapshot.index;
        let position = messages::position(snapshot.term, index);
        let goes_on = self.node.log().entries().contains(position);
        let config = messages::cluster_config(&snapshot.configuration);
        let taken = self.node.handle_snapshot_installed(position, config);
        assert!(taken, "noraft refuses a snapshot ahead of its commit index");
        match goes_on {
            true => {
                self.log.drop_through(index);
                out.write(Record::LogCompact { through: index });
            }
            false => {
                self.log.restart_at(index + 1);
                out.write(Record::LogReset { next: index + 1 });
            }
        }
        self.show_configuration(out);
        self.snapshot = Some(snapshot.clone());
        self.own_snapshot = None;
        self.grown_bytes = 0;
        // What was committed before and not applied is in the snapshot.
        self.backlog.clear();
        self.scheduled = index;
        self.backlog.push_back(Backlog {
            due_us: now_us + self.options.snapshot_install_us,
            work: Work::Install(snapshot),
        });
        self.wait_to_send(Vec::new(), out);
    }
}
