//! A document as the run is told, line by line and state by state.

use std::collections::{BTreeMap, BTreeSet};

use squall_core::engine::{ClusterAt, Happened, Line, Outcome, Trigger, Weight, Wrote};
use squall_core::ids::{ClientName, Index, NodeId, NodeSet};
use squall_core::options::{DriverOptions, RaftOptions};
use squall_core::plan::Plan;
use squall_core::replica::{Label, Observation, ReplyOutcome, SyncResult};
use squall_core::service::Service;
use squall_world::queue::SlabKey;

use super::standing::{Contents, Standing};
use super::{
    BrokenRule, Client, End, FORMAT, FaultInWords, Lock, Message, Moment, MomentKind, Operation,
    RunDocument, Sentence, Setting, ToldClient, VERSION,
};
use crate::explain::{Story, StoryLine};

/// What is known so far of a run that goes on.
pub struct Builder {
    moments: Vec<Moment>,
    messages: Vec<Message>,
    operations: Vec<Operation>,
    faults: Vec<FaultInWords>,
    /// The operation of each client's command, by its place.
    of_sender: BTreeMap<(u32, u64), usize>,
    /// Messages that are on their way, by where they lie.
    on_their_way: BTreeMap<SlabKey, usize>,
    /// Those that have started, and are not down since.
    up: NodeSet,
    nodes: Vec<Standing>,
    contents: Contents,
    cuts: Vec<(NodeId, NodeId)>,
    /// The runner shows the cluster.
    is_shown: bool,
    /// The moments before this one have their changes.
    shown: usize,
    locks: CommittedLocks,
}

/// The locks as the committed log has them.
#[derive(Default)]
struct CommittedLocks {
    service: Service,
    committed: Index,
    held: Vec<Option<Lock>>,
    /// An entry is known no more, so nothing is said of who holds what from then on.
    lost: bool,
}

impl Builder {
    pub fn new(plan: &Plan) -> Self {
        let in_words = |fault: &squall_core::plan::Fault| FaultInWords {
            words: fault.to_string(),
            struck: Vec::new(),
            over: Vec::new(),
        };
        Self {
            moments: Vec::new(),
            messages: Vec::new(),
            operations: Vec::new(),
            faults: plan.faults.iter().map(in_words).collect(),
            of_sender: BTreeMap::new(),
            on_their_way: BTreeMap::new(),
            up: NodeSet::default(),
            nodes: (0..plan.cluster.nodes())
                .map(|_| Standing::default())
                .collect(),
            contents: Contents::new(),
            cuts: Vec::new(),
            is_shown: false,
            shown: 0,
            locks: CommittedLocks {
                committed: plan.cluster.first_index,
                ..CommittedLocks::default()
            },
        }
    }

    /// Takes in the next line of the run.
    pub fn line(&mut self, line: &Line) {
        match &line.event {
            Happened::Library | Happened::Broken => return,
            Happened::Began(trigger) => self.begin(line, trigger),
            Happened::Struck(number) => {
                let at = self.push(line, MomentKind::Fault);
                if let Some(fault) = self.faults.get_mut(*number) {
                    fault.struck.push(at);
                }
            }
            Happened::Over(number) => {
                let at = self.push(line, MomentKind::FaultOver);
                if let Some(fault) = self.faults.get_mut(*number) {
                    fault.over.push(at);
                }
            }
            Happened::LostOnItsWay { parcel } => {
                if let Some(message) = self.on_their_way.remove(parcel) {
                    self.messages[message].lost = true;
                }
            }
            Happened::Healed => {
                self.push(line, MomentKind::Healed);
            }
            Happened::Down(_) => {
                self.push(line, MomentKind::Down);
                line.node.into_iter().for_each(|node| self.up.remove(node));
            }
            Happened::Other if self.moment_of(line).is_none() => {
                self.push(line, MomentKind::Other);
            }
            event => {
                let at = match self.moment_of(line) {
                    Some(at) => at,
                    None => {
                        let (kind, text) = match line.node.is_some_and(|node| self.up.has(node)) {
                            true => (MomentKind::Other, ""),
                            false => (MomentKind::Start, "starts"),
                        };
                        let at = self.push(line, kind);
                        self.moments[at].text = text.to_owned();
                        at
                    }
                };
                self.add(at, line, event);
            }
        }
        if let Some(last) = self.moments.last_mut() {
            last.notable |= line.weight == Weight::Notable;
        }
    }

