//! Which faults are due: at a time, at a node's nth sync, of all or of those that overwrite
//! entries, at its nth election or another milestone, at a link's nth message.

use crate::ids::{NodeId, Role};
use crate::plan::{Fault, Milestone, When};
use crate::replica::{MessageKind, Observation};

/// Faults that wait for an ordinal event.
pub struct Triggers {
    syncs: Vec<(NodeId, u32, usize)>,
    overwrites: Vec<(NodeId, u32, usize)>,
    milestones: Vec<Ahead>,
    messages: Vec<Awaited>,
    /// Per link: the kinds of message that some fault waits for, one bit each.
    watched: Vec<u16>,
    nodes: usize,
}

struct Awaited {
    from: NodeId,
    to: NodeId,
    kind: MessageKind,
    /// Messages still to come, the one that triggers included.
    left: u32,
    fault: usize,
}

struct Ahead {
    node: NodeId,
    milestone: Milestone,
    /// Times still to come, the one that triggers included.
    left: u32,
    fault: usize,
}

impl Triggers {
    /// Nothing has happened yet of what faults wait for, among so many nodes.
    pub fn new(faults: &[Fault], nodes: usize) -> Self {
        let mut triggers = Self {
            syncs: Vec::new(),
            overwrites: Vec::new(),
            milestones: Vec::new(),
            messages: Vec::new(),
            watched: vec![0; nodes * nodes],
            nodes,
        };
        for (number, fault) in faults.iter().enumerate() {
            match fault.when {
                When::AtUs(_) => {}
                When::Sync { node, nth } => triggers.syncs.push((node, nth, number)),
                When::Overwrite { node, nth } => triggers.overwrites.push((node, nth, number)),
                When::Milestone {
                    node,
                    milestone,
                    nth,
                } => triggers.milestones.push(Ahead {
                    node,
                    milestone,
                    left: nth,
                    fault: number,
                }),
                When::Message {
                    from,
                    to,
                    kind,
                    nth,
                } => {
                    let left = nth;
                    triggers.messages.push(Awaited {
                        from,
                        to,
                        kind,
                        left,
                        fault: number,
                    });
                }
            }
        }
        triggers.watch();
        triggers
    }

    fn watch(&mut self) {
        self.watched.fill(0);
        for awaited in &self.messages {
            let link = awaited.from.position() * self.nodes + awaited.to.position();
            self.watched[link] |= 1 << awaited.kind as u16;
        }
    }

    /// The storm is over: nothing waits any more.
    pub fn disarm(&mut self) {
        self.syncs.clear();
        self.overwrites.clear();
        self.milestones.clear();
        self.messages.clear();
        self.watched.fill(0);
    }

    /// Whether some fault waits for a sync, of any kind.
    #[inline(always)]
    pub fn await_syncs(&self) -> bool {
        !self.syncs.is_empty() || !self.overwrites.is_empty()
    }

    /// Adds to `due` the faults that wait for this node's `nth` sync.
    pub fn sync(&mut self, node: NodeId, nth: u32, due: &mut Vec<usize>) {
        take_due(&mut self.syncs, node, nth, due);
    }

    /// Whether some fault waits for entries to be overwritten.
    #[inline(always)]
    pub(super) fn await_overwrites(&self) -> bool {
        !self.overwrites.is_empty()
    }

    /// Adds to `due` the faults that wait for this node's `nth` sync after it overwrote entries.
    pub fn overwrite(&mut self, node: NodeId, nth: u32, due: &mut Vec<usize>) {
        take_due(&mut self.overwrites, node, nth, due);
    }

    /// Whether some fault waits for a milestone.
    #[inline(always)]
    pub fn await_milestones(&self) -> bool {
        !self.milestones.is_empty()
    }

    /// Adds to `due` the faults that wait for what this node reports.
    #[cold]
    pub fn reported(&mut self, node: NodeId, seen: &Observation, due: &mut Vec<usize>) {
        let milestone = match seen {
            Observation::Role { role, .. } => match role {
                Role::Candidate => Milestone::Candidate,
                Role::Leader => Milestone::Leader,
                Role::Follower | Role::PreCandidate => return,
            },
            Observation::Installed { .. } => Milestone::Installed,
            Observation::Configured { .. } => Milestone::Configured,
            _ => return,
        };
        self.milestones.retain_mut(|ahead| {
            if (ahead.node, ahead.milestone) != (node, milestone) {
                return true;
            }
            ahead.left -= 1;
            if ahead.left == 0 {
                due.push(ahead.fault);
            }
            ahead.left > 0
        });
    }

    /// Whether some fault waits for messages of this kind on this link.
    #[inline(always)]
    pub fn watches(&self, from: NodeId, to: NodeId, kind: MessageKind) -> bool {
        !self.messages.is_empty() && {
            let link = from.position() * self.nodes + to.position();
            self.watched[link] & (1 << kind as u16) != 0
        }
    }

    /// Adds to `due` the faults that wait for this message.
    pub fn message(&mut self, from: NodeId, to: NodeId, kind: MessageKind, due: &mut Vec<usize>) {
        self.messages.retain_mut(|awaited| {
            if (awaited.from, awaited.to, awaited.kind) == (from, to, kind) {
                awaited.left -= 1;
                if awaited.left == 0 {
                    due.push(awaited.fault);
                    return false;
                }
            }
            true
        });
        self.watch();
    }
}

/// Moves to `due` the faults that wait for this node's `nth` sync.
fn take_due(waiting: &mut Vec<(NodeId, u32, usize)>, node: NodeId, nth: u32, due: &mut Vec<usize>) {
    waiting.retain(|(whose, which, fault)| {
        let is_due = (*whose, *which) == (node, nth);
        if is_due {
            due.push(*fault);
        }
        !is_due
    });
}
