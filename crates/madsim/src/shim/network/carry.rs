//! What connections do: they open, carry bytes in order, send again what was lost, and end.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::Waker;

use ::madsim::task::NodeId;

use super::connection::{Connection, End, Says, Segment};
use super::state::{Bound, Due, Noted, State, Way};
use squall_world::network::{Fate, MessageFault};

/// How often a segment is sent again, each time after twice as long, before its connection ends.
const MOST_TRIES: u32 = 5;

/// Connections that wait to be taken; whoever asks for one more gets no answer.
const BACKLOG: usize = 1_024;

impl State {
    pub(super) fn happen(&mut self, due: Due) {
        match due {
            Due::Segment(way, number) => {
                self.arrived(way.from, way.to);
                self.take(way, number);
            }
            Due::Copy { from, to } => self.arrived(from, to),
            Due::Retry(way, number) => self.try_again(way, number),
            Due::Reset(way, why) => {
                self.arrived(way.to, way.from);
                self.fail(way, why);
            }
            Due::Datagram {
                from,
                to,
                source,
                bytes,
            } => {
                self.arrived(from, to.0);
                self.put_in_mailbox(to, source, bytes);
            }
        }
    }

    fn connection(&mut self, way: Way) -> Option<&mut Connection> {
        self.connections.get_mut(&way.connection)
    }

    fn way(&self, connection: u64, end: usize) -> Option<Way> {
        let ends = &self.connections.get(&connection)?.ends;
        Some(Way {
            connection,
            end,
            from: ends[end].host,
            to: ends[1 - end].host,
        })
    }

    fn back(way: Way) -> Way {
        Way {
            end: 1 - way.end,
            from: way.to,
            to: way.from,
            ..way
        }
    }

    /// Sends something that is new.
    fn say(&mut self, way: Way, says: Says) {
        if let Some(connection) = self.connection(way) {
            let number = connection.ends[way.end].out.push(says);
            self.send(way, number);
        }
    }

    /// Puts a segment on its way.
    fn send(&mut self, way: Way, number: u64) {
        let Way { from, to, .. } = way;
        let mut late_us = 0;
        match self.tampering(from, to) {
            Some(MessageFault::Lose) => {
                self.noted.push(Noted::BrokenOff { from, to });
                self.fail(way, ErrorKind::ConnectionReset);
                return self.fail(Self::back(way), ErrorKind::ConnectionReset);
            }
            Some(MessageFault::Delay { by_us }) => {
                self.noted.push(Noted::Delayed { from, to });
                late_us = by_us;
            }
            Some(MessageFault::Duplicate { .. }) => {
                let in_vain = true;
                self.noted.push(Noted::Doubled { from, to, in_vain });
            }
            None => {}
        }
        match self.route(from, to, true) {
            Fate::Arrives {
                at_us, again_at_us, ..
            } => {
                self.at(at_us + late_us, Due::Segment(way, number));
                if let Some(again_at_us) = again_at_us {
                    self.at(again_at_us, Due::Copy { from, to });
                }
            }
            Fate::Lost(_) => self.retry_later(way, number),
        }
    }

    fn retry_later(&mut self, way: Way, number: u64) {
        let segment = self.unacknowledged(way, number);
        if let Some(tries) = segment.map(|segment| segment.tries) {
            let at_us = self.now_us + (self.retry_us << tries);
            self.at(at_us, Due::Retry(way, number));
        }
    }

    /// A segment, if there is anybody left who would send it again.
    fn unacknowledged(&mut self, way: Way, number: u64) -> Option<&mut Segment> {
        let end = &mut self.connections.get_mut(&way.connection)?.ends[way.end];
        let segment = end.out.get(number)?;
        (!end.is_gone && !segment.is_acknowledged).then_some(segment)
    }

    fn try_again(&mut self, way: Way, number: u64) {
        let Some(segment) = self.unacknowledged(way, number) else {
            return;
        };
        segment.tries += 1;
        if segment.tries > MOST_TRIES {
            let Way { from, to, .. } = way;
            self.noted.push(Noted::TimedOut { from, to });
            return self.fail(way, ErrorKind::TimedOut);
        }
        self.send(way, number);
    }

    /// The end that sends on this way ends with an error.
    fn fail(&mut self, way: Way, why: ErrorKind) {
        let Some(connection) = self.connections.get_mut(&way.connection) else {
            return;
        };
        let end = &mut connection.ends[way.end];
        end.fail(why);
        self.wakers.extend(end.wakers());
        self.drop_if_over(way.connection);
    }

    fn drop_if_over(&mut self, connection: u64) {
        if self
            .connections
            .get(&connection)
            .is_some_and(Connection::is_over)
        {
            self.connections.remove(&connection);
        }
    }