    /// The last moment, if the line belongs to it: no moment of a node that went down goes on.
    fn moment_of(&self, line: &Line) -> Option<usize> {
        let last = self.moments.last()?;
        let goes_on = last.node == line.node
            && (last.step, last.time_us) == (line.step, line.time_us)
            && last.kind != MomentKind::Down
            && self.moments.len() > self.shown;
        (goes_on && last.node.is_some()).then_some(self.moments.len() - 1)
    }

    fn push(&mut self, line: &Line, kind: MomentKind) -> usize {
        let mut moment = Moment::begin(line.time_us, line.step, line.node, kind);
        moment.text.clone_from(&line.text);
        self.moments.push(moment);
        self.moments.len() - 1
    }

    fn begin(&mut self, line: &Line, trigger: &Trigger) {
        let kind = match trigger {
            Trigger::Tick => MomentKind::Tick,
            Trigger::Message { .. } => MomentKind::Message,
            Trigger::Synced(SyncResult::Done) => MomentKind::Synced,
            Trigger::Synced(SyncResult::Failed) => MomentKind::SyncFailed,
            Trigger::Client { .. } => MomentKind::Client,
            Trigger::Admin(_) => MomentKind::Operator,
            Trigger::Transport => MomentKind::Transport,
        };
        let at = self.push(line, kind);
        match trigger {
            Trigger::Message { parcel, .. } => {
                if let Some(message) = self.on_their_way.remove(parcel) {
                    self.messages[message].taken = Some(at);
                    self.moments[at].message = Some(message);
                }
            }
            Trigger::Client {
                client,
                sequence,
                operation,
                words,
                ..
            } => {
                let told = operation.map(|operation| operation.to_string());
                let text = words.clone().or(told).unwrap_or_default();
                let place = self.operation(*client, *sequence, text);
                self.operations[place].asked.push(at);
            }
            _ => {}
        }
    }

    fn operation(&mut self, client: u32, sequence: u64, text: String) -> usize {
        *self.of_sender.entry((client, sequence)).or_insert_with(|| {
            self.operations.push(Operation {
                client,
                sequence,
                text,
                asked: Vec::new(),
                answers: Vec::new(),
            });
            self.operations.len() - 1
        })
    }

    /// Adds to a moment what came of it.
    fn add(&mut self, at: usize, line: &Line, event: &Happened) {
        match event {
            Happened::Observed(Observation::Started { .. }) => {
                line.node.into_iter().for_each(|node| self.up.add(node));
            }
            Happened::Sent {
                label,
                parcel,
                copy,
            } => {
                let message = self.send(at, line, label);
                self.messages[message].copy = *copy;
                self.on_their_way.insert(*parcel, message);
                return;
            }
            Happened::Lost { label } => {
                let message = self.send(at, line, label);
                self.messages[message].lost = true;
                self.messages[message].text = label.kind.words().to_owned();
                return;
            }
            Happened::Wrote(Wrote::Entry {
                index,
                term,
                changes,
                sender,
                ..
            }) => {
                let operation = sender.and_then(|sender| self.of_sender.get(&sender).copied());
                self.contents.insert((*index, *term), (operation, *changes));
            }
            Happened::Answered { reply, words } => {
                let (text, refused) = match &reply.outcome {
                    ReplyOutcome::Applied { answer, .. } | ReplyOutcome::Read { answer, .. } => {
                        (words.clone().unwrap_or_else(|| answer.to_string()), false)
                    }
                    ReplyOutcome::Refused { leader } => {
                        let words = |leader: &NodeId| format!("refused, {leader} may lead");
                        let refused = leader.as_ref().map_or("refused".to_owned(), words);
                        (refused, true)
                    }
                };
                if let Some(place) = self.of_sender.get(&(reply.client, reply.sequence)) {
                    self.operations[*place].answers.push(ToldClient {
                        moment: at,
                        text,
                        refused,
                    });
                }
            }
            _ => {}
        }
        self.moments[at].lines.push(line.text.clone());
    }

