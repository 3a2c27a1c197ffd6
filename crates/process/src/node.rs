//! One node, as the engine sees it: its Raft is in a process, all else is here. What the node wants
//! done comes as actions, in order, and is held back where something in it waits for the disk.
//!
//! As drivers do that call a library, it takes one input at a time, and takes none while it waits.
//! Ticks that the process has said to be idle are counted and not sent.

mod requests;
mod snapshots;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

use super::answer::Action;
use super::machine::Machine;
use requests::Requests;
use snapshots::OwnSnapshot;

use super::link::Link;
use super::request::{Disk, Told, skips_missed_ticks};
use squall_core::adapter::reports::Reports;
use squall_core::configuration::{Configuration, Transition};
use squall_core::ids::{Index, NodeId};
use squall_core::log_vec::Indexed;
use squall_core::operator::Admin;
use squall_core::options::Feature;
use squall_core::replica::{
    BootContext, Input, Label, LogSink, Next, Observation, Output, Replica, Reply, ReplyOutcome,
    Start, SyncId, SyncResult,
};
use squall_core::storage::{Entry, EntryKind, HardState, Record, Snapshot};

/// The number by which a process knows the sync of what was mended when the node started.
const BOOT_SYNC: u64 = 0;

/// Bytes that an entry takes in the log beside its data, as its growth is counted.
const ENTRY_OVERHEAD: u64 = 24;

/// A message between two nodes: bytes of the library's, and what goes along with them.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// What it is, and what its sender promises by it.
    pub(crate) label: Label,
    /// The library's own message.
    pub(crate) data: Bytes,
    /// The snapshot that it carries.
    pub(crate) snapshot: Option<Box<Snapshot>>,
}

/// One node of a program.
pub struct ProcessNode {
    id: NodeId,
    link: Rc<RefCell<Link>>,
    machine: Machine,
    reports: Reports,
    /// The log as it is written.
    log: Indexed<Entry>,
    /// The term of the entry before its first.
    term_before: u64,
    /// The configuration that was in force when `applied` was, and those that have come into force
    /// since by entries that are not applied: each with its entry's index, oldest first.
    configurations: Vec<(Index, Configuration)>,
    applied: Index,
    /// Log growth since the last snapshot.
    grown_bytes: u64,
    snapshot_every_bytes: u64,
    keep_entries: u64,
    skips_missed_ticks: bool,
    /// The newest snapshot that is durable.
    snapshot: Option<Box<Snapshot>>,
    own_snapshot: Option<OwnSnapshot>,
    /// A peer wants one, and there is one under way.
    is_wanted: bool,
    /// One that was wanted has been taken, and the process has not been told of anything since.
    has_just_made: bool,
    /// Snapshots that came with messages, of which none is newer than the last.
    arrived: Vec<Snapshot>,
    /// What has arrived and is not told yet.
    inbox: VecDeque<Told>,
    /// What the node waits for.
    waits: Option<SyncId>,
    /// What is to be done then, and whether the process is to be told.
    held: VecDeque<Action>,
    syncs: u64,
    /// Syncs that the process has asked for.
    asked_syncs: u64,
    /// Syncs that it is to be told of, and its numbers for them.
    told_of: VecDeque<(SyncId, u64)>,
    requests: Requests,
    /// Ticks that do nothing, if nothing else comes.
    idle: u64,
    /// Ticks that were not told.
    skipped: u64,
    log_lines: Option<LogSink>,
    told: Vec<Told>,
    actions: Vec<Action>,
}

