//! What clients saw: every operation with its invocation and its end, beside what
//! the committed log says that it did.
//!
//! The committed log, applied once to a service of our own, is a total order
//! that claims to be a linearization. [`History`] holds each answer against it as
//! it comes: a command must be answered as the log answers it, a read as the
//! state was at the index that it was served at, and nothing may be older than
//! what had been answered before it was asked. What this does not settle is left
//! to a search over the operations on the same object.
//!
//! Knows no engine, no plan and no Raft library.

mod machine;

use std::collections::VecDeque;

pub use machine::AskedInWords;
pub(crate) use machine::{MachineHistory, WrongByMachine};
use serde::{Deserialize, Serialize};

use crate::ids::{ClientName, Index};
use crate::log_vec::Indexed;
use crate::service::{self, Answer, Command, Holders, Part, Service, ServiceModel};
use squall_linearizability::{Budget, Ending, Operation, Verdict, judge};

/// Names an operation of a history; later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId(u64);

/// How an operation ended, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is under way.
    Open,
    /// It was answered, at this time.
    Answered { answer: Answer, at: u64 },
    /// The client gave up: it may still take effect.
    Unknown,
    /// It is known never to take effect.
    Failed,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    command: Command,
    invoked: u64,
    end: End,
    /// The highest index that any client had been told of when it was asked.
    floor: Index,
    /// The same, some time before it was asked: see [`History::with_lag`].
    old_floor: Index,
    /// How far the log was committed when it was asked.
    committed: Index,
    /// Where it took effect, once that is known.
    position: Option<Index>,
}

/// What the log says at an index.
#[derive(Clone, Debug)]
struct Row {
    /// The command there, if it took effect there.
    performed: Option<(u32, u64, Answer)>,
    /// What was changed: the key, its value before, and its value before if every copy of a
    /// command counted.
    undo: Option<(u8, Answer, Answer)>,
    /// A hash of the state after it.
    state: u64,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No order of the operations explains it.
    NotLinearizable {
        /// The object that they are on.
        part: Part,
        /// Those that have no place in any order.
        stuck: Vec<Asked>,
    },
    /// A read shows the state as it was before what a client had been told of when it was asked.
    /// Its value may be right by chance: nothing of what it lacks was on its key.
    Stale {
        /// The last entry that it shows.
        index: Index,
        /// What a client had been told of.
        floor: Index,
    },
    /// It is what the log gives when each copy of a retried command counts.
    Repeated {
        /// The answer.
        answer: Answer,
        /// What it should have been.
        right: Answer,
    },
}

/// What a client asked for, and what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Which client.
    pub client: u32,
    /// Which of its operations.
    pub sequence: u64,
    /// For what.
    pub operation: service::Operation,
    /// What it was told; none if nothing.
    pub answer: Option<Answer>,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Asked {
            client,
            sequence,
            operation,
            answer,
        } = self;
        let client = ClientName(*client);
        write!(f, "{client}'s operation {sequence}, {operation}")?;
        match answer {
            Some(answer) => write!(f, ": {answer}"),
            None => f.write_str(", never answered"),
        }
    }
}

/// How an answer was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The order of the log explains it.
    ByLog,
    /// Another order explains it.
    BySearch,
    /// The search ran out of its budget.
    NotYet,
}

/// The history of one run.
#[derive(Debug)]
pub struct History {
    /// The service after the whole committed log.
    service: Service,
    /// The same, if every copy of a command counted.
    repeating: Service,
    rows: Indexed<Row>,
    /// The state that the retained history begins with.
    base: ServiceModel,
    entries: Vec<Entry>,
    /// The id of `entries[0]`.
    first: u64,
    /// Operations that are open, or whose effect may still come.
    unresolved: Vec<OperationId>,
    /// Objects on which the order of the log did not settle everything.
    unsettled: Vec<Part>,
    /// The highest index that any client has been told of.
    told: Index,
    /// How far back `told` is remembered, in microseconds.
    lag_us: u64,
    /// What it was when something was asked, as far back, times and indices rising. What is told
    /// counts from when the next thing is asked.
    told_at: VecDeque<(u64, Index)>,
    /// Counts events, so that no two have the same time.
    time: u64,
    budget: Budget,
    /// Who holds the locks from which entry on, indices rising, where that is remembered.
    holders: Option<VecDeque<(Index, Holders)>>,
}

