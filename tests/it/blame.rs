//! What is a subject's doing and what is not: panics that it catches, panics of others, a stop
//! during its start.

use squall_core::faults;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use squall::prelude::*;
use squall_core::counters::Counter;
use squall_core::engine::{Moment, Observer, Outcome, of_test};
use squall_core::ids::NodeId;
use squall_core::invariants::breach::{Breach, NoPanic};
use squall_core::plan::{Fault, LossMode, Plan, What, When};
use squall_core::registry::Runner as _;
use squall_core::replica::Message;
use squall_raft_rs::RaftRs;

use super::support::quiet_plan;

type Node = <RaftRs as Subject>::Replica;

/// What the node does that is not raft-rs's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In its 20th step it panics and catches that itself.
    Catches,
    /// The same, and in its 30th it panics for good.
    CatchesThenPanics,
    /// It wants to be started again as soon as it has restarted, once.
    HaltsInBoot,
}

#[derive(Clone, Copy)]
struct Odd(Way);

struct OddNode {
    node: Node,
    way: Way,
    steps: u32,
}

impl Subject for Odd {
    type Replica = OddNode;

    fn supports(&self) -> &'static [squall_core::options::Feature] {
        squall_core::options::Feature::ALL
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<RaftRs>>,
    ) -> Result<OddNode, BootError> {
        let node = RaftRs.boot(boot, disk, out)?;
        if self.0 == Way::HaltsInBoot && boot.incarnation == 1 {
            out.halt("it does not like what it found");
        }
        Ok(OddNode {
            node,
            way: self.0,
            steps: 0,
        })
    }
}

impl Replica for OddNode {
    type Message = Message<RaftRs>;

    fn step(&mut self, now_us: u64, input: Input<Self::Message>, out: &mut Output<Self::Message>) {
        self.steps += 1;
        if self.way != Way::HaltsInBoot && self.steps == 20 {
            let caught = catch_unwind(|| panic!("caught by the subject"));
            assert!(caught.is_err());
        }
        if self.way == Way::CatchesThenPanics && self.steps == 30 {
            panic!("this one is not caught");
        }
        self.node.step(now_us, input, out);
    }

    fn label(message: &Self::Message) -> Label {
        Node::label(message)
    }
}

/// A run that whoever watches ends with a panic, once every node has caught one of its own.
fn watched(plan: &Plan, way: Way) -> Outcome {
    let mut until = |moment: &Moment<'_>| -> bool {
        assert!(moment.step < 500, "whoever watches has a mistake");
        false
    };
    let watch = Observer {
        until: Some(&mut until),
        ..Observer::default()
    };
    Odd(way).run(plan, watch)
}

fn text(unwound: &(dyn std::any::Any + Send)) -> &str {
    unwound.downcast_ref::<&str>().copied().unwrap_or_default()
}

#[test]
fn a_panic_outside_of_the_subject_is_not_blamed_on_it() {
    let plan = quiet_plan(3);
    let unwound = catch_unwind(|| watched(&plan, Way::Catches)).unwrap_err();
    assert_eq!(text(&*unwound), "whoever watches has a mistake");
}

#[test]
fn a_test_that_watches_is_blamed_for_what_it_does_and_no_node_is() {
    let plan = quiet_plan(3);
    let Err((_, Some(panic))) = of_test(|| watched(&plan, Way::Catches)) else {
        panic!("it ran on");
    };
    assert_eq!(panic.message, "whoever watches has a mistake");
}

/// A plan that is not valid, and that nobody has looked at: the engine itself panics.
fn invalid() -> Plan {
    let mut plan = quiet_plan(3);
    plan.faults = vec![Fault {
        when: When::AtUs(1_000_000),
        what: What::Crash(faults::Crash {
            node: NodeId(9),
            loss: LossMode::LoseAll,
            down_us: 100_000,
        }),
    }];
    plan
}

#[test]
fn a_panic_of_the_engine_is_blamed_on_nobody_else() {
    let plan = invalid();
    let run = || Odd(Way::Catches).run(&plan, Observer::default());
    assert!(catch_unwind(run).is_err());
    let reported = Cell::new(false);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let done = of_test(run);
        reported.set(done.is_err());
    }));
    assert!(unwound.is_err());
    assert!(!reported.get(), "it was taken for a panic of the test");
}

#[test]
fn of_a_subjects_panics_the_one_that_is_told_is_the_one_that_it_did_not_catch() {
    let outcome = Odd(Way::CatchesThenPanics).run(&quiet_plan(3), Observer::default());
    let violation = outcome.failure.unwrap().violation;
    let Breach::NoPanic(NoPanic::Panicked { panic }) = violation.breach else {
        panic!("{violation}");
    };
    assert_eq!(panic.message, "this one is not caught");
    assert_eq!(panic.place.unwrap().file, "blame.rs");
}

#[test]
fn a_subject_that_catches_its_panics_runs_clean() {
    let outcome = Odd(Way::Catches).run(&quiet_plan(3), Observer::default());
    assert_eq!(outcome.failure, None);
}

#[test]
fn a_node_that_wants_to_stop_while_it_starts_is_stopped_and_started_again() {
    let mut plan = quiet_plan(3);
    plan.faults = vec![Fault {
        when: When::AtUs(1_000_000),
        what: What::Crash(faults::Crash {
            node: NodeId(2),
            loss: LossMode::LoseAll,
            down_us: 100_000,
        }),
    }];
    let outcome = Odd(Way::HaltsInBoot).run(&plan, Observer::default());
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.counters.get(Counter::Halt), 1);
    assert_eq!(outcome.counters.get(Counter::Restart), 2);
    assert_eq!(outcome.nodes[1].incarnation, 2);
}