    fn send(&mut self, at: usize, line: &Line, label: &Label) -> usize {
        // The line begins with whom it goes to, which is told already.
        let (_, text) = line.text.split_once(": ").unwrap_or(("", &line.text));
        self.messages.push(Message {
            from: line.node.unwrap_or_default(),
            to: label.to,
            kind: label.kind,
            term: label.term,
            text: text.to_owned(),
            sent: at,
            taken: None,
            lost: false,
            copy: false,
        });
        self.moments[at].sends.push(self.messages.len() - 1);
        self.messages.len() - 1
    }

    /// Takes in how the cluster stands after what was told.
    pub fn cluster(&mut self, cluster: &ClusterAt<'_>) {
        self.is_shown = true;
        let mut changes = Vec::new();
        for (position, node) in cluster.nodes.iter().enumerate() {
            let change = self.nodes[position].change(NodeId::at(position), node, &self.contents);
            changes.extend(change);
        }
        let cuts = (cluster.cuts != self.cuts).then(|| cluster.cuts.clone());
        let locks = self.locks.follow(cluster);
        let is_told = self.moments.len() > self.shown;
        if changes.is_empty() && cuts.is_none() && locks.is_none() {
            let is_idle = |moment: &Moment| {
                moment.kind == MomentKind::Tick
                    && moment.lines.is_empty()
                    && moment.sends.is_empty()
            };
            while self.moments.len() > self.shown && self.moments.last().is_some_and(is_idle) {
                self.moments.pop();
            }
            self.shown = self.moments.len();
            return;
        }
        if !is_told {
            let node = changes.first().map(|change| change.node);
            let kind = MomentKind::Other;
            let moment = Moment::begin(cluster.time_us, cluster.step, node, kind);
            self.moments.push(moment);
        }
        if let Some(cuts) = &cuts {
            self.cuts.clone_from(cuts);
        }
        if let Some(last) = self.moments.last_mut() {
            (last.changes, last.cuts, last.locks) = (changes, cuts, locks);
        }
        self.shown = self.moments.len();
    }

    /// The message that lies there on its way.
    pub fn on_its_way(&self, parcel: SlabKey) -> Option<usize> {
        self.on_their_way.get(&parcel).copied()
    }

    pub fn finish(
        mut self,
        plan: &Plan,
        outcome: &Outcome,
        past: &BTreeSet<(u64, u64, Option<NodeId>)>,
        story: Story,
        reproduce: &str,
    ) -> RunDocument {
        for moment in &mut self.moments {
            moment.past = past.contains(&(moment.time_us, moment.step, moment.node));
        }
        let violation = outcome.failure.as_ref().map(|failure| {
            let violation = &failure.violation;
            let of_node =
                |moment: &Moment| violation.node.is_none_or(|node| moment.node == Some(node));
            let last = self.moments.iter().rposition(of_node);
            let last = last.unwrap_or(self.moments.len().saturating_sub(1));
            BrokenRule {
                property: violation.property().name(),
                rule: violation.property().about(),
                source: violation.breach.source(),
                message: violation.message(),
                ask_first: violation.ask_first(),
                step: failure.step,
                time_us: failure.time_us,
                node: violation.node,
                moment: last,
                fields: violation.clone(),
            }
        });
        let numbers: BTreeSet<u32> = self.operations.iter().map(|one| one.client).collect();
        let name = |number: u32| Client {
            number,
            name: ClientName(number).to_string(),
        };
        RunDocument {
            format: FORMAT,
            version: VERSION,
            squall: env!("CARGO_PKG_VERSION"),
            subject: plan.subject.clone(),
            reproduce: reproduce.to_owned(),
            plan: plan.clone(),
            end: End {
                steps: outcome.steps,
                time_us: outcome.time_us,
                healed_us: plan.heal_us,
                digest: format!("{:016x}", outcome.digest),
                members_without_disk: outcome.members_without_disk.clone(),
            },
            settings: settings(plan),
            story: self.sentences(story),
            violation,
            faults: self.faults,
            has_states: self.is_shown,
            nodes: plan.cluster.nodes(),
            clients: numbers.into_iter().map(name).collect(),
            moments: self.moments,
            messages: self.messages,
            operations: self.operations,
        }
    }

