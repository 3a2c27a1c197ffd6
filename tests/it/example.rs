//! `examples/bring_your_own.rs`, as its reader would find it.

use squall::prelude::*;
use squall_core::engine::Observer;
use squall_core::invariants::Property;
use squall_core::own::{KnownIssue, OptionValue, OwnOptions, check_issues};
use squall_core::plan::{Plan, Profile, builtin_profiles};
use squall_core::registry::RegisteredSubject;
use squall_explore::shard::Shard;
use squall_explore::strategy::Strategy as _;
use squall_explore::sweep::Sweep;
use squall_proptest::Drawn;

#[allow(dead_code)] // Its main.
#[path = "../../examples/bring_your_own.rs"]
mod bring_your_own;

#[allow(dead_code)] // Its main.
#[path = "../../examples/known_issues.rs"]
mod known_issues;

#[allow(dead_code)] // Its main.
#[path = "../../examples/skeleton.rs"]
mod skeleton;

#[test]
fn the_skeleton_runs_and_is_told_that_nobody_leads() {
    let mine = RegisteredSubject::new("mine", "", skeleton::Mine);
    let plan = mine.plans(&Profile::load("calm").unwrap()).draw(0);
    let failure = mine.runner.run(&plan, Observer::default()).failure.unwrap();
    assert_eq!(failure.violation.property(), Property::Liveness);
}

#[test]
fn a_driver_of_ones_own_passes_the_storm() {
    let mine = RegisteredSubject::new("mine", "", bring_your_own::Mine);
    let sweep = Sweep {
        subject: &mine,
        profile: &Profile::load("storm").unwrap(),
        strategy: squall_explore::strategy::Kind::Swarm,
        coverage: false,
        corpus: Vec::new(),
        seeds: 0..super::support::seeds(1_000),
        shard: Shard::WHOLE,
        jobs: 2,
        time_limit: None,
        keep_going: true,
        stop: &false.into(),
        lookout: None,
    };
    let swept = sweep.run(|_| {});
    let first = swept
        .findings
        .first()
        .map(|found| found.failure.to_string());
    assert_eq!(first, None);
    assert!(swept.missing.is_empty(), "never saw {:?}", swept.missing);
}

#[test]
fn it_is_as_short_as_the_readme_says() {
    let text = std::fs::read_to_string(super::support::root().join("examples/bring_your_own.rs"));
    let lines = text.unwrap().lines().count();
    assert!(lines < 100, "{lines} lines");
}

#[test]
fn options_of_ones_own_are_drawn_and_known_issues_are_kept_clear_of() {
    let mine = RegisteredSubject::new("mine", "", known_issues::Mine);
    let plans = |profile: &str| {
        let profile = Profile::load(profile).unwrap();
        let space = mine.plans(&profile);
        (0..200).map(|seed| space.draw(seed)).collect::<Vec<_>>()
    };
    let storm = plans("storm");
    let sized = storm
        .iter()
        .filter_map(|plan| plan.driver.number("append-bytes"));
    assert!((60..140).contains(&sized.count()));
    assert!(storm.iter().all(|plan| !plan.driver.flag("lazy-sync")));
    let lazy = |plan: &&Plan| plan.driver.flag("lazy-sync");
    assert!((40..120).contains(&plans("findings").iter().filter(lazy).count()));
    squall::check(known_issues::Mine).seeds(200).run();
}

#[test]
fn plans_of_proptest_have_options_of_ones_own_too() {
    let own = RegisteredSubject::new("mine", "", known_issues::Mine)
        .runner
        .own();
    let drawn = |profile: &str| {
        let drawn = Drawn {
            plans: squall_proptest::plan().for_subject("mine", Feature::ALL),
            own,
            profile: Profile::load(profile).unwrap(),
        };
        (0..100).map(move |seed| drawn.plan(seed))
    };
    assert!(drawn("storm").any(|plan| plan.driver.number("append-bytes").is_some()));
    assert!(drawn("storm").all(|plan| !plan.driver.flag("lazy-sync")));
    assert!(drawn("findings").any(|plan| plan.driver.flag("lazy-sync")));
}

