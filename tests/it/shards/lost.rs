//! What is lost of shards is never told as clean, and can be had again by what is printed.

use super::*;

/// A sweep of one run, which fails.
fn one_that_fails(place: &Place) -> [String; 3] {
    let (_, whole) = place.whole(&FAILS);
    let seed = &whole["violations"][0]["seed"];
    [
        FAILS[0].to_owned(),
        FAILS[1].to_owned(),
        format!("--seeds={seed}..+1"),
    ]
}

/// The first file with these words in its name, in a folder of a shard.
fn file_with(place: &Place, folder: &str, words: &str) -> PathBuf {
    let paths = std::fs::read_dir(place.path(folder)).unwrap().flatten();
    let mut paths = paths.map(|entry| entry.path());
    let has_them = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.contains(words) && !name.ends_with(".damaged")
    };
    let found = paths.find(has_them);
    found.unwrap_or_else(|| panic!("there is no {words} in {folder}"))
}

fn interrupt(id: u32) {
    let kill = Command::new("kill")
        .args(["-INT", &id.to_string()])
        .status();
    assert!(kill.unwrap().success());
}

#[test]
fn a_merge_that_lost_its_only_finding_is_not_clean_and_the_shard_is_repeated() {
    let place = Place::new();
    let sweep = one_that_fails(&place);
    let sweep: Vec<&str> = sweep.iter().map(String::as_str).collect();
    place.shards(&sweep, 1);
    let (_, whole) = place.merge(&["shards"], "whole-merged");
    assert_eq!(whole["violations"].as_array().unwrap().len(), 1);
    let plan = file_with(&place, "shards/shard-1-of-1", "-seed-");
    std::fs::write(&plan, "{").unwrap();
    let markdown = format!("--summary-md={}", place.path("out.md").display());
    let run = place.run(&[
        "merge",
        "@shards",
        "--out=@out",
        "--json=@out.json",
        &markdown,
    ]);
    assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
    let said = stdout(&run);
    assert!(
        said.contains("interrupted: no violation in the 1 run so far"),
        "{said}"
    );
    assert!(!said.contains("clean"), "{said}");
    let json = std::fs::read_to_string(place.path("out.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["verdict"], "interrupted");
    let markdown = std::fs::read_to_string(place.path("out.md")).unwrap();
    assert!(!markdown.contains("clean"), "{markdown}");
    let repeat = after(&said, "1 shard to repeat:");
    assert_eq!(repeat.len(), 1, "{said}");
    let again = place.shell(repeat[0]);
    assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));
    assert!(stderr(&again).contains(" is damaged, and lies aside as "));
    let (merged, summary) = place.merge(&["shards"], "again");
    assert!(stderr(&merged).is_empty(), "{}", stderr(&merged));
    assert_eq!(place.told(&summary), place.told(&whole));
}

#[test]
fn a_damaged_shard_is_done_again_by_the_command_that_is_printed() {
    let place = Place::new();
    let sweep = [&FAILS[..2], &["--seeds=0..200", "--coverage"], &FAILS[3..]].concat();
    place.shards(&sweep, 2);
    let (_, whole) = place.merge(&["shards"], "whole");
    let spoilt = [
        (".shard.json", "1 shard missing:"),
        (".shard.coverage", "1 shard to repeat:"),
    ];
    for (ending, words) in spoilt {
        let file = file_with(&place, "shards/shard-2-of-2", ending);
        let text = std::fs::read(&file).unwrap();
        std::fs::write(&file, &text[..text.len() / 2]).unwrap();
        let (merged, _) = place.merge(&["shards"], "out");
        assert_eq!(merged.status.code(), Some(2));
        let said = stdout(&merged);
        let commands = after(&said, words);
        assert_eq!(commands.len(), 1, "{said}");
        let again = place.shell(commands[0]);
        assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));
        let (merged, summary) = place.merge(&["shards"], "out");
        assert!(stderr(&merged).is_empty(), "{}", stderr(&merged));
        assert_eq!(place.told(&summary), place.told(&whole));
    }
    place.change("shards/shard-2-of-2", |file| {
        file["variants"][0]["violations"] = 1_000_000.into();
    });
    let told = stderr(&place.merge(&["shards"], "out").0);
    assert!(
        told.contains("a variant has 1000000 violations in "),
        "{told}"
    );
}

