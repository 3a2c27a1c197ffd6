//! Subjects that do what no subject should, and what a user is told of it: runs that hang,
//! processes that die or are ended, drivers that are not the same twice.

mod subject;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use squall_core::registry::RegisteredSubject;
use subject::{Misbehaving, SEED, forever, mode};

use super::support::{root, stderr, stdout};

/// What [`program`] does, in words of the command line; as a test of the builder where that is
/// `check`.
const ARGUMENTS: &str = "MISBEHAVE_ARGUMENTS";

/// Not a test of its own: the other tests start this binary again with this one alone, as a
/// program.
#[test]
fn program() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    if arguments == "check" {
        let check = squall::check(Misbehaving).profile("smoke").seeds(0..64);
        check.jobs(2).run_each(|sim| {
            if sim.seed() == SEED && mode() == "hang-in-test" {
                forever();
            }
            sim.run();
        });
        return;
    }
    let words = std::iter::once("squall").chain(arguments.split_whitespace());
    let subject = RegisteredSubject::new(
        "misbehaving",
        "raft-rs, in a driver that misbehaves",
        Misbehaving,
    );
    let status = squall::cli::run(vec![subject], words.map(Into::into));
    std::process::exit(status.into());
}

fn command(misbehave: &str, arguments: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["misbehaving::program", "--exact", "--nocapture"])
        .current_dir(root())
        .env(ARGUMENTS, arguments)
        .env("MISBEHAVE", misbehave)
        .stdin(Stdio::null());
    command
}

fn run(misbehave: &str, arguments: &str) -> Output {
    command(misbehave, arguments).output().unwrap()
}

/// A sweep of 64 seeds, of which one misbehaves, with its results in `out`.
fn sweep(misbehave: &str, out: &Path, more: &str) -> Output {
    run(misbehave, &sweep_arguments(out, more))
}

fn sweep_arguments(out: &Path, more: &str) -> String {
    let out = out.display();
    format!("sweep --profile smoke --seeds 64 --jobs 2 --no-shrink --out {out} {more}")
}

#[test]
fn a_run_that_hangs_is_told_with_its_seed_step_and_node_and_ends_the_sweep() {
    for (mode, place) in [
        ("hang-in-step", ", at n2"),
        ("hang-in-boot", " in step 0, as n2 boots"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("summary.json");
        let out = folder.path().join("out");
        let more = format!("--hang-after 1s --json {}", json.display());
        let output = sweep(mode, &out, &more);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(2), "{text}{}", stderr(&output));
        let told = "HANG misbehaving under smoke: seed 17 has stood still for 1 s in step ";
        let line = text.lines().find(|line| line.contains(told));
        assert!(line.is_some_and(|line| line.contains(place)), "{text}");
        assert!(text.contains("hung: no violation in the "), "{text}");
        // The command that reproduces it has the plan that hangs: honest, it is a plan like any
        // other.
        let plan = out.join("misbehaving-smoke-seed-17-hang.json");
        let repeat = format!(" replay {}", plan.display());
        assert!(text.contains(&repeat), "{text}");
        let replayed = run("never", &repeat);
        assert_eq!(replayed.status.code(), Some(0), "{}", stderr(&replayed));
        let said = std::fs::read_to_string(&json).unwrap();
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["verdict"], "hung");
        assert_eq!(said["hang"]["seed"], 17);
        // It goes on where it was, and ends as one that never hung.
        assert!(text.contains("go on    "), "{text}");
        let rest = run("never", &format!("sweep --resume {}", out.display()));
        assert_eq!(rest.status.code(), Some(0), "{}", stderr(&rest));
        assert!(!stderr(&rest).contains("died"), "{}", stderr(&rest));
        assert!(stdout(&rest).contains("clean: no violation in 64 runs"));
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // The interrupt must come while the run hangs.
fn an_interrupt_ends_a_sweep_whose_run_hangs_and_names_the_run() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["INT", "TERM"] {
        let mut child = command("hang-in-step", &sweep_arguments(folder.path(), ""));
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1_500));
        let kill = ["-s", signal, &child.id().to_string()].map(str::to_owned);
        assert!(Command::new("kill").args(kill).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(2), "{text}{}", stderr(&output));
        assert!(
            text.contains("HANG ") && text.contains("it was told to end, and does not"),
            "{text}"
        );
    }
}

#[test]
fn the_time_of_a_sweep_ends_also_where_a_run_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let output = sweep("hang-in-step", folder.path(), "--for 1s");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stdout(&output).contains("HANG misbehaving under smoke: seed 17 "));
}