#[test]
fn known_issues_of_ones_own_are_still_found_and_shrink_to_their_trigger() {
    squall::check(known_issues::Mine)
        .seeds(500)
        .find_known_issues();
    let kept = tempfile::tempdir().unwrap();
    let found = squall::check(known_issues::Mine)
        .profile("findings")
        .regressions(kept.path())
        .seeds(500)
        .try_run()
        .unwrap_err()
        .to_string();
    assert!(found.contains("durable"), "{found}");
    assert!(found.contains("\n  lazy-sync = true\n"), "{found}");
    let files = std::fs::read_dir(kept.path()).unwrap();
    let plans: Vec<Plan> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| Plan::read(&path).unwrap())
        .collect();
    let lazy = OwnOptions::from([("lazy-sync".to_owned(), OptionValue::Flag(true))]);
    assert!(!plans.is_empty());
    for plan in &plans {
        assert_eq!(plan.driver.own, lazy);
    }
    // An option that the driver no longer has is not passed over.
    let mut plan = plans[0].clone();
    plan.driver.set_flag("given-up", true);
    let older = tempfile::tempdir().unwrap();
    std::fs::write(older.path().join("older.json"), plan.to_json()).unwrap();
    let again = squall::check(known_issues::Mine).regressions(older.path());
    let told = again.seeds(1).try_run().unwrap_err().to_string();
    let wrong = "driver.own.given-up is true; legal: append-bytes, lazy-sync";
    assert!(told.contains(wrong), "{told}");
}

#[test]
fn an_issue_that_is_no_longer_there_is_told() {
    struct Mended;
    const LEFT_OVER: KnownIssue = KnownIssue::new("left-over", "was mended", &["liveness"]);
    impl Subject for Mended {
        type Replica = <bring_your_own::Mine as Subject>::Replica;

        fn known_issues(&self) -> &'static [KnownIssue] {
            &[LEFT_OVER]
        }

        fn boot(
            &self,
            boot: &BootContext<'_>,
            disk: Recovered,
            out: &mut Output<<Self::Replica as Replica>::Message>,
        ) -> Result<Self::Replica, BootError> {
            bring_your_own::Mine.boot(boot, disk, out)
        }
    }
    let failed = squall::check(Mended).seeds(20).try_find_known_issues();
    let words = failed.unwrap_err().to_string();
    assert!(
        words.contains("left-over was not found in 20 runs"),
        "{words}"
    );
}

