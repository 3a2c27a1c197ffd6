//! What is seen of a run: every node as it tells of itself, the shadow of its disk, and the checks.
//! It acts on nothing: the storm does.

use squall_core::faults;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use ::madsim::time::TimeHandle;

use super::shadow_disk::Shadow;
use crate::shim::{NetworkSim, Noted};
use squall_core::configuration::Configuration;
use squall_core::counters::{Counter, Counters};
use squall_core::engine::{Failure, Happened, Line, NodeAtEnd, NodeState, Pulse, Triggers, Weight};
use squall_core::ids::{NodeId, Role};
use squall_core::invariants::breach::{NoPanic, Panic, Unmet};
use squall_core::invariants::{Checks, NodeView, Verdict, Violation};
use squall_core::plan::{Plan, What};
use squall_core::replica::Observation;
use squall_core::storage::{Chain, ChainedRecord, Record, StableState};
use squall_world::hash::{mix, mix_bytes};
use squall_world::journal_disk::Disk;
use squall_world::network::Lost;
use squall_world::rng::Choices;

/// What a check says of one thing that was told.
pub(super) type Told = Verdict;

/// What is seen of one run.
pub(super) struct Stage {
    pub(super) time: TimeHandle,
    pub(super) plan: Arc<Plan>,
    pub(super) network: Arc<NetworkSim>,
    pub(super) configuration: Configuration,
    pub(super) views: Vec<NodeView>,
    pub(super) disks: Vec<Disk<StableState>>,
    pub(super) shadows: Vec<Shadow>,
    pub(super) checks: Checks,
    pub(super) choices: Choices,
    pub(super) counters: Counters,
    pub(super) steps: u64,
    pub(super) most_steps: u64,
    pub(super) pulse: Option<Arc<Pulse>>,
    pub(super) digest: u64,
    pub(super) digests: Option<Vec<u64>>,
    pub(super) lines: Option<Vec<Line>>,
    pub(super) failure: Option<Failure>,
    /// Nodes that have stopped by themselves and have not been seen to.
    pub(super) halted: VecDeque<NodeId>,
    /// How often each node's server has ended by itself.
    pub(super) ends: BTreeMap<NodeId, Ends>,
    /// Faults that wait for an ordinal.
    pub(super) triggers: Triggers,
    /// Faults that have had theirs.
    pub(super) struck: VecDeque<usize>,
    /// How many syncs each node's disk has begun, and how many of them after entries were
    /// overwritten.
    pub(super) syncs: Vec<(u32, u32)>,
    /// For each node: how many of its next syncs are to fail.
    pub(super) failing: Vec<u32>,
    /// Nodes that have overwritten entries since their last sync began.
    pub(super) overwrote: Vec<bool>,
    /// Clients that are done.
    pub(super) done: usize,
    /// The storm goes on.
    pub(super) storms: bool,
    pub(super) storm: Option<Waker>,
    /// How often each node has started.
    pub(super) incarnations: Vec<u32>,
    /// When it was over, in microseconds.
    pub(super) end_us: u64,
    pub(super) closed: bool,
}

/// How often a server has ended by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// In the whole run.
    pub(super) times: u64,
    /// Since the storm is over.
    pub(super) after_storm: u64,
    /// The error of the last time.
    pub(super) why: Option<String>,
}

/// A server that has ended so often by itself since the storm is over will not come up.
const ENDS_FOR_GOOD: u64 = 3;

/// Who looks on, and how closely.
pub(super) struct Look {
    pub(super) lines: bool,
    pub(super) digests: bool,
    pub(super) most_steps: Option<u64>,
    pub(super) pulse: Option<Arc<Pulse>>,
}

