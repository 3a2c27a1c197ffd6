//! Connections between nodes: what is promised to a subject that talks over them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use squall::prelude::*;
use squall_core::counters::{Counter, Counters};
use squall_core::engine::{Observer, run};
use squall_core::faults::{Crash, Intercept, OnItsWay};
use squall_core::ids::NodeId;
use squall_core::invariants::Property;
use squall_core::options::Feature;
use squall_core::plan::{LossMode, Plan, PlanSpace, Profile, What, When};
use squall_core::replica::{Claim, Message, MessageKind};
use squall_raft_rs::RaftRs;

use super::faults::{N1, N2, N3, plan_with};
use super::support::quiet_plan;

/// raft-rs over connections, which it needs not.
struct OverStreams;

impl Subject for OverStreams {
    type Replica = <RaftRs as Subject>::Replica;

    fn supports(&self) -> &'static [Feature] {
        RaftRs.supports()
    }

    fn options(&self) -> &'static [DriverOption] {
        RaftRs.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        RaftRs.known_issues()
    }

    fn uses_streams(&self) -> bool {
        true
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<RaftRs>>,
    ) -> Result<Self::Replica, BootError> {
        RaftRs.boot(boot, disk, out)
    }
}

#[test]
fn a_library_stands_the_storm_over_connections() {
    let profile = Profile::load("portfolio").unwrap();
    let subject = RegisteredSubject::new("over-streams", "raft-rs over connections", OverStreams);
    let mut counters = Counters::default();
    for seed in 0..super::support::seeds(300) {
        let plan = subject.plans(&profile).draw(seed);
        assert!(plan.streams);
        let outcome = subject.runner.run(&plan, Observer::default());
        assert_eq!(outcome.failure, None, "seed {seed}");
        counters.merge(&outcome.counters);
        if seed % 10 == 0 {
            let again = subject.runner.run(&plan, Observer::default());
            assert_eq!(again.digest, outcome.digest, "seed {seed}");
        }
    }
    for event in [
        Counter::Connected,
        Counter::Disconnected,
        Counter::MessageUnconnected,
        Counter::MessageSentAgain,
        Counter::MessageHeldInTurn,
    ] {
        assert!(counters.get(event) > 0, "{} never happens", event.name());
    }
    assert_eq!(counters.get(Counter::MessageDuplicated), 0);
}

/// What a node of [`Counting`] sends: its how-manieth on the connection.
#[derive(Clone, Debug)]
struct Numbered {
    to: NodeId,
    number: u64,
}

/// Nodes that send numbers over their connections and see that none is missing and none comes
/// twice.
struct Counting {
    nodes: u8,
    /// How many have been handed over.
    got: Rc<RefCell<u64>>,
}

struct CountingNode {
    /// By peer: how many have been sent and got on the connection that stands.
    counts: BTreeMap<NodeId, (u64, u64)>,
    peers: Vec<NodeId>,
    got: Rc<RefCell<u64>>,
}

impl Subject for Counting {
    type Replica = CountingNode;

    fn uses_streams(&self) -> bool {
        true
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Numbered>,
    ) -> Result<CountingNode, BootError> {
        disk.recover(boot, out)?;
        Ok(CountingNode {
            counts: BTreeMap::new(),
            peers: (1..=self.nodes)
                .map(NodeId)
                .filter(|id| *id != boot.id)
                .collect(),
            got: Rc::clone(&self.got),
        })
    }
}

impl Replica for CountingNode {
    type Message = Numbered;

    fn step(&mut self, _: u64, input: Input<Numbered>, out: &mut Output<Numbered>) {
        match input {
            Input::Connection { peer, stands: true } => {
                let before = self.counts.insert(peer, (0, 0));
                assert_eq!(before, None, "a second connection to {peer}");
            }
            Input::Connection { peer, .. } => {
                let ended = self.counts.remove(&peer);
                assert_ne!(ended, None, "the end of no connection to {peer}");
            }
            Input::Deliver { from, message } => {
                let (_, got) = self.counts.get_mut(&from).expect("a connection stands");
                *got += 1;
                assert_eq!(message.number, *got, "out of turn from {from}");
                *self.got.borrow_mut() += 1;
            }
            Input::Tick => {
                for to in &self.peers {
                    // Those without a connection are lost.
                    let number = self.counts.get_mut(to).map_or(0, |(sent, _)| {
                        *sent += 1;
                        *sent
                    });
                    let to = *to;
                    out.send(Numbered { to, number });
                }
            }
            Input::Unreachable { peer } => panic!("told of {peer} besides its connection"),
            _ => {}
        }
    }

    fn label(message: &Numbered) -> Label {
        Label {
            to: message.to,
            kind: MessageKind::Heartbeat,
            term: 0,
            claim: Claim::Nothing,
        }
    }
}

/// Runs `plan` over connections; says what happened, and how many messages arrived.
fn count(mut plan: Plan) -> (Counters, u64) {
    plan.streams = true;
    let got = Rc::default();
    let subject = Counting {
        nodes: plan.cluster.nodes(),
        got: Rc::clone(&got),
    };
    let outcome = run(&plan, &subject, Observer::default());
    // They elect nobody: that is all that is wrong with them.
    let failure = outcome.failure.unwrap();
    assert_eq!(
        failure.violation.property(),
        Property::Liveness,
        "{failure:?}"
    );
    let got = *got.borrow();
    (outcome.counters, got)
}

#[test]
fn nothing_is_missing_or_out_of_turn_on_a_connection_in_any_storm() {
    let profile = Profile::load("storm").unwrap();
    let space = PlanSpace {
        supports: &[],
        ..PlanSpace::new("counting", &profile)
    };
    let mut all = Counters::default();
    for seed in 0..super::support::seeds(200) {
        let mut plan = space.draw(seed);
        plan.end_us = plan.heal_us + 1_000_000;
        let voters = plan.cluster.voters;
        let (counters, got) = count(plan);
        // A node alone has nobody to talk to.
        assert!(got > 100 || voters == 1, "seed {seed}: {got}");
        all.merge(&counters);
    }
    for event in [
        Counter::MessageSentAgain,
        Counter::MessageHeldInTurn,
        Counter::Disconnected,
    ] {
        assert!(all.get(event) > 100, "{}", event.name());
    }
}

#[test]
fn a_crash_and_a_message_that_is_taken_end_connections_and_others_are_made() {
    let plain = count(quiet_plan(3)).0;
    assert_eq!(plain.get(Counter::Connected), 3);
    assert_eq!(plain.get(Counter::Disconnected), 0);

    let crash = What::from(Crash {
        node: N1,
        loss: LossMode::LoseAll,
        down_us: 200_000,
    });
    let crashed = count(plan_with(&[(When::AtUs(1_000_000), crash)])).0;
    assert_eq!(crashed.get(Counter::Connected), 5, "two again");
    assert_eq!(
        crashed.get(Counter::Disconnected),
        2,
        "each peer hears of it"
    );

    let taken = What::from(Intercept {
        from: N2,
        to: N3,
        kind: MessageKind::Heartbeat,
        nth: 1,
        then: OnItsWay::IsLost,
    });
    // One of them is on its way at some time.
    let taken: Vec<(When, What)> = (1_000_000..1_010_000)
        .step_by(100)
        .map(|at_us| (When::AtUs(at_us), taken.clone()))
        .collect();
    let taken = count(plan_with(&taken)).0;
    assert_eq!(taken.get(Counter::Connected), 4);
    assert_eq!(taken.get(Counter::Disconnected), 2, "both ends hear of it");
}
