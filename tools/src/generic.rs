//! What `cargo mutants` would change, and what came of it.
//!
//! cargo-mutants builds and tests once for each mutant, which for a thousand of them and a build of
//! a minute takes a day. Here it says what to change, and all of it goes into one build with a
//! switch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::build::{Builder, Switched};
use crate::hunt::Hunt;
use crate::library::{Library, put};
use crate::operators::{Genre, Spot};
use crate::survivors::{Class, Survivors};

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
pub struct Swept {
    /// What the switch calls it.
    pub id: String,
    /// What cargo-mutants calls it.
    pub name: String,
    /// The sweeps, until one caught it.
    pub hunts: Vec<Hunt>,
    /// The rung of the ladder that caught it.
    pub caught_on: Option<String>,
    /// The profiles of which some run went otherwise than without it, and nothing was found.
    pub changes: Vec<String>,
}

impl Swept {
    /// Whether any sweep caught it.
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
    let copy = folder.join("list").join(&library.name);
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

/// What came of all of them, and what is said of those that nothing caught.
pub struct Round<'a> {
    /// All.
    pub all: &'a [Generic],
    /// Those that do not compile, and why.
    pub unviable: &'a BTreeMap<String, String>,
    /// How many cannot be switched.
    pub outside: usize,
    /// What came of the others.
    pub swept: &'a [Swept],
    /// What is said of survivors.
    pub survivors: &'a Survivors,
}

impl Round<'_> {
    /// What is said of a survivor, if anything is; nothing of one that is caught.
    fn class(&self, swept: &Swept) -> Option<Class> {
        match swept.caught() {
            true => None,
            false => self.survivors.class(&swept.name),
        }
    }

    /// The survivors that nothing is said of.
    pub fn unsaid(&self) -> Vec<&Swept> {
        let is_new = |swept: &&Swept| !swept.caught() && self.class(swept).is_none();
        self.swept.iter().filter(is_new).collect()
    }

    /// The names of which something is said though they do not survive, and why that is wrong.
    pub fn stale(&self) -> Vec<(&str, &'static str)> {
        let all: BTreeSet<&str> = self.all.iter().map(|one| one.name.as_str()).collect();
        let unviable = self
            .all
            .iter()
            .filter(|one| self.unviable.contains_key(&one.id));
        let unviable = unviable.map(|one| one.name.as_str());
        let caught = self.swept.iter().filter(|swept| swept.caught());
        let caught = caught.map(|swept| swept.name.as_str());
        let is_said = |name: &&str| self.survivors.class(name).is_some();
        let unknown = self.survivors.but(&all).into_iter();
        let mut stale: Vec<(&str, &str)> = caught
            .filter(is_said)
            .map(|name| (name, "is caught now"))
            .collect();
        stale.extend(
            unviable
                .filter(is_said)
                .map(|name| (name, "does not compile")),
        );
        stale.extend(unknown.map(|name| (name, "is no mutant")));
        stale
    }

    /// A few lines: how many there are, and of which kind.
    pub fn score(&self) -> Vec<String> {
        let swept = self.swept.len();
        let caught = self.swept.iter().filter(|swept| swept.caught()).count();
        let kinds: Vec<String> = Class::ALL
            .iter()
            .map(|class| {
                let of = self
                    .swept
                    .iter()
                    .filter(|swept| self.class(swept) == Some(*class));
                format!("{} {}", of.count(), class.word())
            })
            .collect();
        let seconds: f64 = self
            .swept
            .iter()
            .flat_map(|swept| &swept.hunts)
            .map(|hunt| hunt.cpu_seconds)
            .sum();
        let changes = |swept: &&Swept| !swept.caught() && !swept.changes.is_empty();
        let per_cent = |of: usize, all: usize| 100.0 * of as f64 / all.max(1) as f64;
        let equivalent = self
            .swept
            .iter()
            .filter(|swept| self.class(swept) == Some(Class::Equivalent));
        let different = swept - equivalent.count();
        vec![
            format!(
                "{} mutants by cargo-mutants: {} do not compile, {} cannot be switched, {swept} were swept in {seconds:.0} s of processor time",
                self.all.len(),
                self.unviable.len(),
                self.outside
            ),
            format!(
                "{caught} of {swept} caught ({:.1} %), of the {different} that are not equivalent {:.1} %",
                per_cent(caught, swept),
                per_cent(caught, different)
            ),
            format!(
                "{} survive, {} of them change some run: {}, {} not looked at",
                swept - caught,
                self.swept.iter().filter(changes).count(),
                kinds.join(", "),
                self.unsaid().len()
            ),
        ]
    }

    /// The score, and the names of those that somebody has to look at.
    pub fn summary(&self) -> String {
        use std::fmt::Write as _;
        let mut text = self.score().join("\n") + "\n";
        for swept in self.unsaid() {
            let _ = writeln!(
                text,
                "new: {} ({}) survives, {}",
                swept.name,
                swept.id,
                effect(swept)
            );
        }
        for (name, why) in self.stale() {
            let _ = writeln!(text, "stale: {name} {why}, and has a verdict");
        }
        text
    }

    /// The score of each file as a Markdown table.
    pub fn markdown(&self) -> String {
        use std::fmt::Write as _;
        let kinds: Vec<&str> = Class::ALL.iter().map(|class| class.word()).collect();
        let mut text = format!(
            "| file | mutants | do not compile | caught | {} | not looked at |\n|{}\n",
            kinds.join(" | "),
            " --- |".repeat(kinds.len() + 5)
        );
        let mut files: Vec<&str> = self.all.iter().map(|mutant| mutant.file.as_str()).collect();
        files.dedup();
        let mut rows: Vec<(&str, Vec<usize>)> = files
            .into_iter()
            .map(|file| (file, self.row(|one| one.file == file)))
            .collect();
        rows.push(("", self.row(|_| true)));
        for (file, row) in rows {
            let file = match file {
                "" => "all".to_owned(),
                file => format!("`{file}`"),
            };
            let cells: Vec<String> = row.iter().map(usize::to_string).collect();
            let _ = writeln!(text, "| {file} | {} |", cells.join(" | "));
        }
        text
    }

    fn row(&self, wanted: impl Fn(&Generic) -> bool) -> Vec<usize> {
        let ids: BTreeSet<&str> = self
            .all
            .iter()
            .filter(|one| wanted(one))
            .map(|one| one.id.as_str())
            .collect();
        let swept: Vec<&Swept> = self
            .swept
            .iter()
            .filter(|swept| ids.contains(swept.id.as_str()))
            .collect();
        let unviable = ids.iter().filter(|id| self.unviable.contains_key(**id));
        let caught = swept.iter().filter(|swept| swept.caught());
        let mut row = vec![ids.len(), unviable.count(), caught.count()];
        for class in Class::ALL {
            row.push(
                swept
                    .iter()
                    .filter(|swept| self.class(swept) == Some(class))
                    .count(),
            );
        }
        let new = |swept: &&&Swept| !swept.caught() && self.class(swept).is_none();
        row.push(swept.iter().filter(new).count());
        row
    }
}

