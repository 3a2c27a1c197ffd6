//! The whole network between two events: machines, sockets, connections, and what is on its way.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Waker;

use ::madsim::task::NodeId;

use super::connection::Connection;
use squall_world::network::{Fate, LinkOptions, Lost, MessageFault, Network};
use squall_world::rng::Choices;

/// Ports that are given out by themselves begin here.
const FIRST_FREE_PORT: u16 = 49_152;

/// What a machine sends to itself takes so long, in microseconds, and never gets lost.
const LOOPBACK_US: u64 = 10;

/// Datagrams that wait at a socket; what comes on top is lost.
const MAILBOX: usize = 1_024;

/// What befalls something that is sent. Machines are positions in the order that they were laid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// A datagram is lost, or a segment, which is sent again later.
    Lost {
        /// From here,
        from: usize,
        /// to there.
        to: usize,
        /// Why.
        why: Lost,
    },
    /// It is put on its way twice.
    Doubled {
        /// From here,
        from: usize,
        /// to there.
        to: usize,
        /// It is a segment, whose copy is thrown away.
        in_vain: bool,
    },
    /// Later ones may arrive before it; on a stream, what is behind it waits.
    Overtaken {
        /// From here,
        from: usize,
        /// to there.
        to: usize,
    },
    /// It is held back, as it was asked to be.
    Delayed {
        /// From here,
        from: usize,
        /// to there.
        to: usize,
    },
    /// A stream is broken off, as it was asked to be.
    BrokenOff {
        /// From here,
        from: usize,
        /// to there.
        to: usize,
    },
    /// A stream ends because nothing got through for too long.
    TimedOut {
        /// From here,
        from: usize,
        /// to there.
        to: usize,
    },
}

/// A machine's number and a port.
type Place = (usize, u16);

/// Who is told what befalls what is sent.
type Ear = Arc<dyn Fn(Noted) + Send + Sync>;

/// A machine.
pub(super) struct Host {
    machine: NodeId,
    ip: IpAddr,
    /// It has lost power, and nothing on it has used the network since.
    pub(super) is_down: bool,
    next_port: u16,
}

/// A socket that is bound to a place. Who had the place before may let go of it later than the next
/// one takes it: a task of an incarnation that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Bound {
    pub(super) place: Place,
    /// No other socket has this number.
    number: u64,
    /// Where it is.
    pub(in super::super) address: SocketAddr,
}

/// Whoever waits for connections.
pub(super) struct Listener {
    bound: Bound,
    /// Connections that nobody has taken yet.
    pub(super) waiting: VecDeque<u64>,
    pub(super) wakers: Vec<Waker>,
}

/// Whoever waits for datagrams.
pub(in super::super) struct Mailbox {
    bound: Bound,
    pub(in super::super) datagrams: VecDeque<(Vec<u8>, SocketAddr)>,
    pub(in super::super) wakers: Vec<Waker>,
}

/// What is due at a time.
pub(super) enum Due {
    /// A segment arrives.
    Segment(Way, u64),
    /// The second copy of a segment arrives.
    Copy { from: usize, to: usize },
    /// A segment has not been acknowledged in time.
    Retry(Way, u64),
    /// The other end says that there is no such connection.
    Reset(Way, ErrorKind),
    /// A datagram arrives.
    Datagram {
        from: usize,
        to: Place,
        source: SocketAddr,
        bytes: Vec<u8>,
    },
}

/// One way of a connection: from its end of this number to the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) connection: u64,
    pub(super) end: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// All of it.
