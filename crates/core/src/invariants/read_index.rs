//! ReadIndex (dissertation, section 6.4, steps 2 and 3): a leader that serves a read around the log
//! has heard, since the read was asked, from a quorum that it still leads. A read that skipped
//! this may have the right value by chance, and mostly has.
//!
//! Whether it heard can be told from messages alone, whatever they say: each is postmarked with the
//! moment at which it was sent, and with that of the newest message of its receiver that its
//! sender had taken in. So a node knows of a peer that the peer has taken in something that the
//! node sent at or after some moment. What waits in a queue of the library, or for a disk, only
//! makes a postmark say more than is true: the check demands what is necessary, and no more.
//!
//! A moment is a count of reads, for nothing but reads is compared with it.

use super::{Checks, NodeView, Verdict, Violation, breach};
use crate::history::OperationId;
use crate::ids::{Index, NodeId, NodeSet, Role, Term};
use crate::replica::Label;

/// How many reads around the log had been asked for.
type Moment = u32;

/// What goes along with a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Postmark {
    /// When it was sent.
    sent: Moment,
    /// When the newest message of its receiver was sent that its sender had taken in by then.
    taken_in: Moment,
}

#[derive(Debug, Default)]
pub(super) struct ReadIndex {
    /// Reads asked for so far.
    asked: Moment,
    /// How many nodes there are.
    nodes: usize,
    /// For each node and each of its peers: when the newest message of the peer was sent that the
    /// node has taken in.
    taken_in: Vec<Moment>,
    /// For each node and each of its peers: of the messages that the node sent, the newest that
    /// the peer has taken in, as far as the node has been told by messages of the peer.
    confirmed: Vec<Moment>,
    /// Reads that are not answered.
    open: Vec<Open>,
}

/// A read under way.
#[derive(Debug)]
struct Open {
    operation: OperationId,
    /// When it was asked for, the first time.
    since: Moment,
    /// Who has been asked for it, with the term that it led when it first was; none where it did
    /// not lead then: such a node passes the read on, and may serve it by the word of another.
    asked: Vec<(NodeId, Option<Term>)>,
    /// Who had it confirmed by a configuration that it goes by no more.
    confirmed_at: NodeSet,
}

