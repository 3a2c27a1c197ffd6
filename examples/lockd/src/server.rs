//! The server: one task that has raft-rs, the log and the state, and around it those that talk.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use crate::net::{TcpListener, TcpStream};
use crate::time::{Instant, MissedTickBehavior, interval};
use protobuf::Message as _;
use raft::eraftpb::{Entry, EntryType, HardState, Message, MessageType, Snapshot};
use raft::{RawNode, SnapshotStatus, StateRole};
use tokio::sync::{mpsc, oneshot};

use crate::bug::{Bug, Injected};
use crate::peers::Peer;
use crate::probe::{Probe, Teller};
use crate::snapshot;
use crate::state::{Command, State};
use crate::store::Store;
use crate::timeouts::Timeouts;
use crate::wal::Wal;
use crate::wire::{self, Hello, Outcome, Reply, Request};

/// Messages and requests that may wait for the server's task.
const INBOX: usize = 1024;

/// How many of them are taken in before what raft makes of them is written and sent.
const AT_ONCE: usize = 64;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its number, from 1.
    pub id: u64,
    /// The folder with its files; it is there.
    pub dir: String,
    /// Where it listens.
    pub listen: String,
    /// All servers, itself among them: their numbers and where they are reached.
    pub servers: BTreeMap<u64, String>,
    /// Between two ticks of raft's clock.
    pub tick: Duration,
    /// Ticks without word from a leader before an election: once to twice as many.
    pub election_ticks: usize,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_ticks: usize,
    /// A snapshot is taken after so many entries.
    pub snapshot_every: u64,
    /// Entries before it that stay in the log, for servers that lag a little.
    pub keep: u64,
    /// What election time-outs are drawn from. Different at each server.
    pub seed: u64,
    /// A mistake; none in production.
    pub bug: Injected,
}

impl Options {
    /// How long nothing gets through before a connection is given up.
    fn patience(&self) -> Duration {
        self.tick * self.election_ticks as u32 * 2
    }
}

enum Input {
    Message(Message),
    Request(Request, oneshot::Sender<Outcome>),
}

/// Runs a server.
///
/// # Errors
/// When its disk fails or cannot be read, or it cannot listen. It must not go on then.
pub async fn run(options: Options, probe: impl Probe) -> io::Result<Infallible> {
    let mut server = Server::open(options, probe).await?;
    let listen = &server.options.listen;
    let listener = TcpListener::bind(listen).await;
    let listener =
        listener.map_err(|error| about(&format!("cannot listen at {listen}"), &error))?;
    let (inbox, mut inputs) = mpsc::channel(INBOX);
    tokio::spawn(async move {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                // What a broken connection has not said is lost, and raft and clients know how to
                // live with that.
                let inbox = inbox.clone();
                tokio::spawn(async move { hear_out(stream, inbox).await.ok() });
            }
        }
    });
    let mut ticks = interval(server.options.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        // In this order: chance would make two runs of a simulation differ.
        tokio::select! {
            biased;
            _ = ticks.tick() => server.tick(),
            Some(input) = inputs.recv() => server.take(input),
        }
        for _ in 1..AT_ONCE {
            match inputs.try_recv() {
                Ok(input) => server.take(input),
                Err(_) => break,
            }
        }
        server.handle_ready().await?;
    }
}

