//! Sweeps in shards: what shards add up to is what one sweep comes to, in whatever order they are
//! merged, whichever of them were killed on the way, and however many files are damaged or foreign.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::support::{root, stderr, stdout};

mod lost;

/// A sweep of two variants, one in twenty of whose runs fail.
const FAILS: [&str; 5] = [
    "--subject=raft-rs+apply-retries",
    "--profile=tests/it/two-variants.toml",
    "--seeds=11..1200",
    "--jobs=2",
    "--no-page",
];

/// A sweep that finds nothing.
const CLEAN: [&str; 5] = [
    "--subject=raft-rs",
    "--profile=smoke",
    "--seeds=7..1107",
    "--jobs=2",
    "--no-page",
];

/// A folder of a test, and the program in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(words).current_dir(root());
        // Whoever runs these tests may be a task of an array.
        for engine in [
            "SLURM_ARRAY_TASK_ID",
            "JOB_COMPLETION_INDEX",
            "CI_NODE_INDEX",
            "CI_NODE_TOTAL",
        ] {
            command.env_remove(engine);
        }
        command
    }

    /// Runs the program. Words that begin with `@` are names in the folder.
    fn run(&self, words: &[&str]) -> Output {
        let words = words.iter().map(|word| match word.split_once('@') {
            Some((option, name)) => format!("{option}{}", self.path(name).display()),
            None => (*word).to_owned(),
        });
        let words: Vec<String> = words.collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.command(&words).output().unwrap()
    }

    fn shard(&self, sweep: &[&str], shard: &str) -> Output {
        let own = ["sweep", "--shard", shard, "--out=@shards"];
        self.run(&[&own, sweep].concat())
    }

    /// Runs all shards, and demands that they say what they found by their status.
    fn shards(&self, sweep: &[&str], count: u64) {
        for number in 1..=count {
            let run = self.shard(sweep, &format!("{number}/{count}"));
            assert!(matches!(run.status.code(), Some(0 | 1)), "{}", stderr(&run));
        }
    }

    /// Merges these folders into another one, and returns the run and its summary.
    fn merge(&self, folders: &[&str], out: &str) -> (Output, Value) {
        let json = format!("--json=@{out}.json");
        let out = format!("--out=@{out}");
        let folders: Vec<String> = folders.iter().map(|name| format!("@{name}")).collect();
        let folders = folders.iter().map(String::as_str);
        let words: Vec<&str> = ["merge", &out, &json].into_iter().chain(folders).collect();
        let run = self.run(&words);
        let file = json.split_once('@').unwrap().1;
        let text = std::fs::read_to_string(self.path(file)).unwrap_or_else(|_| "null".to_owned());
        (run, serde_json::from_str(&text).unwrap())
    }

    /// The same sweep in one piece, to its end.
    fn whole(&self, sweep: &[&str]) -> (Output, Value) {
        let own = ["sweep", "--keep-going", "--no-shrink", "--out=@whole"];
        let run = self.run(&[&own, sweep, &["--json=@whole.json"]].concat());
        let text = std::fs::read_to_string(self.path("whole.json")).unwrap();
        (run, serde_json::from_str(&text).unwrap())
    }

    /// What is to be equal of two summaries: all but time, shards, and where files are.
    fn told(&self, summary: &Value) -> Value {
        let mut told = summary.clone();
        let fields = told.as_object_mut().unwrap();
        for other in [
            "cpu_seconds",
            "wall_seconds",
            "steps_per_cpu_second",
            "shards",
            "distinct",
        ] {
            fields.remove(other);
        }
        for violation in told["violations"].as_array_mut().unwrap() {
            let plan = PathBuf::from(violation["plan"].as_str().unwrap());
            violation["plan"] = plan.file_name().unwrap().to_str().unwrap().into();
            violation.as_object_mut().unwrap().remove("shrunk_plan");
        }
        told
    }

    /// The plans in a folder, by name.
    fn plans(&self, name: &str) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(self.path(name)).into_iter().flatten();
        let file = |entry: std::fs::DirEntry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        };
        let mut all: BTreeMap<String, String> = entries.flatten().map(file).collect();
        all.remove("merge.json");
        all
    }

    /// The file of a shard.
    fn file_of(&self, folder: &str) -> PathBuf {
        let entries = std::fs::read_dir(self.path(folder)).unwrap().flatten();
        let mut paths = entries.map(|entry| entry.path());
        let is_it = |path: &PathBuf| {
            let name = path.to_str().unwrap();
            name.ends_with(".shard.json") || name.ends_with(".unfinished.json")
        };
        paths.find(is_it).unwrap()
    }

    /// Changes a shard's file.
    fn change(&self, folder: &str, change: impl FnOnce(&mut Value)) {
        let path = self.file_of(folder);
        let mut value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(&path, value.to_string()).unwrap();
    }

    /// Runs a line of the program's output as a shell does.
    fn shell(&self, line: &str) -> Output {
        let mut shell = Command::new("bash");
        shell
            .args(["-c", line])
            .current_dir(root())
            .output()
            .unwrap()
    }
}

