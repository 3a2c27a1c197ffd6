//! Connections on top of a network that loses, repeats and reorders: what is sent on one is
//! numbered, and is handed over in that order, once, for as long as the connection stands.
//!
//! That is what TCP makes of such a network. When a connection begins and ends, and when something
//! lost is sent again, is for others to say. Knows no clock, queue or network: nodes are positions
//! counted from 0.

use std::collections::BTreeMap;

/// Which connection something was sent on, and as its how-manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    connection: u32,
    number: u32,
}

/// One node's end of its connection to one peer.
#[derive(Clone, Debug)]
struct End<T> {
    /// The connection, while it stands as far as this end knows.
    connection: Option<u32>,
    /// How much this end has sent on it.
    sent: u32,
    /// How much has been handed over at this end.
    handed_over: u32,
    /// What has arrived before something that was sent earlier, by its number.
    early: BTreeMap<u32, T>,
}

impl<T> End<T> {
    fn closed() -> Self {
        Self {
            connection: None,
            sent: 0,
            handed_over: 0,
            early: BTreeMap::new(),
        }
    }
}

/// The connections between `n` nodes: at most one at a time between any two.
#[derive(Clone, Debug)]
pub struct Streams<T> {
    nodes: usize,
    /// Of every node towards every other.
    ends: Vec<End<T>>,
    begun: u32,
}

impl<T> Streams<T> {
    /// Of `nodes` nodes, none of which is connected.
    pub fn new(nodes: usize) -> Self {
        Self {
            nodes,
            ends: std::iter::repeat_with(End::closed)
                .take(nodes * nodes)
                .collect(),
            begun: 0,
        }
    }

    fn end(&mut self, node: usize, peer: usize) -> &mut End<T> {
        &mut self.ends[node * self.nodes + peer]
    }

    /// The number of the connection to `peer` that stands as far as `node` knows.
    pub fn connection(&self, node: usize, peer: usize) -> Option<u32> {
        self.ends[node * self.nodes + peer].connection
    }

    /// A new connection stands between the two, at both ends. What was left of an earlier one is
    /// dropped.
    pub fn connect(&mut self, one: usize, other: usize) {
        self.begun += 1;
        let connection = Some(self.begun);
        for (node, peer) in [(one, other), (other, one)] {
            *self.end(node, peer) = End {
                connection,
                ..End::closed()
            };
        }
    }

    /// As far as `node` knows, its connection to `peer` stands no longer. Gives back what had
    /// arrived out of turn.
    pub fn close(&mut self, node: usize, peer: usize) -> impl Iterator<Item = T> + use<T> {
        let end = std::mem::replace(self.end(node, peer), End::closed());
        end.early.into_values()
    }

    /// Something is sent from `node` to `peer`; none where no connection stands.
    pub fn send(&mut self, node: usize, peer: usize) -> Option<Stamp> {
        let end = self.end(node, peer);
        let connection = end.connection?;
        end.sent += 1;
        Some(Stamp {
            connection,
            number: end.sent,
        })
    }

    /// What `peer` has sent arrives at `node`, to be taken out by [`Streams::hand_over`].
    ///
    /// # Errors
    /// Gives back what was sent on another connection than the one that stands, or has arrived
    /// before.
    pub fn arrive(&mut self, node: usize, peer: usize, stamp: Stamp, sent: T) -> Result<(), T> {
        let end = self.end(node, peer);
        let is_new = end.handed_over < stamp.number && !end.early.contains_key(&stamp.number);
        if end.connection != Some(stamp.connection) || !is_new {
            return Err(sent);
        }
        end.early.insert(stamp.number, sent);
        Ok(())
    }

    /// The next thing that `peer` has sent to `node`, if it has arrived.
    pub fn hand_over(&mut self, node: usize, peer: usize) -> Option<T> {
        let end = self.end(node, peer);
        let next = end.early.remove(&(end.handed_over + 1))?;
        end.handed_over += 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected() -> Streams<&'static str> {
        let mut streams = Streams::new(3);
        streams.connect(0, 2);
        streams
    }

    #[test]
    fn what_arrives_early_waits_for_what_was_sent_before_it() {
        let mut streams = connected();
        let [first, second] = [(); 2].map(|()| streams.send(0, 2).unwrap());
        streams.arrive(2, 0, second, "second").unwrap();
        assert_eq!(streams.hand_over(2, 0), None);
        streams.arrive(2, 0, first, "first").unwrap();
        assert_eq!(streams.hand_over(2, 0), Some("first"));
        assert_eq!(streams.hand_over(2, 0), Some("second"));
        assert_eq!(streams.hand_over(2, 0), None);
    }

    #[test]
    fn a_copy_is_given_back_before_and_after_the_first_is_handed_over() {
        let mut streams = connected();
        let stamp = streams.send(0, 2).unwrap();
        streams.arrive(2, 0, stamp, "it").unwrap();
        assert_eq!(streams.arrive(2, 0, stamp, "copy"), Err("copy"));
        assert_eq!(streams.hand_over(2, 0), Some("it"));
        assert_eq!(streams.arrive(2, 0, stamp, "copy"), Err("copy"));
    }

    #[test]
    fn nothing_of_an_earlier_connection_is_handed_over() {
        let mut streams = connected();
        let [lost, early] = [(); 2].map(|()| streams.send(0, 2).unwrap());
        streams.arrive(2, 0, early, "early").unwrap();
        streams.connect(0, 2);
        assert_eq!(streams.arrive(2, 0, lost, "late"), Err("late"));
        let stamp = streams.send(0, 2).unwrap();
        streams.arrive(2, 0, stamp, "new").unwrap();
        assert_eq!(streams.hand_over(2, 0), Some("new"));
        assert_eq!(streams.hand_over(2, 0), None);
    }

    #[test]
    fn each_end_is_closed_for_itself_and_gives_back_what_waits() {
        let mut streams = connected();
        let [_, early] = [(); 2].map(|()| streams.send(0, 2).unwrap());
        streams.arrive(2, 0, early, "early").unwrap();
        assert_eq!(streams.close(2, 0).collect::<Vec<_>>(), ["early"]);
        assert_eq!(streams.connection(2, 0), None);
        assert_eq!(streams.send(2, 0), None);
        assert!(streams.send(0, 2).is_some());
        assert_eq!(streams.send(0, 1), None);
    }
}
