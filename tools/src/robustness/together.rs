//! Two sweeps at once in one folder: the same and different ones. Each ends as it does alone, and
//! nothing that it has found is lost.

use super::sweep::{Running, Summary, folder, missing, printed, summary, torn};
use super::{Line, Scene};
use crate::Error;

const ASKED: &str = "sweep --keep-going --no-shrink --jobs 1 --out out";

/// What each of two is asked for.
const PAIRS: [(&str, [&str; 2]); 5] = [
    ("the same sweep twice", [SKIP, SKIP]),
    (
        "two profiles",
        [
            SKIP,
            "--subject raft-rs+skip-fsync --profile elections --seeds 300",
        ],
    ),
    (
        "two strategies",
        [
            SKIP,
            "--subject raft-rs+skip-fsync --profile storm --seeds 300 --strategy uniform",
        ],
    ),
    (
        "two subjects",
        [
            SKIP,
            "--subject raft-rs+grant-any-vote --profile storm --seeds 300",
        ],
    ),
    (
        "seeds that overlap",
        [
            SKIP,
            "--subject raft-rs+skip-fsync --profile storm --seeds 150..450",
        ],
    ),
];

const SKIP: &str = "--subject raft-rs+skip-fsync --profile storm --seeds 300";

pub fn run(scene: &Scene<'_>) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for (what, pair) in PAIRS {
        for at_once in [true, false] {
            eprintln!("  {what}");
            lines.push(both(scene, what, pair, at_once)?);
        }
    }
    Ok(lines)
}

/// The words of a sweep that writes its summary to a file of its own.
fn words<'a>(asked: &'a str, json: &'a str) -> Vec<&'a str> {
    let all = ASKED.split(' ').chain(asked.split(' '));
    all.chain(["--json", json]).collect()
}

/// The sweep by itself.
fn alone(scene: &Scene<'_>, asked: &str) -> Result<Summary, Error> {
    let folder = folder()?;
    Running::start(&mut scene.squall(folder.path(), &words(asked, "one.json")))?.end(None)?;
    summary(folder.path(), &folder.path().join("one.json"))
}

fn both(scene: &Scene<'_>, what: &str, pair: [&str; 2], at_once: bool) -> Result<Line, Error> {
    let folder = folder()?;
    let jsons = ["one.json", "two.json"];
    let start =
        |at: usize| Running::start(&mut scene.squall(folder.path(), &words(pair[at], jsons[at])));
    let ended = match at_once {
        true => {
            let running = [start(0)?, start(1)?];
            let [one, two] = running;
            // Both run while the first is waited for; the pipe of the second is deep enough for
            // what is printed till then.
            let other = std::thread::spawn(move || two.end(None));
            let one = one.end(None)?;
            let two = other.join();
            [
                one,
                two.map_err(|_| Error::Sweep("a thread is gone".to_owned()))??,
            ]
        }
        false => [start(0)?.end(None)?, start(1)?.end(None)?],
    };
    let mut wrong = torn(&folder.path().join("out"));
    let mut found = Vec::new();
    for (at, ended) in ended.iter().enumerate() {
        let which = ["the first", "the second"][at];
        // One that is told that another is at it has lost nothing.
        if ended.is_clean_refusal() && ended.stdout.is_empty() {
            if ended.stderr.contains("No such file") {
                wrong.push(format!("{which}: {}", ended.stderr.trim()));
            }
            found.push(format!("{which} was refused"));
            continue;
        }
        if ended.status != Some(1) {
            wrong.push(format!(
                "{which} ended with {}: {}",
                ended.words(),
                ended.stderr.trim()
            ));
        }
        let lost = missing(folder.path(), &printed(&ended.stdout));
        wrong.extend(lost);
        let path = folder.path().join(jsons[at]);
        if !path.exists() {
            continue;
        }
        let (mine, expected) = (summary(folder.path(), &path)?, alone(scene, pair[at])?);
        let lost = expected
            .findings
            .iter()
            .filter(|(key, finding)| mine.findings.get(*key) != Some(*finding));
        wrong.extend(lost.map(|((seed, property), _)| {
            format!("{which}: the plan of seed {seed}, {property}, is not its own")
        }));
        if mine.digest != expected.digest {
            wrong.push(format!("{which} has another digest than alone"));
        }
        found.push(format!("{which} has its {} findings", mine.findings.len()));
    }
    let how = if at_once {
        "at once"
    } else {
        "one after the other"
    };
    Ok(Line {
        tried: format!("{what}, {how}"),
        came: found.join(", "),
        wrong,
    })
}
