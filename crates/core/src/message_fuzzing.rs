//! A subject whose nodes get messages that nobody sent: late copies of old ones, damaged ones,
//! forged ones. The honest subject is untouched; messages are changed on their way into it.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::bugs::{Injected, Tamper};
use crate::ids::NodeId;
use crate::options::Feature;
use crate::own::{DriverOption, KnownIssue};
use crate::replica::{
    BootContext, BootError, Input, Label, Message, Output, Recovered, Replica, Subject,
};
use crate::service::Service;

/// How many messages of the past a node's link remembers.
const REMEMBERED: usize = 256;

/// A subject whose messages go over a wire.
pub trait Wire: Subject {
    /// `message` as it goes over the wire.
    fn encode(message: &Message<Self>) -> Vec<u8>;

    /// The message that these bytes are, if they are one.
    fn decode(bytes: &[u8]) -> Option<Message<Self>>;

    /// Sets one of a message's fields, counted in any way, to a value.
    fn forge(message: &mut Message<Self>, field: u8, value: u64);

    /// To whom a message goes, if that is somebody that a message can go to.
    fn addressee(message: &Message<Self>) -> Option<NodeId>;
}

impl<S: Wire + Tamper> Wire for Injected<S> {
    fn encode(message: &Message<Self>) -> Vec<u8> {
        S::encode(message)
    }

    fn decode(bytes: &[u8]) -> Option<Message<Self>> {
        S::decode(bytes)
    }

    fn forge(message: &mut Message<Self>, field: u8, value: u64) {
        S::forge(message, field, value);
    }

    fn addressee(message: &Message<Self>) -> Option<NodeId> {
        S::addressee(message)
    }
}

/// Something done to a message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attack {
    /// At which node,
    pub node: NodeId,
    /// and to which of the messages that arrive there, counted from 1 over all its incarnations.
    pub nth: u32,
    /// What is done.
    pub how: How,
}

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Before it, one that has arrived earlier arrives again, of this incarnation or a former one:
    /// the one so many before it.
    Late {
        /// How many before it.
        back: u32,
    },
    /// Bits of its bytes are flipped, from this bit on, modulo its length.
    Flip {
        /// The first bit.
        bit: u32,
        /// Which of the eight bits from there on.
        mask: u8,
    },
    /// Only its first bytes arrive, modulo its length.
    Truncate {
        /// How many.
        to: u32,
    },
    /// One of its fields is what a forger wants.
    Forge {
        /// Which: see [`Wire::forge`].
        field: u8,
        /// Its value.
        value: u64,
    },
}

/// What it takes to do something to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing: it happens without any attack.
    Nothing,
    /// A network that delivers late and twice, which Raft is made for (dissertation, section 3.5).
    Late,
    /// A packet damaged on its way, which no checksum found.
    Damaged,
    /// Somebody who makes messages up: a Byzantine fault, which Raft is not made for.
    Forged,
}

impl How {
    /// What it takes.
    pub fn class(self) -> Class {
        match self {
            How::Late { .. } => Class::Late,
            How::Flip { .. } | How::Truncate { .. } => Class::Damaged,
            How::Forge { .. } => Class::Forged,
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Class::Nothing => "no hostile message is needed",
            Class::Late => "late copies of messages suffice",
            Class::Damaged => "a damaged packet suffices",
            Class::Forged => "only forgery does it",
        })
    }
}

impl std::fmt::Display for Attack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Attack { node, nth, how } = self;
        write!(f, "at message no. {nth} that arrives at {node}: ")?;
        match how {
            How::Late { back } => write!(f, "the one {back} before it comes again"),
            How::Flip { bit, mask } => {
                write!(f, "bits {mask:08b} from bit {bit} on are flipped")
            }
            How::Truncate { to } => write!(f, "it is cut to {to} bytes, modulo its length"),
            How::Forge { field, value } => write!(f, "field {field} is set to {value}"),
        }
    }
}

/// What a node's link remembers over all incarnations of the node.
struct Link<M> {
    arrived: u32,
    past: Vec<M>,
    attacks: Vec<Attack>,
}

/// A node's link, which outlives the node.
type SharedLink<M> = Arc<Mutex<Link<M>>>;

/// What the attacks of a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doings {
    /// Messages delivered again.
    pub late: u32,
    /// Damaged messages that still were messages.
    pub damaged: u32,
    /// Damaged messages that were none, and so were lost.
    pub unreadable: u32,
    /// Forged messages.
    pub forged: u32,
    /// Of these, the most bits by which one differs from the message that was sent, or
    /// [`u32::MAX`] when the lengths differ.
    pub forged_bits: u32,
}

/// A subject under attack, for one run.
pub struct Hostile<S: Subject> {
    subject: S,
    attacks: Vec<Attack>,
    links: Mutex<Vec<SharedLink<Message<S>>>>,
    doings: Arc<Mutex<Doings>>,
}

impl<S: Wire> Hostile<S> {
    /// These attacks on `subject`.
    pub fn new(subject: S, attacks: Vec<Attack>) -> Self {
        Self {
            subject,
            attacks,
            links: Mutex::default(),
            doings: Arc::default(),
        }
    }

