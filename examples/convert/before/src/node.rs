//! One node: raft-rs in one task, one log file, TCP to the others and to clients.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Duration;

use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState, Message};
use raft::storage::MemStorage;
use raft::{Config, RawNode, StateRole};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, sleep};

/// How a node is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its number, from 1.
    pub id: u64,
    /// All nodes: their numbers and addresses.
    pub peers: BTreeMap<u64, String>,
    /// The folder for its log.
    pub dir: String,
    /// Between two ticks of raft's clock.
    pub tick: Duration,
    /// Whether the log is synced before it is acknowledged.
    pub sync: bool,
}

impl Options {
    /// As in production.
    pub fn new(id: u64, peers: BTreeMap<u64, String>, dir: &str) -> Self {
        Self {
            id,
            peers,
            dir: dir.to_owned(),
            tick: Duration::from_millis(50),
            sync: true,
        }
    }
}

enum Input {
    Raft(Message),
    Client(String, oneshot::Sender<String>),
}

/// Asks a node for one thing, `get KEY` or `put KEY VALUE`. The answer is `VALUE ...`, `NONE`, `OK`
/// or `NOT LEADER`.
pub async fn ask(address: &str, line: &str) -> io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut answer = String::new();
    match stream.read_line(&mut answer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim_end().to_owned()),
    }
}

/// Runs a node until its disk fails.
pub async fn run(options: Options) -> io::Result<()> {
    let mut node = Node::open(options).await?;
    let listener = TcpListener::bind(&node.options.peers[&node.options.id]).await?;
    let (inbox, mut inputs) = mpsc::channel(256);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let inbox = inbox.clone();
            tokio::spawn(async move { listen(BufReader::new(stream), inbox).await });
        }
    });
    let mut ticks = interval(node.options.tick);
    loop {
        tokio::select! {
            _ = ticks.tick() => node.tick(),
            Some(input) = inputs.recv() => node.take(input),
        }
        while node.raw.has_ready() {
            node.on_ready().await?;
        }
    }
}

/// The first line says who talks: another node, which sends messages, or a client, which asks for
/// one thing a line.
async fn listen(mut stream: BufReader<TcpStream>, inbox: mpsc::Sender<Input>) -> io::Result<()> {
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        if line == "raft\n" {
            loop {
                let mut frame = vec![0; stream.read_u32().await? as usize];
                stream.read_exact(&mut frame).await?;
                let message = Message::parse_from_bytes(&frame).map_err(io::Error::other)?;
                inbox
                    .send(Input::Raft(message))
                    .await
                    .map_err(io::Error::other)?;
            }
        }
        let (answer, answered) = oneshot::channel();
        let asked = Input::Client(line.trim_end().to_owned(), answer);
        inbox.send(asked).await.map_err(io::Error::other)?;
        let answer = answered.await.map_err(io::Error::other)?;
        stream.write_all(format!("{answer}\n").as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

/// Sends what is queued to another node, and connects anew when the connection breaks.
async fn talk(address: String, mut queue: mpsc::Receiver<Message>) {
    while !queue.is_closed() {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let mut sent = stream.write_all(b"raft\n").await;
            while let (Ok(()), Some(message)) = (&sent, queue.recv().await) {
                let bytes = message.write_to_bytes().unwrap_or_default();
                let mut frame = (bytes.len() as u32).to_be_bytes().to_vec();
                frame.extend(bytes);
                sent = stream.write_all(&frame).await;
            }
        }
        sleep(Duration::from_millis(50)).await;
        while queue.try_recv().is_ok() {}
    }
}

const ENTRY: u8 = 0;
const HARD_STATE: u8 = 1;

/// Length, checksum, kind, content.
fn record(kind: u8, message: &impl protobuf::Message) -> io::Result<Vec<u8>> {
    let mut content = vec![kind];
    content.extend(message.write_to_bytes().map_err(io::Error::other)?);
    let mut record = (content.len() as u32).to_be_bytes().to_vec();
    record.extend(crc32fast::hash(&content).to_be_bytes());
    record.extend(content);
    Ok(record)
}

/// The first record's kind and content; none where it is torn.
fn first_record(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let sum = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
    let content = bytes.get(8..8 + length)?;
    let (kind, rest) = content.split_first()?;
    (crc32fast::hash(content) == sum).then_some((*kind, rest))
}

async fn open_log(options: &Options) -> io::Result<(File, MemStorage)> {
    fs::create_dir_all(&options.dir).await?;
    let path = format!("{}/log", options.dir);
    let mut how = OpenOptions::new();
    let mut file = how.create(true).read(true).append(true).open(path).await?;
    File::open(&options.dir).await?.sync_all().await?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).await?;
    let voters: Vec<u64> = options.peers.keys().copied().collect();
    let storage = MemStorage::new_with_conf_state((voters, vec![]));
    let mut valid = 0;
    while let Some((kind, content)) = first_record(&bytes[valid..]) {
        if kind == HARD_STATE {
            let hard = HardState::parse_from_bytes(content).map_err(io::Error::other)?;
            storage.wl().set_hardstate(hard);
        } else {
            let entry = Entry::parse_from_bytes(content).map_err(io::Error::other)?;
            storage.wl().append(&[entry]).map_err(io::Error::other)?;
        }
        valid += 9 + content.len();
    }
    // A torn tail was never acknowledged; what is before it will be.
    file.set_len(valid as u64).await?;
    file.sync_all().await?;
    Ok((file, storage))
}

