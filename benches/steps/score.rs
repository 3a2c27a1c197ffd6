//! From a recorded run to a flat list of calls to the library: which input the
//! driver stepped when, and when it went on after a sync. Worked out once, by
//! stepping the recording into bare nodes with the driver's books beside them,
//! so that none of this bookkeeping is measured.

use std::collections::VecDeque;

use raft::eraftpb::Message;

use squall_core::ids::NodeId;
use squall_core::plan::Plan;
use squall_core::replica::{Input, SyncId};

use crate::floor::{Act, Bare, Call, Poll};
use crate::tape::Recorded;

/// The calls that the driver made in the run on `tape`.
pub fn score(plan: &Plan, tape: Vec<Recorded>) -> Vec<Call> {
    let mut score = Score {
        nodes: plan.nodes().iter().map(|id| Bare::new(plan, *id)).collect(),
        books: plan.nodes().iter().map(|_| Books::default()).collect(),
        calls: Vec::with_capacity(tape.len() * 5 / 4),
        sent: Vec::new(),
    };
    for recorded in tape {
        score.step(recorded);
    }
    score.calls
}

struct Score {
    nodes: Vec<Bare>,
    books: Vec<Books>,
    calls: Vec<Call>,
    sent: Vec<Message>,
}

/// What the driver remembers of one node.
#[derive(Default)]
struct Books {
    /// What has arrived and is not stepped yet.
    inbox: VecDeque<Input<Message>>,
    /// The sync that it waits for.
    awaited: Option<SyncId>,
    /// The sync of each ready on its way to the disk.
    in_flight: VecDeque<SyncId>,
    /// Reads asked for so far.
    reads: u64,
}

impl Score {
    fn step(&mut self, recorded: Recorded) {
        let position = recorded.node.position();
        let books = &mut self.books[position];
        let mut look = false;
        match recorded.input {
            Input::Synced { sync, .. } => {
                let goes_on = books.awaited.take_if(|awaited| *awaited <= sync).is_some();
                let readies = books.in_flight.iter().take_while(|of| **of <= sync).count();
                books.in_flight.drain(..readies);
                look = goes_on || readies > 0;
                if goes_on {
                    self.call(position, Act::Continue, Poll::No);
                }
                if readies > 0 {
                    self.call(position, Act::Persisted { readies }, Poll::No);
                }
            }
            // The plan has a node skip ticks that it missed.
            Input::Tick
                if books
                    .inbox
                    .iter()
                    .any(|queued| matches!(queued, Input::Tick)) => {}
            input => books.inbox.push_back(input),
        }
        if let Some(through) = recorded.compacted {
            self.call(position, Act::Compact { through }, Poll::No);
        }
        let mut syncs = recorded.syncs.into_iter();
        while self.books[position].awaited.is_none() {
            let books = &mut self.books[position];
            let act = match books.inbox.pop_front() {
                Some(Input::Tick) => Act::Tick {
                    fires: recorded.campaigned,
                },
                Some(Input::Deliver { message, .. }) => Act::Deliver(message),
                Some(Input::Request(request)) => Act::Propose(request.command),
                Some(Input::Read(_)) => {
                    books.reads += 1;
                    Act::Read(name_of_read(recorded.node, books.reads))
                }
                Some(other) => unreachable!("a calm run has no {other:?}"),
                None if look || self.nodes[position].has_ready() => Act::Nothing,
                None => break,
            };
            look = false;
            let poll = match books.inbox.is_empty() {
                true => Poll::UntilNone,
                false => Poll::Once,
            };
            self.call(position, act, poll);
            self.enter_syncs(position, &mut syncs);
        }
        assert_eq!(
            syncs.next(),
            None,
            "the bare node and the recorded one went apart"
        );
    }

    fn call(&mut self, position: usize, act: Act, poll: Poll) {
        self.calls.push(Call {
            position,
            act: act.clone(),
            poll,
        });
        self.nodes[position].call(act, poll, &mut self.sent);
        self.sent.clear();
    }

    /// Enters which sync the node's newest output waits for.
    fn enter_syncs(&mut self, position: usize, syncs: &mut impl Iterator<Item = SyncId>) {
        let (node, books) = (&self.nodes[position], &mut self.books[position]);
        let mut next = || {
            syncs
                .next()
                .expect("the bare node and the recorded one went apart")
        };
        if node.is_waiting() {
            books.awaited = Some(next());
        }
        for asked in node.in_flight().skip(books.in_flight.len()) {
            // One that asks for no sync of its own shares the one before it.
            let shared = books.in_flight.back().copied();
            let sync = if asked {
                next()
            } else {
                shared.expect("there is one before it")
            };
            books.in_flight.push_back(sync);
        }
    }
}

/// How the driver names the nth read of a node in its first incarnation: the messages on tape speak
/// of it so.
fn name_of_read(node: NodeId, nth: u64) -> Vec<u8> {
    let first_incarnation = [0; 4];
    [&[node.0][..], &first_incarnation, &nth.to_be_bytes()].concat()
}
