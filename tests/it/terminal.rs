//! What a terminal shows: 80 columns, colours where they are asked for, as much as is asked for;
//! and the same flags on every command that runs plans.

use std::process::Command;

use super::support::{root, squall, stderr, stdout};

/// What the program prints with these variables and no others of colours.
fn coloured(variables: &[(&str, &str)], arguments: &[&str]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    let plan = "tests/it/shrunk/grant-any-vote.json";
    let output = command
        .args(arguments)
        .args(["show", plan])
        .envs(variables.iter().copied())
        .current_dir(root())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    let is_red = text.contains("\u{1b}[31mVIOLATION");
    assert_eq!(is_red, text.contains('\u{1b}'), "{text}");
    is_red
}

#[test]
fn colours_come_where_they_are_asked_for() {
    assert!(!coloured(&[], &[]), "this is no terminal");
    assert!(coloured(&[], &["--color", "always"]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]));
    assert!(coloured(&[("NO_COLOR", "1")], &["--color", "always"]));
}

#[test]
fn colours_change_no_words() {
    let page = |color| {
        let file = "tests/it/shrunk/forget-commit.json";
        stdout(&squall(&["--color", color, "replay", file]))
    };
    let mut plain = String::new();
    let mut within = false;
    for c in page("always").chars() {
        match (within, c) {
            (false, '\u{1b}') => within = true,
            (true, 'm') => within = false,
            (true, _) => {}
            (false, c) => plain.push(c),
        }
    }
    assert_eq!(plain, page("never"));
}

/// Lines that are copied or searched for stay whole.
fn stays_whole(line: &str) -> bool {
    let starts = [
        "VIOLATION ",
        "broken ",
        "plan ",
        "page ",
        "reproduce ",
        "from ",
    ];
    starts
        .iter()
        .any(|start| line.trim_start().starts_with(start))
}

#[test]
fn what_is_read_has_eighty_columns() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let commands: [&[&str]; 9] = [
        &[
            "sweep",
            "--subject",
            "raft-rs+forget-commit",
            "--profile",
            "membership",
            "--out",
            out,
        ],
        &[
            "sweep",
            "--subject",
            "noraft",
            "--seeds",
            "50",
            "--events",
            "--out",
            out,
        ],
        &["show", "sims/findings/lone-voter-with-peers.json"],
        &["replay", "tests/it/shrunk/forget-commit.json"],
        &["list", "checks"],
        &["list", "bugs"],
        &["list", "profiles"],
        &["--help"],
        &["sweep", "--help"],
    ];
    for arguments in commands {
        let text = stdout(&squall(arguments));
        assert!(text.lines().count() > 5, "{arguments:?}: {text}");
        for line in text.lines().filter(|line| !stays_whole(line)) {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
    }
}

#[test]
fn as_much_is_said_as_is_asked_for() {
    let run = |arguments: &[&str]| {
        let output = squall(arguments);
        (output.status.code().unwrap(), stdout(&output))
    };
    assert_eq!(run(&["-q", "sweep", "--seeds", "20"]), (0, String::new()));
    assert_eq!(run(&["replay", "--seed", "3", "-q"]), (0, String::new()));
    let folder = "tests/it/shrunk";
    let (status, text) = run(&["replay", folder, "--quiet"]);
    assert!(
        status == 1 && text.lines().all(|line| line.contains("VIOLATION")),
        "{text}"
    );

    let plan = "tests/it/shrunk/grant-any-vote.json";
    let (_, usual) = run(&["show", plan]);
    let (_, more) = run(&["show", plan, "-v"]);
    assert!(!usual.contains("boots") && more.contains("boots"), "{more}");
    let (_, events) = run(&["sweep", "--seeds", "20", "-v"]);
    assert!(events.contains("what happened, and how often"), "{events}");
    let refused = squall(&["-q", "-v", "sweep", "--seeds", "1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("cannot be used with"));
}

#[test]
fn every_command_that_runs_plans_has_the_same_flags() {
    let help = |command| stdout(&squall(&[command, "--help"]));
    for command in [
        "sweep", "replay", "show", "shrink", "import", "diff", "story",
    ] {
        let text = help(command);
        for flag in ["--subject", "--engine", "--color", "--quiet", "--verbose"] {
            assert!(text.contains(flag), "{command} has no {flag}");
        }
    }
    for command in ["sweep", "replay", "show", "shrink"] {
        let text = help(command);
        for flag in ["--seed ", "--seeds ", "--profile", "--strategy"] {
            assert!(text.contains(flag), "{command} has no {flag}");
        }
    }
}

#[test]
fn one_seed_is_the_same_wherever_it_is_run() {
    let subject = ["--subject", "raft-rs+skip-fsync"];
    let violation = |arguments: &[&str]| {
        let output = squall(&[arguments, &subject].concat());
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let text = stdout(&output);
        let line = text.lines().find(|line| line.starts_with("VIOLATION"));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let swept = violation(&["sweep", "--seed", "3", "--no-shrink", "--out", out]);
    assert_eq!(violation(&["replay", "--seed", "3"]), swept);
    assert_eq!(violation(&["replay", "--seeds", "3..4"]), swept);
    assert_eq!(violation(&["show", "--seed", "3"]), swept);
    for (arguments, words) in [
        (&["replay", "--seeds", "3..5"][..], "this runs one plan"),
        (&["show"], "give the file of a plan, or --seed N"),
        (
            &["sweep", "--seed", "18446744073709551615"],
            "before the last seed",
        ),
        (&["shrink", "--seed", "1", "x.json"], "cannot be used with"),
    ] {
        let refused = squall(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
    }
}
