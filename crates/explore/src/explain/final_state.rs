//! How things stood as a property broke: what was durable where it should have
//! been, and of a cluster that never converges what it has been at since the storm.

use std::collections::BTreeMap;

use squall_core::engine::{Happened, NodeState, Outcome, Trigger, Wrote};
use squall_core::ids::{Index, NodeId, Role};
use squall_core::invariants::Property;
use squall_core::replica::{Claim, MessageKind, Observation, SyncResult};

use super::step_graph::{Moment, Moments};
use super::topic::Topic;

/// What is to be said of it, in whole sentences.
pub fn at_the_end(moments: &Moments, topic: &Topic, outcome: &Outcome) -> Vec<String> {
    match topic.property {
        Property::AckBeforeDurable => topic
            .node
            .and_then(|node| promised(moments, topic, node))
            .into_iter()
            .collect(),
        Property::DurableCommit => {
            let Some(index) = topic.entries.first().copied() else {
                return Vec::new();
            };
            let nodes = outcome.nodes.iter().filter(|node| node.last >= index);
            nodes
                .map(|node| held(moments, node.id, index, node.disk.2 >= index))
                .collect()
        }
        Property::Liveness => since_the_storm(moments, topic, outcome),
        _ => Vec::new(),
    }
}

/// What became of the sync that was to cover a write.
enum Sync {
    NotAsked,
    Runs(u64),
    Failed(u64),
    Done,
}

/// Walks back from the node's end to the last write that `is_it`, and says what syncs came after.
fn sync_after(
    moments: &Moments,
    node: NodeId,
    is_it: impl Fn(&Happened) -> bool,
) -> Option<(u64, Sync)> {
    let mut here = moments.last_of(node);
    let mut later: Vec<(u64, &Happened)> = Vec::new();
    let mut ends: Vec<(u64, SyncResult)> = Vec::new();
    while let Some(place) = here {
        let moment = &moments.all[place];
        for event in moment.events.iter().rev() {
            if is_it(event) {
                let begun = later
                    .iter()
                    .rev()
                    .find(|(_, event)| matches!(event, Happened::SyncBegun));
                let sync = match begun {
                    None => Sync::NotAsked,
                    Some((begun, _)) => {
                        let end = ends.iter().rev().find(|(step, _)| step > begun);
                        match end {
                            Some((step, SyncResult::Failed)) => Sync::Failed(*step),
                            Some(_) => Sync::Done,
                            None => Sync::Runs(*begun),
                        }
                    }
                };
                return Some((moment.step, sync));
            }
            if matches!(event, Happened::Down(_)) {
                return None;
            }
            later.push((moment.step, event));
        }
        if let Some(Trigger::Synced(result)) = &moment.trigger {
            ends.push((moment.step, *result));
        }
        here = moment.before;
    }
    None
}

fn promised(moments: &Moments, topic: &Topic, node: NodeId) -> Option<String> {
    let entry = topic.promised;
    let is_it = |event: &Happened| match event {
        Happened::Wrote(Wrote::HardState(hard)) if entry.is_none() => {
            topic.terms.contains(&hard.term) && (hard.vote.is_some() || !topic.is_vote)
        }
        Happened::Wrote(Wrote::Entry { index, .. }) => entry == Some(*index),
        Happened::Wrote(Wrote::Snapshot { index, .. }) => entry.is_some_and(|e| e <= *index),
        _ => false,
    };
    let Some((written, sync)) = sync_after(moments, node, is_it) else {
        return Some(match entry {
            Some(entry) => format!("{node} has written no entry {entry} in this incarnation"),
            None => format!("{node} has not written that in this incarnation"),
        });
    };
    Some(match sync {
        Sync::NotAsked => {
            format!("{node} wrote that in step {written}, and has asked for no sync since")
        }
        Sync::Runs(begun) => {
            format!(
                "{node} wrote that in step {written}; the sync that it began in step {begun} is not over"
            )
        }
        Sync::Failed(failed) => format!(
            "{node} wrote that in step {written}; the sync that was to cover it failed in step {failed}"
        ),
        Sync::Done => return None,
    })
}

