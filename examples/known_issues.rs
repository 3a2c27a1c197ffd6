//! A driver with options and a known issue of its own: plans draw the options, sweeps keep clear of
//! the issue, and a test sees that it is still there.
//!
//! `cargo run --release --example known_issues` is clean; with
//! `-- sweep --profile findings` it finds the issue; `-- list options` and `-- list issues` name
//! what is declared here.

use raft::{RawNode, eraftpb::Message, raw_node::Ready, storage::MemStorage};
use squall::own::{DriverOption, KnownIssue, Values};
use squall::prelude::*;
use squall::raft_rs::kit::{self, Reported, Timeouts};

/// Bytes of entries in one append message.
const APPEND_BYTES: DriverOption = DriverOption {
    name: "append-bytes",
    about: "bytes of entries in one append message",
    values: Values::Number {
        usual: 4096,
        least: 0,
        most: 65_536,
        percent: 50,
    },
};

/// The driver does not wait for its disk.
const LAZY_SYNC: DriverOption = DriverOption {
    name: "lazy-sync",
    about: "messages leave before what they promise is durable",
    values: Values::Flag { percent: 40 },
};

const SENDS_BEFORE_SYNC: KnownIssue = KnownIssue::new(
    "sends-before-sync",
    "with lazy-sync, a crash takes back what was promised",
    &["ack-before-durable", "durable-commit"],
)
.without(|_, driver| driver.set_flag(LAZY_SYNC.name, false));

pub(crate) struct Mine;

impl Subject for Mine {
    type Replica = OneAtATime<Node>;

    fn options(&self) -> &'static [DriverOption] {
        &[APPEND_BYTES, LAZY_SYNC]
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        &[SENDS_BEFORE_SYNC]
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<OneAtATime<Node>, BootError> {
        let start = disk.recover(boot, out)?;
        let (mut config, log) = (kit::config(boot, &start), kit::logger(boot));
        if let Some(bytes) = boot.driver.number(APPEND_BYTES.name) {
            config.max_size_per_msg = bytes;
        }
        let raw = RawNode::new(&config, kit::mem_storage(&start), &log).expect("valid");
        let node = Node {
            lazy_sync: boot.driver.flag(LAZY_SYNC.name),
            shown: Reported::new(&raw),
            timeouts: Timeouts::new(boot),
            machine: StateMachine::new(start.service),
            ready: None,
            raw,
        };
        Ok(OneAtATime::new(node, start.next, out))
    }
}

pub(crate) struct Node {
    lazy_sync: bool,
    raw: RawNode<MemStorage>,
    ready: Option<Ready>,
    machine: StateMachine,
    timeouts: Timeouts,
    shown: Reported,
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

    // Returns whether what is written must be durable before this is called again.
    fn go_on(&mut self, _: u64, out: &mut Output<Message>) -> Next {
        loop {
            self.shown.role(&self.raw, out);
            if let Some(mut durable) = self.ready.take() {
                out.send_all(durable.take_persisted_messages());
                let mut committed = durable.take_committed_entries();
                let mut light = self.raw.advance(durable);
                out.send_all(light.take_messages());
                committed.append(&mut light.take_committed_entries());
                self.shown.report(&self.raw, out);
                for entry in committed {
                    self.machine.apply(entry.index, &entry.data, out);
                }
                self.raw.advance_apply();
            }
            if !self.raw.has_ready() {
                return Next::TakeInput;
            }
            let mut ready = self.raw.ready();
            out.send_all(ready.take_messages());
            kit::write(&ready, self.raw.store(), out);
            if self.ready.insert(ready).must_sync() && !self.lazy_sync {
                return Next::WaitForSync;
            }
        }
    }

    fn label(message: &Message) -> Label {
        kit::label(message)
    }
}

fn main() -> std::process::ExitCode {
    let mine = RegisteredSubject::new("mine", "my driver, with options of its own", Mine);
    squall::cli::main(vec![mine])
}
