//! A server on raft-rs that tells by `servers::raft_rs::RawNode`, with snapshots: a node that was
//! cut off for long is brought back by one.
//!
//! It keeps nothing, so plans crash nobody. Its state is the number of the entries that it has
//! applied.

use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::sync::Arc;

use madsim::task::spawn;
use madsim::time::sleep;
use protobuf::Message as _;
use raft::eraftpb::{Entry, Message, MessageType};
use raft::storage::MemStorage;
use raft::{Config, SnapshotStatus, StateRole, Storage as _};
use squall::madsim::servers::raft_rs::RawNode;
use squall::madsim::servers::{ClientHandle, Incarnation, Judged, Server, Storm};
use squall::madsim::shim::net::{TcpListener, TcpStream};
use squall::madsim::shim::time::interval;
use squall_core::counters::Counter;
use squall_core::engine::Observer;
use squall_core::faults;
use squall_core::ids::NodeId;
use squall_core::invariants::Verdict;
use squall_core::plan::{Fault, Plan, What, When};
use squall_core::registry::Runner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::support::quiet_plan;

/// A node takes a snapshot whenever its log has grown by so many entries.
const SNAPSHOT_EVERY: u64 = 8;

struct Counting;

impl Server for Counting {
    type Run = ();
    type End = Result<()>;

    fn begin(&self, _: &Plan) {}

    async fn serve(self: Arc<Self>, incarnation: Incarnation) -> Result<()> {
        run(&incarnation).await
    }

    async fn ask(self: Arc<Self>, _: Arc<()>, handle: ClientHandle) {
        while handle.storms() {
            sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn judge(&self, (): &()) -> Verdict<Judged> {
        Ok(Judged::Fine)
    }
}

async fn run(incarnation: &Incarnation) -> Result<()> {
    let addresses = incarnation.addresses(7000);
    let id = u64::from(incarnation.node.0);
    let listener = TcpListener::bind(&addresses[&id]).await?;
    let (inbox, mut messages) = mpsc::channel(256);
    spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            spawn(hear(stream, inbox.clone()));
        }
    });
    let mut node = Node::new(id, addresses)?;
    let mut ticks = interval(incarnation.tick());
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => node.tick(),
            Some(message) = messages.recv() => drop(node.raw.step(message)),
        }
        while node.raw.has_ready() {
            node.on_ready();
        }
    }
}

async fn hear(mut stream: TcpStream, inbox: mpsc::Sender<Message>) -> Result<()> {
    loop {
        let mut frame = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut frame).await?;
        let message = Message::parse_from_bytes(&frame).map_err(Error::other)?;
        inbox.send(message).await.map_err(Error::other)?;
    }
}

async fn tell(address: String, mut outbox: mpsc::Receiver<Message>) {
    while let Some(message) = outbox.recv().await {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let _ = send(&mut stream, message, &mut outbox).await;
        }
    }
}

async fn send(
    stream: &mut TcpStream,
    first: Message,
    outbox: &mut mpsc::Receiver<Message>,
) -> Result<()> {
    let mut next = Some(first);
    while let Some(message) = next {
        let bytes = message.write_to_bytes().map_err(Error::other)?;
        let length = (bytes.len() as u32).to_be_bytes();
        stream.write_all(&[&length[..], &bytes].concat()).await?;
        next = outbox.recv().await;
    }
    Ok(())
}

struct Node {
    raw: RawNode<MemStorage>,
    peers: BTreeMap<u64, mpsc::Sender<Message>>,
    ticks: u64,
    applied: u64,
    compacted: u64,
}

impl Node {
    fn new(id: u64, addresses: BTreeMap<u64, String>) -> Result<Self> {
        let voters: Vec<u64> = addresses.keys().copied().collect();
        let storage = MemStorage::new_with_conf_state((voters, Vec::new()));
        let config = Config::new(id);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let others = addresses.into_iter().filter(|(other, _)| *other != id);
        let peer = |(other, address)| {
            let (sender, outbox) = mpsc::channel(256);
            spawn(tell(address, outbox));
            (other, sender)
        };
        Ok(Self {
            raw: RawNode::new(&config, storage, &logger).map_err(Error::other)?,
            peers: others.map(peer).collect(),
            ticks: 0,
            applied: 0,
            compacted: 0,
        })
    }

    fn tick(&mut self) {
        self.raw.tick();
        self.ticks += 1;
        if self.raw.raft.state == StateRole::Leader && self.ticks.is_multiple_of(2) {
            let _ = self.raw.propose(Vec::new(), b"one more".to_vec());
        }
    }

    fn on_ready(&mut self) {
        let mut ready = self.raw.ready();
        self.send(ready.take_messages());
        let storage = self.raw.store().clone();
        if let Some(hard) = ready.hs() {
            storage.wl().set_hardstate(hard.clone());
        }
        let snapshot = ready.snapshot().clone();
        if !snapshot.is_empty() {
            self.applied = snapshot.get_metadata().index;
            self.compacted = self.applied;
            storage.wl().apply_snapshot(snapshot.clone()).unwrap();
            self.raw.installed(&snapshot, &ready, &self.applied);
        }
        storage.wl().append(ready.entries()).unwrap();
        self.raw.synced();
        self.send(ready.take_persisted_messages());
        self.apply(&ready.take_committed_entries());
        let mut light = self.raw.advance(ready);
        if let Some(commit) = light.commit_index() {
            storage.wl().mut_hard_state().commit = commit;
        }
        self.send(light.take_messages());
        self.apply(&light.take_committed_entries());
        self.raw.advance_apply();
        if self.applied >= self.compacted + SNAPSHOT_EVERY {
            let term = storage.term(self.applied).unwrap();
            storage.wl().compact(self.applied).unwrap();
            self.raw.compacted((self.applied, term), self.applied);
            self.compacted = self.applied;
        }
    }

    fn apply(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.applied = entry.index;
            self.raw.applied(entry.index, &self.applied);
        }
    }

    fn send(&mut self, messages: Vec<Message>) {
        for message in messages {
            let (to, kind) = (message.to, message.get_msg_type());
            let is_taken = self.peers[&to].try_send(message).is_ok();
            if kind == MessageType::MsgSnapshot {
                let status = match is_taken {
                    true => SnapshotStatus::Finish,
                    false => SnapshotStatus::Failure,
                };
                self.raw.report_snapshot(to, status);
            }
        }
    }
}

#[test]
fn a_node_that_was_cut_off_for_long_installs_its_leaders_snapshot() {
    let mut installed = 0;
    for node in 1..=3 {
        let cut = What::Split(faults::Split {
            side: vec![NodeId(node)],
            for_us: 1_500_000,
        });
        let plan = Plan {
            faults: vec![Fault {
                when: When::AtUs(400_000),
                what: cut,
            }],
            heal_us: 2_500_000,
            ..quiet_plan(3)
        };
        let outcome = Storm::over(Counting).run(&plan, Observer::default());
        assert_eq!(outcome.failure, None, "{node} is cut off");
        installed += outcome.counters.get(Counter::SnapshotInstalled);
    }
    assert!(installed > 0, "nobody needs a snapshot");
}
