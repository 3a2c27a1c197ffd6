//! `cargo xtask mutants --generic`: what `cargo mutants` would change, swept shortly.
//!
//! cargo-mutants builds and tests once for each mutant, which for a thousand of them and a build of a minute takes a day.
//! Here it says what to change, and all of it goes into one build with a switch.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::build::{Builder, Switched};
use crate::hunt::Hunt;
use crate::library::{Library, NAME, put};
use crate::operators::{Genre, Spot};

/// The files of the library that are mutated: what decides, and what remembers.
const FILES: &[&str] = &[
    "raft.rs",
    "raft_log.rs",
    "tracker.rs",
    "tracker/*",
    "quorum.rs",
    "quorum/*",
    "confchange.rs",
    "confchange/*",
];

/// One of the mutants.
#[derive(Clone, Debug)]
pub struct Generic {
    /// What the switch calls it.
    pub id: String,
    /// What cargo-mutants calls it.
    pub name: String,
    /// Its file, relative to `src`.
    pub file: String,
    /// What kind of change.
    pub genre: Genre,
    /// What it replaces.
    pub place: std::ops::Range<usize>,
    /// By what.
    pub put: String,
}

/// What came of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// What the switch calls it.
    pub id: String,
    /// What cargo-mutants calls it.
    pub name: String,
    /// The hunts, until one caught it.
    pub hunts: Vec<Hunt>,
    /// Of one that no hunt caught: whether any of some hundred runs went otherwise than without it.
    pub changes_runs: Option<bool>,
}

impl Verdict {
    /// Whether any hunt caught it.
    pub fn caught(&self) -> bool {
        self.hunts.iter().any(Hunt::caught)
    }
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    file: String,
    genre: Genre,
    replacement: String,
    span: Span,
}

#[derive(Deserialize)]
struct Span {
    start: At,
    end: At,
}

/// Lines and columns, from 1; columns are characters.
#[derive(Deserialize)]
struct At {
    line: usize,
    column: usize,
}

impl At {
    fn byte(&self, source: &str) -> usize {
        let lines = source.split_inclusive('\n').take(self.line - 1);
        let before: usize = lines.map(str::len).sum();
        let line = source[before..].chars().take(self.column - 1);
        before + line.map(char::len_utf8).sum::<usize>()
    }
}

/// Asks cargo-mutants what it would change.
///
/// # Errors
/// When it is not installed, or fails.
pub fn list(library: &Library, folder: &Path) -> Result<Vec<Generic>, Error> {
    let copy = folder.join("list").join(NAME);
    library.copy(&copy)?;
    let manifest = copy.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&manifest).map_err(|error| Error::file(&manifest, &error))?;
    // A workspace of its own, for it lies within ours.
    if !text.contains("[workspace]") {
        put(&manifest, &format!("{text}\n[workspace]\n"))?;
    }
    let mut command = Command::new("cargo");
    command
        .args(["mutants", "--list", "--json"])
        .current_dir(&copy);
    for file in FILES {
        command.arg("--file").arg(format!("src/{file}"));
    }
    let output = command
        .output()
        .map_err(|error| Error::Cargo(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let first = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        return Err(Error::Cargo(format!(
            "`cargo mutants --list` fails ({first}); `cargo install cargo-mutants` installs it"
        )));
    }
    let listed: Vec<Listed> = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Cargo(format!("cargo mutants --list: {error}")))?;
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    let mut mutants = Vec::new();
    for (index, one) in listed.into_iter().enumerate() {
        let file = one.file.trim_start_matches("src/").to_owned();
        if !sources.contains_key(&file) {
            sources.insert(file.clone(), library.read(&file)?);
        }
        let source = &sources[&file];
        mutants.push(Generic {
            id: format!("generic-{}", index + 1),
            name: one.name.trim_start_matches("src/").to_owned(),
            file,
            genre: one.genre,
            place: one.span.start.byte(source)..one.span.end.byte(source),
            put: one.replacement,
        });
    }
    Ok(mutants)
}

/// The build with all of them.
///
/// # Errors
/// When the library as it is does not compile, or a file cannot be written.
pub fn build(builder: &Builder<'_>, mutants: &[Generic]) -> Result<Switched, Error> {
    let ids: Vec<&str> = mutants.iter().map(|mutant| mutant.id.as_str()).collect();
    let mut of_file: BTreeMap<&str, Vec<Spot>> = BTreeMap::new();
    for (index, mutant) in mutants.iter().enumerate() {
        of_file.entry(&mutant.file).or_default().push(Spot {
            number: index + 1,
            genre: mutant.genre,
            place: mutant.place.clone(),
            put: mutant.put.clone(),
        });
    }
    builder.switched_spots("generic", &ids, &of_file)
}

