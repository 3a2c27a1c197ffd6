//# always
use std::collections::BTreeMap;

use raft::eraftpb::*;
use raft::{storage::MemStorage, *};
//# queue
use std::collections::VecDeque;
//# receive
use raft::eraftpb::MessageType::*;
//# change
use protobuf::Message as _;
use raft::eraftpb::{ConfChangeTransition::*, ConfChangeType::*};
//# always

/// The nodes by id, and the messages on their way between them.
struct Cluster {
    nodes: BTreeMap<u64, RawNode<MemStorage>>,
    on_their_way: Vec<Message>,
    //# stepwise
    committed: BTreeMap<u64, Vec<Entry>>,
    //# unsaved
    unsaved: BTreeMap<u64, VecDeque<Ready>>,
    //# background
    to_send: BTreeMap<u64, VecDeque<(u64, Vec<Message>)>>,
    //# stale-reads
    asked_at: BTreeMap<Vec<u8>, u64>,
    //# agreement
    applied: BTreeMap<u64, u64>,
    //# one-leader
    leaders: BTreeMap<u64, u64>,
    //# liveness
    drawn: u64,
    //# never
    looks_at: &'static str,
    steps_down: bool,
    //# always
}

fn open(config: Config, disk: MemStorage) -> RawNode<MemStorage> {
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    RawNode::new(&config, disk, &logger).unwrap()
}

