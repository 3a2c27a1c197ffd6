//! The strategies of proptest: what they draw and what it shrinks to, and this crate's own
//! properties tested with them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest as _};
use squall::testing::check;
use squall::testing::machine::{Cluster, Reference};
use squall_core::bugs::{Bug, Injected};
use squall_core::engine::{Observer, Outcome};
use squall_core::options::Feature;
use squall_core::plan::{FaultKind, Plan, PlanSpace, Profile, builtin_profiles};
use squall_core::registry::Runner;
use squall_explore::shrink::Shrinker;
use squall_noraft::Noraft;
use squall_proptest::{
    Plans, changes, crashes, cuts, faults, faults_of, network, options, plan, rots, splits,
    workload,
};
use squall_raft_rs::RaftRs;

fn everything() -> Plans {
    plan()
        .with_nodes(1..=7)
        .with_faults(faults(0..14).and(crashes(0..3)))
        .with_faults(splits(0..2))
        .with_membership(changes(0..5))
        .with_options(options())
        .with_network(network())
        .with_workload(workload())
}

/// Everything there is a number for, at its ends.
fn limits() -> Plans {
    plan()
        .with_nodes(1..=5)
        .with_storm_us(100_000..=500_000)
        .with_faults(crashes(0..3).and(cuts(0..3)))
        .with_membership(changes(0..3))
        .at_limits(0..5)
}

fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

/// The same values each time.
fn runner(number: u32) -> TestRunner {
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(cases(number), random)
}

fn supported() -> [&'static [Feature]; 3] {
    let noraft = Runner::supports(&Noraft);
    [Feature::ALL, noraft, &[]]
}

fn count(plan: &Plan, kind: FaultKind) -> usize {
    plan.faults
        .iter()
        .filter(|fault| fault.what.kind() == kind)
        .count()
}

/// Of a kind that has no strategy of its own here, too: whoever adds one writes none.
#[test]
fn each_kind_of_fault_is_drawn_and_shrinks_by_what_the_kind_itself_says() {
    for kind in FaultKind::ALL
        .iter()
        .filter(|kind| !matches!(kind, FaultKind::Change | FaultKind::ReplaceDisk))
    {
        let plans = plan().with_nodes(3..=5).with_faults(faults_of(*kind, 1));
        let mut runner = runner(20);
        let mut drawn = 0;
        let mut shrunk = 0;
        for _ in 0..20 {
            let mut tree = plans.new_tree(&mut runner).unwrap();
            drawn += count(&tree.current(), *kind);
            while tree.simplify() {
                let plan = tree.current();
                assert_eq!(plan.validate().map_err(|error| error.to_string()), Ok(()));
                shrunk += 1;
            }
        }
        assert!(drawn > 10, "{kind:?}: {drawn}");
        assert!(shrunk > 20, "{kind:?}: {shrunk}");
    }
}

