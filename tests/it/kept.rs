//! Nothing that was found is lost, and nothing is written where the user did not say: several
//! sweeps into one folder, one after the other and at once; folders that a stranger has made; files
//! that never end.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use squall_core::plan::Plan;

use super::support::{root, squall, stderr, stdout};

/// A sweep that goes on after what it finds, into `out`.
fn words(out: &Path, more: &[&str]) -> Vec<String> {
    let usual = [
        "sweep",
        "--subject",
        "raft-rs+grant-any-vote",
        "--no-shrink",
        "--keep-going",
        "--out",
    ];
    let out = out.to_str().unwrap();
    let all = usual.iter().chain([&out]).chain(more);
    all.map(|word| (*word).to_owned()).collect()
}

fn run(words: &[String]) -> Output {
    squall(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The plans that a sweep printed, as its `reproduce` lines have them.
fn printed(output: &Output) -> BTreeSet<PathBuf> {
    let text = stdout(output);
    let lines = text
        .lines()
        .filter(|line| line.trim_start().starts_with("reproduce "));
    let plan = |line: &str| PathBuf::from(line.rsplit(' ').next().unwrap());
    lines.map(plan).collect()
}

/// The names of what is in a folder.
/// What lies in a folder, but for pages.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with(".html")).collect()
}

#[test]
fn sweeps_of_other_profiles_strategies_and_seeds_into_one_folder_keep_all_that_each_has_printed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let sweeps = [
        ["--profile", "storm", "--strategy", "swarm"],
        ["--profile", "elections", "--strategy", "swarm"],
        ["--profile", "storm", "--strategy", "uniform"],
        ["--profile", "storm", "--strategy", "guided"],
    ];
    let (mut all, mut sum) = (BTreeSet::new(), 0);
    for sweep in sweeps {
        let output = run(&words(&out, &[&sweep[..], &["--seeds", "40"]].concat()));
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let plans = printed(&output);
        assert!(!plans.is_empty());
        for plan in &plans {
            assert_eq!(
                Plan::read(plan).unwrap().profile,
                sweep[1],
                "{}",
                plan.display()
            );
        }
        sum += plans.len();
        all.extend(plans);
    }
    assert_eq!(all.len(), sum, "one has taken the place of another");
    let files = names(&out);
    assert_eq!(files.len(), sum, "{files:?}");
    // The same sweep again finds the same, and says so in the same files.
    let again = run(&words(&out, &["--profile", "storm", "--seeds", "40"]));
    assert!(printed(&again).is_subset(&all));
    assert_eq!(names(&out), files);
    // A profile of the same name that is another one does not.
    let own = folder.path().join("storm.toml");
    std::fs::write(
        &own,
        "extends = \"storm\"\nabout = \"\"\ntick_us = [7_000, 7_000]\n",
    )
    .unwrap();
    let own = run(&words(
        &out,
        &["--profile", own.to_str().unwrap(), "--seeds", "40"],
    ));
    assert!(printed(&own).is_disjoint(&all), "{}", stdout(&own));
    assert!(
        printed(&own)
            .iter()
            .any(|plan| plan.to_str().unwrap().ends_with("-2.json"))
    );
    for plan in &all {
        Plan::read(plan).unwrap();
    }
}

#[test]
fn equal_sweeps_at_once_into_one_folder_do_not_trip_over_one_another() {
    for missing in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let out = match missing {
            true => folder.path().join("made/when/needed"),
            false => folder.path().to_path_buf(),
        };
        let sweep = words(
            &out,
            &["--profile", "smoke", "--seeds", "150", "--jobs", "1"],
        );
        let start = |_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
            let piped = command
                .args(&sweep)
                .current_dir(root())
                .stdout(Stdio::piped());
            piped.stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<_> = (0..4).map(start).collect();
        let outputs = children
            .into_iter()
            .map(|child| child.wait_with_output().unwrap());
        let outputs: Vec<Output> = outputs.collect();
        let first = printed(&outputs[0]);
        assert!(!first.is_empty(), "{}", stderr(&outputs[0]));
        for output in &outputs {
            assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
            assert_eq!(printed(output), first);
        }
        // Nothing else is left: no state, no notes, no temporary file.
        assert_eq!(names(&out).len(), first.len(), "{:?}", names(&out));
    }
}

#[test]
fn where_a_sweep_stands_is_never_replaced_by_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    // As it is when a sweep of the same seeds was killed.
    let name = "raft-rs+grant-any-vote-smoke-0-20.unfinished.json";
    std::fs::write(out.join(name), "precious").unwrap();
    let next = run(&words(out, &["--profile", "smoke", "--seeds", "20"]));
    assert_eq!(std::fs::read_to_string(out.join(name)).unwrap(), "precious");
    let said = stderr(&next);
    assert!(
        said.contains("holds an unfinished sweep; unless it is still running"),
        "{said}"
    );
    assert!(
        said.contains(&format!("sweep --resume {}/{name}", out.display())),
        "{said}"
    );
    // And it is no plan.
    let replayed = squall(&["replay", out.to_str().unwrap()]);
    assert!(
        !stdout(&replayed).contains("unfinished"),
        "{}",
        stdout(&replayed)
    );
}

