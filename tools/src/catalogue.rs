//! The catalogue: mutants of the library as data, one file in `sims/mutants` for
//! each part of it. Knows what a mutant is, and nothing of how one is built or run.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One change of the library that breaks it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutant {
    /// Its name, unique in the catalogue.
    pub id: String,
    /// The part of the library, which is the name of the catalogue's file.
    #[serde(skip)]
    pub part: String,
    /// The file, relative to the library's `src`.
    pub file: String,
    /// The text to replace. It occurs exactly once in the file.
    pub find: String,
    /// What to put in its place.
    pub put: String,
    /// The property that it is expected to break first; any other counts as caught too.
    pub breaks: String,
    /// What a run must come to for it to show.
    pub needs: String,
    /// Why it is wrong.
    pub why: String,
    /// The profile that has most of what it needs.
    #[serde(default = "storm")]
    pub profile: String,
}

fn storm() -> String {
    "storm".to_owned()
}

/// Why the catalogue, or what was asked of it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not of the form.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where, and what is wrong.
        source: Box<toml::de::Error>,
    },
    /// Two mutants have one name.
    #[error("two mutants are called \"{0}\"")]
    Twice(String),
    /// A name that no mutant has.
    #[error("no mutant is called \"{asked}\"; {}", nearest_in_words(nearest.as_deref()))]
    Unknown {
        /// The name.
        asked: String,
        /// The name that comes nearest.
        nearest: Option<String>,
    },
    /// The text to replace is not there once.
    #[error(
        "mutant {id}: the text to find occurs {times} times in {file}, and must occur once: {first_line}"
    )]
    Find {
        /// The mutant.
        id: String,
        /// The library's file.
        file: String,
        /// How often it occurs.
        times: usize,
        /// The text's first line.
        first_line: String,
    },
}

fn nearest_in_words(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => {
            format!("did you mean \"{nearest}\"? `cargo xtask mutants --list` has all")
        }
        None => "`cargo xtask mutants --list` has all".to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mutant: Vec<Mutant>,
}

/// Reads every file of the catalogue in `folder`, in order of name.
///
/// # Errors
/// [`CatalogueError`] says what is wrong, and where.
pub fn read(folder: &Path) -> Result<Vec<Mutant>, CatalogueError> {
    let cannot = |path: &Path, source| CatalogueError::Read {
        path: path.to_path_buf(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(|error| cannot(folder, error))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    let mut mutants: Vec<Mutant> = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| cannot(&path, error))?;
        let file: File = toml::from_str(&text).map_err(|source| CatalogueError::Syntax {
            path: path.clone(),
            source: Box::new(source),
        })?;
        let part = path.file_stem().unwrap_or_default().to_string_lossy();
        for mut mutant in file.mutant {
            if mutants.iter().any(|other| other.id == mutant.id) {
                return Err(CatalogueError::Twice(mutant.id));
            }
            mutant.part = part.clone().into_owned();
            mutants.push(mutant);
        }
    }
    Ok(mutants)
}

/// The injected bugs of the driver, as the table in the file at `path` has them: name, rule, what
/// it takes, check, profile.
///
/// # Errors
/// When it cannot be read.
pub fn bugs(path: &Path) -> Result<Vec<Mutant>, CatalogueError> {
    let text = std::fs::read_to_string(path).map_err(|source| CatalogueError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let bug = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, rule, needs, check, profile] = cells[..] else {
            return None;
        };
        let plain = |cell: &str| cell.trim_matches('`').to_owned();
        Some(Mutant {
            id: plain(name),
            part: "driver".to_owned(),
            file: String::new(),
            find: String::new(),
            put: String::new(),
            breaks: plain(check),
            needs: needs.to_owned(),
            why: rule.to_owned(),
            profile: plain(profile),
        })
    };
    Ok(rows.filter_map(bug).collect())
}

/// Those of `mutants` that `only` names, in the catalogue's order; all when it names none.
///
/// # Errors
/// A name that no mutant has, with the one that comes nearest.
pub fn select(mutants: Vec<Mutant>, only: &[String]) -> Result<Vec<Mutant>, CatalogueError> {
    let names: Vec<&str> = mutants.iter().map(|mutant| mutant.id.as_str()).collect();
    for asked in only {
        if !names.contains(&asked.as_str()) {
            return Err(CatalogueError::Unknown {
                asked: asked.clone(),
                nearest: nearest(asked, &names),
            });
        }
    }
    let wanted = |mutant: &Mutant| only.is_empty() || only.contains(&mutant.id);
    Ok(mutants.into_iter().filter(wanted).collect())
}

/// The name that is most like `asked`, when one is at all.
pub fn nearest(asked: &str, names: &[&str]) -> Option<String> {
    let alike = |name: &&str| strsim::jaro_winkler(asked, name);
    let best = names.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(best) > 0.6).then(|| (*best).to_owned())
}

impl Mutant {
    /// Where in `source`, the text of its file, the text to replace lies.
    ///
    /// # Errors
    /// When it does not occur exactly once.
    pub fn place(&self, source: &str) -> Result<std::ops::Range<usize>, CatalogueError> {
        let times = source.matches(&self.find).count();
        match source.find(&self.find) {
            Some(start) if times == 1 => Ok(start..start + self.find.len()),
            _ => Err(CatalogueError::Find {
                id: self.id.clone(),
                file: self.file.clone(),
                times,
                first_line: self
                    .find
                    .trim()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            }),
        }
    }
}