impl Cluster {
    /// With voters, learners, and others that may join later; all know the first members.
    fn new([voters, learners, others]: [&[u64]; 3], config: impl Fn(u64) -> Config) -> Self {
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            on_their_way: Vec::new(),
            //# stepwise
            committed: BTreeMap::new(),
            //# unsaved
            unsaved: BTreeMap::new(),
            //# background
            to_send: BTreeMap::new(),
            //# stale-reads
            asked_at: BTreeMap::new(),
            //# agreement
            applied: BTreeMap::new(),
            //# one-leader
            leaders: BTreeMap::new(),
            //# liveness
            drawn: 1,
            //# never
            looks_at: "",
            steps_down: false,
            //# always
        };
        for id in [voters, learners, others].concat() {
            let disk = MemStorage::new();
            disk.wl().set_conf_state(ConfState::from((voters.to_vec(), learners.to_vec())));
            cluster.nodes.insert(id, open(config(id), disk));
            //# stepwise
            cluster.forget(id);
            //# always
        }
        cluster
    }

    fn on(&mut self, id: u64) -> On<'_> {
        On { cluster: self, id }
    }
    //# stepwise

    fn forget(&mut self, id: u64) {
        self.committed.insert(id, Vec::new());
        //# stepwise unsaved
        self.unsaved.insert(id, VecDeque::new());
        //# stepwise background
        self.to_send.insert(id, VecDeque::new());
        //# stepwise
    }
    //# begin

    /// The members begin in that term, with a snapshot at that index unless it is 0; then who may
    /// join later knows nothing.
    fn begin(mut self, term: u64, index: u64, others: &[u64], config: impl Fn(u64) -> Config) -> Self {
        for (id, raw) in &mut self.nodes {
            let mut disk = raw.store().clone();
            disk.wl().mut_hard_state().term = term;
            if index > 0 && !others.contains(id) {
                let mut first = Snapshot::default();
                (first.mut_metadata().term, first.mut_metadata().index) = (term, index);
                first.mut_metadata().set_conf_state(disk.initial_state().unwrap().conf_state);
                disk.wl().apply_snapshot(first).unwrap();
            } else if index > 0 {
                disk = MemStorage::new();
            }
            *raw = open(config(*id), disk);
        }
        self
    }
    //# liveness

    /// Time goes on at these nodes, and all that they send arrives, for so many ticks.
    fn run(&mut self, ids: &[u64], ticks: usize) {
        for _ in 0..ticks {
            for &id in ids {
                let mut on = self.on(id);
                let least = on.raw().raft.election_timeout();
                if on.raw().raft.election_elapsed == 0 {
                    // As good as random, and the same each time.
                    on.cluster.drawn = on.cluster.drawn.wrapping_mul(6_364_136_223_846_793_005) + 1;
                    let timeout = least + (on.cluster.drawn >> 33) as usize % least;
                    on.raw().raft.set_randomized_election_timeout(timeout);
                }
                on.raw().tick();
                on.settle();
            }
            for _ in 0..10_000 {
                if self.on_their_way.is_empty() {
                    break;
                }
                let message = self.on_their_way.remove(0);
                let to = message.to;
                if ids.contains(&to) {
                    let _ = self.on(to).raw().step(message);
                    self.on(to).settle();
                    //# liveness snapshot
                } else {
                    self.report_loss(&message);
                    //# liveness
                }
            }
        }
    }

    /// What is on its way is lost. Whether these nodes agree on anything, and all that their leader
    /// takes for members apply it, within so many ticks.
    fn makes_progress(&mut self, ids: &[u64], ticks: usize) -> bool {
        let lost = std::mem::take(&mut self.on_their_way);
        //# liveness snapshot
        lost.iter().for_each(|message| self.report_loss(message));
        //# liveness
        drop(lost);
        (0..ticks / 20).any(|_| {
            self.run(ids, 10);
            let raft = |id: &u64| &self.nodes[id].raft;
            let leaders = ids.iter().filter(|id| raft(id).state == StateRole::Leader);
            let Some(&leader) = leaders.max_by_key(|id| raft(id).term) else {
                return false;
            };
            let members: Vec<u64> = raft(&leader).prs().iter().map(|(id, _)| *id).collect();
            let mut on = self.on(leader);
            let is_taken = on.raw().propose(Vec::new(), b"x".to_vec()).is_ok();
            let last = on.raw().raft.raft_log.last_index();
            on.settle();
            self.run(ids, 10);
            let has_it = |id: &u64| self.nodes[id].raft.raft_log.applied >= last;
            is_taken && ids.iter().all(|id| !members.contains(id) || has_it(id))
        }) || !self.is_enough(ids)
    }

    //# liveness snapshot

    /// The sender of a snapshot hears that it was lost.
    fn report_loss(&mut self, message: &Message) {
        if message.get_msg_type() == MessageType::MsgSnapshot {
            self.on(message.from).raw().report_snapshot(message.to, SnapshotStatus::Failure);
        }
    }
    //# liveness

    /// Whether there is a majority among these nodes, by the members that have applied the most.
    fn is_enough(&self, ids: &[u64]) -> bool {
        let up = ids.iter().copied().collect();
        let rafts = ids.iter().map(|id| &self.nodes[id].raft);
        let members = rafts.filter(|raft| raft.prs().iter().len() > 0);
        let key = |raft: &&Raft<MemStorage>| raft.raft_log.applied;
        let newest = members.clone().map(|raft| key(&raft)).max();
        members.filter(|raft| Some(key(raft)) == newest).all(|raft| raft.prs().has_quorum(&up))
    }
    //# always
}

/// A node that is told something.
struct On<'a> {
    cluster: &'a mut Cluster,
    id: u64,
}

