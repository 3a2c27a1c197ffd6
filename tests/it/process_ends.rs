//! How processes end with the program that started them: none is left, whatever ended it; one that
//! cannot be started again ends a sweep with an error; and their time is counted.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use super::process::{kit_example, replica, sweep_of};
use super::support::{root, squall, stderr, stdout};

/// Those that go on, of the processes that have this among their arguments.
fn left_of(marker: &str) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(arguments) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        // Not the programs that started them, whose arguments name the command as well; nor a shell
        // in which a Python begins. One that is dead and not waited for has no arguments.
        let program = arguments.split(' ').next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        if arguments.contains(marker) && program.starts_with("python") {
            left.push(arguments);
        }
    }
    left
}

/// A sweep or a replay in the background.
fn begin(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn interrupt(program: &Child) {
    let killed = Command::new("kill")
        .args(["-INT", &program.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
}

/// Waits in wall time until `is_so`.
#[allow(clippy::disallowed_methods)] // Another process is waited for.
fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("after half a minute it is still not so: {what}");
}

#[test]
fn no_process_is_left_after_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("marker");
    let marker = marker.to_str().unwrap();
    // It would go on for an hour.
    let stays = kit_example(&format!("stays {marker}"));
    let output = sweep_of(&stays, folder.path(), &["--seeds", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(left_of(marker), [""; 0]);
    // It is killed in its step, and whatever is begun after it ends with the sweep.
    let hangs = replica(&format!("hangs {marker}"));
    let more = ["--seeds", "2", "--keep-going", "--deadline", "2s"];
    let output = sweep_of(&hangs, folder.path(), &more);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(left_of(marker), [""; 0]);
}

#[test]
fn no_process_is_left_after_an_interrupt() {
    let folder = tempfile::tempdir().unwrap();
    let (marker, out) = (folder.path().join("marker"), folder.path().join("out"));
    let command = replica(&format!("hangs {}", marker.display()));
    let (out, deadline) = (out.to_str().unwrap(), ["--deadline", "50s"]);
    let sweep = ["sweep", "--profile", "calm", "--seeds", "9", "--out", out];
    let replay = ["replay", "--seed", "1", "--profile", "calm"];
    let page = ["page", "--seed", "1", "--profile", "calm", "--output", out];
    for (arguments, status) in [(&sweep[..], 2), (&replay[..], 130), (&page[..], 130)] {
        let hangs = folder.path().join("marker.hangs");
        let _ = std::fs::remove_file(&hangs);
        let mut program = begin(&[arguments, &deadline, &["--command", &command]].concat());
        until("the process hangs", || hangs.exists());
        assert!(!left_of(marker.to_str().unwrap()).is_empty());
        interrupt(&program);
        let mut told = String::new();
        let _ = program.stdout.take().unwrap().read_to_string(&mut told);
        assert_eq!(program.wait().unwrap().code(), Some(status), "{told}");
        assert_eq!(left_of(marker.to_str().unwrap()), [""; 0], "{told}");
    }
}

#[test]
fn an_interrupt_of_a_sweep_ends_it_with_the_summary_so_far_and_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let (marker, out) = (folder.path().join("marker"), folder.path().join("out"));
    let command = kit_example(&format!("stays {}", marker.display()));
    let arguments = ["sweep", "--command", &command, "--profile", "calm", "--out"];
    let seeds = ["--for", "1h", "-j2"];
    let mut program = begin(&[&arguments[..], &[out.to_str().unwrap()], &seeds].concat());
    let left = || left_of(marker.to_str().unwrap());
    // The first has said who it is. The second is there for runs.
    until("two processes run", || left().len() >= 2);
    interrupt(&program);
    let mut told = String::new();
    let _ = program.stdout.take().unwrap().read_to_string(&mut told);
    assert_eq!(program.wait().unwrap().code(), Some(2), "{told}");
    assert!(told.contains("interrupted: no violation in the"), "{told}");
    assert_eq!(left(), [""; 0]);
}

#[test]
fn a_process_that_cannot_be_started_again_is_an_error_and_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("run.sh");
    // The fresh process of the first seed is not there; that of the last is not.
    for (runs, done) in [(1, 0), (4, 5)] {
        let program = kit_example(&format!("removes {} {runs}", script.display()));
        std::fs::write(&script, format!("#!/bin/sh\nexec {program}\n")).unwrap();
        let executable = Command::new("chmod").arg("+x").arg(&script).status();
        assert!(executable.unwrap().success());
        let more = ["--seeds", "6", "--keep-going"];
        let output = sweep_of(script.to_str().unwrap(), folder.path(), &more);
        let (page, told) = (stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(2), "{page}{told}");
        let words = format!("interrupted: no violation in the {done} run");
        assert!(page.contains(&words), "{page}");
        let why = "squall: a process could not be started again: cannot start ";
        assert!(told.contains(why), "{told}");
        assert!(told.contains("No such file or directory"), "{told}");
        assert!(!page.contains("VIOLATION"), "{page}");
    }
    // The same for one that starts, and is not what it was.
    let copy = folder.path().join("replica.py");
    let text = std::fs::read_to_string(root().join("tests/process/replica.py")).unwrap();
    std::fs::write(&copy, text).unwrap();
    let removes = format!("python3 {0} removes-itself {0}", copy.display());
    let output = sweep_of(&removes, folder.path(), &["--seeds", "2"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{}{told}", stdout(&output));
    assert!(
        told.contains("exit status 2; on standard error: "),
        "{told}"
    );
    assert!(told.contains("can't open file"), "{told}");
}

#[test]
fn the_time_of_processes_is_time_of_the_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--seeds", "8", "--json", "-"];
    let command = kit_example("takes-its-time");
    let output = sweep_of(&command, folder.path(), &more);
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    // A tenth of a second for each run; two are made twice. A tick is a hundredth.
    let seconds = told["cpu_seconds"].as_f64().unwrap();
    assert!(seconds > 0.9, "{told}");
    assert_eq!(told["double_runs"], 2, "{told}");
}

#[test]
fn a_process_that_dies_while_it_says_a_message_in_words_has_failed() {
    let arguments = ["replay", "--seed", "1", "--profile", "calm", "--no-page"];
    let command = replica("dies-in-describe");
    let more = ["--trace", "--command", &command];
    let output = squall(&[&arguments[..], &more].concat());
    let page = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{page}{}", stderr(&output));
    assert!(page.contains("VIOLATION no-panic"), "{page}");
    assert!(page.contains("the process ended: exit status 9"), "{page}");
    // Where nobody wants words, it lives.
    let folder = tempfile::tempdir().unwrap();
    let output = sweep_of(&command, folder.path(), &["--seeds", "1", "--keep-going"]);
    let page = stdout(&output);
    assert!(page.contains("1 of 1 run failed (liveness in 1)"), "{page}");
}