impl ProcessNode {
    /// Starts a node from what its disk kept.
    pub(crate) fn boot(
        link: Rc<RefCell<Link>>,
        boot: &BootContext<'_>,
        start: Start,
        out: &mut Output<Parcel>,
    ) -> Self {
        let mut log = Indexed::starting_at(start.state.log.first());
        let entries = start.state.log.iter();
        entries.for_each(|(_, entry)| log.push(entry.clone()));
        let has_snapshots = link.borrow().has(Feature::Snapshots);
        let mut actions = Vec::new();
        let disk = Disk {
            incarnation: boot.incarnation,
            seed: boot.seed,
            state: &start.state,
            configuration: &start.configuration,
        };
        link.borrow_mut().boot(boot.id, &disk, &mut actions);
        let machine = Machine::start(&link, boot.id, &start);
        let mut node = Self {
            id: boot.id,
            link,
            reports: Reports::new(&start),
            log,
            term_before: start.state.term_before_log,
            configurations: vec![(start.state.snapshot_index(), start.configuration)],
            applied: start.state.snapshot_index(),
            grown_bytes: 0,
            snapshot_every_bytes: match has_snapshots {
                true => boot.driver.snapshot_every_bytes,
                false => u64::MAX,
            },
            keep_entries: boot.driver.keep_entries,
            skips_missed_ticks: skips_missed_ticks(boot.driver),
            snapshot: start.state.snapshot.clone().map(Box::new),
            own_snapshot: None,
            is_wanted: false,
            has_just_made: false,
            arrived: Vec::new(),
            inbox: VecDeque::new(),
            waits: None,
            held: VecDeque::new(),
            syncs: 0,
            asked_syncs: 0,
            told_of: VecDeque::new(),
            requests: Requests::default(),
            idle: 0,
            skipped: 0,
            log_lines: boot.log.clone(),
            told: Vec::new(),
            actions: Vec::new(),
            machine,
        };
        if start.next == Next::WaitForSync {
            let sync = node.sync(out);
            node.waits = Some(sync);
            if node.link.borrow().says_waiting() {
                node.told_of.push_back((sync, BOOT_SYNC));
            }
        }
        node.carry_out(&mut actions, out);
        node
    }

    fn sync(&mut self, out: &mut Output<Parcel>) -> SyncId {
        self.syncs += 1;
        let sync = SyncId(self.syncs);
        out.sync(sync);
        sync
    }

    /// An input in the words of the protocol, where the process is to hear of it.
    fn take_in(&mut self, input: Input<Parcel>) -> Option<Told> {
        Some(match input {
            Input::Tick => {
                let is_missed = self.waits.is_some()
                    && self.skips_missed_ticks
                    && self.inbox.iter().any(|told| matches!(told, Told::Tick));
                if is_missed {
                    return None;
                }
                if self.idle > 0 && self.waits.is_none() && self.inbox.is_empty() {
                    self.idle -= 1;
                    self.skipped += 1;
                    return None;
                }
                Told::Tick
            }
            Input::Deliver { from, message } => Told::Deliver {
                from,
                data: message.data,
                snapshot: message.snapshot,
            },
            Input::Request(request) => Told::Propose { number: 0, request },
            Input::Read(request) => Told::Read { number: 0, request },
            // Only a plan that was made for another subject has these.
            Input::Admin(admin) if !self.link.borrow().has(asks_for(&admin)) => return None,
            Input::Admin(admin) => Told::Admin(admin),
            Input::Unreachable { peer } => Told::Unreachable(peer),
            Input::SnapshotSent { peer, delivered } => Told::SnapshotSent { peer, delivered },
            Input::Connection { .. } if !self.link.borrow().uses_streams() => return None,
            Input::Connection { peer, stands } => Told::Connection { peer, stands },
            Input::Synced { .. } => unreachable!("a sync's end is handled apart"),
        })
    }

    /// Does all that can be done now.
    fn run(&mut self, now_us: u64, out: &mut Output<Parcel>) {
        while self.waits.is_none() {
            match &self.own_snapshot {
                Some(own) if own.is_durable => {
                    self.compact(now_us, out);
                    if self.waits.is_some() {
                        return;
                    }
                }
                None if std::mem::take(&mut self.is_wanted) => {
                    self.make_wanted(out);
                    self.has_just_made = true;
                }
                _ => {}
            }
            let batch = self.link.borrow().batch();
            let count = self.inbox.len().min(batch);
            if count == 0 {
                return;
            }
            let mut told = std::mem::take(&mut self.told);
            told.extend(self.inbox.drain(..count));
            self.tell(now_us, &mut told, out);
            told.clear();
            self.told = told;
            if self.inbox.is_empty() {
                return;
            }
        }
    }

