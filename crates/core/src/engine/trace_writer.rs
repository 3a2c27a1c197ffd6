//! The lockstep engine in words: what happens, line by line, and how it ended.

use super::panics;
use super::trace::{self, Forgotten, Happened, LIBRARY, Line, Trigger, Weight, Wrote};
use super::world::World;
use super::{ClusterAt, Failure, NodeAt, NodeAtEnd, NodeState, Outcome};
use crate::ids::{ClientName, NodeId};
use crate::invariants::Violation;
use crate::replica::{
    Effect, Input, Message, Observation, Replica, Reply, ReplyOutcome, Request, Subject, SyncResult,
};
use crate::service::Command;
use crate::storage::Record;
use squall_world::hash::{mix, mix_bytes};
use squall_world::journal_disk::CrashReport;
use squall_world::queue::SlabKey;

impl<S: Subject> World<'_, '_, S> {
    #[cold]
    pub(super) fn tell(&mut self, node: Option<NodeId>, weight: Weight, text: String) {
        self.tell_event(node, weight, text, Happened::Other);
    }

    #[cold]
    pub(super) fn tell_event(
        &mut self,
        node: Option<NodeId>,
        weight: Weight,
        text: String,
        event: Happened,
    ) {
        let (time_us, step) = (self.queue.now_us(), self.step);
        if let Some(lines) = &mut self.watch.lines {
            lines(Line {
                time_us,
                step,
                node,
                weight,
                text,
                event,
            });
        }
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watch.lines.is_some()
    }

    /// A message is about to be stepped into its receiver.
    #[cold]
    pub(super) fn tell_delivery(&mut self, node: NodeId, from: NodeId, parcel: SlabKey) {
        let Some(message) = self.parcels.get(parcel) else {
            return;
        };
        let label = S::Replica::label(message);
        let text = format!("gets from {from}: {}", S::Replica::describe(message));
        let trigger = Trigger::Message {
            from,
            label,
            parcel,
        };
        let weight = trace::weight(label.kind);
        self.tell_event(Some(node), weight, text, Happened::Began(trigger));
    }

    /// A message is on its way, and lies at `parcel`.
    #[cold]
    pub(super) fn tell_sent(&mut self, from: NodeId, parcel: SlabKey, copy: bool) {
        let Some(message) = self.parcels.get(parcel) else {
            return;
        };
        let label = S::Replica::label(message);
        let text = format!("sends to {}: {}", label.to, S::Replica::describe(message));
        let event = Happened::Sent {
            label,
            parcel,
            copy,
        };
        self.tell_event(Some(from), Weight::Routine, text, event);
    }

    #[cold]
    pub(super) fn tell_input(&mut self, node: NodeId, input: &Input<Message<S>>) {
        let (weight, text, trigger) = match input {
            Input::Tick => (Weight::Routine, "ticks".to_owned(), Trigger::Tick),
            // Told where it lies: see `tell_delivery`.
            Input::Deliver { .. } => return,
            Input::Synced { result, .. } => {
                let (weight, text) = match result {
                    SyncResult::Done => (Weight::Routine, "sync done"),
                    SyncResult::Failed => (Weight::Notable, "sync failed"),
                };
                (weight, text.to_owned(), Trigger::Synced(*result))
            }
            Input::Request(request) => self.asked("for command", request),
            Input::Read(request) => self.asked("for read", request),
            Input::Admin(admin) => {
                let text = format!("is asked by an operator {admin}");
                (Weight::Notable, text, Trigger::Admin(admin.clone()))
            }
            Input::Unreachable { peer } => (
                Weight::Notable,
                format!("is told that {peer} is unreachable"),
                Trigger::Transport,
            ),
            Input::SnapshotSent { peer, delivered } => {
                let got = if *delivered { "got" } else { "did not get" };
                let text = format!("is told that {peer} {got} its snapshot");
                (Weight::Notable, text, Trigger::Transport)
            }
            Input::Connection { peer, stands } => {
                let text = match stands {
                    true => format!("is connected to {peer}"),
                    false => format!("is told that its connection to {peer} has ended"),
                };
                (Weight::Notable, text, Trigger::Transport)
            }
        };
        self.tell_event(Some(node), weight, text, Happened::Began(trigger));
    }

    fn asked(&self, what: &str, request: &Request) -> (Weight, String, Trigger) {
        let operation = Command::decode(&request.command).map(|command| command.operation);
        let of_machine = Command::decode_with(&request.command);
        let words = of_machine.and_then(|(_, bytes)| {
            let kit = self.clients.kit.as_ref()?;
            Some(panics::within(|| kit.command_in_words(bytes)))
        });
        let mut text = format!(
            "is asked by {} {what} {}",
            ClientName(request.client),
            request.sequence
        );
        let told = operation.map(|operation| operation.to_string());
        if let Some(told) = words.clone().or(told) {
            text.push_str(&format!(": {told}"));
        }
        let trigger = Trigger::Client {
            client: request.client,
            sequence: request.sequence,
            attempt: request.attempt,
            operation,
            words,
        };
        (Weight::Routine, text, trigger)
    }

    #[cold]
    pub(super) fn tell_effect(&mut self, node: NodeId, effect: &Effect<&mut Record, &Observation>) {
        let (weight, text, event) = match effect {
            Effect::Write(record) => {
                let text = trace::record(record);
                let wrote = Happened::Wrote(Wrote::from(&**record));
                (Weight::Notable, text, wrote)
            }
            Effect::Sync(_) => (
                Weight::Routine,
                "begins a sync".to_owned(),
                Happened::SyncBegun,
            ),
            Effect::Observe(seen) => (
                Weight::Notable,
                trace::observation(seen),
                Happened::Observed(**seen),
            ),
        };
        self.tell_event(Some(node), weight, text, event);
    }