impl Stage {
    pub(super) fn new(plan: &Arc<Plan>, time: TimeHandle, look: &Look) -> Self {
        let nodes = plan.nodes().len();
        Self {
            time,
            plan: Arc::clone(plan),
            network: NetworkSim::current(),
            configuration: plan.first_configuration(),
            views: vec![NodeView::default(); nodes],
            disks: (0..nodes).map(|_| Disk::default()).collect(),
            shadows: (0..nodes).map(|_| Shadow::default()).collect(),
            checks: Checks::of_log(0),
            choices: Choices::labelled(plan.seed, "shadow", 0),
            counters: Counters::default(),
            steps: 0,
            most_steps: look.most_steps.unwrap_or(u64::MAX),
            pulse: look.pulse.clone(),
            digest: mix(0, plan.seed),
            digests: look.digests.then(Vec::new),
            lines: look.lines.then(Vec::new),
            failure: None,
            halted: VecDeque::new(),
            ends: BTreeMap::new(),
            triggers: Triggers::new(&plan.faults, nodes),
            struck: VecDeque::new(),
            syncs: vec![(0, 0); nodes],
            failing: vec![0; nodes],
            overwrote: vec![false; nodes],
            done: 0,
            storms: true,
            storm: None,
            incarnations: vec![0; nodes],
            end_us: 0,
            closed: false,
        }
    }

    pub(super) fn now_us(&self) -> u64 {
        self.time.elapsed().as_micros() as u64
    }

    /// Whether there is no point in going on.
    pub(super) fn is_over(&self) -> bool {
        let is_told_to_end = || self.pulse.as_ref().is_some_and(|pulse| pulse.ends_here());
        self.failure.is_some() || self.steps >= self.most_steps || is_told_to_end()
    }

    /// Whether this incarnation of the node is the one that goes on.
    pub(super) fn listens_to(&self, node: NodeId, incarnation: u32) -> bool {
        let view = &self.views[node.position()];
        view.up && view.incarnation == incarnation && !self.closed && !self.is_over()
    }

    /// The node's server has stopped by itself, with this error where it has said one.
    pub(super) fn halt(&mut self, node: NodeId, why: Option<String>) {
        let ends = self.ends.entry(node).or_default();
        ends.times += 1;
        ends.after_storm += u64::from(!self.storms);
        ends.why = why;
        self.halted.push_back(node);
        self.wake();
    }

    /// Wakes the storm.
    fn wake(&self) {
        if let Some(storm) = &self.storm {
            storm.wake_by_ref();
        }
    }

    /// Hears what a server tells: one step.
    pub(super) fn hear(&mut self, act: impl FnOnce(&mut Self) -> Told) {
        self.steps += 1;
        if let Some(pulse) = &self.pulse {
            pulse.goes_on(self.steps);
        }
        let told = act(self);
        if let Some(digests) = &mut self.digests {
            digests.push(self.digest);
        }
        if let Err(violation) = told {
            self.broken(*violation);
        }
        if self.is_over() {
            self.wake();
        }
    }

    /// A property is broken.
    pub(super) fn broken(&mut self, violation: Violation) {
        if self.failure.is_some() {
            return;
        }
        self.say(violation.node, Weight::Notable, || {
            format!("VIOLATION {violation}")
        });
        self.digest = mix(self.digest, mix_bytes(0, violation.message().as_bytes()));
        self.failure = Some(Failure {
            violation,
            step: self.steps,
            time_us: self.now_us(),
        });
    }

    /// A line, if anyone reads it.
    pub(super) fn say(
        &mut self,
        node: Option<NodeId>,
        weight: Weight,
        text: impl FnOnce() -> String,
    ) {
        let (time_us, step) = (self.now_us(), self.steps);
        if let Some(lines) = &mut self.lines {
            lines.push(Line {
                time_us,
                step,
                node,
                weight,
                text: text(),
                event: Happened::Other,
            });
        }
    }

    pub(super) fn note(&mut self, node: NodeId, kind: u64, numbers: [u64; 2]) {
        let place = mix(self.now_us(), u64::from(node.0) << 8 | kind);
        self.digest = numbers.into_iter().fold(mix(self.digest, place), mix);
    }

    pub(super) fn observe(&mut self, node: NodeId, observation: &Observation) -> Told {
        if self.triggers.await_milestones() {
            let mut due = Vec::new();
            self.triggers.reported(node, observation, &mut due);
            self.strike(due, None);
        }
        let (checks, counters) = (&mut self.checks, &mut self.counters);
        checks.observed(&mut self.views, &self.disks, node, observation, counters)
    }