impl ReadIndex {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes,
            taken_in: vec![0; nodes * nodes],
            confirmed: vec![0; nodes * nodes],
            ..Self::default()
        }
    }

    #[inline]
    fn place(&self, node: NodeId, peer: NodeId) -> usize {
        node.position() * self.nodes + peer.position()
    }

    /// A message leaves for a node of the cluster.
    #[inline]
    pub(super) fn sent(&self, from: NodeId, label: &Label, nodes: &[NodeView]) -> Postmark {
        // Of what is older than the oldest open read nobody asks.
        if self.open.is_empty() {
            return Postmark::default();
        }
        // What is of another term than the receiver's is no word for its leadership.
        let receiver = nodes[label.to.position()].term;
        let counts = match label.term {
            0 => nodes[from.position()].term <= receiver,
            term => term == receiver,
        };
        Postmark {
            sent: self.asked,
            taken_in: match counts {
                true => self.taken_in[self.place(from, label.to)],
                false => 0,
            },
        }
    }

    /// A message is handed over.
    #[inline]
    pub(super) fn delivered(&mut self, from: NodeId, to: NodeId, postmark: Postmark) {
        if postmark == Postmark::default() {
            return;
        }
        let place = self.place(to, from);
        let taken_in = &mut self.taken_in[place];
        *taken_in = postmark.sent.max(*taken_in);
        let confirmed = &mut self.confirmed[place];
        *confirmed = postmark.taken_in.max(*confirmed);
    }

    /// A node starts: it remembers no message.
    pub(super) fn started(&mut self, id: NodeId) {
        let row = id.position() * self.nodes;
        let rows = [&mut self.taken_in, &mut self.confirmed];
        for row in rows.map(|table| &mut table[row..row + self.nodes]) {
            row.fill(0);
        }
    }

    /// A node is asked for a read around the log, for the first time or again.
    pub(super) fn asked(&mut self, id: NodeId, view: &NodeView, operation: OperationId) {
        let leads = (view.role == Role::Leader).then_some(view.term);
        let known = self.open.iter_mut().find(|it| it.operation == operation);
        let open = match known {
            Some(open) => open,
            None => {
                self.asked = self.asked.saturating_add(1);
                self.open.push(Open {
                    operation,
                    since: self.asked,
                    asked: Vec::new(),
                    confirmed_at: NodeSet::default(),
                });
                self.open.last_mut().expect("just pushed")
            }
        };
        if open.asked.iter().all(|(node, _)| *node != id) {
            open.asked.push((id, leads));
        }
    }

    /// Nobody waits for the answer to the read any more.
    #[inline]
    pub(super) fn closed(&mut self, operation: OperationId) {
        if !self.open.is_empty() {
            self.open.retain(|open| open.operation != operation);
        }
    }

    /// From whom the node has heard that it took in something sent at `since` or later, and itself.
    fn heard(&self, id: NodeId, since: Moment) -> NodeSet {
        let peers = (0..self.nodes).map(NodeId::at);
        let heard = |peer: &NodeId| *peer == id || self.confirmed[self.place(id, *peer)] >= since;
        peers.filter(heard).collect()
    }

    /// A node is about to go by another configuration: what the old one has confirmed stays so.
    pub(super) fn before_change(&mut self, id: NodeId, view: &NodeView) {
        if self.open.is_empty() || view.role != Role::Leader {
            return;
        }
        let (_, configuration) = view.configuration;
        let mut open = std::mem::take(&mut self.open);
        for read in &mut open {
            if configuration.has_quorum_in(self.heard(id, read.since)) {
                read.confirmed_at.add(id);
            }
        }
        self.open = open;
    }

    /// A node answers a read.
    ///
    /// # Errors
    /// Where it leads, and had the read confirmed by no quorum.
    pub(super) fn served(&self, id: NodeId, view: &NodeView, operation: OperationId) -> Verdict {
        let Some(open) = self.open.iter().find(|it| it.operation == operation) else {
            return Ok(());
        };
        let (role, term) = (view.role, view.term);
        let led_since = |asked: &&(NodeId, Option<Term>)| **asked == (id, Some(term));
        let led = open.asked.iter().find(led_since).is_some();
        if role != Role::Leader || !led || open.confirmed_at.has(id) {
            return Ok(());
        }
        let (_, configuration) = view.configuration;
        let heard = self.heard(id, open.since);
        if configuration.is_empty() || configuration.has_quorum_in(heard) {
            return Ok(());
        }
        let mut heard = heard;
        heard.remove(id);
        let breach = breach::ReadIndex::Unconfirmed {
            term,
            heard,
            configuration,
        };
        Err(Violation::by(id, breach))
    }
}

/// What an engine tells of reads around the log.
impl Checks {
    /// The same where reads around the log go by ReadIndex, in a cluster of so many nodes. The
    /// engine then tells what is asked ([`Checks::asked_around`]), sent ([`Checks::posted`]),
    /// delivered ([`Checks::delivered`]) and served ([`Checks::served`]).
    #[must_use]
    pub fn with_read_index(mut self, nodes: usize) -> Self {
        self.read_index = Some(ReadIndex::new(nodes));
        self
    }

    /// A message that was sent ([`Checks::sent`]) goes to a node of the cluster: what goes along
    /// with it.
    #[inline(always)]
    pub fn posted(&self, nodes: &[NodeView], from: NodeId, label: &Label) -> Postmark {
        match &self.read_index {
            Some(read_index) => read_index.sent(from, label, nodes),
            None => Postmark::default(),
        }
    }

