//! The replicated service that every subject runs: a key-value store and a
//! distributed lock service behind client sessions. Deterministic, small, and
//! cheap to copy into a snapshot; or a user's own [`Machine`] behind the same sessions. Knows
//! nothing of logs, terms or nodes.
//!
//! A replica gets a fresh one when it is born, applies the data of every
//! committed entry to it in order, answers clients with what it returns, and
//! puts its bytes into snapshots.

mod command;
mod flaw;
mod kv;
mod locks;
mod machine;
mod machine_model;
mod model;
mod sessions;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use command::{Answer, Command, Operation};
pub use flaw::Flaw;
pub use kv::{KEYS, Kv};
pub(crate) use locks::Holders;
pub use locks::{Grant, LOCKS, Locks};
pub use machine::{Commands, Machine};
pub(crate) use machine::{Kit, NUMBERS};
pub(crate) use machine_model::{Follower, Judged, OnMachine};
pub use model::{Part, ServiceModel};
pub use sessions::Sessions;

use machine::Hosted;
use squall_linearizability::Model;
use squall_world::hash::{mix, mix_bytes};

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    kv: Kv,
    locks: Locks,
    sessions: Sessions,
    /// A hash of every command and every answer, in order.
    history: u64,
    /// A mistake in it, on purpose.
    #[serde(skip)]
    flaw: Option<Flaw>,
    /// What commands are performed on.
    #[serde(skip)]
    kind: Kind,
}

/// What a service performs commands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// Keys and locks.
    #[default]
    Own,
    /// Nothing: it hashes commands, and looks only at whose they are.
    Opaque,
    /// A user's own machine.
    Machine(Box<Hosted>),
}

/// What an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The client whose command it was.
    pub client: u32,
    /// Which of its commands.
    pub sequence: u64,
    /// What the client is to be told.
    pub answer: Answer,
    /// The command had been applied before, and this time did nothing.
    pub again: bool,
}

impl Service {
    /// A service with a mistake in it.
    pub fn flawed(flaw: Flaw) -> Self {
        Self {
            flaw: Some(flaw),
            ..Self::default()
        }
    }

    /// A service that hashes commands and performs none.
    pub fn opaque() -> Self {
        Self {
            kind: Kind::Opaque,
            ..Self::default()
        }
    }

    /// A service that applies every copy of a command: what clients see when retries are not
    /// recognised.
    pub fn repeating() -> Self {
        Self::flawed(Flaw::ApplyRetries)
    }

    /// A service that performs commands on `machine`, in its first state, behind the sessions;
    /// clients ask for what `commands` draws.
    pub fn of_machine(machine: impl Machine, commands: impl Commands) -> Self {
        Self {
            kind: Kind::Machine(Box::new(Hosted::new(machine, commands))),
            ..Self::default()
        }
    }

    /// The same, and what clients are told is checked against `model`.
    ///
    /// # Panics
    /// When it has no machine ([`Service::of_machine`]).
    #[must_use]
    pub fn with_model<M>(mut self, model: M) -> Self
    where
        M: Model<Input = Vec<u8>, Output = Vec<u8>> + Send + Sync + 'static,
        M::State: Send + Sync,
    {
        match &mut self.kind {
            Kind::Machine(hosted) => hosted.set_model(model),
            _ => panic!("a service without a machine has a model of its own"),
        }
        self
    }

    /// The same state with a mistake in it.
    #[must_use]
    pub(crate) fn with_flaw(self, flaw: Flaw) -> Self {
        Self {
            flaw: Some(flaw),
            ..self
        }
    }

    /// The same for another run, with which it shares no memory.
    #[must_use]
    pub(crate) fn for_another_run(mut self) -> Self {
        if let Kind::Machine(hosted) = &mut self.kind {
            hosted.part();
        }
        self
    }

    /// What goes with its machine, where it has one.
    pub(crate) fn kit(&self) -> Option<&Kit> {
        match &self.kind {
            Kind::Machine(hosted) => Some(hosted.kit()),
            _ => None,
        }
    }

