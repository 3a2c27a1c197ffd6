//! Builds Squall against a changed copy of the library.
//!
//! The copy takes the library's place by `[patch.crates-io]` in a workspace of its own under
//! `target/mutants`, whose one program is Squall's `main`. So neither the project's lock file nor
//! what is built in `target` is touched.
//!
//! All workspaces build in one folder, so that what is the same in them is built once. Cargo tells
//! packages apart by their place within their workspace and builds by the time of their files:
//! copies of the library that have the same place in two workspaces are one to it, and what was
//! built of the one is taken for up to date in the other. So each copy's folder has the name of its
//! workspace, and what is built must have the mark of what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;
use crate::library::{Library, put};
use crate::operators::{self, Spot};
use crate::schemata::{self, Edit};
use crate::target::Target;

/// The environment variable that chooses the mutant in a build that has many.
pub const VARIABLE: &str = "SQUALL_MUTANT";

/// The cargo profile.
const PROFILE: &str = "release";

/// A change of one of the library's files.
#[derive(Clone, Debug)]
pub struct Change {
    /// What the switch calls it.
    pub id: String,
    /// The file, relative to `src`.
    pub file: String,
    /// What it replaces, in bytes.
    pub place: std::ops::Range<usize>,
    /// By what.
    pub put: String,
}

/// A build with many mutants.
#[derive(Debug)]
pub struct Switched {
    /// The program.
    pub program: PathBuf,
    /// Ids of the changes that do not compile, with the compiler's first words on each.
    pub unviable: BTreeMap<String, String>,
    /// Ids of the changes that lie in no function. They need a build each.
    pub outside: Vec<String>,
}

/// Makes changed files, without the changes that it is told.
type Write<'a> = dyn Fn(&BTreeSet<&str>) -> Result<Sources, Error> + 'a;

/// Changed files of the library.
#[derive(Debug, Default)]
struct Sources {
    /// Each file's text.
    texts: BTreeMap<String, String>,
    /// Which lines of which file are which change's.
    lines: Vec<(String, std::ops::Range<usize>, String)>,
    /// Changes that are not in it.
    outside: Vec<String>,
}

impl Sources {
    /// Whose lines the compiler complains of.
    fn owners(&self, complaint: &Complaint) -> Vec<String> {
        let meets = |lines: &std::ops::Range<usize>| {
            lines.start < complaint.lines.end && complaint.lines.start < lines.end
        };
        let of_it = self.lines.iter().filter(|(file, lines, _)| {
            complaint.file.ends_with(&format!("/src/{file}")) && meets(lines)
        });
        of_it.map(|(_, _, id)| id.clone()).collect()
    }
}

/// Where and from what is built.
#[derive(Debug)]
pub struct Builder<'a> {
    /// The project's folder.
    pub project: &'a Path,
    /// The library as it is.
    pub library: &'a Library,
    /// Which library that is.
    pub target: Target,
}