    /// Tells the end that sends on this way that there is no such connection.
    fn refuse(&mut self, way: Way, number: u64) {
        let is_open = self
            .connection(way)
            .is_some_and(|connection| connection.ends[way.end].is_open);
        let why = match is_open {
            true => ErrorKind::ConnectionReset,
            false => ErrorKind::ConnectionRefused,
        };
        match self.route(way.to, way.from, true) {
            Fate::Arrives {
                at_us, again_at_us, ..
            } => {
                self.at(at_us, Due::Reset(way, why));
                if let Some(again_at_us) = again_at_us {
                    let (from, to) = (way.to, way.from);
                    self.at(again_at_us, Due::Copy { from, to });
                }
            }
            Fate::Lost(_) => self.retry_later(way, number),
        }
    }

    /// A segment is there.
    fn take(&mut self, way: Way, number: u64) {
        let is_down = self.hosts[way.to].is_down;
        let Some(connection) = self.connection(way) else {
            return;
        };
        if is_down {
            return self.retry_later(way, number);
        }
        if connection.ends[1 - way.end].is_dead() {
            return self.refuse(way, number);
        }
        let Some(segment) = connection.ends[way.end].out.get(number) else {
            return;
        };
        segment.has_arrived = true;
        loop {
            let Some(connection) = self.connections.get_mut(&way.connection) else {
                return;
            };
            let out = &mut connection.ends[way.end].out;
            let next = out.next;
            let Some(segment) = out.get(next).filter(|segment| segment.has_arrived) else {
                break;
            };
            let says = segment.says.clone();
            if !self.hear(way, says) {
                if let Some(connection) = self.connection(way)
                    && let Some(segment) = connection.ends[way.end].out.get(next)
                {
                    // Should the word of that get lost, it is said again.
                    segment.has_arrived = false;
                }
                return self.refuse(way, next);
            }
            if let Some(connection) = self.connection(way) {
                connection.ends[way.end].out.next = next + 1;
            }
        }
        // That it has arrived, its sender must learn; whoever asks for a connection learns it by
        // the answer.
        let is_hello = way.end == 0 && number == 0;
        let is_cut = way.from != way.to && self.network.is_cut(way.to, way.from);
        if is_hello || is_cut {
            return self.retry_later(way, number);
        }
        if let Some(connection) = self.connections.get_mut(&way.connection) {
            let end = &mut connection.ends[way.end];
            end.out.acknowledge(number);
            self.wakers.extend(end.writer.take());
            self.drop_if_over(way.connection);
        }
    }

    /// The other end gets what is next. Whether it knows what to do with it.
    fn hear(&mut self, way: Way, says: Says) -> bool {
        let Some(connection) = self.connections.get_mut(&way.connection) else {
            return true;
        };
        let end = &mut connection.ends[1 - way.end];
        let place = (end.host, end.address.port());
        match says {
            Says::Bytes(_) if end.is_closed => return false,
            Says::Bytes(bytes) => {
                end.inbox.extend(bytes);
                self.wakers.extend(end.reader.take());
            }
            Says::End => {
                end.is_finished = true;
                self.wakers.extend(end.reader.take());
            }
            Says::Hello => {
                let listener = self.listener_at(place);
                if listener.is_none_or(|listener| listener.waiting.len() >= BACKLOG) {
                    return false;
                }
                self.say(Self::back(way), Says::Welcome);
            }
            Says::Welcome => {
                end.is_open = true;
                end.out.acknowledge(0);
                self.wakers.extend(end.wakers());
                self.say(Self::back(way), Says::Thanks);
            }
            Says::Thanks => {
                end.is_open = true;
                let Some(listener) = self.listener_at(place) else {
                    return false;
                };
                listener.waiting.push_back(way.connection);
                let wakers = std::mem::take(&mut listener.wakers);
                self.wakers.extend(wakers);
            }
        }
        true
    }

    // ---- what sockets do ----

    /// Asks for a connection. Returns its number.
    pub(in super::super) fn connect(&mut self, machine: NodeId, to: SocketAddr) -> io::Result<u64> {
        let here = self.here(machine)?;
        let there = self.host_at(here, to.ip())?;
        let own = self.own_address(here);
        self.next_connection += 1;
        let connection = self.next_connection;
        let mut ends = [End::new(here, own), End::new(there, to)];
        ends[0].is_taken = true;
        self.connections.insert(connection, Connection { ends });
        if let Some(way) = self.way(connection, 0) {
            self.say(way, Says::Hello);
        }
        Ok(connection)
    }

