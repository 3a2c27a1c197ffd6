//! Squall in the `cargo test` of other crates: the builder, the attribute, the environment, the
//! folder of regressions. `tests/fixture` is such a crate; what it fails with is run again by the
//! very command it prints.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use squall::testing::{Check, check};
use squall_raft_rs::RaftRs;

use super::support::{root, stderr, stdout};

const TEST: &str = "tests::my_raft_survives";

fn fixture() -> PathBuf {
    root().join("tests/fixture")
}

/// A command as someone would type it in the project's folder, built beforehand and without a
/// network.
fn shell(command: &str, variables: &[(&str, &str)]) -> Output {
    let mut shell = Command::new("bash");
    shell.args(["-c", command]).current_dir(root());
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("SQUALL_") || name.starts_with("NEXTEST"))
    {
        shell.env_remove(name);
    }
    shell
        .env_remove("RUST_BACKTRACE")
        .env("CARGO_NET_OFFLINE", "true");
    shell.envs(variables.iter().copied()).output().unwrap()
}

/// The first line with `begin`, from there on.
fn line_of<'a>(text: &'a str, begin: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(begin));
    line.unwrap_or_else(|| panic!("no line begins with {begin:?}:\n{text}"))
}

#[test]
fn a_failing_test_of_another_crate_is_repeated_by_the_command_it_prints_and_by_its_next_run() {
    let kept = fixture().join("squall-regressions");
    let _ = std::fs::remove_dir_all(&kept);
    let bug = [("FIXTURE_BUG", "skip-fsync")];
    let whole = format!("cargo test -p squall-fixture {TEST} -- --exact");

    let first = shell(&whole, &bug);
    let text = stdout(&first);
    assert_eq!(first.status.code(), Some(101), "{text}{}", stderr(&first));
    let head = line_of(
        &text,
        "seed 0 of MyRaft under portfolio: ack-before-durable: ",
    );
    let page = line_of(&text, "VIOLATION ack-before-durable: ");
    let repeat = line_of(&text, "reproduce  ");
    assert_eq!(repeat, format!("reproduce  SQUALL_SEED=0 {whole}"));
    // Nothing comes after it but what the harness says of every panic.
    let end = format!("{repeat}\n\nnote: run with `RUST_BACKTRACE=1`");
    assert!(text.contains(&end), "{text}");

    let again = shell(&repeat["reproduce  ".len()..], &bug);
    let said = stdout(&again);
    assert_eq!(again.status.code(), Some(101), "{said}");
    assert_eq!(line_of(&said, "seed 0 of "), head);
    assert_eq!(line_of(&said, "VIOLATION "), page);
    assert_eq!(line_of(&said, "reproduce  "), repeat);

    let file = kept.join("squall_fixture/tests.my_raft_survives/ack-before-durable-seed-0.json");
    let next = shell(&whole, &bug);
    let said = stdout(&next);
    assert_eq!(next.status.code(), Some(101), "{said}");
    let begin = format!("regression {}: ack-before-durable: ", file.display());
    line_of(&said, &begin);
    assert_eq!(line_of(&said, "VIOLATION "), page);
    assert_eq!(line_of(&said, "reproduce  "), format!("reproduce  {whole}"));

    let honest = shell(&format!("{whole} --nocapture"), &[]);
    assert!(honest.status.success(), "{}", stdout(&honest));
    assert!(stdout(&honest).contains(&format!("{TEST}: 64 runs of MyRaft under portfolio, ")));

    let plan = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, plan.replacen("\"version\": 2", "\"version\": 1", 1)).unwrap();
    let old = stdout(&shell(&whole, &[]));
    let line = line_of(&old, "squall: a regression cannot be replayed: ");
    assert!(
        line.contains(
            "is of version 1; this build reads version 2; replay it with the version that wrote it"
        ),
        "{line}"
    );

    std::fs::remove_file(&file).unwrap();

    // One seed is that seed, and nothing else.
    let one = shell(
        &format!("{whole} --nocapture"),
        &[("SQUALL_SEED", "0x11"), ("SQUALL_SEDS", "9")],
    );
    assert!(one.status.success(), "{}", stdout(&one));
    assert!(stdout(&one).contains(": 1 runs of MyRaft"));
    let warned = stderr(&one);
    assert!(
        warned.contains("squall: warning: nothing reads SQUALL_SEDS (did you mean \"SQUALL_SEED"),
        "{warned}"
    );
    let twice = [("SQUALL_CHECK_DETERMINISM", "1"), ("SQUALL_SEEDS", "5..9")];
    let moody = [&twice[..], &[("FIXTURE_MOOD", "7")]].concat();
    let same = shell(&whole, &twice);
    assert!(same.status.success(), "{}", stdout(&same));
    let said = stdout(&shell(&whole, &moody));
    line_of(&said, "two runs of seed 7 differ first at step ");
    let repeat = line_of(
        &said,
        "reproduce  SQUALL_SEED=7 SQUALL_CHECK_DETERMINISM=1 cargo test ",
    );
    let said = stdout(&shell(&repeat["reproduce  ".len()..], &moody[2..]));
    line_of(&said, "two runs of seed 7 differ first at step ");
    let wrong = stdout(&shell(&whole, &[("SQUALL_JOBS", "many")]));
    line_of(
        &wrong,
        "squall: SQUALL_JOBS: \"many\" is not legal; legal: 1 to 1024",
    );
    std::fs::remove_dir_all(&kept).unwrap();
}