/// The lines that follow the one with these words.
fn after<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    let lines = text
        .lines()
        .skip_while(|line| !line.contains(words))
        .skip(1);
    let commands = lines.take_while(|line| line.starts_with("  "));
    commands.map(str::trim).collect()
}

#[test]
fn sixteen_shards_merged_in_any_order_are_the_sweep() {
    for sweep in [FAILS, CLEAN] {
        let place = Place::new();
        let (whole, expected) = place.whole(&sweep);
        place.shards(&sweep, 16);
        let folders: Vec<String> = (1..=16)
            .map(|number| format!("shards/shard-{number}-of-16"))
            .collect();
        let rising: Vec<&str> = folders.iter().map(String::as_str).collect();
        let falling: Vec<&str> = rising.iter().rev().copied().collect();
        // Every fifth, and so all of them, some of them twice.
        let mixed: Vec<&str> = (0..20).map(|place| rising[place * 5 % 16]).collect();
        let orders = [&["shards"][..], &rising, &falling, &mixed];
        for (order, out) in orders.into_iter().zip(["a", "b", "c", "d"]) {
            let (merged, summary) = place.merge(order, out);
            assert_eq!(merged.status, whole.status, "{}", stderr(&merged));
            assert_eq!(place.told(&summary), place.told(&expected));
            assert_eq!(place.plans(out), place.plans("whole"));
            let runs = expected["runs"].as_u64();
            assert_eq!(summary["shards"]["digest_seeds"].as_u64(), runs);
            assert!(stderr(&merged).is_empty(), "{}", stderr(&merged));
        }
        let found = expected["violations"].as_array().unwrap().len();
        assert_eq!(found > 20, sweep == FAILS, "{found}");
        let said = stdout(&place.shard(&sweep, "1/16"));
        assert!(said.starts_with("this shard has ended before: "), "{said}");
    }
}

