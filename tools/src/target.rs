//! Which library is mutated, and how Squall drives it. Knows no mutant and builds nothing.

use std::path::{Path, PathBuf};

use crate::Error;

/// A library with a catalogue of mutants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// `raft`, by the subject raft-rs.
    #[default]
    RaftRs,
    /// `openraft`, by the subject openraft.
    Openraft,
}

impl Target {
    /// The package's name at the registry.
    pub fn package(self) -> &'static str {
        match self {
            Target::RaftRs => "raft",
            Target::Openraft => "openraft",
        }
    }

    /// The subject that drives it.
    pub fn subject(self) -> &'static str {
        match self {
            Target::RaftRs => "raft-rs",
            Target::Openraft => "openraft",
        }
    }

    /// The feature of Squall that the subject needs, beyond the defaults.
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Target::RaftRs => None,
            Target::Openraft => Some("openraft"),
        }
    }

    /// The folder of its catalogue.
    pub fn catalogue(self, project: &Path) -> PathBuf {
        let mutants = project.join("sims/mutants");
        match self {
            Target::RaftRs => mutants,
            Target::Openraft => mutants.join("openraft"),
        }
    }

    /// What its table in docs/power.md, its workspace and its results are called after.
    pub fn table(self) -> &'static str {
        match self {
            Target::RaftRs => "mutants",
            Target::Openraft => "mutants-of-openraft",
        }
    }

    /// The name of the workspace that its mutants are built in.
    pub fn workspace(self) -> &'static str {
        match self {
            Target::RaftRs => "catalogue",
            Target::Openraft => "openraft",
        }
    }

    /// The digests that 64 runs of each profile have with the library as it is: profile, digest.
    ///
    /// # Errors
    /// When their file cannot be read, or has none.
    pub fn digests(self, project: &Path) -> Result<Vec<(String, String)>, Error> {
        let path = match self {
            Target::RaftRs => project.join("tests/golden.txt"),
            Target::Openraft => project.join("crates/openraft/golden.txt"),
        };
        let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
        let digest = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [subject, profile, digest] if subject == self.subject() => {
                    Some((profile.to_owned(), digest.to_owned()))
                }
                _ => None,
            }
        };
        let digests: Vec<(String, String)> = text.lines().filter_map(digest).collect();
        match digests.is_empty() {
            true => Err(Error::Untrue(format!(
                "{} has no digest of {}",
                path.display(),
                self.subject()
            ))),
            false => Ok(digests),
        }
    }
}
