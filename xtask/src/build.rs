//! Builds Squall against a changed copy of the library.
//!
//! The copy takes the library's place by `[patch.crates-io]` in a workspace of its own under
//! `target/mutants`, whose one program is Squall's `main`. So neither the project's lock file nor
//! what is built in `target` is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;
use crate::library::{Library, NAME, put};
use crate::schemata::{self, Edit};

/// The environment variable that chooses the mutant in a build that has many.
pub const VARIABLE: &str = "SQUALL_MUTANT";

/// The cargo profile: release without the long link.
const PROFILE: &str = "quick";

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

/// Where and from what is built.
#[derive(Debug)]
pub struct Builder<'a> {
    /// The project's folder.
    pub project: &'a Path,
    /// The library as it is.
    pub library: &'a Library,
}

impl Builder<'_> {
    /// Where everything lies that is made here.
    pub fn folder(&self) -> PathBuf {
        self.project.join("target").join("mutants")
    }

    /// Builds with all of `changes` behind the switch, in the workspace `name`. Changes that do not compile are left out and told.
    ///
    /// # Errors
    /// When the library as it is does not compile, or a file cannot be written.
    pub fn switched(&self, name: &str, changes: &[Change]) -> Result<Switched, Error> {
        let workspace = self.folder().join(name);
        let copy = workspace.join(NAME);
        let mut unviable = BTreeMap::new();
        loop {
            let left: Vec<&Change> = changes
                .iter()
                .filter(|change| !unviable.contains_key(&change.id))
                .collect();
            let (lines, outside) = self.write_switched(&copy, &left)?;
            self.write_workspace(&workspace)?;
            let Err(complaints) = self.cargo(&workspace)? else {
                return Ok(Switched {
                    program: self.program(&workspace),
                    unviable,
                    outside,
                });
            };
            let before = unviable.len();
            for complaint in &complaints {
                let holds = |(file, range): &(String, std::ops::Range<usize>)| {
                    complaint.file.ends_with(&format!("{NAME}/src/{file}"))
                        && range.contains(&complaint.line)
                };
                if let Some(change) = left.iter().zip(&lines).find(|(_, copy)| holds(copy)) {
                    unviable
                        .entry(change.0.id.clone())
                        .or_insert_with(|| complaint.message.clone());
                }
            }
            if unviable.len() == before {
                let first = complaints
                    .first()
                    .map(|complaint| complaint.message.clone());
                return Err(Error::Cargo(
                    first.unwrap_or_else(|| "cargo build failed".to_owned()),
                ));
            }
        }
    }

    /// Builds with one change and no switch.
    ///
    /// # Errors
    /// When it does not compile, or a file cannot be written.
    pub fn apart(&self, change: &Change) -> Result<PathBuf, Error> {
        let workspace = self.folder().join("apart");
        let copy = workspace.join(NAME);
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
        // The next one is built to the same place.
        let program = self.program(&workspace);
        let kept = self.folder().join("apart-builds").join(&change.id);
        std::fs::create_dir_all(kept.parent().unwrap_or(&kept))
            .map_err(|error| Error::file(&kept, &error))?;
        std::fs::copy(&program, &kept).map_err(|error| Error::file(&kept, &error))?;
        Ok(kept)
    }

    /// Writes the copy with the switch. Returns each change's file and lines there, and the ids of those outside of functions.
    #[allow(clippy::type_complexity)]
    fn write_switched(
        &self,
        copy: &Path,
        changes: &[&Change],
    ) -> Result<(Vec<(String, std::ops::Range<usize>)>, Vec<String>), Error> {
        let mut of_file: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
        for (index, change) in changes.iter().enumerate() {
            of_file.entry(&change.file).or_default().push(Edit {
                number: index + 1,
                place: change.place.clone(),
                put: change.put.clone(),
            });
        }
        let mut places = vec![(String::new(), 0..0); changes.len()];
        let mut outside = Vec::new();
        let mut texts = BTreeMap::new();
        for (file, edits) in of_file {
            let source = self.library.read(file)?;
            let switched = schemata::switch(&source, &edits)
                .map_err(|error| Error::Cargo(format!("{NAME}/src/{file}: {error}")))?;
            for (number, lines) in switched.lines {
                places[number - 1] = (file.to_owned(), lines);
            }
            outside.extend(
                switched
                    .outside
                    .iter()
                    .map(|number| changes[number - 1].id.clone()),
            );
            texts.insert(file.to_owned(), switched.text);
        }
        let root = texts
            .remove("lib.rs")
            .map_or_else(|| self.library.read("lib.rs"), Ok)?;
        texts.insert("lib.rs".to_owned(), format!("{root}\nmod mutants;\n"));
        let names: Vec<&str> = changes.iter().map(|change| change.id.as_str()).collect();
        texts.insert("mutants.rs".to_owned(), schemata::module(VARIABLE, &names));
        // The other files first, so that what an earlier build has changed is put back.
        self.library
            .copy_except(copy, &texts.keys().cloned().collect::<BTreeSet<_>>())?;
        for (file, text) in texts {
            put(&copy.join("src").join(file), &text)?;
        }
        Ok((places, outside))
    }

    /// Writes the workspace around the copy: its program is Squall's, with Squall's versions and build profiles.
    fn write_workspace(&self, workspace: &Path) -> Result<(), Error> {
        let manifest = self.project.join("Cargo.toml");
        let text =
            std::fs::read_to_string(&manifest).map_err(|error| Error::file(&manifest, &error))?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| Error::Cargo(format!("{}: {error}", manifest.display())))?;
        let mut own: toml::Table = toml::from_str(&format!(
            "[workspace]\n[package]\nname = \"squall-mutants\"\nedition = \"2024\"\n\
             [[bin]]\nname = \"squall\"\npath = \"main.rs\"\n\
             [dependencies]\nsquall = {{ path = {:?} }}\n\
             [patch.crates-io]\n{NAME} = {{ path = {NAME:?} }}\n",
            self.project
        ))
        .expect("the manifest is ours");
        if let Some(profiles) = table.get("profile") {
            own.insert("profile".to_owned(), profiles.clone());
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

    fn program(&self, workspace: &Path) -> PathBuf {
        let name = format!("squall{}", std::env::consts::EXE_SUFFIX);
        workspace.join("target").join(PROFILE).join(name)
    }

    /// Runs `cargo build` there. The inner error is what the compiler says of the library's copy.
    fn cargo(&self, workspace: &Path) -> Result<Result<(), Vec<Complaint>>, Error> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .current_dir(workspace)
            .args(["build", "--profile", PROFILE, "--message-format", "json"])
            .args(["--target-dir", "target"])
            // What the library's own lints say of a mutant is of no interest, and they differ between compilers.
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

/// What the compiler says about one place.
#[derive(Debug)]
struct Complaint {
    file: String,
    line: usize,
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
        Some(Self {
            file: span.get("file_name")?.as_str()?.replace('\\', "/"),
            line: usize::try_from(span.get("line_start")?.as_u64()?).ok()?,
            message: message.get("message")?.as_str()?.to_owned(),
        })
    }
}
