//! A storage that syncs in the background and in pieces: an append is reported when a task of its
//! own has synced it, a snapshot has its name before the machine has its state, and the machine is
//! durable as soon as it has applied, whether or not the log is. openraft allows all of that.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{Stream, TryStreamExt};
use openraft::alias::{EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf};
use openraft::async_runtime::AsyncRuntime;
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, IOFlushed, LogState, RaftLogStorage, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftLogReader, RaftSnapshotBuilder};
use redb_openraft::types::{Previous, Set, Types};
use serde::{Deserialize, Serialize};
use squall::openraft::runtime::NodeRuntime;
use squall::openraft::storage::{Disk, File, OwnStorage, Put};
use squall::openraft::{OneLeaderATerm, with_storage};

/// A line of the log's file.
#[derive(Serialize, Deserialize)]
enum Line {
    Vote(VoteOf<Types>),
    Entry(EntryOf<Types>),
    Cut(u64),
    Purge(LogIdOf<Types>),
}

/// What the lines come to.
#[derive(Default)]
struct Lines {
    vote: Option<VoteOf<Types>>,
    entries: BTreeMap<u64, EntryOf<Types>>,
    purged: Option<LogIdOf<Types>>,
}

impl Lines {
    fn take(&mut self, line: Line) {
        match line {
            Line::Vote(vote) => self.vote = Some(vote),
            Line::Entry(entry) => {
                drop(self.entries.split_off(&entry.index()));
                self.entries.insert(entry.index(), entry);
            }
            Line::Cut(place) => drop(self.entries.split_off(&place)),
            Line::Purge(through) => {
                self.entries = self.entries.split_off(&(through.index() + 1));
                self.purged = self.purged.max(Some(through));
            }
        }
    }
}

#[derive(Clone)]
struct Log<const EARLY: bool> {
    disk: Disk,
    file: File,
    lines: Arc<Mutex<Lines>>,
}

impl<const EARLY: bool> Log<EARLY> {
    /// Reads the lines that are whole, and cuts off what a power failure has left behind them.
    fn open(disk: Disk) -> io::Result<Self> {
        let file = disk.open_or_create("log")?;
        disk.sync_directory("")?;
        let (mut lines, mut whole) = (Lines::default(), 0);
        let bytes = file.read_all()?;
        while let Some(length) = bytes[whole..].iter().position(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice(&bytes[whole..whole + length]) else {
                break;
            };
            lines.take(line);
            whole += length + 1;
        }
        file.set_len(whole as u64)?;
        file.sync()?;
        let lines = Arc::new(Mutex::new(lines));
        Ok(Self { disk, file, lines })
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap()
    }

    fn write(&self, line: Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&line).map_err(io::Error::other)?;
        bytes.push(b'\n');
        self.file.append(&bytes)?;
        self.lines().take(line);
        Ok(())
    }
}

impl<const EARLY: bool> RaftLogReader<Types> for Log<EARLY> {
    async fn try_get_log_entries<R>(&mut self, range: R) -> io::Result<Vec<EntryOf<Types>>>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let lines = self.lines();
        let entries = lines.entries.range(range).map(|(_, entry)| entry.clone());
        Ok(entries.collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<VoteOf<Types>>> {
        Ok(self.lines().vote)
    }
}

impl<const EARLY: bool> RaftLogStorage<Types> for Log<EARLY> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let lines = self.lines();
        let last = lines.entries.values().next_back().map(RaftEntry::log_id);
        Ok(LogState {
            last_purged_log_id: lines.purged,
            last_log_id: last.or(lines.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf<Types>) -> io::Result<()> {
        self.write(Line::Vote(*vote))?;
        self.disk.sync(&self.file).await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = EntryOf<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        for entry in entries {
            self.write(Line::Entry(entry))?;
        }
        if EARLY {
            callback.io_completed(Ok(()));
            return Ok(());
        }
        let (disk, file) = (self.disk.clone(), self.file.clone());
        drop(NodeRuntime::spawn(async move {
            callback.io_completed(disk.sync(&file).await);
        }));
        Ok(())
    }

    /// Lines are in order: this one is durable with the next that is synced.
    async fn truncate_after(&mut self, last: Option<LogIdOf<Types>>) -> io::Result<()> {
        self.write(Line::Cut(last.map_or(0, |last| last.index() + 1)))
    }

    async fn purge(&mut self, through: LogIdOf<Types>) -> io::Result<()> {
        self.write(Line::Purge(through))
    }
}

/// The state after an entry, in the machine's file and in a snapshot's.
#[derive(Clone, Default, Serialize, Deserialize)]
struct State {
    meta: SnapshotMetaOf<Types>,
    values: BTreeMap<String, String>,
}

#[derive(Clone)]
struct Machine {
    disk: Disk,
    state: Arc<Mutex<State>>,
}

struct Builder {
    disk: Disk,
    state: State,
}

fn read(disk: &Disk, name: &str) -> io::Result<Option<State>> {
    let bytes = disk.read(name)?;
    let state = bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other));
    state.transpose()
}