impl History {
    /// An empty history whose log begins after `first`, on a fresh `service`.
    pub fn new(first: Index, budget: Budget) -> Self {
        Self {
            service: Service::default(),
            repeating: Service::repeating(),
            rows: Indexed::starting_at(first + 1),
            base: ServiceModel::default(),
            entries: Vec::new(),
            first: 0,
            unresolved: Vec::new(),
            unsettled: Vec::new(),
            told: 0,
            lag_us: 0,
            told_at: VecDeque::new(),
            time: 0,
            budget,
            holders: None,
        }
    }

    /// Remembers who held the locks after each entry, for [`History::holders_at`].
    pub(crate) fn with_holders(mut self) -> Self {
        self.holders = Some(VecDeque::from([(0, self.service.holders())]));
        self
    }

    /// Who holds the locks after the committed entry at `index`, where that is remembered.
    pub(crate) fn holders_at(&self, index: Index) -> Option<Holders> {
        let holders = self.holders.as_ref()?;
        let after = holders.partition_point(|(since, _)| *since <= index);
        holders.get(after.checked_sub(1)?).map(|(_, held)| *held)
    }

    /// Remembers what clients had been told of `lag_us` microseconds before each operation was
    /// asked, for [`History::lags`].
    pub fn with_lag(mut self, lag_us: u64) -> Self {
        self.lag_us = lag_us;
        self
    }

    /// What a client had been told of by the end of the lag before `id` was asked, when that is
    /// more than `index`.
    pub fn lags(&mut self, id: OperationId, index: Index) -> Option<Index> {
        let entry = self.entry(id)?;
        (index < entry.old_floor).then_some(entry.old_floor)
    }

    /// How far the log was committed when the operation was asked, while that is remembered.
    pub fn committed_before(&mut self, id: OperationId) -> Option<Index> {
        self.entry(id).map(|entry| entry.committed)
    }

    /// What clients had been told of when the lag before `now_us` began.
    fn old_floor(&mut self, now_us: u64) -> Index {
        if self.lag_us == 0 {
            return self.told;
        }
        if self
            .told_at
            .back()
            .is_none_or(|(_, told)| *told < self.told)
        {
            self.told_at.push_back((now_us, self.told));
        }
        let is_old = |(at_us, _): &(u64, Index)| at_us + self.lag_us <= now_us;
        while self.told_at.get(1).is_some_and(is_old) {
            self.told_at.pop_front();
        }
        let oldest = self.told_at.front().filter(|oldest| is_old(oldest));
        oldest.map_or(0, |(_, told)| *told)
    }