    /// What they came to.
    pub fn doings(&self) -> Doings {
        *lock(&self.doings)
    }

    fn link(&self, node: NodeId) -> SharedLink<Message<S>> {
        let mut links = lock(&self.links);
        while links.len() <= node.position() {
            let id = NodeId(links.len() as u8 + 1);
            let own = |attack: &&Attack| attack.node == id;
            links.push(Arc::new(Mutex::new(Link {
                arrived: 0,
                past: Vec::new(),
                attacks: self.attacks.iter().filter(own).copied().collect(),
            })));
        }
        Arc::clone(&links[node.position()])
    }
}

/// One thread at a time is here, and it may have panicked inside the library: that is a finding and
/// no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl<S: Wire> Subject for Hostile<S>
where
    Message<S>: Send,
{
    type Replica = HostileNode<S>;

    fn supports(&self) -> &'static [Feature] {
        self.subject.supports()
    }

    fn options(&self) -> &'static [DriverOption] {
        self.subject.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        self.subject.known_issues()
    }

    fn uses_streams(&self) -> bool {
        self.subject.uses_streams()
    }

    fn service(&self) -> Service {
        self.subject.service()
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<S>>,
    ) -> Result<HostileNode<S>, BootError> {
        let inner = self.subject.boot(boot, disk, out)?;
        Ok(HostileNode {
            inner,
            link: self.link(boot.id),
            doings: Arc::clone(&self.doings),
        })
    }
}

/// A node that gets hostile messages.
pub struct HostileNode<S: Subject> {
    inner: S::Replica,
    link: SharedLink<Message<S>>,
    doings: Arc<Mutex<Doings>>,
}

impl<S: Wire> HostileNode<S> {
    /// What arrives instead of `message`.
    fn attacked(&mut self, message: Message<S>) -> Vec<Message<S>> {
        let mut link = lock(&self.link);
        let mut doings = lock(&self.doings);
        link.arrived += 1;
        let nth = link.arrived;
        let mut again = Vec::new();
        let mut message = Some(message);
        let due: Vec<How> = link
            .attacks
            .iter()
            .filter(|attack| attack.nth == nth)
            .map(|attack| attack.how)
            .collect();
        for how in due {
            if let How::Late { back } = how {
                let past = link.past.len().checked_sub(back.max(1) as usize);
                if let Some(old) = past.and_then(|at| link.past.get(at)) {
                    doings.late += 1;
                    again.push(old.clone());
                }
                continue;
            }
            message = message.and_then(|message| damage::<S>(message, how, &mut doings));
        }
        if let Some(message) = &message {
            if link.past.len() >= REMEMBERED {
                link.past.remove(0);
            }
            link.past.push(message.clone());
        }
        again.extend(message);
        again
    }

    /// A transport has nobody to deliver such messages to.
    fn drop_unaddressed(out: &mut Output<Message<S>>) {
        out.retain_sends(|message| S::addressee(message).is_some());
    }
}

/// What is left of a message.
fn damage<S: Wire>(mut message: Message<S>, how: How, doings: &mut Doings) -> Option<Message<S>> {
    let mut bytes = S::encode(&message);
    match how {
        How::Late { .. } => return Some(message),
        How::Forge { field, value } => {
            S::forge(&mut message, field, value);
            doings.forged += 1;
            doings.forged_bits = doings
                .forged_bits
                .max(bits_between(&bytes, &S::encode(&message)));
            return Some(message);
        }
        How::Flip { bit, mask } if !bytes.is_empty() => {
            let length = bytes.len();
            let (byte, shift) = (bit as usize / 8 % length, bit % 8);
            let wide = u16::from(mask) << shift;
            bytes[byte] ^= wide as u8;
            bytes[(byte + 1) % length] ^= (wide >> 8) as u8;
        }
        How::Flip { .. } => {}
        How::Truncate { to } => {
            let length = to as usize % bytes.len().max(1);
            bytes.truncate(length);
        }
    }
    let left = S::decode(&bytes);
    match left {
        Some(_) => doings.damaged += 1,
        None => doings.unreadable += 1,
    }
    left
}

fn bits_between(one: &[u8], other: &[u8]) -> u32 {
    match one.len() == other.len() {
        true => one
            .iter()
            .zip(other)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum(),
        false => u32::MAX,
    }
}

impl<S: Wire> Replica for HostileNode<S>
where
    Message<S>: Send,
{
    type Message = Message<S>;

    fn step(&mut self, now_us: u64, input: Input<Message<S>>, out: &mut Output<Message<S>>) {
        match input {
            Input::Deliver { from, message } => {
                for message in self.attacked(message) {
                    self.inner.deliver(now_us, from, message, out);
                }
            }
            input => self.inner.step(now_us, input, out),
        }
        Self::drop_unaddressed(out);
    }

    fn label(message: &Self::Message) -> Label {
        S::Replica::label(message)
    }

    fn describe(message: &Self::Message) -> String {
        S::Replica::describe(message)
    }
}