    /// Whether the connection that was asked for is there.
    pub(in super::super) fn is_connected(
        &mut self,
        connection: u64,
        waker: &Waker,
    ) -> io::Result<bool> {
        let end = self.end(connection, 0)?;
        match end.broken {
            Some(why) => Err(why.into()),
            None if end.is_open => Ok(true),
            None => {
                end.reader = Some(waker.clone());
                Ok(false)
            }
        }
    }

    /// A connection that somebody has asked for, if there is one.
    pub(in super::super) fn accept(
        &mut self,
        bound: Bound,
        waker: &Waker,
    ) -> io::Result<Option<(u64, SocketAddr)>> {
        loop {
            let listener = self.listener(bound);
            let listener = listener.ok_or(ErrorKind::NotConnected)?;
            let Some(connection) = listener.waiting.pop_front() else {
                if !listener.wakers.iter().any(|other| other.will_wake(waker)) {
                    listener.wakers.push(waker.clone());
                }
                return Ok(None);
            };
            // One that was broken off while it waited is nobody's.
            if let Some(found) = self.connections.get_mut(&connection) {
                found.ends[1].is_taken = true;
                return Ok(Some((connection, found.ends[0].address)));
            }
        }
    }

    /// Nobody listens there any more.
    pub(in super::super) fn unbind_listener(&mut self, bound: Bound) {
        let listener = self.take_listener(bound);
        for connection in listener.into_iter().flat_map(|listener| listener.waiting) {
            self.close(connection, 1);
        }
    }

    fn end(&mut self, connection: u64, end: usize) -> io::Result<&mut End> {
        let found = self.connections.get_mut(&connection);
        let found = found.ok_or(ErrorKind::ConnectionReset)?;
        match found.ends[end].is_gone {
            true => Err(ErrorKind::ConnectionReset.into()),
            false => Ok(&mut found.ends[end]),
        }
    }

    /// The addresses of an end and of the other one.
    pub(in super::super) fn addresses(
        &self,
        connection: u64,
        end: usize,
    ) -> io::Result<(SocketAddr, SocketAddr)> {
        let found = self.connections.get(&connection);
        let ends = &found.ok_or(ErrorKind::NotConnected)?.ends;
        Ok((ends[end].address, ends[1 - end].address))
    }

    /// Reads what is there, as much as `buffer` takes; 0 bytes at the end. None when nothing is
    /// there yet.
    pub(in super::super) fn read(
        &mut self,
        connection: u64,
        end: usize,
        buffer: &mut [u8],
        waker: &Waker,
    ) -> io::Result<Option<usize>> {
        let found = self.end(connection, end)?;
        if found.inbox.is_empty() {
            return match found.broken {
                Some(why) => Err(why.into()),
                None if found.is_finished => Ok(Some(0)),
                None => {
                    found.reader = Some(waker.clone());
                    Ok(None)
                }
            };
        }
        let count = io::Read::read(&mut found.inbox, buffer)?;
        if let Some(found) = self.connections.get_mut(&connection) {
            self.wakers.extend(found.ends[1 - end].writer.take());
        }
        Ok(Some(count))
    }

    /// Writes as much as there is room for. None when there is none.
    pub(in super::super) fn write(
        &mut self,
        connection: u64,
        end: usize,
        bytes: &[u8],
        waker: &Waker,
    ) -> io::Result<Option<usize>> {
        let found = self.end(connection, end)?;
        if let Some(why) = found.broken {
            return Err(why.into());
        }
        if found.is_shut {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = self.connections[&connection].room(end).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            self.end(connection, end)?.writer = Some(waker.clone());
            return Ok(None);
        }
        if let Some(way) = self.way(connection, end) {
            self.say(way, Says::Bytes(bytes[..room].to_vec()));
        }
        Ok(Some(room))
    }

    /// Nothing more is to be written.
    pub(in super::super) fn shut(&mut self, connection: u64, end: usize) {
        let Ok(found) = self.end(connection, end) else {
            return;
        };
        if !found.is_shut && found.is_open && found.broken.is_none() {
            found.is_shut = true;
            if let Some(way) = self.way(connection, end) {
                self.say(way, Says::End);
            }
        }
    }

    /// Nobody has this end any more. What it has sent is on its way still.
    pub(in super::super) fn close(&mut self, connection: u64, end: usize) {
        let (Some(way), Ok(found)) = (self.way(connection, end), self.end(connection, end)) else {
            return;
        };
        found.is_closed = true;
        if found.broken.is_none() && (!found.is_open || !found.inbox.is_empty()) {
            // What was never read, or never came about, is refused.
            found.fail(ErrorKind::ConnectionAborted);
            found.inbox.clear();
            if found.is_open {
                self.refuse(Self::back(way), 0);
            }
        } else {
            self.shut(connection, end);
        }
        self.drop_if_over(connection);
    }
}
