//! A node that starts on a user's storage: it is opened on what the disk has kept, read back, held
//! against the book, and told to the harness, whose own disk has the same from then on.

use std::any::Any;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use openraft::RaftTypeConfig;
use openraft::entry::{RaftEntry, RaftPayload};
use squall_core::configuration::Configuration;
use squall_core::ids::Index;
use squall_core::replica::{BootContext, BootError, Next, Observation, Output, Recovered, Start};
use squall_core::storage::{Chain, ChainedRecord, HardState, Record, StableState};
use squall_world::journal_disk::Image;
use squall_world::node_files::NodeFiles;

use super::book::Shadow;
use super::own::{Of, OwnLog, OwnMachine, OwnReader};
use super::{Disk, Keeper, LogOfOwn, MachineOfOwn, OwnStorage, Power, broken};
use crate::desk::Desk;
use crate::log::written;
use crate::messages::Message;
use crate::node::{OpenraftNode, executor};
use crate::own_options;
use crate::runtime::Executor;
use crate::state_machine::record;
use crate::types::{self, EntryId, Mode, SnapshotMeta};
use crate::{config, membership};

const POWER: &str = "the power fails";
const DISK: &str = "its disk fails";

/// A user's storage that was opened and read back.
pub(crate) struct Opened<C: Mode> {
    executor: Executor,
    parts: Parts<C>,
    keeper: Keeper<C>,
    files: NodeFiles,
    pub(crate) shadow: Shadow<C>,
    pub(crate) vote: Option<C::Vote>,
}

/// What a user's storage is made of.
struct Parts<C: Mode> {
    log: Box<dyn OwnLog<C>>,
    reader: Box<dyn OwnReader<C>>,
    machine: Box<dyn OwnMachine<C>>,
}

/// A user's storage, as a running node has it.
pub(crate) struct Own<C: Mode> {
    files: NodeFiles,
    parts: Option<(LogOfOwn<C>, MachineOfOwn<C>)>,
}

impl<C: Mode> Opened<C> {
    /// The configuration that the node goes by, and since which index.
    pub(crate) fn configuration(&self) -> (Index, Configuration) {
        let members = self.shadow.members.membership();
        (
            index::<C>(self.shadow.at.as_ref()),
            membership::configuration(members),
        )
    }

    /// Its executor, and the rest for a node with this desk.
    pub(crate) fn running(self, desk: &Desk<C>) -> (Executor, Own<C>) {
        let Parts {
            log,
            reader,
            machine,
        } = self.parts;
        let power = Power(self.files.power_failure());
        let log = LogOfOwn::new(
            desk.clone(),
            log,
            reader,
            self.keeper.clone(),
            power.clone(),
        );
        let machine = MachineOfOwn::new(desk.clone(), machine, self.keeper, power);
        let own = Own {
            files: self.files,
            parts: Some((log, machine)),
        };
        (self.executor, own)
    }
}

impl<C: Mode> Own<C> {
    /// What openraft is given, once.
    pub(crate) fn take(&mut self) -> (Option<LogOfOwn<C>>, Option<MachineOfOwn<C>>) {
        self.parts.take().unzip()
    }

    /// Looks at what a step came to. Where the power has failed, or a call to the disk, the node is
    /// down, whatever the storage made of that; what it did before stays, and nothing leaves it.
    pub(crate) fn after_step(
        &self,
        stepped: Result<(), Box<dyn Any + Send>>,
        desk: &Desk<C>,
        out: &mut Output<Message<C>>,
    ) {
        let seen = self.files.seen();
        let reason = match stepped {
            _ if seen.power_failed => POWER,
            Ok(()) => return,
            Err(_) if seen.call_failed => DISK,
            Err(unwound) => resume_unwind(unwound),
        };
        if out.is_empty() {
            std::mem::swap(&mut desk.open().out, out);
        }
        out.retain_sends(|_| false);
        drop(out.drain_replies());
        out.halt(reason);
    }
}

fn index<C: Mode>(id: Option<&EntryId<C>>) -> Index {
    id.map_or(0, types::index::<C>)
}

/// What was read back.
struct Found<C: Mode> {
    vote: Option<C::Vote>,
    /// The entry before the log, and the log.
    before: Option<EntryId<C>>,
    entries: Vec<C::Entry>,
    committed: Option<EntryId<C>>,
    /// How far machine or snapshot are, whichever is further.
    known: Option<EntryId<C>>,
}