    pub(super) fn write(&mut self, node: NodeId, record: Record) -> Told {
        let at = node.position();
        let chain: Chain =
            self.checks
                .wrote(&mut self.views[at], node, &record, &mut self.counters)?;
        self.shadows[at].write(&mut self.disks[at], ChainedRecord { record, chain });
        Ok(())
    }

    pub(super) fn synced_all(&mut self, node: NodeId) {
        let at = node.position();
        self.shadows[at].synced_all(&mut self.disks[at]);
    }

    // ---- what the storm does ----

    /// The incarnation that the node is about to begin.
    pub(super) fn next_incarnation(&mut self, node: NodeId) -> u32 {
        let incarnations = &mut self.incarnations[node.position()];
        *incarnations += 1;
        *incarnations - 1
    }

    /// The storm is over: no fault waits any more.
    pub(super) fn end_storm(&mut self) {
        self.storms = false;
        self.triggers.disarm();
        self.struck.clear();
        self.failing.fill(0);
    }

    /// These faults have had their ordinal. Whether one of them is that a sync of `syncs` fails.
    pub(super) fn strike(&mut self, due: Vec<usize>, syncs: Option<NodeId>) -> bool {
        let mut fails = false;
        for number in due {
            match self.plan.faults[number].what {
                What::FailSync(faults::FailSync { node }) if syncs == Some(node) => {
                    fails = true;
                    self.say(Some(node), Weight::Notable, || {
                        "this sync is to fail".to_owned()
                    });
                }
                _ => {
                    self.struck.push_back(number);
                    self.wake();
                }
            }
        }
        fails
    }

    /// The node's disk begins a sync. Whether it is to fail.
    pub(super) fn disk_syncs(&mut self, node: NodeId) -> bool {
        let at = node.position();
        if self.closed || !self.views[at].up {
            return false;
        }
        let mut fails = self.failing[at] > 0;
        self.failing[at] -= u32::from(fails);
        if self.triggers.await_syncs() {
            let mut due = Vec::new();
            let overwrote = std::mem::take(&mut self.overwrote[at]);
            let (syncs, overwrites) = &mut self.syncs[at];
            *syncs += 1;
            self.triggers.sync(node, *syncs, &mut due);
            if overwrote {
                *overwrites += 1;
                self.triggers.overwrite(node, *overwrites, &mut due);
            }
            fails |= self.strike(due, Some(node));
        }
        if fails {
            self.counters.hit(Counter::SyncFailed);
        }
        fails
    }

    /// Something befalls what is sent.
    pub(super) fn befalls(&mut self, noted: Noted) {
        if self.closed {
            return;
        }
        let nodes = self.views.len();
        let name = |at: usize| match at < nodes {
            true => NodeId::at(at).to_string(),
            false => format!("client {}", at - nodes + 1),
        };
        let (event, from, text) = match noted {
            Noted::Lost { from, to, why } => {
                let event = match why {
                    Lost::Cut => Counter::MessageCut,
                    Lost::Full => Counter::MessageOverflowed,
                    Lost::Chance => Counter::MessageLost,
                    Lost::Unconnected => Counter::MessageUnconnected,
                };
                (
                    Some(event),
                    from,
                    format!("what it sends to {} is lost ({why})", name(to)),
                )
            }
            Noted::Doubled {
                from,
                to,
                in_vain: false,
            } => (
                Some(Counter::MessageDuplicated),
                from,
                format!("what it sends to {} arrives twice", name(to)),
            ),
            // No event, for nobody sees anything of it.
            Noted::Doubled { from, to, .. } => (
                None,
                from,
                format!(
                    "what it sends to {} arrives twice, and TCP throws the copy away",
                    name(to)
                ),
            ),
            Noted::Overtaken { from, to } => (
                Some(Counter::MessageReordered),
                from,
                format!("what it sends to {} may be reordered", name(to)),
            ),
            Noted::Delayed { from, to } => (
                Some(Counter::MessageDelayed),
                from,
                format!("what it sends to {} is held back", name(to)),
            ),
            Noted::BrokenOff { from, to } => (
                Some(Counter::MessageLost),
                from,
                format!(
                    "its connection with {} is broken off, with all that is on its way",
                    name(to)
                ),
            ),
            Noted::TimedOut { from, to } => (
                Some(Counter::PeerUnreachable),
                from,
                format!(
                    "its connection with {} ends: nothing gets through",
                    name(to)
                ),
            ),
        };
        if let Some(event) = event {
            self.counters.hit(event);
        }
        match from < nodes {
            true => self.say(Some(NodeId::at(from)), Weight::Routine, || text),
            false => self.say(None, Weight::Routine, || format!("{}: {text}", name(from))),
        }
    }

