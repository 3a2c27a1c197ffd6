//! A driver of your own around raft-rs, under the storm, with all that the command line can do:
//! `cargo run --release --example bring_your_own`, and `-- replay`, `-- shrink`, ...

use raft::{RawNode, eraftpb::Message, raw_node::Ready, storage::MemStorage};
use squall::prelude::*;
use squall::raft_rs::kit::{self, Reported, Timeouts};

pub(crate) struct Mine;

impl Subject for Mine {
    type Replica = OneAtATime<Node>;

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<OneAtATime<Node>, BootError> {
        let start = disk.recover(boot, out)?;
        let (config, log) = (kit::config(boot, &start), kit::logger(boot));
        let raw = RawNode::new(&config, kit::mem_storage(&start), &log).expect("valid");
        let node = Node {
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
            if self.ready.insert(ready).must_sync() {
                return Next::WaitForSync;
            }
        }
    }

    fn label(message: &Message) -> Label {
        kit::label(message)
    }
}

fn main() -> std::process::ExitCode {
    let mine = RegisteredSubject::new("mine", "my driver around raft-rs", Mine);
    squall::cli::main(vec![mine])
}