/// Starts a node on the storage `S`.
pub(super) fn boot<S: OwnStorage>(
    boot: &BootContext<'_>,
    disk: Recovered,
    out: &mut Output<Message<S::Leaders>>,
) -> Result<OpenraftNode<S::Leaders>, BootError> {
    if let Some(journal) = disk.rotten.first() {
        return Err(BootError::Corrupt(*journal));
    }
    let files = boot.files.clone();
    if let Some((calls, trouble)) = own_options::trouble(boot) {
        files.arm(calls, trouble);
    }
    let keeper = Keeper::new(boot.notes, boot.id, boot.service, files.wipes());
    let executor = executor(boot);
    let opened = {
        let _entered = executor.enter(0);
        let opening = open::<S>(boot, Disk::new(files.open()), &keeper);
        catch_unwind(AssertUnwindSafe(|| executor.block_on(opening)))
    };
    let seen = files.seen();
    let (parts, found) = match opened {
        _ if seen.power_failed => return Ok(down(boot, files, POWER, out)),
        Ok(Err(_)) | Err(_) if seen.call_failed => return Ok(down(boot, files, DISK, out)),
        Ok(Ok(opened)) => opened,
        Ok(Err(why)) => broken(&format!(
            "after the restart, a call returns the error \"{why}\""
        )),
        Err(unwound) => resume_unwind(unwound),
    };
    let Some(shadow) = keeper.shadow(found.known.as_ref()) else {
        let known = found
            .known
            .map_or_else(String::new, |known| known.to_string());
        broken(&format!(
            "the machine, or its snapshot, is at {known}, and the log had no such entry"
        ));
    };
    let start = tell(boot, disk.state, &found, &shadow, out);
    let opened = Opened {
        executor,
        parts,
        keeper,
        files,
        shadow,
        vote: found.vote,
    };
    let config = config::config(boot);
    Ok(OpenraftNode::new(
        boot,
        config,
        start,
        None,
        Some(opened),
        out,
    ))
}

/// A node that did not get as far as starting.
fn down<C: Mode>(
    boot: &BootContext<'_>,
    files: NodeFiles,
    reason: &'static str,
    out: &mut Output<Message<C>>,
) -> OpenraftNode<C> {
    let start = Start {
        state: StableState::default(),
        service: boot.service.clone(),
        configuration: Configuration::default(),
        next: Next::TakeInput,
    };
    let node = OpenraftNode::new(boot, config::config(boot), start, None, None, out);
    out.halt(reason);
    node.on(Own { files, parts: None })
}

type EntryOf<S> = <<S as OwnStorage>::Leaders as RaftTypeConfig>::Entry;

/// Opens the storage, reads it back and holds it against the book. A founder's first entry, which
/// the cluster begins with, is appended where nothing is there yet.
async fn open<S: OwnStorage>(
    boot: &BootContext<'_>,
    disk: Disk,
    keeper: &Keeper<S::Leaders>,
) -> io::Result<(Parts<S::Leaders>, Found<S::Leaders>)> {
    let (log, machine) = S::open(disk).await?;
    let mut log: Box<dyn OwnLog<S::Leaders>> = Box::new(Of::<S, _>::new(log));
    let mut machine: Box<dyn OwnMachine<S::Leaders>> = Box::new(Of::<S, _>::new(machine));
    let mut reader = log.reader().await;

    let vote = reader.read_vote().await?;
    keeper.check_vote(vote);
    let mut ends = log.ends().await?;
    let whole = (Bound::Unbounded, Bound::Unbounded);
    let mut found = reader.entries(whole).await?;
    keeper.check_log(&ends, &found, |entry| reader.words(entry));
    let committed = log.read_committed().await?;
    keeper.check_committed(committed.as_ref());
    let (applied, members) = machine.applied().await?;
    let snapshot = machine.current_snapshot().await?;
    let stands_for = snapshot
        .as_ref()
        .and_then(|one| one.meta.last_log_id.as_ref());
    keeper.check_machine(applied.as_ref(), stands_for, ends.purged.as_ref());
    keeper.check_members(applied.as_ref(), &members, "applied_state()");
    if let Some(snapshot) = &snapshot {
        let members = &snapshot.meta.last_membership;
        keeper.check_members(stands_for, members, "get_current_snapshot()");
    }
    let state = machine.state().await?;
    keeper.holds(applied.as_ref(), &state, "the restart");

    let known = applied.max(stands_for.cloned());
    keeper.found_at(known.as_ref());
    if ends.last.is_none() && known.is_none() && !boot.configuration.is_empty() {
        let first = first_entry::<S::Leaders>(&boot.configuration);
        let number = keeper.appending(std::slice::from_ref(&first));
        match log.append(&[first]).await?.await {
            Some(flushed) => flushed?,
            None => broken("the callback of append(0 to 0) was dropped, and never called"),
        }
        keeper.flushed(number);
        ends = log.ends().await?;
        found = reader.entries(whole).await?;
        keeper.check_log(&ends, &found, |entry| reader.words(entry));
    }
    // What a purge should have taken long ago is in no book.
    let entries = keeper.entries();
    let first = entries
        .first()
        .map_or(u64::MAX, |entry| entry.log_id().index());
    let older = found.iter().take_while(|one| one.id.index() < first).last();
    let before = older.map(|one| one.id.clone()).or(ends.purged);
    let is_after = |entry: &EntryOf<S>| Some(entry.log_id()) > before;
    let entries = entries.into_iter().filter(is_after).collect();
    let found = Found {
        vote,
        before,
        entries,
        committed,
        known,
    };
    let parts = Parts {
        log,
        reader,
        machine,
    };
    Ok((parts, found))
}

fn first_entry<C: Mode>(configuration: &Configuration) -> C::Entry {
    let id = types::entry_id::<C>(1, 0).expect("it has an index");
    let members = membership::membership(configuration);
    C::Entry::new(id, types::Payload::membership(members))
}