#[test]
fn a_process_that_dies_leaves_word_of_the_runs_that_it_was_in() {
    for (mode, strategy) in [
        ("abort", "uniform"),
        ("stack-overflow", "swarm"),
        ("abort", "guided"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        let dead = sweep(mode, out, &format!("--strategy {strategy}"));
        assert_eq!(dead.status.code(), None, "{}", stdout(&dead));
        let next = sweep("never", out, "");
        let said = stderr(&next);
        assert!(
            said.contains("a sweep of misbehaving under smoke in "),
            "{said}"
        );
        let line = said.lines().find(|line| line.contains("seed 17: "));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        // What it says to type is the run that it died of.
        let (_, rest) = line.split_once(" replay ").unwrap();
        let again = run(mode, &format!("replay {rest}"));
        assert_eq!(again.status.code(), None, "{line}: {}", stdout(&again));
        // It is said once.
        let third = sweep("never", out, "");
        assert!(!stderr(&third).contains("seed 17: "), "{}", stderr(&third));
    }
}

#[test]
fn a_subject_that_ends_the_process_does_not_decide_the_status_of_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let output = sweep("exit", folder.path(), "");
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(
        said.contains("misbehaving under smoke, seed 17: the subject ended the process"),
        "{said}"
    );
    let next = sweep("never", folder.path(), "");
    assert!(stderr(&next).contains("seed 17: "), "{}", stderr(&next));
    let test = run("exit", "check");
    assert!(!test.status.success(), "{}", stdout(&test));
    assert!(stderr(&test).contains("seed 17: the subject ended the process"));
    let next = run("never", "check");
    assert!(next.status.success(), "{}", stdout(&next));
    let said = stderr(&next);
    let died = "misbehaving::program: its process died the last time, perhaps by the run of seed 17: SQUALL_SEED=17 ";
    let line = said.lines().find(|line| line.contains(died));
    assert!(
        line.is_some_and(|line| line.ends_with(" --exact")),
        "{said}"
    );
}

#[test]
#[allow(clippy::disallowed_methods)] // It is killed after some time.
fn a_test_that_hangs_says_so_with_the_command_that_repeats_it() {
    for (mode, place) in [
        ("hang-in-step", "at n2"),
        ("hang-in-test", "in no node's step"),
    ] {
        let mut child = command(mode, "check");
        let child = child.env("SQUALL_HANG_AFTER", "500ms");
        let child = child.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = child.spawn().unwrap();
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
        let told = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains("HANG "));
        let repeat = lines.next().unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told.unwrap();
        assert!(
            told.contains("seed 17 has stood still for ") && told.contains(place),
            "{told}"
        );
        let command = repeat.trim();
        assert!(
            command.starts_with("reproduce  SQUALL_SEED=17 ") && command.ends_with(" --exact"),
            "{repeat}"
        );
    }
    // What it has left behind is not for others to find.
    run("never", "check");
}

#[test]
fn a_driver_that_is_not_the_same_twice_is_told_with_both_sides_and_the_usual_causes() {
    for mode in ["static", "clock", "address"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().display();
        let arguments =
            format!("sweep --profile smoke --seeds 17..+4 --jobs 1 --no-shrink --out {out}");
        let output = run(mode, &arguments);
        assert_eq!(output.status.code(), Some(2), "{mode}: {}", stdout(&output));
        let text = stdout(&output);
        let at = text.find("nondeterministic: two runs of seed 17 differ first at step ");
        let told = &text[at.unwrap_or_else(|| panic!("{mode}: {text}"))..];
        let side = |name: &str| {
            let line = told.lines().find(|line| line.starts_with(name));
            line.unwrap()[name.len()..].to_owned()
        };
        let sides = [side("  once:  "), side("  again: ")];
        assert!(
            sides[0] != sides[1] && sides.iter().all(|side| side.contains("n2 ")),
            "{told}"
        );
        assert!(
            told.contains("Usual causes, in a driver or a library: the order of a HashMap"),
            "{told}"
        );
    }
}

#[test]
fn what_a_subject_says_cannot_act_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let more = format!("--keep-going --summary-md {}", page.display());
    let output = sweep("panic", folder.path(), &more);
    assert_eq!(output.status.code(), Some(1));
    let page = std::fs::read_to_string(page).unwrap();
    for text in [stdout(&output), stderr(&output), page] {
        assert!(!text.contains('\x1b'), "{text:?}");
    }
    assert!(stdout(&output).contains("a panic of \\u{1b}[31mtwo lines\\u{1b}[0m"));
}

#[test]
fn a_plan_that_hangs_while_a_failure_is_shrunk_is_told_and_so_is_the_failure() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display();
    let json = folder.path().join("summary.json");
    let sweep = format!(
        "sweep --profile smoke --seeds 17..+1 --jobs 2 --hang-after 1s --json {} --out {out}",
        json.display()
    );
    let output = run("hang-when-shrunk", &sweep);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{}", stderr(&output));
    assert!(
        text.contains("HANG misbehaving: while it was shrunk, a smaller plan has stood still for 1 s in step 0, as n"),
        "{text}"
    );
    assert!(text.contains("seed 17: no-panic: n2 panicked: "), "{text}");
    let said = std::fs::read_to_string(&json).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["verdict"], "violation");
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    assert!(
        has("-seed-17-no-panic.json") && has("-hang.json"),
        "{names:?}"
    );
}