#[test]
fn it_works_under_nextest_too() {
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .output();
    if !nextest.is_ok_and(|output| output.status.success()) {
        println!("cargo-nextest is not installed: nothing is tested here");
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let out_name = out.path().to_str().unwrap();
    let run = shell(
        "cargo nextest run -p squall-fixture --no-fail-fast a_leader_is_elected_soon it_survives",
        &[("FIXTURE_HASTE", "1"), ("SQUALL_OUT", out_name)],
    );
    let text = stderr(&run);
    assert_eq!(run.status.code(), Some(100), "{text}");
    let of_test = text
        .lines()
        .map(str::trim_start)
        .collect::<Vec<_>>()
        .join("\n");
    line_of(
        &of_test,
        "seed 40 of MyRaft under calm: no-panic: the test panicked: it took ",
    );
    let repeat = line_of(&of_test, "reproduce  ");
    assert_eq!(
        repeat,
        format!(
            "reproduce  SQUALL_SEED=40 SQUALL_OUT={out_name} cargo test -p squall-fixture tests::a_leader_is_elected_soon -- --exact"
        )
    );
    assert!(
        out.path()
            .join("squall_fixture/tests.a_leader_is_elected_soon/no-panic-seed-40.json")
            .is_file()
    );
    assert!(
        !fixture()
            .join("squall-regressions/squall_fixture/tests.a_leader_is_elected_soon")
            .exists()
    );
    assert!(text.contains("2 tests run: 1 passed, 1 failed"), "{text}");
}

#[test]
fn a_test_of_an_honest_subject_passes_and_is_the_same_with_any_number_of_jobs() {
    let run = |jobs| {
        check(RaftRs)
            .profile("smoke")
            .seeds(7..90)
            .jobs(jobs)
            .sometimes(["crash"])
            .run()
    };
    let [one, three] = [1, 3].map(run);
    assert_eq!((one.runs, one.digest), (83, three.digest));
}

#[test]
fn the_first_failure_in_the_order_of_seeds_is_the_one_that_counts() {
    let said = [1, 3].map(|jobs| {
        let folder = tempfile::tempdir().unwrap();
        let check = check(RaftRs)
            .named("mine")
            .jobs(jobs)
            .regressions(folder.path());
        let failed = check.shrink_for(Duration::ZERO).try_run_each(|sim| {
            let seed = sim.seed();
            sim.run();
            assert!(seed < 11 || seed.is_multiple_of(5), "seed {seed}");
        });
        let folder = folder.path().to_str().unwrap();
        failed.unwrap_err().to_string().replace(folder, "DIR")
    });
    assert_eq!(said[0], said[1]);
    assert!(
        said[0]
            .starts_with("seed 11 of mine under portfolio: no-panic: the test panicked: seed 11 "),
        "{}",
        said[0]
    );
    assert!(
        said[0].contains("\nplan       DIR/no-panic-seed-11.json\npage       ")
            && said[0].contains("/no-panic-seed-11.html\nreproduce  SQUALL_SEED=11 "),
        "{}",
        said[0]
    );
}

#[test]
fn what_a_body_asserts_is_a_failure_that_is_shrunk_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let failed = check(RaftRs)
        .regressions(folder.path())
        .seeds(50)
        .try_run_each(|sim| {
            sim.note(format!("seed {} it is", sim.seed()));
            let run = sim.run();
            assert!(run.count("crash") < 2, "it crashed twice");
        });
    let text = failed.unwrap_err().to_string();
    assert!(
        text.contains(": no-panic: the test panicked: it crashed twice (testing.rs:"),
        "{text}"
    );
    assert!(text.contains("to 2 faults, "), "{text}");
    assert!(text.contains("note: seed "), "{text}");
    // The next run begins with it, and goes on when the assertion is another.
    let again = |most| {
        let next = check(RaftRs).regressions(folder.path()).seeds(1);
        next.try_run_each(move |sim| assert!(sim.run().count("crash") < most, "it crashed twice"))
    };
    assert!(again(2).unwrap_err().to_string().starts_with("regression "));
    assert_eq!(again(1_000).unwrap().runs, 1);
}