/// Tells the harness what the node starts with, and writes to the node's records what these have
/// not: they hold what was claimed, and the storage may have kept more.
fn tell<C: Mode>(
    boot: &BootContext<'_>,
    mut disk: StableState,
    found: &Found<C>,
    shadow: &Shadow<C>,
    out: &mut Output<Message<C>>,
) -> Start {
    if let Some(reset) = disk.mend() {
        out.write(reset);
    }
    let hard = found
        .vote
        .as_ref()
        .map_or_else(HardState::default, |vote| HardState {
            term: types::term_of_vote::<C>(vote),
            vote: Some(types::node_of_vote::<C>(vote)),
        });
    let known = index::<C>(found.known.as_ref());
    let commit = known.max(index::<C>(found.committed.as_ref()));
    let configuration = match known {
        0 => boot.configuration,
        _ => membership::configuration(shadow.members.membership()),
    };
    let log = Kept::new(found);
    // What was claimed: a later vote that the storage has kept, too, is written below.
    out.observe(Observation::Started {
        term: disk.hard.term,
        vote: disk.hard.vote,
        last: disk.usable_last(),
        commit: commit.max(disk.snapshot_index()),
        applied: known,
        state: shadow.service.state(),
        configuration,
    });
    let mut records = Vec::new();
    if found.vote.is_some() && disk.hard != hard {
        records.push(Record::HardState(hard));
    }
    log.bring(&disk, shadow, &mut records);
    let next = match records.is_empty() {
        true => Next::TakeInput,
        false => Next::WaitForSync,
    };
    records.into_iter().for_each(|record| out.write(record));
    let mut state = log.state();
    state.hard = hard;
    state.commit = commit;
    Start {
        state,
        service: shadow.service.clone(),
        configuration,
        next,
    }
}

/// The log that a node goes on with.
struct Kept<'a, C: Mode> {
    /// The entry before it.
    before: Option<EntryId<C>>,
    entries: &'a [C::Entry],
}

impl<'a, C: Mode> Kept<'a, C> {
    /// The log that was found, unless the machine is ahead of it or of another: openraft gives it
    /// up then.
    fn new(found: &'a Found<C>) -> Self {
        let holds = |known: &EntryId<C>| {
            found.before.as_ref() >= Some(known)
                || found.entries.iter().any(|entry| entry.log_id() == *known)
        };
        match found.known.as_ref().is_none_or(holds) {
            true => Self {
                before: found.before.clone(),
                entries: &found.entries,
            },
            false => Self {
                before: found.known.clone(),
                entries: &[],
            },
        }
    }

    fn first(&self) -> Index {
        index::<C>(self.before.as_ref()) + 1
    }

    fn last(&self) -> Index {
        index::<C>(self.before.as_ref()) + self.entries.len() as u64
    }

    fn record(&self, index: Index) -> Record {
        let entry = &self.entries[(index - self.first()) as usize];
        let entry = written::<C>(entry);
        Record::Entry { index, entry }
    }

    /// What brings the records on `disk` to this log.
    fn bring(&self, disk: &StableState, shadow: &Shadow<C>, records: &mut Vec<Record>) {
        let (mut first, mut last) = (disk.log.first(), disk.log.last());
        let before = self.first() - 1;
        if before > disk.snapshot_index() {
            // The snapshot that stands for what is gone was never claimed, or lost with a step.
            let at = SnapshotMeta::<C> {
                last_log_id: shadow.at.clone(),
                last_membership: shadow.members.clone(),
            };
            let known = index::<C>(shadow.at.as_ref());
            records.push(Record::Snapshot(Box::new(record::<C>(
                &at,
                &shadow.service.encode(),
            ))));
            if !(first..=last).contains(&known) {
                records.push(Record::LogReset { next: known + 1 });
                (first, last) = (known + 1, known);
            }
        }
        if self.last() < disk.snapshot_index().max(first - 1) {
            return;
        }
        let start = first.max(self.first());
        let is_there = |index: &Index| match self.record(*index) {
            Record::Entry { entry, .. } => *index <= last && disk.log.get(*index) == Some(&entry),
            _ => false,
        };
        let same = (start..=self.last()).take_while(is_there).count() as u64;
        for index in start + same..=self.last() {
            records.push(self.record(index));
        }
        if start + same > self.last() && last > self.last() {
            records.push(match self.last() >= start {
                true => self.record(self.last()),
                false => Record::LogReset {
                    next: self.last() + 1,
                },
            });
        }
    }

    /// The same as a disk would have kept it.
    fn state(&self) -> StableState {
        let chain = Chain::default();
        let mut state = StableState::default();
        let next = self.first();
        state.apply(ChainedRecord {
            record: Record::LogReset { next },
            chain,
        });
        let before = self.before.as_ref();
        state.term_before_log = before.map_or(0, |id| C::term_of_entry(id.committed_leader_id()));
        for index in self.first()..=self.last() {
            let record = self.record(index);
            state.apply(ChainedRecord { record, chain });
        }
        state
    }
}
