//! What becomes of a message between the replica that sends it and the one that
//! gets it: the network's verdict, faults that act on it, and what the transport
//! reports to its sender.

use super::digest;
use super::event::{Event, Report};
use super::panics;
use super::trace::{Happened, Weight};
use super::world::World;
use crate::counters::Counter;
use crate::ids::NodeId;
use crate::invariants::{ClusterView, Postmark, Verdict};
use crate::plan::Plan;
use crate::replica::{Label, Message, MessageKind, Replica, Subject};
use squall_world::network::{Fate, Lost, MessageFault, Network};
use squall_world::queue::SlabKey;

/// The network as it is at the start.
pub(super) fn network(plan: &Plan) -> Network {
    let mut network = Network::new(plan.nodes().len(), plan.network);
    hold_links(plan, &mut network);
    network
}

/// Holds back what is on links that go behind others.
pub fn hold_links(plan: &Plan, network: &mut Network) {
    if let Some(schedule) = &plan.schedule {
        for (link, by_us) in schedule.delays() {
            network.hold(link.from.position(), link.to.position(), by_us);
        }
        for (fall, by_us) in schedule.falls() {
            let (from, to) = (fall.link.from.position(), fall.link.to.position());
            network.hold_from(fall.nth, from, to, by_us);
        }
    }
}