#[test]
fn a_body_may_change_plans_and_end_runs_early() {
    let summary = check(RaftRs).seeds(20).run_each(|sim| {
        let voters = sim.plan().cluster.voters;
        let sim = sim.with(|plan| plan.faults.clear());
        assert!(sim.plan().faults.is_empty() && sim.plan().cluster.voters == voters);
        let run = sim.run_until(|now| now.nodes.iter().any(|node| node.commit > 5));
        assert_eq!(run.met(), run.nodes().iter().any(|node| node.commit > 5));
    });
    assert_eq!(
        summary.counters.get(squall_core::counters::Counter::Crash),
        0
    );
    let folder = tempfile::tempdir().unwrap();
    let failed = check(RaftRs)
        .regressions(folder.path())
        .seeds(1)
        .try_run_each(|sim| {
            sim.run_until(|now| {
                assert!(now.step < 30, "thirty steps");
                false
            });
        });
    let text = failed.unwrap_err().to_string();
    assert!(
        text.starts_with(
            "seed 0 of RaftRs under portfolio: no-panic: the test panicked: thirty steps (testing.rs:"
        ),
        "{text}"
    );
    assert!(text.contains("(step 30, "), "{text}");
}

#[test]
fn what_cannot_be_asked_of_a_test_is_told() {
    let told = |check: Check<RaftRs>| check.seeds(2).try_run().unwrap_err().to_string();
    assert!(
        told(check(RaftRs).profile("strom"))
            .contains("unknown profile \"strom\" (did you mean \"storm\"?)")
    );
    assert!(
        told(check(RaftRs).sometimes(["crush"]))
            .contains("unknown event \"crush\" (did you mean \"crash\"?)")
    );
    assert!(
        told(check(RaftRs).profile("calm").sometimes(["crash"]))
            .contains("what is required never happened: crash\n\nreproduce  ")
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.json"), "{").unwrap();
    assert!(
        told(check(RaftRs).regressions(folder.path()))
            .contains("a regression cannot be replayed: plan ")
    );
    let idle = check(RaftRs)
        .regressions(folder.path().join("none"))
        .try_run_each(|_| ());
    assert!(
        idle.unwrap_err()
            .to_string()
            .contains("the test does not run its simulation")
    );
    let none = check(RaftRs).seeds(0).try_run().unwrap_err().to_string();
    assert!(none.contains("hold no seed"), "{none}");
}

#[test]
fn a_body_that_goes_by_something_else_than_its_plan_is_told_of_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let asked = std::sync::atomic::AtomicU64::new(0);
    let check = check(RaftRs).regressions(folder.path()).seeds(3).jobs(1);
    let failed = check.try_run_each(move |sim| {
        let nth = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        sim.with(|plan| plan.network.delay_max_us += nth).run();
    });
    let text = failed.unwrap_err().to_string();
    assert!(
        text.starts_with("two runs of seed 0 differ first at step "),
        "{text}"
    );
    assert!(text.contains("\n\nreproduce  SQUALL_SEED=0 "), "{text}");
}
