//! What servers tell of themselves, each thing as the checks have it.

use bytes::Bytes;

use super::Started;
use super::observed_state::{Stage, Told};
use super::probe::SyncPoint;
use super::shadow_disk;
use squall_core::counters::Counter;
use squall_core::engine::Weight;
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::invariants::{ClusterView, NodeView, Violation, breach};
use squall_core::replica::{Label, Observation};
use squall_core::storage::{Entry, HardState, Record, Snapshot};

impl Stage {
    pub(super) fn started(&mut self, node: NodeId, started: &Started) -> Told {
        let at = node.position();
        self.say(Some(node), Weight::Notable, || {
            format!(
                "reads its disk: term {}, log after {} to {}, snapshot at {}",
                started.term,
                started.log_start,
                started.last(),
                started.snapshot.0
            )
        });
        self.note(node, 1, [started.term, started.last()]);
        let had = self.disks[at].durable().log.last();
        self.shadows[at].recover(&mut self.disks[at], started);
        let kept = self.disks[at].durable().log.last();
        self.counters.add(Counter::WriteKept, (kept > had).into());
        let incarnation = self.views[at].incarnation;
        self.counters
            .add(Counter::Restart, (incarnation > 0).into());
        self.views[at] = NodeView::booting(self.disks[at].durable(), incarnation);
        let (index, term) = started.snapshot;
        let untold = index > self.disks[at].durable().snapshot_index();
        if untold {
            // It was durable before the server could say so.
            self.take_snapshot(node, index, term)?;
            let kept = self.disks[at].durable();
            let cleared = started.entries.is_empty() && started.log_start == index;
            if !kept.is_contiguous() || (cleared && kept.log.last() != index) {
                self.write(node, Record::LogReset { next: index + 1 })?;
            }
            self.synced_all(node);
        }
        self.observe(
            node,
            &Observation::Started {
                term: started.term,
                vote: started.vote,
                last: started.last(),
                commit: started.commit,
                applied: index,
                state: started.state,
                configuration: self.configuration,
            },
        )?;
        let read = HardState {
            term: started.term,
            vote: started.vote,
        };
        if read != self.disks[at].durable().hard {
            // It became durable before the server could say so.
            self.write(node, Record::HardState(read))?;
            self.synced_all(node);
        }
        while let Some(index) = shadow_disk::differs(self.disks[at].durable(), started) {
            if !untold || index <= self.disks[at].durable().log.last() {
                let breach = breach::Monotonic::RestartedWithEntry { index };
                return Err(Violation::by(node, breach));
            }
            // It came with the snapshot, and became durable with it.
            let entry = started.entries[(index - started.log_start - 1) as usize].clone();
            self.write(node, Record::Entry { index, entry })?;
            self.synced_all(node);
        }
        Ok(())
    }

    fn take_snapshot(&mut self, node: NodeId, index: Index, term: Term) -> Told {
        let snapshot = Snapshot {
            index,
            term,
            configuration: self.configuration,
            data: Bytes::new(),
        };
        self.write(node, Record::Snapshot(Box::new(snapshot)))?;
        self.synced_all(node);
        Ok(())
    }

    pub(super) fn role(&mut self, node: NodeId, role: Role, term: Term) -> Told {
        self.note(node, 2, [role as u64, term]);
        self.say(Some(node), Weight::Notable, || {
            format!("is {role} in term {term}")
        });
        self.observe(node, &Observation::Role { role, term })
    }

    pub(super) fn voted(&mut self, node: NodeId, term: Term, vote: Option<NodeId>) -> Told {
        self.note(node, 3, [term, vote.map_or(0, |vote| vote.0.into())]);
        self.say(Some(node), Weight::Routine, || {
            let vote = vote.map_or("nobody".to_owned(), |vote| vote.to_string());
            format!("writes term {term} and a vote for {vote}")
        });
        self.write(node, Record::HardState(HardState { term, vote }))
    }