fn about(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Reads what comes on one connection, until it ends.
async fn hear_out(stream: TcpStream, inbox: mpsc::Sender<Input>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = tokio::io::split(stream);
    match wire::hear(&mut reader).await? {
        Some(Hello::Server(_)) => {
            while let Some(frame) = wire::read(&mut reader).await? {
                let message = Message::parse_from_bytes(&frame).map_err(io::Error::other)?;
                // One that does not fit in is lost: raft does without.
                let _ = inbox.try_send(Input::Message(message));
                tokio::io::AsyncWriteExt::write_all(&mut writer, &[1]).await?;
                tokio::io::AsyncWriteExt::flush(&mut writer).await?;
            }
        }
        Some(Hello::Client) => {
            while let Some(request) = wire::hear::<Request>(&mut reader).await? {
                let sequence = request.sequence;
                let (answer, answered) = oneshot::channel();
                let outcome = match inbox.try_send(Input::Request(request, answer)) {
                    Ok(()) => answered.await.unwrap_or(Outcome::NotLeader(None)),
                    Err(_) => Outcome::Busy,
                };
                wire::say(&mut writer, &Reply { sequence, outcome }).await?;
            }
        }
        None => {}
    }
    Ok(())
}

struct Server<P> {
    options: Options,
    teller: Teller<P>,
    raw: RawNode<Store>,
    wal: Wal,
    state: State,
    applied: u64,
    /// The role and the term that it has taken note of.
    role: (StateRole, u64),
    peers: BTreeMap<u64, Peer>,
    /// Who waits for the command of this session and number.
    waiting: BTreeMap<(u64, u64), oneshot::Sender<Outcome>>,
    /// When it became leader, and what the time of the log was then.
    leads_since: (Instant, u64),
    born: Instant,
    timeouts: Timeouts,
}

impl<P: Probe> Server<P> {
    async fn open(options: Options, probe: P) -> io::Result<Self> {
        let unreadable = || io::Error::other("the snapshot is none of a state");
        let unusable =
            |error: io::Error| about(&format!("cannot use the files in {}", options.dir), &error);
        let opened = Wal::open(&options.dir, options.bug).await;
        let (mut wal, kept) = opened.map_err(unusable)?;
        let snapshot = snapshot::read(&options.dir).await.map_err(unusable)?;
        let voters = options.servers.keys().copied().collect();
        let (store, mended) = Store::recover(kept, snapshot, voters);
        if mended {
            wal.restart(&store.log).await?;
        }
        let applied = store.snapshot_index();
        let state = match applied {
            0 => State::default(),
            _ => State::from_bytes(&store.snapshot.data).ok_or_else(unreadable)?,
        };
        let role = (StateRole::Follower, store.log.hard.term);
        let config = raft::Config {
            id: options.id,
            election_tick: options.election_ticks,
            heartbeat_tick: options.heartbeat_ticks,
            applied,
            max_size_per_msg: 64 << 10,
            max_inflight_msgs: 64,
            check_quorum: true,
            pre_vote: true,
            ..raft::Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, store, &logger).map_err(io::Error::other)?;
        let teller = Teller::started(probe, &raw, &state);
        let others = options.servers.iter().filter(|(id, _)| **id != options.id);
        let connect = |(id, address): (&u64, &String)| {
            let peer = Peer::connect(options.id, address.clone(), options.patience());
            (*id, peer)
        };
        Ok(Self {
            peers: others.map(connect).collect(),
            teller,
            raw,
            wal,
            state,
            applied,
            role,
            waiting: BTreeMap::new(),
            leads_since: (Instant::now(), 0),
            born: Instant::now(),
            timeouts: Timeouts::new(options.seed, options.election_ticks),
            options,
        })
    }

    fn tick(&mut self) {
        self.timeouts.tick(&mut self.raw);
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Message(message) => {
                // It refuses what is of no use to it.
                let _ = self.raw.step(message);
            }
            Input::Request(request, answer) => self.propose(request, answer),
        }
    }

    fn propose(&mut self, request: Request, answer: oneshot::Sender<Outcome>) {
        if self.raw.raft.state != StateRole::Leader {
            let leader = self.raw.raft.leader_id;
            let _ = answer.send(Outcome::NotLeader(
                (leader != raft::INVALID_ID).then_some(leader),
            ));
            return;
        }
        let (since, time_ms) = self.leads_since;
        let Request {
            session,
            sequence,
            operation,
        } = request;
        let command = Command {
            session,
            sequence,
            time_ms: time_ms + since.elapsed().as_millis() as u64,
            operation,
        };
        match self.raw.propose(Vec::new(), command.to_bytes()) {
            Ok(()) => drop(self.waiting.insert((session, sequence), answer)),
            Err(_) => drop(answer.send(Outcome::Busy)),
        }
    }

    /// Writes, sends and applies what raft wants, until it wants nothing.
    async fn handle_ready(&mut self) -> io::Result<()> {
        while self.raw.has_ready() {
            let mut ready = self.raw.ready();
            self.note_role();
            self.send(ready.take_messages());
            let hard = ready.hs().cloned();
            if let Some(hard) = &hard {
                self.raw.mut_store().log.hard = hard.clone();
            }
            let entries = ready.take_entries();
            let must_sync = ready.must_sync();
            if !ready.snapshot().is_empty() {
                let snapshot = ready.snapshot().clone();
                self.install(snapshot, &entries, hard.as_ref()).await?;
            } else {
                self.teller.writes(&self.raw, &entries, hard.as_ref());
                for entry in &entries {
                    self.raw.mut_store().log.place(entry.clone());
                }
                if !entries.is_empty() || hard.is_some() {
                    self.wal.append(&entries, hard.as_ref()).await?;
                }
                if must_sync && !self.options.bug.is(Bug::AckBeforeSync) {
                    self.wal.sync().await?;
                    self.teller.synced();
                }
            }
            self.send(ready.take_persisted_messages());
            self.apply(ready.take_committed_entries());
            let mut light = self.raw.advance(ready);
            if let Some(commit) = light.commit_index() {
                self.raw.mut_store().log.hard.commit = commit;
            }
            self.teller.commit(&self.raw);
            self.send(light.take_messages());
            self.apply(light.take_committed_entries());
            self.raw.advance_apply();
        }
        self.snapshot_when_due().await
    }

    fn send(&mut self, messages: Vec<Message>) {
        for message in messages {
            let Some(peer) = self.peers.get(&message.to) else {
                continue;
            };
            self.teller.sends(&message);
            let is_snapshot = message.get_msg_type() == MessageType::MsgSnapshot;
            let bytes = message.write_to_bytes();
            let sent = peer.send(bytes.expect("raft's messages have no required fields"));
            if is_snapshot {
                // Whether it has got there shows as soon as raft goes on from it.
                let status = match sent {
                    true => SnapshotStatus::Finish,
                    false => SnapshotStatus::Failure,
                };
                self.raw.report_snapshot(message.to, status);
            } else if !sent {
                self.raw.report_unreachable(message.to);
            }
        }
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.applied = entry.index;
            if entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty() {
                self.apply_command(entry.index, &entry.data);
            }
            self.teller.applied(entry.index, &self.state);
        }
    }

    fn apply_command(&mut self, index: u64, data: &[u8]) {
        // Every server skips the same ones.
        let Some(command) = Command::from_bytes(data) else {
            return;
        };
        let wall_ms = self.born.elapsed().as_millis() as u64;
        let waiting = self.waiting.remove(&(command.session, command.sequence));
        let answer = self.state.apply(index, command, wall_ms, self.options.bug);
        if let Some(waiting) = waiting {
            let _ = waiting.send(Outcome::Answered(answer));
        }
    }

    /// Puts a leader's snapshot in place of all there is, and entries behind it.
    async fn install(
        &mut self,
        snapshot: Snapshot,
        entries: &[Entry],
        hard: Option<&HardState>,
    ) -> io::Result<()> {
        let unreadable = || io::Error::other("a leader's snapshot is none of a state");
        let state = State::from_bytes(&snapshot.data).ok_or_else(unreadable)?;
        // The snapshot before the log: see `Store::recover`.
        snapshot::write(&self.options.dir, &snapshot).await?;
        self.applied = snapshot.get_metadata().index;
        self.raw.mut_store().install(snapshot);
        for entry in entries {
            self.raw.mut_store().log.place(entry.clone());
        }
        self.wal.restart(&self.raw.store().log).await?;
        self.state = state;
        self.teller.installed(self.raw.store(), &self.state);
        self.teller.writes(&self.raw, entries, hard);
        self.teller.synced();
        Ok(())
    }

    async fn snapshot_when_due(&mut self) -> io::Result<()> {
        let index = self.applied;
        let taken = self.raw.store().snapshot_index();
        if index < taken + self.options.snapshot_every {
            return Ok(());
        }
        let data = self.state.to_bytes(self.options.bug);
        let snapshot = self.raw.store().snapshot_at(index, data);
        snapshot::write(&self.options.dir, &snapshot).await?;
        let keep = self.options.keep;
        let store = self.raw.mut_store();
        store.snapshot = snapshot;
        store.compact(index.saturating_sub(keep).max(store.log.start.0));
        self.wal.restart(&self.raw.store().log).await?;
        self.teller.compacted(self.raw.store());
        Ok(())
    }

    /// Takes note of another role or term.
    fn note_role(&mut self) {
        let now = (self.raw.raft.state, self.raw.raft.term);
        if now == self.role {
            return;
        }
        if now.0 == StateRole::Leader {
            self.leads_since = (Instant::now(), self.state.time_ms());
        } else if self.role.0 == StateRole::Leader {
            // What becomes of their commands, another leader knows.
            for (_, waiting) in std::mem::take(&mut self.waiting) {
                let _ = waiting.send(Outcome::NotLeader(None));
            }
        }
        self.role = now;
    }
}
