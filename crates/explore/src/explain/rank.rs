//! Which moments of a run are told.

use std::collections::BTreeMap;

use squall_core::engine::{Failure, Forgotten, Happened, Trigger, Wrote};
use squall_core::ids::{NodeId, NodeSet, Role, Term};
use squall_core::invariants::Property;
use squall_core::plan::Plan;
use squall_core::replica::{MessageKind, Observation, ReplyOutcome, SyncResult};

use super::MOST_LINES;
use super::render::is_told_by_node;
use super::step_graph::{Moment, Moments};
use super::topic::Topic;

/// How far a chain of messages is followed back from the step that broke the property.
const CHAIN: usize = 3;

/// How much a moment matters: 0 is the violating step itself; lines with more are the first to go.
type Rank = u8;

/// The moments through which the violation came about, in order, and whether each is told. Those
/// on whose message it hangs go into `in_full`.
pub fn causes(
    moments: &Moments,
    topic: &Topic,
    failure: &Failure,
    plan: &Plan,
    in_full: &mut Vec<usize>,
) -> Vec<(usize, bool)> {
    let broke = broken_in(moments, failure);
    let roots = roots(moments, topic, broke);
    let past = moments.past_of(&roots);
    let mut ranks: BTreeMap<usize, Rank> = BTreeMap::new();
    let mut rank = |place: usize, rank: Rank| {
        let known = ranks.entry(place).or_insert(rank);
        *known = rank.min(*known);
    };
    if let Some(broke) = broke {
        rank(broke, 0);
        in_full.push(broke);
        for (hops, place) in chain(moments, broke).into_iter().enumerate() {
            if hops < 2 {
                in_full.push(place);
            }
            if topic.property == Property::NoPanic || !is_idle(&moments.all[place]) {
                rank(place, 1 + hops as Rank / 2);
            }
        }
    }
    let about = About::of(moments, topic, &past);
    for (place, moment) in moments.all.iter().enumerate() {
        if moment.node.is_some() && !past[place] {
            continue;
        }
        if let Some(how_much) = weigh(moments, topic, moment, plan, &about) {
            rank(place, how_much);
        }
    }
    for place in roots {
        // A cluster that never converges breaks no rule in its last steps.
        if topic.property == Property::Liveness {
            break;
        }
        let moment = &moments.all[place];
        let asks = moment
            .trigger
            .as_ref()
            .is_some_and(|trigger| topic.is_asked(trigger));
        rank(place, if asks || topic.is_told() { 2 } else { 1 });
    }
    pick(ranks)
}

/// The last moment of the node that broke the property, where one did.
fn broken_in(moments: &Moments, failure: &Failure) -> Option<usize> {
    let node = failure.violation.node?;
    moments.last_of(node)
}

/// Whether each moment is one that the violation follows from, or that it contradicts, or one that
/// such a one follows from.
pub fn past(moments: &Moments, topic: &Topic, failure: &Failure) -> Vec<bool> {
    let roots = roots(moments, topic, broken_in(moments, failure));
    moments.past_of(&roots)
}

/// What helps to weigh moments.
struct About {
    /// Terms that the violation names, and those of the entries that it names.
    terms: Vec<Term>,
    /// The elections that were won last.
    last_elections: Vec<(u64, NodeId)>,
    /// Who elected the leaders that matter, and the nodes that are named.
    nodes: Vec<NodeId>,
    /// Who first went by each configuration.
    configured: Vec<(u64, NodeId)>,
    /// Whose request is answered wrongly, or not at all.
    asked: Option<(u32, u64)>,
}

impl About {
    fn of(moments: &Moments, topic: &Topic, past: &[bool]) -> Self {
        let mut about = Self {
            terms: topic.terms.iter().copied().collect(),
            last_elections: Vec::new(),
            nodes: topic.nodes.iter().copied().collect(),
            configured: Vec::new(),
            asked: answered_last(moments, topic),
        };
        let mut newest = 0;
        for (place, moment) in moments.all.iter().enumerate() {
            let Some(node) = moment.node.filter(|_| past[place]) else {
                continue;
            };
            for event in &moment.events {
                match event {
                    Happened::Wrote(Wrote::Entry { index, term, .. })
                        if topic.entries.contains(index) =>
                    {
                        about.terms.push(*term);
                    }
                    Happened::Observed(Observation::Configured { index, .. })
                        if *index > newest =>
                    {
                        newest = *index;
                        about.configured.push((moment.step, node));
                    }
                    Happened::Observed(Observation::Role {
                        role: Role::Leader,
                        term,
                    }) => {
                        about.last_elections.push((moment.step, node));
                        if topic.terms.contains(term) {
                            about
                                .nodes
                                .extend(moment.votes.iter().map(|(voter, _)| *voter));
                        }
                    }
                    _ => {}
                }
            }
        }
        let too_many = about.last_elections.len().saturating_sub(2);
        about.last_elections.drain(..too_many);
        about
    }
}