#[test]
fn a_failure_that_many_shards_find_is_told_once_with_its_smallest_plan_and_shrunk_once() {
    let place = Place::new();
    place.shards(&FAILS, 3);
    let (merged, summary) = place.merge(&["shards"], "out");
    let distinct = summary["distinct"].as_array().unwrap();
    let violations = summary["violations"].as_array().unwrap();
    let sum: u64 = distinct.iter().filter_map(|one| one["runs"].as_u64()).sum();
    assert_eq!(sum, violations.len() as u64);
    assert!((2..=4).contains(&distinct.len()), "{distinct:?}");
    let faults = |seed: &Value, property: &Value| {
        let name = format!(
            "raft-rs+apply-retries-two-variants-seed-{seed}-{}.json",
            property.as_str().unwrap()
        );
        let plan: Value = serde_json::from_str(&place.plans("out")[&name]).unwrap();
        plan["faults"].as_array().map_or(0, Vec::len)
    };
    for one in distinct {
        let property = &one["property"];
        let alike = violations.iter().filter(|violation| {
            &violation["property"] == property && violation["violation"]["kind"] == one["place"]
        });
        let sizes = alike.map(|violation| faults(&violation["seed"], property));
        assert_eq!(sizes.min(), Some(faults(&one["seed"], property)));
    }
    let said = stdout(&merged);
    let commands = said.lines().filter(|line| line.contains("  reproduce  "));
    assert_eq!(commands.count(), distinct.len(), "{said}");

    // Each is one job: of two tasks of an array each has its part.
    for (number, status) in [("1", 1), ("2", 1), ("9", 0)] {
        let mut command = place.command(&["shrink", "--for=2s"]);
        command
            .arg(place.path("out"))
            .args(["--shard", "--shards=9"]);
        command.env("CI_NODE_INDEX", number);
        let run = command.output().unwrap();
        assert_eq!(run.status.code(), Some(status), "{}", stderr(&run));
    }
    let (_, summary) = place.merge(&["shards"], "out");
    let shrunk = summary["distinct"].as_array().unwrap().iter();
    let shrunk: Vec<&str> = shrunk.filter_map(|one| one["shrunk"].as_str()).collect();
    assert_eq!(shrunk.len(), 2);
    let again = place.shell(&format!(
        "{} replay {}",
        env!("CARGO_BIN_EXE_squall"),
        place.path("out").join(shrunk[0]).display()
    ));
    assert_eq!(again.status.code(), Some(1));
    let both = place.run(&[
        "merge",
        "@shards",
        "--out=@out",
        "--shrink",
        "--shrink-for=2s",
    ]);
    let said = stdout(&both);
    assert_eq!(said.matches("shrunk before: ").count(), 2, "{said}");
    let nowhere = place.run(&["shrink", "@out/none.json", "--shard=1/2"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn what_is_missing_or_unfinished_is_named_with_the_command_that_does_it() {
    let place = Place::new();
    let (_, expected) = place.whole(&FAILS);
    place.shards(&FAILS[..], 4);
    std::fs::remove_dir_all(place.path("shards/shard-2-of-4")).unwrap();
    // What a shard that was killed has left: no end, and less of it.
    let over = place.file_of("shards/shard-3-of-4");
    let killed = over.to_str().unwrap().replace(".shard.", ".unfinished.");
    std::fs::rename(&over, &killed).unwrap();
    place.change("shards/shard-3-of-4", |file| {
        let fresh = [
            ("next", 11),
            ("runs", 0),
            ("steps", 0),
            ("simulated_us", 0),
            ("digest", 0),
            ("double_runs", 0),
        ];
        for (name, value) in fresh {
            file[name] = value.into();
        }
        file["counters"] = serde_json::json!({});
        file["variants"] = serde_json::json!([]);
        file["findings"] = serde_json::json!([]);
        file["shard"]["is_over"] = false.into();
        file["shard"]["digests"] = "".into();
    });
    let (merged, summary) = place.merge(&["shards"], "out");
    assert_eq!(merged.status.code(), Some(1), "{}", stderr(&merged));
    assert_eq!(summary["shards"]["digest_seeds"], 64);
    let said = stdout(&merged);
    let [missing, unfinished] =
        ["1 shard missing:", "1 shard unfinished:"].map(|words| after(&said, words));
    assert_eq!((missing.len(), unfinished.len()), (1, 1), "{said}");
    for command in [missing[0], unfinished[0]] {
        let run = place.shell(command);
        assert_eq!(run.status.code(), Some(1), "{command}: {}", stderr(&run));
    }
    let (_, summary) = place.merge(&["shards"], "out");
    assert_eq!(place.told(&summary), place.told(&expected));
}

#[test]
fn a_shard_that_is_killed_and_started_again_goes_on() {
    let place = Place::new();
    let long = ["--seeds=11..1500", "--jobs=1"];
    let sweep = [&FAILS[..2], &long, &FAILS[4..]].concat();
    let out = format!("--out={}", place.path("shards").display());
    let words = [&["sweep", "--shard=2/2", &out], &sweep[..]].concat();
    let mut child = (place.command(&words).stdout(Stdio::piped()).spawn()).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // Its banner, and the findings of several portions, after the first of which it has written
    // where it stands.
    let seed = |line: &str| {
        line.strip_prefix("seed ")?
            .split(':')
            .next()?
            .parse::<u64>()
            .ok()
    };
    while seed(&line).is_none_or(|seed| seed < 300) {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let unfinished = place.file_of("shards/shard-2-of-2");
    assert!(unfinished.to_str().unwrap().ends_with(".unfinished.json"));
    // Elsewhere, where the folder has another name.
    std::fs::rename(place.path("shards"), place.path("elsewhere")).unwrap();
    let again = [&["sweep", "--shard=2/2", "--out=@elsewhere"], &sweep[..]].concat();
    let again = place.run(&again);
    let said = stdout(&again);
    let first = said.lines().next().unwrap();
    assert!(
        first.contains(", shard 2/2, 1 jobs, going on at seed "),
        "{first}"
    );
    assert!(place.shard(&sweep, "1/2").status.code() == Some(1));
    let (_, merged) = place.merge(&["shards", "elsewhere"], "out");
    let (_, whole) = place.whole(&sweep);
    assert_eq!(place.told(&merged), place.told(&whole));
    // With what does not change a shard it is the same one.
    let own = ["sweep", "--shard=2/2", "--out=@elsewhere", "--jobs=2"];
    let other = [&own[..], &[FAILS[0], FAILS[1], long[0]]].concat();
    let other = place.run(&other);
    assert_eq!(other.status.code(), Some(1), "{}", stderr(&other));
    let said = stdout(&other);
    assert!(said.starts_with("this shard has ended before: "), "{said}");
    // One that has ended is refused after a rebuild: its seeds may be other plans now.
    place.change("elsewhere/shard-2-of-2", |file| {
        file["shard"]["build"] = "0123456789abcdef".into();
    });
    let rebuilt = place.run(&[&own[..], &[FAILS[0], FAILS[1], long[0]]].concat());
    assert_eq!(rebuilt.status.code(), Some(2));
    let told = stderr(&rebuilt);
    assert!(
        told.contains("another build of this program wrote ")
            && told.contains("name another --out"),
        "{told}"
    );
}

#[test]
fn what_is_damaged_is_named_and_left_out_and_what_is_foreign_is_refused() {
    let place = Place::new();
    let sweep = [&FAILS[..2], &["--seeds=0..300", "--coverage"], &FAILS[3..]].concat();
    place.shards(&sweep, 3);
    let whole = place.merge(&["shards"], "whole").1;
    let damaged = |out: &str, names: &str| {
        let (merged, summary) = place.merge(&["shards"], out);
        assert_eq!(merged.status.code(), Some(2));
        let told = stderr(&merged);
        assert!(
            told.contains("squall: damaged, and left out: ") && told.contains(names),
            "{told}"
        );
        assert!(summary["runs"].as_u64() <= whole["runs"].as_u64());
        assert_eq!(told.lines().count(), 1, "{told}");
        summary
    };
    let spoil = |path: &Path, out: &str, names: &str| {
        let before = std::fs::read(path).unwrap();
        std::fs::write(path, &before[..before.len() / 2]).unwrap();
        let summary = damaged(out, names);
        std::fs::write(path, before).unwrap();
        summary
    };
    let file = place.file_of("shards/shard-2-of-3");
    let summary = spoil(&file, "a", file.to_str().unwrap());
    assert_eq!(summary["shards"]["missing"][0]["shard"], "2/3");
    assert_eq!(summary["shards"]["digest_seeds"], 64);
    let coverage = (file.to_str().unwrap()).replace(".shard.json", ".shard.coverage");
    let summary = spoil(Path::new(&coverage), "b", &coverage);
    // Its runs count, and are in the digest.
    assert_eq!(summary["digest"], whole["digest"]);
    assert_eq!(summary["runs"], whole["runs"]);
    assert!(summary["coverage"]["states"].as_u64() < whole["coverage"]["states"].as_u64());
    assert_eq!(summary["shards"]["to_repeat"][0]["shard"], "2/3");
    let plans = place.plans("whole");
    let (name, _) = plans
        .iter()
        .find(|(name, _)| name.contains("-seed-"))
        .unwrap();
    let of = |number: u64| place.path(&format!("shards/shard-{number}-of-3/{name}"));
    let plan = (1..=3).map(of).find(|path| path.exists()).unwrap();
    let summary = spoil(&plan, "c", name);
    let found = |summary: &Value| summary["violations"].as_array().unwrap().len();
    assert_eq!(found(&summary) + 1, found(&whole));
    // A digest that is not that of the run is no damage that a file shows, but two runs do.
    std::fs::create_dir_all(place.path("shards/twice")).unwrap();
    for entry in std::fs::read_dir(place.path("shards/shard-2-of-3")).unwrap() {
        let from = entry.unwrap().path();
        let to = place.path("shards/twice").join(from.file_name().unwrap());
        std::fs::copy(from, to).unwrap();
    }
    assert_eq!(place.merge(&["shards"], "d").1["digest"], whole["digest"]);
    // Of two copies the one serves that is whole.
    let summary = spoil(Path::new(&coverage), "e", &coverage);
    assert_eq!(summary["coverage"], whole["coverage"]);
    let summary = spoil(&plan, "f", name);
    assert!(found(&summary) + 1 >= found(&whole));

    let refused = |words: &str, change: &dyn Fn(&mut Value)| {
        let before = std::fs::read(&file).unwrap();
        place.change("shards/shard-2-of-3", change);
        let (merged, summary) = place.merge(&["shards"], "none");
        std::fs::write(&file, before).unwrap();
        assert_eq!(merged.status.code(), Some(2));
        let told = stderr(&merged);
        assert!(told.contains(words) && told.lines().count() == 1, "{told}");
        assert!(summary.is_null() && !place.path("none").exists());
    };
    refused("their runs are not the same", &|file| {
        let digests = file["shard"]["digests"].as_str().unwrap();
        let other = digests.replace('1', "2");
        file["shard"]["digests"] = other.into();
    });
    std::fs::remove_dir_all(place.path("shards/twice")).unwrap();
    let apart = "are not shards of one sweep: the ";
    refused(&format!("{apart}build is "), &|file| {
        file["shard"]["build"] = "0123456789abcdef".into();
    });
    refused(&format!("{apart}corpus is "), &|file| {
        file["asked"]["corpus"] = "plans".into();
    });
    refused(&format!("{apart}profile is "), &|file| {
        file["asked"]["profile"] = "storm".into();
    });
    refused(&format!("{apart}subject is "), &|file| {
        file["asked"]["subject"] = "raft-rs".into();
    });
    refused(
        &format!("{apart}range of seeds is 0..300 there, and 0..301"),
        &|file| {
            file["asked"]["seeds"]["end"] = 301.into();
        },
    );
    refused("which may draw other plans", &|file| {
        file["squall"] = "0.0.1".into()
    });
    refused("version 9 of such files", &|file| {
        file["version"] = 9.into()
    });
    let none = place.merge(&["whole"], "none").0;
    assert!(
        stderr(&none).contains("there is no shard in "),
        "{}",
        stderr(&none)
    );
}

#[test]
fn shards_that_end_by_time_say_what_they_finished() {
    let place = Place::new();
    let sweep = [
        "--subject=raft-rs+apply-retries",
        "--profile=smoke",
        "--coverage",
        "--no-page",
    ];
    for (shard, time) in [("1/2", "--for=700ms"), ("2/2", "--for=1500ms")] {
        let run = place.shard(&[&sweep[..], &[time]].concat(), shard);
        assert!(matches!(run.status.code(), Some(0 | 1)), "{}", stderr(&run));
    }
    let (merged, summary) = place.merge(&["shards"], "out");
    assert!(stderr(&merged).is_empty(), "{}", stderr(&merged));
    let seeds = summary["shards"]["digest_seeds"].as_u64().unwrap();
    assert!(seeds >= 64, "{seeds}");
    // Everything counts, but the digest is of what both have finished.
    assert!(summary["runs"].as_u64().unwrap() > seeds);
    let to_there = format!("--seeds=0..{seeds}");
    let (_, whole) = place.whole(&[&sweep[..], &[&to_there]].concat());
    assert_eq!(summary["digest"], whole["digest"]);
    let states = |summary: &Value| summary["coverage"]["states"].as_u64().unwrap();
    assert!(states(&summary) > states(&whole));
}

#[test]
fn what_shards_cover_is_what_the_sweep_covers() {
    let place = Place::new();
    let sweep = [&FAILS[..2], &["--seeds=0..500", "--coverage"], &FAILS[3..]].concat();
    place.shards(&sweep, 3);
    let (_, merged) = place.merge(&["shards"], "out");
    let (_, whole) = place.whole(&sweep);
    assert!(whole["coverage"]["transitions"].as_u64() > Some(1_000));
    assert_eq!(place.told(&merged), place.told(&whole));
}

#[test]
fn guided_shards_learn_each_by_itself_and_share_their_plans_in_rounds() {
    let place = Place::new();
    let sweep = [
        "--subject=raft-rs",
        "--profile=smoke",
        "--strategy=guided",
        "--no-page",
        "--jobs=2",
    ];
    let first = [&sweep[..], &["--seeds=0..192"]].concat();
    place.shards(&first, 3);
    let (merged, one) = place.merge(&["shards"], "out");
    let said = stdout(&merged);
    assert!(said.contains(" plans reach something new\n"), "{said}");
    let plans = place.plans("out/corpus");
    assert!(plans.len() > 10, "{}", plans.len());
    // The next round begins with what all have found, and adds nothing to it under way.
    std::fs::rename(place.path("shards"), place.path("first")).unwrap();
    let corpus = format!("--corpus={}", place.path("out/corpus").display());
    let next = [&sweep[..], &["--seeds=192..384", &corpus]].concat();
    place.shards(&next, 3);
    assert_eq!(place.plans("out/corpus"), plans);
    let (_, two) = place.merge(&["shards"], "second");
    assert_ne!(one["digest"], two["digest"]);
    assert_eq!(two["runs"], 192);
    // And is the same whenever it is done.
    std::fs::rename(place.path("shards"), place.path("done")).unwrap();
    place.shards(&next, 3);
    let (_, again) = place.merge(&["shards"], "again");
    assert_eq!(place.told(&again), place.told(&two));
}

#[test]
fn the_environment_says_which_shard_it_is_where_it_is_asked() {
    let place = Place::new();
    let run = |words: &[&str], variables: &[(&str, &str)]| {
        let out = format!("--out={}", place.path("out").display());
        let sweep = ["sweep", "--profile=smoke", "--seeds=130", "--jobs=1", &out];
        let words = [&sweep, words].concat();
        let mut command = place.command(&words);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        match output.status.code() {
            Some(0) => stdout(&output).lines().next().unwrap().to_owned(),
            _ => stderr(&output),
        }
    };
    let slurm = [
        ("SLURM_ARRAY_TASK_ID", "20"),
        ("SLURM_ARRAY_TASK_MIN", "10"),
        ("SLURM_ARRAY_TASK_MAX", "50"),
        ("SLURM_ARRAY_TASK_STEP", "10"),
    ];
    let said = run(&["--shard"], &slurm);
    assert!(
        said.contains(", shard 2/5 by SLURM_ARRAY_TASK_ID, "),
        "{said}"
    );
    let kubernetes = [("JOB_COMPLETION_INDEX", "3")];
    let said = run(&["--shard", "--shards=4"], &kubernetes);
    assert!(
        said.contains(", shard 4/4 by JOB_COMPLETION_INDEX, "),
        "{said}"
    );
    let gitlab = [("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "2")];
    let said = run(&["--shard"], &gitlab);
    assert!(said.contains(", shard 1/2 by CI_NODE_INDEX, "), "{said}");
    // What is said goes before, and who does not ask gets the whole sweep.
    let said = run(&["--shard=2/3"], &gitlab);
    assert!(said.contains(", shard 2/3, 1 jobs"), "{said}");
    assert!(!run(&[], &gitlab).contains("shard"));
    let both = [&slurm[..], &gitlab].concat();
    let said = run(&["--shard"], &both);
    assert!(
        said.contains("says shard 2/5, and CI_NODE_INDEX says shard 1/2"),
        "{said}"
    );
    for (words, told) in [
        (&["--shard"][..], "the environment, which has none of"),
        (&["--shard=0/3"], "\"0/3\" is no shard"),
        (
            &["--shard=1/3", "--shards=4"],
            "--shard 1/3 is one of 3, and --shards says 4",
        ),
        (&["--shards=4"], "--shard"),
    ] {
        let said = run(words, &[]);
        assert!(
            said.starts_with("squall: ") && said.contains(told),
            "{said}"
        );
    }
}

#[test]
fn a_shard_without_seeds_is_clean() {
    let place = Place::new();
    let sweep = ["--profile=smoke", "--seeds=130", "--jobs=1"];
    place.shards(&sweep, 5);
    let said = stdout(&place.shard(&sweep, "5/5"));
    assert!(
        said.contains("\nclean: no violation in 0 runs of this shard"),
        "{said}"
    );
    let (merged, summary) = place.merge(&["shards"], "out");
    assert_eq!(merged.status.code(), Some(0), "{}", stderr(&merged));
    let (_, whole) = place.whole(&sweep);
    assert_eq!(place.told(&summary), place.told(&whole));
}
