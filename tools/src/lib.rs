//! The tools that measure Squall: how much does it catch, how soon, how small does it get, and what
//! does it stand? One program each, in `src/bin`; `cargo xtask NAME` runs them.
//!
//! This is no part of Squall: they run its program as anybody would.

mod build;
mod catalogue;
mod fuzz;
mod generic;
mod hunt;
mod ladder;
mod library;
mod mutants;
mod operators;
mod portfolio;
mod public_api;
mod reproductions;
mod robustness;
mod round;
mod schemata;
mod shrinking;
mod side_by_side;
mod strategies;
mod survivors;
mod table;
mod target;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser};

/// Why a tool ended early.
#[derive(Debug, thiserror::Error)]
enum Error {
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

/// The command line of a tool.
#[derive(Parser)]
struct Cli<O: Args> {
    #[command(flatten)]
    options: O,
}

/// Reads the command line of the tool that is called `name`, and runs it over the project.
fn tool<O: Args>(
    name: &'static str,
    about: &'static str,
    run: impl Fn(&Path, &O) -> Result<u8, Error>,
) -> ExitCode {
    let command = Cli::<O>::command()
        .name(name)
        .bin_name(format!("cargo xtask {name}"));
    let read = command.about(about).long_about(None).get_matches();
    let Cli { options } = Cli::from_arg_matches(&read).unwrap_or_else(|error| error.exit());
    let tools = Path::new(env!("CARGO_MANIFEST_DIR"));
    match run(tools.parent().unwrap_or(tools), &options) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// `cargo xtask mutants`. Returns its exit status, as the others do.
pub fn mutants() -> ExitCode {
    let about = "Sweep mutants of the library, and say which are caught";
    tool("mutants", about, mutants::run)
}

/// `cargo xtask fuzz`.
pub fn fuzz() -> ExitCode {
    let about = "Run all fuzz targets in turn within a budget";
    tool("fuzz", about, fuzz::run)
}

/// `cargo xtask shrinking`.
pub fn shrinking() -> ExitCode {
    let about = "Shrink failures of one mutant, and say how small they get";
    tool("shrinking", about, shrinking::run)
}

/// `cargo xtask strategies`.
pub fn strategies() -> ExitCode {
    let about = "Compare the strategies of sweeps: how soon each finds which bug, and how much it \
                 covers";
    tool("strategies", about, strategies::run)
}

/// `cargo xtask portfolio`.
pub fn portfolio() -> ExitCode {
    let about = "Measure how soon each profile finds each known bug, and work out the shares of \
                 the default portfolio";
    tool("portfolio", about, portfolio::run)
}

/// `cargo xtask robustness`.
pub fn robustness() -> ExitCode {
    let about = "Put Squall through what nobody wishes it: spoilt files, kills, full disks, two \
                 sweeps in one folder, many findings";
    tool("robustness", about, robustness::run)
}

/// `cargo xtask reproductions`.
pub fn reproductions() -> ExitCode {
    let about = "Write each finding as a crate that needs nothing but its library, and see its \
                 test fail";
    tool("reproductions", about, reproductions::run)
}

/// `cargo xtask public-api`.
pub fn public_api() -> ExitCode {
    public_api::become_rustdoc();
    let about = "List what users of the published crates can name, in docs/public-api";
    tool("public-api", about, public_api::run)
}