/// The client and its operation that the violating step answers, or that nobody has answered.
fn answered_last(moments: &Moments, topic: &Topic) -> Option<(u32, u64)> {
    if topic.unanswered.is_some() {
        return topic.unanswered;
    }
    let last = moments.last_of(topic.node?)?;
    let events = moments.all[last].events.iter();
    events.rev().find_map(|event| match event {
        Happened::Answered { reply, .. } if topic.is_told() => Some((reply.client, reply.sequence)),
        _ => None,
    })
}

/// A heartbeat, or its answer, of which nothing came.
fn is_idle(moment: &Moment) -> bool {
    let is_heartbeat = matches!(&moment.trigger, Some(Trigger::Message { label, .. })
        if matches!(label.kind, MessageKind::Heartbeat | MessageKind::HeartbeatReply));
    let is_sent = |event: &Happened| matches!(event, Happened::Sent { .. });
    is_heartbeat && moment.events.iter().all(is_sent)
}

/// The moments that a clean run is told by.
pub fn outline(moments: &Moments, plan: &Plan) -> Vec<(usize, bool)> {
    let mut ranks = BTreeMap::new();
    let mut configured = 0;
    for (place, moment) in moments.all.iter().enumerate() {
        let rank = moment.events.iter().filter_map(|event| match event {
            Happened::Observed(Observation::Role {
                role: Role::Leader, ..
            }) => Some(1),
            Happened::Struck(number) if !is_told_by_node(plan, *number) => Some(1),
            Happened::Down(_) | Happened::Healed => Some(1),
            Happened::Observed(Observation::Started { .. }) if moment.before.is_some() => Some(2),
            Happened::Observed(Observation::Configured { index, .. }) if *index > configured => {
                configured = *index;
                Some(2)
            }
            Happened::Observed(Observation::Installed { .. }) => Some(2),
            _ => moment.replaced.map(|_| 2),
        });
        if let Some(rank) = rank.min() {
            ranks.insert(place, rank);
        }
    }
    pick(ranks)
}

/// The most important ones are told, and of equally important ones the last.
fn pick(ranks: BTreeMap<usize, Rank>) -> Vec<(usize, bool)> {
    let mut order: Vec<(Rank, usize)> = ranks.iter().map(|(place, rank)| (*rank, *place)).collect();
    order.sort_by_key(|(rank, place)| (*rank, std::cmp::Reverse(*place)));
    let told: Vec<usize> = order
        .iter()
        .take(MOST_LINES)
        .map(|(_, place)| *place)
        .collect();
    ranks
        .into_keys()
        .map(|place| (place, told.contains(&place)))
        .collect()
}

/// The violating step, and the events elsewhere that it contradicts.
fn roots(moments: &Moments, topic: &Topic, broke: Option<usize>) -> Vec<usize> {
    let mut roots: Vec<usize> = broke.into_iter().collect();
    let first = topic.entries.first().copied();
    let mut committed = false;
    let mut asked: Vec<(u32, u64)> = Vec::new();
    let answers = answered_last(moments, topic);
    for (place, moment) in moments.all.iter().enumerate() {
        let elsewhere = moment.node != topic.node;
        let named = moment.node.is_some_and(|node| topic.nodes.contains(&node));
        if let Some(trigger) = &moment.trigger
            && let Trigger::Client {
                client, sequence, ..
            } = trigger
            && (topic.is_asked(trigger) || answers == Some((*client, *sequence)))
            && !is_refused(moment)
        {
            asked.push((*client, *sequence));
            roots.push(place);
        }
        for event in &moment.events {
            let counts = match (event, topic.property) {
                (Happened::Observed(Observation::Committed { index }), _) => {
                    let is_it = !committed && first.is_some_and(|first| *index >= first);
                    committed |= is_it;
                    is_it && topic.property != Property::AckBeforeDurable
                }
                (Happened::Answered { reply, .. }, _) => {
                    asked.contains(&(reply.client, reply.sequence))
                }
                (_, Property::ElectionSafety | Property::Configuration) => {
                    elsewhere && topic.names(moment, event)
                }
                (_, Property::LogMatching | Property::StateMachineSafety) => {
                    elsewhere && named && topic.names(moment, event)
                }
                _ => false,
            };
            if counts {
                roots.push(place);
            }
        }
    }
    if topic.property == Property::Liveness {
        roots.extend((1..=NodeSet::LAST).filter_map(|id| moments.last_of(NodeId(id))));
        roots.sort_unstable();
    }
    roots
}