pub(in super::super) struct State {
    pub(super) network: Network,
    choices: Choices,
    pub(super) hosts: Vec<Host>,
    pub(super) now_us: u64,
    pub(super) due: BTreeMap<(u64, u64), Due>,
    ordered: u64,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) next_connection: u64,
    /// Sockets that were bound so far.
    bound: u64,
    listeners: BTreeMap<Place, Listener>,
    mailboxes: BTreeMap<Place, Mailbox>,
    pub(super) tamperings: Vec<(usize, usize, MessageFault)>,
    /// How long a sender waits before it sends a segment again for the first time, in
    /// microseconds.
    pub(super) retry_us: u64,
    pub(super) noted: Vec<Noted>,
    pub(super) wakers: Vec<Waker>,
    pub(super) ear: Option<Ear>,
    carrier: Option<Waker>,
    /// When the carrier looks next.
    awake_us: u64,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            network: Network::new(0, LinkOptions::default()),
            choices: Choices::labelled(seed, "sockets", 0),
            hosts: Vec::new(),
            now_us: 0,
            due: BTreeMap::new(),
            ordered: 0,
            connections: BTreeMap::new(),
            next_connection: 0,
            bound: 0,
            listeners: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            tamperings: Vec::new(),
            retry_us: 0,
            noted: Vec::new(),
            wakers: Vec::new(),
            ear: None,
            carrier: None,
            awake_us: 0,
        }
    }

    pub(super) fn lay(&mut self, hosts: &[(NodeId, IpAddr)], ordinary: LinkOptions) {
        let host = |(machine, ip): &(NodeId, IpAddr)| Host {
            machine: *machine,
            ip: *ip,
            is_down: false,
            next_port: FIRST_FREE_PORT,
        };
        for (at, (_, ip)) in hosts.iter().enumerate() {
            let is_new = hosts[..at].iter().all(|(_, other)| other != ip);
            assert!(is_new, "two machines have the address {ip}");
        }
        let (seed, ear) = (self.choices.word(), self.ear.take());
        *self = Self {
            hosts: hosts.iter().map(host).collect(),
            network: Network::new(hosts.len(), ordinary),
            // A round trip is two delays, and as much again is patience.
            retry_us: (4 * ordinary.delay_max_us).max(1_000),
            ear,
            ..Self::new(seed)
        };
    }

    pub(super) fn heal(&mut self, ordinary: LinkOptions, prompt_us: u64) {
        self.network.heal(ordinary);
        self.tamperings.clear();
        let latest_us = self.now_us + prompt_us;
        let late = self.due.split_off(&(latest_us, u64::MAX));
        let prompt = late
            .into_iter()
            .map(|((_, order), due)| ((latest_us, order), due));
        self.due.extend(prompt);
    }

    pub(super) fn at(&mut self, at_us: u64, due: Due) {
        self.ordered += 1;
        self.due.insert((at_us, self.ordered), due);
    }

    /// The carrier is to look earlier than it meant to.
    pub(super) fn call_carrier(&mut self) {
        if let Some(((at_us, _), _)) = self.due.first_key_value()
            && *at_us < self.awake_us
        {
            self.awake_us = *at_us;
            self.wakers.extend(self.carrier.take());
        }
    }

    /// Carries what is due. Returns when something is due next, in microseconds.
    pub(super) fn carry(&mut self, carrier: &Waker) -> Option<u64> {
        self.carrier = Some(carrier.clone());
        while let Some(((at_us, _), _)) = self.due.first_key_value() {
            if *at_us > self.now_us {
                self.awake_us = *at_us;
                return Some(*at_us);
            }
            if let Some((_, due)) = self.due.pop_first() {
                self.happen(due);
            }
        }
        self.awake_us = u64::MAX;
        None
    }

    // ---- machines and addresses ----

    /// The machine has lost power: its sockets are gone, and nobody is told.
    pub(super) fn lose_power(&mut self, machine: NodeId) {
        let Some(at) = self.hosts.iter().position(|host| host.machine == machine) else {
            return;
        };
        self.hosts[at].is_down = true;
        self.listeners.retain(|(host, _), _| *host != at);
        self.mailboxes.retain(|(host, _), _| *host != at);
        let ends = self.connections.values_mut();
        for end in ends.flat_map(|connection| &mut connection.ends) {
            if end.host == at {
                end.vanish();
            }
        }
        self.connections
            .retain(|_, connection| !connection.is_over());
    }

    /// The number of the machine, which uses the network and so is up.
    pub(in super::super) fn here(&mut self, machine: NodeId) -> io::Result<usize> {
        let at = self.hosts.iter().position(|host| host.machine == machine);
        let at =
            at.ok_or_else(|| io::Error::other("this machine is on no network that was laid"))?;
        self.hosts[at].is_down = false;
        Ok(at)
    }

    /// The machine that has this address, as seen from `here`.
    pub(in super::super) fn host_at(&self, here: usize, ip: IpAddr) -> io::Result<usize> {
        if ip.is_loopback() || ip.is_unspecified() {
            return Ok(here);
        }
        let at = self.hosts.iter().position(|host| host.ip == ip);
        at.ok_or_else(|| ErrorKind::HostUnreachable.into())
    }

    fn is_free(&self, place: Place) -> bool {
        !self.listeners.contains_key(&place) && !self.mailboxes.contains_key(&place)
    }

    /// A socket of the machine: at this address, or at any free port if that is 0.
    fn bind(&mut self, machine: NodeId, address: SocketAddr) -> io::Result<Bound> {
        let here = self.here(machine)?;
        if self.host_at(here, address.ip()).ok() != Some(here) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let port = match address.port() {
            0 => self.free_port(here),
            port if self.is_free((here, port)) => port,
            _ => return Err(ErrorKind::AddrInUse.into()),
        };
        self.bound += 1;
        Ok(Bound {
            place: (here, port),
            number: self.bound,
            address: SocketAddr::new(address.ip(), port),
        })
    }

    fn free_port(&mut self, here: usize) -> u16 {
        loop {
            let port = self.hosts[here].next_port;
            self.hosts[here].next_port = port.checked_add(1).unwrap_or(FIRST_FREE_PORT);
            if self.is_free((here, port)) {
                return port;
            }
        }
    }

    /// Where somebody on that machine is reached who opens a connection or sends from anywhere.
    pub(super) fn own_address(&mut self, here: usize) -> SocketAddr {
        let port = self.free_port(here);
        SocketAddr::new(self.hosts[here].ip, port)
    }

    pub(in super::super) fn bind_listener(
        &mut self,
        machine: NodeId,
        address: SocketAddr,
    ) -> io::Result<Bound> {
        let bound = self.bind(machine, address)?;
        let listener = Listener {
            bound,
            waiting: VecDeque::new(),
            wakers: Vec::new(),
        };
        self.listeners.insert(bound.place, listener);
        Ok(bound)
    }

    /// Whoever listens at that place.
    pub(super) fn listener_at(&mut self, place: Place) -> Option<&mut Listener> {
        self.listeners.get_mut(&place)
    }

    /// That socket, if its machine has not lost power since.
    pub(super) fn listener(&mut self, bound: Bound) -> Option<&mut Listener> {
        let found = self.listeners.get_mut(&bound.place)?;
        (found.bound == bound).then_some(found)
    }

    pub(super) fn take_listener(&mut self, bound: Bound) -> Option<Listener> {
        self.listener(bound)?;
        self.listeners.remove(&bound.place)
    }

    pub(in super::super) fn bind_mailbox(
        &mut self,
        machine: NodeId,
        address: SocketAddr,
    ) -> io::Result<Bound> {
        let bound = self.bind(machine, address)?;
        let mailbox = Mailbox {
            bound,
            datagrams: VecDeque::new(),
            wakers: Vec::new(),
        };
        self.mailboxes.insert(bound.place, mailbox);
        Ok(bound)
    }

    /// That socket, if its machine has not lost power since.
    pub(in super::super) fn mailbox(&mut self, bound: Bound) -> Option<&mut Mailbox> {
        let found = self.mailboxes.get_mut(&bound.place)?;
        (found.bound == bound).then_some(found)
    }

    /// Nobody listens there any more.
    pub(in super::super) fn unbind_mailbox(&mut self, bound: Bound) {
        if self.mailbox(bound).is_some() {
            self.mailboxes.remove(&bound.place);
        }
    }

    // ---- links ----

    /// What is to be done to the next thing on this link.
    pub(super) fn tampering(&mut self, from: usize, to: usize) -> Option<MessageFault> {
        let asked = self.tamperings.iter();
        let at = asked
            .map(|(from, to, _)| (*from, *to))
            .position(|link| link == (from, to))?;
        Some(self.tamperings.remove(at).2)
    }

    /// What becomes of something that is sent.
    pub(super) fn route(&mut self, from: usize, to: usize, in_vain: bool) -> Fate {
        if from == to {
            return Fate::Arrives {
                at_us: self.now_us + LOOPBACK_US,
                again_at_us: None,
                reorderable: false,
                late_us: 0,
            };
        }
        let fate = self.network.route(self.now_us, from, to, &mut self.choices);
        match fate {
            Fate::Lost(why) => self.noted.push(Noted::Lost { from, to, why }),
            Fate::Arrives {
                again_at_us,
                reorderable,
                ..
            } => {
                if again_at_us.is_some() {
                    self.noted.push(Noted::Doubled { from, to, in_vain });
                }
                if reorderable {
                    self.noted.push(Noted::Overtaken { from, to });
                }
            }
        }
        fate
    }

    /// Something that was on its way is no more.
    pub(super) fn arrived(&mut self, from: usize, to: usize) {
        if from != to {
            self.network.arrived(from, to);
        }
    }

    /// Sends a datagram.
    pub(in super::super) fn send_datagram(
        &mut self,
        from: Bound,
        to: SocketAddr,
        bytes: &[u8],
    ) -> io::Result<()> {
        let (here, port) = from.place;
        let there = self.host_at(here, to.ip())?;
        let source = SocketAddr::new(self.hosts[here].ip, port);
        let tampering = self.tampering(here, there);
        if tampering == Some(MessageFault::Lose) {
            let (from, to, why) = (here, there, Lost::Chance);
            self.noted.push(Noted::Lost { from, to, why });
            return Ok(());
        }
        let Fate::Arrives {
            mut at_us,
            mut again_at_us,
            ..
        } = self.route(here, there, false)
        else {
            return Ok(());
        };
        let (from, to_port) = (here, to.port());
        match tampering {
            Some(MessageFault::Delay { by_us }) => {
                self.noted.push(Noted::Delayed { from, to: there });
                at_us += by_us;
            }
            Some(MessageFault::Duplicate { after_us })
                if again_at_us.is_none() && from != there =>
            {
                self.network.add_in_flight(from, there);
                let (to, in_vain) = (there, false);
                self.noted.push(Noted::Doubled { from, to, in_vain });
                again_at_us = Some(at_us + after_us);
            }
            _ => {}
        }
        for at_us in std::iter::once(at_us).chain(again_at_us) {
            let (to, bytes) = ((there, to_port), bytes.to_vec());
            let due = Due::Datagram {
                from,
                to,
                source,
                bytes,
            };
            self.at(at_us, due);
        }
        Ok(())
    }

    /// A datagram is there.
    pub(super) fn put_in_mailbox(&mut self, to: Place, source: SocketAddr, bytes: Vec<u8>) {
        if self.hosts[to.0].is_down {
            return;
        }
        if let Some(mailbox) = self.mailboxes.get_mut(&to)
            && mailbox.datagrams.len() < MAILBOX
        {
            mailbox.datagrams.push_back((bytes, source));
            self.wakers.append(&mut mailbox.wakers);
        }
    }
}
