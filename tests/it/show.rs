//! What `show`, `diff` and a narrowed `replay` say, as text.

use squall_core::faults;
use std::fmt::Write as _;

use expect_test::{expect, expect_file};
use squall_core::ids::NodeId;
use squall_core::plan::{Fault, LossMode, What, When};
use squall_explore::explain::MOST_LINES;

use super::support::{plans, quiet_plan, root, squall, stderr, stdout};

/// What `show` says of a file, without the command that reproduces it, which depends on where this
/// runs.
fn shown(file: &str) -> String {
    let run = squall(&["show", file]);
    assert_eq!(stderr(&run), "", "{file}");
    let text = stdout(&run);
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("  reproduce "))
        .map(|line| format!("{line}\n"));
    lines.collect()
}

fn relative(path: &std::path::Path) -> String {
    let path = path.strip_prefix(root()).unwrap();
    path.display().to_string()
}

/// To be read as a newcomer would: is the cause there? `UPDATE_EXPECT=1` rewrites the file.
#[test]
fn the_stories_of_injected_bugs_and_of_findings_are_told_as_written_down() {
    let mut all = String::new();
    for folder in ["tests/it/shrunk", "sims/findings"] {
        for path in plans(folder) {
            let file = relative(&path);
            let text = shown(&file);
            let wraps = |line: &&str| line.starts_with(&" ".repeat(26));
            assert!(
                text.lines().filter(|line| !wraps(line)).count() <= MOST_LINES + 14,
                "{file} is too long:\n{text}"
            );
            let _ = writeln!(all, "$ squall show {file}\n{text}");
        }
    }
    expect_file!["./shown.txt"].assert_eq(&all);
}

#[test]
fn a_clean_run_is_told_in_outline() {
    let mut plan = quiet_plan(3);
    plan.faults.push(Fault {
        when: When::AtUs(700_000),
        what: What::Crash(faults::Crash {
            node: NodeId(1),
            loss: LossMode::LoseAll,
            down_us: 50_000,
        }),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    std::fs::write(&path, plan.to_json()).unwrap();
    let run = squall(&["show", path.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0));
    let text = stdout(&run);
    for words in [
        "becomes leader of term 1, elected by",
        "n1  crashes; its disk",
        "n1  restarts with term 1",
        "the storm ends",
        "the cluster converged",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_diff_tells_the_plans_apart_and_then_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.json", "b.json"].map(|name| folder.path().join(name));
    let plan = quiet_plan(3);
    let mut other = plan.clone();
    other.raft.pre_vote = true;
    other.faults.push(Fault {
        when: When::AtUs(1),
        what: What::Pause(faults::Pause {
            node: NodeId(3),
            for_us: 5,
        }),
    });
    std::fs::write(&a, plan.to_json()).unwrap();
    std::fs::write(&b, other.to_json()).unwrap();
    let [a, b] = [a.to_str().unwrap(), b.to_str().unwrap()];
    let same = squall(&["diff", a, a]);
    assert_eq!(same.status.code(), Some(0));
    assert!(stdout(&same).contains("the runs are equal, line by line"));
    let run = squall(&["diff", a, b]);
    assert_eq!(run.status.code(), Some(1));
    let text = stdout(&run);
    let told = text
        .lines()
        .skip(3)
        .take_while(|line| !line.contains(" ends  "));
    let told: String = told.map(|line| format!("{line}\n")).collect();
    expect![[r#"
        the plans differ
          raft.pre_vote: false in A, true in B
          only B: at 0.000001 s: n3 is paused for 0.000005 s

        the runs are equal for 3 lines, up to
              0.000000 s  step 0       n3  starts with term 0, log to 0, commit 0, applied 0

        then A
              0.007857 s  step 1       n1  ticks

        then B
              0.000001 s  step 0           fault: n3 is paused for 0.000005 s
              0.000006 s  step 0       n3  resumes

    "#]]
    .assert_eq(&told);
}

#[test]
fn a_replay_can_be_narrowed() {
    let file = "tests/it/shrunk/grant-any-vote.json";
    let lines = |arguments: &[&str]| {
        let run = squall(&[&["replay", file], arguments].concat());
        let text = stdout(&run);
        let lines = text
            .lines()
            .skip(2)
            .take_while(|line| line.contains("  step "))
            .map(ToOwned::to_owned);
        (run.status.code(), lines.collect::<Vec<String>>(), text)
    };
    let step = |line: &String| -> u64 {
        let (_, rest) = line.split_once("  step ").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let (status, until, text) = lines(&["--until", "40"]);
    assert_eq!((status, step(until.last().unwrap())), (Some(0), 40));
    assert!(text.contains("ended after step 40 as asked"), "{text}");

    let (status, of_n2, _) = lines(&["--node", "n2"]);
    assert_eq!(status, Some(1));
    let elsewhere = |line: &&String| line[30..].starts_with("n1 ") || line[30..].starts_with("n3 ");
    assert_eq!(of_n2.iter().find(elsewhere), None);
    assert!(of_n2.len() > 40);

    let (_, around, _) = lines(&["--around", "violation", "--context", "3"]);
    assert_eq!([&around[0], around.last().unwrap()].map(step), [122, 125]);
    assert!(around.last().unwrap().contains("VIOLATION"));

    let (_, log, _) = lines(&["--log"]);
    assert!(log.len() > 5 && log.iter().all(|line| line.contains(" | ")));
    let (_, stopped, _) = lines(&["--break-at", "40"]);
    assert!(stopped.is_empty());
}

#[test]
fn a_folder_is_replayed_plan_by_plan_and_the_worst_counts() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    let replay = || squall(&["replay", name]);
    assert!(stderr(&replay()).contains("there is no plan in"));
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("a.json", &quiet_plan(1).to_json());
    assert_eq!(replay().status.code(), Some(0));
    let bad = std::fs::read_to_string(root().join("tests/it/shrunk/skip-fsync.json")).unwrap();
    put("b.json", &bad);
    let run = replay();
    assert_eq!(run.status.code(), Some(1));
    let text = stdout(&run);
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("a.json  clean: ") && text.contains("b.json  VIOLATION ack-before-"));
    put("c.json", "no plan");
    assert_eq!(replay().status.code(), Some(2));
}
