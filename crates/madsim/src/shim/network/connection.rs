//! A connection: two ends, and what each has sent that the other has not acknowledged.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::task::Waker;

/// Bytes that an end may have sent and the other not yet read.
const WINDOW: usize = 64 << 10;

/// What a segment says.
#[derive(Clone)]
pub(super) enum Says {
    /// Is somebody there?
    Hello,
    /// Somebody is.
    Welcome,
    /// And so am I.
    Thanks,
    /// These bytes are next.
    Bytes(Vec<u8>),
    /// There is no more.
    End,
}

/// Something that is sent, until it is acknowledged.
pub(super) struct Segment {
    pub(super) says: Says,
    /// How often it was sent again.
    pub(super) tries: u32,
    pub(super) has_arrived: bool,
    pub(super) is_acknowledged: bool,
}

/// What one end sends, in order.
#[derive(Default)]
pub(super) struct Pipe {
    segments: VecDeque<Segment>,
    /// The number of the first of them.
    first: u64,
    /// The number of the next that the other end is to get.
    pub(super) next: u64,
    /// Bytes in them.
    bytes: usize,
}

impl Pipe {
    /// Adds a segment. Returns its number.
    pub(super) fn push(&mut self, says: Says) -> u64 {
        if let Says::Bytes(bytes) = &says {
            self.bytes += bytes.len();
        }
        self.segments.push_back(Segment {
            says,
            tries: 0,
            has_arrived: false,
            is_acknowledged: false,
        });
        self.first + self.segments.len() as u64 - 1
    }

    /// The segment of that number, if it is not acknowledged and forgotten.
    pub(super) fn get(&mut self, number: u64) -> Option<&mut Segment> {
        let at = number.checked_sub(self.first)?;
        self.segments.get_mut(at as usize)
    }

    /// The segment of that number is acknowledged.
    pub(super) fn acknowledge(&mut self, number: u64) {
        if let Some(segment) = self.get(number) {
            segment.is_acknowledged = true;
        }
        while self
            .segments
            .front()
            .is_some_and(|first| first.is_acknowledged)
            && let Some(segment) = self.segments.pop_front()
        {
            self.first += 1;
            if let Says::Bytes(bytes) = segment.says {
                self.bytes -= bytes.len();
            }
        }
    }

    /// Nothing is sent any more.
    fn clear(&mut self) {
        self.first += self.segments.len() as u64;
        self.segments.clear();
        self.bytes = 0;
    }
}

/// One end.
pub(super) struct End {
    /// Whose.
    pub(super) host: usize,
    pub(super) address: SocketAddr,
    pub(super) out: Pipe,
    /// What has come and nobody has read.
    pub(super) inbox: VecDeque<u8>,
    /// Both ends know that the other is there.
    pub(super) is_open: bool,
    /// The other end will send no more.
    pub(super) is_finished: bool,
    /// Nothing more can be written to it.
    pub(super) is_shut: bool,
    /// Somebody has it, or had it.
    pub(super) is_taken: bool,
    /// Nobody has it any more.
    pub(super) is_closed: bool,
    /// Its machine has lost power.
    pub(super) is_gone: bool,
    /// It has ended with an error.
    pub(super) broken: Option<ErrorKind>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl End {
    pub(super) fn new(host: usize, address: SocketAddr) -> Self {
        Self {
            host,
            address,
            out: Pipe::default(),
            inbox: VecDeque::new(),
            is_open: false,
            is_finished: false,
            is_shut: false,
            is_taken: false,
            is_closed: false,
            is_gone: false,
            broken: None,
            reader: None,
            writer: None,
        }
    }

    /// Its machine has lost power. What is on its way arrives still, and nothing is sent again.
    pub(super) fn vanish(&mut self) {
        self.is_gone = true;
        self.inbox.clear();
    }

    /// It ends with an error.
    pub(super) fn fail(&mut self, why: ErrorKind) {
        self.broken.get_or_insert(why);
        self.out.clear();
    }

    /// Whether it knows of no connection any more.
    pub(super) fn is_dead(&self) -> bool {
        self.is_gone || self.broken.is_some()
    }

    pub(super) fn wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.reader.take().into_iter().chain(self.writer.take())
    }

    /// Whether nobody will ask for it, and it has nothing left to do.
    fn is_over(&self) -> bool {
        let is_let_go = self.is_closed || !self.is_taken;
        let is_idle = self.is_closed && self.out.segments.is_empty();
        self.is_gone || (self.broken.is_some() && is_let_go) || is_idle
    }
}

/// Both ends: first the one that has asked for it.
pub(super) struct Connection {
    pub(super) ends: [End; 2],
}

impl Connection {
    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(End::is_over)
    }

    /// Bytes that this end may send now.
    pub(super) fn room(&self, end: usize) -> usize {
        let under_way = self.ends[end].out.bytes + self.ends[1 - end].inbox.len();
        WINDOW.saturating_sub(under_way)
    }
}