    /// Whether it performs commands on keys and locks.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.kind, Kind::Own)
    }

    /// Who holds each lock.
    pub(crate) fn holders(&self) -> Holders {
        self.locks.holders()
    }

    /// Who holds each lock, and until when.
    pub fn grants(&self) -> [Option<Grant>; LOCKS as usize] {
        self.locks.grants()
    }

    /// What a key holds, as a read is answered.
    pub fn get(&self, key: u8) -> Answer {
        self.kv.get(key)
    }

    /// Whether two numbers name one key.
    pub fn same_key(one: u8, other: u8) -> bool {
        one % KEYS == other % KEYS
    }

    /// What the client was answered last.
    pub fn answer_to(&self, client: u32) -> Option<Answer> {
        self.sessions.last(client)
    }

    /// Applies one entry's data, and says what it did if it was a command. Data that is not a
    /// command changes nothing, and changes of the configuration are applied as empty data.
    pub fn apply(&mut self, data: &[u8]) -> Option<Applied> {
        match self.kind {
            Kind::Own => {
                let command = Command::decode(data)?;
                self.history = mix_bytes(self.history, data);
                Some(self.apply_once(&command, |service| service.perform(&command)))
            }
            Kind::Opaque => {
                self.history = mix_bytes(self.history, data);
                let (client, sequence) = Command::decode_sender(data)?;
                Some(Applied {
                    client,
                    sequence,
                    answer: Answer::Done { version: 0 },
                    again: false,
                })
            }
            Kind::Machine(_) => self.apply_to_machine(data),
        }
    }

    /// The same where it has a machine.
    #[cold]
    #[inline(never)]
    fn apply_to_machine(&mut self, data: &[u8]) -> Option<Applied> {
        let (command, of_machine) = Command::decode_with(data)?;
        self.history = mix_bytes(self.history, data);
        let perform = |service: &mut Self| match &mut service.kind {
            Kind::Machine(hosted) => hosted.apply(of_machine),
            Kind::Own | Kind::Opaque => unreachable!("it has a machine"),
        };
        Some(self.apply_once(&command, perform))
    }

    /// Performs the command, unless it or a later one of its client has been performed.
    #[inline(always)]
    fn apply_once(
        &mut self,
        command: &Command,
        perform: impl FnOnce(&mut Self) -> Answer,
    ) -> Applied {
        let Command {
            client, sequence, ..
        } = *command;
        let known = match self.flaw {
            Some(Flaw::ApplyRetries) => None,
            _ => self.sessions.answered(client, sequence),
        };
        let answer = match known {
            Some(answer) => answer,
            None => {
                let answer = perform(self);
                self.sessions.answer(client, sequence, answer);
                answer
            }
        };
        self.history = mix(self.history, answer.hash());
        Applied {
            client,
            sequence,
            answer,
            again: known.is_some(),
        }
    }

    fn perform(&mut self, command: &Command) -> Answer {
        let Command {
            client,
            time_us,
            operation,
            ..
        } = *command;
        match operation.lock() {
            Some(_) => self.locks.apply(client, time_us, operation, self.flaw),
            None => self.kv.apply(operation),
        }
    }

    /// What a read would be told now. None when `data` holds no read-only command; commands of a
    /// machine never count as such.
    pub fn query(&self, data: &[u8]) -> Option<Answer> {
        match Command::decode(data)?.operation {
            Operation::Get { key } => Some(self.kv.get(key)),
            _ => None,
        }
    }

    /// A hash of the whole state.
    #[inline]
    pub fn state(&self) -> u64 {
        let state = match &self.kind {
            Kind::Machine(hosted) => mix(self.history, hosted.digest()),
            Kind::Own | Kind::Opaque => self.history,
        };
        // One with a flaw is in no state that the log gives: its own check is to find the flaw.
        match self.flaw {
            None => state,
            Some(_) => !state,
        }
    }

    /// The state as bytes.
    pub fn encode(&self) -> Bytes {
        let mut copy;
        let mut whole = self;
        if let Some(flaw) = self.flaw {
            copy = self.clone();
            match flaw {
                Flaw::SnapshotWithoutSessions => copy.sessions = Sessions::default(),
                Flaw::SnapshotWithoutTokens => copy.locks.forget_tokens(),
                _ => {}
            }
            whole = &copy;
        }
        const PLAIN: &str = "plain data of known size";
        let bytes = match &whole.kind {
            Kind::Machine(hosted) => {
                let around = (&whole.sessions, whole.history);
                let mut bytes = postcard::to_allocvec(&around).expect(PLAIN);
                bytes.extend(hosted.snapshot());
                bytes
            }
            Kind::Own | Kind::Opaque => postcard::to_allocvec(whole).expect(PLAIN),
        };
        bytes.into()
    }

    /// Replaces its own state by the one in `bytes`. Returns whether they held one.
    pub fn restore(&mut self, bytes: &[u8]) -> bool {
        if let Kind::Machine(hosted) = &mut self.kind {
            let Ok((around, of_machine)) = postcard::take_from_bytes(bytes) else {
                return false;
            };
            (self.sessions, self.history) = around;
            return hosted.restore(of_machine);
        }
        match postcard::from_bytes::<Self>(bytes) {
            Ok(state) => {
                *self = Self {
                    flaw: self.flaw,
                    kind: std::mem::take(&mut self.kind),
                    ..state
                };
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(client: u32, sequence: u64, value: u64) -> Bytes {
        Command {
            client,
            sequence,
            time_us: 0,
            operation: Operation::Put { key: 1, value },
        }
        .encode(3)
    }

    #[test]
    fn a_snapshot_brings_back_the_same_state() {
        let mut service = Service::default();
        for sequence in 1..40 {
            let applied = service.apply(&put(3, sequence, sequence)).unwrap();
            assert_eq!((applied.client, applied.sequence), (3, sequence));
        }
        assert_eq!(service.apply(b""), None);
        let mut copy = Service::default();
        assert!(copy.restore(&service.encode()));
        assert_eq!(copy, service);
        assert!(!copy.restore(b"short"));
    }

    #[test]
    fn a_retried_command_does_nothing_and_is_answered_alike() {
        let mut service = Service::default();
        let first = service.apply(&put(1, 1, 10)).unwrap();
        service.apply(&put(2, 1, 20));
        let again = service.apply(&put(1, 1, 10)).unwrap();
        assert_eq!(first.answer, again.answer);
        assert!(again.again && !first.again);
        let get = Command {
            client: 9,
            sequence: 0,
            time_us: 0,
            operation: Operation::Get { key: 1 },
        };
        assert_eq!(
            service.query(&get.encode(0)),
            Some(Answer::Value { value: Some(20) })
        );
    }

    #[test]
    fn the_order_of_commands_shows_in_the_state() {
        let (first, second) = (put(0, 1, 1), put(1, 1, 2));
        let after = |order: [&Bytes; 2]| {
            let mut service = Service::default();
            order.iter().for_each(|data| {
                service.apply(data);
            });
            service.state()
        };
        assert_ne!(after([&first, &second]), after([&second, &first]));
    }
}
