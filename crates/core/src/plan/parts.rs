//! The parts of a fault that can be changed for themselves: its spans of time, its ordinal, and
//! the nodes that it is about. For whoever makes other plans out of plans.

use super::{Fault, What, When};
use crate::ids::NodeId;
use crate::operator::Admin;

impl What {
    /// Its spans of time, in microseconds.
    pub fn spans(&mut self) -> Vec<&mut u64> {
        match self {
            What::Crash { down_us, .. } => vec![down_us],
            What::Pause { for_us, .. }
            | What::Cut { for_us, .. }
            | What::Split { for_us, .. }
            | What::IsolateLeader { for_us, .. }
            | What::Trouble { for_us, .. }
            | What::Burst { for_us, .. }
            | What::FullDisk { for_us, .. }
            | What::Drift { for_us, .. } => vec![for_us],
            What::SlowNode {
                extra_us, for_us, ..
            } => vec![extra_us, for_us],
            What::SlowDisk {
                sync_us, for_us, ..
            } => vec![sync_us, for_us],
            What::DuplicateMessage { after_us } => vec![after_us],
            What::DelayMessage { by_us } => vec![by_us],
            What::LoseMessage
            | What::FailSync { .. }
            | What::Rot { .. }
            | What::Jump { .. }
            | What::Change { .. }
            | What::Ask { .. } => Vec::new(),
        }
    }

    /// The nodes that it is about.
    pub fn nodes(&mut self) -> Vec<&mut NodeId> {
        match self {
            What::Crash { node, .. }
            | What::Pause { node, .. }
            | What::SlowNode { node, .. }
            | What::SlowDisk { node, .. }
            | What::FailSync { node }
            | What::FullDisk { node, .. }
            | What::Rot { node, .. }
            | What::Jump { node, .. }
            | What::Drift { node, .. } => vec![node],
            What::Cut { from, to, .. }
            | What::Trouble { from, to, .. }
            | What::Burst { from, to, .. } => from.iter_mut().chain(to).collect(),
            What::Split { side, .. } => side.iter_mut().collect(),
            What::IsolateLeader { bridges, .. } => bridges.iter_mut().collect(),
            What::LoseMessage | What::DuplicateMessage { .. } | What::DelayMessage { .. } => {
                Vec::new()
            }
            What::Change { change, .. } => {
                change.steps.iter_mut().map(|step| &mut step.node).collect()
            }
            What::Ask { node, admin } => {
                let asked = node.iter_mut();
                match admin {
                    Admin::TransferLeader { to } => asked.chain([to]).collect(),
                    _ => asked.collect(),
                }
            }
        }
    }
}

impl When {
    /// Which of several like events it waits for, counted from 1; none for a time.
    pub fn nth(&mut self) -> Option<&mut u32> {
        match self {
            When::AtUs(_) => None,
            When::Sync { nth, .. }
            | When::Overwrite { nth, .. }
            | When::Milestone { nth, .. }
            | When::Message { nth, .. } => Some(nth),
        }
    }

    /// The nodes whose event it waits for.
    pub fn nodes(&mut self) -> Vec<&mut NodeId> {
        match self {
            When::AtUs(_) => Vec::new(),
            When::Sync { node, .. }
            | When::Overwrite { node, .. }
            | When::Milestone { node, .. } => vec![node],
            When::Message { from, to, .. } => vec![from, to],
        }
    }
}

impl Fault {
    /// Puts other nodes in place of those that it is about.
    pub fn rename(&mut self, name: impl Fn(NodeId) -> NodeId) {
        for node in self.when.nodes().into_iter().chain(self.what.nodes()) {
            *node = name(*node);
        }
        // Two that have become one are one.
        if let What::Cut { from, to, .. }
        | What::Trouble { from, to, .. }
        | What::Burst { from, to, .. } = &mut self.what
        {
            for list in [from, to] {
                list.sort();
                list.dedup();
            }
        }
        if let What::Split { side: list, .. } | What::IsolateLeader { bridges: list, .. } =
            &mut self.what
        {
            list.sort();
            list.dedup();
        }
    }
}
