//! Before a sweep begins: what it is asked for, the corpus that it begins with, and what there is
//! of it already.

use std::path::Path;
use std::time::Duration;

use super::super::artifact::profile_for;
use super::super::shard::Chosen;
use super::super::unfinished::{self, Asked, Stand, hash_of};
use super::super::{CliError, Manner, corpus as corpora, say, warn, warn_of_command};
use super::{DEFAULT_SEEDS, Options, say_summary, write_summaries};
use squall_core::plan::{Plan, Profile};
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::report::{Files, Swept};
use squall_explore::strategy::{self, Folder};

/// What the command line asks for, with all that it leaves out.
pub fn asked_for(
    subjects: &Registry,
    options: &Options,
    chosen: Option<Chosen>,
) -> Result<Asked, CliError> {
    let subject = subjects.find_or_first(options.on.subject.as_deref())?;
    let profile = profile_for(subjects, &options.profile)?;
    let strategy = strategy::Kind::asked_or_usual(options.strategy, &profile);
    let end = if options.time.is_some() {
        u64::MAX
    } else {
        DEFAULT_SEEDS
    };
    let seeds = match (options.seed, &options.seeds) {
        (Some(u64::MAX), _) => {
            return Err(CliError::Usage(format!(
                "a sweep ends before the last seed, {}; replay runs that one",
                u64::MAX
            )));
        }
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => seeds.clone().unwrap_or(0..end),
    };
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let is_shard = chosen.is_some();
    Ok(Asked {
        subject: subject.name.clone(),
        engine: subjects.engine(&options.on.engine)?.name().to_owned(),
        profile: options.profile.clone(),
        profile_hash: hash_of(&profile),
        strategy: strategy.name().to_owned(),
        seeds,
        time_ms: options.time.map(ms),
        // A shard knows nothing of what the others find. What all find is shrunk once, after.
        keep_going: options.keep_going || is_shard,
        shrink_for_ms: (!options.no_shrink && !is_shard).then_some(ms(options.shrink_for)),
        shard: chosen.map(|chosen| chosen.shard),
        coverage: options.coverage && is_shard,
        corpus: options.corpus.clone().filter(|_| is_shard),
    })
}

/// The corpus that the sweep keeps, and the plans in it that it can begin with. A shard whose
/// folder is `of_shard` adds to none that others read, but keeps what it finds for `squall merge`.
pub fn corpus(
    options: &Options,
    subject: &RegisteredSubject,
    profile: &Profile,
    strategy: strategy::Kind,
    of_shard: Option<(&Asked, &Path)>,
) -> Result<(Option<Folder>, Vec<Plan>), CliError> {
    let own = of_shard.filter(|_| strategy.learns()).map(|(_, out)| out);
    let own = own.map(|folder| Folder::at(&folder.join(corpora::FOLDER)));
    let of_asked = of_shard.and_then(|(asked, _)| asked.corpus.as_ref());
    let Some(dir) = options.corpus.as_ref().or(of_asked) else {
        return Ok((own, Vec::new()));
    };
    if !strategy.learns() {
        let name = strategy.name();
        return Err(CliError::Usage(format!(
            "--corpus goes with a strategy that learns, and {name} does not; legal: --strategy guided"
        )));
    }
    if own.is_none() {
        std::fs::create_dir_all(dir).map_err(|error| CliError::file(dir, &error))?;
        let writable = tempfile::NamedTempFile::new_in(dir).map(drop);
        writable.map_err(|error| CliError::file(dir, &error))?;
    }
    let library = |name: &str| name.split('+').next().unwrap_or_default().to_owned();
    let plans = corpora::read(dir)?.into_iter().map(|(_, plan)| plan);
    // Another profile leaves out other things, and another library lacks others.
    let variants = profile.variants.iter().map(|variant| &variant.profile);
    let names: Vec<&str> = (std::iter::once(profile).chain(variants))
        .map(|profile| profile.name.as_str())
        .collect();
    let (mut given, others): (Vec<Plan>, Vec<Plan>) = plans.partition(|plan| {
        names.contains(&plan.profile.as_str()) && library(&plan.subject) == library(&subject.name)
    });
    if !others.is_empty() {
        warn(&format!(
            "left out: {} plans of {} that are of another library or profile",
            others.len(),
            dir.display()
        ));
    }
    for plan in &mut given {
        plan.subject.clone_from(&subject.name);
    }
    Ok((own.or_else(|| Some(Folder::at(dir))), given))
}

/// Says that a shard has ended before, and what it came to.
pub fn is_over(
    options: &Options,
    manner: Manner,
    path: &Path,
    stand: Stand,
    subject: &RegisteredSubject,
    swept: Swept<'_>,
) -> Result<u8, CliError> {
    let Stand { summary, plans, .. } = stand;
    let files = plans.into_iter().map(|plan| Files { plan, shrunk: None });
    let files: Vec<Files> = files.collect();
    if options.json.as_deref() != Some(Path::new("-")) && !manner.quiet {
        say(&format!(
            "this shard has ended before: {}\n\n",
            path.display()
        ))?;
        say_summary(options, manner, &summary, swept, subject.runner.supports())?;
    }
    write_summaries(options, &summary, subject, swept, &files)?;
    Ok(summary.verdict().status())
}

/// Says that there are sweeps in the folder that have not ended: they stay as they are.
pub fn tell_of_unfinished(out: &Path) {
    let others = unfinished::all_in(out).unwrap_or_default();
    let Some(first) = others.first() else { return };
    let which = match others.len() {
        1 => "an unfinished sweep; unless it is still running, go on with it, or remove its file:"
            .to_owned(),
        many => format!(
            "{many} unfinished sweeps; unless they are still running, go on with them, or remove their files:"
        ),
    };
    warn(&format!("{} holds {which}", out.display()));
    warn_of_command(&unfinished::command(first));
}
