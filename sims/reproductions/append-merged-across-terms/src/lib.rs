//! n4 panicked: assertion failed: self.contains(entries.prev_position) (log.rs:616).
//! What comments say is of the run as it was found: its terms and indices may be others.
#![cfg(test)]

use std::collections::BTreeMap;

use noraft::{Action, ClusterConfig, Log, LogEntries, LogPosition, Message, Node, NodeId, Term};

/// The nodes by id, and the messages on their way, each with its receiver.
struct Cluster {
    nodes: BTreeMap<u64, Node>,
    on_their_way: Vec<(u64, Message)>,
}

fn ids(all: &[u64]) -> impl Iterator<Item = NodeId> + '_ {
    all.iter().copied().map(NodeId::new)
}

impl Cluster {
    fn new([voters, learners, others]: [&[u64]; 3], term: u64) -> Self {
        let mut config = ClusterConfig::new();
        config.voters.extend(ids(voters));
        config.non_voters.extend(ids(learners));
        let start = |&id: &u64| {
            let log = Log::new(config.clone(), LogEntries::new(LogPosition::ZERO));
            let node = match others.contains(&id) {
                true => Node::start(NodeId::new(id)),
                false => Node::restart(NodeId::new(id), Term::new(term), None, log),
            };
            (id, node)
        };
        Self {
            nodes: [voters, learners, others].concat().iter().map(start).collect(),
            on_their_way: Vec::new(),
        }
    }

    fn on(&mut self, id: u64) -> On<'_> {
        On { cluster: self, id }
    }
}

/// A node that is told something.
struct On<'a> {
    cluster: &'a mut Cluster,
    id: u64,
}

impl On<'_> {
    fn node(&mut self) -> &mut Node {
        self.cluster.nodes.get_mut(&self.id).unwrap()
    }

    /// The time-out that the node set elapses.
    fn time_out(mut self) -> Self {
        self.node().handle_election_timeout();
        self
    }

    fn propose(mut self) -> Self {
        self.node().propose_command();
        self
    }

    /// The oldest message of that kind from that node arrives, if there is one.
    fn receive(self, kind: &str, from: u64) -> Self {
        self.receive_late(kind, from, 0, false)
    }

    /// The same for one with so many older ones still on their way, and perhaps a copy of itself.
    fn receive_late(mut self, kind: &str, from: u64, older: usize, copy: bool) -> Self {
        let (to, sent) = (self.id, &mut self.cluster.on_their_way);
        let is_it = |(receiver, message): &(u64, Message)| {
            let is_of_it = format!("{message:?}").starts_with(kind);
            *receiver == to && message.from() == NodeId::new(from) && is_of_it
        };
        let mut those = (0..sent.len()).filter(|at| is_it(&sent[*at]));
        if let Some(at) = those.nth(older) {
            let (_, message) = if copy { sent[at].clone() } else { sent.remove(at) };
            self.node().handle_message(&message).unwrap();
        }
        self
    }

    /// Carries out what the node asks for. What it is to save, it has: its log is the disk.
    fn settle(mut self) -> Self {
        let actions = std::mem::take(self.node().actions_mut());
        for action in actions {
            match action {
                Action::BroadcastMessage(message) => {
                    let peers: Vec<u64> = self.node().peers().map(NodeId::get).collect();
                    let sent = peers.into_iter().map(|peer| (peer, message.clone()));
                    self.cluster.on_their_way.extend(sent);
                }
                Action::SendMessage(to, message) => self.cluster.on_their_way.push((to.get(), message)),
                _ => {}
            }
        }
        self
    }
}


#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2, 3, 4], &[], &[]], 0);
    c.on(4).time_out().settle();
    c.on(2).receive("RequestVoteCall", 4).settle();
    c.on(3).receive("RequestVoteCall", 4).settle();
    // n4 becomes leader of term 1, elected by n1, n2, n3, n4, writes entry 1 of term 1
    c.on(4).receive("RequestVoteReply", 2).settle().receive("RequestVoteReply", 3).settle();
    c.on(2).time_out().settle();
    c.on(3).receive("RequestVoteCall", 2).settle();
    c.on(1).receive("RequestVoteCall", 2).settle();
    // n2 becomes leader of term 2, elected by n1, n2, n3, writes entry 1 of term 2
    c.on(2).receive("RequestVoteReply", 3).settle().receive("RequestVoteReply", 1).settle();
    // n4 breaks no-panic
    c.on(4).propose().receive("AppendEntriesCall", 2).settle();
    // The test ends before: assertion failed: self.contains(entries.prev_position)
}
