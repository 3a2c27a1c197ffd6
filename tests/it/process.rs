//! Replicas in a process of their own, through the command line: what is wrong with a process is
//! told with the plan, the step and what it printed, and nothing is started that nobody asked for.

use std::path::Path;
use std::process::{Command, Output};

use super::support::{root, squall, stderr, stdout};

const REPLICA: &str = "tests/process/replica.py";

/// The command of a process that does nothing, or something wrong.
pub fn replica(what: &str) -> String {
    format!("python3 {REPLICA} {what}")
}

/// The command of a small Raft that stands the storm, and what is changed about it.
pub fn kit_example(what: &str) -> String {
    format!("python3 tests/process/raft.py {what}")
}

fn sweep(what: &str, out: &Path, more: &[&str]) -> Output {
    sweep_of(&replica(what), out, more)
}

/// A sweep of calm over the process of that command.
pub fn sweep_of(command: &str, out: &Path, more: &[&str]) -> Output {
    let out = out.to_str().unwrap();
    let base = [
        "sweep",
        "--command",
        command,
        "--profile",
        "calm",
        "--no-page",
        "--no-shrink",
        "-j1",
        "--out",
        out,
    ];
    squall(&[&base[..], more].concat())
}

#[test]
fn a_process_that_cannot_be_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (what, why) in [
        (
            "prints-and-ends",
            "exit status 3; on standard error: my_raft: no such option",
        ),
        (
            "speaks-version-2",
            "it speaks version 2, and Squall speaks 1",
        ),
        ("has-no-name", "its name is \"\""),
        ("has-a-long-name", "its name is \"My Raft\""),
        ("is-called-raft-rs", "which is the name of another subject"),
        ("supports-flying", "unknown feature \"flying\""),
        ("takes-batches-of-0", "its batch is 0"),
        ("breaks-nothing-known", "\"physics\", which is no property"),
        ("has-an-unknown-trigger", "which is none of its options"),
    ] {
        let output = sweep(what, folder.path(), &["--seeds", "1"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{what}: {told}");
        assert!(told.contains(why), "{what}: {told}");
        assert_eq!(told.lines().count(), 1, "{what}: {told}");
    }
    for (command, why) in [
        ("no-such-program --at-all", "cannot start no-such-program"),
        ("'unclosed", "a quote is not closed"),
        ("", "it is empty"),
        ("true", "the process ended: exit status 0"),
    ] {
        let output = squall(&["sweep", "--command", command, "--seeds", "1"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{command}: {told}");
        assert!(told.contains(why), "{command}: {told}");
    }
}

#[test]
fn a_process_that_goes_wrong_is_told_with_step_and_print_and_the_sweep_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for (what, why) in [
        ("dies", "the process ended: exit status 7"),
        ("aborts", "the process ended: signal 6 (abort)"),
        ("sends-half-a-frame", "the process ended: exit status 0"),
        (
            "prints-on-standard-output",
            "it looks like text: standard output is for frames alone",
        ),
        ("says-too-long-a-frame", "a frame of 4294967295 bytes"),
        ("answers-no-array", "does not speak the protocol"),
        ("answers-an-unknown-action", "there is no action 99"),
        (
            "answers-half-an-action",
            "0 has 3 items, and this one has 2",
        ),
        ("answers-too-much", "1 bytes behind the item"),
        ("answers-half-an-item", "does not speak the protocol"),
        ("answers-nested-arrays", "does not speak the protocol"),
        (
            "answers-an-array-without-end",
            "an array of indefinite length",
        ),
        (
            "writes-beyond-its-log",
            "writes an entry at 7 of a log that begins at 1",
        ),
        (
            "writes-at-index-0",
            "writes an entry at 0 of a log that begins at 1",
        ),
        ("writes-at-index-2-to-the-63", "is above 2^62"),
        ("sends-to-itself", "sends a message to itself"),
        ("sends-to-node-31", "names n31, which this run has not"),
        ("votes-for-node-31", "names n31, which this run has not"),
        ("goes-by-node-31", "names n31, which this run has not"),
        ("hands-over-to-node-31", "names n31, which this run has not"),
        (
            "empties-its-log-to-index-0",
            "empties its log to go on at 0",
        ),
        ("waits-and-fails", "ValueError: after a sync"),
        ("prints-much", "the process ended: exit status 7"),
        ("sends-to-node-200", "there is no node 200"),
        ("sends-an-unknown-kind", "there is no kind of message 99"),
        ("sends-no-snapshot", "none of its own is durable"),
        (
            "applies-what-is-not-there",
            "applies the entry at 1 of a log that begins at 1",
        ),
        (
            "saves-what-has-not-come",
            "saves the snapshot at 5, which has not come",
        ),
        ("installs-what-is-not-there", "installs the snapshot at 5"),
        ("refuses-what-nobody-asked", "refuses the request 12345"),
        ("confirms-what-nobody-asked", "confirms the read 12345"),
        ("has-an-unknown-role", "there is no role 9"),
        ("fails", "ValueError: no such thing (my_raft.py:17)"),
    ] {
        let out = folder.path().join(what);
        let output = sweep(what, &out, &["--seeds", "2", "--keep-going"]);
        let page = stdout(&output);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{what}: {page}{}",
            stderr(&output)
        );
        assert!(
            page.contains("2 of 2 runs failed (no-panic in 2)"),
            "{what}: {page}"
        );
        assert!(page.contains(why), "{what}: {page}");
        assert!(page.contains("at step 10, "), "{what}: {page}");
        let plan =
            format!("nothing-calm-seed-1-no-panic.json --command 'python3 {REPLICA} {what}'");
        assert!(page.contains(&plan), "{what}: {page}");
    }
    // One violation is told whole.
    let output = sweep("dies", folder.path(), &["--seeds", "1"]);
    let page = stdout(&output);
    assert!(page.contains("its process had printed"), "{page}");
    assert!(
        page.contains("\n    run 1 begins\n    the tenth step\n"),
        "{page}"
    );
}

#[test]
fn a_process_that_does_not_answer_is_killed_and_the_sweep_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--seeds", "2", "--keep-going", "--deadline", "2s"];
    let output = sweep("hangs", folder.path(), &more);
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{page}");
    let why = "the process did not answer within 2 s, and was killed";
    // One is told whole, which names it twice.
    assert_eq!(page.matches(why).count(), 3, "{page}");
    assert!(page.contains("--deadline 2s"), "{page}");
}