    pub(super) fn appended(&mut self, node: NodeId, index: Index, entry: &Entry) -> Told {
        self.note(node, 4, [index, entry.term]);
        self.say(Some(node), Weight::Routine, || {
            format!("writes entry {index} of term {}", entry.term)
        });
        let at = node.position();
        self.overwrote[at] |= index <= self.views[at].last();
        let entry = entry.clone();
        self.write(node, Record::Entry { index, entry })
    }

    pub(super) fn sync_begins(&self, node: NodeId) -> SyncPoint {
        SyncPoint(self.disks[node.position()].begin_sync())
    }

    pub(super) fn synced(&mut self, node: NodeId, point: SyncPoint) -> Told {
        self.note(node, 5, [0, 0]);
        self.say(Some(node), Weight::Routine, || {
            "has synced its disk".to_owned()
        });
        self.counters.hit(Counter::SyncDone);
        let at = node.position();
        self.shadows[at].synced(&mut self.disks[at], point.0);
        Ok(())
    }

    pub(super) fn sent(&mut self, node: NodeId, label: &Label) -> Told {
        self.note(node, 10, [label.kind as u64, label.term]);
        self.say(Some(node), Weight::Routine, || {
            format!(
                "sends {} of term {} to {}",
                label.kind.words(),
                label.term,
                label.to
            )
        });
        self.counters.hit(Counter::MessageSent);
        self.count_message(node, label);
        let cluster_view = ClusterView {
            nodes: &self.views,
            disks: &self.disks,
        };
        self.checks.sent(cluster_view, node, label)
    }

    /// Faults may wait for this message. What they do to it, they do to what is next on its link.
    fn count_message(&mut self, from: NodeId, label: &Label) {
        let (to, kind) = (label.to, label.kind);
        if to.position() >= self.views.len() || !self.triggers.watches(from, to, kind) {
            return;
        }
        let mut due = Vec::new();
        self.triggers.message(from, to, kind, &mut due);
        due.retain(|number| {
            let tampering = self.plan.faults[*number].what.on_message();
            if let Some(tampering) = tampering {
                self.network
                    .tamper(from.position(), to.position(), tampering);
            }
            tampering.is_none()
        });
        self.strike(due, None);
    }

    pub(super) fn committed(&mut self, node: NodeId, index: Index) -> Told {
        self.note(node, 6, [index, 0]);
        self.say(Some(node), Weight::Routine, || {
            format!("knows {index} committed")
        });
        self.observe(node, &Observation::Committed { index })
    }

    pub(super) fn applied(&mut self, node: NodeId, index: Index, state: u64) -> Told {
        self.note(node, 7, [index, state]);
        self.say(Some(node), Weight::Routine, || {
            format!("applies entry {index}")
        });
        self.observe(node, &Observation::Applied { index, state })
    }

    pub(super) fn compacted(
        &mut self,
        node: NodeId,
        (index, term): (Index, Term),
        log_start: Index,
    ) -> Told {
        self.note(node, 8, [index, log_start]);
        self.say(Some(node), Weight::Notable, || {
            format!("takes a snapshot at {index}, and drops its log to {log_start}")
        });
        self.take_snapshot(node, index, term)?;
        self.write(node, Record::LogCompact { through: log_start })?;
        self.synced_all(node);
        self.observe(node, &Observation::SnapshotTaken { index })?;
        self.forget();
        Ok(())
    }

    pub(super) fn installed(
        &mut self,
        node: NodeId,
        (index, term): (Index, Term),
        state: u64,
    ) -> Told {
        self.note(node, 9, [index, state]);
        self.say(Some(node), Weight::Notable, || {
            format!("installs a snapshot at {index}")
        });
        self.take_snapshot(node, index, term)?;
        self.write(node, Record::LogReset { next: index + 1 })?;
        self.synced_all(node);
        if index > self.views[node.position()].commit {
            self.observe(node, &Observation::Committed { index })?;
        }
        self.observe(node, &Observation::Installed { index, state })?;
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        let cluster_view = ClusterView {
            nodes: &self.views,
            disks: &self.disks,
        };
        self.checks.forget(cluster_view);
    }
}