impl<S: Subject> World<'_, '_, S> {
    /// Sends a replica's messages, one or more. Each moves once at most, before it is known what
    /// becomes of it.
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        now_us: u64,
        from: NodeId,
        mut messages: Vec<Message<S>>,
    ) -> Verdict {
        while messages.len() > 1
            && let Some(message) = messages.pop()
        {
            let parcel = self.parcels.reserve();
            self.parcels.put(parcel, message);
            self.places.push(parcel);
        }
        // The first, which is mostly the only one, stays in the list it came in.
        let first = self.parcels.reserve();
        self.parcels.put_only(first, messages);
        self.post(now_us, from, first)?;
        while let Some(parcel) = self.places.pop() {
            self.post(now_us, from, parcel)?;
        }
        Ok(())
    }

    /// Decides what becomes of the message at `parcel`, and schedules its arrival.
    ///
    /// Out of line, for a loop around all of this would keep in memory what fits the registers.
    #[inline(never)]
    fn post(&mut self, now_us: u64, from: NodeId, parcel: SlabKey) -> Verdict {
        let Some(message) = self.parcels.get(parcel) else {
            return Ok(());
        };
        panics::enter();
        let label: Label = S::Replica::label(message);
        panics::leave();
        let Label { to, kind, .. } = label;
        self.fold(digest::label(&label));
        self.counters.hit(Counter::MessageSent);
        let cluster_view = ClusterView {
            nodes: &self.views,
            disks: &self.disks,
        };
        self.checks.spoken(cluster_view, from, &label)?;
        if to.position() >= self.slots.len() || to == from {
            drop(self.parcels.take(parcel));
            return Ok(());
        }
        let postmark = self.checks.posted(&self.views, from, &label);
        match kind {
            MessageKind::Snapshot => self.counters.hit(Counter::SnapshotSent),
            MessageKind::TimeoutNow => self.counters.hit(Counter::TimeoutNowSent),
            _ => {}
        }
        if self.connections.is_some() && !self.put_on_stream(now_us, from, &label, parcel) {
            drop(self.parcels.take(parcel));
            return Ok(());
        }
        let is_watched = self.watch.recording.is_some() || self.triggers.watches(from, to, kind);
        let calmly = match is_watched {
            true => None,
            false => self.network.route_calmly(
                now_us,
                from.position(),
                to.position(),
                &mut self.network_choices,
            ),
        };
        let at_us = match calmly {
            Some(at_us) => at_us,
            None => match self.route(now_us, from, &label, parcel, postmark) {
                Some(at_us) => at_us,
                None => {
                    drop(self.parcels.take(parcel));
                    return Ok(());
                }
            },
        };
        self.fold(at_us);
        let arrival = Event::Arrival {
            from,
            to,
            kind,
            parcel,
            postmark,
        };
        self.queue.push(at_us, arrival);
        if self.watch.lines.is_some() {
            self.tell_sent(from, parcel, false);
        }
        Ok(())
    }

    /// When a message arrives that something may befall; never, when it is lost. Its copy, if it
    /// has one, is on its way then.
    #[inline(never)]
    fn route(
        &mut self,
        now_us: u64,
        from: NodeId,
        label: &Label,
        parcel: SlabKey,
        postmark: Postmark,
    ) -> Option<u64> {
        let Label { to, kind, .. } = *label;
        let tampering = self.tampering(from, to, kind);
        if tampering == Some(MessageFault::Lose) {
            self.lost(now_us, from, label, Lost::Chance);
            self.end_connection(now_us, from, to);
            return None;
        }
        let mut fate = self.network.route(
            now_us,
            from.position(),
            to.position(),
            &mut self.network_choices,
        );
        if self.connections.is_some() {
            fate = self.fate_on_stream(now_us, from, label, fate);
        }
        if let Some(recording) = self
            .watch
            .recording
            .as_mut()
            .filter(|_| tampering.is_none())
        {
            recording.routed(from, to, kind, fate);
        }
        let (mut at_us, mut again_at_us, reorderable) = match fate {
            Fate::Lost(lost) => {
                self.lost(now_us, from, label, lost);
                self.end_connection(now_us, from, to);
                return None;
            }
            Fate::Arrives {
                at_us,
                again_at_us,
                reorderable,
                ..
            } => (at_us, again_at_us, reorderable),
        };
        match tampering {
            Some(MessageFault::Delay { by_us }) => {
                self.counters.hit(Counter::MessageDelayed);
                at_us += by_us;
            }
            // A connection takes each message once.
            Some(MessageFault::Duplicate { .. }) if self.connections.is_some() => {}
            Some(MessageFault::Duplicate { after_us }) if again_at_us.is_none() => {
                self.network.add_in_flight(from.position(), to.position());
                again_at_us = Some(at_us + after_us);
            }
            _ => {}
        }
        if reorderable {
            self.counters.hit(Counter::MessageReordered);
        }
        if at_us > now_us + self.plan.prompt_us() {
            self.answers.disturb(at_us);
        }
        if let Some(again_at_us) = again_at_us {
            self.counters.hit(Counter::MessageDuplicated);
            let message = self.parcels.get(parcel).cloned();
            let parcel = self.parcels.reserve();
            if let Some(message) = message {
                self.parcels.put(parcel, message);
            }
            let arrival = Event::Arrival {
                from,
                to,
                kind,
                parcel,
                postmark,
            };
            self.queue.push(again_at_us, arrival);
            if self.watch.lines.is_some() {
                self.tell_sent(from, parcel, true);
            }
        }
        Some(at_us)
    }

    /// What a fault that waits for this message does to it.
    fn tampering(&mut self, from: NodeId, to: NodeId, kind: MessageKind) -> Option<MessageFault> {
        if let Some(recording) = &mut self.watch.recording {
            recording.sent(from, to, kind);
        }
        match self.triggers.watches(from, to, kind) {
            true => self.triggered(from, to, kind),
            false => None,
        }
    }

    #[cold]
    fn triggered(&mut self, from: NodeId, to: NodeId, kind: MessageKind) -> Option<MessageFault> {
        self.answers.disturb(self.queue.now_us());
        let before = self.due.len();
        self.triggers.message(from, to, kind, &mut self.due);
        if self.due.len() == before {
            return None;
        }
        let faults = &self.plan.faults;
        let mut tampering = None;
        self.due
            .retain(|fault| match faults[*fault].what.on_message() {
                Some(found) => {
                    tampering.get_or_insert(found);
                    false
                }
                None => true,
            });
        tampering
    }

    #[cold]
    pub(super) fn lost(&mut self, now_us: u64, from: NodeId, label: &Label, lost: Lost) {
        let to = label.to;
        self.answers.disturb(now_us);
        self.counters.hit(match lost {
            Lost::Cut => Counter::MessageCut,
            Lost::Full => Counter::MessageOverflowed,
            Lost::Chance => Counter::MessageLost,
            Lost::Unconnected => Counter::MessageUnconnected,
        });
        if self.watch.lines.is_some() {
            let text = format!("its {} to {to} is lost ({lost})", label.kind.words());
            let event = Happened::Lost { label: *label };
            self.tell_event(Some(from), Weight::Notable, text, event);
        }
        if label.kind == MessageKind::Snapshot {
            self.report_snapshot(now_us, from, to, false);
        }
        if lost != Lost::Chance {
            self.report_unreachable(now_us, from, to);
        }
    }

    /// Tells a sender, sooner or later, what became of its snapshot. In a storm
    /// a transport may take a delivered one for lost, as after a time-out.
    pub(super) fn report_snapshot(&mut self, now_us: u64, from: NodeId, to: NodeId, arrived: bool) {
        if !arrived {
            self.counters.hit(Counter::SnapshotLost);
        }
        let mistaken = !self.healed && self.network_choices.below(16) == 0;
        let report = Report::SnapshotSent {
            peer: to,
            delivered: arrived && !mistaken,
        };
        self.report(now_us, from, report);
    }

    /// One time in four, a transport notices at once that a peer cannot be reached.
    pub(super) fn report_unreachable(&mut self, now_us: u64, from: NodeId, to: NodeId) {
        // Whoever talks over connections is told of these.
        if self.connections.is_none() && self.network_choices.below(4) == 0 {
            self.report(now_us, from, Report::Unreachable { peer: to });
        }
    }

    fn report(&mut self, now_us: u64, node: NodeId, report: Report) {
        if !self.is_up(node) {
            return;
        }
        let incarnation = self.views[node.position()].incarnation;
        let delay_us = self
            .network_choices
            .between(1, 2 * self.plan.network.delay_max_us.max(1));
        self.queue.push(
            now_us + delay_us,
            Event::Report {
                node,
                incarnation,
                report,
            },
        );
    }
}
