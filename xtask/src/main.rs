//! `cargo xtask`: how much does Squall catch? Mutants of the library it drives, and planted bugs of
//! the driver around it.
//!
//! This is no part of Squall: it runs Squall's program as anybody would.

mod build;
mod catalogue;
mod fuzz;
mod generic;
mod hunt;
mod ladder;
mod library;
mod mutants;
mod operators;
mod robustness;
mod round;
mod schemata;
mod shrinking;
mod side_by_side;
mod strategies;
mod survivors;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Why a task ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalogue, or a name.
    #[error(transparent)]
    Catalogue(#[from] catalogue::CatalogueError),
    /// A file.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is the matter.
        why: String,
    },
    /// Cargo or the compiler.
    #[error("{0}")]
    Cargo(String),
    /// A sweep that did not end as sweeps do.
    #[error("the sweep failed: {0}")]
    Sweep(String),
    /// What must hold for a result to count does not.
    #[error("{0}")]
    Untrue(String),
}

impl Error {
    fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::File {
            path: path.to_path_buf(),
            why: error.to_string(),
        }
    }
}

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Measures what Squall catches"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Sweep mutants of the library, and say which are caught.
    Mutants(mutants::Options),
    /// Run all fuzz targets in turn within a budget.
    Fuzz(fuzz::Options),
    /// Shrink failures of one mutant, and say how small they get.
    Shrinking(shrinking::Options),
    /// Compare the strategies of sweeps: how soon each finds which bug, and how much it covers.
    Strategies(strategies::Options),
    /// Put Squall through what nobody wishes it: spoilt files, kills, full disks, two sweeps in one
    /// folder, many findings.
    Robustness(robustness::Options),
}

fn main() -> ExitCode {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = project.parent().unwrap_or(project);
    let result = match Cli::parse().task {
        Task::Mutants(options) => mutants::run(project, &options),
        Task::Fuzz(options) => fuzz::run(project, &options),
        Task::Shrinking(options) => shrinking::run(project, &options),
        Task::Strategies(options) => strategies::run(project, &options),
        Task::Robustness(options) => robustness::run(project, &options),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