fn held(moments: &Moments, node: NodeId, index: Index, is_durable: bool) -> String {
    if is_durable {
        return format!("{node} has entry {index} on its disk");
    }
    let is_it = |event: &Happened| matches!(event, Happened::Wrote(Wrote::Entry { index: at, .. }) if *at == index);
    match sync_after(moments, node, is_it) {
        Some((written, Sync::Runs(begun))) => format!(
            "{node} wrote entry {index} in step {written}; the sync that it began in step {begun} is not over"
        ),
        Some((written, _)) => {
            format!("{node} wrote entry {index} in step {written}, and it is not on its disk")
        }
        None => format!("{node} does not have entry {index} on its disk"),
    }
}

/// What the nodes have been at since the storm ended.
fn since_the_storm(moments: &Moments, topic: &Topic, outcome: &Outcome) -> Vec<String> {
    let healed = |moment: &super::step_graph::Moment| {
        let heals = |event: &Happened| matches!(event, Happened::Healed);
        moment.events.iter().any(heals)
    };
    let Some(start) = moments.all.iter().position(healed) else {
        return Vec::new();
    };
    let since = &moments.all[start..];
    let mut said = Vec::new();
    for node in outcome
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Up)
    {
        let counts = Counts::of(since, node.id);
        let id = node.id;
        if counts.stood > 0 && counts.led == 0 {
            let log = moments.last_of(id).map(|last| moments.all[last].log);
            let mut words = format!(
                "since then {id}, whose log {}, has stood for election {} and was never elected",
                log.unwrap_or_default(),
                times(counts.stood)
            );
            for (voter, refusals) in &counts.refused {
                words.push_str(&format!(", refused {} by {voter}", times(*refusals)));
            }
            said.push(words);
        } else if counts.stood == 0 && node.role == Role::Follower {
            let named = topic.nodes.is_empty() || topic.nodes.contains(&id);
            if named {
                let heard = counts
                    .heard
                    .map_or("it has received no message".to_owned(), |heard| {
                        format!("the last message that it received was {heard}")
                    });
                said.push(format!(
                    "since then {id} has never stood for election; {heard}"
                ));
            }
        }
        if node.role == Role::Leader {
            said.extend(neglected(moments, outcome, id));
        }
    }
    said
}

fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        _ => format!("{number} times"),
    }
}

/// What a node has been at.
#[derive(Default)]
struct Counts {
    stood: u64,
    led: u64,
    refused: BTreeMap<NodeId, u64>,
    heard: Option<String>,
}

impl Counts {
    fn of(since: &[Moment], id: NodeId) -> Self {
        let mut counts = Self::default();
        for moment in since.iter().filter(|moment| moment.node == Some(id)) {
            for event in &moment.events {
                match event {
                    Happened::Observed(Observation::Role {
                        role: Role::Candidate | Role::PreCandidate,
                        ..
                    }) => counts.stood += 1,
                    Happened::Observed(Observation::Role {
                        role: Role::Leader, ..
                    }) => counts.led += 1,
                    _ => {}
                }
            }
            if let Some(Trigger::Message { from, label, .. }) = &moment.trigger {
                if label.kind == MessageKind::VoteReply && label.claim == Claim::Nothing {
                    *counts.refused.entry(*from).or_default() += 1;
                }
                let what = label.kind.words();
                counts.heard = Some(format!("{from}'s {what} in step {}", moment.step));
            }
        }
        counts
    }
}

/// Whom the leader has long sent nothing but heartbeats.
fn neglected(moments: &Moments, outcome: &Outcome, leader: NodeId) -> Vec<String> {
    let mut last: BTreeMap<NodeId, (u64, u64, MessageKind)> = BTreeMap::new();
    let mine = moments.all.iter().filter(|m| m.node == Some(leader));
    for moment in mine {
        for event in &moment.events {
            if let Happened::Sent { label, .. } = event
                && matches!(label.kind, MessageKind::Append | MessageKind::Snapshot)
            {
                last.insert(label.to, (moment.time_us, moment.step, label.kind));
            }
        }
    }
    let Some(head) = outcome.nodes.iter().find(|node| node.id == leader) else {
        return Vec::new();
    };
    let up = outcome
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Up);
    up.filter_map(|node| {
        let (at_us, step, kind) = last.get(&node.id)?;
        let is_behind = node.last < head.last || head.commit < head.last;
        // Half of the time since the storm: it is not going to come.
        (is_behind && at_us * 2 < outcome.time_us).then(|| {
            format!(
                "{leader} leads, and since step {step}, when it sent {} its last {}, has sent it no entries",
                node.id,
                kind.words()
            )
        })
    })
    .collect()
}