    #[cold]
    pub(super) fn tell_reply(&mut self, node: NodeId, reply: &Reply) {
        let answer = reply.outcome.answer();
        let words = answer.and_then(|answer| {
            let kit = self.clients.kit.as_ref()?;
            Some(panics::within(|| kit.answer_in_words(answer)))
        });
        let told = words.clone().or(answer.map(|answer| answer.to_string()));
        let told = told.unwrap_or_default();
        let outcome = match &reply.outcome {
            ReplyOutcome::Applied { index, .. } => format!("{told} (entry {index})"),
            ReplyOutcome::Read { index, .. } => format!("{told} (as of entry {index})"),
            ReplyOutcome::Refused {
                leader: Some(leader),
            } => {
                format!("refused, {leader} may lead")
            }
            ReplyOutcome::Refused { leader: None } => "refused".to_owned(),
        };
        let Reply {
            client, sequence, ..
        } = reply;
        let client = ClientName(*client);
        let text = format!("answers {client}, operation {sequence}: {outcome}");
        let event = Happened::Answered {
            reply: *reply,
            words,
        };
        self.tell_event(Some(node), Weight::Routine, text, event);
    }

    #[cold]
    pub(super) fn tell_down(&mut self, node: NodeId, report: &CrashReport, whole_disk: bool) {
        let position = node.position();
        let (view, durable) = (&self.views[position], self.disks[position].durable());
        let kept = durable.usable_last();
        let hard = (durable.hard != view.hard).then_some(view.hard);
        let snapshot = view.snapshot.0;
        let forgotten = Forgotten {
            entries: (kept < view.last()).then(|| (view.first().max(kept + 1), view.last())),
            hard,
            snapshot: (durable.snapshot_index() < snapshot).then_some(snapshot),
            whole_disk,
        };
        let mut text = format!(
            "is down; of its unsynced records {} survive, {} are lost, {} torn",
            report.kept, report.lost, report.torn
        );
        if forgotten != Forgotten::default() {
            text.push_str(&format!("; forgotten: {forgotten}"));
        }
        self.tell_event(Some(node), Weight::Notable, text, Happened::Down(forgotten));
    }

    #[cold]
    pub(super) fn tell_library(&mut self, node: NodeId) {
        let Some(log) = &self.log else { return };
        for line in log.take() {
            let text = format!("{LIBRARY}{line}");
            self.tell_event(Some(node), Weight::Routine, text, Happened::Library);
        }
    }

    pub(super) fn outcome(mut self, violation: Option<Violation>) -> Outcome {
        // What the library said in a step that did not come to its end.
        if let Some(node) = self.stepping {
            self.tell_library(node);
        }
        if let Some(violation) = &violation {
            let text = format!("VIOLATION {violation}");
            self.tell_event(violation.node, Weight::Notable, text, Happened::Broken);
        }
        if let Some(violation) = &violation {
            self.fold(mix_bytes(
                mix(0, violation.property() as u64),
                violation.message().as_bytes(),
            ));
        }
        self.show_cluster();
        let time_us = self.queue.now_us();
        if let Some(ahead) = self.watch.ahead.take() {
            *ahead = self.ahead();
        }
        let nodes = self.nodes.iter().map(|id| self.at_end(*id)).collect();
        Outcome {
            failure: violation.map(|violation| Failure {
                violation,
                step: self.step,
                time_us,
            }),
            digest: self.digest,
            steps: self.step,
            time_us,
            counters: self.counters,
            nodes,
            members_without_disk: self.members_without_disk,
        }
    }

    fn state_of(&self, id: NodeId) -> NodeState {
        let slot = &self.slots[id.position()];
        let is_gone = self.views[id.position()].gone;
        match (is_gone, slot.replica.is_some(), slot.paused_until_us) {
            (true, ..) => NodeState::Gone,
            (_, false, _) => NodeState::Down,
            (_, _, Some(_)) => NodeState::Still,
            _ => NodeState::Up,
        }
    }

    /// Shows the cluster as it is to whoever watches it.
    #[cold]
    pub(super) fn show_cluster(&mut self) {
        let Some(watcher) = self.watch.cluster.take() else {
            return;
        };
        let node = |id: NodeId| NodeAt {
            state: self.state_of(id),
            view: &self.views[id.position()],
            durable: self.disks[id.position()].durable(),
            unsynced: self.disks[id.position()].pending(),
        };
        let from_each = self.nodes.iter().copied();
        let links = from_each.flat_map(|from| self.nodes.iter().map(move |to| (from, *to)));
        let is_cut = |link: &(NodeId, NodeId)| {
            let (from, to) = *link;
            self.network.is_cut(from.position(), to.position())
        };
        let cluster = ClusterAt {
            time_us: self.queue.now_us(),
            step: self.step,
            nodes: self.nodes.iter().copied().map(node).collect(),
            cuts: links.filter(is_cut).collect(),
        };
        panics::of_watcher(|| watcher(&cluster));
        self.watch.cluster = Some(watcher);
    }

    fn at_end(&self, id: NodeId) -> NodeAtEnd {
        let view = &self.views[id.position()];
        let disk = self.disks[id.position()].durable();
        NodeAtEnd {
            id,
            state: self.state_of(id),
            role: view.role,
            term: view.term,
            vote: view.hard.vote,
            last: view.last(),
            commit: view.commit,
            applied: view.applied,
            disk: (disk.hard.term, disk.snapshot_index(), disk.log.last()),
            incarnation: view.incarnation,
        }
    }
}