#[test]
fn every_plan_that_is_drawn_and_every_one_it_shrinks_to_can_be_carried_out() {
    let drawn = [everything().with_faults(rots(0..4)), limits()];
    for (plans, supports) in drawn
        .iter()
        .flat_map(|plans| supported().map(|supports| (plans, supports)))
    {
        let plans = plans.clone().for_subject("any", supports);
        let mut runner = TestRunner::deterministic();
        for round in 0..150u32 {
            let mut tree = plans.new_tree(&mut runner).unwrap();
            tree.current().validate().unwrap();
            // Now this way, now that, as failures would have it.
            for step in 0..60u32 {
                let goes_on = match (round + step) % 3 {
                    0 => tree.complicate(),
                    _ => tree.simplify(),
                };
                tree.current().validate().unwrap();
                if !goes_on && step % 3 != 0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn strategies_compose() {
    let plans = plan().with_faults(crashes(1..4)).with_nodes(3..=5);
    let both = plans.clone().with_faults(cuts(2).and(splits(1)));
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let one = plans.new_tree(&mut runner).unwrap().current();
        assert!((3..=5).contains(&one.cluster.voters), "{one:?}");
        assert!(
            (1..4).contains(&one.faults.len()) && count(&one, FaultKind::Crash) == one.faults.len()
        );
        let other = both.new_tree(&mut runner).unwrap().current();
        assert_eq!(
            (
                count(&other, FaultKind::Cut),
                count(&other, FaultKind::Split)
            ),
            (2, 1)
        );
        assert!(count(&other, FaultKind::Crash) > 0);
    }
    let changing = plan().with_membership(changes(4));
    let changing: Vec<Plan> = (0..50)
        .map(|_| changing.new_tree(&mut runner).unwrap().current())
        .collect();
    assert!(
        changing
            .iter()
            .any(|plan| count(plan, FaultKind::Change) > 2)
    );
}

#[test]
fn a_plan_shrinks_by_its_parts_and_its_minimum_is_saved_and_fails_alike() {
    let folder = tempfile::tempdir().unwrap();
    let subject = || Injected {
        subject: RaftRs,
        bug: Bug::SkipFsync,
    };
    let plans = || {
        everything()
            .with_nodes(3..=5)
            .with_membership(changes(0..1))
    };
    let check = || {
        check(subject())
            .named("raft-rs+skip-fsync")
            .regressions(folder.path())
    };
    let failed = check()
        .shrink_for(Duration::ZERO)
        .try_run_plans(plans())
        .unwrap_err()
        .to_string();
    assert!(failed.contains("ack-before-durable"), "{failed}");
    let file = failed
        .lines()
        .find_map(|line| line.strip_prefix("plan       "))
        .unwrap();
    let minimum = Plan::read(file.as_ref()).unwrap();
    assert_eq!(minimum.faults, [], "{failed}");
    assert_eq!(
        (minimum.cluster.voters, &minimum.raft),
        (3, &Default::default())
    );
    let fails = |plan: &Plan, subject: &dyn Runner| {
        subject.run(plan, Observer::default()).failure.is_some()
    };
    assert!(fails(&minimum, &subject()) && !fails(&minimum, &RaftRs));
    // It is what the next run begins with, and this crate's own shrinker makes it smaller still.
    assert!(
        check()
            .try_run_plans(plans())
            .unwrap_err()
            .to_string()
            .starts_with("regression ")
    );
    std::fs::remove_file(file).unwrap();
    let smaller = check().try_run_plans(plans()).unwrap_err().to_string();
    assert!(smaller.contains("shrunk from 0 faults, "), "{smaller}");
    assert!(Plan::read(file.as_ref()).unwrap().cluster.voters < 3);
}

#[test]
fn honest_subjects_pass_whatever_is_drawn() {
    let seeds = super::support::seeds(150);
    check(RaftRs)
        .named("raft-rs")
        .seeds(seeds)
        .run_plans(everything());
    check(Noraft)
        .named("noraft")
        .seeds(seeds)
        .run_plans(everything());
}

#[test]
fn honest_subjects_pass_at_the_limits_of_every_option() {
    let seeds = super::support::seeds(60);
    check(RaftRs)
        .named("raft-rs")
        .seeds(seeds)
        .run_plans(limits());
    check(Noraft)
        .named("noraft")
        .seeds(seeds)
        .run_plans(limits());
}

#[test]
fn a_plan_is_the_same_after_a_round_trip_through_its_file() {
    let profiles: Vec<Profile> = builtin_profiles()
        .iter()
        .map(|(name, _)| Profile::load(name).unwrap())
        .collect();
    let drawn = (0..profiles.len(), any::<u64>())
        .prop_map(move |(profile, seed)| super::support::draw("raft-rs", &profiles[profile], seed));
    let any_plan = prop_oneof![drawn, everything()];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let test = |plan: Plan| {
        std::fs::write(&path, plan.to_json()).unwrap();
        let again = Plan::read(&path).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&again, &plan);
        prop_assert_eq!(again.to_json(), plan.to_json());
        Ok(())
    };
    runner(300).run(&any_plan, test).unwrap();
}

#[test]
fn the_generator_never_makes_an_invalid_plan() {
    let names = builtin_profiles().map(|(name, _)| name);
    let profiles = names.map(|name| Profile::load(name).unwrap());
    let any_plan = (0..profiles.len(), 0..supported().len(), any::<u64>());
    let test = |(profile, lack, seed): (usize, usize, u64)| {
        let plan = PlanSpace {
            supports: supported()[lack],
            ..PlanSpace::new("any", &profiles[profile])
        }
        .draw(seed);
        prop_assert_eq!(
            plan.validate(),
            Ok(()),
            "seed {} of {}",
            seed,
            names[profile]
        );
        Ok(())
    };
    runner(3_000).run(&any_plan, test).unwrap();
}

#[test]
fn whatever_fails_shrinks_to_a_plan_that_fails_alike() {
    let bugs = [
        Bug::SkipFsync,
        Bug::TakeStaleTokens,
        Bug::ReadLocally,
        Bug::ApplyRetries,
    ];
    let test = |(bug, seed): (usize, u64)| {
        let name = format!("raft-rs+{}", bugs[bug].name());
        let subject = squall::subject(&name).unwrap();
        let plan = subject.plans(&Profile::load("smoke").unwrap()).draw(seed);
        let Some(failure) = subject.runner.run(&plan, Observer::default()).failure else {
            return Err(TestCaseError::reject("it does not fail"));
        };
        let shrinker = Shrinker {
            subject: &subject,
            jobs: 1,
            time_limit: None,
            stop: &false.into(),
            hangs: None,
        };
        let shrunk = shrinker.run(&plan, &mut |_| ()).unwrap();
        prop_assert_eq!(shrunk.plan.validate(), Ok(()));
        let again = subject
            .runner
            .run(&shrunk.plan, Observer::default())
            .failure;
        prop_assert_eq!(again.as_ref(), Some(&shrunk.failure));
        prop_assert_eq!(
            shrunk.failure.violation.property(),
            failure.violation.property()
        );
        prop_assert!(
            shrunk.after.faults <= shrunk.before.faults
                && shrunk.after.nodes <= shrunk.before.nodes
        );
        Ok(())
    };
    runner(6).run(&(0..bugs.len(), any::<u64>()), test).unwrap();
}

/// raft-rs with a service that a retry applies to twice, where `Default` is what is asked for.
#[derive(Default)]
struct Repeats;

impl Runner for Repeats {
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        let subject = Injected {
            subject: RaftRs,
            bug: Bug::ApplyRetries,
        };
        subject.run(plan, watch)
    }

    fn supports(&self) -> &'static [Feature] {
        Runner::supports(&RaftRs)
    }

    fn own(&self) -> squall_core::own::Own {
        RaftRs.own()
    }
}