impl Builder<'_> {
    /// Where everything lies that is made here.
    pub fn folder(&self) -> PathBuf {
        self.project.join("target").join("mutants")
    }

    /// Builds with all of `changes` behind the switch, in the workspace `name`. Changes that do not
    /// compile are left out and told.
    ///
    /// # Errors
    /// When the library as it is does not compile, or a file cannot be written.
    pub fn switched(&self, name: &str, changes: &[Change]) -> Result<Switched, Error> {
        let ids: Vec<&str> = changes.iter().map(|change| change.id.as_str()).collect();
        self.build(name, &ids, &|without| self.copies(changes, without))
    }

    /// As [`Builder::switched`], for small mutants by the hundred: `spots` are those of each file,
    /// and the id of number n is `ids[n - 1]`.
    ///
    /// # Errors
    /// When the library as it is does not compile, or a file cannot be written.
    pub fn switched_spots(
        &self,
        name: &str,
        ids: &[&str],
        spots: &BTreeMap<&str, Vec<Spot>>,
    ) -> Result<Switched, Error> {
        self.build(name, ids, &|without| self.spotted(ids, spots, without))
    }

    /// Builds what `write` makes, which is told what to leave out; again without what does not
    /// compile, until all does.
    fn build(&self, name: &str, ids: &[&str], write: &Write<'_>) -> Result<Switched, Error> {
        let workspace = self.folder().join(name);
        let copy = workspace.join(self.copy_of(&workspace));
        let mut unviable = BTreeMap::new();
        loop {
            let without: BTreeSet<&str> = unviable.keys().map(String::as_str).collect();
            let sources = write(&without)?;
            let there = |id: &&str| {
                !without.contains(id) && !sources.outside.iter().any(|outside| outside == id)
            };
            let names = ids.iter().enumerate().map(|(index, id)| (index + 1, *id));
            let names: Vec<(usize, &str)> = names.filter(|(_, id)| there(id)).collect();
            let mark = self.write_copy(&copy, &sources.texts, &names)?;
            self.write_workspace(&workspace)?;
            let Err(complaints) = self.cargo(&workspace)? else {
                let program = self.take(&workspace, "squall")?;
                has_mark(&program, &mark)?;
                return Ok(Switched {
                    program,
                    unviable,
                    outside: sources.outside,
                });
            };
            let before = unviable.len();
            for complaint in &complaints {
                for id in sources.owners(complaint) {
                    unviable
                        .entry(id)
                        .or_insert_with(|| complaint.message.clone());
                }
            }
            if unviable.len() == before {
                let first = complaints.first().map(|complaint| {
                    format!(
                        "{}:{}: {}",
                        complaint.file, complaint.lines.start, complaint.message
                    )
                });
                return Err(Error::Cargo(
                    first.unwrap_or_else(|| "cargo build failed".to_owned()),
                ));
            }
        }
    }

    /// Builds Squall as it is.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn plain(&self) -> Result<PathBuf, Error> {
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(self.project)
            .args(["build", "--profile", PROFILE])
            .status()
            .map_err(|error| Error::Cargo(error.to_string()))?;
        if !status.success() {
            return Err(Error::Cargo("cargo build failed, as told above".to_owned()));
        }
        let file = format!("squall{}", std::env::consts::EXE_SUFFIX);
        Ok(self.project.join("target").join(PROFILE).join(file))
    }

    /// Builds with one change and no switch.
    ///
    /// # Errors
    /// When it does not compile, or a file cannot be written.
    pub fn apart(&self, change: &Change) -> Result<PathBuf, Error> {
        let workspace = self.folder().join("apart");
        let copy = workspace.join(self.copy_of(&workspace));
        self.library.copy(&copy)?;
        let mut text = self.library.read(&change.file)?;
        text.replace_range(change.place.clone(), &change.put);
        put(&copy.join("src").join(&change.file), &text)?;
        self.write_workspace(&workspace)?;
        if let Err(complaints) = self.cargo(&workspace)? {
            let first = complaints
                .first()
                .map(|complaint| complaint.message.clone());
            let why = first.unwrap_or_else(|| "cargo build failed".to_owned());
            return Err(Error::Cargo(format!(
                "mutant {} does not compile: {why}",
                change.id
            )));
        }
        self.take(&workspace, &format!("squall-{}", change.id))
    }

    /// A copy of its function for each of `changes` but those `without`.
    fn copies(&self, changes: &[Change], without: &BTreeSet<&str>) -> Result<Sources, Error> {
        let mut of_file: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
        for (index, change) in changes.iter().enumerate() {
            if !without.contains(change.id.as_str()) {
                of_file.entry(&change.file).or_default().push(Edit {
                    number: index + 1,
                    place: change.place.clone(),
                    put: change.put.clone(),
                });
            }
        }
        let mut sources = Sources::default();
        for (file, edits) in of_file {
            let switched = schemata::switch(&self.library.read(file)?, &edits)
                .map_err(|error| self.no_rust(file, &error))?;
            let id = |number: usize| changes[number - 1].id.clone();
            let lines = switched.lines.into_iter();
            sources
                .lines
                .extend(lines.map(|(number, lines)| (file.to_owned(), lines, id(number))));
            sources.outside.extend(switched.outside.into_iter().map(id));
            sources.texts.insert(file.to_owned(), switched.text);
        }
        Ok(sources)
    }

    /// `spots` but those `without`, where they lie.
    fn spotted(
        &self,
        ids: &[&str],
        spots: &BTreeMap<&str, Vec<Spot>>,
        without: &BTreeSet<&str>,
    ) -> Result<Sources, Error> {
        let mut sources = Sources::default();
        for (file, spots) in spots {
            let left = |spot: &&Spot| !without.contains(ids[spot.number - 1]);
            let left: Vec<Spot> = spots.iter().filter(left).cloned().collect();
            let switched = operators::switch(&self.library.read(file)?, &left)
                .map_err(|error| self.no_rust(file, &error))?;
            let id = |number: usize| ids[number - 1].to_owned();
            for (index, line) in switched.text.lines().enumerate() {
                for number in operators::marks(line) {
                    sources
                        .lines
                        .push(((*file).to_owned(), index + 1..index + 2, id(number)));
                }
            }
            sources.outside.extend(switched.outside.into_iter().map(id));
            sources.texts.insert((*file).to_owned(), switched.text);
        }
        Ok(sources)
    }

    /// Writes the library's copy: `texts` in place of the files of those names, and the module of
    /// the switch. Returns the mark that a program which is built from it has in it.
    fn write_copy(
        &self,
        copy: &Path,
        texts: &BTreeMap<String, String>,
        names: &[(usize, &str)],
    ) -> Result<String, Error> {
        let mark = mark(texts, names);
        let mut texts = texts.clone();
        let root = texts
            .remove("lib.rs")
            .map_or_else(|| self.library.read("lib.rs"), Ok)?;
        texts.insert("lib.rs".to_owned(), format!("{root}\nmod mutants;\n"));
        let module = schemata::module(VARIABLE, names, &mark);
        texts.insert("mutants.rs".to_owned(), module);
        // The other files too, so that what an earlier build has changed is put back.
        self.library
            .copy_except(copy, &texts.keys().cloned().collect())?;
        for (file, text) in texts {
            put(&copy.join("src").join(file), &text)?;
        }
        Ok(mark)
    }

    /// Writes the workspace around the copy: its program is Squall's, with Squall's versions and
    /// build profiles.
    fn write_workspace(&self, workspace: &Path) -> Result<(), Error> {
        let manifest = self.project.join("Cargo.toml");
        let text =
            std::fs::read_to_string(&manifest).map_err(|error| Error::file(&manifest, &error))?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| Error::Cargo(format!("{}: {error}", manifest.display())))?;
        let mut own: toml::Table = toml::from_str(&format!(
            "[workspace]\n[package]\nname = \"squall-mutants\"\nedition = \"2024\"\n\
             [[bin]]\nname = \"{}\"\npath = \"main.rs\"\n\
             [dependencies]\nsquall = {{ path = {:?}, features = {:?} }}\n\
             [patch.crates-io]\n{} = {{ path = {:?} }}\n",
            program(workspace),
            self.project,
            self.target.feature().as_slice(),
            self.library.name,
            self.copy_of(workspace)
        ))
        .expect("the manifest is ours");
        if let Some(profiles) = table.get("profile") {
            let mut profiles = profiles.clone();
            optimise(&mut profiles, &self.crates()?);
            own.insert("profile".to_owned(), profiles);
        }
        put(&workspace.join("Cargo.toml"), &own.to_string())?;
        let main = self.project.join("src/main.rs");
        let text = std::fs::read_to_string(&main).map_err(|error| Error::file(&main, &error))?;
        put(&workspace.join("main.rs"), &text)?;
        // Cargo adds what is new here to the versions that the project has.
        let lock = self.project.join("Cargo.lock");
        let text = std::fs::read_to_string(&lock).map_err(|error| Error::file(&lock, &error))?;
        put(&workspace.join("Cargo.lock"), &text)
    }

    /// What the folder of the library's copy in a workspace is called.
    fn copy_of(&self, workspace: &Path) -> String {
        let name = workspace.file_name().unwrap_or_default();
        format!("{}-{}", self.library.name, name.to_string_lossy())
    }

    /// A file of the library that cannot be parsed.
    fn no_rust(&self, file: &str, error: &syn::Error) -> Error {
        Error::Cargo(format!("{}/src/{file}: {error}", self.library.name))
    }

    /// The names of Squall's crates.
    fn crates(&self) -> Result<Vec<String>, Error> {
        let folder = self.project.join("crates");
        let entries = std::fs::read_dir(&folder).map_err(|error| Error::file(&folder, &error))?;
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut crates = vec!["squall".to_owned()];
        crates.extend(names.map(|name| format!("squall-{}", name.to_string_lossy())));
        crates.sort();
        Ok(crates)
    }

    /// Takes the program that was built in `workspace` from the folder that all workspaces build
    /// in.
    fn take(&self, workspace: &Path, name: &str) -> Result<PathBuf, Error> {
        let file = format!("{}{}", program(workspace), std::env::consts::EXE_SUFFIX);
        let built = self.folder().join("target").join(PROFILE).join(file);
        let kept = workspace.join(name);
        // One that is running cannot be overwritten, but it can be replaced.
        let _ = std::fs::remove_file(&kept);
        std::fs::copy(&built, &kept).map_err(|error| Error::file(&kept, &error))?;
        Ok(kept)
    }

    /// Runs `cargo build` there. The inner error is what the compiler says of the library's copy.
    fn cargo(&self, workspace: &Path) -> Result<Result<(), Vec<Complaint>>, Error> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .current_dir(workspace)
            .args(["build", "--profile", PROFILE, "--message-format", "json"])
            .args(["--target-dir", "../target"])
            // What the library's own lints say of a mutant is of no interest, and they differ
            // between compilers.
            .env("RUSTFLAGS", "--cap-lints=allow")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let output = command
            .output()
            .map_err(|error| Error::Cargo(error.to_string()))?;
        if output.status.success() {
            return Ok(Ok(()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let complaints: Vec<Complaint> = text.lines().filter_map(Complaint::read).collect();
        if complaints.is_empty() {
            return Err(Error::Cargo("cargo build failed, as told above".to_owned()));
        }
        Ok(Err(complaints))
    }
}

/// What the program of a workspace is called. All are built in one folder, and one that is up to
/// date is not put there again.
fn program(workspace: &Path) -> String {
    let name = workspace.file_name().unwrap_or_default();
    format!("squall-{}", name.to_string_lossy())
}

/// What tells a build of these texts and numbers from every other.
fn mark(texts: &BTreeMap<String, String>, names: &[(usize, &str)]) -> String {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    names.hash(&mut hasher);
    format!("build {:016x}", hasher.finish())
}

/// Demands that `program` has been built from what has the mark.
fn has_mark(program: &Path, mark: &str) -> Result<(), Error> {
    let bytes = std::fs::read(program).map_err(|error| Error::file(program, &error))?;
    let first = mark.as_bytes()[0];
    let mut places = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    match places.any(|(place, _)| bytes[place..].starts_with(mark.as_bytes())) {
        true => Ok(()),
        false => Err(Error::Untrue(format!(
            "{} is not built from the mutants that were written: remove target/mutants/target, and try again",
            program.display()
        ))),
    }
}

/// What the compiler says about one place.
#[derive(Debug)]
struct Complaint {
    file: String,
    lines: std::ops::Range<usize>,
    message: String,
}

impl Complaint {
    fn read(line: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(line).ok()?;
        let message = json.get("message")?;
        if message.get("level")?.as_str()? != "error" {
            return None;
        }
        let spans = message.get("spans")?.as_array()?;
        let span = spans
            .iter()
            .find(|span| span["is_primary"] == true)
            .or_else(|| spans.first())?;
        // An error within a macro is told where the macro is called.
        let mut span = span;
        while let Some(outer) = span
            .get("expansion")
            .and_then(|expansion| expansion.get("span"))
        {
            span = outer;
        }
        let line = |key: &str| usize::try_from(span.get(key)?.as_u64()?).ok();
        Some(Self {
            file: span.get("file_name")?.as_str()?.replace('\\', "/"),
            lines: line("line_start")?..line("line_end")? + 1,
            message: message.get("message")?.as_str()?.to_owned(),
        })
    }
}

/// Here Squall's crates are dependencies, which the project's profiles hardly optimise. What those
/// do not name is compiled as it is in the project.
fn optimise(profiles: &mut toml::Value, crates: &[String]) {
    let packages = profiles
        .get_mut(PROFILE)
        .and_then(|profile| profile.get_mut("package"))
        .and_then(toml::Value::as_table_mut);
    let Some(packages) = packages else { return };
    for name in crates {
        let best = toml::Table::from_iter([("opt-level".to_owned(), toml::Value::Integer(3))]);
        packages
            .entry(name.clone())
            .or_insert(toml::Value::Table(best));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squalls_crates_are_optimised_where_they_are_dependencies() {
        let manifest =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        let manifest: toml::Table = toml::from_str(&manifest.unwrap()).unwrap();
        let mut profiles = manifest["profile"].clone();
        let named = profiles[PROFILE]["package"]["squall-cli"].clone();
        optimise(
            &mut profiles,
            &["squall-core".to_owned(), "squall-cli".to_owned()],
        );
        let packages = &profiles[PROFILE]["package"];
        assert_eq!(packages["squall-core"]["opt-level"].as_integer(), Some(3));
        assert_eq!(packages["squall-cli"], named);
    }

    #[test]
    fn no_two_workspaces_have_the_library_in_the_same_place() {
        let project = Path::new(".");
        let library = |target: Target| Library {
            folder: PathBuf::new(),
            name: target.package().to_owned(),
            version: String::new(),
        };
        let mut places = BTreeSet::new();
        for target in [Target::RaftRs, Target::Openraft] {
            let builder = Builder {
                project,
                library: &library(target),
                target,
            };
            for folder in ["generic", "apart", target.workspace()] {
                places.insert(builder.copy_of(&Path::new("target/mutants").join(folder)));
            }
        }
        assert_eq!(places.len(), 6);
    }

    #[test]
    fn a_program_that_was_built_from_something_else_is_refused() {
        let texts = |text: &str| BTreeMap::from([("raft.rs".to_owned(), text.to_owned())]);
        let (old, new) = (
            mark(&texts("a"), &[(1, "x")]),
            mark(&texts("b"), &[(1, "x")]),
        );
        assert_ne!(new, mark(&texts("b"), &[(2, "x")]));
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("squall");
        std::fs::write(&program, format!("b bu build {old} and more")).unwrap();
        has_mark(&program, &old).unwrap();
        let error = has_mark(&program, &new).unwrap_err().to_string();
        assert!(error.contains("is not built from the mutants"), "{error}");
    }
}
