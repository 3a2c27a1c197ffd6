//! Sweeps that are killed, and go on where that is offered. One that goes on ends as one that was
//! never killed; of one that cannot go on, what was printed is on the disk, and every file is
//! whole.

use std::path::Path;
use std::time::Duration;

use super::sweep::{Running, Summary, files, folder, missing, printed, summary, torn};
use super::{Line, Scene};
use crate::Error;

/// A sweep of a second or two, with some sixty findings.
const ASKED: &str =
    "sweep --subject raft-rs+apply-retries --profile smoke --keep-going --no-shrink --jobs 1";

/// Sweeps that go on.
const RESUMED: [&str; 3] = ["swarm", "uniform", "pct"];

/// Those that do not, and what they are asked for.
const OTHERS: [(&str, &str); 2] = [
    ("guided", "--strategy guided"),
    ("--coverage", "--coverage"),
];

/// So many runs, of which one in twenty fails.
const SEEDS: &str = "--seeds 11..1200";

/// Splitmix64: where a moment is drawn, any will do.
pub struct Draws(pub u64);

impl Draws {
    /// A time below `most`.
    pub fn below(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros((bits ^ bits >> 31) % micros)
    }
}

pub fn run(scene: &Scene<'_>) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for strategy in RESUMED {
        eprintln!("  {strategy}");
        lines.push(resumed(scene, strategy)?);
    }
    for (name, words) in OTHERS {
        eprintln!("  {name}");
        lines.push(not_resumed(scene, name, words)?);
    }
    Ok(lines)
}

fn words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let asked = ASKED.split(' ').chain(SEEDS.split(' '));
    asked.chain(more.iter().copied()).collect()
}

fn resumed(scene: &Scene<'_>, strategy: &str) -> Result<Line, Error> {
    let whole = folder()?;
    let begin = [
        "--strategy",
        strategy,
        "--out",
        "out",
        "--json",
        "summary.json",
    ];
    let begin = words(&begin);
    let ended = Running::start(&mut scene.squall(whole.path(), &begin))?.end(None)?;
    let expected = summary(whole.path(), &whole.path().join("summary.json"))?;
    let mut draws = Draws(scene.options.seed);
    let (mut kills, mut sweeps, mut begun_anew) = (0, 0, 0);
    let mut wrong = Vec::new();
    while kills < scene.options.kills {
        let killed = folder()?;
        let mut said = String::new();
        let mut goes_on = false;
        loop {
            let resume = [
                "sweep",
                "--jobs",
                "1",
                "--resume",
                "out",
                "--json",
                "summary.json",
            ];
            let words = if goes_on {
                resume.to_vec()
            } else {
                begin.clone()
            };
            // Some of the moments lie after its end.
            let after = draws.below(ended.took * 5 / 4).min(ended.took * 5 / 4);
            let may_kill = kills < scene.options.kills;
            let run = Running::start(&mut scene.squall(killed.path(), &words))?;
            let ended = run.end(may_kill.then_some(after))?;
            said.push_str(&ended.stdout);
            wrong.extend(torn(&killed.path().join("out")));
            wrong.extend(missing(killed.path(), &printed(&said)));
            match ended.signal {
                Some(_) => {
                    kills += 1;
                    goes_on = true;
                }
                // It was killed before it had begun.
                None if goes_on && ended.stderr.contains("holds no unfinished sweep") => {
                    begun_anew += 1;
                    goes_on = false;
                }
                None if goes_on && ended.stderr.contains("cannot go on with") => {
                    // The folder itself is not there yet, or the sweep was over.
                    begun_anew += 1;
                    goes_on = false;
                    let is_there = killed.path().join("out").exists();
                    if is_there && !files(&killed.path().join("out")).is_empty() {
                        wrong.push(format!("cannot go on: {}", ended.stderr.trim()));
                        break;
                    }
                }
                None => {
                    if ended.status != Some(1) {
                        wrong.push(format!("it ended with {}: {}", ended.words(), ended.stderr));
                    }
                    break;
                }
            }
        }
        sweeps += 1;
        wrong.extend(compared(killed.path(), &expected)?);
    }
    Ok(Line {
        tried: format!(
            "`--strategy {strategy}`, killed {kills} times in {sweeps} sweeps of {} runs, and `--resume`",
            expected.runs
        ),
        came: format!(
            "digest and all {} findings as without kills; {begun_anew} times nothing had been begun",
            expected.findings.len()
        ),
        wrong,
    })
}

/// How a sweep that was killed differs from one that was not.
fn compared(folder: &Path, expected: &Summary) -> Result<Vec<String>, Error> {
    let path = folder.join("summary.json");
    if !path.exists() {
        return Ok(vec!["there is no summary".to_owned()]);
    }
    let found = summary(folder, &path)?;
    let mut wrong = Vec::new();
    if (&found.digest, found.runs, found.steps) != (&expected.digest, expected.runs, expected.steps)
    {
        wrong.push(format!(
            "digest {} in place of {}",
            found.digest, expected.digest
        ));
    }
    for (key, finding) in &expected.findings {
        if found.findings.get(key) != Some(finding) {
            wrong.push(format!("the finding of seed {} is not as it was", key.0));
        }
    }
    if found.findings.len() != expected.findings.len() {
        wrong.push(format!("{} findings", found.findings.len()));
    }
    Ok(wrong)
}

fn not_resumed(scene: &Scene<'_>, name: &str, more: &str) -> Result<Line, Error> {
    let mut draws = Draws(scene.options.seed);
    let mut wrong = Vec::new();
    let (mut kills, mut findings) = (0, 0);
    let more: Vec<&str> = more.split(' ').chain(["--out", "out"]).collect();
    while kills < scene.options.kills {
        let killed = folder()?;
        let run = Running::start(&mut scene.squall(killed.path(), &words(&more)))?;
        let ended = run.end(Some(draws.below(Duration::from_secs(2))))?;
        kills += u32::from(ended.signal.is_some());
        let plans = printed(&ended.stdout);
        findings += plans.len();
        wrong.extend(torn(&killed.path().join("out")));
        wrong.extend(missing(killed.path(), &plans));
    }
    Ok(Line {
        tried: format!("`{name}`, which does not go on, killed {kills} times"),
        came: format!(
            "all {findings} findings that were printed are there, and every file is whole"
        ),
        wrong,
    })
}