impl On<'_> {
    fn raw(&mut self) -> &mut RawNode<MemStorage> {
        self.cluster.nodes.get_mut(&self.id).unwrap()
    }
    //# tick

    /// Its timer ticks so often, and its election time-out does not elapse.
    fn tick(mut self, times: u32) -> Self {
        for _ in 0..times {
            let raft = &mut self.raw().raft;
            raft.set_randomized_election_timeout(2 * raft.election_timeout() - 1);
            self.raw().tick();
        }
        self
    }
    //# time_out

    /// Its timer ticks, and its election time-out elapses.
    fn time_out(mut self) -> Self {
        let raft = &mut self.raw().raft;
        raft.election_elapsed = raft.election_timeout();
        raft.set_randomized_election_timeout(raft.election_elapsed);
        self.raw().tick();
        self
    }
    //# campaign

    fn campaign(mut self) -> Self {
        let _ = self.raw().campaign();
        self
    }
    //# propose

    fn propose(mut self) -> Self {
        let _ = self.raw().propose(Vec::new(), b"x".to_vec());
        self
    }
    //# change

    fn change(mut self, kind: ConfChangeTransition, steps: &[(ConfChangeType, u64)]) -> Self {
        let mut change = ConfChangeV2::default();
        change.set_transition(kind);
        for &(kind, node_id) in steps {
            let mut step = ConfChangeSingle { node_id, ..Default::default() };
            step.set_change_type(kind);
            change.mut_changes().push(step);
        }
        let _ = self.raw().propose_conf_change(Vec::new(), change);
        self
    }
    //# read

    fn read(mut self, name: u8) -> Self {
        //# read stale-reads
        let applied = self.cluster.nodes.values().map(|raw| raw.raft.raft_log.applied);
        let newest = applied.max().unwrap();
        self.cluster.asked_at.entry(vec![name]).or_insert(newest);
        //# read
        self.raw().read_index(vec![name]);
        self
    }
    //# transfer_leader

    fn transfer_leader(mut self, to: u64) -> Self {
        self.raw().transfer_leader(to);
        self
    }
    //# request_snapshot

    fn request_snapshot(mut self) -> Self {
        let _ = self.raw().request_snapshot();
        self
    }
    //# ping

    fn ping(mut self) -> Self {
        self.raw().ping();
        self
    }
    //# set

    fn set(mut self, change: impl Fn(&mut RawNode<MemStorage>)) -> Self {
        change(self.raw());
        self
    }
    //# report_unreachable

    fn report_unreachable(mut self, peer: u64) -> Self {
        self.raw().report_unreachable(peer);
        self
    }
    //# report_snapshot

    fn report_snapshot(mut self, peer: u64, status: SnapshotStatus) -> Self {
        self.raw().report_snapshot(peer, status);
        self
    }
    //# receive

    /// The oldest message of that kind from that node arrives, if there is one.
    fn receive(mut self, kind: MessageType, from: u64) -> Self {
        let (to, sent) = (self.id, &mut self.cluster.on_their_way);
        let is_it = |m: &Message| (m.from, m.to, m.get_msg_type()) == (from, to, kind);
        if let Some(at) = sent.iter().position(is_it) {
            let message = sent.remove(at);
            let _ = self.raw().step(message);
        }
        self
    }
    //# receive_late

    /// The same for one with so many older ones still on their way, and perhaps a copy of itself.
    fn receive_late(mut self, kind: MessageType, from: u64, older: usize, copy: bool) -> Self {
        let (to, sent) = (self.id, &mut self.cluster.on_their_way);
        let is_it = |m: &Message| (m.from, m.to, m.get_msg_type()) == (from, to, kind);
        let mut those = (0..sent.len()).filter(|at| is_it(&sent[*at]));
        if let Some(at) = those.nth(older) {
            let message = if copy { sent[at].clone() } else { sent.remove(at) };
            let _ = self.raw().step(message);
        }
        self
    }
    //# compact

    /// The log is cut off through that index, as far as it is applied; a snapshot stands for it.
    fn compact(mut self, through: u64) -> Self {
        let through = through.min(self.raw().raft.raft_log.applied);
        let disk = self.raw().store().clone();
        let state = disk.initial_state().unwrap();
        let (term, last) = (disk.term(through), disk.last_index().unwrap());
        let mut rest = Vec::new();
        if through < last {
            rest = disk
                .entries(through + 1, last + 1, None, GetEntriesContext::empty(false))
                .unwrap_or_default();
        }
        let mut snapshot = Snapshot::default();
        (snapshot.mut_metadata().index, snapshot.mut_metadata().term) = (through, term.unwrap_or(0));
        snapshot.mut_metadata().set_conf_state(state.conf_state);
        if disk.wl().apply_snapshot(snapshot).is_ok() {
            disk.wl().append(&rest).unwrap();
            disk.wl().set_hardstate(state.hard_state);
        }
        self
    }
    //# restart

    /// It crashes, and starts again on its disk.
    fn restart(mut self, config: impl Fn(u64) -> Config) -> Self {
        let (disk, applied) = (self.raw().store().clone(), self.raw().raft.raft_log.applied);
        *self.raw() = open(Config { applied, ..config(self.id) }, disk);
        //# restart stepwise
        self.cluster.forget(self.id);
        //# restart
        self
    }
    //# ready

    /// Takes what the library wants done, and writes it.
    fn ready(mut self) -> Self {
        if let Some(mut ready) = self.take() {
            self.committed().extend(ready.take_committed_entries());
            self.cluster.unsaved.get_mut(&self.id).unwrap().push_back(ready);
        }
        self
    }
    //# saved

    /// What was written is on the disk.
    fn saved(mut self) -> Self {
        if let Some(ready) = self.cluster.unsaved.get_mut(&self.id).unwrap().pop_front() {
            let committed = self.save(ready);
            self.committed().extend(committed);
        }
        self
    }
    //# apply

    /// What is committed is applied.
    fn apply(mut self) -> Self {
        let committed = std::mem::take(self.committed());
        self.apply_all(committed);
        self
    }
    //# stepwise

    fn committed(&mut self) -> &mut Vec<Entry> {
        self.cluster.committed.get_mut(&self.id).unwrap()
    }
    //# ready-in-background

    /// Takes what the library wants done, and writes it while the library goes on.
    fn ready_in_background(mut self) -> Self {
        if let Some(mut ready) = self.take() {
            self.committed().extend(ready.take_committed_entries());
            let to_send = (ready.number(), ready.take_persisted_messages());
            self.cluster.to_send.get_mut(&self.id).unwrap().push_back(to_send);
            self.raw().advance_append_async(ready);
        }
        self
    }
    //# persisted

    /// What was written in the background is on the disk.
    fn persisted(mut self) -> Self {
        if let Some((number, messages)) = self.cluster.to_send.get_mut(&self.id).unwrap().pop_front() {
            self.raw().on_persist_ready(number);
            //# persisted durable
            self.check_promises(&messages);
            //# persisted
            self.cluster.on_their_way.extend(messages);
        }
        self
    }
    //# always

    /// Does all that the library wants done.
    fn settle(mut self) -> Self {
        while let Some(mut ready) = self.take() {
            let mut committed = ready.take_committed_entries();
            committed.extend(self.save(ready));
            self.apply_all(committed);
        }
        self
    }

    fn take(&mut self) -> Option<Ready> {
        let mut ready = self.raw().has_ready().then(|| self.raw().ready())?;
        //# durable
        self.check_promises(ready.messages());
        //# always
        self.cluster.on_their_way.extend(ready.take_messages());
        let disk = self.raw().store().clone();
        //# stale-reads
        self.check_reads(ready.take_read_states());
        //# one-leader
        self.check_leader();
        //# snapshot
        if !ready.snapshot().is_empty() {
            //# snapshot keeps-entries
            self.check_snapshot(ready.snapshot().get_metadata());
            //# snapshot
            disk.wl().apply_snapshot(ready.snapshot().clone()).unwrap();
        }
        //# always
        disk.wl().append(ready.entries()).unwrap();
        let _ = ready.hs().map(|hard| disk.wl().set_hardstate(hard.clone()));
        Some(ready)
    }

    fn save(&mut self, mut ready: Ready) -> Vec<Entry> {
        //# durable
        self.check_promises(ready.persisted_messages());
        //# always
        self.cluster.on_their_way.extend(ready.take_persisted_messages());
        let mut light = self.raw().advance_append(ready);
        //# snapshot
        let commit = self.raw().raft.raft_log.committed;
        self.raw().store().wl().mut_hard_state().commit = commit;
        //# always
        self.cluster.on_their_way.extend(light.take_messages());
        light.take_committed_entries()
    }

    fn apply_all(&mut self, committed: Vec<Entry>) {
        //# snapshot
        let installed = self.raw().store().first_index().unwrap() - 1;
        if installed > self.raw().raft.raft_log.applied {
            self.raw().advance_apply_to(installed);
        }
        //# always
        for entry in committed {
            //# agreement
            self.check_agreement(&entry);
            //# change
            if entry.get_entry_type() == EntryType::EntryConfChangeV2 {
                let mut change = ConfChangeV2::default();
                change.merge_from_bytes(&entry.data).unwrap();
                if let Ok(members) = self.raw().apply_conf_change(&change) {
                    self.raw().store().wl().set_conf_state(members);
                    //# change steps-down
                    self.step_down_if_removed();
                    //# change
                }
            }
            //# always
            self.raw().advance_apply_to(entry.index);
        }
    }
    //# steps-down

    /// raft leaves a leader that is no voter any more at that, which is another defect.
    fn step_down_if_removed(&mut self) {
        //# never
        if !self.cluster.steps_down {
            return;
        }
        //# steps-down
        let (id, raft) = (self.id, &mut self.raw().raft);
        if !raft.prs().conf().voters().contains(id) {
            raft.become_follower(raft.term, INVALID_ID);
        }
    }
    //# stale-reads

    fn check_reads(&self, reads: Vec<ReadState>) {
        //# never
        if self.cluster.looks_at != "stale-reads" {
            return;
        }
        //# stale-reads
        for ReadState { index, request_ctx } in reads {
            let known = self.cluster.asked_at[&request_ctx];
            assert!(index >= known, "read at {index}; {known} was applied before it was asked");
        }
    }
    //# durable

    /// What a message says of its sender is on the sender's disk.
    fn check_promises(&mut self, messages: &[Message]) {
        //# never
        if self.cluster.looks_at != "durable" {
            return;
        }
        //# durable
        let (id, disk) = (self.id, self.raw().store().clone());
        let (term, last) = (disk.rl().hard_state().term, disk.last_index().unwrap());
        for message in messages {
            let (kind, of, index) = (message.get_msg_type(), message.term, message.index);
            let is_vague =
                matches!(kind, MessageType::MsgRequestPreVote | MessageType::MsgRequestPreVoteResponse);
            assert!(of <= term || is_vague, "n{id} sends {kind:?} of term {of}; on its disk is {term}");
            let acknowledges = kind == MessageType::MsgAppendResponse && !message.reject;
            assert!(index <= last || !acknowledges, "n{id} acknowledges {index}; on its disk is {last}");
        }
    }
    //# keeps-entries

    /// A snapshot that the log holds is no reason to drop what follows there.
    fn check_snapshot(&mut self, snapshot: &SnapshotMetadata) {
        //# never
        if self.cluster.looks_at != "keeps-entries" {
            return;
        }
        //# keeps-entries
        let disk = self.raw().store();
        let (index, last) = (snapshot.index, disk.last_index().unwrap());
        let holds_it = disk.term(index).is_ok_and(|term| term == snapshot.term);
        assert!(!holds_it || last <= index, "a snapshot at {index} replaces a log up to {last}");
    }
    //# agreement

    fn check_agreement(&mut self, entry: &Entry) {
        //# never
        if self.cluster.looks_at != "agreement" {
            return;
        }
        //# agreement
        let first = *self.cluster.applied.entry(entry.index).or_insert(entry.term);
        assert_eq!(first, entry.term, "entry {} is applied as two", entry.index);
    }
    //# one-leader

    fn check_leader(&mut self) {
        //# never
        if self.cluster.looks_at != "one-leader" {
            return;
        }
        //# one-leader
        let (id, term, state) = (self.id, self.raw().raft.term, self.raw().raft.state);
        if state == StateRole::Leader {
            let first = *self.cluster.leaders.entry(term).or_insert(id);
            assert_eq!(first, id, "two nodes lead in term {term}");
        }
    }
    //# always
}
