//! The shard of a sweep that a command is to do, as it is asked for or as the environment says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use clap::Args;

use squall_core::fsutil::quoted;
use squall_explore::shard::{MOST_SHARDS, Shard, Source, from_environment};
use squall_world::hash::of_bytes;

use super::CliError;

/// Which shard this is.
#[derive(Clone, Debug, Default, Args)]
pub struct ShardOptions {
    /// Do one shard of N, here or on another machine, for `squall merge`. Without I/N it is taken
    /// from SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX or CI_NODE_INDEX.
    #[arg(long, value_name = "I/N", num_args = 0..=1, default_missing_value = HERE)]
    shard: Option<Which>,
    /// How many shards there are, where the environment does not say it.
    #[arg(long, value_name = "N", requires = "shard", value_parser = clap::value_parser!(u64).range(1..=MOST_SHARDS))]
    shards: Option<u64>,
}

/// What `--shard` without a value stands for.
const HERE: &str = "environment";

#[derive(Clone, Copy, Debug)]
enum Which {
    Named(Shard),
    OfEnvironment,
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            HERE => Ok(Which::OfEnvironment),
            text => (text.parse().map(Which::Named)).map_err(|wrong| format!("{wrong}")),
        }
    }
}

/// A shard, and where its number is from.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    pub shard: Shard,
    /// The variable of the environment; none where it was said.
    source: Option<Source>,
}

impl ShardOptions {
    /// The shard that is meant; none where none is asked for.
    pub fn choose(&self) -> Result<Option<Chosen>, CliError> {
        let variable = |name: &str| std::env::var(name).ok();
        let chosen = match (self.shard, self.shards) {
            (None, _) => return Ok(None),
            (Some(Which::Named(shard)), Some(count)) if shard.count() != count => {
                return Err(CliError::Usage(format!(
                    "--shard {shard} is one of {}, and --shards says {count}",
                    shard.count()
                )));
            }
            (Some(Which::Named(shard)), _) => Chosen {
                shard,
                source: None,
            },
            (Some(Which::OfEnvironment), count) => {
                let (shard, source) = from_environment(variable, count).map_err(CliError::Usage)?;
                Chosen {
                    shard,
                    source: Some(source),
                }
            }
        };
        Ok(Some(chosen))
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}", self.shard)?;
        match self.source {
            Some(source) => write!(f, " by {source}"),
            None => Ok(()),
        }
    }
}

/// The folder of a shard in that of its sweep: no two shards write into one.
pub fn folder(out: &Path, shard: Shard) -> PathBuf {
    out.join(format!("shard-{}-of-{}", shard.number(), shard.count()))
}

/// A hash of this program, which is another one for each build: 16 hexadecimal digits.
///
/// # Errors
/// When the program's file cannot be read.
pub fn build() -> Result<String, CliError> {
    static BUILD: OnceLock<String> = OnceLock::new();
    if let Some(build) = BUILD.get() {
        return Ok(build.clone());
    }
    let unreadable = |path: PathBuf| move |source| CliError::Unreadable { path, source };
    let program = std::env::current_exe().map_err(unreadable("this program".into()))?;
    let bytes = std::fs::read(&program).map_err(unreadable(program))?;
    let build = format!("{:016x}", of_bytes(&bytes));
    Ok(BUILD.get_or_init(|| build).clone())
}

/// The option of a command that has it do the shard.
pub fn option(shard: Shard) -> String {
    format!(" --shard {}", quoted(&shard.to_string()))
}
