//! The clients of a run: each has one operation under way at a time, waits, tries
//! again with the same session and sequence number, follows redirects, and now and
//! then crashes. What became of an operation that was never answered is unknown
//! to it, never "did not happen".

use bytes::Bytes;

use super::panics;
use crate::counters::{Counter, Counters};
use crate::history::OperationId;
use crate::ids::{FIRST_PROBE, Index, NodeId};
use crate::plan::Workload;
use crate::replica::{Reply, ReplyOutcome, Request};
use crate::service::{Answer, Command, KEYS, Kit, LOCKS, NUMBERS, Operation};
use squall_world::hash::mix;
use squall_world::rng::Choices;

/// A client's place, in the low bits of its number. The others count how often
/// someone new has taken the place.
const PLACE_BITS: u32 = 14;

/// From here on a place has no number for someone new: the last client there goes on, for a second
/// one of its number would be answered what the first one asked.
const LAST_NUMBERS: u32 = FIRST_PROBE - (1 << PLACE_BITS);

pub(super) struct Clients {
    choices: Choices,
    pub(super) workload: Workload,
    pub(super) reads: bool,
    /// What goes with the machine that is asked, where it is one of a user's own.
    pub(super) kit: Option<Kit>,
    pub(super) clients: Vec<Client>,
    probes: Vec<Probe>,
    /// The highest index at which any client was told that its command is applied.
    pub(super) acknowledged: Index,
    /// Fresh commands answered after the storm.
    pub(super) fresh_answers: u64,
    /// Fresh reads answered after the storm.
    pub(super) fresh_reads: u64,
}

pub(super) struct Client {
    /// Its number, which is its session's.
    pub(super) number: u32,
    pub(super) sequence: u64,
    pub(super) waiting: Option<Waiting>,
    /// The node that served it last, or that it was told to ask.
    friend: Option<NodeId>,
    /// What it saw last of some key.
    seen: (u8, Option<u64>),
    pub(super) lock: Hold,
}

/// What a client believes of a lock.
#[derive(Clone, Copy)]
pub(super) enum Hold {
    Nothing,
    Waits { lock: u8 },
    Holds { lock: u8, token: u64 },
}

/// An operation under way.
pub(super) struct Waiting {
    pub(super) id: OperationId,
    pub(super) command: Command,
    pub(super) bytes: Bytes,
    /// It goes around the log.
    pub(super) reads: bool,
    pub(super) attempt: u32,
    /// Attempts after the first.
    pub(super) retries: u32,
    /// Every attempt so far was refused.
    pub(super) refused: bool,
    /// Under way, and not between two attempts.
    pub(super) sent: bool,
    /// Which operation of the plan's script it is.
    pub(super) scripted: Option<u32>,
    /// The script has the client crash when the time of this attempt is up.
    pub(super) crashes_at: Option<u32>,
}

struct Probe {
    id: OperationId,
    command: Command,
    answered: bool,
}

/// What a client does next.
pub(super) enum Next {
    /// It asks this node for something new.
    Ask(NodeId, Ask),
    /// It asks again.
    Again(NodeId, Ask),
}

/// A request, and whether it goes around the log.
pub(super) struct Ask {
    pub(super) operation: OperationId,
    pub(super) request: Request,
    pub(super) reads: bool,
}

/// What an answer was to a client.
pub(super) enum Taken {
    /// It is no longer waited for.
    Ignored,
    /// It ends this operation; the flag says whether the client was about to try again, so
    /// that it need not be woken once more.
    Ends(OperationId, Command, bool),
    /// It was refused, and the client tries again soon.
    Refused { place: u32 },
    /// It was refused for the last time; the flag says that no attempt can have taken effect.
    GivenUp(OperationId, bool),
}