    /// A message is about to be handed to its receiver.
    #[inline(always)]
    pub fn delivered(&mut self, from: NodeId, to: NodeId, postmark: Postmark) {
        if let Some(read_index) = &mut self.read_index {
            read_index.delivered(from, to, postmark);
        }
    }

    /// A node is about to be asked for a read around the log, for the first time or again.
    pub fn asked_around(&mut self, view: &NodeView, id: NodeId, operation: OperationId) {
        if let Some(read_index) = &mut self.read_index {
            read_index.asked(id, view, operation);
        }
    }

    /// A node served a read around the log, and its client takes that for the answer.
    ///
    /// # Errors
    /// [`ReadIndex`](crate::invariants::Property::ReadIndex), when the node leads and no quorum has
    /// confirmed the read, or the state after `index` lacks what was committed when it was
    /// asked.
    pub fn served(
        &mut self,
        view: &NodeView,
        id: NodeId,
        operation: OperationId,
        index: Index,
    ) -> Verdict {
        let Some(read_index) = &mut self.read_index else {
            return Ok(());
        };
        read_index.served(id, view, operation)?;
        let told = self.told.as_mut();
        let committed = told.and_then(|told| told.history.committed_before(operation));
        match committed {
            Some(committed) if index < committed => Err(Violation::by(
                id,
                breach::ReadIndex::Behind { index, committed },
            )),
            _ => Ok(()),
        }
    }

