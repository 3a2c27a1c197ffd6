//! A stretch of a run, and how its nodes stand at a time: for scenarios, in which
//! everything that changes something is told.

use std::fmt::Write as _;

use squall_core::engine::{Happened, Trigger, Wrote};
use squall_core::ids::{Index, NodeId, Role, Term};
use squall_core::plan::Plan;
use squall_core::replica::{Claim, MessageKind, Observation, SyncResult};

use super::CausalTrace;
use super::render;
use super::step_graph::{LogEnd, Moment};

impl CausalTrace {
    /// What happened from one time on until before another, in simulated microseconds, one line
    /// each. What several nodes did alike, one right after the other, is one line. After the storm
    /// only what is not the harness's own doing is told: it goes on asking for something.
    pub fn between(&self, plan: &Plan, from_us: u64, until_us: u64) -> String {
        let telling = render::Telling {
            plan,
            topic: None,
            in_full: false,
        };
        let mut lines: Vec<(Vec<NodeId>, String)> = Vec::new();
        let mut committed = 0;
        for (place, moment) in self.0.all.iter().enumerate() {
            let is_calm = moment.time_us >= plan.heal_us;
            let matters = matters(moment, &mut committed) && (!is_calm || tells_calm(moment));
            let Some(node) = moment.node.filter(|_| matters) else {
                continue;
            };
            if !(from_us..until_us).contains(&moment.time_us) {
                continue;
            }
            let sentence = render::sentence(&self.0, place, &telling);
            match lines.last_mut() {
                _ if sentence.is_empty() => {}
                Some((nodes, same)) if *same == sentence => {
                    nodes.push(node);
                    nodes.sort_unstable();
                    nodes.dedup();
                }
                _ => lines.push((vec![node], sentence)),
            }
        }
        let mut text = String::new();
        for (nodes, sentence) in lines {
            let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "{}  {sentence}", names.join(" "));
        }
        text
    }

    /// How each of so many nodes stood at a time, one line each.
    pub fn nodes_at(&self, at_us: u64, nodes: usize) -> String {
        let mut standing = vec![Standing::default(); nodes];
        for moment in self.0.all.iter().filter(|moment| moment.time_us < at_us) {
            let Some(standing) = moment.node.and_then(|id| standing.get_mut(id.position())) else {
                continue;
            };
            standing.log = moment.log;
            moment
                .events
                .iter()
                .for_each(|event| standing.follow(event));
        }
        let mut text = String::new();
        for (position, standing) in standing.iter().enumerate() {
            let _ = writeln!(text, "{}  {standing}", NodeId::at(position));
        }
        text
    }
}

/// One node as it has shown itself.
#[derive(Clone, Default)]
struct Standing {
    up: bool,
    role: Role,
    term: Term,
    vote: Option<NodeId>,
    log: LogEnd,
    commit: Index,
    applied: Index,
}

impl Standing {
    fn follow(&mut self, event: &Happened) {
        match event {
            Happened::Down(_) => {
                self.up = false;
                self.role = Role::Follower;
            }
            Happened::Wrote(Wrote::HardState(hard)) => {
                self.term = hard.term;
                self.vote = hard.vote;
            }
            Happened::Observed(seen) => match *seen {
                Observation::Started {
                    term,
                    vote,
                    commit,
                    applied,
                    ..
                } => {
                    (self.up, self.term, self.vote) = (true, term, vote);
                    (self.commit, self.applied) = (commit, applied);
                }
                Observation::Role { role, term } => (self.role, self.term) = (role, term),
                Observation::Committed { index } => self.commit = index,
                Observation::Applied { index, .. } | Observation::Installed { index, .. } => {
                    self.applied = index;
                }
                _ => {}
            },
            _ => {}
        }
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let vote = self.vote.map_or("-".to_owned(), |vote| vote.to_string());
        let role = match self.up {
            true => self.role.to_string(),
            false => "down".to_owned(),
        };
        write!(
            f,
            "{role:<13} term {}, vote {vote}, log {}, commit {}, applied {}",
            self.term, self.log, self.commit, self.applied
        )
    }
}

/// Whether it is told of a cluster that nothing happens to any more.
fn tells_calm(moment: &Moment) -> bool {
    let tells = |event: &Happened| match event {
        Happened::Observed(Observation::Role { role, .. }) => *role != Role::Follower,
        Happened::Observed(
            Observation::Started { .. }
            | Observation::Installed { .. }
            | Observation::Configured { .. },
        )
        | Happened::Down(_) => true,
        _ => false,
    };
    moment.steps_down || moment.replaced.is_some() || moment.events.iter().any(tells)
}

/// Whether a scenario tells the moment. `committed` is the highest index that anyone knew committed
/// before it.
fn matters(moment: &Moment, committed: &mut Index) -> bool {
    let mut does = moment.steps_down || !moment.words.is_empty();
    for event in &moment.events {
        does |= match event {
            Happened::Observed(Observation::Committed { index }) => {
                let is_new = index > committed;
                *committed = (*committed).max(*index);
                is_new
            }
            Happened::Observed(Observation::Role { role, .. }) => *role != Role::Follower,
            Happened::Observed(Observation::Started { .. }) => moment.before.is_some(),
            Happened::Observed(
                Observation::Installed { .. }
                | Observation::Configured { .. }
                | Observation::SnapshotTaken { .. }
                | Observation::Transfer { to: Some(_) },
            ) => true,
            Happened::Wrote(Wrote::HardState(hard)) => hard.vote.is_some(),
            Happened::Wrote(
                Wrote::Entry { .. } | Wrote::Snapshot { .. } | Wrote::LogReset { .. },
            ) => moment.before.is_some(),
            Happened::Answered { .. } | Happened::Down(_) => true,
            _ => false,
        };
    }
    does || match &moment.trigger {
        Some(Trigger::Message { label, .. }) => {
            label.kind == MessageKind::VoteReply && label.claim == Claim::Nothing
        }
        Some(trigger) => matches!(
            trigger,
            Trigger::Synced(SyncResult::Failed) | Trigger::Admin(_) | Trigger::Client { .. }
        ),
        None => false,
    }
}