/// A client is refused as it asks.
fn is_refused(moment: &Moment) -> bool {
    let refuses = |event: &Happened| matches!(event, Happened::Answered { reply, .. } if matches!(reply.outcome, ReplyOutcome::Refused { .. }));
    moment.events.iter().any(refuses)
}

/// From whose message, sent on whose message, ... the violating step came.
fn chain(moments: &Moments, broke: usize) -> Vec<usize> {
    let mut chain = Vec::new();
    let mut here = broke;
    for _ in 0..CHAIN {
        // A step that ends a sync, or a tick, goes on with what an earlier one began.
        let goes_on = |at: usize| {
            let moment = &moments.all[at];
            moment.cause.is_none() || (at != broke && is_idle(moment))
        };
        let mut at = here;
        while goes_on(at) {
            let Some(before) = moments.all[at].before else {
                return chain;
            };
            if here - before > 64 || is_start(&moments.all[at]) {
                return chain;
            }
            at = before;
        }
        if at != here {
            chain.push(at);
        }
        let Some(cause) = moments.all[at].cause else {
            return chain;
        };
        chain.push(cause);
        here = cause;
        if stands(&moments.all[cause]) {
            return chain;
        }
    }
    chain
}

fn is_start(moment: &Moment) -> bool {
    let starts = |event: &Happened| {
        matches!(event, Happened::Observed(Observation::Started { .. }))
            || matches!(event, Happened::Observed(Observation::Role { role, .. }) if *role != Role::Follower)
    };
    moment.events.iter().any(starts)
}

fn stands(moment: &Moment) -> bool {
    let stands = |event: &Happened| matches!(event, Happened::Observed(Observation::Role { role, .. }) if *role != Role::Follower);
    moment.events.iter().any(stands)
}

/// How much a moment of the past matters; none when it does not.
fn weigh(
    moments: &Moments,
    topic: &Topic,
    moment: &Moment,
    plan: &Plan,
    about: &About,
) -> Option<Rank> {
    let here = moment.node == topic.node;
    let stalls = topic.property == Property::Liveness;
    let at = moment.node.map(|node| (moment.step, node));
    let concerned = moment.node.is_some_and(|node| about.nodes.contains(&node)) || stalls;
    let of_events = moment.events.iter().filter_map(|event| match event {
        Happened::Observed(Observation::Role {
            role: Role::Leader,
            term,
        }) => {
            let is_last = at.is_some_and(|at| about.last_elections.contains(&at));
            Some(if is_last || about.terms.contains(term) { 1 } else { 3 })
        }
        Happened::Observed(Observation::Configured { .. })
            if topic.property != Property::Configuration =>
        {
            let is_first = at.is_some_and(|at| about.configured.contains(&at));
            match (is_first, stalls || topic.property == Property::LeaderCompleteness) {
                (true, true) => Some(2),
                (true, false) => Some(4),
                _ => None,
            }
        }
        _ if topic.names(moment, event) => Some(1),
        Happened::Observed(Observation::Installed { .. }) => Some(if here { 2 } else { 4 }),
        Happened::Wrote(
            Wrote::Snapshot { .. } | Wrote::LogCompact { .. } | Wrote::LogReset { .. },
        ) if here => Some(2),
        Happened::Observed(Observation::Started { .. }) => {
            let before = moment.before?;
            let forgot = |event: &Happened| matches!(event, Happened::Down(forgotten) if *forgotten != Forgotten::default());
            let forgot = moments.all[before].events.iter().any(forgot);
            Some(if forgot || concerned { 2 } else { 3 })
        }
        Happened::Down(forgotten) => {
            let forgot = *forgotten != Forgotten::default();
            Some(if forgot || concerned { 2 } else { 3 })
        }
        Happened::Struck(number) if is_told_by_node(plan, *number) => None,
        Happened::Struck(_) => Some(2),
        Happened::Healed if stalls => Some(1),
        Happened::Lost { label } if label.kind == MessageKind::Snapshot => {
            Some(if stalls { 1 } else { 4 })
        }
        _ => None,
    });
    let mut rank = of_events.min();
    let mut at_least = |how_much: Rank| rank = Some(rank.unwrap_or(Rank::MAX).min(how_much));
    match &moment.trigger {
        Some(Trigger::Synced(SyncResult::Failed)) => at_least(if here { 1 } else { 4 }),
        // After the storm, operators only help.
        Some(Trigger::Admin(_)) if moment.time_us <= plan.heal_us => at_least(2),
        Some(Trigger::Client {
            client, sequence, ..
        }) if about.asked == Some((*client, *sequence)) => at_least(1),
        Some(trigger) if topic.is_asked(trigger) && !is_refused(moment) => at_least(2),
        _ => {}
    }
    if moment.replaced.is_some() {
        at_least(3);
    }
    if moment.node.is_some() && moment.words.iter().any(|words| !words.is_empty()) {
        at_least(2);
    }
    rank
}
