//! What a command runs: a plan from its file or from its seed, on which subject and which engine.
//! The flags are the same on every command that runs plans.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;

use squall_core::plan::{DEFAULT_PROFILE, Plan};
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::strategy;

use super::artifact::{check_own, profile_for, read_plan, subject_for};
use super::{CliError, replay_command, seed, seed_command};

/// What plans run on.
#[derive(Debug, Args)]
pub struct On {
    /// What to test: see `list subjects` [default: the plan's own subject, or the first of them].
    #[arg(long)]
    pub subject: Option<String>,
    /// Which engine runs plans: lockstep, or madsim in a build that has it.
    #[arg(long, value_name = "ENGINE", default_value = "lockstep")]
    pub engine: String,
}

/// One plan, from its file or from its seed, and what it runs on.
#[derive(Debug, Args)]
pub struct OnePlan {
    /// The plan's file, as a sweep wrote it, or an input of the fuzz target storm; for replay,
    /// also a folder of plans.
    #[arg(value_name = "PLAN.json", conflicts_with_all = ["seed", "seeds", "profile"])]
    pub plan: Option<PathBuf>,
    /// The plan's seed, in place of its file.
    #[arg(long, value_name = "SEED", value_parser = seed::seed)]
    seed: Option<u64>,
    /// The same as a range, as sweep takes it; it must hold one seed.
    #[arg(long, value_name = "A..B", value_parser = seed::seeds, conflicts_with = "seed", hide_short_help = true)]
    seeds: Option<Range<u64>>,
    /// What the seed's plan is drawn from: see `list profiles` [default: portfolio].
    #[arg(long)]
    profile: Option<String>,
    /// How the seed's plan is drawn: see `list strategies` [default: as the profile says, else
    /// swarm].
    #[arg(long, value_parser = super::sweep::strategy, conflicts_with = "plan")]
    strategy: Option<strategy::Kind>,
    #[command(flatten)]
    pub on: On,
}

/// A plan that is to be run.
pub struct Chosen {
    pub plan: Plan,
    /// On its engine.
    pub subject: RegisteredSubject,
    /// The plan's file, where it has one.
    pub file: Option<PathBuf>,
    /// The command that replays it.
    pub command: String,
}

impl Chosen {
    /// Where the plan lies, in words.
    pub fn place(&self) -> &Path {
        let none = Path::new("(none: the plan is drawn from the seed)");
        self.file.as_deref().unwrap_or(none)
    }
}

impl OnePlan {
    /// The plan that is meant.
    pub fn choose(&self, subjects: &Registry) -> Result<Chosen, CliError> {
        let engine = subjects.engine(&self.on.engine)?;
        let named = self.on.subject.as_deref();
        let (mut plan, file) = match (&self.plan, self.seed()?) {
            (Some(path), _) => (read_plan(subjects, path, named)?, Some(path.clone())),
            (None, Some(seed)) => (self.draw(subjects, seed)?, None),
            (None, None) => {
                return Err(CliError::Usage(
                    "give the file of a plan, or --seed N".to_owned(),
                ));
            }
        };
        let subject = subject_for(subjects, named, &mut plan)?.on(engine);
        if let Some(path) = &file {
            check_own(subjects, &plan.subject, path, &plan)?;
        }
        let command = match &file {
            Some(path) => replay_command(path, &subject),
            None => seed_command(&plan, self.profile(), self.strategy, &subject),
        };
        Ok(Chosen {
            subject,
            plan,
            file,
            command,
        })
    }

    fn seed(&self) -> Result<Option<u64>, CliError> {
        match &self.seeds {
            Some(Range { start, end }) if *end == start + 1 => Ok(Some(*start)),
            Some(_) => Err(CliError::Usage(
                "this runs one plan; legal: --seed N, or for many: sweep --seeds A..B".to_owned(),
            )),
            None => Ok(self.seed),
        }
    }

    fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or(DEFAULT_PROFILE)
    }

    fn draw(&self, subjects: &Registry, seed: u64) -> Result<Plan, CliError> {
        let subject = subjects.find_or_first(self.on.subject.as_deref())?;
        let profile = profile_for(subjects, self.profile())?;
        let strategy = strategy::Kind::asked_or_usual(self.strategy, &profile);
        if strategy.learns() {
            return Err(CliError::Usage(
                "a guided sweep makes its plans from others, and not from seeds; replay the plan's file".to_owned(),
            ));
        }
        let space = subject.plans(&profile);
        Ok(strategy.over(space, seed, Vec::new()).plan(seed))
    }
}