proptest_state_machine::prop_state_machine! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_cluster_of_raft_rs_answers_as_the_service_alone(sequential 1..20 => Cluster<RaftRs>);

    #[test]
    fn a_cluster_of_noraft_answers_as_the_service_alone(sequential 1..12 => Cluster<Noraft>);
}

#[test]
fn a_cluster_that_answers_otherwise_is_told_with_its_smallest_plan() {
    let moves = Reference::sequential_strategy(1..30);
    let failed = runner(256).run(&moves, |(alone, moves, seen)| {
        let run = || Cluster::<Repeats>::test_sequential(cases(1), alone, moves, seen);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
            .map_err(|panic| TestCaseError::fail(panic.downcast_ref::<String>().unwrap().clone()))
    });
    let Err(TestError::Fail(reason, (_, moves, _))) = failed else {
        panic!("it is not told: {failed:?}");
    };
    let text = reason.to_string();
    assert!(moves.len() <= 10, "{moves:?}");
    let file = text
        .lines()
        .find_map(|line| line.strip_prefix("plan       "))
        .unwrap();
    let minimum = Plan::read(file.as_ref()).unwrap();
    assert!(
        Repeats.run(&minimum, Observer::default()).failure.is_some(),
        "{text}"
    );
    std::fs::remove_dir_all(super::support::root().join("squall-regressions/it")).unwrap();
    let _ = std::fs::remove_dir(super::support::root().join("squall-regressions"));
}
