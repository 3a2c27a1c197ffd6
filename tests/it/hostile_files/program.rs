//! What only the program reads, unfinished sweeps and folders of plans, and a sample of the rest:
//! how it is told.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use squall_core::plan::builtin_profiles;

use super::spoilt::{Spoilt, json_fields, whole};
use super::tally::{Fate, sample_of_processes, try_all};
use crate::support::{root, squall, stderr};

/// How long a command may take before it is interrupted: what is asked for may be a sweep without
/// an end.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How long it may take from then on.
const GRACE: Duration = Duration::from_secs(20);

/// What the program may have, in KiB.
const MOST_KIB: u32 = 2_000_000;

/// Runs the program, and says what became of it: one line of error and status 2, or a run.
#[allow(clippy::disallowed_methods)] // It is waited for.
fn run(arguments: &[&str]) -> Fate {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    // Memory beyond the limit aborts it.
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v $0; exec \"$@\"", &MOST_KIB.to_string()])
        .arg(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let mut ended = false;
    let goes_on = loop {
        std::thread::sleep(Duration::from_millis(2));
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        if !ended && began.elapsed() > PATIENCE {
            ended = true;
            let id = child.id().to_string();
            Command::new("kill").args(["-INT", &id]).status().unwrap();
        }
        if began.elapsed() > PATIENCE + GRACE {
            child.kill().unwrap();
            break true;
        }
    };
    let status = child.wait().unwrap();
    if goes_on {
        return Fate::Wrong("goes on after an interrupt".to_owned());
    }
    let text = String::from_utf8_lossy(&std::fs::read(&said).unwrap()).into_owned();
    let code = status.code();
    if text.contains("panicked") {
        let line = text.lines().find(|line| line.contains("panicked"));
        return Fate::Wrong(line.unwrap_or_default().to_owned());
    }
    match code {
        _ if ended => Fate::Ended,
        Some(0) => Fate::Ran,
        Some(1) => Fate::Violated,
        Some(2) if text.lines().count() == 1 => Fate::Refused(text),
        Some(2) if text.is_empty() => Fate::Ended,
        _ => Fate::Wrong(format!("status {code:?}, {text}")),
    }
}

/// The only file below a folder whose name ends so.
fn below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(below(&path, ending)),
            false if path.to_string_lossy().ends_with(ending) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        match old.is_dir() {
            true => copy(&old, &new),
            false => {
                std::fs::copy(&old, &new).unwrap();
            }
        }
    }
}

/// A sweep that was killed when it had found a few things.
fn killed(out: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args([
            "sweep",
            "--subject",
            "raft-rs+apply-retries",
            "--profile",
            "smoke",
        ])
        .args([
            "--seeds",
            "11..150",
            "--keep-going",
            "--no-shrink",
            "--jobs=1",
            "--out",
        ])
        .arg(out)
        .current_dir(root())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let found = output
        .lines()
        .filter(|line| line.as_ref().unwrap().contains("reproduce"));
    // Some of the findings are not printed yet.
    found.take(3).for_each(drop);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn unfinished_sweeps() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    killed(&out);
    let files = below(&out, ".unfinished.json");
    let [file] = files.as_slice() else {
        panic!("one sweep leaves one file: {files:?}");
    };
    let text = std::fs::read_to_string(file).unwrap();
    let mut all = json_fields(&text);
    all.extend(whole(&text));
    let name = file.strip_prefix(folder.path()).unwrap().to_path_buf();
    let files = std::iter::once((
        "an unfinished sweep".to_owned(),
        sample_of_processes(all, 40),
    ));
    try_all("unfinished sweeps", files, move |_, one| {
        let copied = tempfile::tempdir().unwrap();
        copy(folder.path(), copied.path());
        let file = copied.path().join(&name);
        std::fs::write(&file, one.text()).unwrap();
        let resumed = file.to_str().unwrap();
        run(&["sweep", "--jobs=1", "--resume", resumed])
    });
}

#[test]
fn corpora() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("corpus");
    let made = squall(&[
        "sweep",
        "--profile",
        "smoke",
        "--strategy",
        "guided",
        "--seeds",
        "64",
        "--jobs=1",
        "--corpus",
        corpus.to_str().unwrap(),
    ]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let kept = below(&corpus, ".json");
    let text = std::fs::read_to_string(&kept[0]).unwrap();
    let mut all = json_fields(&text);
    all.extend(whole(&text));
    let files = std::iter::once((
        "an entry of a corpus".to_owned(),
        sample_of_processes(all, 40),
    ));
    try_all("entries of a corpus", files, |_, one| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.json"), one.text()).unwrap();
        run(&["corpus", "list", folder.path().to_str().unwrap()])
    });
}

/// Plans, profiles and stories as the program tells of them.
#[test]
fn other_files() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let plan = read("sims/regressions/groups-forgotten-with-a-snapshot.json");
    let mut plans = json_fields(&plan);
    plans.extend(whole(&plan));
    let (_, smoke) = builtin_profiles()
        .into_iter()
        .find(|(name, _)| *name == "smoke")
        .unwrap();
    let story = read("sims/stories/first-election.sim");
    let files = [
        ("x.json".to_owned(), sample_of_processes(plans, 30)),
        (
            "x.toml".to_owned(),
            sample_of_processes(super::profiles::spoil(smoke), 20),
        ),
        (
            "x.sim".to_owned(),
            sample_of_processes(super::stories::spoil(&story), 20),
        ),
    ];
    try_all(
        "files of the program",
        files.into_iter(),
        |name, one: &Spoilt| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(name);
            std::fs::write(&file, one.text()).unwrap();
            let file = file.to_str().unwrap();
            match name {
                "x.json" => run(&["replay", file]),
                "x.toml" => run(&[
                    "sweep",
                    "--seeds",
                    "3",
                    "--jobs=1",
                    "--no-shrink",
                    "--profile",
                    file,
                ]),
                _ => run(&["story", file]),
            }
        },
    );
}