    /// The history so far, from the last moment at which nothing was under way:
    /// how many operations it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    fn entry(&mut self, id: OperationId) -> Option<&mut Entry> {
        let place = id.0.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(place).ok()?)
    }

    /// A client asks for `command`, for the first time.
    pub fn invoked(&mut self, command: Command) -> OperationId {
        self.cut();
        let invoked = self.tick();
        let old_floor = self.old_floor(command.time_us);
        let id = OperationId(self.first + self.entries.len() as u64);
        self.entries.push(Entry {
            command,
            invoked,
            end: End::Open,
            floor: self.told,
            old_floor,
            committed: self.rows.next() - 1,
            position: None,
        });
        self.unresolved.push(id);
        id
    }

    /// Where nothing is under way and all is settled, what lies before needs no second look.
    fn cut(&mut self) {
        if self.unresolved.is_empty() && self.unsettled.is_empty() && !self.entries.is_empty() {
            self.first += self.entries.len() as u64;
            self.entries.clear();
            self.base = ServiceModel::from(&self.service);
        }
    }

    /// The entry at `index`, the next one, is committed.
    pub fn committed(&mut self, index: Index, data: &[u8]) {
        debug_assert_eq!(index, self.rows.next(), "the log is committed in order");
        let command = Command::decode(data);
        let key = command.and_then(|command| command.operation.key());
        let key = key.filter(|_| command.is_some_and(|command| !command.operation.only_reads()));
        let undo = key.map(|key| (key, self.service.get(key), self.repeating.get(key)));
        let applied = self.service.apply(data);
        self.repeating.apply(data);
        let performed = applied
            .filter(|applied| !applied.again)
            .map(|applied| (applied.client, applied.sequence, applied.answer));
        let state = self.service.state();
        if let Some(holders) = &mut self.holders {
            let now = self.service.holders();
            if holders.back().is_none_or(|(_, before)| *before != now) {
                holders.push_back((index, now));
            }
        }
        self.rows.push(Row {
            performed,
            undo,
            state,
        });
        let Some((client, sequence, _)) = performed else {
            return;
        };
        let (first, entries) = (self.first, &mut self.entries);
        self.unresolved.retain(|id| {
            let entry = &mut entries[(id.0 - first) as usize];
            let Command {
                client: whose,
                sequence: which,
                ..
            } = entry.command;
            if (whose, which) == (client, sequence) {
                entry.position = Some(index);
            }
            // A command that its client gave up can take effect no more once a later one has.
            whose != client || which > sequence || entry.end == End::Open
        });
    }

    fn forget_holders_before(&mut self, index: Index) {
        let Some(holders) = &mut self.holders else {
            return;
        };
        while holders.get(1).is_some_and(|(since, _)| *since <= index) {
            holders.pop_front();
        }
    }

    /// How often the lease had been renewed of the lock that the entry at `index` takes from its
    /// holder; none where it takes none, or where no leader keeps leases.
    #[inline]
    pub(crate) fn revoked_at(&self, index: Index) -> Option<u32> {
        self.holders.as_ref()?;
        match self.rows.get(index)?.performed {
            Some((_, _, Answer::Revoked { renewals })) => Some(renewals),
            _ => None,
        }
    }

    /// A hash of the state that the log gives after the entry at `index`, where that is remembered.
    pub fn state_at(&self, index: Index) -> Option<u64> {
        self.rows.get(index).map(|row| row.state)
    }

    /// The client gives up: whether the operation took effect, or will, it does not know.
    pub fn abandoned(&mut self, id: OperationId) {
        let Some(entry) = self.entry(id) else { return };
        entry.end = End::Unknown;
        let harmless = entry.command.operation.only_reads() || entry.position.is_some();
        if harmless {
            self.unresolved.retain(|other| *other != id);
        }
    }

    /// Every attempt at the operation was refused: it never takes effect.
    pub fn failed(&mut self, id: OperationId) {
        let Some(entry) = self.entry(id) else { return };
        entry.end = End::Failed;
        self.unresolved.retain(|other| *other != id);
    }

    /// The client is answered: the command became the entry at `index`, or one before it.
    ///
    /// # Errors
    /// What is [`Wrong`] with the answer.
    pub fn answered(
        &mut self,
        id: OperationId,
        index: Index,
        answer: Answer,
    ) -> Result<Settled, Wrong> {
        let at = self.tick();
        self.unresolved.retain(|other| *other != id);
        let Some(entry) = self.entry(id) else {
            return Ok(Settled::ByLog);
        };
        entry.end = End::Answered { answer, at };
        let Entry {
            command,
            floor,
            position,
            ..
        } = *entry;
        let reads = position.is_none() && command.operation.only_reads();
        let (right, repeated, place) = match (reads, position) {
            (true, _) => {
                let (right, repeated) = self.value_at(&command, index);
                (right, repeated, Some(index))
            }
            (false, Some(place)) => {
                let row = self.rows.get(place);
                let right = row.and_then(|row| row.performed).map(|(.., answer)| answer);
                let repeated = self.repeating.answer_to(command.client);
                (right, repeated, Some(place))
            }
            (false, None) => (None, None, None),
        };
        if let Some(entry) = self.entry(id) {
            entry.position = place;
        }
        self.told = self.told.max(index);
        if right == Some(answer) && place.is_some_and(|place| place >= floor) {
            return Ok(Settled::ByLog);
        }
        let part = Part::of(&command);
        if !self.unsettled.contains(&part) {
            self.unsettled.push(part);
        }
        match self.search(part) {
            Err(wrong) => match right {
                Some(right) if repeated == Some(answer) && right != answer => {
                    Err(Wrong::Repeated { answer, right })
                }
                _ => Err(wrong),
            },
            _ if reads && index < floor => Err(Wrong::Stale { index, floor }),
            settled => settled,
        }
    }

    /// Where the operation took effect, once that is known. A retried command may be answered from
    /// a later entry.
    pub fn position(&mut self, id: OperationId) -> Option<Index> {
        self.entry(id)?.position
    }

    /// An answer is known to be no promise: what it said does not count.
    pub fn disregard(&mut self, id: OperationId) {
        if let Some(entry) = self.entry(id) {
            entry.end = End::Failed;
            entry.position = None;
        }
    }

    /// What a read of the state after `index` should say, and what it would if every copy of a
    /// command counted.
    fn value_at(&self, command: &Command, index: Index) -> (Option<Answer>, Option<Answer>) {
        let Some(key) = command.operation.key() else {
            return (None, None);
        };
        if index + 1 < self.rows.first() || index >= self.rows.next() {
            return (None, None);
        }
        // The first change after `index` knows what was there before it.
        let same = |undo: &&(u8, Answer, Answer)| Service::same_key(undo.0, key);
        let undo = (index + 1..self.rows.next())
            .filter_map(|later| self.rows.get(later)?.undo.as_ref())
            .find(same);
        match undo {
            Some((_, value, repeated)) => (Some(*value), Some(*repeated)),
            None => (Some(self.service.get(key)), Some(self.repeating.get(key))),
        }
    }

    /// Searches once more in what the order of the log did not settle.
    ///
    /// # Errors
    /// What is [`Wrong`].
    pub fn finish(&mut self) -> Result<Settled, Wrong> {
        let mut all = Settled::ByLog;
        for part in self.unsettled.clone() {
            all = match (all, self.search(part)?) {
                (Settled::NotYet, _) | (_, Settled::NotYet) => Settled::NotYet,
                (_, settled) => settled,
            };
        }
        Ok(all)
    }

    fn search(&self, part: Part) -> Result<Settled, Wrong> {
        let mine = |entry: &&Entry| Part::of(&entry.command) == part;
        let (mut operations, mut positions) = (Vec::new(), Vec::new());
        for entry in self.entries.iter().filter(mine) {
            operations.push(Operation {
                client: entry.command.client,
                input: entry.command,
                invoked: entry.invoked,
                ending: match entry.end {
                    End::Answered { answer, at } => Ending::Ok { output: answer, at },
                    End::Open | End::Unknown => Ending::Unknown,
                    End::Failed => Ending::Failed,
                },
            });
            // A read comes after the write at its index.
            let reads = entry.command.operation.only_reads();
            positions.push(entry.position.map(|index| (index, reads)));
        }
        let judgement = judge(&self.base, &operations, &positions, self.budget);
        match judgement.verdict {
            Verdict::Linearizable { .. } if judgement.searched == 0 => Ok(Settled::ByLog),
            Verdict::Linearizable { .. } => Ok(Settled::BySearch),
            Verdict::Unknown { .. } => Ok(Settled::NotYet),
            Verdict::NotLinearizable(counterexample) => Err(Wrong::NotLinearizable {
                part,
                stuck: asked(&operations, &counterexample.stuck),
            }),
        }
    }

    /// Forgets what the log said before `index`: nobody is that far behind.
    pub fn forget_before(&mut self, index: Index) {
        self.rows.drop_through(index.saturating_sub(1));
        self.forget_holders_before(index);
    }
}

