//! What a plan, a profile or a story may ask for at all: a run's memory and time have bounds that
//! are told before it runs.

use squall_core::faults;
use std::path::Path;
use std::process::Command;

use squall_core::counters::Counter;
use squall_core::engine::Observer;
use squall_core::ids::NodeId;
use squall_core::plan::{Asked, Fault, Plan, Profile, Try, What, When, builtin_profiles};
use squall_core::service::Operation;

use super::support::{draw, quiet_plan, squall, stderr};

#[test]
fn a_log_that_begins_far_up_takes_no_more_room_than_one_that_begins_at_its_first_entry() {
    for name in ["raft-rs", "noraft", "raftbare"] {
        let mut plan = quiet_plan(3);
        plan.subject = name.to_owned();
        plan.cluster.first_term = 1;
        plan.cluster.first_index = 1 << 32;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        std::fs::write(&file, plan.to_json()).unwrap();
        // Memory beyond 256 MB aborts it.
        let run = Command::new("sh")
            .args(["-c", "ulimit -v 256000; exec \"$@\"", "sh"])
            .arg(env!("CARGO_BIN_EXE_squall"))
            .arg("replay")
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(0), "{name}: {}", stderr(&run));
    }
}

#[test]
fn a_plan_that_asks_for_too_much_is_told_what_it_comes_to() {
    type Change = fn(&mut Plan);
    let too_much: [(&str, Change); 6] = [
        ("what the run asks for is about ", |plan| {
            plan.cluster.voters = 9;
            plan.cluster.clocks = vec![plan.cluster.clocks[0]; 9];
            plan.cluster.tick_us = 100;
            plan.heal_us = 6 * 24 * 3_600 * 1_000_000;
            plan.end_us = plan.heal_us + 60_000_000;
        }),
        ("what the run asks for is about ", |plan| {
            plan.workload.clients = 10_000;
            plan.workload.think_min_us = 0;
            plan.workload.think_max_us = 1;
        }),
        ("the memory that the run asks for is about ", |plan| {
            plan.workload.padding_max_bytes = 1 << 20;
            plan.workload.think_min_us = 0;
            plan.workload.think_max_us = 50;
        }),
        ("the memory that the run asks for is about ", |plan| {
            plan.network.delay_min_us = 3_600_000_000;
            plan.network.delay_max_us = 3_600_000_000;
            plan.network.capacity = u32::MAX;
            plan.heal_us = 7_200_000_000;
            plan.end_us = plan.heal_us + 60_000_000;
        }),
        ("faults is a list of 20001", |plan| {
            let ping = r#"{"when": {"at-us": 1}, "what": {"fail-sync": {"node": 1}}}"#;
            plan.faults = vec![serde_json::from_str(ping).unwrap(); 20_001];
        }),
        ("faults[0].from is a list of 17", |plan| {
            let cut = r#"{"when": {"at-us": 1}, "what": {"cut": {"from": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1], "to": [2], "for_us": 1}}}"#;
            plan.faults = vec![serde_json::from_str(cut).unwrap()];
        }),
    ];
    for (words, change) in too_much {
        let mut plan = quiet_plan(3);
        change(&mut plan);
        let told = plan.validate().expect_err(words).to_string();
        assert!(
            told.starts_with(words) && told.contains("at most "),
            "{told}"
        );
        assert!(told.len() < 300, "{told}");
    }
}

