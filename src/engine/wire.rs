//! What becomes of a message between the replica that sends it and the one that
//! gets it: the network's verdict, faults that act on it, and what the transport
//! reports to its sender.

use super::digest;
use super::inject::Tampering;
use super::lockstep::{Happening, Report, World};
use super::panics;
use super::trace::Weight;
use crate::check::{Scene, Violation};
use crate::net::{Fate, Lost};
use crate::replica::{Label, Message, MessageKind, Replica, Subject};
use crate::sometimes::Event;
use crate::types::NodeId;

impl<S: Subject> World<'_, '_, S> {
    #[inline]
    pub(super) fn send(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        message: Message<S>,
    ) -> Result<(), Violation> {
        self.stepping = Some(from);
        panics::enter();
        let label: Label = S::Replica::label(&message);
        panics::leave();
        self.stepping = None;
        self.fold(digest::label(to, &label));
        self.counters.hit(Event::MessageSent);
        let scene = Scene {
            nodes: &self.views,
            disks: &self.disks,
        };
        self.checks.sent(scene, from, to, &label)?;
        if to.position() >= self.slots.len() || to == from {
            return Ok(());
        }
        match label.kind {
            MessageKind::Snapshot => self.counters.hit(Event::SnapshotSent),
            MessageKind::TimeoutNow => self.counters.hit(Event::TimeoutNowSent),
            _ => {}
        }
        let tampering = self.tampering(from, to, label.kind);
        if tampering == Some(Tampering::Lose) {
            self.lost(now_us, from, to, &label, Lost::Chance);
            return Ok(());
        }
        let fate = self.network.route(
            now_us,
            from.position(),
            to.position(),
            &mut self.network_choices,
        );
        let (mut at_us, mut again_at_us, overtakable) = match fate {
            Fate::Lost(lost) => {
                self.lost(now_us, from, to, &label, lost);
                return Ok(());
            }
            Fate::Arrives {
                at_us,
                again_at_us,
                overtakable,
            } => (at_us, again_at_us, overtakable),
        };
        match tampering {
            Some(Tampering::Delay { by_us }) => {
                self.counters.hit(Event::MessageDelayed);
                at_us += by_us;
            }
            Some(Tampering::Duplicate { after_us }) if again_at_us.is_none() => {
                self.network.add_in_flight(from.position(), to.position());
                again_at_us = Some(at_us + after_us);
            }
            _ => {}
        }
        if overtakable {
            self.counters.hit(Event::MessageReordered);
        }
        self.fold(at_us);
        let kind = label.kind;
        if let Some(again_at_us) = again_at_us {
            self.counters.hit(Event::MessageDuplicated);
            let parcel = self.parcels.put(message.clone());
            self.queue.push(
                again_at_us,
                Happening::Arrival {
                    from,
                    to,
                    kind,
                    parcel,
                },
            );
        }
        let parcel = self.parcels.put(message);
        self.queue.push(
            at_us,
            Happening::Arrival {
                from,
                to,
                kind,
                parcel,
            },
        );
        Ok(())
    }

    /// What a fault that waits for this message does to it.
    #[inline]
    fn tampering(&mut self, from: NodeId, to: NodeId, kind: MessageKind) -> Option<Tampering> {
        let before = self.due.len();
        self.triggers.message(from, to, kind, &mut self.due);
        if self.due.len() == before {
            return None;
        }
        let faults = &self.plan.faults;
        let mut tampering = None;
        self.due
            .retain(|fault| match Tampering::of(&faults[*fault].what) {
                Some(found) => {
                    tampering.get_or_insert(found);
                    false
                }
                None => true,
            });
        tampering
    }

    #[cold]
    fn lost(&mut self, now_us: u64, from: NodeId, to: NodeId, label: &Label, lost: Lost) {
        self.counters.hit(match lost {
            Lost::Cut => Event::MessageCut,
            Lost::Full => Event::MessageOverflowed,
            Lost::Chance => Event::MessageLost,
        });
        if self.watch.lines.is_some() {
            let text = format!("its {} to {to} is lost ({lost:?})", label.kind.words());
            self.tell(Some(from), Weight::Notable, text);
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
            self.counters.hit(Event::SnapshotLost);
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
        if self.network_choices.below(4) == 0 {
            self.report(now_us, from, Report::Unreachable { peer: to });
        }
    }

    fn report(&mut self, now_us: u64, node: NodeId, report: Report) {
        if !self.is_up(node) {
            return;
        }
        let life = self.views[node.position()].life;
        let delay_us = self
            .network_choices
            .between(1, 2 * self.plan.network.delay_max_us.max(1));
        self.queue
            .push(now_us + delay_us, Happening::Report { node, life, report });
    }
}