#[test]
fn nothing_is_written_through_a_link_in_a_strangers_folder() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    let theirs = folder.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    let plan = theirs.join("plan.json");
    std::fs::copy(root().join("tests/it/shrunk/skip-fsync.json"), &plan).unwrap();
    let story = theirs.join("a.sim");
    std::fs::copy(root().join("sims/stories/first-election.sim"), &story).unwrap();
    let artifact = theirs.join("crash-1");
    std::fs::write(&artifact, b"bytes").unwrap();
    let linked = [
        "plan.shrunk.json",
        ".plan.shrunk.json.part",
        ".a.sim.part",
        "crash-1.json",
        ".crash-1.json.part",
    ];
    for name in linked {
        symlink(&victim, theirs.join(name)).unwrap();
    }
    let [plan, story_name, artifact] =
        [&plan, &story, &artifact].map(|path| path.to_str().unwrap());
    for (command, status) in [
        (["shrink", plan, "--for", "1s"], 1),
        (["import", artifact, "--for", "1s"], 0),
        (["story", story_name, "--update", "--subject=raft-rs"], 0),
    ] {
        std::fs::write(&victim, "precious").unwrap();
        let output = squall(&command);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{command:?}: {}",
            stderr(&output)
        );
        assert_eq!(
            std::fs::read_to_string(&victim).unwrap(),
            "precious",
            "{command:?}"
        );
    }
    // A story that is itself a link is replaced, and not what it leads to.
    std::fs::remove_file(&story).unwrap();
    std::fs::copy(root().join("sims/stories/first-election.sim"), &victim).unwrap();
    let before = std::fs::read_to_string(&victim)
        .unwrap()
        .replace("leader", "LEADER");
    std::fs::write(&victim, &before).unwrap();
    symlink(&victim, &story).unwrap();
    let output = squall(&["story", story_name, "--update"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), before);
    assert!(std::fs::read_to_string(&story).unwrap() != before);
    // Where the user says, a device is written to as it is, through a link too.
    let plan_out = squall(&["shrink", plan, "--for", "1s", "-o", "/dev/stdout"]);
    assert!(
        stdout(&plan_out).contains("\"version\": 2"),
        "{}",
        stderr(&plan_out)
    );
}

#[test]
fn files_that_never_end_or_are_no_text_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let large = file("large.json");
    let sparse = std::fs::File::create(&large).unwrap();
    sparse.set_len(1 << 30).unwrap();
    let wide = file("utf-16.json");
    std::fs::write(&wide, b"\xff\xfe{\0}\0").unwrap();
    let endless = file("endless.sim");
    symlink("/dev/zero", &endless).unwrap();
    let profile = file("endless.toml");
    symlink("/dev/zero", &profile).unwrap();
    let unfinished = file("endless.unfinished.json");
    symlink("/dev/zero", &unfinished).unwrap();
    for (command, words) in [
        (["replay", "/dev/zero"], "it is larger than 64 MiB"),
        (["replay", large.as_str()], "it is larger than 64 MiB"),
        (["shrink", large.as_str()], "it is larger than 64 MiB"),
        (
            ["replay", wide.as_str()],
            "it is UTF-16; it must be saved as UTF-8",
        ),
        (["story", endless.as_str()], "it is larger than 64 MiB"),
        (
            ["replay", "/proc/self/mem"],
            "cannot read plan /proc/self/mem",
        ),
    ] {
        refused(&command, words);
    }
    refused(
        &["sweep", "--profile", &profile],
        "it is larger than 64 MiB",
    );
    refused(
        &["sweep", "--resume", &unfinished],
        "it is larger than 64 MiB",
    );
}