impl Clients {
    pub(super) fn new(seed: u64, workload: Workload, reads: bool, kit: Option<Kit>) -> Self {
        let client = |place| Client {
            number: place,
            sequence: 0,
            waiting: None,
            friend: None,
            seen: (0, None),
            lock: Hold::Nothing,
        };
        Self {
            choices: Choices::labelled(seed, "clients", 0),
            workload,
            reads,
            kit,
            clients: (0..workload.clients).map(client).collect(),
            probes: Vec::new(),
            acknowledged: 0,
            fresh_answers: 0,
            fresh_reads: 0,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.clients.len() as u32
    }

    /// The place of the client of that number; none for a probe.
    pub(super) fn place(number: u32) -> Option<u32> {
        (number < FIRST_PROBE).then_some(number & ((1 << PLACE_BITS) - 1))
    }

    /// The command as it goes into the log.
    #[inline]
    pub(super) fn encode(kit: Option<&Kit>, command: &Command, padding: usize) -> Bytes {
        match kit {
            Some(kit) => Self::encode_for(kit, command, padding),
            None => command.encode(padding),
        }
    }

    #[cold]
    #[inline(never)]
    fn encode_for(kit: &Kit, command: &Command, padding: usize) -> Bytes {
        let Operation::OfMachine { number } = command.operation else {
            return command.encode(padding);
        };
        let client = Self::place(command.client).unwrap_or(command.client);
        let bytes = panics::within(|| kit.draw(client, number));
        command.encode_with(&bytes, padding)
    }

    /// How long a client pauses before its next command, in microseconds.
    pub(super) fn think_us(&mut self) -> u64 {
        let Workload {
            think_min_us,
            think_max_us,
            ..
        } = self.workload;
        self.choices.between(think_min_us, think_max_us).max(1)
    }

    /// What the client does now that its pause is over; `invoked` enters a new operation into the
    /// history.
    pub(super) fn next(
        &mut self,
        place: u32,
        now_us: u64,
        among: &[NodeId],
        invoked: impl FnOnce(Command, &[u8]) -> OperationId,
    ) -> Next {
        // Who reads around the log asks anyone, as one does that spreads its reads.
        let stray = self.choices.below(8);
        let any = *self.choices.pick(among);
        let is_new = self.clients[place as usize].waiting.is_none();
        if is_new {
            let padding_max = u64::from(self.workload.padding_max_bytes);
            let padding = self.choices.skewed(0, padding_max) as usize;
            let operation = self.operation(place, now_us);
            let around = self.percent(self.workload.reads_percent);
            let client = &mut self.clients[place as usize];
            client.sequence += 1;
            let command = Command {
                client: client.number,
                sequence: client.sequence,
                time_us: now_us,
                operation,
            };
            let bytes = Self::encode(self.kit.as_ref(), &command, padding);
            client.waiting = Some(Waiting {
                id: invoked(command, &bytes),
                command,
                bytes,
                reads: self.reads && around && operation.only_reads(),
                attempt: 0,
                retries: self.workload.retries,
                refused: true,
                sent: false,
                scripted: None,
                crashes_at: None,
            });
        }
        let client = &mut self.clients[place as usize];
        let strays = match client.waiting.as_ref().is_some_and(|waiting| waiting.reads) {
            true => 3,
            false => 0,
        };
        let node = match client.friend {
            Some(friend) if stray > strays && among.contains(&friend) => friend,
            _ => any,
        };
        let waiting = client.waiting.as_mut().expect("set above");
        waiting.sent = true;
        let ask = Ask {
            operation: waiting.id,
            request: Request {
                client: client.number,
                sequence: client.sequence,
                attempt: waiting.attempt,
                command: waiting.bytes.clone(),
            },
            reads: waiting.reads,
        };
        match is_new {
            true => Next::Ask(node, ask),
            false => Next::Again(node, ask),
        }
    }

    fn percent(&mut self, percent: u8) -> bool {
        self.choices.below(100) < u64::from(percent)
    }

    fn operation(&mut self, place: u32, now_us: u64) -> Operation {
        if self.kit.is_some() {
            let number = self.choices.below(NUMBERS);
            return Operation::OfMachine { number };
        }
        if self.percent(self.workload.locks_percent) {
            return self.lock_operation(place);
        }
        // Most operations meet on few keys: that is where order matters.
        let key = self.choices.skewed(1, KEYS.into()) as u8 - 1;
        let (seen, expected) = self.clients[place as usize].seen;
        let value = mix(u64::from(place) << 32 | self.choices.below(1 << 16), now_us);
        // Who reads around the log reads more.
        if self.percent(self.workload.reads_percent / 2) {
            return Operation::Get { key };
        }
        match self.choices.below(8) {
            0..=2 => Operation::Get { key },
            3 | 4 => Operation::Put { key, value },
            5 => Operation::Append { key, value },
            6 => Operation::CompareAndSet {
                key: seen,
                expected,
                value,
            },
            _ => Operation::Delete { key },
        }
    }

    fn lock_operation(&mut self, place: u32) -> Operation {
        let lease_us = match self.workload.leases_by_leader {
            // Its end is the leader's to see.
            true => u64::MAX,
            false => self.workload.lease_us,
        };
        let lock = self.choices.below(LOCKS.into()) as u8;
        let draw = self.choices.below(4);
        match self.clients[place as usize].lock {
            Hold::Nothing if draw < 2 => Operation::TryAcquire { lock, lease_us },
            Hold::Nothing => Operation::Acquire { lock, lease_us },
            Hold::Waits { lock } => Operation::Acquire { lock, lease_us },
            Hold::Holds { lock, token } => match draw {
                0 => Operation::Renew {
                    lock,
                    token,
                    lease_us,
                },
                1 => Operation::Release { lock, token },
                _ => Operation::Guarded { lock, token },
            },
        }
    }

    /// Something fresh, by a client that has never asked before: a read every other time, where
    /// there are reads.
    pub(super) fn next_probe(
        &mut self,
        now_us: u64,
        among: &[NodeId],
        invoked: impl FnOnce(Command, &[u8]) -> OperationId,
    ) -> (NodeId, Ask) {
        let node = *self.choices.pick(among);
        let client = FIRST_PROBE + self.probes.len() as u32;
        let wants_read = self.reads && self.fresh_reads == 0;
        let reads = wants_read && (self.fresh_answers > 0 || self.probes.len() % 2 == 1);
        let key = (self.probes.len() / 2) as u8 % KEYS;
        let command = Command {
            client,
            sequence: 1,
            time_us: now_us,
            operation: match reads {
                true => Operation::Get { key },
                // The simplest there are: what breaks a rule is to be what a plan asks for.
                false if self.kit.is_some() => Operation::OfMachine {
                    number: self.probes.len() as u64,
                },
                false => Operation::Put { key, value: now_us },
            },
        };
        let bytes = Self::encode(self.kit.as_ref(), &command, 0);
        let operation = invoked(command, &bytes);
        self.probes.push(Probe {
            id: operation,
            command,
            answered: false,
        });
        let request = Request {
            client,
            sequence: 1,
            attempt: 0,
            command: bytes,
        };
        let ask = Ask {
            operation,
            request,
            reads,
        };
        (node, ask)
    }

    /// Whether something fresh of each kind has been answered.
    pub(super) fn is_served(&self) -> bool {
        self.fresh_answers > 0 && (self.fresh_reads > 0 || !self.reads)
    }

    /// Whether another client has an operation under way.
    pub(super) fn others_read(&self, place: u32) -> bool {
        let reads = |client: &Client| client.waiting.as_ref().is_some_and(|w| w.reads && w.sent);
        let other = |(at, client): (usize, &Client)| at != place as usize && reads(client);
        self.clients.iter().enumerate().any(other)
    }

    /// Takes an answer.
    pub(super) fn answered(
        &mut self,
        from: NodeId,
        reply: &Reply,
        counters: &mut Counters,
    ) -> Taken {
        let Reply {
            client: number,
            sequence,
            outcome,
        } = *reply;
        let Some(place) = Self::place(number) else {
            return self.probe_answered(number, &outcome);
        };
        let client = &mut self.clients[place as usize];
        if client.number != number || client.sequence != sequence {
            return Taken::Ignored;
        }
        let Some(waiting) = &mut client.waiting else {
            return Taken::Ignored;
        };
        match outcome {
            ReplyOutcome::Refused { leader } => {
                if !waiting.sent {
                    return Taken::Ignored;
                }
                waiting.sent = false;
                counters.hit(Counter::CommandRefused);
                client.friend = leader.filter(|leader| *leader != from);
                if client.friend.is_some() {
                    counters.hit(Counter::CommandRedirected);
                }
                if waiting.attempt < waiting.retries {
                    waiting.attempt += 1;
                    return Taken::Refused { place };
                }
                let (id, refused) = (waiting.id, waiting.refused);
                client.waiting = None;
                Taken::GivenUp(id, refused)
            }
            ReplyOutcome::Applied { index, answer } | ReplyOutcome::Read { index, answer } => {
                let (id, command, pauses) = (waiting.id, waiting.command, !waiting.sent);
                client.waiting = None;
                client.friend = Some(from);
                client.learn(&command, answer);
                if let ReplyOutcome::Applied { .. } = outcome {
                    counters.hit(Counter::CommandApplied);
                    self.acknowledged = self.acknowledged.max(index);
                }
                Taken::Ends(id, command, pauses)
            }
        }
    }

    fn probe_answered(&mut self, number: u32, outcome: &ReplyOutcome) -> Taken {
        let Some(probe) = self.probes.get_mut((number - FIRST_PROBE) as usize) else {
            return Taken::Ignored;
        };
        if probe.answered {
            return Taken::Ignored;
        }
        match *outcome {
            ReplyOutcome::Applied { index, .. } => {
                self.acknowledged = self.acknowledged.max(index);
                self.fresh_answers += 1;
            }
            ReplyOutcome::Read { .. } => self.fresh_reads += 1,
            ReplyOutcome::Refused { .. } => return Taken::Ignored,
        }
        probe.answered = true;
        Taken::Ends(probe.id, probe.command, true)
    }

    /// An attempt's time is up. Says what becomes of it, if the client still waits for it.
    pub(super) fn timed_out(
        &mut self,
        place: u32,
        sequence: u64,
        attempt: u32,
        counters: &mut Counters,
    ) -> Option<Option<OperationId>> {
        let crashes = self.percent(self.workload.crash_percent);
        let client = &mut self.clients[place as usize];
        let waiting = client.waiting.as_mut()?;
        if !waiting.sent || client.sequence != sequence || waiting.attempt != attempt {
            return None;
        }
        let is_last = waiting.attempt >= waiting.retries;
        let crashes = match waiting.scripted {
            Some(_) => waiting.crashes_at == Some(attempt),
            None => crashes,
        } && client.number < LAST_NUMBERS;
        counters.hit(Counter::CommandTimedOut);
        client.friend = None;
        waiting.refused = false;
        waiting.sent = false;
        if crashes {
            counters.hit(Counter::ClientCrashed);
            let id = waiting.id;
            client.waiting = None;
            client.sequence = 0;
            client.number += 1 << PLACE_BITS;
            client.lock = Hold::Nothing;
            return Some(Some(id));
        }
        if !is_last {
            waiting.attempt += 1;
            return Some(None);
        }
        let id = waiting.id;
        client.waiting = None;
        Some(Some(id))
    }
}

impl Client {
    /// What an answer tells the client for its next operations.
    fn learn(&mut self, command: &Command, answer: Answer) {
        match (command.operation, answer) {
            (
                Operation::Get { key } | Operation::CompareAndSet { key, .. },
                Answer::Value { value } | Answer::Differs { value },
            ) => self.seen = (key, value),
            (Operation::Put { key, value } | Operation::CompareAndSet { key, value, .. }, _) => {
                self.seen = (key, Some(value));
            }
            (Operation::Delete { key }, _) => self.seen = (key, None),
            (operation, Answer::Granted { token, .. }) => {
                let lock = operation.lock().unwrap_or_default();
                self.lock = Hold::Holds { lock, token };
            }
            (Operation::Acquire { lock, .. }, Answer::Waiting) => self.lock = Hold::Waits { lock },
            // A stale holder goes on writing for a while, as one does that does not look at its
            // clock.
            (Operation::Release { .. } | Operation::Renew { .. }, _)
            | (Operation::Guarded { .. }, Answer::Stale) => self.lock = Hold::Nothing,
            _ => {}
        }
    }
}
