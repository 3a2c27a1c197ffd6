//! What clients saw of a machine of a user's own: each answer is held against what the committed
//! log gives on a machine that the history applies it to, and where there is a model, all answers
//! are held against that.
//!
//! The log's answer is the rule without a model as well: who answers otherwise has lost or repeated
//! something, or its machine does not do the same everywhere. The model says whether those answers
//! are the right ones; the log's order is tried first, and any other that the times allow after it.

use serde::Serialize;

use super::{OperationId, Settled};
use crate::ids::{ClientName, Index};
use crate::service::{Answer, Command, Flaw, Follower, Judged, Kit, OnMachine, Service};
use squall_linearizability::{Budget, Ending};

/// What a client asked a machine for, and what it was told, in the machine's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AskedInWords {
    /// Which client.
    pub client: u32,
    /// Which of its operations.
    pub sequence: u64,
    /// For what.
    pub command: String,
    /// What it was told; none if nothing.
    pub answer: Option<String>,
}

impl std::fmt::Display for AskedInWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            client,
            sequence,
            command,
            answer,
        } = self;
        let client = ClientName(*client);
        write!(f, "{client}'s operation {sequence}, {command}")?;
        match answer {
            Some(answer) => write!(f, ": {answer}"),
            None => f.write_str(", never answered"),
        }
    }
}

/// What is wrong with an answer of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WrongByMachine {
    /// It is not what the committed log gives.
    OtherThanLog {
        /// What was asked and told.
        asked: AskedInWords,
        /// What the log gives; none when the command is not in it.
        right: Option<String>,
    },
    /// It is what the log gives when each copy of a retried command counts.
    Repeated {
        /// What was asked and told.
        asked: AskedInWords,
        /// What the log gives.
        right: String,
    },
    /// The model explains no order of the operations.
    NotByModel {
        /// Those that have no place in any order.
        stuck: Vec<AskedInWords>,
    },
}

/// How an operation ended, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Answered { at: u64 },
    Unknown,
    Failed,
}

#[derive(Clone, Debug)]
struct Entry {
    command: Command,
    bytes: Vec<u8>,
    invoked: u64,
    end: End,
    /// The highest index that any client had been told of when it was asked.
    floor: Index,
    /// Where it took effect, and how, once that is known.
    performed: Option<Performed>,
}

#[derive(Clone, Debug)]
struct Performed {
    index: Index,
    answer: Answer,
    /// The answer's bytes.
    bytes: Vec<u8>,
    /// That answer is what the model gives in the order of the log.
    fits: bool,
}

/// The history of one run on a machine.
#[derive(Debug)]
pub(crate) struct MachineHistory {
    /// The service after the whole committed log.
    service: Service,
    /// The same, if every copy of a command counted.
    repeating: Service,
    kit: Kit,
    model: Option<Box<dyn Follower>>,
    entries: Vec<Entry>,
    /// The id of `entries[0]`.
    first: u64,
    /// Operations that are open, or whose effect may still come.
    unresolved: Vec<OperationId>,
    /// The order of the log does not settle everything.
    unsettled: bool,
    /// The highest index that any client has been told of.
    told: Index,
    /// Counts events, so that no two have the same time.
    time: u64,
    budget: Budget,
    /// Is told when code of the machine's begins, and when it is over.
    guard: fn(bool),
}

impl MachineHistory {
    /// An empty history on `service`; none where that has no machine. `guard` is told when code of
    /// the machine's begins, and when it is over, so that its panics are known for what they are.
    pub(crate) fn new(service: &Service, budget: Budget, guard: fn(bool)) -> Option<Self> {
        let kit = service.kit()?.clone();
        guard(true);
        let (model, service) = (kit.model(), service.clone());
        guard(false);
        Some(Self {
            repeating: service.clone().with_flaw(Flaw::ApplyRetries),
            service,
            model,
            kit,
            entries: Vec::new(),
            first: 0,
            unresolved: Vec::new(),
            unsettled: false,
            told: 0,
            time: 0,
            budget,
            guard,
        })
    }

    fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    fn entry(&mut self, id: OperationId) -> Option<&mut Entry> {
        let place = id.0.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(place).ok()?)
    }

    /// A client asks for the command in `bytes`, for the first time.
    pub(crate) fn invoked(&mut self, command: Command, bytes: &[u8]) -> OperationId {
        self.cut();
        let invoked = self.tick();
        let id = OperationId(self.first + self.entries.len() as u64);
        let bytes = Command::decode_with(bytes).map_or(&[] as &[u8], |(_, bytes)| bytes);
        self.entries.push(Entry {
            command,
            bytes: bytes.to_vec(),
            invoked,
            end: End::Open,
            floor: self.told,
            performed: None,
        });
        self.unresolved.push(id);
        id
    }

    /// Where nothing is under way and all is settled, what lies before needs no second look.
    fn cut(&mut self) {
        if self.unresolved.is_empty() && !self.unsettled && !self.entries.is_empty() {
            self.first += self.entries.len() as u64;
            self.entries.clear();
            if let Some(model) = &mut self.model {
                (self.guard)(true);
                model.cut();
                (self.guard)(false);
            }
        }
    }

    /// The entry at `index`, the next one, is committed.
    pub(crate) fn committed(&mut self, index: Index, data: &[u8]) {
        (self.guard)(true);
        let applied = self.service.apply(data);
        self.repeating.apply(data);
        (self.guard)(false);
        let Some(applied) = applied.filter(|applied| !applied.again) else {
            return;
        };
        let (_, command) = Command::decode_with(data).expect("it has been performed");
        let bytes = self.kit.bytes_of(applied.answer).unwrap_or_default();
        let fits = match &mut self.model {
            Some(model) => {
                (self.guard)(true);
                let fits = model.takes(command, &bytes);
                (self.guard)(false);
                fits
            }
            None => true,
        };
        let mut performed = Some(Performed {
            index,
            answer: applied.answer,
            bytes,
            fits,
        });
        let (first, entries) = (self.first, &mut self.entries);
        self.unresolved.retain(|id| {
            let entry = &mut entries[(id.0 - first) as usize];
            let (whose, which) = (entry.command.client, entry.command.sequence);
            if (whose, which) == (applied.client, applied.sequence) {
                entry.performed = performed.take();
            }
            // A command that its client gave up can take effect no more once a later one has.
            whose != applied.client || which > applied.sequence || entry.end == End::Open
        });
    }

    /// The client gives up: whether the operation took effect, or will, it does not know.
    pub(crate) fn abandoned(&mut self, id: OperationId) {
        let Some(entry) = self.entry(id) else { return };
        entry.end = End::Unknown;
        if entry.performed.is_some() {
            self.unresolved.retain(|other| *other != id);
        }
    }

    /// Every attempt at the operation was refused: it never takes effect.
    pub(crate) fn failed(&mut self, id: OperationId) {
        let Some(entry) = self.entry(id) else { return };
        entry.end = End::Failed;
        self.unresolved.retain(|other| *other != id);
    }

    /// The client is answered: the command became the entry at `index`, or one before it.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(crate) fn answered(
        &mut self,
        id: OperationId,
        index: Index,
        answer: Answer,
    ) -> Result<Settled, WrongByMachine> {
        let at = self.tick();
        self.unresolved.retain(|other| *other != id);
        let Some(entry) = self.entry(id) else {
            return Ok(Settled::ByLog);
        };
        entry.end = End::Answered { at };
        let in_order = match &entry.performed {
            Some(performed) if performed.answer == answer => {
                performed.fits && performed.index >= entry.floor
            }
            _ => return Err(self.other_than_log(id, answer)),
        };
        self.told = self.told.max(index);
        if in_order || self.model.is_none() {
            return Ok(Settled::ByLog);
        }
        self.unsettled = true;
        self.search()
    }

    #[cold]
    fn other_than_log(&mut self, id: OperationId, answer: Answer) -> WrongByMachine {
        let entry = self.entry(id).expect("it is answered").clone();
        let repeated = self.repeating.answer_to(entry.command.client);
        (self.guard)(true);
        let asked = self.in_words(&entry, Some(answer));
        let right = entry.performed.map(|performed| performed.answer);
        let right = right.map(|right| self.kit.answer_in_words(right));
        (self.guard)(false);
        match right {
            Some(right) if repeated == Some(answer) => WrongByMachine::Repeated { asked, right },
            right => WrongByMachine::OtherThanLog { asked, right },
        }
    }

    fn in_words(&self, entry: &Entry, answer: Option<Answer>) -> AskedInWords {
        AskedInWords {
            client: entry.command.client,
            sequence: entry.command.sequence,
            command: self.kit.command_in_words(&entry.bytes),
            answer: answer.map(|answer| self.kit.answer_in_words(answer)),
        }
    }

    /// Judges all that the history still holds by the model, where there is one.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn finish(&self) -> Result<Settled, WrongByMachine> {
        self.search()
    }

    fn search(&self) -> Result<Settled, WrongByMachine> {
        let Some(model) = &self.model else {
            return Ok(Settled::ByLog);
        };
        let operation = |entry: &Entry| OnMachine {
            client: entry.command.client,
            input: entry.bytes.clone(),
            invoked: entry.invoked,
            ending: match (entry.end, &entry.performed) {
                (End::Answered { at }, Some(performed)) => Ending::Ok {
                    output: performed.bytes.clone(),
                    at,
                },
                (End::Failed, _) => Ending::Failed,
                _ => Ending::Unknown,
            },
        };
        let history: Vec<OnMachine> = self.entries.iter().map(operation).collect();
        let position = |entry: &Entry| entry.performed.as_ref().map(|performed| performed.index);
        let positions: Vec<Option<Index>> = self.entries.iter().map(position).collect();
        (self.guard)(true);
        let judged = model.judge(&history, &positions, self.budget);
        (self.guard)(false);
        match judged {
            Judged::ByLog => Ok(Settled::ByLog),
            Judged::BySearch => Ok(Settled::BySearch),
            Judged::NotYet => Ok(Settled::NotYet),
            Judged::NoOrder(stuck) => {
                let told = |place: &usize| {
                    let entry = &self.entries[*place];
                    let is_told = matches!(entry.end, End::Answered { .. });
                    let answer = entry.performed.as_ref().filter(|_| is_told);
                    self.in_words(entry, answer.map(|performed| performed.answer))
                };
                (self.guard)(true);
                let stuck = stuck.iter().map(told).collect();
                (self.guard)(false);
                Err(WrongByMachine::NotByModel { stuck })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Commands, Machine, Operation};
    use squall_linearizability::Model;
    use squall_world::rng::Choices;

    /// Answers its first command with 2, and its second with 1.
    #[derive(Clone)]
    struct Backwards(u8);

    impl Machine for Backwards {
        fn apply(&mut self, _: &[u8]) -> Vec<u8> {
            self.0 += 1;
            vec![3 - self.0]
        }

        fn snapshot(&self) -> Vec<u8> {
            vec![self.0]
        }

        fn restore(&mut self, snapshot: &[u8]) -> bool {
            self.0 = snapshot[0];
            true
        }
    }

    struct Calls;

    impl Commands for Calls {
        fn draw(&self, _: u32, _: &mut Choices) -> Vec<u8> {
            b"count".to_vec()
        }
    }

    /// Counts from 1.
    struct Counter;

    impl Model for Counter {
        type State = u8;
        type Input = Vec<u8>;
        type Output = Vec<u8>;
        type Key = ();

        fn initial(&self) -> u8 {
            0
        }

        fn step(&self, count: &mut u8, _: &Vec<u8>, told: Option<&Vec<u8>>) -> bool {
            let fits = told.is_none_or(|told| *told == [*count + 1]);
            *count += u8::from(fits);
            fits
        }
    }

    /// A run of commands, each by a client of its own, with what the log gives for them.
    struct Run {
        history: MachineHistory,
        alone: Service,
        index: Index,
    }

    impl Run {
        fn new(with_model: bool) -> Self {
            let service = Service::of_machine(Backwards(0), Calls);
            let service = match with_model {
                true => service.with_model(Counter),
                false => service,
            };
            let budget = Budget { steps: 1_000 };
            Self {
                history: MachineHistory::new(&service, budget, |_| {}).unwrap(),
                alone: service,
                index: 0,
            }
        }

        fn ask(&mut self, client: u32) -> OperationId {
            let command = command(client);
            let bytes = command.encode_with(b"count", 3);
            self.history.invoked(command, &bytes)
        }

        fn commit(&mut self, client: u32) -> Answer {
            let bytes = command(client).encode_with(b"count", 3);
            self.index += 1;
            self.history.committed(self.index, &bytes);
            self.alone.apply(&bytes).unwrap().answer
        }
    }

    fn command(client: u32) -> Command {
        Command {
            client,
            sequence: 1,
            time_us: 0,
            operation: Operation::OfMachine { number: 0 },
        }
    }

    fn asked(client: u32, answer: Option<&str>) -> AskedInWords {
        AskedInWords {
            client,
            sequence: 1,
            command: "count".to_owned(),
            answer: answer.map(str::to_owned),
        }
    }

    #[test]
    fn another_order_than_that_of_the_log_may_explain_what_is_asked_at_once() {
        let mut run = Run::new(true);
        let (one, two) = (run.ask(1), run.ask(2));
        let (first, second) = (run.commit(1), run.commit(2));
        let told = [(one, 1, first), (two, 2, second)];
        for (id, index, answer) in told {
            let settled = run.history.answered(id, index, answer);
            assert_eq!(settled, Ok(Settled::BySearch));
        }
        assert_eq!(run.history.finish(), Ok(Settled::BySearch));
    }

    #[test]
    fn no_order_explains_what_comes_one_after_the_other() {
        let mut run = Run::new(true);
        let one = run.ask(1);
        let first = run.commit(1);
        let stuck = vec![asked(1, Some("02"))];
        let wrong = Err(WrongByMachine::NotByModel { stuck });
        assert_eq!(run.history.answered(one, 1, first), wrong);
        let mut without = Run::new(false);
        let one = without.ask(1);
        let first = without.commit(1);
        let settled = without.history.answered(one, 1, first);
        assert_eq!(settled, Ok(Settled::ByLog));
    }

    #[test]
    fn an_answer_is_that_of_the_log_or_wrong() {
        let mut run = Run::new(false);
        let (one, two) = (run.ask(1), run.ask(2));
        let first = run.commit(1);
        let wrong = Err(WrongByMachine::OtherThanLog {
            asked: asked(2, Some("02")),
            right: None,
        });
        assert_eq!(run.history.answered(two, 1, first), wrong);
        // A second copy of the first one.
        run.commit(1);
        let twice = run.history.repeating.answer_to(1).unwrap();
        let wrong = Err(WrongByMachine::Repeated {
            asked: asked(1, Some("01")),
            right: "02".to_owned(),
        });
        assert_eq!(run.history.answered(one, 2, twice), wrong);
    }

    #[test]
    fn what_is_settled_is_dropped_and_the_model_goes_on_from_there() {
        let mut run = Run::new(true);
        let one = run.ask(1);
        run.commit(1);
        run.history.abandoned(one);
        let two = run.ask(2);
        assert_eq!(run.history.entries.len(), 1, "the first one is settled");
        let second = run.commit(2);
        // By the model it should be 2: the first one counted.
        let stuck = vec![asked(2, Some("01"))];
        let wrong = Err(WrongByMachine::NotByModel { stuck });
        assert_eq!(run.history.answered(two, 2, second), wrong);
    }
}