    /// Tells the process of inputs, and carries out what it answers.
    fn tell(&mut self, now_us: u64, told: &mut [Told], out: &mut Output<Parcel>) {
        let idle_ticks = std::mem::take(&mut self.skipped);
        self.idle = 0;
        for one in &mut *told {
            match one {
                Told::Deliver {
                    snapshot: Some(snapshot),
                    ..
                } => self.arrived.push((**snapshot).clone()),
                Told::Propose { number, request } => {
                    *number = self.requests.take_command(request);
                    self.machine.clients.take(request.client, request.sequence);
                }
                Told::Read { number, request } => *number = self.requests.take_read(request),
                _ => {}
            }
        }
        let mut actions = std::mem::take(&mut self.actions);
        actions.clear();
        // A compaction that is due comes as an input of its own.
        let is_due = self.own_snapshot.as_ref().is_some_and(|own| own.is_durable);
        let waiting = self.inbox.len() + usize::from(is_due);
        self.link
            .borrow_mut()
            .step(self.id, now_us, idle_ticks, waiting, told, &mut actions);
        // Wanted again while one was under way, it has just been taken.
        if std::mem::take(&mut self.has_just_made)
            && matches!(actions.first(), Some(Action::WantSnapshot))
        {
            actions.remove(0);
        }
        let acts = !actions.is_empty();
        let leaderless = |action: &Action| match action {
            Action::Refuse {
                request,
                leader: None,
            } => Some(*request),
            _ => None,
        };
        let refused: Vec<u64> = actions.iter().filter_map(leaderless).collect();
        for one in &*told {
            if let Told::Read { number, .. } = one
                && !refused.contains(number)
            {
                self.requests.replaces_older(*number);
            }
        }
        self.carry_out(&mut actions, out);
        self.actions = actions;
        // One that was wanted while another was under way follows as soon as the node has done
        // something since.
        if acts && self.waits.is_none() && self.own_snapshot.is_none() && self.is_wanted {
            self.is_wanted = false;
            self.make_wanted(out);
        }
        // A snapshot that is not saved by now is not wanted.
        if self.waits.is_none() && self.held.is_empty() {
            self.arrived.clear();
        }
    }

    fn carry_out(&mut self, actions: &mut Vec<Action>, out: &mut Output<Parcel>) {
        for action in actions.drain(..) {
            // It has failed, whatever it waits for.
            if let Action::Failed { text, place } = action {
                self.link.borrow_mut().failed(text, place);
            }
            let highest = action.highest_node();
            if highest > self.link.borrow().nodes() {
                self.nonsense(&format!("names n{highest}, which this run has not"));
            }
            match self.waits {
                Some(_) => self.held.push_back(action),
                None => self.act(action, out),
            }
        }
    }

    /// A sync is over, and so are those before it.
    fn synced_to(&mut self, now_us: u64, sync: SyncId, out: &mut Output<Parcel>) {
        if let Some(own) = &mut self.own_snapshot
            && own.sync <= sync
        {
            own.is_durable = true;
        }
        if self.waits.is_some_and(|awaited| awaited <= sync) {
            self.waits = None;
            while self.waits.is_none()
                && let Some(action) = self.held.pop_front()
            {
                self.act(action, out);
            }
        }
        let mut told = Vec::new();
        while self.waits.is_none()
            && let Some((awaited, number)) = self.told_of.front().copied()
            && awaited <= sync
        {
            self.told_of.pop_front();
            told.push(Told::Synced { number, ok: true });
            self.tell(now_us, &mut told, out);
            told.clear();
        }
    }

