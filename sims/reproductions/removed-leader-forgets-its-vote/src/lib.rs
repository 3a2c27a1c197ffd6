//! n1's vote in term 1 changed from n1 to nobody. The rule of monotonic (Raft paper, figure 2
//! (`votedFor`) and section 5.2): term, vote within a term, commit and applied index never go back;
//! a restart misses nothing durable, and a snapshot takes away nothing that follows it.
//! What comments say is of the run as it was found: its terms and indices may be others.
#![cfg(test)]

use std::collections::BTreeMap;

use noraft::{Action, ClusterConfig, Log, LogEntries, LogPosition, Message, Node, NodeId, Term};

/// The nodes by id, and the messages on their way, each with its receiver.
struct Cluster {
    nodes: BTreeMap<u64, Node>,
    on_their_way: Vec<(u64, Message)>,
    votes: BTreeMap<(u64, u64), u64>,
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
            votes: BTreeMap::new(),
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

    /// The node is asked for that configuration.
    fn change(mut self, voters: &[u64], learners: &[u64]) -> Self {
        let mut config = self.node().config().clone();
        config.new_voters = ids(voters).collect();
        config.non_voters = ids(learners).collect();
        self.node().propose_config(config);
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
        self.check_vote();
        self
    }

    fn check_vote(&mut self) {
        let (id, term) = (self.id, self.node().current_term().get());
        let vote = self.node().voted_for().map_or(0, NodeId::get);
        let before = self.cluster.votes.insert((id, term), vote).unwrap_or(0);
        assert!(
            before == 0 || before == vote,
            "n{id} voted for n{before} in term {term}, and now for n{vote} (0 is nobody)"
        );
    }
}


#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2, 3], &[], &[]], 0);
    // n1 stands for election in term 1
    c.on(1).time_out().settle();
    c.on(2).receive("RequestVoteCall", 1).settle();
    // n1 becomes leader of term 1, elected by n1, n2 of voters n1, n2, n3, writes entry 1 of term 1
    c.on(1).receive("RequestVoteReply", 2).settle();
    c.on(2).receive("AppendEntriesCall", 1).settle();
    c.on(3).receive("AppendEntriesCall", 1).settle();
    c.on(1).receive("AppendEntriesReply", 2).settle().receive("AppendEntriesReply", 3).settle();
    // n1 is asked by an operator for n1 to leave, by joint consensus, writes entry 2 of term 1, a
    // configuration change, adopts the configuration of entry 2: voters n2, n3; outgoing n1, n2, n3
    c.on(1).change(&[2, 3], &[]).settle();
    c.on(2).receive("AppendEntriesCall", 1).settle();
    c.on(3).receive("AppendEntriesCall", 1).settle();
    c.on(1).receive("AppendEntriesReply", 2).settle();
    // n1 hears that n3's log matches up to 2, knows that 2 is committed, writes entry 3 of term 1,
    // a configuration change, adopts the configuration of entry 3: voters n2, n3
    c.on(1).receive("AppendEntriesReply", 3).settle();
    c.on(2).receive("AppendEntriesCall", 1).settle();
    // n3 gets from n1: append of term 1, after 2 of term 1, entries 3 to 3, commit 2, knows that 2
    // is committed, writes entry 3 of term 1, a configuration change, adopts the configuration of
    // entry 3: voters n2, n3
    c.on(3).receive("AppendEntriesCall", 1).settle();
    c.on(1).receive("AppendEntriesReply", 2).settle();
    // n1 hears that n3's log matches up to 3, knows that 3 is committed, steps down, writes term 1
    // and no vote
    // n1 breaks monotonic
    c.on(1).receive("AppendEntriesReply", 3).settle();
    // The test ends before: n1 voted for n1 in term 1, and now for n0 (0 is nobody)
}
