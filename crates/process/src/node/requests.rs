//! What clients have asked a node for, by the numbers that its process knows them by.

use squall_core::ids::Index;
use squall_core::replica::Request;

/// What clients have asked for here. A client has one request under way.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) numbers: u64,
    pub(super) commands: Vec<(u64, Request)>,
    pub(super) reads: Vec<PendingRead>,
}

pub(super) struct PendingRead {
    pub(super) number: u64,
    pub(super) request: Request,
    /// From which index on it may be served, once that is known.
    pub(super) index: Option<Index>,
}

impl Requests {
    pub(super) fn take_command(&mut self, request: &Request) -> u64 {
        self.numbers += 1;
        self.commands
            .retain(|(_, other)| other.client != request.client);
        self.commands.push((self.numbers, request.clone()));
        self.numbers
    }

    /// The client no longer waits for what it asked for before this read, if that was taken.
    pub(super) fn replaces_older(&mut self, number: u64) {
        let Some(read) = self.reads.iter().find(|read| read.number == number) else {
            return;
        };
        let client = read.request.client;
        let goes_on =
            |other: &PendingRead| other.request.client != client || other.number >= number;
        self.reads.retain(goes_on);
    }

    /// A read that is not taken for want of a leader leaves the one before it waiting.
    pub(super) fn take_read(&mut self, request: &Request) -> u64 {
        self.numbers += 1;
        self.reads.push(PendingRead {
            number: self.numbers,
            request: request.clone(),
            index: None,
        });
        self.numbers
    }
}
