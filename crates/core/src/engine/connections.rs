//! Connections between nodes, where a plan has them ([`Plan::streams`]): when they begin and end,
//! and what they make of a message that the network below them loses, repeats or reorders.
//!
//! [`Plan::streams`]: crate::plan::Plan::streams

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Event, Report};
use super::panics;
use super::trace::Weight;
use super::world::World;
use crate::counters::Counter;
use crate::ids::NodeId;
use crate::invariants::{Postmark, Verdict};
use crate::replica::{Input, Label, MessageKind, Replica, Subject};
use squall_world::network::{Fate, Lost};
use squall_world::queue::SlabKey;
use squall_world::streams::{Stamp, Streams};

/// The connections of a run.
pub(super) struct Connections {
    streams: Streams<(SlabKey, Postmark)>,
    /// What messages on their way were sent on.
    stamps: BTreeMap<SlabKey, Stamp>,
    /// The last connection of two nodes of which both are about to hear that it has ended.
    ending: BTreeMap<(NodeId, NodeId), u32>,
    /// Pairs of nodes that are about to be connected.
    sought: BTreeSet<(NodeId, NodeId)>,
}

impl Connections {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            streams: Streams::new(nodes),
            stamps: BTreeMap::new(),
            ending: BTreeMap::new(),
            sought: BTreeSet::new(),
        }
    }

    fn standing(&self, node: NodeId, peer: NodeId) -> Option<u32> {
        let (node, peer) = (node.position(), peer.position());
        self.streams.connection(node, peer)
    }
}

impl<S: Subject> World<'_, '_, S> {
    /// Puts the message at `parcel` on its sender's connection. False, and it is lost, where that
    /// has none.
    pub(super) fn put_on_stream(
        &mut self,
        now_us: u64,
        from: NodeId,
        label: &Label,
        parcel: SlabKey,
    ) -> bool {
        let (node, peer) = (from.position(), label.to.position());
        let stamp = match &mut self.connections {
            Some(connections) => connections.streams.send(node, peer),
            None => return true,
        };
        match (stamp, &mut self.connections) {
            (Some(stamp), Some(connections)) => {
                connections.stamps.insert(parcel, stamp);
                true
            }
            _ => {
                self.lost(now_us, from, label, Lost::Unconnected);
                false
            }
        }
    }

    /// What a connection makes of a message's fate: what is lost by chance, or for want of room, is
    /// sent again and arrives late, and a copy comes to nothing.
    pub(super) fn fate_on_stream(
        &mut self,
        now_us: u64,
        from: NodeId,
        label: &Label,
        fate: Fate,
    ) -> Fate {
        let (node, peer) = (from.position(), label.to.position());
        match fate {
            Fate::Lost(Lost::Chance | Lost::Full) => {
                self.counters.hit(Counter::MessageSentAgain);
                self.network.add_in_flight(node, peer);
                let late_us = self.some_time(self.plan.election_us());
                if self.is_watched() {
                    let kind = label.kind.words();
                    let text = format!("its {kind} to {} is lost, and sent again", label.to);
                    self.tell(Some(from), Weight::Notable, text);
                }
                Fate::Arrives {
                    at_us: now_us + late_us,
                    again_at_us: None,
                    reorderable: false,
                    late_us,
                }
            }
            Fate::Arrives {
                at_us,
                again_at_us: Some(_),
                reorderable,
                late_us,
            } => {
                self.network.arrived(node, peer);
                Fate::Arrives {
                    at_us,
                    again_at_us: None,
                    reorderable,
                    late_us,
                }
            }
            other => other,
        }
    }

