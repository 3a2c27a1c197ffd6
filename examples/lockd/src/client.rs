//! A client: it finds the leader, connects anew when it must, and asks again until it has an
//! answer.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::bug::{Bug, Injected};
use crate::net::TcpStream;
use crate::state::{Answer, Operation};
use crate::time::{Instant, sleep, timeout};
use crate::wire::{self, Hello, Outcome, Reply, Request};

/// How a client goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers: their numbers and addresses.
    pub servers: BTreeMap<u64, String>,
    /// How long one try may take.
    pub attempt: Duration,
    /// How long all tries of one operation may take.
    pub patience: Duration,
    /// A number that no other client has, of which it makes the first it sends.
    pub nonce: u64,
    /// A mistake; none in production.
    pub bug: Injected,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// None came in time. The operation may take effect at any time, or never.
    Unknown,
    /// The session is closed. Whether the operation took effect is not known; the next one opens
    /// another session.
    NoSession,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Failure::Unknown => "no answer; it may take effect, or have taken effect, all the same",
            Failure::NoSession => "the session is closed; it may have taken effect all the same",
        })
    }
}

impl std::error::Error for Failure {}

/// A client with a session.
#[derive(Debug)]
pub struct Client {
    options: Options,
    /// Whom it asks.
    target: u64,
    connection: Option<TcpStream>,
    session: Option<u64>,
    sequence: u64,
    opened: u64,
}

impl Client {
    /// One that has not asked for anything yet.
    ///
    /// # Panics
    /// Without any server.
    pub fn new(options: Options) -> Self {
        let first = options.servers.keys().next();
        Self {
            target: *first.expect("a client has somebody to ask"),
            connection: None,
            session: None,
            sequence: 0,
            opened: options.nonce,
            options,
        }
    }

    /// Its session, once it has one.
    pub fn session(&self) -> Option<u64> {
        self.session
    }

    /// Asks for an operation, and again until it is answered.
    ///
    /// # Errors
    /// [`Failure`], when it is not. The client can be asked for the next operation all the same.
    pub async fn ask(&mut self, operation: Operation) -> Result<Answer, Failure> {
        let end = Instant::now() + self.options.patience;
        let session = match self.session {
            Some(session) => session,
            None => {
                self.opened = self.opened.wrapping_add(1);
                let open = self.insist(0, self.opened, Operation::Open, end).await?;
                let Answer::Opened(session) = open else {
                    return Err(Failure::Unknown);
                };
                self.session = Some(session);
                self.sequence = 0;
                session
            }
        };
        self.sequence += 1;
        let answer = self.insist(session, self.sequence, operation, end).await?;
        match answer {
            Answer::NoSession => {
                self.session = None;
                Err(Failure::NoSession)
            }
            answer => Ok(answer),
        }
    }

    async fn insist(
        &mut self,
        session: u64,
        mut sequence: u64,
        operation: Operation,
        end: Instant,
    ) -> Result<Answer, Failure> {
        let mut tried = false;
        loop {
            let now = Instant::now();
            if now >= end {
                return Err(Failure::Unknown);
            }
            let anew = self.connection.is_none();
            if self.options.bug.is(Bug::ReplayOnReconnect) && anew && tried && session != 0 {
                self.sequence += 1;
                sequence = self.sequence;
            }
            let request = Request {
                session,
                sequence,
                operation: operation.clone(),
            };
            tried = true;
            let attempt = self.options.attempt.min(end - now);
            let outcome = timeout(attempt, self.try_once(&request)).await;
            match outcome.unwrap_or_else(|late| Err(late.into())) {
                Ok(Outcome::Answered(answer)) => return Ok(answer),
                Ok(Outcome::NotLeader(Some(leader)))
                    if leader != self.target && self.options.servers.contains_key(&leader) =>
                {
                    self.turn_to(leader);
                }
                Ok(Outcome::Busy) => sleep(self.options.attempt / 20).await,
                Ok(Outcome::NotLeader(_)) | Err(_) => {
                    let mut others = self.options.servers.range(self.target + 1..);
                    let next = others.next().or(self.options.servers.iter().next());
                    self.turn_to(next.map_or(self.target, |(id, _)| *id));
                    sleep(self.options.attempt / 20).await;
                }
            }
        }
    }

    fn turn_to(&mut self, server: u64) {
        self.target = server;
        self.connection = None;
    }

    /// One try. The connection is lost when it is dropped on the way, so that no late reply is
    /// taken for another's.
    async fn try_once(&mut self, request: &Request) -> io::Result<Outcome> {
        let mut stream = match self.connection.take() {
            Some(stream) => stream,
            None => {
                let mut stream = TcpStream::connect(&self.options.servers[&self.target]).await?;
                stream.set_nodelay(true)?;
                wire::say(&mut stream, &Hello::Client).await?;
                stream
            }
        };
        wire::say(&mut stream, request).await?;
        loop {
            let reply = wire::hear::<Reply>(&mut stream).await?;
            let reply = reply.ok_or(io::ErrorKind::UnexpectedEof)?;
            if reply.sequence == request.sequence {
                self.connection = Some(stream);
                return Ok(reply.outcome);
            }
        }
    }
}

/// A server as command lines name it: its number, `=`, and its address.
///
/// # Errors
/// What is wrong with it, in words.
pub fn server(text: &str) -> Result<(u64, String), String> {
    let legal = "legal: e.g. 1=127.0.0.1:7101";
    let (id, address) = text.split_once('=').ok_or_else(|| legal.to_owned())?;
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    match (id.parse(), port) {
        (Ok(id @ 1..), Some(Ok(1..))) => Ok((id, address.to_owned())),
        _ => Err(legal.to_owned()),
    }
}

/// Servers as command lines name them, each number once.
///
/// # Errors
/// The number that is there twice.
pub fn servers(named: Vec<(u64, String)>) -> Result<BTreeMap<u64, String>, String> {
    let mut servers = BTreeMap::new();
    for (id, address) in named {
        if servers.insert(id, address).is_some() {
            return Err(format!("--servers has the number {id} twice"));
        }
    }
    Ok(servers)
}

/// A span of time as command lines name it, longer than none.
///
/// # Errors
/// What is wrong with it, in words.
pub fn span(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if span > Duration::ZERO && span <= Duration::from_secs(24 * 3600) => Ok(span),
        Ok(_) => Err("legal: more than 0s, and at most 1day".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A number that no other process has.
#[cfg(not(madsim))]
pub fn nonce() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    let now = std::time::SystemTime::now();
    RandomState::new().hash_one((now, std::process::id()))
}

/// In simulation, whoever runs it has a number for each.
#[cfg(madsim)]
pub fn nonce() -> u64 {
    0
}