#[test]
fn what_a_run_leaves_in_a_process_is_found_by_a_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    // Seed 100 is the second that is run twice, and its run the only one that differs of those.
    let more = ["--seeds", "150", "--keep-going"];
    let output = sweep("remembers", folder.path(), &more);
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{page}");
    // The first event that differs is named.
    let told = "nondeterministic: two runs of seed 100 differ first at step 50:";
    assert!(page.contains(told), "{page}");
    assert!(page.contains("is pre-candidate in term 0"), "{page}");
    let honest = sweep("fails-later", folder.path(), &more);
    assert_eq!(honest.status.code(), Some(1), "{}", stdout(&honest));
    assert!(!stdout(&honest).contains("nondeterministic"));
    // The last seed is run twice, however few there are.
    let more = ["--seeds", "10", "--keep-going"];
    let output = sweep("remembers-soon", folder.path(), &more);
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{page}");
    let told = "nondeterministic: two runs of seed 9 differ first at step 50:";
    assert!(page.contains(told), "{page}");
    assert!(
        page.contains("10 of nothing with profile calm, 2 of them twice"),
        "{page}"
    );
}

#[test]
fn an_idle_that_is_not_true_is_found_by_a_fresh_process() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--seeds", "1", "--keep-going"];
    let output = sweep("idles-falsely", folder.path(), &more);
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{page}");
    let told = "nondeterministic: two runs of seed 0 differ first at step ";
    assert!(page.contains(told), "{page}");
    assert!(page.contains("is pre-candidate in term 0"), "{page}");
    assert!(page.contains("an `idle` that is not true"), "{page}");
}

#[test]
fn a_process_that_takes_batches_gets_them_and_stands_the_storm() {
    let folder = tempfile::tempdir().unwrap();
    let most = folder.path().join("most");
    let command = kit_example(&format!("takes-batches {}", most.display()));
    let out = folder.path().to_str().unwrap();
    let output = squall(&[
        "sweep",
        "--command",
        &command,
        "--seeds",
        "20",
        "--out",
        out,
    ]);
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{page}{}", stderr(&output));
    let most: usize = std::fs::read_to_string(most).unwrap().parse().unwrap();
    assert!((2..=8).contains(&most), "{most} inputs at once");
}

