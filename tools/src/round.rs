//! `cargo xtask mutants --generic`: what cargo-mutants would change, each swept until something
//! catches it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::build::{Builder, Switched};
use crate::catalogue::{CatalogueError, nearest};
use crate::generic::{self, Generic, Round, Swept};
use crate::ladder::Ladder;
use crate::library::{Library, put};
use crate::mutants::{self, Options};
use crate::side_by_side::side_by_side;
use crate::survivors::Survivors;
use crate::table;
use crate::target::Target;

/// Runs the round: 0 when there is a verdict for each survivor, 1 when there is not, or one for
/// what does not survive, 2 when it was interrupted.
pub fn run(project: &Path, options: &Options) -> Result<u8, Error> {
    let survivors = Survivors::read(&project.join("sims/survivors.toml"))?;
    let target = Target::RaftRs;
    let library = Library::named(project, target.package())?;
    let builder = Builder {
        project,
        library: &library,
        target,
    };
    let all = generic::list(&library, &builder.folder())?;
    eprintln!(
        "building Squall against {} {} with {} mutants behind a switch",
        library.name,
        library.version,
        all.len()
    );
    let built = generic::build(&builder, &all)?;
    if options.build_only {
        println!("{}", built.program.display());
        return Ok(0);
    }
    let there = |mutant: &&Generic| {
        !built.unviable.contains_key(&mutant.id) && !built.outside.contains(&mutant.id)
    };
    let viable: Vec<&Generic> = all.iter().filter(there).collect();
    let asked = select(&viable, &options.only)?;
    let out = builder.folder().join("out-generic");
    let stop = mutants::stop_at_interrupt();
    mutants::same_digests(target, project, &built.program, &out)?;
    let prey = |mutant, profile| mutants::prey(target, &built.program, mutant, profile, &out);
    eprintln!("sweeping the library as it is");
    let Some(ladder) =
        Ladder::climbed(project, options.times, |profile| prey(None, profile), stop)?
    else {
        return Ok(2);
    };
    let results = match options.only.is_empty() {
        true => Some(Results::begin(
            builder.folder().join("generic.jsonl"),
            Head {
                program: hash(&built.program)?,
                ladder: ladder.words(),
            },
            options.resume,
        )?),
        false => None,
    };
    let mut swept = results
        .as_ref()
        .map_or_else(Vec::new, |results| results.before(&asked));
    let is_left = |mutant: &&Generic| !swept.iter().any(|done| done.id == mutant.id);
    let left: Vec<&Generic> = asked.iter().copied().filter(is_left).collect();
    let new = side_by_side("mutants", options.jobs(), stop, &left, |mutant| {
        let climb = ladder.climb(|profile| prey(Some(&mutant.id), profile), stop)?;
        let Some(climb) = climb else {
            return Ok(None);
        };
        let swept = Swept {
            id: mutant.id.clone(),
            name: mutant.name.clone(),
            hunts: climb.hunts,
            caught_on: climb.caught_on,
            changes: climb.changes,
        };
        if let Some(results) = &results {
            results.add(&swept)?;
        }
        Ok(Some(swept))
    })?;
    swept.extend(new);
    let whole = swept.len() == asked.len();
    if !options.only.is_empty() {
        for swept in &swept {
            println!("{}", one_line(swept));
        }
        return Ok(match (whole, swept.iter().all(Swept::caught)) {
            (false, _) => 2,
            (true, true) => 0,
            (true, false) => 1,
        });
    }
    conclude(project, options, &all, &built, &swept, &survivors, whole)
}