    /// Does what the node wants.
    fn act(&mut self, action: Action, out: &mut Output<Parcel>) {
        match action {
            Action::HardState { term, vote } => {
                out.write(Record::HardState(HardState { term, vote }));
            }
            Action::Entry {
                index,
                term,
                kind,
                data,
            } => self.write_entry(index, Entry { term, kind, data }, out),
            Action::Commit(index) => out.write(Record::Commit { index }),
            Action::ResetLog { next } => self.reset_log(next, out),
            Action::Compact { through } => {
                self.drop_through(through);
                out.write(Record::LogCompact { through });
            }
            Action::Sync { wait, tell } => {
                let sync = self.sync(out);
                self.asked_syncs += 1;
                if tell {
                    self.told_of.push_back((sync, self.asked_syncs));
                }
                if wait {
                    self.waits = Some(sync);
                }
            }
            Action::Send {
                label,
                data,
                with_snapshot,
            } => self.send(label, data, with_snapshot, out),
            Action::Role { role, term } => self.reports.role(role, term, out),
            Action::Committed(index) => self.reports.commit(index, out),
            Action::Apply { through, more } => self.apply(through, more, out),
            Action::Configured {
                index,
                configuration,
            } => {
                self.goes_by(index, configuration);
                out.observe(Observation::Configured {
                    index,
                    configuration,
                });
            }
            Action::Refuse { request, leader } => self.refuse(request, leader, out),
            Action::ReadConfirmed { request, index } => self.confirm(request, index, out),
            Action::Transfer(to) => out.observe(Observation::Transfer { to }),
            Action::Did(event) => out.observe(Observation::Did(event)),
            Action::Broke(promise) => out.observe(Observation::Broke(promise)),
            Action::SaveSnapshot(index) => self.save_snapshot(index, out),
            Action::InstallSnapshot(index) => self.install_snapshot(index, out),
            // The one under way may do.
            Action::WantSnapshot if self.own_snapshot.is_some() => self.is_wanted = true,
            Action::WantSnapshot => self.make_wanted(out),
            Action::Halt(reason) => out.halt(self.link.borrow_mut().keep(&reason)),
            Action::Note(line) => {
                if let Some(lines) = &self.log_lines {
                    lines.add(line);
                }
            }
            Action::Idle(ticks) => self.idle = self.link.borrow().idle(ticks),
            Action::Failed { text, place } => self.link.borrow_mut().failed(text, place),
        }
    }

    fn nonsense(&self, what: &str) -> ! {
        let id = self.id;
        self.link.borrow_mut().nonsense(&format!("{id} {what}"))
    }

    fn write_entry(&mut self, index: Index, entry: Entry, out: &mut Output<Parcel>) {
        let (first, next) = (self.log.first(), self.log.next());
        if !(first..=next).contains(&index) {
            self.nonsense(&format!(
                "writes an entry at {index} of a log that begins at {first} and goes on at {next}"
            ));
        }
        self.log.place(index, entry.clone());
        out.write(Record::Entry { index, entry });
    }

    fn reset_log(&mut self, next: Index, out: &mut Output<Parcel>) {
        if next == 0 {
            self.nonsense("empties its log to go on at 0; indices begin at 1");
        }
        let place = self.arrived.iter().position(|one| one.index + 1 == next);
        if let Some(place) = place {
            let snapshot = self.arrived.swap_remove(place);
            self.term_before = snapshot.term;
            self.snapshot = Some(Box::new(snapshot));
        }
        self.own_snapshot = None;
        self.grown_bytes = 0;
        self.log.restart_at(next);
        out.write(Record::LogReset { next });
    }

    fn send(&mut self, label: Label, data: Bytes, with_snapshot: bool, out: &mut Output<Parcel>) {
        if label.to == self.id {
            self.nonsense("sends a message to itself");
        }
        let snapshot = match (with_snapshot, &self.snapshot) {
            (false, _) => None,
            (true, Some(snapshot)) => Some(snapshot.clone()),
            (true, None) => self.nonsense("sends a snapshot, and none of its own is durable"),
        };
        out.send(Parcel {
            label,
            data,
            snapshot,
        });
    }

    /// Applies entries as they were written.
    fn apply(&mut self, through: Index, more: bool, out: &mut Output<Parcel>) {
        while self.applied < through {
            let index = self.applied + 1;
            let Some(entry) = self.log.get(index) else {
                let (first, next) = (self.log.first(), self.log.next());
                self.nonsense(&format!(
                    "applies the entry at {index} of a log that begins at {first} and goes on at {next}"
                ));
            };
            self.applied = index;
            self.grown_bytes += entry.data.len() as u64 + ENTRY_OVERHEAD;
            // What a change says is not for the service, which might take it for a command.
            let data: &[u8] = match entry.kind {
                EntryKind::Normal => &entry.data,
                EntryKind::Configuration(_) => &[],
            };
            self.machine.apply(&self.link, self.id, index, data, out);
        }
        if !more {
            self.serve_reads(out);
            if self.grown_bytes >= self.snapshot_every_bytes {
                self.begin_snapshot(out);
            }
        }
    }

