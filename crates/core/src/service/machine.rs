//! A machine of a user's own in place of keys and locks, and what clients ask of it. Commands and
//! answers are bytes to everyone but the machine and what it comes with.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use squall_linearizability::Model;
use squall_world::hash::mix_bytes;
use squall_world::rng::Choices;

use super::Answer;
use super::machine_model::{AnyModel, Follower};

/// Commands are drawn from numbers below this: a plan holds them, and other programs read plans
/// whose numbers are exact up to 2^53.
pub(crate) const NUMBERS: u64 = 1 << 48;

/// How many different answers a run remembers for its words.
const MOST_ANSWERS: usize = 4096;

/// A replicated state machine. Each node has one, applies committed commands to it in order, and
/// puts it into snapshots; the harness applies the committed log to one of its own, and holds the
/// answers of nodes against it.
///
/// It does the same on every node, whatever the process: it has no clock, thread, randomness or
/// address in it, nor a map with a random hasher. That a command which a client sent again applies
/// once is not its concern: Squall's sessions are around it.
pub trait Machine: Clone + Send + Sync + 'static {
    /// Performs a command, and returns its answer. Bytes that are no command it may answer as it
    /// likes, but alike everywhere.
    fn apply(&mut self, command: &[u8]) -> Vec<u8>;

    /// The whole state as bytes: equal bytes for equal states.
    fn snapshot(&self) -> Vec<u8>;

    /// Takes on the state in `snapshot`, in place of its own. Returns whether they held one.
    fn restore(&mut self, snapshot: &[u8]) -> bool;

    /// A hash of the whole state, taken after every command. States of nodes are compared by it.
    ///
    /// Unless it says otherwise it is the hash of a snapshot. Then what a snapshot forgets shows no
    /// sooner than when a command goes another way for it; a hash of all that the machine holds
    /// shows it as the snapshot is taken on, and is cheaper where states are large.
    fn digest(&self) -> u64 {
        mix_bytes(0, &self.snapshot())
    }
}

/// What clients ask a [`Machine`] for, and how that is told.
pub trait Commands: Send + Sync + 'static {
    /// A command for the client of that number to send. It depends on the arguments alone, and is
    /// the simplest where each choice is the least that it can be: a shrinker goes there.
    ///
    /// Clients have the numbers from 0 on; one that takes the place of a client that has crashed
    /// has its number. Those that ask for something fresh after the storm have numbers from 2^31
    /// on.
    fn draw(&self, client: u32, choices: &mut Choices) -> Vec<u8>;

    /// A command in words, in one line, as what follows "asks to".
    fn command_in_words(&self, command: &[u8]) -> String {
        in_words(command)
    }

    /// An answer in words, in one line.
    fn answer_in_words(&self, answer: &[u8]) -> String {
        in_words(answer)
    }
}

/// Bytes as text where they are printable, and else in hexadecimal digits.
fn in_words(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok("") => "nothing".to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// A machine whatever its type.
trait AnyMachine: Send + Sync {
    fn apply(&mut self, command: &[u8]) -> Vec<u8>;
    fn snapshot(&self) -> Vec<u8>;
    fn restore(&mut self, snapshot: &[u8]) -> bool;
    fn digest(&self) -> u64;
    fn copy(&self) -> Box<dyn AnyMachine>;
}

impl<M: Machine> AnyMachine for M {
    fn apply(&mut self, command: &[u8]) -> Vec<u8> {
        Machine::apply(self, command)
    }

    fn snapshot(&self) -> Vec<u8> {
        Machine::snapshot(self)
    }

    fn restore(&mut self, snapshot: &[u8]) -> bool {
        Machine::restore(self, snapshot)
    }

    fn digest(&self) -> u64 {
        Machine::digest(self)
    }

    fn copy(&self) -> Box<dyn AnyMachine> {
        Box::new(self.clone())
    }
}

/// A machine in a service.
pub(super) struct Hosted {
    machine: Box<dyn AnyMachine>,
    kit: Kit,
}

/// What goes with a machine: all services of a run share it.
#[derive(Clone)]
pub(crate) struct Kit {
    commands: Arc<dyn Commands>,
    model: Option<Arc<dyn AnyModel>>,
    /// What nodes answered of late. Nothing but words comes of it.
    answers: Arc<Mutex<Answers>>,
}

/// Answers by their hashes, the newest of them.
#[derive(Debug, Default)]
struct Answers {
    by_hash: BTreeMap<u64, Vec<u8>>,
    oldest_first: VecDeque<u64>,
}

impl Answers {
    fn keep(&mut self, hash: u64, answer: &[u8]) {
        if self.by_hash.contains_key(&hash) {
            return;
        }
        self.by_hash.insert(hash, answer.to_vec());
        self.oldest_first.push_back(hash);
        if self.oldest_first.len() > MOST_ANSWERS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_hash.remove(&oldest);
        }
    }
}