#[test]
fn a_plan_of_replaced_disks_or_of_leases_that_cannot_be_is_told_with_the_field() {
    type Change = fn(&mut Plan);
    let impossible: [(&str, Change); 3] = [
        ("cluster.first_index is 0; it must be at least 1 ", |plan| {
            let replaced = r#"{"when": {"at-us": 1}, "what": {"replace-disk": {"node": 1, "as_learner": true, "retries": 9}}}"#;
            plan.faults = vec![serde_json::from_str(replaced).unwrap()];
        }),
        ("workload.lease_us is 0; it must be at least ", |plan| {
            plan.workload.leases_by_leader = true;
            plan.workload.lease_us = 0;
        }),
        ("script[0].operation is revoke; it must be ", |plan| {
            let revoke = r#"[{"client": 0, "operation": {"revoke": {"lock": 1, "token": 1, "renewals": 0, "blind": true}}, "around_log": false, "padding_bytes": 0, "crashes": false, "tries": [{"at_us": 5, "node": 1}]}]"#;
            plan.script = Some(serde_json::from_str(revoke).unwrap());
        }),
    ];
    for (words, change) in impossible {
        let mut plan = quiet_plan(3);
        change(&mut plan);
        let told = plan.validate().expect_err(words).to_string();
        assert!(told.starts_with(words), "{told}");
    }
}

#[test]
fn a_profile_that_can_draw_a_run_of_days_is_told_what_it_comes_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    let text =
        "extends = \"long\"\nstorm_ticks = [10_000_000, 10_000_000]\ntick_us = [5_000, 5_000]\n";
    std::fs::write(&file, text).unwrap();
    let run = squall(&["sweep", "--profile", file.to_str().unwrap(), "--seeds", "1"]);
    let told = stderr(&run);
    assert_eq!(run.status.code(), Some(2), "{told}");
    assert!(
        told.contains("what the run asks for is about ") && told.contains(" events: "),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
}

/// The longest storms that a profile of that name may ask for, in ticks.
fn longest(name: &str, file: &Path) -> Profile {
    let load = |ticks: u64| {
        let text = format!("extends = \"{name}\"\nstorm_ticks = [{ticks}, {ticks}]\n");
        std::fs::write(file, text).unwrap();
        Profile::load(file.to_str().unwrap())
    };
    let (mut legal, mut too_many) = (1, 10_000_001);
    while legal + 1 < too_many {
        let middle = u64::midpoint(legal, too_many);
        match load(middle) {
            Ok(_) => legal = middle,
            Err(_) => too_many = middle,
        }
    }
    load(legal).unwrap()
}

#[test]
fn what_a_profile_may_draw_a_plan_may_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    for (name, _) in builtin_profiles() {
        let profile = longest(name, &file);
        for seed in 0..40 {
            let plan = draw("raft-rs", &profile, seed);
            let ticks = profile.storm_ticks[1];
            assert_eq!(
                plan.validate(),
                Ok(()),
                "{name} of {ticks} ticks, seed {seed}"
            );
        }
    }
}

#[test]
fn a_story_of_a_week_is_told_that_it_is_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.sim");
    std::fs::write(&file, "cluster\nrun 6d\nheal\n----\n").unwrap();
    let run = squall(&["story", file.to_str().unwrap()]);
    let told = stderr(&run);
    assert_eq!(run.status.code(), Some(2), "{told}");
    assert!(told.contains("what the run asks for is about "), "{told}");
}

/// A second client of the same number would be answered what the first one asked.
#[test]
fn a_place_that_has_no_number_for_another_client_keeps_the_one_it_has() {
    let asked = |nth: u64| Asked {
        client: 0,
        operation: Operation::Put { key: 1, value: nth },
        around_log: false,
        padding_bytes: 0,
        tries: vec![Try {
            at_us: 10 * nth,
            node: NodeId(1),
        }],
        crashes: true,
    };
    let mut plan = quiet_plan(1);
    plan.workload.timeout_us = 1;
    plan.script = Some((1..=132_000).map(asked).collect());
    // Nobody answers.
    let what = What::Pause(faults::Pause {
        node: NodeId(1),
        for_us: plan.heal_us,
    });
    let when = When::AtUs(0);
    plan.faults = vec![Fault { when, what }];
    plan.validate().unwrap();
    let subject = squall::subject(&plan.subject).unwrap();
    let outcome = subject.runner.run(&plan, Observer::default());
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.counters.get(Counter::CommandTimedOut), 132_000);
    assert_eq!(outcome.counters.get(Counter::ClientCrashed), (1 << 17) - 1);
}
