//! A sweep of which every run fails.

use std::collections::BTreeSet;

use super::sweep::{Running, files, folder, missing, printed, summary, torn};
use super::{Line, Scene};
use crate::Error;

pub fn run(scene: &Scene<'_>) -> Result<Vec<Line>, Error> {
    let folder = folder()?;
    let seeds = scene.options.findings.to_string();
    let words = "sweep --subject raft-rs+skip-fsync --profile storm --keep-going --no-shrink --out out --json summary.json --seeds";
    let words: Vec<&str> = words.split(' ').chain([&*seeds]).collect();
    let ended = Running::start(&mut scene.squall(folder.path(), &words))?.end(None)?;
    let out = folder.path().join("out");
    let mut wrong = torn(&out);
    if ended.status != Some(1) {
        wrong.push(format!(
            "it ended with {}: {}",
            ended.words(),
            ended.stderr.trim()
        ));
    }
    let plans = printed(&ended.stdout);
    wrong.extend(missing(folder.path(), &plans));
    let summary = summary(folder.path(), &folder.path().join("summary.json"))?;
    let lost = summary
        .findings
        .iter()
        .filter(|(_, (_, plan))| plan.is_none());
    wrong.extend(lost.map(|((seed, _), _)| format!("the plan of seed {seed} is not there")));
    let distinct: BTreeSet<&String> = summary
        .findings
        .values()
        .filter_map(|(_, plan)| plan.as_ref())
        .collect();
    if distinct.len() != summary.findings.len() || plans.len() != summary.findings.len() {
        wrong.push(format!(
            "{} findings, {} printed, {} different plans",
            summary.findings.len(),
            plans.len(),
            distinct.len()
        ));
    }
    let sizes = files(&out)
        .into_iter()
        .filter_map(|file| std::fs::metadata(file).ok());
    let bytes: u64 = sizes.map(|about| about.len()).sum();
    Ok(vec![Line {
        tried: format!(
            "`squall sweep --subject raft-rs+skip-fsync --seeds {seeds} --keep-going --no-shrink`"
        ),
        came: format!(
            "{} findings of {} runs, all printed and on the disk, in {:.1} s; {} MiB of files",
            summary.findings.len(),
            summary.runs,
            ended.took.as_secs_f64(),
            bytes >> 20
        ),
        wrong,
    }])
}