    /// The message at `parcel` has come to the end of its link: it is handed over when all that was
    /// sent before it on its connection has been.
    pub(super) fn arrive_on_stream(
        &mut self,
        now_us: u64,
        from: NodeId,
        to: NodeId,
        parcel: SlabKey,
        postmark: Postmark,
    ) -> Verdict {
        let (node, peer) = (to.position(), from.position());
        let is_new = match &mut self.connections {
            Some(connections) => match connections.stamps.remove(&parcel) {
                Some(stamp) => {
                    let message = (parcel, postmark);
                    connections
                        .streams
                        .arrive(node, peer, stamp, message)
                        .is_ok()
                }
                None => false,
            },
            None => false,
        };
        if !is_new {
            self.discard(now_us, to, from, parcel);
            return Ok(());
        }
        let before = self.step;
        self.hand_over_in_turn(now_us, to, from)?;
        if self.step == before {
            self.counters.hit(Counter::MessageHeldInTurn);
            if self.is_watched() {
                let text = format!("a message of {from} waits for one that was sent before it");
                self.tell(Some(to), Weight::Routine, text);
            }
        }
        Ok(())
    }

    /// Hands over what has arrived from `peer` and is next, as long as the node runs.
    pub(super) fn hand_over_in_turn(&mut self, now_us: u64, node: NodeId, peer: NodeId) -> Verdict {
        loop {
            if self.stands_still(node) {
                self.slots[node.position()]
                    .held
                    .push(Event::InTurn { node, peer });
                return Ok(());
            }
            let Some((parcel, postmark)) = self.next_on_stream(node, peer) else {
                return Ok(());
            };
            if self.is_snapshot(parcel) {
                self.report_snapshot(now_us, peer, node, true);
            }
            self.reach(now_us, peer, node, parcel, postmark)?;
        }
    }

    fn is_snapshot(&self, parcel: SlabKey) -> bool {
        let Some(message) = self.parcels.get(parcel) else {
            return false;
        };
        panics::enter();
        let label = S::Replica::label(message);
        panics::leave();
        label.kind == MessageKind::Snapshot
    }

    /// What has arrived at `node`, and comes to nothing for its connection has ended.
    fn discard(&mut self, now_us: u64, node: NodeId, peer: NodeId, parcel: SlabKey) {
        self.counters.hit(Counter::MessageUnconnected);
        if self.is_snapshot(parcel) {
            self.report_snapshot(now_us, peer, node, false);
        }
        drop(self.parcels.take(parcel));
        if self.is_watched() {
            let text = format!("a message of {peer} is lost: their connection has ended");
            self.tell(Some(node), Weight::Routine, text);
        }
    }

    fn next_on_stream(&mut self, node: NodeId, peer: NodeId) -> Option<(SlabKey, Postmark)> {
        let connections = self.connections.as_mut()?;
        connections
            .streams
            .hand_over(node.position(), peer.position())
    }

    /// What was on its way from one of the two to the other is lost, and so their connection ends:
    /// each hears of it sooner or later.
    pub(super) fn end_connection(&mut self, now_us: u64, one: NodeId, other: NodeId) {
        let Some(connections) = &mut self.connections else {
            return;
        };
        let standing = connections.standing(one, other);
        let Some(connection) = standing.or(connections.standing(other, one)) else {
            return;
        };
        let pair = (one.min(other), one.max(other));
        if connections.ending.insert(pair, connection) == Some(connection) {
            return;
        }
        for (node, peer) in [(one, other), (other, one)] {
            self.tell_of_end(now_us, node, peer, connection);
        }
    }

    /// A node is to hear that its connection has ended.
    fn tell_of_end(&mut self, now_us: u64, node: NodeId, peer: NodeId, connection: u32) {
        if !self.is_up(node) {
            return;
        }
        let at_us = now_us + self.some_time(4 * self.plan.election_us());
        let incarnation = self.views[node.position()].incarnation;
        let report = Report::Disconnected { peer, connection };
        let event = Event::Report {
            node,
            incarnation,
            report,
        };
        self.queue.push(at_us, event);
    }

    /// A node hears that the connection of this number has ended.
    pub(super) fn disconnected(
        &mut self,
        now_us: u64,
        node: NodeId,
        peer: NodeId,
        connection: u32,
    ) -> Verdict {
        let standing = self.connections.as_ref();
        let standing = standing.and_then(|connections| connections.standing(node, peer));
        if standing != Some(connection) {
            return Ok(());
        }
        self.close(now_us, node, peer);
        self.seek_connection(now_us, node, peer);
        self.hear_of_connection(now_us, node, peer, false)
    }