impl Hosted {
    pub(super) fn new(machine: impl Machine, commands: impl Commands) -> Self {
        Self {
            machine: Box::new(machine),
            kit: Kit {
                commands: Arc::new(commands),
                model: None,
                answers: Arc::default(),
            },
        }
    }

    pub(super) fn set_model<M>(&mut self, model: M)
    where
        M: Model<Input = Vec<u8>, Output = Vec<u8>> + Send + Sync + 'static,
        M::State: Send + Sync,
    {
        self.kit.model = Some(Arc::new(Arc::new(model)));
    }

    /// Shares no memory with others from now on.
    pub(super) fn part(&mut self) {
        self.kit.answers = Arc::default();
    }

    pub(super) fn kit(&self) -> &Kit {
        &self.kit
    }

    pub(super) fn apply(&mut self, command: &[u8]) -> Answer {
        let answer = self.machine.apply(command);
        let hash = mix_bytes(0, &answer);
        self.kit.lock().keep(hash, &answer);
        Answer::OfMachine { hash }
    }

    pub(super) fn snapshot(&self) -> Vec<u8> {
        self.machine.snapshot()
    }

    pub(super) fn restore(&mut self, snapshot: &[u8]) -> bool {
        self.machine.restore(snapshot)
    }

    pub(super) fn digest(&self) -> u64 {
        self.machine.digest()
    }
}

impl Kit {
    /// The command that the client draws from that number.
    pub(crate) fn draw(&self, client: u32, number: u64) -> Vec<u8> {
        self.commands.draw(client, &mut Choices::of_number(number))
    }

    pub(crate) fn command_in_words(&self, command: &[u8]) -> String {
        in_one_line(&self.commands.command_in_words(command))
    }

    /// An answer in the words of the machine, where its bytes are remembered.
    pub(crate) fn answer_in_words(&self, answer: Answer) -> String {
        match self.bytes_of(answer) {
            Some(bytes) => in_one_line(&self.commands.answer_in_words(&bytes)),
            None => answer.to_string(),
        }
    }

    /// The bytes of an answer of late.
    pub(crate) fn bytes_of(&self, answer: Answer) -> Option<Vec<u8>> {
        match answer {
            Answer::OfMachine { hash } => self.lock().by_hash.get(&hash).cloned(),
            _ => None,
        }
    }

    /// The model in its first state, where there is one.
    pub(crate) fn model(&self) -> Option<Box<dyn Follower>> {
        self.model.as_ref().map(|model| model.follow())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Clone for Hosted {
    fn clone(&self) -> Self {
        Self {
            machine: self.machine.copy(),
            kit: self.kit.clone(),
        }
    }
}

impl PartialEq for Hosted {
    fn eq(&self, other: &Self) -> bool {
        self.snapshot() == other.snapshot()
    }
}

impl Eq for Hosted {}

impl Debug for Hosted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot();
        f.debug_struct("Hosted")
            .field("snapshot", &snapshot)
            .finish_non_exhaustive()
    }
}

impl Debug for Kit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").finish_non_exhaustive()
    }
}