struct Node {
    options: Options,
    raw: RawNode<MemStorage>,
    file: File,
    state: BTreeMap<String, String>,
    peers: HashMap<u64, mpsc::Sender<Message>>,
    /// Who waits for the entry at this index, if it is of this term.
    waiting: HashMap<u64, (u64, oneshot::Sender<String>)>,
}

impl Node {
    async fn open(options: Options) -> io::Result<Self> {
        let (file, storage) = open_log(&options).await?;
        let config = Config {
            id: options.id,
            election_tick: 10,
            heartbeat_tick: 2,
            max_size_per_msg: 64 << 10,
            max_inflight_msgs: 64,
            check_quorum: true,
            pre_vote: true,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, storage, &logger).map_err(io::Error::other)?;
        let others = options.peers.iter().filter(|(id, _)| **id != options.id);
        let peers = others.map(|(id, address)| {
            let (sender, queue) = mpsc::channel(256);
            tokio::spawn(talk(address.clone(), queue));
            (*id, sender)
        });
        Ok(Self {
            peers: peers.collect(),
            options,
            raw,
            file,
            state: BTreeMap::new(),
            waiting: HashMap::new(),
        })
    }

    fn tick(&mut self) {
        self.raw.tick();
    }

    fn take(&mut self, input: Input) {
        match input {
            // Raft refuses what is of no use to it.
            Input::Raft(message) => drop(self.raw.step(message)),
            Input::Client(line, answer) => {
                let leads = self.raw.raft.state == StateRole::Leader;
                if !leads || self.raw.propose(vec![], line.into_bytes()).is_err() {
                    let _ = answer.send("NOT LEADER".to_owned());
                    return;
                }
                let index = self.raw.raft.raft_log.last_index();
                self.waiting.insert(index, (self.raw.raft.term, answer));
            }
        }
    }

    async fn on_ready(&mut self) -> io::Result<()> {
        let mut ready = self.raw.ready();
        self.send(ready.take_messages());
        let mut bytes = Vec::new();
        for entry in ready.entries() {
            bytes.extend(record(ENTRY, entry)?);
        }
        if let Some(hard) = ready.hs() {
            bytes.extend(record(HARD_STATE, hard)?);
        }
        self.file.write_all(&bytes).await?;
        self.file.flush().await?;
        if ready.must_sync() && self.options.sync {
            self.file.sync_data().await?;
        }
        let storage = self.raw.store().clone();
        storage
            .wl()
            .append(ready.entries())
            .map_err(io::Error::other)?;
        if let Some(hard) = ready.hs() {
            storage.wl().set_hardstate(hard.clone());
        }
        self.send(ready.take_persisted_messages());
        self.apply(ready.take_committed_entries());
        let mut light = self.raw.advance(ready);
        if let Some(commit) = light.commit_index() {
            storage.wl().mut_hard_state().set_commit(commit);
        }
        self.send(light.take_messages());
        self.apply(light.take_committed_entries());
        self.raw.advance_apply();
        Ok(())
    }

    fn send(&mut self, messages: Vec<Message>) {
        for message in messages {
            if let Some(peer) = self.peers.get(&message.to) {
                // What does not fit in is lost; raft does without.
                let _ = peer.try_send(message);
            }
        }
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let line = String::from_utf8_lossy(&entry.data).into_owned();
            let words: Vec<&str> = line.splitn(3, ' ').collect();
            let answer = match words[..] {
                ["put", key, value] => {
                    self.state.insert(key.to_owned(), value.to_owned());
                    "OK".to_owned()
                }
                ["get", key] => match self.state.get(key) {
                    Some(value) => format!("VALUE {value}"),
                    None => "NONE".to_owned(),
                },
                _ => "WHAT?".to_owned(),
            };
            if let Some((term, waiting)) = self.waiting.remove(&entry.index)
                && term == entry.term
            {
                let _ = waiting.send(answer);
            }
        }
    }
}