/// The one line on standard error of a command that must be refused.
fn refused(command: &[&str], words: &str) -> String {
    let output = squall(command);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
    assert!(said.contains(words), "{command:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.chars().count() < 420, "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_byte_order_mark_is_no_matter_and_a_version_beyond_all_numbers_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let name = path.to_str().unwrap();
    let good = std::fs::read_to_string(root().join("tests/it/shrunk/skip-fsync.json")).unwrap();
    std::fs::write(&path, format!("\u{feff}{good}")).unwrap();
    for command in ["replay", "show"] {
        let output = squall(&[command, name]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    }
    let version = good.replacen("\"version\": 2", "\"version\": 18446744073709551616", 1);
    std::fs::write(&path, version).unwrap();
    refused(
        &["replay", name],
        "is of version 1.8446744073709552e+19; this build reads version 2",
    );
}

#[test]
fn names_and_texts_of_a_file_cannot_act_on_a_terminal_or_fill_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\x1b[31m.json");
    let name = path.to_str().unwrap();
    let good = std::fs::read_to_string(root().join("tests/it/shrunk/skip-fsync.json")).unwrap();
    let subject = "\"subject\": \"raft-rs+skip-fsync\"";
    assert!(good.contains(subject));
    let acting = good.replacen(
        subject,
        "\"subject\": \"\\u001b]0;owned\\u0007\\u009b31m\"",
        1,
    );
    std::fs::write(&path, acting).unwrap();
    for command in ["replay", "show", "shrink"] {
        let output = squall(&[command, name]);
        let said = [stdout(&output), stderr(&output)].concat();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            !said.chars().any(|c| c.is_control() && c != '\n'),
            "{said:?}"
        );
        assert!(said.contains("\\u{1b}"), "{said}");
    }
    let long = "x".repeat(100_000);
    refused(&["sweep", "--subject", &long], "unknown subject \"xxx");
    refused(&["sweep", "--profile", &long], "unknown profile \"xxx");
    refused(&["sweep", "--strategy", &long], "xxx");
    refused(&["replay", "--seed", &long], "is no seed");
    let named = good.replacen(subject, &format!("\"subject\": \"{long}\""), 1);
    std::fs::write(&path, named).unwrap();
    refused(&["replay", name], "xxx");
}

#[test]
fn edited_states_of_sweeps_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edited.unfinished.json");
    let name = path.to_str().unwrap();
    let good = r#"{"version":2,"squall":"VERSION","asked":{"subject":"raft-rs","engine":"lockstep","profile":"smoke","profile_hash":HASH,"strategy":"swarm","seeds":{"start":10,"end":20},"time_ms":null,"keep_going":false,"shrink_for_ms":null},"next":12,"runs":2,"steps":200,"simulated_us":5,"cpu_us":5,"wall_us":5,"digest":1,"double_runs":1,"counters":{"crash":3},"findings":[]}"#;
    let good = good.replace("VERSION", env!("CARGO_PKG_VERSION"));
    for (from, to, words) in [
        (
            "\"version\":2",
            "\"version\":1",
            "it is of version 1 of such files, and this build reads version 2; begin the sweep anew",
        ),
        (
            "\"start\":10",
            "\"start\":30",
            "its seeds 30..20 hold no seed",
        ),
        (
            "\"next\":12",
            "\"next\":9",
            "next is 9; it must be 10 to 20",
        ),
        (
            "\"next\":12",
            "\"next\":21",
            "next is 21; it must be 10 to 20",
        ),
        (
            "\"runs\":2",
            "\"runs\":18446744073709551615",
            "and 2 seeds are done",
        ),
        (
            "\"crash\":3",
            "\"crash\":18446744073709551615",
            "crash is 18446744073709551615; it must be at most",
        ),
        (
            "\"steps\":200",
            "\"steps\":18446744073709551615",
            "steps is 18446744073709551615; it must be at most",
        ),
        ("\"digest\":1", "\"digest\":-1", "cannot go on with"),
        (
            "\"findings\":[]",
            "\"findings\":[{\"seed\":11,\"property\":\"liveness\",\"node\":null,\"message\":\"\",\"step\":1,\"time_us\":1,\"plan\":\"../../victim\"}]",
            "must be the name of a file beside it",
        ),
        (
            "\"profile\":\"smoke\"",
            "\"profile\":\"calm\"",
            "has changed since the sweep began",
        ),
    ] {
        assert!(good.contains(from));
        let text = good.replacen(from, to, 1).replace("HASH", "1");
        std::fs::write(&path, text).unwrap();
        refused(&["sweep", "--resume", name], words);
    }
}

#[test]
fn threads_that_cannot_start_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_squall");
    let out = folder.path().display();
    // One stack fits and a second does not, and what is left is far more than a thread that has
    // begun asks for: a process that is short of a few bytes is ended by libc instead.
    let limited = format!(
        "ulimit -v 1000000; RUST_MIN_STACK=536870912 \
         exec {program} sweep --jobs 1024 --seeds 50 --out {out}"
    );
    let output = Command::new("bash")
        .args(["-c", &limited])
        .current_dir(root())
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("cannot start 1024 threads: ") && said.contains("ask for fewer jobs"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(names(folder.path()).len(), 0);
}

#[test]
fn a_folder_without_stories_is_an_error_and_a_reader_that_has_enough_is_none() {
    let folder = tempfile::tempdir().unwrap();
    refused(
        &["story", folder.path().to_str().unwrap()],
        "there is no story in ",
    );
    for list in ["subjects", "events"] {
        let piped = format!(
            "set -o pipefail; {} list {list} | head -1",
            env!("CARGO_BIN_EXE_squall")
        );
        let output = Command::new("bash")
            .args(["-c", &piped])
            .current_dir(root())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
    }
    // What a sweep found does not hang on who reads it.
    let sweep = words(folder.path(), &["--profile", "smoke", "--seeds", "200"]).join(" ");
    let piped = format!(
        "set -o pipefail; {} {sweep} | true",
        env!("CARGO_BIN_EXE_squall")
    );
    let output = Command::new("bash")
        .args(["-c", &piped])
        .current_dir(root())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}