/// What a survivor does to runs, in words.
pub fn effect(swept: &Swept) -> String {
    match &swept.changes[..] {
        [] => "changes no run".to_owned(),
        profiles => format!("changes runs of {}", profiles.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::Ending;

    const NAMES: [&str; 6] = [
        "raft.rs:1:1: delete !",
        "raft.rs:2:1: delete !",
        "raft.rs:3:1: delete !",
        "raft.rs:4:1: delete !",
        "quorum.rs:5:1: delete !",
        "quorum.rs:6:1: delete !",
    ];

    fn generic(index: usize) -> Generic {
        Generic {
            id: format!("generic-{}", index + 1),
            name: NAMES[index].to_owned(),
            file: NAMES[index].split(':').next().unwrap().to_owned(),
            genre: Genre::UnaryOperator,
            place: 0..1,
            put: String::new(),
        }
    }

    fn swept(index: usize, ending: Ending, changes: &[&str]) -> Swept {
        Swept {
            id: format!("generic-{}", index + 1),
            name: NAMES[index].to_owned(),
            hunts: vec![Hunt {
                profile: "storm".to_owned(),
                ending,
                runs: 1,
                cpu_seconds: 0.5,
            }],
            caught_on: None,
            changes: changes.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn what_survives_without_a_verdict_is_told_and_what_has_one_without_surviving() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("survivors.toml");
        let group = |class: &str, names: &[&str]| {
            format!("[[survivors]]\nclass = {class:?}\nreason = \"why\"\nmutants = {names:?}\n")
        };
        let text = group("equivalent", &[NAMES[1], NAMES[0]])
            + &group("hole", &[NAMES[4], NAMES[5], "raft.rs:9:9: delete !"]);
        std::fs::write(&path, text).unwrap();
        let all: Vec<Generic> = (0..6).map(generic).collect();
        let round = Round {
            all: &all,
            unviable: &BTreeMap::from([(all[5].id.clone(), "no type".to_owned())]),
            outside: 0,
            swept: &[
                swept(0, Ending::Hang, &[]),
                swept(1, Ending::Clean, &[]),
                swept(2, Ending::Clean, &["calm"]),
                swept(3, Ending::Incomplete(vec!["an event".to_owned()]), &[]),
                swept(4, Ending::Clean, &["storm", "disk"]),
            ],
            survivors: &Survivors::read(&path).unwrap(),
        };
        assert_eq!(
            round.summary().lines().collect::<Vec<_>>(),
            [
                "6 mutants by cargo-mutants: 1 do not compile, 0 cannot be switched, 5 were swept in 2 s of processor time",
                "2 of 5 caught (40.0 %), of the 4 that are not equivalent 50.0 %",
                "3 survive, 2 of them change some run: 1 equivalent, 0 harmless, 0 rare, 1 hole, 1 not looked at",
                "new: raft.rs:3:1: delete ! (generic-3) survives, changes runs of calm",
                "stale: raft.rs:1:1: delete ! is caught now, and has a verdict",
                "stale: quorum.rs:6:1: delete ! does not compile, and has a verdict",
                "stale: raft.rs:9:9: delete ! is no mutant, and has a verdict",
            ]
        );
        assert_eq!(
            round.markdown().lines().collect::<Vec<_>>(),
            [
                "| file | mutants | do not compile | caught | equivalent | harmless | rare | hole | not looked at |",
                "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
                "| `raft.rs` | 4 | 0 | 2 | 1 | 0 | 0 | 0 | 1 |",
                "| `quorum.rs` | 2 | 1 | 0 | 0 | 0 | 0 | 1 | 0 |",
                "| all | 6 | 1 | 2 | 1 | 0 | 0 | 1 | 1 |",
            ]
        );
    }
}
