//! Sweeps that are ended from outside, and go on: killed at any moment, interrupted, with a full
//! disk.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use expect_test::expect;
use squall_core::plan::Plan;
use squall_world::rng::Choices;

use super::support::{root, squall, stderr, stdout};

/// One seed in twenty fails, so that there is much to lose.
const ASKED: [&str; 9] = [
    "--subject",
    "raft-rs+apply-retries",
    "--profile",
    "tests/it/two-variants.toml",
    "--seeds",
    "11..1200",
    "--keep-going",
    "--no-shrink",
    "--jobs=1",
];

fn begun(out: &Path) -> Vec<String> {
    let asked = ASKED.iter().map(|word| (*word).to_owned());
    let begin = std::iter::once("sweep".to_owned()).chain(asked);
    begin
        .chain(["--out".to_owned(), out.display().to_string()])
        .collect()
}

fn gone_on(out: &Path) -> Vec<String> {
    ["sweep", "--jobs=1", "--resume", out.to_str().unwrap()]
        .map(str::to_owned)
        .into()
}

/// What a sweep says as JSON, without how long it took and where its files are.
fn summary(json: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(json).unwrap();
    let folder = json.parent().unwrap().to_str().unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text.replace(folder, "DIR")).unwrap();
    let fields = value.as_object_mut().unwrap();
    for timed in ["cpu_seconds", "wall_seconds", "steps_per_cpu_second"] {
        fields.remove(timed).unwrap();
    }
    value
}

/// The files that a sweep wrote, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let file = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    // What processes that are killed leave for the next one lies in folders. Pages are written
    // where they are told of, which is not where a sweep went on.
    let is_file = |entry: &std::fs::DirEntry| {
        let is_page = entry.path().extension() == Some("html".as_ref());
        !is_page && entry.file_type().unwrap().is_file()
    };
    entries.filter(is_file).map(file).collect()
}

/// That every finding that was printed has its plan on the disk.
fn assert_kept(printed: &str, out: &Path) {
    for line in printed.lines().filter(|line| line.starts_with("seed ")) {
        let seed = line["seed ".len()..].split(':').next().unwrap();
        let property = line.split(": ").nth(1).unwrap();
        let plan = out.join(format!(
            "raft-rs+apply-retries-two-variants-seed-{seed}-{property}.json"
        ));
        Plan::read(&plan).unwrap();
    }
}

/// That a sweep's page has every violation of `summary` once, and how it went in order.
fn assert_page_is_whole(html: &Path, summary: &serde_json::Value) {
    let text = std::fs::read_to_string(html.join("sweep.json")).unwrap();
    let page: serde_json::Value = serde_json::from_str(&text).unwrap();
    let seeds = |list: &serde_json::Value| {
        let seeds = list
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["seed"].as_u64());
        let mut seeds: Vec<_> = seeds.collect();
        seeds.sort_unstable();
        seeds
    };
    assert_eq!(seeds(&page["findings"]), seeds(&summary["violations"]));
    assert_eq!(page["is_over"], true);
    let points = page["points"].as_array().unwrap();
    let mut runs = points.iter().map(|point| point["runs"].as_u64());
    assert!(runs.clone().is_sorted(), "{points:?}");
    assert_eq!(runs.next_back().unwrap(), summary["runs"].as_u64());
}

