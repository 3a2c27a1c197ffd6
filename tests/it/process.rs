//! Replicas in a process of their own, through the command line: what is wrong with a process is
//! told with the plan, the step and what it printed, and nothing is started that nobody asked for.

use std::path::Path;
use std::process::{Command, Output};

use super::support::{root, squall, stderr, stdout};

const REPLICA: &str = "tests/process/replica.py";

fn command(what: &str) -> String {
    format!("python3 {REPLICA} {what}")
}

/// A sweep of one seed of calm over that process.
fn sweep(what: &str, out: &Path, more: &[&str]) -> Output {
    let (command, out) = (command(what), out.to_str().unwrap());
    let base = [
        "sweep",
        "--command",
        &command,
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
    let more = ["--seeds", "2", "--keep-going", "--deadline", "500ms"];
    let output = sweep("hangs", folder.path(), &more);
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{page}");
    let why = "the process did not answer within 0.5 s, and was killed";
    // One is told whole, which names it twice.
    assert_eq!(page.matches(why).count(), 3, "{page}");
    assert!(page.contains("--deadline 500ms"), "{page}");
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
}

#[test]
fn no_plan_starts_anything() {
    let folder = tempfile::tempdir().unwrap();
    let _ = sweep("nothing", folder.path(), &["--seeds", "1"]);
    let plan = folder.path().join("nothing-calm-seed-0-liveness.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    assert!(
        text.contains(&format!("\"command\": \"{}\"", command("nothing"))),
        "{text}"
    );
    let marker = folder.path().join("started");
    let stranger = text.replace(&command("nothing"), &format!("touch {}", marker.display()));
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
    let output = squall(&["replay", plan, "--command", &command("nothing")]);
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
    std::fs::copy(root().join(REPLICA), here.join("replica.py")).unwrap();
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
    ] {
        std::fs::write(&file, text).unwrap();
        let output = squall_in(&below, &["list", "subjects"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {told}");
        assert!(told.contains(why), "{text}: {told}");
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
        &command("nothing"),
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
    let text = format!("{} {}\ntrue\n", command("hangs"), marker.display());
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
        "500ms",
        "--out",
        out.to_str().unwrap(),
    ]);
    let told = stdout(&output) + &stderr(&output);
    assert!(told.contains("did not answer within 0.5 s"), "{told}");
    let pid = std::fs::read_to_string(marker).unwrap();
    // It may be left to be reaped by whoever its parent is now.
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    let goes_on = std::fs::read_to_string(stat).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!goes_on, "process {pid} goes on: {told}");
}