    /// Nothing counts any more.
    pub(super) fn close(&mut self) {
        self.end_us = self.now_us();
        self.closed = true;
    }

    /// A task has panicked, or unwound in another way, and the run with it.
    pub(super) fn panicked(&mut self, panic: Option<Panic>) {
        self.end_us = self.now_us();
        let breach = match panic {
            Some(panic) => NoPanic::Panicked { panic },
            None => NoPanic::Unwound,
        };
        self.broken(*Violation::by(None, breach));
    }

    /// An incarnation of the node begins; what it has read from its disk, it will say.
    pub(super) fn boots(&mut self, node: NodeId, incarnation: u32) {
        let at = node.position();
        let durable = self.disks[at].durable();
        self.views[at] = NodeView::booting(durable, incarnation);
        self.say(Some(node), Weight::Notable, || {
            format!("starts, incarnation {incarnation}")
        });
    }

    /// The node is down.
    pub(super) fn crashed(&mut self, node: NodeId) {
        let at = node.position();
        if !self.views[at].up {
            return;
        }
        self.counters.hit(Counter::Crash);
        self.counters.add(
            Counter::CrashOfLeader,
            (self.views[at].role == Role::Leader).into(),
        );
        self.shadows[at].crash(&mut self.disks[at], &mut self.choices);
        self.checks
            .crashed(node, &self.views[at], self.disks[at].durable());
        self.views[at].up = false;
        self.views[at].role = Role::Follower;
        self.note(node, 12, [0, 0]);
    }

    // ---- the end ----

    /// The node that leads in the newest term, of those that run.
    pub(super) fn leader(&self) -> Option<NodeId> {
        let leads = |(_, view): &(usize, &NodeView)| view.up && view.role == Role::Leader;
        let leaders = self.views.iter().enumerate().filter(leads);
        let newest = leaders.max_by_key(|(_, view)| view.term);
        newest.map(|(at, _)| NodeId::at(at))
    }

    /// What is still to come until the cluster has converged; none when it has.
    pub(super) fn unmet(&self, clients: usize) -> Option<Unmet> {
        let unmet = self.not_converged(clients)?;
        // Why it ends says more than what comes of it.
        let ends = self.ends.iter().find_map(|(node, ends)| {
            let why = ends.why.clone()?;
            (ends.after_storm >= ENDS_FOR_GOOD).then_some(Unmet::ServerEnds {
                node: *node,
                times: ends.times,
                why,
            })
        });
        Some(ends.unwrap_or(unmet))
    }

    fn not_converged(&self, clients: usize) -> Option<Unmet> {
        let Some(leader) = self.leader() else {
            return Some(Unmet::NobodyLeads);
        };
        if self.done < clients {
            let clients = (clients - self.done) as u64;
            return Some(Unmet::ClientsUnanswered { clients });
        }
        let led = &self.views[leader.position()];
        let behind = self.views.iter().position(|view| {
            let equal = view.last() == led.last() && view.applied == led.applied;
            !view.up || !equal || led.applied != led.last()
        });
        behind.map(|at| Unmet::ServerBehind {
            node: NodeId::at(at),
        })
    }

    /// Every node at the end.
    pub(super) fn at_end(&self) -> Vec<NodeAtEnd> {
        let node = |(at, view): (usize, &NodeView)| {
            let durable = self.disks[at].durable();
            NodeAtEnd {
                id: NodeId::at(at),
                state: match view.up {
                    true => NodeState::Up,
                    false => NodeState::Down,
                },
                role: view.role,
                term: view.term,
                vote: view.hard.vote,
                last: view.last(),
                commit: view.commit,
                applied: view.applied,
                disk: (
                    durable.hard.term,
                    durable.snapshot_index(),
                    durable.log.last(),
                ),
                incarnation: view.incarnation,
            }
        };
        self.views.iter().enumerate().map(node).collect()
    }
}
