//! What goes wrong most often in a driver of one's own: each is found by the check that it breaks,
//! and its page asks the right question.

use raft::eraftpb::Message;
use raft::raw_node::{RawNode, Ready};
use raft::storage::MemStorage;
use squall::prelude::*;
use squall::raft_rs::kit::{self, Reported, Timeouts};
use squall_core::engine::Observer;
use squall_core::invariants::Property;
use squall_core::plan::Profile;
use squall_explore::report;

/// What the driver does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Nothing,
    SendBeforePersist,
    NeverSync,
    VoteNotRestored,
    HardStateNotRestored,
    ApplyTwice,
    /// Silently, and on all nodes alike.
    ChangeStateTwice,
    RoleNotReported,
}

/// The driver of `examples/bring_your_own.rs`, but for what it does wrong.
#[derive(Clone, Copy)]
struct Broken(Break);

struct Node {
    raw: RawNode<MemStorage>,
    ready: Option<Ready>,
    machine: StateMachine,
    timeouts: Timeouts,
    shown: Reported,
    does: Break,
}

impl Subject for Broken {
    type Replica = OneAtATime<Node>;

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<OneAtATime<Node>, BootError> {
        let mut start = disk.recover(boot, out)?;
        match self.0 {
            Break::VoteNotRestored => start.state.hard.vote = None,
            Break::HardStateNotRestored => start.state.hard = HardState::default(),
            _ => {}
        }
        let (config, log) = (kit::config(boot, &start), kit::logger(boot));
        let raw = RawNode::new(&config, kit::mem_storage(&start), &log).expect("valid");
        let node = Node {
            shown: Reported::new(&raw),
            timeouts: Timeouts::new(boot),
            machine: StateMachine::new(start.service),
            ready: None,
            raw,
            does: self.0,
        };
        Ok(OneAtATime::new(node, start.next, out))
    }
}

impl Node {
    fn show(&mut self, out: &mut Output<Message>) {
        if self.does != Break::RoleNotReported {
            self.shown.role(&self.raw, out);
        }
    }

    fn apply(&mut self, index: Index, data: &[u8], out: &mut Output<Message>) {
        self.machine.apply(index, data, out);
        match self.does {
            Break::ApplyTwice => self.machine.apply(index, data, out),
            Break::ChangeStateTwice => drop(self.machine.service.apply(data)),
            _ => {}
        }
    }
}

impl Sequential for Node {
    type Message = Message;

    fn handle(&mut self, _: u64, input: Input<Message>, out: &mut Output<Message>) -> Next {
        match input {
            Input::Tick => self.timeouts.tick(&mut self.raw),
            Input::Deliver { message, .. } => drop(self.raw.step(message)),
            Input::Request(asked) => match self.raw.propose(vec![], asked.command.to_vec()) {
                Ok(()) => self.machine.take(asked.client, asked.sequence),
                Err(_) => self.machine.refuse(&asked, kit::leader(&self.raw), out),
            },
            _ => {}
        }
        self.go_on(0, out)
    }

    fn go_on(&mut self, _: u64, out: &mut Output<Message>) -> Next {
        loop {
            self.show(out);
            if let Some(mut durable) = self.ready.take() {
                out.send_all(durable.take_persisted_messages());
                let mut committed = durable.take_committed_entries();
                let mut light = self.raw.advance(durable);
                out.send_all(light.take_messages());
                committed.append(&mut light.take_committed_entries());
                self.show(out);
                self.shown.commit(&self.raw, out);
                for entry in committed {
                    self.apply(entry.index, &entry.data, out);
                }
                self.raw.advance_apply();
            }
            if !self.raw.has_ready() {
                return Next::TakeInput;
            }
            let mut ready = self.raw.ready();
            out.send_all(ready.take_messages());
            kit::write(&ready, self.raw.store(), out);
            if self.does == Break::SendBeforePersist {
                out.send_all(ready.take_persisted_messages());
            }
            let waits = ready.must_sync() && self.does != Break::NeverSync;
            self.ready = Some(ready);
            if waits {
                return Next::WaitForSync;
            }
        }
    }

    fn label(message: &Message) -> Label {
        kit::label(message)
    }
}

/// The page of the first failure in these seeds of the storm, and what it breaks.
fn first(does: Break, seeds: u64) -> Option<(Property, String)> {
    let subject = RegisteredSubject::new("mine", "", Broken(does));
    let profile = Profile::load("storm").unwrap();
    (0..seeds).find_map(|seed| {
        let plan = subject.plans(&profile).draw(seed);
        let failure = subject.runner.run(&plan, Observer::default()).failure?;
        let page = report::failure(&subject, &plan, "x.json".as_ref(), "", "again");
        Some((failure.violation.property(), page.unwrap_or_default()))
    })
}

#[test]
fn each_typical_break_is_found_and_its_page_asks_the_right_question() {
    for (does, property, found, question) in [
        (
            Break::SendBeforePersist,
            Property::AckBeforeDurable,
            "is not over",
            "does it write Record::HardState",
        ),
        (
            Break::NeverSync,
            Property::AckBeforeDurable,
            "has asked for no sync since",
            "wait for the sync",
        ),
        (
            Break::VoteNotRestored,
            Property::Monotonic,
            "'s vote in term ",
            "does boot hand the term and the vote",
        ),
        (
            Break::HardStateNotRestored,
            Property::Monotonic,
            " to nobody",
            "does boot hand the term and the vote",
        ),
        (
            Break::ApplyTwice,
            Property::StateMachineSafety,
            " right after entry ",
            "apply every committed entry once",
        ),
        (
            Break::ChangeStateTwice,
            Property::StateMachineSafety,
            "than the log gives",
            "apply each entry to the state machine once",
        ),
        (
            Break::RoleNotReported,
            Property::ElectionSafety,
            "it last reported that it is a follower",
            "does it report Observation::Role",
        ),
    ] {
        let (broken, page) = first(does, 1_000).unwrap_or_else(|| panic!("{does:?} is not found"));
        assert_eq!(broken, property, "{does:?}:\n{page}");
        let words: Vec<&str> = page.split_whitespace().collect();
        let words = words.join(" ");
        assert!(words.contains(found), "{does:?}:\n{page}");
        let asked = words.split("ask first: ").nth(1).unwrap_or_default();
        assert!(asked.contains(question), "{does:?}:\n{page}");
    }
}

#[test]
fn the_driver_itself_passes() {
    let broken = first(Break::Nothing, 200);
    assert!(broken.is_none(), "{broken:?}");
}