#[test]
#[allow(clippy::disallowed_methods)] // It is killed after some time.
fn a_sweep_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [whole, killed] = folders.each_ref().map(|folder| folder.path().join("out"));
    let jsons = folders
        .each_ref()
        .map(|folder| folder.path().join("summary.json"));
    let json = |at: usize| ["--json".to_owned(), jsons[at].display().to_string()];
    let run = |words: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command
            .args(words)
            .current_dir(root())
            .stderr(Stdio::null())
            .stdout(Stdio::piped());
        command
    };
    let plain = run([begun(&whole), json(0).into()].concat())
        .output()
        .unwrap();
    assert_eq!(plain.status.code(), Some(1), "{}", stdout(&plain));

    let mut choices = Choices::labelled(7, "kills", 0);
    let html = folders[1].path().join("html");
    let (mut kills, mut printed) = (0, String::new());
    let status = loop {
        // One that was killed before it had written anything begins anew.
        let words = match killed.exists()
            && files(&killed)
                .keys()
                .any(|name| name.ends_with(".unfinished.json"))
        {
            true => gone_on(&killed),
            false => {
                let _ = std::fs::remove_dir_all(&html);
                begun(&killed)
            }
        };
        let page = ["--html".to_owned(), html.display().to_string()];
        let mut child = run([words, json(1).into(), page.into()].concat())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        if kills < 6 {
            // After so many lines, and some time more: at any point, however fast the machine is.
            for _ in 0..choices.between(1, 40) {
                output.read_line(&mut said).unwrap();
            }
            std::thread::sleep(Duration::from_millis(choices.between(0, 200)));
            let _ = child.kill();
        }
        output.read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_kept(&said, &killed);
        printed += &said;
        match status.code() {
            Some(code) => break code,
            None => kills += 1,
        }
    };
    assert_eq!(status, 1);
    assert!(
        printed.contains("going on at seed "),
        "it was never in the middle of it: {printed}"
    );
    let whole_summary = summary(&jsons[0]);
    assert_eq!(whole_summary, summary(&jsons[1]));
    // Each variant has had its part, and together they are all.
    let variants = whole_summary["variants"].as_array().unwrap();
    let names: Vec<&str> = variants
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["plain", "everything"]);
    let sum = |field: &str| -> u64 { variants.iter().filter_map(|one| one[field].as_u64()).sum() };
    assert_eq!(Some(sum("runs")), whole_summary["runs"].as_u64());
    assert_eq!(Some(sum("steps")), whole_summary["steps"].as_u64());
    let violations = whole_summary["violations"].as_array().unwrap().len();
    assert_eq!(sum("violations"), violations as u64);
    assert_page_is_whole(&html, &whole_summary);
    assert_eq!(files(&whole), files(&killed));
    let left = std::fs::read_dir(&killed).unwrap().flatten();
    let is_page = |entry: &std::fs::DirEntry| entry.path().extension() == Some("html".as_ref());
    let left = left.filter(|entry| !is_page(entry)).count();
    assert_eq!(
        left,
        files(&killed).len(),
        "notes of a dead process are left"
    );
}

/// A sweep that finds no more room when it has found a few things.
fn ended_by_a_full_disk(out: &Path) -> Output {
    // No file may be larger than that, as on a disk that is full by then.
    let words = begun(out).join(" ");
    let limited = format!(
        "trap '' XFSZ; ulimit -f 12; exec {} {words}",
        env!("CARGO_BIN_EXE_squall")
    );
    let mut command = Command::new("bash");
    let command = command.args(["-c", &limited]).current_dir(root());
    command.output().unwrap()
}

#[test]
fn a_full_disk_ends_a_sweep_with_an_error_and_it_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, full] = ["whole", "full"].map(|name| folder.path().join(name));
    let jsons = ["whole.json", "full.json"].map(|name| folder.path().join(name));
    let with_json = |words: Vec<String>, json: &Path| {
        let json = ["--json".to_owned(), json.display().to_string()];
        [words, json.into()].concat()
    };
    let squall = |words: &[String]| squall(&words.iter().map(String::as_str).collect::<Vec<_>>());
    squall(&with_json(begun(&whole), &jsons[0]));
    let ended = ended_by_a_full_disk(&full);
    let said = stderr(&ended);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(
        said.lines()
            .all(|line| line.starts_with("squall: cannot write ")),
        "{said}"
    );
    assert!(stdout(&ended).contains("\nseed "), "{}", stdout(&ended));
    assert_kept(&stdout(&ended), &full);
    let rest = squall(&with_json(gone_on(&full), &jsons[1]));
    assert_eq!(rest.status.code(), Some(1), "{}", stderr(&rest));
    let [one, other] = jsons.each_ref().map(|json| summary(json));
    let text = |value: serde_json::Value| value.to_string().replace("DIR/whole", "DIR/full");
    assert_eq!(text(one), text(other));
    assert_eq!(files(&whole), files(&full));
}