#[test]
fn a_shard_that_was_interrupted_ends_with_2_and_what_hung_is_named() {
    let place = Place::new();
    let out = format!("--out={}", place.path("shards").display());
    let sweep = ["--seeds=11..900000", "--jobs=1", "--no-page"];
    let words = [&["sweep", "--shard=1/1", &out], &FAILS[..2], &sweep].concat();
    let mut child = (place.command(&words).stdout(Stdio::piped()).spawn()).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().starts_with("seed ")));
    interrupt(child.id());
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{rest:?}");
    // As a run that hangs leaves it.
    let plan = file_with(&place, "shards/shard-1-of-1", "-seed-");
    let hang = place.path("shards/shard-1-of-1/x-seed-5-hang.json");
    std::fs::copy(plan, &hang).unwrap();
    let (merged, summary) = place.merge(&["shards"], "out");
    assert_eq!(merged.status.code(), Some(1), "{}", stderr(&merged));
    let unfinished = &summary["shards"]["unfinished"][0];
    assert_eq!(unfinished["hangs"][0], hang.to_str().unwrap());
    let said = stdout(&merged);
    let lines = after(&said, "1 shard unfinished:");
    let replay = lines[1].strip_prefix("a run hangs: ").unwrap();
    assert_eq!(place.shell(replay).status.code(), Some(1), "{replay}");
}

#[test]
fn a_shrink_that_is_interrupted_is_done_again() {
    let place = Place::new();
    place.shards(&FAILS, 2);
    let (_, summary) = place.merge(&["shards"], "out");
    let failures = summary["distinct"].as_array().unwrap().len();
    let out = place.path("out").display().to_string();
    let words = ["shrink", &out, "--shard=1/1", "--jobs=1", "--for=1h"];
    let mut command = place.command(&words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains(" failures")));
    assert!(said.next().unwrap().unwrap().ends_with(" failures"));
    interrupt(child.id());
    let run = child.wait_with_output().unwrap();
    let told = stderr(&run);
    assert!(
        told.contains("interrupted: the same command shrinks"),
        "{told}"
    );
    assert!(!told.contains("does not fail again"), "{told}");
    let shrunk = |place: &Place| {
        let plans = place.plans("out").into_keys();
        plans.filter(|name| name.ends_with("-shrunk.json")).count()
    };
    assert_eq!(shrunk(&place), 0);
    // With JSON on standard output nothing else is there.
    let words = [
        "merge",
        "@shards",
        "--out=@out",
        "--shrink",
        "--shrink-for=1s",
        "--json=-",
    ];
    let run = place.run(&words);
    assert_eq!(run.status.code(), Some(1), "{}", stderr(&run));
    let json: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let distinct = json["distinct"].as_array().unwrap();
    assert_eq!(distinct.len(), failures);
    assert!(
        distinct.iter().all(|one| one["shrunk"].is_string()),
        "{distinct:?}"
    );
    assert_eq!(shrunk(&place), failures);
}

#[test]
fn required_events_are_demanded_of_all_shards_together() {
    let place = Place::new();
    let profile = place.path("needs.toml");
    let text = "extends = \"calm\"\nabout = \"what cannot happen\"\nrequire = [\"crash\"]\n";
    std::fs::write(&profile, text).unwrap();
    let profile = format!("--profile={}", profile.display());
    let sweep = ["--subject=raft-rs", &profile, "--seeds=1100", "--no-page"];
    for shard in ["1/2", "2/2"] {
        let run = place.shard(&sweep, shard);
        assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    }
    let (merged, summary) = place.merge(&["shards"], "out");
    assert_eq!(merged.status.code(), Some(2), "{}", stdout(&merged));
    assert_eq!(summary["verdict"], "incomplete");
    assert!(stdout(&merged).contains("did not happen, or not as often: crash"));
}