    fn refuse(&mut self, number: u64, leader: Option<NodeId>, out: &mut Output<Parcel>) {
        let commands = &mut self.requests.commands;
        if let Some(place) = commands.iter().position(|(other, _)| *other == number) {
            let (_, request) = commands.swap_remove(place);
            self.machine.clients.refuse(&request, leader, out);
            return;
        }
        let reads = &mut self.requests.reads;
        if let Some(place) = reads.iter().position(|read| read.number == number) {
            let read = reads.remove(place);
            out.reply(Reply {
                client: read.request.client,
                sequence: read.request.sequence,
                outcome: ReplyOutcome::Refused { leader },
            });
            return;
        }
        // Its client has asked for something else since, and waits for that.
        if number == 0 || number > self.requests.numbers {
            self.nonsense(&format!(
                "refuses the request {number}, which nobody has made"
            ));
        }
    }

    fn confirm(&mut self, number: u64, index: Index, out: &mut Output<Parcel>) {
        if number == 0 || number > self.requests.numbers {
            self.nonsense(&format!(
                "confirms the read {number}, which nobody has asked"
            ));
        }
        let mut reads = self.requests.reads.iter_mut();
        let Some(read) = reads.find(|read| read.number == number && read.index.is_none()) else {
            return;
        };
        read.index = Some(index);
        out.observe(Observation::ReadConfirmed { index });
        self.serve_reads(out);
    }

    /// Serves the reads whose index is applied.
    fn serve_reads(&mut self, out: &mut Output<Parcel>) {
        let (applied, machine) = (self.applied, &self.machine);
        let (link, id) = (&self.link, self.id);
        self.requests.reads.retain(|read| {
            let is_ready = read.index.is_some_and(|index| index <= applied);
            if is_ready && let Some(answer) = machine.query(link, id, &read.request.command) {
                out.reply(Reply {
                    client: read.request.client,
                    sequence: read.request.sequence,
                    outcome: ReplyOutcome::Read {
                        index: applied,
                        answer,
                    },
                });
            }
            !is_ready
        });
    }
}

/// The feature that such a request is for.
fn asks_for(admin: &Admin) -> Feature {
    match admin {
        Admin::Change(change) => match change.transition {
            Transition::Simple => Feature::SimpleChange,
            Transition::Joint => Feature::JointChange,
            Transition::JointExplicit | Transition::Leave => Feature::ExplicitLeave,
        },
        Admin::TransferLeader { .. } => Feature::Transfer,
        Admin::RequestSnapshot => Feature::RequestSnapshot,
        Admin::Campaign => Feature::Campaign,
        Admin::Set(_) | Admin::Ping => Feature::Settings,
    }
}

impl Drop for ProcessNode {
    fn drop(&mut self) {
        // Whoever holds it panics with it, and all ends.
        if let Ok(mut link) = self.link.try_borrow_mut() {
            link.is_gone(self.id);
        }
    }
}

impl Replica for ProcessNode {
    type Message = Parcel;

    fn step(&mut self, now_us: u64, input: Input<Parcel>, out: &mut Output<Parcel>) {
        match input {
            Input::Synced {
                result: SyncResult::Failed,
                ..
            } => {
                out.halt("a sync failed");
                return;
            }
            Input::Synced { sync, .. } => self.synced_to(now_us, sync, out),
            input => match self.take_in(input) {
                Some(told) => self.inbox.push_back(told),
                None => return,
            },
        }
        self.run(now_us, out);
    }

    fn label(message: &Parcel) -> Label {
        message.label
    }

    fn describe(message: &Parcel) -> String {
        Link::describe(&message.data).unwrap_or_else(|| {
            let label = message.label;
            format!("{} of term {}", label.kind.words(), label.term)
        })
    }
}
