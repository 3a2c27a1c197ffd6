//! An adapter for another library, to begin from. It compiles and runs, over a library that does
//! nothing, so that the first sweep says that nobody becomes leader:
//! `cargo run --release --example skeleton`. Put your library in the place of `my_raft`.

use squall::prelude::*;

/// A stand-in. Libraries without I/O of their own have these calls under other names.
mod my_raft {
    use squall::prelude::{Bytes, Entry, HardState, Index, NodeId, Role};

    #[derive(Clone, Debug, Default)]
    pub(crate) struct Message;

    /// What the library asks its user to do, in this order.
    #[derive(Default)]
    pub(crate) struct Actions {
        pub(crate) hard_state: Option<HardState>,
        pub(crate) entries: Vec<(Index, Entry)>,
        pub(crate) messages: Vec<(NodeId, Message)>,
    }

    #[derive(Default)]
    pub(crate) struct Raft {
        pub(crate) role: Role,
        pub(crate) hard_state: HardState,
        pub(crate) commit: Index,
    }

    impl Raft {
        pub(crate) fn time_out(&mut self) {}
        pub(crate) fn receive(&mut self, _from: NodeId, _message: Message) {}
        pub(crate) fn propose(&mut self, _data: Bytes) -> Result<(), Option<NodeId>> {
            Err(None)
        }
        pub(crate) fn take_actions(&mut self) -> Actions {
            Actions::default()
        }
        pub(crate) fn committed(&self, _index: Index) -> Bytes {
            Bytes::new()
        }
    }
}

pub(crate) struct Mine;

impl Subject for Mine {
    type Replica = OneAtATime<Node>;

    /// Nothing but elections and replication. Lengthen it by one feature at a time.
    fn supports(&self) -> &'static [Feature] {
        &[]
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Sent>,
    ) -> Result<OneAtATime<Node>, BootError> {
        // Reports `Started`. `start.state` is what the disk kept: hard state, log, snapshot.
        let start = disk.recover(boot, out)?;
        let mut timer = ElectionTimer::new(boot);
        timer.set(Role::Follower);
        let node = Node {
            // Hand over boot.id, start.configuration, start.state.hard and start.state.log.
            raft: my_raft::Raft {
                hard_state: start.state.hard,
                ..my_raft::Raft::default()
            },
            reports: Reports::new(&start),
            applied: start.state.snapshot_index(),
            held: Vec::new(),
            timer,
            machine: StateMachine::new(start.service),
        };
        Ok(OneAtATime::new(node, start.next, out))
    }
}

/// A message with its label: what it is, to whom it goes, and what its sender promises.
type Sent = Envelope<my_raft::Message>;

pub(crate) struct Node {
    raft: my_raft::Raft,
    timer: ElectionTimer,
    reports: Reports,
    machine: StateMachine,
    applied: Index,
    /// Messages that wait until what was written is durable.
    held: Vec<Sent>,
}

impl Sequential for Node {
    type Message = Sent;

    fn handle(&mut self, _now_us: u64, input: Input<Sent>, out: &mut Output<Sent>) -> Next {
        match input {
            Input::Tick if self.timer.tick() => {
                self.raft.time_out();
                // A library says itself when its timer is to be set; otherwise after each message
                // of a leader, after each vote given, and here.
                self.timer.set(self.raft.role);
            }
            Input::Tick => {}
            Input::Deliver { from, message } => self.raft.receive(from, message.message),
            Input::Request(request) => match self.raft.propose(request.command.clone()) {
                Ok(()) => self.machine.take(request.client, request.sequence),
                Err(leader) => self.machine.refuse(&request, leader, out),
            },
            // Reads, operators' requests and news of the transport: plans have them only where
            // `supports` names the feature.
            _ => {}
        }
        // Before the writes: a leader that is deposed cuts off its log in the same call.
        let term = self.raft.hard_state.term;
        self.reports.role(self.raft.role, term, out);
        let actions = self.raft.take_actions();
        let mut next = Next::TakeInput;
        if let Some(hard_state) = actions.hard_state {
            out.write(Record::HardState(hard_state));
            next = Next::WaitForSync;
        }
        for (index, entry) in actions.entries {
            out.write(Record::Entry { index, entry });
            next = Next::WaitForSync;
        }
        let labelled = |(to, message)| Envelope {
            label: Label {
                to,
                // By the library's message: votes, appends, answers. A vote that is granted, and a
                // candidate's request, claim `Voted`; an append that is accepted, `Appended`.
                kind: MessageKind::Heartbeat,
                term,
                claim: Claim::Nothing,
            },
            message,
        };
        self.held.extend(actions.messages.into_iter().map(labelled));
        match next {
            Next::TakeInput => self.go_on(0, out),
            Next::WaitForSync => next,
        }
    }

    /// What was written is durable: now it may be applied, and messages may speak of it.
    fn go_on(&mut self, _now_us: u64, out: &mut Output<Sent>) -> Next {
        self.reports.commit(self.raft.commit, out);
        while self.applied < self.raft.commit {
            self.applied += 1;
            let data = self.raft.committed(self.applied);
            self.machine.apply(self.applied, &data, out);
        }
        out.send_all(std::mem::take(&mut self.held));
        Next::TakeInput
    }

    fn label(message: &Sent) -> Label {
        message.label
    }
}

fn main() -> std::process::ExitCode {
    let mine = RegisteredSubject::new("mine", "my Raft, and its adapter", Mine);
    squall::cli::main(vec![mine])
}
