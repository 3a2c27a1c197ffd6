//! the cluster has not converged by the end of the run: there is no leader in the highest term,
//! 270. The rule of liveness (Raft paper, section 5.6; dissertation, chapter 9): after the storm
//! there is one leader, fresh commands and reads are served, nothing acknowledged is lost, joint
//! configurations and transfers have ended, and members' logs and states are equal.
//! What comments say is of the run as it was found: its terms and indices may be others.
#![cfg(test)]

use std::collections::BTreeMap;

use noraft::{Action, ClusterConfig, Log, LogEntries, LogPosition, Message, Node, NodeId, Term};

/// The nodes by id, and the messages on their way, each with its receiver.
struct Cluster {
    nodes: BTreeMap<u64, Node>,
    on_their_way: Vec<(u64, Message)>,
    timers: BTreeMap<u64, u64>,
    drawn: u64,
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
            timers: BTreeMap::new(),
            drawn: 1,
        }
    }

    fn on(&mut self, id: u64) -> On<'_> {
        On { cluster: self, id }
    }

    /// Time goes on at these nodes, and all that they send arrives, for so many ticks. Followers
    /// and candidates wait for 10 to 20 ticks, leaders for 2.
    fn run(&mut self, ids: &[u64], ticks: u64) {
        for _ in 0..ticks {
            for &id in ids {
                let left = self.timers.entry(id).or_insert(10 + id);
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.on(id).time_out().settle();
                }
            }
            for _ in 0..10_000 {
                if self.on_their_way.is_empty() {
                    break;
                }
                let (to, message) = self.on_their_way.remove(0);
                if ids.contains(&to) {
                    let _ = self.on(to).node().handle_message(&message);
                    self.on(to).settle();
                }
            }
        }
    }

    /// What is on its way is lost. Whether these nodes agree on anything, and all that their leader
    /// takes for members know it, within so many ticks.
    fn makes_progress(&mut self, ids: &[u64], ticks: u64) -> bool {
        self.on_their_way.clear();
        (0..ticks / 20).any(|_| {
            self.run(ids, 10);
            let leaders = ids.iter().filter(|id| self.nodes[*id].role().is_leader());
            let Some(&leader) = leaders.max_by_key(|id| self.nodes[*id].current_term()) else {
                return false;
            };
            let position = self.on(leader).node().propose_command();
            self.on(leader).settle();
            self.run(ids, 10);
            let members = self.nodes[&leader].config();
            let knows = |id: &u64| self.nodes[id].commit_index() >= position.index;
            let is_member = |id: &u64| members.contains(NodeId::new(*id));
            !position.is_invalid() && ids.iter().all(|id| !is_member(id) || knows(id))
        }) || !self.is_enough(ids)
    }

    /// Whether there is a majority among these nodes, by those that know most to be committed.
    fn is_enough(&self, ids: &[u64]) -> bool {
        let nodes = ids.iter().map(|id| &self.nodes[id]);
        let members = nodes.filter(|node| !node.config().voters.is_empty());
        let newest = members.clone().map(Node::commit_index).max();
        let is_up = |id: &&NodeId| ids.contains(&id.get());
        members.filter(|node| Some(node.commit_index()) == newest).all(|node| {
            let (old, new) = (&node.config().voters, &node.config().new_voters);
            let majority = |all: usize, up: usize| all == 0 || up > all / 2;
            majority(old.len(), old.iter().filter(is_up).count())
                && majority(new.len(), new.iter().filter(is_up).count())
        })
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
                Action::SetElectionTimeout => {
                    // As good as random, and the same each time.
                    let drawn = self.cluster.drawn.wrapping_mul(6_364_136_223_846_793_005) + 1;
                    self.cluster.drawn = drawn;
                    let leads = self.node().role().is_leader();
                    let ticks = if leads { 2 } else { 10 + (drawn >> 33) % 10 };
                    self.cluster.timers.insert(self.id, ticks);
                }
                _ => {}
            }
        }
        self
    }
}


#[test]
fn reproduction() {
    let mut c = Cluster::new([&[1, 2], &[], &[]], 0);
    c.on(1).time_out().settle();
    c.on(2).receive("RequestVoteCall", 1).settle();
    // n1 becomes leader of term 1, elected by n1, n2 of voters n1, n2, writes entry 1 of term 1
    c.on(1).receive("RequestVoteReply", 2).settle();
    c.on(2).receive("AppendEntriesCall", 1).settle();
    c.on(1).receive("AppendEntriesReply", 2).settle();
    // n1 is asked by an operator for n1 to leave, by joint consensus, writes entry 2 of term 1, a
    // configuration change, adopts the configuration of entry 2: voters n2; outgoing n1, n2
    c.on(1).change(&[2], &[]).settle();
    c.on(2).receive("AppendEntriesCall", 1).settle();
    // n1 hears that n2's log matches up to 2, knows that 2 is committed, writes entry 3 of term 1,
    // a configuration change, adopts the configuration of entry 3: voters n2
    c.on(1).receive("AppendEntriesReply", 2).settle();
    c.on(2).time_out().settle();
    assert!(c.makes_progress(&[1, 2], 400), "nothing new is agreed on in 400 ticks");
}