    fn hear_of_connection(
        &mut self,
        now_us: u64,
        node: NodeId,
        peer: NodeId,
        stands: bool,
    ) -> Verdict {
        if !stands {
            self.counters.hit(Counter::Disconnected);
        }
        self.answers.disturb(now_us);
        if self.stands_still(node) {
            let incarnation = self.views[node.position()].incarnation;
            let report = Report::Connection { peer, stands };
            let event = Event::Report {
                node,
                incarnation,
                report,
            };
            self.slots[node.position()].held.push(event);
            return Ok(());
        }
        self.step(now_us, node, Input::Connection { peer, stands })
    }

    /// Closes a node's end, and drops what waits there.
    fn close(&mut self, now_us: u64, node: NodeId, peer: NodeId) {
        let Some(connections) = &mut self.connections else {
            return;
        };
        let waiting = connections.streams.close(node.position(), peer.position());
        for (parcel, _) in waiting {
            self.discard(now_us, node, peer, parcel);
        }
    }

    /// A node goes down: its connections are gone, and its peers hear of that sooner or later.
    pub(super) fn lose_connections(&mut self, now_us: u64, node: NodeId) {
        if self.connections.is_none() {
            return;
        }
        for at in 0..self.nodes.len() {
            let peer = self.nodes[at];
            self.close(now_us, node, peer);
            let connections = self.connections.as_ref();
            let standing = connections.and_then(|connections| connections.standing(peer, node));
            if let Some(connection) = standing {
                self.tell_of_end(now_us, peer, node, connection);
            }
        }
    }

    /// A node that has started seeks a connection to each other.
    pub(super) fn seek_connections(&mut self, now_us: u64, node: NodeId) {
        for at in 0..self.nodes.len() {
            self.seek_connection(now_us, node, self.nodes[at]);
        }
    }

    fn seek_connection(&mut self, now_us: u64, node: NodeId, peer: NodeId) {
        let Some(connections) = &mut self.connections else {
            return;
        };
        let (one, other) = (node.min(peer), node.max(peer));
        if node == peer || !connections.sought.insert((one, other)) {
            return;
        }
        let longest_us = match self.healed {
            true => self.plan.prompt_us(),
            false => 2 * self.plan.election_us(),
        };
        let at_us = now_us + self.some_time(longest_us);
        self.queue.push(at_us, Event::Connect { one, other });
    }

    /// Two nodes are connected if both are up and can reach each other. If one is down, its start
    /// will seek a connection; if a link is cut or one stands still, they try again.
    pub(super) fn connect(&mut self, now_us: u64, one: NodeId, other: NodeId) -> Verdict {
        if let Some(connections) = &mut self.connections {
            connections.sought.remove(&(one, other));
        }
        if !self.is_up(one) || !self.is_up(other) {
            return Ok(());
        }
        let (first, second) = (one.position(), other.position());
        let is_cut = self.network.is_cut(first, second) || self.network.is_cut(second, first);
        if is_cut || self.stands_still(one) || self.stands_still(other) {
            self.seek_connection(now_us, one, other);
            return Ok(());
        }
        // Whoever has not heard of the end of the last one hears of it now, from the new one.
        for (node, peer) in [(one, other), (other, one)] {
            let standing = self.connections.as_ref();
            if standing.is_some_and(|connections| connections.standing(node, peer).is_some()) {
                self.close(now_us, node, peer);
                self.hear_of_connection(now_us, node, peer, false)?;
            }
        }
        if !self.is_up(one) || !self.is_up(other) {
            return Ok(());
        }
        if let Some(connections) = &mut self.connections {
            connections.streams.connect(first, second);
        }
        self.counters.hit(Counter::Connected);
        self.hear_of_connection(now_us, one, other, true)?;
        if self.is_up(other) {
            self.hear_of_connection(now_us, other, one, true)?;
        }
        Ok(())
    }

    /// Some time, in microseconds, up to `longest_us`; mostly little of it.
    fn some_time(&mut self, longest_us: u64) -> u64 {
        self.network_choices.skewed(1, longest_us.max(1))
    }
}