/// What the file of an earlier round says of those of `mutants` that it has. A last line that was not written whole counts as not
/// there.
///
/// # Errors
/// When there is no such file, or it cannot be read.
pub fn verdicts(path: &Path, mutants: &[&Generic]) -> Result<Vec<Verdict>, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
    let read = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Verdict>(line).ok());
    let is_known = |verdict: &Verdict| {
        let same = |mutant: &&Generic| (&mutant.id, &mutant.name) == (&verdict.id, &verdict.name);
        mutants.iter().any(same)
    };
    Ok(read.filter(is_known).collect())
}

/// How long a mutant is swept with each profile.
pub fn rounds(budget: Duration) -> [(&'static str, Duration); 2] {
    [("storm", budget), ("membership", budget * 2)]
}

/// What came of all, in words and as Markdown.
pub fn summary(
    all: &[Generic],
    unviable: &BTreeMap<String, String>,
    outside: usize,
    verdicts: &[Verdict],
) -> String {
    use std::fmt::Write as _;
    let caught = verdicts.iter().filter(|verdict| verdict.caught()).count();
    let mut text = format!(
        "{} mutants by cargo-mutants: {} do not compile, {outside} cannot be switched, {} were swept\n\
         {caught} of {} caught ({:.1} %)\n",
        all.len(),
        unviable.len(),
        verdicts.len(),
        verdicts.len(),
        100.0 * caught as f64 / verdicts.len().max(1) as f64
    );
    let left = |changes: bool| {
        let of =
            move |verdict: &&Verdict| !verdict.caught() && verdict.changes_runs == Some(changes);
        verdicts.iter().filter(of)
    };
    let _ = writeln!(
        text,
        "{} survive and change no run; {} survive and change some",
        left(false).count(),
        left(true).count()
    );
    for (changes, what) in [(true, "changes runs"), (false, "changes none")] {
        for verdict in left(changes) {
            let _ = writeln!(text, "survives, {what}: {}", verdict.name);
        }
    }
    text
}

/// The score of each file as a Markdown table.
pub fn markdown(
    mutants: &[Generic],
    unviable: &BTreeMap<String, String>,
    verdicts: &[Verdict],
) -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "| file | mutants | do not compile | caught | survive, change no run | survive, change runs |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let mut files: Vec<&str> = mutants.iter().map(|mutant| mutant.file.as_str()).collect();
    files.dedup();
    for file in files {
        let ids: Vec<&str> = mutants
            .iter()
            .filter(|mutant| mutant.file == file)
            .map(|mutant| mutant.id.as_str())
            .collect();
        let of = |wanted: &dyn Fn(&Verdict) -> bool| {
            verdicts
                .iter()
                .filter(|verdict| ids.contains(&verdict.id.as_str()) && wanted(verdict))
                .count()
        };
        let _ = writeln!(
            text,
            "| `{file}` | {} | {} | {} | {} | {} |",
            ids.len(),
            ids.iter().filter(|id| unviable.contains_key(**id)).count(),
            of(&Verdict::caught),
            of(&|verdict| !verdict.caught() && verdict.changes_runs == Some(false)),
            of(&|verdict| !verdict.caught() && verdict.changes_runs == Some(true)),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_goes_on_after_what_its_file_has() {
        let mutant = |number: usize| Generic {
            id: format!("generic-{number}"),
            name: format!("raft.rs:{number}:1: replace > with >="),
            file: "raft.rs".to_owned(),
            genre: Genre::BinaryOperator,
            place: 0..1,
            put: ">=".to_owned(),
        };
        let all = [mutant(1), mutant(2)];
        let all: Vec<&Generic> = all.iter().collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generic.jsonl");
        assert!(verdicts(&path, &all).is_err());
        let whole = |number: usize, name: &str| {
            format!(r#"{{"id":"generic-{number}","name":"{name}","hunts":[],"changes_runs":true}}"#)
        };
        let lines = [
            whole(2, "raft.rs:2:1: replace > with >="),
            // Of another list, and cut short.
            whole(1, "raft.rs:7:1: replace < with <="),
            whole(1, "raft.rs:1:1: replace > with >=")[..30].to_owned(),
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let read = verdicts(&path, &all).unwrap();
        let ids: Vec<&str> = read.iter().map(|verdict| verdict.id.as_str()).collect();
        assert_eq!(ids, ["generic-2"]);
    }
}