#[test]
fn findings_of_which_a_file_has_words_only_are_gone_on_with_and_those_that_contradict_themselves_are_not()
 {
    let folder = tempfile::tempdir().unwrap();
    let [out, json] = ["out", "summary.json"].map(|name| folder.path().join(name));
    ended_by_a_full_disk(&out);
    let names = files(&out).into_keys();
    let mut names = names.filter(|name| name.ends_with(".unfinished.json"));
    let file = out.join(names.next().unwrap());
    let stand: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let first = &stand["findings"][0];
    let kind = first["violation"]["kind"].clone();
    assert!(kind.is_string(), "{first}");
    let resume = |stand: &serde_json::Value| {
        std::fs::write(&file, stand.to_string()).unwrap();
        let [out, json] = [&out, &json].map(|path| path.to_str().unwrap());
        squall(&["sweep", "--jobs=1", "--resume", out, "--json", json])
    };
    for (field, value) in [("property", "liveness"), ("node", "")] {
        let mut strange = stand.clone();
        strange["findings"][0][field] = match value {
            "" => serde_json::Value::Null,
            value => value.into(),
        };
        let refused = resume(&strange);
        assert_eq!(refused.status.code(), Some(2), "{field}");
        let said = stderr(&refused);
        assert!(said.contains("is told as"), "{said}");
    }
    for fields in [serde_json::json!({}), serde_json::json!(7)] {
        let mut strange = stand.clone();
        strange["findings"][0]["violation"] = fields;
        let refused = resume(&strange);
        assert_eq!(refused.status.code(), Some(2));
        let said = stderr(&refused);
        assert!(said.contains("its fields are"), "{said}");
    }
    // As earlier versions wrote it.
    let mut old = stand.clone();
    for finding in old["findings"].as_array_mut().unwrap() {
        finding.as_object_mut().unwrap().remove("violation");
    }
    let done = resume(&old);
    assert_eq!(done.status.code(), Some(1), "{}", stderr(&done));
    let summary = summary(&json);
    let told = &summary["violations"][0];
    assert_eq!(told["message"], first["message"]);
    let in_words = serde_json::json!({
        "property": first["property"],
        "node": first["node"],
        "kind": "in-words",
        "text": first["message"],
    });
    assert_eq!(told["violation"], in_words);
    let new = summary["violations"].as_array().unwrap().last().unwrap();
    assert_ne!(new["violation"]["kind"], "in-words");
}

#[test]
fn what_cannot_be_gone_on_with_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    let refused = |words: &[&str]| {
        let run = squall(words);
        assert_eq!(run.status.code(), Some(2));
        let text = stderr(&run);
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    };
    let none = refused(&["sweep", "--resume", name]);
    assert!(none.contains("holds no unfinished sweep"), "{none}");
    let both = refused(&["sweep", "--resume", name, "--seeds", "5"]);
    assert!(both.contains("cannot be used with"), "{both}");
    let gone = refused(&["sweep", "--resume", "no/such/folder"]);
    assert!(
        gone.contains("cannot go on with no/such/folder: "),
        "{gone}"
    );
    let file = folder.path().join("a.unfinished.json");
    std::fs::write(&file, "{}").unwrap();
    let empty = refused(&["sweep", "--resume", name]);
    assert!(
        empty.contains("cannot go on with ") && empty.contains("missing field"),
        "{empty}"
    );
    std::fs::write(folder.path().join("b.unfinished.json"), "{}").unwrap();
    let several = refused(&["sweep", "--resume", name]);
    assert!(
        several.contains("holds several unfinished sweeps; legal: "),
        "{several}"
    );
}

#[test]
fn a_sweep_that_ended_leaves_nothing_but_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let name = out.to_str().unwrap();
    let clean = squall(&[
        "sweep",
        "--profile",
        "smoke",
        "--seeds",
        "20",
        "--out",
        name,
    ]);
    assert_eq!(clean.status.code(), Some(0), "{}", stderr(&clean));
    assert!(!out.exists());
}