fn conclude(
    project: &Path,
    options: &Options,
    all: &[Generic],
    built: &Switched,
    swept: &[Swept],
    survivors: &Survivors,
    whole: bool,
) -> Result<u8, Error> {
    let round = Round {
        all,
        unviable: &built.unviable,
        outside: built.outside.len(),
        swept,
        survivors,
    };
    print!("\n{}", round.summary());
    if options.record && whole {
        let times = match options.times {
            1 => String::new(),
            times => format!(" --times {times}"),
        };
        let mut text = table::made_by(&format!("cargo xtask mutants --generic{times}"));
        for line in round.score() {
            text.push_str(&format!("- {line}\n"));
        }
        text.push('\n');
        text.push_str(&round.markdown());
        table::record(&project.join("docs/power.md"), "generic", &text)?;
    }
    let is_said = round.unsaid().is_empty() && round.stale().is_empty();
    Ok(match (whole, is_said) {
        (false, _) => 2,
        (true, true) => 0,
        (true, false) => 1,
    })
}

/// Those of `mutants` that `only` names, by the switch's names; all when it names none.
fn select<'a>(mutants: &[&'a Generic], only: &[String]) -> Result<Vec<&'a Generic>, Error> {
    let ids: Vec<&str> = mutants.iter().map(|mutant| mutant.id.as_str()).collect();
    for asked in only {
        if !ids.contains(&asked.as_str()) {
            let asked = asked.clone();
            let nearest = nearest(&asked, &ids);
            return Err(CatalogueError::Unknown { asked, nearest }.into());
        }
    }
    let wanted = |mutant: &&&Generic| only.is_empty() || only.contains(&mutant.id);
    Ok(mutants.iter().filter(wanted).copied().collect())
}

/// What came of one that was asked for.
fn one_line(swept: &Swept) -> String {
    let told = match swept.hunts.iter().find(|hunt| hunt.caught()) {
        Some(hunt) => format!(
            "{} {}, {}, {} runs",
            table::word(hunt),
            table::check(hunt),
            hunt.profile,
            hunt.runs
        ),
        None => format!("survives, {}", generic::effect(swept)),
    };
    format!("{} {}: {told}", swept.id, swept.name)
}

/// The file of results: a line for the ladder, and one for each mutant as soon as it is swept, so
/// that nothing is lost when a round ends early.
struct Results {
    path: Mutex<PathBuf>,
    before: Vec<Swept>,
}

/// What results were made with.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// A hash of the program that was swept.
    program: String,
    /// The rungs, as [`Ladder::words`] has them.
    ladder: Vec<String>,
}

impl Head {
    /// Whether `swept`, which was made with `self`, stands with `now`: all of it with the same
    /// program and ladder. What was caught, on each rung that is there now and on which the
    /// library as it is runs as it did.
    fn keeps(&self, now: &Self, swept: &Swept) -> bool {
        match &swept.caught_on {
            Some(rung) => now.ladder.contains(rung),
            None => (&self.program, &self.ladder) == (&now.program, &now.ladder),
        }
    }
}

impl Results {
    /// Begins the file, or goes on with the one that is there.
    ///
    /// # Errors
    /// When it cannot be read or written, or is to go on and is of another form.
    fn begin(path: PathBuf, head: Head, resume: bool) -> Result<Self, Error> {
        let before = match resume {
            true => Self::read(&path, &head)?,
            false => Vec::new(),
        };
        let mut lines = line(&head);
        lines.extend(before.iter().map(line));
        put(&path, &lines)?;
        let path = Mutex::new(path);
        Ok(Self { path, before })
    }