#[test]
fn a_state_machine_that_answers_what_cannot_be_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    for (what, why) in [
        ("tells-what-is-no-item", "does not speak the protocol"),
        ("tells-half-an-item", "does not speak the protocol"),
        ("tells-too-much", "1 bytes behind the item"),
        ("tells-a-text", "does not speak the protocol"),
        ("tells-nothing", "does not speak the protocol"),
        (
            "tells-too-short-a-grant",
            "the answer 3 has 4 items, and this one has 2",
        ),
        ("tells-an-unknown-answer", "there is no answer 99"),
        ("tells-a-number-below-0", "does not speak the protocol"),
        ("tells-actions", "does not speak the protocol"),
        ("tells-bytes", "does not speak the protocol"),
        ("tells-of-a-failure", "KeyError: 3 (locks.py:17)"),
    ] {
        let more = ["--seeds", "2", "--keep-going"];
        let output = sweep_of(&kit_example(what), folder.path(), &more);
        let page = stdout(&output);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{what}: {page}{told}");
        let both = "2 of 2 runs failed (no-panic in 2)";
        assert!(page.contains(both), "{what}: {page}");
        assert!(page.contains(why), "{what}: {page}");
    }
}

#[test]
fn no_plan_starts_anything() {
    let folder = tempfile::tempdir().unwrap();
    let _ = sweep("nothing", folder.path(), &["--seeds", "1"]);
    let plan = folder.path().join("nothing-calm-seed-0-liveness.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    assert!(
        text.contains(&format!("\"command\": \"{}\"", replica("nothing"))),
        "{text}"
    );
    let marker = folder.path().join("started");
    let stranger = text.replace(&replica("nothing"), &format!("touch {}", marker.display()));
    std::fs::write(&plan, stranger).unwrap();
    let plan = plan.to_str().unwrap();
    for arguments in [
        &["replay", plan][..],
        &["replay", folder.path().to_str().unwrap()],
        &["show", plan],
        &["shrink", plan],
        &["page", plan],
        &["export", "--edn", plan],
        &["diff", plan, plan],
        &["story", "--from", plan],
    ] {
        let output = squall(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = stderr(&output) + &stdout(&output);
        assert!(
            told.contains("nothing is started because a plan's file names it"),
            "{told}"
        );
    }
    assert!(!marker.exists());
    // It is said again.
    let output = squall(&["replay", plan, "--command", &replica("nothing")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

/// The binary in another folder.
fn squall_in(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn subjects_of_the_users_own_file_are_started_when_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (here, below) = (folder.path(), folder.path().join("a/b"));
    std::fs::create_dir_all(&below).unwrap();
    let copy = here.join("replica.py");
    std::fs::copy(root().join(REPLICA), &copy).unwrap();
    let in_folder = format!("python3 {} nothing", copy.display());
    let file = here.join("squall.toml");
    let text = "[subjects.mine]\ncommand = [\"python3\", \"replica.py\"]\nlacks = [\"snapshots\"]\n\
                [subjects.broken]\ncommand = \"no-such-program\"\n";
    std::fs::write(&file, text).unwrap();
    let list = squall_in(&below, &["list", "subjects"]);
    assert!(
        stdout(&list).contains("\nmine      python3 replica.py ("),
        "{}",
        stdout(&list)
    );
    let sweep = [
        "sweep",
        "--seeds",
        "1",
        "--no-shrink",
        "--no-page",
        "--profile",
        "calm",
    ];
    let swept = squall_in(&below, &[&sweep[..], &["--subject", "mine"]].concat());
    let page = stdout(&swept);
    assert_eq!(swept.status.code(), Some(1), "{page}{}", stderr(&swept));
    // The name says it all: nothing else is needed to repeat it.
    let plan = "squall-out/mine-calm-seed-0-liveness.json";
    assert!(page.contains(&format!("replay {plan}\n")), "{page}");
    let again = squall_in(&below, &["replay", plan]);
    assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));
    // A command goes before the file where both have a name.
    let as_well = file.display().to_string();
    let named_so = text.replace("subjects.mine", "subjects.nothing");
    std::fs::write(&file, named_so.replace("replica.py", "not-there.py")).unwrap();
    let list = squall_in(&below, &["list", "subjects", "--command", &in_folder]);
    assert_eq!(stdout(&list).matches("\nnothing ").count(), 0, "{as_well}");
    assert!(
        stdout(&list).contains("does nothing (python3"),
        "{}",
        stdout(&list)
    );
    assert!(!stdout(&list).contains("not-there"), "{}", stdout(&list));
    let named = ["--subject", "nothing", "--command", &in_folder];
    let swept = squall_in(&below, &[&sweep[..], &named].concat());
    assert_eq!(swept.status.code(), Some(1), "{}", stderr(&swept));
    std::fs::write(&file, text).unwrap();
    // Another one that cannot be started is in nobody's way.
    let broken = squall_in(&below, &[&sweep[..], &["--subject", "broken"]].concat());
    assert_eq!(broken.status.code(), Some(2));
    let told = stderr(&broken);
    assert!(told.contains("cannot start no-such-program"), "{told}");
    for (text, why) in [
        ("[subjects.mine]\n", "missing field `command`"),
        ("[subjects.mine]\ncommand = []\n", "its command is empty"),
        (
            "[subjects.mine]\ncommand = \"x\"\nlack = []\n",
            "unknown field `lack`",
        ),
        (
            "[subjects.mine]\ncommand = \"x\"\ndeadline = \"soon\"\n",
            "legal: e.g. 90s",
        ),
        (
            "[subjects.raft-rs]\ncommand = \"x\"\n",
            "another subject has that name",
        ),
        ("[subjects\n", "squall.toml: "),
        (
            "[subjects.mine]\ncommand = \"x\"\nlacks = [\"flying\"]\n",
            "subjects.mine: lacks: unknown feature \"flying\"",
        ),
        (
            "[subjects.\"My Raft\"]\ncommand = \"x\"\n",
            "its name is \"My Raft\"; legal: lower case letters, digits and hyphens",
        ),
        (
            "[subjects.\"mine+skip-fsync\"]\ncommand = \"x\"\n",
            "its name is \"mine+skip-fsync\"",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = squall_in(&below, &["list", "subjects"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {told}");
        assert!(told.contains(why), "{text}: {told}");
    }
}

#[test]
fn what_a_subject_of_the_users_own_file_lacks_is_in_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let program = root().join("tests/process/raft.py");
    let command = format!("python3 {} fails-where-asked pre-vote", program.display());
    let file = folder.path().join("squall.toml");
    let arguments = ["sweep", "--subject", "mine", "--seeds", "12", "--no-shrink"];
    for (lacks, status) in [("[]", 1), ("[\"pre-vote\"]", 0)] {
        let text = format!("[subjects.mine]\ncommand = \"{command}\"\nlacks = {lacks}\n");
        std::fs::write(&file, text).unwrap();
        let output = squall_in(folder.path(), &arguments);
        let page = stdout(&output);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{page}{}",
            stderr(&output)
        );
        assert_eq!(page.contains("asked for pre-vote"), status == 1, "{page}");
    }
}

#[test]
fn a_plan_for_another_subject_asks_a_process_for_what_it_has_alone() {
    let plan = "sims/findings/requested-snapshot-drops-entries.json";
    let output = squall(&[
        "replay",
        plan,
        "--no-page",
        "--command",
        &replica("nothing"),
    ]);
    let (page, told) = (stdout(&output), stderr(&output));
    assert!(page.contains("VIOLATION liveness: "), "{page}{told}");
    let words = "the plan was made for raft-rs, and runs on nothing, which --command starts";
    assert!(told.contains(words), "{told}");
}

#[test]
fn a_process_that_answers_twice_is_found_out_and_harms_no_other_run() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--seeds", "1", "--keep-going"];
    let output = sweep("answers-twice", folder.path(), &more);
    let page = stdout(&output);
    assert!(
        page.contains("it has answered a request more than once"),
        "{page}"
    );
}

#[test]
fn a_script_around_a_process_is_killed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (script, marker) = (folder.path().join("run.sh"), folder.path().join("pid"));
    let text = format!("{} {}\ntrue\n", replica("hangs"), marker.display());
    std::fs::write(&script, text).unwrap();
    let out = folder.path().join("out");
    let output = squall(&[
        "sweep",
        "--command",
        &format!("sh {}", script.display()),
        "--profile",
        "calm",
        "--no-page",
        "--no-shrink",
        "--seeds",
        "1",
        "--deadline",
        "3s",
        "--out",
        out.to_str().unwrap(),
    ]);
    let told = stdout(&output) + &stderr(&output);
    assert!(told.contains("did not answer within 3 s"), "{told}");
    let pid = std::fs::read_to_string(marker).unwrap();
    // It may be left to be reaped by whoever its parent is now.
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    let goes_on = std::fs::read_to_string(stat).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!goes_on, "process {pid} goes on: {told}");
}
