//! Snapshots of a node: those that it takes of its own state machine, and those that come with
//! messages.

use super::{Parcel, ProcessNode};
use crate::request::Told;
use squall_core::configuration::Configuration;
use squall_core::ids::Index;
use squall_core::replica::{LibraryEvent, Observation, Output, SyncId};
use squall_core::storage::{Record, Snapshot};

/// A snapshot of its own on its way to the disk.
pub(super) struct OwnSnapshot {
    pub(super) snapshot: Box<Snapshot>,
    pub(super) sync: SyncId,
    pub(super) is_durable: bool,
}

impl ProcessNode {
    pub(super) fn term_at(&self, index: Index) -> Option<u64> {
        match self.log.get(index) {
            Some(entry) => Some(entry.term),
            None if index + 1 == self.log.first() => Some(self.term_before),
            None => None,
        }
    }

    /// The node goes by `configuration` from now on, because of the entry at `index`. Entries from
    /// there on that had brought others are gone.
    pub(super) fn goes_by(&mut self, index: Index, configuration: Configuration) {
        let before = self.configurations.partition_point(|(at, _)| *at < index);
        self.configurations.truncate(before);
        self.configurations.push((index, configuration));
    }

    /// The configuration that is in force where all up to `index` is applied and no more: a library
    /// may go by one before its entry is applied, and a snapshot may not.
    fn configuration_at(&mut self, index: Index) -> Configuration {
        let known = self.configurations.partition_point(|(at, _)| *at <= index);
        self.configurations.drain(..known.saturating_sub(1));
        self.configurations[0].1
    }

    /// Takes a snapshot that a peer wants.
    pub(super) fn make_wanted(&mut self, out: &mut Output<Parcel>) {
        out.observe(Observation::Did(LibraryEvent::SnapshotWanted));
        self.begin_snapshot(out);
    }

    /// Takes a snapshot of the state machine as it is now, if none is under way.
    pub(super) fn begin_snapshot(&mut self, out: &mut Output<Parcel>) {
        let index = self.applied;
        let newest = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        let Some(term) = self.term_at(index) else {
            return;
        };
        if self.own_snapshot.is_some() || index <= newest {
            return;
        }
        self.grown_bytes = 0;
        let snapshot = Box::new(Snapshot {
            index,
            term,
            configuration: self.configuration_at(index),
            data: self.machine.snapshot(&self.link, self.id),
        });
        out.write(Record::Snapshot(snapshot.clone()));
        out.observe(Observation::SnapshotTaken { index });
        self.own_snapshot = Some(OwnSnapshot {
            snapshot,
            sync: self.sync(out),
            is_durable: false,
        });
    }

    /// Its own snapshot is durable: the log before it goes.
    pub(super) fn compact(&mut self, now_us: u64, out: &mut Output<Parcel>) {
        let Some(own) = self.own_snapshot.take() else {
            return;
        };
        let mut through = own.snapshot.index.saturating_sub(self.keep_entries);
        if through >= self.log.first() {
            self.drop_through(through);
            out.write(Record::LogCompact { through });
        } else {
            through = 0;
        }
        self.snapshot = Some(own.snapshot.clone());
        let snapshot = own.snapshot;
        self.tell(now_us, &mut [Told::Compacted { through, snapshot }], out);
    }

    pub(super) fn drop_through(&mut self, through: Index) {
        if let Some(entry) = self.log.get(through) {
            self.term_before = entry.term;
        }
        self.log.drop_through(through);
    }

    pub(super) fn save_snapshot(&mut self, index: Index, out: &mut Output<Parcel>) {
        let Some(snapshot) = self.arrived.iter().find(|one| one.index == index) else {
            self.nonsense(&format!(
                "saves the snapshot at {index}, which has not come"
            ));
        };
        out.write(Record::Snapshot(Box::new(snapshot.clone())));
    }

    pub(super) fn install_snapshot(&mut self, index: Index, out: &mut Output<Parcel>) {
        let newest = self
            .snapshot
            .as_ref()
            .filter(|newest| newest.index == index);
        let Some(snapshot) = newest else {
            self.nonsense(&format!(
                "installs the snapshot at {index}, which its log does not begin after"
            ));
        };
        let state = self.machine.restore(&self.link, self.id, &snapshot.data);
        self.applied = index;
        out.observe(Observation::Installed { index, state });
        self.serve_reads(out);
    }
}