    /// Nobody waits for the answer any more.
    #[inline]
    pub(crate) fn closed(&mut self, operation: OperationId) {
        if let Some(read_index) = &mut self.read_index {
            read_index.closed(operation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::breach::Breach;
    use crate::invariants::by_hand::{ByHand, broken, voters};
    use crate::replica::{Claim, MessageKind, Observation};
    use crate::service::{Command, Operation};

    /// Three nodes, the first of which leads term 1 and has committed an entry.
    fn led() -> ByHand {
        let mut cluster = ByHand::new(3);
        for node in 1..=3 {
            let configuration = voters(&[1, 2, 3]);
            cluster.nodes[NodeId(node).position()].configuration = (0, configuration);
        }
        cluster.elect(1, 1);
        cluster.replicate(&[1, 2, 3], 1, 1);
        cluster.commit(1, 1).unwrap();
        cluster
    }

    /// A client asks n1.
    fn ask(cluster: &mut ByHand) -> OperationId {
        let operation = cluster.checks.invoked(Command {
            client: 1,
            sequence: 1,
            time_us: 0,
            operation: Operation::Get { key: 1 },
        });
        ask_again(cluster, 1, operation);
        operation
    }

    fn ask_again(cluster: &mut ByHand, node: u8, operation: OperationId) {
        let view = &cluster.nodes[NodeId(node).position()];
        cluster.checks.asked_around(view, NodeId(node), operation);
    }

    /// A message of term 1 leaves.
    fn post(cluster: &ByHand, from: u8, to: u8) -> Postmark {
        let label = Label {
            to: NodeId(to),
            kind: MessageKind::Heartbeat,
            term: 1,
            claim: Claim::Nothing,
        };
        cluster.checks.posted(&cluster.nodes, NodeId(from), &label)
    }

    fn deliver(cluster: &mut ByHand, from: u8, to: u8, postmark: Postmark) {
        cluster.checks.delivered(NodeId(from), NodeId(to), postmark);
    }

    /// n1 sends to `peer`, which answers.
    fn round(cluster: &mut ByHand, peer: u8) {
        let there = post(cluster, 1, peer);
        deliver(cluster, 1, peer, there);
        let back = post(cluster, peer, 1);
        deliver(cluster, peer, 1, back);
    }

    fn serve(cluster: &mut ByHand, operation: OperationId, index: u64) -> Verdict {
        let view = &cluster.nodes[0];
        cluster.checks.served(view, NodeId(1), operation, index)
    }

    fn unconfirmed(heard: &[u8]) -> Breach {
        let breach = breach::ReadIndex::Unconfirmed {
            term: 1,
            heard: heard.iter().copied().map(NodeId).collect(),
            configuration: voters(&[1, 2, 3]),
        };
        breach.into()
    }

    #[test]
    fn a_leader_hears_from_a_quorum_after_it_was_asked() {
        let mut cluster = led();
        round(&mut cluster, 2);
        let read = ask(&mut cluster);
        assert_eq!(broken(serve(&mut cluster, read, 1)), unconfirmed(&[]));
        round(&mut cluster, 2);
        assert_eq!(serve(&mut cluster, read, 1), Ok(()));
    }

    #[test]
    fn an_answer_to_what_was_sent_before_confirms_nothing() {
        let mut cluster = led();
        // Something else is asked, so that messages are marked at all.
        let other = ask(&mut cluster);
        let early = post(&cluster, 1, 2);
        let read = ask(&mut cluster);
        deliver(&mut cluster, 1, 2, early);
        let back = post(&cluster, 2, 1);
        deliver(&mut cluster, 2, 1, back);
        assert_eq!(broken(serve(&mut cluster, read, 1)), unconfirmed(&[]));
        assert_eq!(serve(&mut cluster, other, 1), Ok(()));
    }

    #[test]
    fn what_a_peer_says_in_another_term_confirms_nothing() {
        let mut cluster = led();
        let read = ask(&mut cluster);
        let there = post(&cluster, 1, 2);
        deliver(&mut cluster, 1, 2, there);
        let label = Label {
            to: NodeId(1),
            kind: MessageKind::Vote,
            term: 2,
            claim: Claim::Nothing,
        };
        let back = cluster.checks.posted(&cluster.nodes, NodeId(2), &label);
        deliver(&mut cluster, 2, 1, back);
        assert_eq!(broken(serve(&mut cluster, read, 1)), unconfirmed(&[]));
    }

    #[test]
    fn a_peer_that_has_restarted_has_taken_nothing_in() {
        let mut cluster = led();
        let read = ask(&mut cluster);
        let there = post(&cluster, 1, 2);
        deliver(&mut cluster, 1, 2, there);
        cluster.start(2, |_| {}).unwrap();
        cluster.role(2, Role::Follower, 1).unwrap();
        let back = post(&cluster, 2, 1);
        deliver(&mut cluster, 2, 1, back);
        assert_eq!(broken(serve(&mut cluster, read, 1)), unconfirmed(&[]));
    }

    #[test]
    fn what_the_configuration_before_has_confirmed_stays_confirmed() {
        let mut cluster = led();
        let read = ask(&mut cluster);
        round(&mut cluster, 2);
        let configuration = voters(&[1, 3]);
        let change = Observation::Configured {
            index: 1,
            configuration,
        };
        cluster.observe(1, change).unwrap();
        assert_eq!(serve(&mut cluster, read, 1), Ok(()));
        let late = ask(&mut cluster);
        round(&mut cluster, 2);
        broken(serve(&mut cluster, late, 1));
    }

    #[test]
    fn who_did_not_lead_when_asked_may_have_the_word_of_another() {
        let mut cluster = led();
        let read = ask(&mut cluster);
        ask_again(&mut cluster, 2, read);
        cluster.elect(2, 2);
        ask_again(&mut cluster, 2, read);
        let by_n2 = cluster.checks.served(&cluster.nodes[1], NodeId(2), read, 1);
        assert_eq!(by_n2, Ok(()));
    }

    #[test]
    fn a_read_shows_what_was_committed_when_it_was_asked() {
        let mut cluster = led();
        let read = ask(&mut cluster);
        round(&mut cluster, 2);
        let behind = breach::ReadIndex::Behind {
            index: 0,
            committed: 1,
        };
        assert_eq!(broken(serve(&mut cluster, read, 0)), behind.into());
    }
}