#[test]
fn what_a_subject_does_not_declare_is_an_error_that_names_what_it_does() {
    let own = RegisteredSubject::new("mine", "", known_issues::Mine)
        .runner
        .own();
    let value = |text: &str| serde_json::from_str(text).unwrap();
    let told = |text: &str| {
        own.check_options(&value(text))
            .map_err(|error| error.to_string())
    };
    assert_eq!(told(r#"{"append-bytes": 7, "lazy-sync": true}"#), Ok(()));
    let wrong = told(r#"{"apend-bytes": 7}"#).unwrap_err();
    assert_eq!(
        wrong,
        "driver.own.apend-bytes is 7; legal: append-bytes, lazy-sync"
    );
    let wrong = told(r#"{"append-bytes": 70000}"#).unwrap_err();
    assert_eq!(wrong, "driver.own.append-bytes is 70000; legal: 0 to 65536");
    let wrong = told(r#"{"lazy-sync": 1}"#).unwrap_err();
    assert_eq!(wrong, "driver.own.lazy-sync is 1; legal: true or false");
    let wrong = check_issues(own.issues, ["sends-befor-sync"])
        .unwrap_err()
        .to_string();
    assert_eq!(
        wrong,
        "known-issues is sends-befor-sync; legal: sends-before-sync"
    );
}

#[test]
fn a_program_with_one_subject_takes_every_profile_that_is_built_in() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    for (name, _) in builtin_profiles() {
        let mine = RegisteredSubject::new("mine", "", known_issues::Mine);
        let arguments = ["mine", "sweep", "--profile", name, "--seeds", "0..2"];
        let arguments = arguments.into_iter().chain(["--no-shrink", "--out", out]);
        let status = squall::cli::run(vec![mine], arguments.map(Into::into));
        assert!(status < 2, "{name}");
    }
}

#[test]
fn a_misspelt_known_issue_in_a_profile_of_ones_own_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    for table in ["known-issues", "findings"] {
        let text = format!("extends = \"storm\"\n[{table}]\nsends-befor-sync = true\n");
        std::fs::write(&path, text).unwrap();
        let check = squall::check(known_issues::Mine).profile(path.to_str().unwrap());
        let told = check.try_run().unwrap_err().to_string();
        let wrong = "known-issues is sends-befor-sync; legal: sends-before-sync";
        assert!(told.ends_with(wrong), "{told}");
    }
}

/// What a stranger writes who has the facade alone: a strategy that learns, and a bug for a driver.
mod through_the_facade {
    use squall::coverage::Map;
    use squall::explore::strategy::{Feedback, Strategy};
    use squall::plan::{Plan, PlanSpace};

    pub(super) struct Longest<'a> {
        pub(super) space: PlanSpace<'a>,
        pub(super) steps: u64,
    }

    impl Strategy for Longest<'_> {
        fn plan(&self, seed: u64) -> Plan {
            self.space.draw(seed)
        }

        fn learns(&self) -> bool {
            true
        }

        fn learn(&mut self, runs: &[Feedback], map: &Map) -> Vec<usize> {
            assert!(map.states() > 0);
            let longest = runs.iter().map(|run| run.steps).max();
            self.steps = self.steps.max(longest.unwrap_or(0));
            Vec::new()
        }
    }
}

#[test]
fn a_strategy_that_learns_is_written_against_the_facade() {
    let subject = squall::subject("noraft").unwrap();
    let profile = Profile::load("smoke").unwrap();
    let mut longest = through_the_facade::Longest {
        space: subject.plans(&profile),
        steps: 0,
    };
    let sweep = squall::explore::sweep::Sweep {
        subject: &subject,
        profile: &profile,
        strategy: squall::explore::strategy::Kind::Swarm,
        coverage: false,
        corpus: Vec::new(),
        seeds: 0..64,
        shard: squall::explore::shard::Shard::WHOLE,
        jobs: 1,
        time_limit: None,
        keep_going: false,
        stop: &false.into(),
        lookout: None,
    };
    let swept = sweep.run_with(&mut longest, |_| {});
    assert!(longest.steps > 100 && swept.findings.is_empty());
}

#[test]
fn why_a_test_failed_is_a_value() {
    use squall::invariants::Property;
    use squall::testing::Reason;
    let kept = tempfile::tempdir().unwrap();
    let subject = squall::subject("raft-rs+skip-fsync").unwrap();
    let check = || {
        let injected = squall::bugs::Injected {
            subject: squall::raft_rs::RaftRs,
            bug: squall::bugs::Bug::SkipFsync,
        };
        squall::check(injected)
            .named("lazy")
            .regressions(kept.path())
    };
    let failed = check().seeds(4).try_run().unwrap_err();
    let Reason::Violation { failure, plan } = failed.reason() else {
        panic!("{failed}");
    };
    assert_eq!(failure.violation.property(), Property::AckBeforeDurable);
    let again = subject
        .runner
        .run(plan, Default::default())
        .failure
        .unwrap();
    assert!(failure.violation.is_like(&again.violation));
    let failed = check().profile("strom").try_run().unwrap_err();
    assert_eq!(failed.reason(), &Reason::Refused);
}
