//! Disks that are full: files that may not grow, a small file system, `/dev/full`. What is left is
//! whole, what was printed is there, and the user is told in one line.

use std::path::Path;
use std::process::Command;

use super::sweep::{Ended, Running, folder, missing, printed, torn};
use super::{Line, Scene};
use crate::Error;

/// A sweep with many findings.
const ASKED: &str = "sweep --subject raft-rs+skip-fsync --profile storm --seeds 2000 --keep-going --no-shrink --jobs 1";

pub fn run(scene: &Scene<'_>) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for blocks in [1, 8, 64, 512] {
        lines.push(limited(scene, blocks)?);
    }
    for kib in [16, 64, 256, 1024] {
        lines.push(small(scene, kib)?);
    }
    for (what, more) in [
        ("`--json /dev/full`", "--json /dev/full"),
        ("`--summary-md /dev/full`", "--summary-md /dev/full"),
        ("`> /dev/full`", ""),
    ] {
        lines.push(device(scene, what, more)?);
    }
    Ok(lines)
}

fn words(more: &str) -> Vec<&str> {
    ASKED.split(' ').chain(more.split_whitespace()).collect()
}

/// What is wrong with what a sweep in `folder` left.
fn left(folder: &Path, ended: &Ended) -> Vec<String> {
    let mut wrong = torn(&folder.join("out"));
    wrong.extend(missing(folder, &printed(&ended.stdout)));
    if ended.stderr.contains("panicked") {
        wrong.push(format!("panicked: {}", ended.stderr.trim()));
    }
    wrong
}

fn came(ended: &Ended) -> String {
    let plans = printed(&ended.stdout).len();
    let said = ended.stderr.trim().lines().last().unwrap_or_default();
    // Folders are named anew each time.
    let said: Vec<&str> = said.split(": ").skip(1).collect();
    let said = said.last().copied().unwrap_or("nothing said");
    format!(
        "{}, {said}; {plans} findings were printed, all are there and whole",
        ended.words()
    )
}

/// No file may be longer than so many blocks of 512 bytes. The signal for that is ignored, or the
/// program would be gone.
fn limited(scene: &Scene<'_>, blocks: u32) -> Result<Line, Error> {
    let folder = folder()?;
    let before = format!("trap '' XFSZ; ulimit -f {blocks}");
    let mut command = scene.squall_after(&before, folder.path(), &words("--out out"));
    let ended = Running::start(&mut command)?.end(None)?;
    let mut wrong = left(folder.path(), &ended);
    if ended.status != Some(1) && !ended.is_clean_refusal() {
        wrong.push(format!(
            "it ended with {}: {}",
            ended.words(),
            ended.stderr.trim()
        ));
    }
    Ok(Line {
        tried: format!("`ulimit -f {blocks}`"),
        came: came(&ended),
        wrong,
    })
}

/// A file system of so many KiB.
fn small(scene: &Scene<'_>, kib: u32) -> Result<Line, Error> {
    let folder = folder()?;
    let tried = format!("a tmpfs of {kib} KiB");
    let place = folder.path().join("small");
    std::fs::create_dir(&place).map_err(|error| Error::file(&place, &error))?;
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
        .arg(&place)
        .output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        return Ok(Line {
            tried,
            came: "not tried: file systems cannot be mounted here".to_owned(),
            wrong: Vec::new(),
        });
    }
    let ended = Running::start(&mut scene.squall(&place, &words("--out out")))
        .and_then(|run| run.end(None));
    let wrong = ended.as_ref().map(|ended| left(&place, ended));
    let wrong = wrong.unwrap_or_default();
    let _ = Command::new("umount").arg(&place).status();
    let ended = ended?;
    let mut wrong = wrong;
    if !ended.is_clean_refusal() {
        wrong.push(format!(
            "it ended with {}: {}",
            ended.words(),
            ended.stderr.trim()
        ));
    }
    Ok(Line {
        tried,
        came: came(&ended),
        wrong,
    })
}

/// What cannot be written to is written to.
fn device(scene: &Scene<'_>, what: &str, more: &str) -> Result<Line, Error> {
    let folder = folder()?;
    let seeds = format!("--out out {more}");
    let words = words(&seeds);
    let before = match more.is_empty() {
        true => "exec > /dev/full",
        false => ":",
    };
    let mut command = scene.squall_after(before, folder.path(), &words);
    let ended = Running::start(&mut command)?.end(None)?;
    let mut wrong = left(folder.path(), &ended);
    if !ended.is_clean_refusal() {
        wrong.push(format!(
            "it ended with {}: {}",
            ended.words(),
            ended.stderr.trim()
        ));
    }
    Ok(Line {
        tried: what.to_owned(),
        came: came(&ended),
        wrong,
    })
}