    /// A last line that was not written whole counts as not there.
    fn read(path: &Path, now: &Head) -> Result<Vec<Swept>, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
        let mut lines = text.lines();
        let head = lines.next().map(serde_json::from_str::<Head>);
        let Some(Ok(head)) = head else {
            return Err(Error::File {
                path: path.to_path_buf(),
                why: "is no file of results, or of an older form; begin anew, without --resume"
                    .to_owned(),
            });
        };
        let swept = lines.filter_map(|line| serde_json::from_str(line).ok());
        Ok(swept.filter(|swept| head.keeps(now, swept)).collect())
    }

    /// What the file had of `mutants`.
    fn before(&self, mutants: &[&Generic]) -> Vec<Swept> {
        let is_known = |swept: &&Swept| {
            let same = |mutant: &&Generic| (&mutant.id, &mutant.name) == (&swept.id, &swept.name);
            mutants.iter().any(same)
        };
        self.before.iter().filter(is_known).cloned().collect()
    }

    fn add(&self, swept: &Swept) -> Result<(), Error> {
        use std::io::Write as _;
        let path = self.path.lock().expect("no panic");
        let file = std::fs::OpenOptions::new().append(true).open(&*path);
        let written = file.and_then(|mut file| file.write_all(line(swept).as_bytes()));
        written.map_err(|error| Error::file(&path, &error))
    }
}

/// What tells the program at `path` from every other.
fn hash(path: &Path) -> Result<String, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::file(path, &error))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// As a line of JSON.
fn line(what: &impl Serialize) -> String {
    let json = serde_json::to_string(what).expect("it is plain data");
    format!("{json}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::Genre;

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
        let head = |program: &str, rungs: &[&str]| Head {
            program: program.to_owned(),
            ladder: rungs.iter().map(|rung| (*rung).to_owned()).collect(),
        };
        let go_on = |head: Head| Results::begin(path.clone(), head, true);
        assert!(go_on(head("p", &["storm"])).is_err());
        let swept = |number: usize, name: &str, caught_on: Option<&str>| Swept {
            id: format!("generic-{number}"),
            name: name.to_owned(),
            hunts: Vec::new(),
            caught_on: caught_on.map(str::to_owned),
            changes: vec!["storm".to_owned()],
        };
        let results = Results::begin(path.clone(), head("p", &["storm"]), false).unwrap();
        results.add(&swept(2, &all[1].name, Some("storm"))).unwrap();
        // Of another list, and cut short.
        let other = swept(1, "raft.rs:7:1: replace < with <=", None);
        results.add(&other).unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str(&line(&swept(1, &all[0].name, None))[..30]);
        std::fs::write(&path, text).unwrap();
        let ids = |results: &Results| -> Vec<String> {
            let before = results.before(&all).into_iter();
            before.map(|swept| swept.id).collect()
        };
        let results = go_on(head("p", &["storm"])).unwrap();
        assert_eq!(ids(&results), ["generic-2"]);
        // What was cut short is gone, and what is added next is whole.
        results.add(&swept(1, &all[0].name, None)).unwrap();
        let results = go_on(head("p", &["storm"])).unwrap();
        assert_eq!(ids(&results), ["generic-2", "generic-1"]);
        // Another program may catch what survived, and finds what was found, as long as its runs
        // are the same.
        let results = go_on(head("q", &["calm", "storm"])).unwrap();
        assert_eq!(ids(&results), ["generic-2"]);
        assert_eq!(ids(&go_on(head("q", &["calm"])).unwrap()), [""; 0]);
        std::fs::write(&path, "{}").unwrap();
        let error = go_on(head("q", &["calm"])).err().unwrap().to_string();
        assert!(error.contains("begin anew"), "{error}");
    }

    #[test]
    fn a_name_that_no_mutant_has_is_told_with_one_that_is_like_it() {
        let mutant = Generic {
            id: "generic-12".to_owned(),
            name: "raft.rs:1:1: delete !".to_owned(),
            file: "raft.rs".to_owned(),
            genre: Genre::UnaryOperator,
            place: 0..1,
            put: String::new(),
        };
        assert_eq!(select(&[&mutant], &[]).unwrap().len(), 1);
        assert_eq!(
            select(&[&mutant], &["generic-12".to_owned()])
                .unwrap()
                .len(),
            1
        );
        let error = select(&[&mutant], &["generic-1".to_owned()]).unwrap_err();
        assert!(
            error.to_string().contains("did you mean \"generic-12\"?"),
            "{error}"
        );
    }
}