    fn sentences(&self, story: Story) -> Vec<Sentence> {
        // The moments of one step and node are told by what begins them; the violation is in the
        // last of them.
        let place = |line: &StoryLine, is_end: bool| {
            let is_it = |moment: &Moment| {
                (moment.time_us, moment.step, moment.node) == (line.time_us, line.step, line.node)
            };
            // A step that a panic ends has told nothing.
            let is_before = |moment: &Moment| {
                let is_of_it = line.node.is_none() || moment.node == line.node;
                is_of_it && moment.time_us <= line.time_us
            };
            let mut moments = self.moments.iter();
            let exactly = match is_end {
                true => moments.clone().rposition(is_it),
                false => moments.clone().position(is_it),
            };
            exactly.or_else(|| moments.rposition(is_before))
        };
        let told = |line: StoryLine, is_end: bool| Sentence {
            moment: place(&line, is_end),
            step: Some(line.step),
            time_us: Some(line.time_us),
            node: line.node,
            text: line.text,
        };
        let at_the_end = |text: String| Sentence {
            moment: None,
            step: None,
            time_us: None,
            node: None,
            text,
        };
        let lines = story.lines.into_iter().map(|line| told(line, false));
        let standing = story.standing.into_iter().map(at_the_end);
        let ending = story.ending.into_iter().map(|line| told(line, true));
        lines.chain(standing).chain(ending).collect()
    }
}

/// What is not as it is where nobody says: options of Raft, of the driver, and of the subject
/// alone.
fn settings(plan: &Plan) -> Vec<Setting> {
    let options = [
        (to_json(&plan.raft), to_json(&RaftOptions::default())),
        (to_json(&plan.driver), to_json(&DriverOptions::default())),
    ];
    let mut all = Vec::new();
    for (set, usual) in options {
        for (name, value) in set {
            let is_usual = usual.get(&name) == Some(&value) || name == "own";
            if !is_usual {
                all.push(Setting {
                    name,
                    value,
                    own: false,
                });
            }
        }
    }
    let own = plan.driver.own.iter().map(|(name, value)| Setting {
        name: name.clone(),
        value: serde_json::to_value(value).unwrap_or_default(),
        own: true,
    });
    own.chain(all).collect()
}

fn to_json(options: &impl serde::Serialize) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(options) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    }
}

impl CommittedLocks {
    /// Who holds the locks now, where others did before.
    fn follow(&mut self, cluster: &ClusterAt<'_>) -> Option<Vec<Option<Lock>>> {
        let nodes = cluster.nodes.iter();
        let furthest = nodes.max_by_key(|node| node.view.commit)?;
        if self.lost || furthest.view.commit <= self.committed {
            return None;
        }
        for index in self.committed + 1..=furthest.view.commit {
            let chain = furthest.view.chain_at(index);
            let mut disks = cluster.nodes.iter().map(|node| &node.durable.log);
            let entry = chain.and_then(|chain| disks.find_map(|log| log.get_of(index, chain)));
            let Some(entry) = entry else {
                self.lost = true;
                return Some(Vec::new());
            };
            if entry.kind == squall_core::storage::EntryKind::Normal {
                self.service.apply(&entry.data);
            }
        }
        self.committed = furthest.view.commit;
        let lock = |grant: squall_core::service::Grant| Lock {
            client: grant.client,
            token: grant.token,
            until_us: (grant.until_us != u64::MAX).then_some(grant.until_us),
        };
        let held: Vec<Option<Lock>> = self.service.grants().map(|held| held.map(lock)).into();
        let is_new = match self.held.is_empty() {
            true => held.iter().any(Option::is_some),
            false => held != self.held,
        };
        is_new.then(|| {
            self.held.clone_from(&held);
            held
        })
    }
}