fn bytes(state: &State) -> io::Result<Vec<u8>> {
    serde_json::to_vec(state).map_err(io::Error::other)
}

fn sent(state: State) -> io::Result<SnapshotOf<Types, Vec<u8>>> {
    let snapshot = bytes(&state)?;
    let meta = state.meta;
    Ok(SnapshotOf::<Types, Vec<u8>> { meta, snapshot })
}

/// Writes a snapshot beside the one that is there, and gives it that one's name, with time between.
async fn keep(disk: &Disk, state: &State) -> io::Result<()> {
    let file = disk.open_or_create("snapshot.new")?;
    file.set_len(0)?;
    file.write_at(0, &bytes(state)?)?;
    disk.sync(&file).await?;
    disk.rename("snapshot.new", "snapshot")?;
    disk.sync_names("").await
}

impl Machine {
    fn open(disk: Disk) -> io::Result<Self> {
        let state = read(&disk, "machine")?.unwrap_or_default();
        let state = Arc::new(Mutex::new(state));
        Ok(Self { disk, state })
    }

    fn become_(&self, state: State) -> io::Result<()> {
        self.disk.replace("machine", &bytes(&state)?)?;
        *self.state.lock().unwrap() = state;
        Ok(())
    }

    fn now(&self) -> State {
        self.state.lock().unwrap().clone()
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Builder;

    async fn applied_state(
        &mut self,
    ) -> io::Result<(Option<LogIdOf<Types>>, StoredMembershipOf<Types>)> {
        let meta = self.now().meta;
        Ok((meta.last_log_id, meta.last_membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        let mut state = self.now();
        let mut answers = Vec::new();
        while let Some((entry, responder)) = entries.try_next().await? {
            let id = entry.log_id();
            state.meta.last_log_id = Some(id);
            let mut previous = Previous(None);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(set) => previous.0 = state.values.insert(set.key, set.value),
                EntryPayload::Membership(members) => {
                    state.meta.last_membership =
                        StoredMembershipOf::<Types>::new(Some(id), members);
                }
            }
            answers.extend(responder.map(|responder| (responder, previous)));
        }
        self.become_(state)?;
        for (responder, previous) in answers {
            responder.send(previous);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            disk: self.disk.clone(),
            state: self.now(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<Types>,
        data: Vec<u8>,
    ) -> io::Result<()> {
        let mut state: State = serde_json::from_slice(&data).map_err(io::Error::other)?;
        state.meta = meta.clone();
        keep(&self.disk, &state).await?;
        self.become_(state)
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Types, Vec<u8>>>> {
        read(&self.disk, "snapshot")?.map(sent).transpose()
    }
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Types, Vec<u8>>> {
        // A leader's may have come meanwhile.
        let newest = read(&self.disk, "snapshot")?.and_then(|state| state.meta.last_log_id);
        if newest < self.state.meta.last_log_id {
            keep(&self.disk, &self.state).await?;
        }
        sent(self.state.clone())
    }
}

/// The storage; an append is reported as flushed before it is, where it is early.
struct InBackground<const EARLY: bool>;

impl<const EARLY: bool> OwnStorage for InBackground<EARLY> {
    type Leaders = OneLeaderATerm;
    type Config = Types;
    type Log = Log<EARLY>;
    type Machine = Machine;

    async fn open(disk: Disk) -> io::Result<(Log<EARLY>, Machine)> {
        Ok((Log::open(disk.clone())?, Machine::open(disk)?))
    }

    fn command(put: Put) -> Set {
        Set {
            key: put.key.to_string(),
            value: put.value.to_string(),
        }
    }

    async fn state(machine: &mut Machine) -> io::Result<Vec<u8>> {
        Ok(format!("{:?}", machine.now().values).into_bytes())
    }
}

#[test]
fn a_storage_that_syncs_in_the_background_stands_the_storm() {
    squall::check(with_storage::<InBackground<false>>())
        .seeds(0..120)
        .run();
}

#[test]
#[should_panic(expected = "was reported as flushed")]
fn one_that_does_not_wait_for_its_sync_does_not() {
    squall::check(with_storage::<InBackground<true>>())
        .seeds(0..20)
        .run();
}
