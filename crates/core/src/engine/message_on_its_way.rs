//! Messages that are on their way: what a fault does to one of them, and which there are when a run
//! ends. Between a message's sending and its arrival nothing else looks at it.

use super::event::Event;
use super::trace::{Happened, Weight};
use super::world::World;
use super::{Ahead, MessageAhead};
use crate::counters::Counter;
use crate::faults::{Intercept, OnItsWay};
use crate::invariants::Verdict;
use crate::replica::{MessageKind, Subject};

impl<S: Subject> World<'_, '_, S> {
    /// Does to one of the messages on their way what the fault says.
    pub(crate) fn intercept(&mut self, now_us: u64, fault: &Intercept) -> Verdict {
        let Intercept {
            from,
            to,
            kind,
            nth,
            then,
        } = *fault;
        let is_it = |event: &Event| {
            let same = (from, to, kind);
            matches!(event, Event::Arrival { from, to, kind, .. } if (*from, *to, *kind) == same)
        };
        let found = match then {
            OnItsWay::ComesAgain(_) => self.queue.find(nth, is_it),
            _ => self.queue.remove(nth, is_it),
        };
        let Some((arrives_us, arrival)) = found else {
            if self.is_watched() {
                let words = kind.words();
                let text = format!("no such {words} is on its way from {from} to {to}");
                self.tell(None, Weight::Notable, text);
            }
            return Ok(());
        };
        let Event::Arrival {
            parcel, postmark, ..
        } = arrival
        else {
            return Ok(());
        };
        match then {
            OnItsWay::Arrives if self.stands_still(to) => {
                self.slots[to.position()].held.push(arrival);
            }
            OnItsWay::Arrives => {
                self.off_the_wire(now_us, from, to, kind);
                self.arrive(now_us, from, to, parcel, postmark)?;
            }
            OnItsWay::IsLost => {
                self.counters.hit(Counter::MessageLost);
                self.network.arrived(from.position(), to.position());
                drop(self.parcels.take(parcel));
                if self.is_watched() {
                    let text = format!("its {} to {to} is lost on its way", kind.words());
                    let event = Happened::LostOnItsWay { parcel };
                    self.tell_event(Some(from), Weight::Notable, text, event);
                }
                if kind == MessageKind::Snapshot {
                    self.report_snapshot(now_us, from, to, false);
                }
                self.end_connection(now_us, from, to);
            }
            OnItsWay::IsLate(by_us) => {
                self.counters.hit(Counter::MessageDelayed);
                self.answers.disturb(arrives_us + by_us);
                self.queue.push(arrives_us + by_us, arrival);
            }
            // It would come to nothing: a connection takes each message once.
            OnItsWay::ComesAgain(_) if self.connections.is_some() => {}
            OnItsWay::ComesAgain(after_us) => {
                self.counters.hit(Counter::MessageDuplicated);
                self.answers.disturb(arrives_us + after_us);
                let message = self.parcels.get(parcel).cloned();
                let copy = self.parcels.reserve();
                if let Some(message) = message {
                    self.parcels.put(copy, message);
                }
                self.network.add_in_flight(from.position(), to.position());
                let arrival = Event::Arrival {
                    from,
                    to,
                    kind,
                    parcel: copy,
                    postmark,
                };
                self.queue.push(arrives_us + after_us, arrival);
                if self.is_watched() {
                    self.tell_sent(from, copy, true);
                }
            }
        }
        Ok(())
    }

    /// What is to come.
    pub(super) fn ahead(&mut self) -> Ahead {
        let mut events: Vec<(u64, Event)> = self.next.into_iter().collect();
        events.extend(self.queue.take_all());
        events.retain(|(_, event)| !matches!(event, Event::Heal));
        let message = |(arrives_us, event): &(u64, Event)| match *event {
            Event::Arrival {
                from,
                to,
                kind,
                parcel,
                ..
            } => Some(MessageAhead {
                from,
                to,
                kind,
                arrives_us: *arrives_us,
                parcel,
            }),
            _ => None,
        };
        Ahead {
            next_us: events.first().map(|(time_us, _)| *time_us),
            messages: events.iter().filter_map(message).collect(),
        }
    }
}
