//! What a user types and reads, tested as text.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use expect_test::expect;

use super::support::{quiet_plan, root, squall, stderr, stdout};

/// The one line on standard error of a command that must be refused.
fn refused(arguments: &[&str]) -> String {
    let output = squall(arguments);
    assert_eq!(
        output.status.code(),
        Some(2),
        "{arguments:?}: {}",
        stderr(&output)
    );
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn wrong_names_are_told_with_the_nearest_and_the_legal_ones() {
    let subject = refused(&["sweep", "--subject", "raft-sr"]);
    assert!(subject.starts_with(
        "squall: unknown subject \"raft-sr\" (did you mean \"raft-rs\"?); legal: raft-rs, "
    ));
    expect![[r#"
        squall: unknown profile "strom" (did you mean "storm"?); legal: portfolio, storm, smoke, calm, requests, disk, network, membership, reads, snapshots, transfer, async-disk, amnesia, partitions, elections, joint, long, servers, fuzz, findings, lost-disk, or the path of a .toml file
    "#]]
    .assert_eq(&refused(&["sweep", "--profile", "strom"]));
    expect![[r#"
        squall: invalid value 'cheks' for '[WHAT]' [possible values: subjects, bugs, options, issues, profiles, strategies, checks, faults, events]; a similar value exists: 'checks'
    "#]]
    .assert_eq(&refused(&["list", "cheks"]));
    expect![[r#"
        squall: unexpected argument '--profil' found; a similar argument exists: '--profile'
    "#]]
    .assert_eq(&refused(&["sweep", "--profil", "storm"]));
    expect![[r#"
        squall: unrecognized subcommand 'swep'; a similar subcommand exists: 'sweep'
    "#]]
    .assert_eq(&refused(&["swep"]));
}

#[test]
fn wrong_values_are_told_with_what_would_be_legal() {
    for (arguments, words) in [
        (["sweep", "--seeds", "9..3"], "A..B with A below B"),
        (
            ["sweep", "--seeds", "abc"],
            "\"abc\" is no seed; legal: a decimal number",
        ),
        (["sweep", "--jobs", "0"], "0 is not in 1..=1024"),
        (
            ["sweep", "--strategy", "swam"],
            "unknown strategy \"swam\" (did you mean \"swarm\"?); legal: swarm, ",
        ),
        (["sweep", "--for", "soon"], "legal: e.g. 90s, 10m, 8h"),
        (["sweep", "--for", "0s"], "legal: e.g. 90s, 10m, 8h"),
        (["replay", "--seed", "0xZZ"], "legal: a decimal number"),
        (
            ["sweep", "--out", "/dev/null/here"],
            "cannot write /dev/null/here",
        ),
        (
            ["sweep", "--profile", "no/such.toml"],
            "cannot read profile no/such.toml",
        ),
        (
            ["replay", "no/such.json", "--trace"],
            "cannot read plan no/such.json",
        ),
    ] {
        let line = refused(&arguments);
        assert!(line.contains(words), "{arguments:?}: {line}");
    }
    let plan = "tests/it/shrunk/skip-fsync.json";
    for (flag, value, words) in [
        ("--node", "x", "\"x\" is no node; legal: e.g. 2 or n2"),
        (
            "--node",
            "n9",
            "there is no n9 in this plan; legal: n1 to n2",
        ),
        ("--around", "here", "legal: `violation`, or a step's number"),
    ] {
        let line = refused(&["replay", plan, flag, value]);
        assert!(line.contains(words), "{line}");
    }
    assert!(refused(&["replay"]).contains("give the file of a plan, or --seed N"));
}

#[test]
fn plans_that_cannot_be_are_told_with_the_field_and_what_would_be_legal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let name = path.to_str().unwrap();
    let good = quiet_plan(3).to_json();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let crash = r#""faults": [{"when": {"at-us": 1}, "what": {"crash": {"node": 9, "loss": "tear", "down_us": 1}}}]"#;
    let lost = r#""faults": [{"when": {"at-us": 1}, "what": "lose-message"}]"#;
    for (text, words) in [
        (String::new(), "is empty"),
        (
            good[..good.len() / 2].to_owned(),
            "is not a plan: EOF while parsing",
        ),
        (
            "hello".to_owned(),
            "is not a plan: expected value at line 1 column 1",
        ),
        ("[]".to_owned(), "is not a plan"),
        (
            with("\"version\": 2", "\"version\": 99"),
            "is of version 99; this build reads version 2",
        ),
        (
            with("\"seed\": 7", "\"seeed\": 7"),
            "unknown field `seeed`, expected one of",
        ),
        (
            with("\"voters\": 3", "\"voters\": 0"),
            "cluster.voters is 0; it must be 1 to 9",
        ),
        (
            with("\"end_us\": 60000000", "\"end_us\": 5"),
            "end_us is 5; it must be later than heal_us",
        ),
        (
            with("\"faults\": []", crash),
            "faults[0].node is node 9; it must be a node of the cluster, 1 to 3",
        ),
        (
            with("\"faults\": []", lost),
            "faults[0].when is not a message",
        ),
        (
            with("\"subject\": \"raft-rs\"", "\"subject\": \"rafty\""),
            "unknown subject \"rafty\"",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let line = refused(&["replay", name]);
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn profiles_that_cannot_be_are_told_with_the_line_or_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let name = path.to_str().unwrap();
    let good = std::fs::read_to_string(root().join("crates/core/profiles/storm.toml")).unwrap();
    for (from, to, words) in [
        (
            "tick_us",
            "tik_us",
            "profile: tik_us: unknown field `tik_us`",
        ),
        ("crash =", "crsh =", "faults.crsh: unknown variant `crsh`"),
        (
            "percent = 70",
            "percent = 170",
            "faults.crash.percent is 170; it must be 0 to 100",
        ),
        (
            "\"leader-changed\"",
            "\"leader-chnged\"",
            "require is \"leader-chnged\"",
        ),
        (
            "tick_us = [5_000, 20_000]",
            "tick_us = [9, 1]",
            "tick_us (legal: 100 to 10000000) is [9, 1]",
        ),
    ] {
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let line = refused(&["sweep", "--profile", name]);
        assert!(line.contains(words), "{line}");
    }
    for (text, words) in [
        ("about = \"mine\"\ntick_us =\n", "line 2: "),
        (
            "extends = \"storm\"\n[network]\nloss = { percent = \"often\" }\n",
            "network.loss.percent: invalid type: string \"often\"",
        ),
        (
            "extends = \"storm\"\n[[variants]]\nvoters = [3, 3000]\n",
            "voters: invalid value: integer `3000`",
        ),
        ("tick_us = [1, nan]\n", "tick_us: invalid type: null"),
    ] {
        std::fs::write(&path, text).unwrap();
        let line = refused(&["sweep", "--profile", name]);
        assert!(line.contains(words), "{line}");
    }
    let calm = std::fs::read_to_string(root().join("crates/core/profiles/calm.toml")).unwrap();
    for (from, to, words) in [
        (
            "of = \"read-forwarded\"",
            "of = \"read-forwrded\"",
            "shares.of is \"read-forwrded\"",
        ),
        (
            "[95, 100]",
            "[95, 10_001]",
            "shares.percent (legal: 0 to 10000) is [95, 10001]",
        ),
    ] {
        std::fs::write(&path, calm.replacen(from, to, 1)).unwrap();
        let line = refused(&["sweep", "--profile", name]);
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn what_does_not_happen_as_often_as_a_profile_says_makes_a_sweep_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let text = "extends = \"smoke\"\nrequire = []\n\
        [[shares]]\nevent = \"command-timed-out\"\nof = \"command-sent\"\npercent = [99, 100]\n";
    std::fs::write(&path, text).unwrap();
    let sweep = |seeds: &str| {
        let output = squall(&[
            "sweep",
            "--seeds",
            seeds,
            "--profile",
            path.to_str().unwrap(),
        ]);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (status, text) = sweep("1000");
    assert_eq!(status, Some(2));
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("incomplete: no violation in 1,000 runs, but what the profile requires did not happen, or not as often: command-timed-out ("),
        "{last}"
    );
    // Too few runs to say so.
    assert_eq!(sweep("20").0, Some(0));
}

#[test]
fn an_output_that_takes_nothing_is_an_error_and_no_panic() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    for arguments in [
        &["sweep", "--seeds", "3", "--out", out][..],
        &["list", "checks"],
        &["--help"],
        &["sweep", "--seeds", "3", "--json", "-", "--out", out],
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(arguments)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.starts_with("squall: cannot write to standard output: "),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_failure_is_told_in_order_and_its_last_line_repeats_it() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("plans with spaces");
    let run = squall(&[
        "sweep",
        "--subject",
        "raft-rs+skip-fsync",
        "--seeds",
        "8",
        "--out",
        folder.to_str().unwrap(),
    ]);
    assert_eq!(run.status.code(), Some(1));
    let text = stdout(&run);
    let page: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("VIOLATION "))
        .collect();
    let place = |start: &str| {
        page.iter()
            .position(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("no line {start}: {text}"))
    };
    let order = [
        "VIOLATION ",
        "  at step ",
        "nodes",
        "  n1 ",
        "faults of the plan",
        "causal trace",
        "plan       ",
        "reproduce  ",
    ];
    assert!(order.map(place).is_sorted(), "{text}");
    let command = page[place("reproduce ")]
        .trim_start_matches("reproduce")
        .trim();
    let again = Command::new("sh")
        .arg("-c")
        .arg(command)
        .current_dir(root())
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    let repeated = String::from_utf8(again.stdout).unwrap();
    for line in [page[0], page[1]] {
        assert!(repeated.contains(line), "{line} is not in {repeated}");
    }
}

#[test]
fn json_has_what_it_promises() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let run = squall(&[
        "sweep",
        "--subject",
        "raft-rs+forget-vote",
        "--seeds",
        "4",
        "--out",
        out,
        "--json",
        "-",
    ]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&run)).unwrap();
    for key in [
        "verdict",
        "subject",
        "profile",
        "engine",
        "runs",
        "steps",
        "cpu_seconds",
        "wall_seconds",
        "steps_per_cpu_second",
        "simulated_seconds",
        "sometimes",
        "digest",
        "violations",
    ] {
        assert!(!json[key].is_null(), "{key}");
    }
    assert_eq!(
        (&json["verdict"], &json["engine"]),
        (&"violation".into(), &"lockstep".into())
    );
    let first = &json["violations"][0];
    assert_eq!(first["property"], "ack-before-durable");
    assert!(first["seed"].is_u64() && first["step"].is_u64() && first["message"].is_string());
    let violation = &first["violation"];
    assert_eq!(violation["property"], "ack-before-durable");
    assert!(violation["node"].is_u64() && violation["kind"].is_string());
    for plan in ["plan", "shrunk_plan"] {
        assert!(
            std::path::Path::new(first[plan].as_str().unwrap()).is_file(),
            "{plan}"
        );
    }
}

#[test]
fn json_goes_to_a_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("summary.json");
    let run = squall(&["sweep", "--seeds", "4", "--json", file.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0));
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(json["verdict"], "clean");
    assert!(stdout(&run).contains("clean: no violation in 4 runs"));
}

#[test]
fn a_plan_drawn_from_a_seed_and_the_same_from_its_file_are_one_run() {
    let from_seed = squall(&["replay", "--seed", "0x10", "--subject", "raft-rs"]);
    assert_eq!(from_seed.status.code(), Some(0));
    let hash = squall(&[
        "replay",
        "--seed",
        "0000000000000010aaaaaaaaaaaaaaaaaaaaaaaa",
    ]);
    assert_eq!(stdout(&from_seed), stdout(&hash));
    assert!(stdout(&from_seed).contains("clean: "));
}

#[test]
fn a_trace_shows_every_step_and_the_librarys_own_log() {
    let run = squall(&["replay", "--seed", "1", "--profile", "storm", "--trace"]);
    let text = stdout(&run);
    for words in [
        "is leader in term",
        "gets from",
        "writes entry 1 of term",
        "begins a sync",
        "| info: became follower",
        "the storm ends",
    ] {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // The interrupt must come while the sweep is under way.
fn an_interrupt_ends_a_sweep_with_the_summary_so_far() {
    let out = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["sweep", "--for", "1h", "--out"])
        .arg(out.path())
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut banner = String::new();
    output.read_line(&mut banner).unwrap();
    assert!(
        banner.contains("raft-rs under portfolio, seeds from 0, for 1h"),
        "{banner}"
    );
    std::thread::sleep(Duration::from_millis(500));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(rest.contains("interrupted: no violation in the"), "{rest}");
}

#[test]
fn lists_name_what_can_be_named() {
    for (what, words) in [
        ("subjects", "in all: squall list bugs"),
        ("bugs", "raft-rs+skip-fsync"),
        ("profiles", "everything at once"),
        (
            "checks",
            "at most one leader is elected in a term [Raft paper, figure 3",
        ),
        ("faults", "fail-sync"),
        ("strategies", "every kind of fault and every option"),
        ("events", "two-leaders-at-once"),
    ] {
        let run = squall(&["list", what]);
        assert_eq!(run.status.code(), Some(0));
        let text = stdout(&run);
        let text: Vec<&str> = text.split_whitespace().collect();
        assert!(text.join(" ").contains(words), "{what}");
    }
    let kinds = stdout(&squall(&["list"]));
    assert!(
        kinds.contains("\nbugs        Subjects with a bug injected"),
        "{kinds}"
    );
}

#[test]
fn a_violation_comes_after_the_summary_and_events_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let skips = ["sweep", "--subject", "raft-rs+skip-fsync", "--out", out];
    let text = stdout(&squall(&skips));
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{text}"));
    assert!(place("violation: 1 of 1 run failed") < place("\nVIOLATION ack-before-durable"));
    assert!(place("\nVIOLATION") < place("\nshrunk     from "));
    // What broke is among the last lines as well, which a terminal of 80 by 24 shows.
    let wide = |line: &&str| line.len().div_ceil(80).max(1);
    let end = &text[place("\nbroken     ack-before-durable: n2 sent")..];
    assert!(
        end.lines().map(|line| wide(&line)).sum::<usize>() < 24,
        "{end}"
    );
    assert!(!text.contains("election-started"));
    let quick = ["sweep", "--seeds", "4", "--no-shrink"];
    let text = stdout(&squall(&[&skips[..], &quick[1..]].concat()));
    assert!(
        text.find("violation: 1 of 1") < text.find("\nVIOLATION"),
        "{text}"
    );
    let text = stdout(&squall(&[&quick[..], &["--events", "--out", out]].concat()));
    assert!(
        text.contains("election-started ") && !text.contains(" 0\n"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}

#[test]
fn help_says_what_there_is() {
    let text = stdout(&squall(&["--help"]));
    for words in [
        "sweep",
        "replay",
        "show",
        "diff",
        "shrink",
        "list",
        "Exit status: 0 clean, 1 violation, 2 bad input or could not tell",
    ] {
        assert!(text.contains(words), "{words}");
    }
    let sweep = stdout(&squall(&["sweep", "--help"]));
    for flag in [
        "--subject",
        "--profile",
        "--seeds",
        "--jobs",
        "--for",
        "--keep-going",
        "--no-shrink",
        "--shrink-for",
        "--out",
        "--json",
    ] {
        assert!(sweep.contains(flag), "{flag}");
    }
}

/// Before anything is read: once for a folder, and not for each of its plans.
#[test]
fn an_engine_that_is_not_there_is_told_once_with_those_that_are() {
    let plan = "sims/findings/outsider-campaigns.json";
    for arguments in [
        &["sweep"][..],
        &["replay", "sims/findings"],
        &["replay", plan],
        &["replay", "--seed", "7"],
        &["shrink", plan],
    ] {
        let said = refused(&[arguments, &["--engine", "lokstep"]].concat());
        let words = "unknown engine \"lokstep\" (did you mean \"lockstep\"?); legal: lockstep";
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