#[test]
fn the_summary_as_markdown_has_the_commands_that_replay() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let page = folder.path().join("summary.md");
    let words = [
        "sweep",
        "--subject",
        "raft-rs+skip-fsync",
        "--seeds",
        "3",
        "--keep-going",
        "--no-shrink",
    ];
    let to = [
        "--out",
        out.to_str().unwrap(),
        "--summary-md",
        page.to_str().unwrap(),
    ];
    let run = squall(&[&words[..], &to[..]].concat());
    assert_eq!(run.status.code(), Some(1), "{}", stderr(&run));
    let text = std::fs::read_to_string(&page).unwrap();
    let commands: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" replay "))
        .collect();
    assert_eq!(commands.len(), 3, "{text}");
    let again = Command::new("bash")
        .args(["-c", commands[0]])
        .current_dir(root())
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    let shown: Vec<String> = text
        .lines()
        .filter(|line| !line.contains("processor time") && !line.contains("digest"))
        .map(|line| {
            line.replace(folder.path().to_str().unwrap(), "DIR")
                .replace(env!("CARGO_BIN_EXE_squall"), "squall")
        })
        .collect();
    expect![[r#"
        ### squall: raft-rs+skip-fsync under portfolio: violation

        | property | seed | step | what broke it |
        | --- | ---: | ---: | --- |
        | ack-before-durable | 0 | 21 | n1 sent n2 a vote request that promises its term 1 (durable: term 0), which is not durable |
        | ack-before-durable | 1 | 425 | n1 sent n5 a vote request that promises its term 1 (durable: term 0), which is not durable |
        | ack-before-durable | 2 | 156 | n3 sent n5 a vote request that promises its term 1 (durable: term 0), which is not durable |

        To replay, from the folder that holds the plans' folder:

        ```sh
        squall replay DIR/out/raft-rs+skip-fsync-portfolio-seed-0-ack-before-durable.json
        squall replay DIR/out/raft-rs+skip-fsync-portfolio-seed-1-ack-before-durable.json
        squall replay DIR/out/raft-rs+skip-fsync-portfolio-seed-2-ack-before-durable.json
        ```

        | | |
        | --- | ---: |
        | runs | 3 |
        | first seed | 0 |
        | violations | 3 |
        | steps | 602 |
        | simulated time | 0 s |
        | leader-elected | 0 |
        | leader-changed | 0 |
        | entry-committed | 0 |
        | entry-truncated | 0 |
        | crash | 0 |
        | link-cut | 0 |
        | message-sent | 3 |
        | message-lost | 0 |

        | variant | runs | steps | violations |
        | --- | ---: | ---: | ---: |
        | storm | 1 | 21 | 1 |
        | elections, uniform | 2 | 581 | 2 |"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
#[allow(clippy::disallowed_methods)] // The signal must come while the run goes on.
fn a_run_that_takes_long_ends_with_its_sweep_and_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("days.toml");
    // A run of it takes many seconds.
    let days = r#"
        extends = "long"
        about = ""
        voters = [9]
        storm_ticks = [1_000_000, 1_000_000]
        workload = { clients = [1, 1], think_max_us = [2_000_000, 2_000_000] }
    "#;
    std::fs::write(&profile, days).unwrap();
    let out = folder.path().join("out");
    let sweep = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command
            .args(["sweep", "--jobs", "2", "--profile"])
            .arg(&profile)
            .arg("--out")
            .arg(&out)
            .args(more)
            .current_dir(root())
            .stdout(Stdio::piped());
        command
    };
    let ended = |output: std::process::Output| {
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains("interrupted: no violation in the 0 runs so far"),
            "{text}"
        );
    };
    ended(sweep(&["--for", "1s"]).output().unwrap());
    for signal in ["INT", "TERM"] {
        let child = sweep(&[]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(700));
        let kill = ["-s", signal, &child.id().to_string()].map(str::to_owned);
        assert!(Command::new("kill").args(kill).status().unwrap().success());
        ended(child.wait_with_output().unwrap());
    }
}