/// Operations of a history as they are told, by their places.
fn asked(operations: &[Operation<Command, Answer>], places: &[usize]) -> Vec<Asked> {
    let asked = |place: &usize| {
        let operation = &operations[*place];
        Asked {
            client: operation.input.client,
            sequence: operation.input.sequence,
            operation: operation.input.operation,
            answer: operation.output().copied(),
        }
    };
    places.iter().map(asked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(client: u32, time_us: u64) -> Command {
        Command {
            client,
            sequence: 1,
            time_us,
            operation: crate::service::Operation::Get { key: 0 },
        }
    }

    fn history() -> History {
        let mut history = History::new(0, Budget { steps: 1_000 }).with_lag(100);
        for index in 1..=3 {
            history.committed(index, &[]);
        }
        history
    }

    #[test]
    fn a_read_of_a_state_before_what_was_told_is_stale_whatever_it_says() {
        let mut history = history();
        let told = history.invoked(get(1, 0));
        let nothing = history.answered(told, 2, Answer::Value { value: None });
        assert_eq!(nothing, Ok(Settled::ByLog));
        let read = history.invoked(get(2, 1));
        let stale = history.answered(read, 1, Answer::Value { value: None });
        assert_eq!(stale, Err(Wrong::Stale { index: 1, floor: 2 }));
    }

    #[test]
    fn what_was_told_before_the_lag_counts_where_a_lag_is_allowed() {
        let mut history = history();
        let told = history.invoked(get(1, 0));
        history
            .answered(told, 2, Answer::Value { value: None })
            .unwrap();
        let soon = history.invoked(get(2, 50));
        assert_eq!(history.lags(soon, 1), None, "told within the lag");
        let later = history.invoked(get(3, 150));
        assert_eq!(history.lags(later, 1), Some(2), "noticed at 50");
        assert_eq!(history.lags(later, 2), None);
    }
}
