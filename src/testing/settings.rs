//! What the environment says to a test. It overrides what the test says.

use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use super::failed::Failed;
use squall_core::fsutil::quoted;
use squall_core::suggest;
use squall_core::text::printable;
use squall_explore::seed_range;

/// The variables that a test reads, each with what it does.
pub const VARIABLES: [(&str, &str); 8] = [
    (
        "SQUALL_SEED",
        "this one seed, and no regressions: a decimal number, a 0x number, or a commit hash",
    ),
    ("SQUALL_SEEDS", "which seeds: A..B, A..+N, or N for 0..N"),
    ("SQUALL_JOBS", "threads, 1 to 1024"),
    (
        "SQUALL_PROFILE",
        "what plans are drawn from: a profile's name, or the path of a .toml file",
    ),
    (
        "SQUALL_FOR",
        "how long, e.g. 90s, 10m, 8h; without SQUALL_SEEDS, the seeds have no end",
    ),
    (
        "SQUALL_CHECK_DETERMINISM",
        "1 to run every seed twice and compare, 0 for one in a hundred, as ever",
    ),
    (
        "SQUALL_OUT",
        "the folder that plans that fail are written to, in place of squall-regressions",
    ),
    (
        "SQUALL_HANG_AFTER",
        "how long a run may stand still before it is told as hanging, e.g. 90s, or never [default: 60s]",
    ),
];

/// Names that begin alike and mean something to others: the length of the sweeps in this crate's
/// own tests.
const OF_OTHERS: [&str; 1] = ["SQUALL_TEST_SEEDS"];

/// What the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) seed: Option<u64>,
    pub(super) seeds: Option<Range<u64>>,
    pub(super) jobs: Option<usize>,
    pub(super) profile: Option<String>,
    pub(super) time: Option<Duration>,
    pub(super) determinism: Option<bool>,
    pub(super) out: Option<PathBuf>,
    /// How long a run may stand still; within, none for ever.
    pub(super) hang_after: Option<Option<Duration>>,
}

impl Settings {
    /// What this process's environment says. Warns once of names that nothing reads.
    pub(super) fn of_process() -> Result<Self, Failed> {
        let all = std::env::vars_os().map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        });
        let (settings, warnings) = Self::read(all)?;
        static ONCE: Once = Once::new();
        ONCE.call_once(|| warnings.iter().for_each(|warning| tell(warning)));
        Ok(settings)
    }

    /// Reads variables, and says which of them nothing reads.
    fn read(
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<String>), Failed> {
        let mut settings = Self::default();
        let mut warnings = Vec::new();
        let mut sorted: Vec<_> = variables
            .filter(|(name, _)| name.starts_with("SQUALL_"))
            .collect();
        sorted.sort();
        for (name, value) in sorted {
            let wrong = |why: String| Failed::said(&format!("{name}: {why}"));
            let legal = |legal| wrong(format!("\"{value}\" is not legal; legal: {legal}"));
            match name.as_str() {
                "SQUALL_SEED" => settings.seed = Some(seed_range::seed(&value).map_err(wrong)?),
                "SQUALL_SEEDS" => settings.seeds = Some(seed_range::seeds(&value).map_err(wrong)?),
                "SQUALL_JOBS" => {
                    let jobs = value.parse().ok().filter(|jobs| (1..=1024).contains(jobs));
                    settings.jobs = Some(jobs.ok_or_else(|| legal("1 to 1024"))?);
                }
                "SQUALL_PROFILE" if value.is_empty() => {
                    return Err(legal("a profile's name, or the path of a .toml file"));
                }
                "SQUALL_PROFILE" => settings.profile = Some(value),
                "SQUALL_FOR" => {
                    let time = humantime::parse_duration(&value).ok();
                    let time = time.filter(|time| !time.is_zero());
                    settings.time = Some(time.ok_or_else(|| legal("e.g. 90s, 10m, 8h"))?);
                }
                "SQUALL_HANG_AFTER" if value == "never" => settings.hang_after = Some(None),
                "SQUALL_HANG_AFTER" => {
                    let time = humantime::parse_duration(&value).ok();
                    let time = time.filter(|time| !time.is_zero());
                    let time = time.ok_or_else(|| legal("e.g. 90s, 10m, or never"))?;
                    settings.hang_after = Some(Some(time));
                }
                "SQUALL_CHECK_DETERMINISM" => {
                    settings.determinism = Some(match value.as_str() {
                        "1" | "true" => true,
                        "0" | "false" => false,
                        _ => return Err(legal("1 or 0")),
                    });
                }
                "SQUALL_OUT" if value.is_empty() => return Err(legal("the path of a folder")),
                "SQUALL_OUT" => settings.out = Some(value.into()),
                other if OF_OTHERS.contains(&other) => {}
                _ => {
                    let names = VARIABLES.iter().map(|(name, _)| *name);
                    let near = suggest::suggestion(&name, names.clone());
                    let all = names.collect::<Vec<_>>().join(", ");
                    warnings.push(format!(
                        "warning: nothing reads {name}{near}; there are {all}"
                    ));
                }
            }
        }
        if settings.seed.is_some() && settings.seeds.is_some() {
            return Err(Failed::said(
                &"SQUALL_SEED and SQUALL_SEEDS are both set; legal: one of them",
            ));
        }
        Ok((settings, warnings))
    }

    /// The seeds of a test that says `own`, and whether it has a time limit of its own.
    pub(super) fn seeds(
        &self,
        own: Range<u64>,
        time: Option<Duration>,
    ) -> Result<Range<u64>, Failed> {
        let seeds = match (self.seed, &self.seeds) {
            (Some(seed), _) => seed..seed.saturating_add(1),
            (None, Some(seeds)) => seeds.clone(),
            (None, None) if self.time.is_some() && time.is_none() => own.start..u64::MAX,
            (None, None) => own,
        };
        match seeds.is_empty() {
            true => Err(Failed::said(&format!(
                "seeds {}..{} hold no seed; legal: a range A..B with A below B, or a number that is at least 1",
                seeds.start, seeds.end
            ))),
            false => Ok(seeds),
        }
    }

    /// The variables that a command needs to repeat a test under these settings: the whole test, or
    /// one seed of it.
    pub(super) fn repeated(&self, seed: Option<u64>) -> String {
        let mut words = String::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.push_str(&format!("{name}={} ", quoted(&value)));
            }
        };
        let range = |seeds: &Range<u64>| format!("{}..{}", seeds.start, seeds.end);
        add("SQUALL_SEED", seed.map(|seed| seed.to_string()));
        if seed.is_none() {
            add("SQUALL_SEEDS", self.seeds.as_ref().map(range));
            let time = self
                .time
                .map(|time| humantime::format_duration(time).to_string());
            add("SQUALL_FOR", time.map(|time| time.replace(' ', "")));
        }
        add("SQUALL_PROFILE", self.profile.clone());
        add(
            "SQUALL_CHECK_DETERMINISM",
            self.determinism.map(|on| u8::from(on).to_string()),
        );
        add(
            "SQUALL_OUT",
            self.out.as_ref().map(|out| out.display().to_string()),
        );
        words
    }
}

/// Says something that the harness of `cargo test` does not keep to itself.
pub(super) fn tell(text: &str) {
    // Where even standard error is closed, nobody is told.
    let _ = writeln!(std::io::stderr(), "squall: {}", printable(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Settings, Vec<String>), String> {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(owned).map_err(|failed| failed.to_string())
    }

    #[test]
    fn every_variable_is_read_and_goes_into_the_command_that_repeats() {
        let (settings, warnings) = read(&[
            ("SQUALL_SEEDS", "5..+10"),
            ("SQUALL_JOBS", "3"),
            ("SQUALL_PROFILE", "my storm.toml"),
            ("SQUALL_FOR", "90s"),
            ("SQUALL_CHECK_DETERMINISM", "1"),
            ("SQUALL_OUT", "out"),
            ("HOME", "/"),
        ])
        .unwrap();
        assert!(warnings.is_empty());
        assert_eq!(settings.jobs, Some(3));
        assert_eq!(settings.seeds(0..1, None), Ok(5..15));
        assert_eq!(
            settings.repeated(None),
            "SQUALL_SEEDS=5..15 SQUALL_FOR=1m30s SQUALL_PROFILE='my storm.toml' SQUALL_CHECK_DETERMINISM=1 SQUALL_OUT=out "
        );
        assert_eq!(
            settings.repeated(Some(9)),
            "SQUALL_SEED=9 SQUALL_PROFILE='my storm.toml' SQUALL_CHECK_DETERMINISM=1 SQUALL_OUT=out "
        );
        let (patient, _) = read(&[("SQUALL_HANG_AFTER", "never")]).unwrap();
        assert_eq!(patient.hang_after, Some(None));
        for (name, _) in VARIABLES {
            let known = read(&[(name, "1")]).map_or(true, |(_, warnings)| warnings.is_empty());
            assert!(known, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_warned_about_with_the_nearest() {
        let (settings, warnings) =
            read(&[("SQUALL_SEDS", "5"), ("SQUALL_TEST_SEEDS", "5")]).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0]
                .starts_with("warning: nothing reads SQUALL_SEDS (did you mean \"SQUALL_SEED"),
            "{warnings:?}"
        );
    }

    #[test]
    fn wrong_values_are_told_with_their_name_and_what_would_be_legal() {
        for (name, value, words) in [
            (
                "SQUALL_SEED",
                "x",
                "SQUALL_SEED: \"x\" is no seed; legal: a decimal number",
            ),
            (
                "SQUALL_SEEDS",
                "9..3",
                "SQUALL_SEEDS: \"9..3\" holds no seed; legal: A..B",
            ),
            (
                "SQUALL_JOBS",
                "0",
                "SQUALL_JOBS: \"0\" is not legal; legal: 1 to 1024",
            ),
            (
                "SQUALL_FOR",
                "soon",
                "SQUALL_FOR: \"soon\" is not legal; legal: e.g. 90s",
            ),
            ("SQUALL_FOR", "0s", "SQUALL_FOR: \"0s\" is not legal"),
            ("SQUALL_CHECK_DETERMINISM", "maybe", "legal: 1 or 0"),
            ("SQUALL_PROFILE", "", "legal: a profile's name"),
            ("SQUALL_OUT", "", "legal: the path of a folder"),
            (
                "SQUALL_HANG_AFTER",
                "soon",
                "legal: e.g. 90s, 10m, or never",
            ),
        ] {
            let said = read(&[(name, value)]).unwrap_err();
            assert!(said.contains(words), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        assert!(read(&[("SQUALL_SEED", "1"), ("SQUALL_SEEDS", "2")]).is_err());
    }

    #[test]
    fn with_a_time_and_no_seeds_there_is_no_last_seed() {
        let (timed, _) = read(&[("SQUALL_FOR", "1s")]).unwrap();
        assert_eq!(timed.seeds(7..9, None), Ok(7..u64::MAX));
        let (one, _) = read(&[("SQUALL_SEED", "0x10")]).unwrap();
        assert_eq!(one.seeds(7..9, None), Ok(16..17));
        let own = Settings::default();
        assert_eq!(own.seeds(7..9, None), Ok(7..9));
        assert!(own.seeds(9..9, None).is_err());
    }
}
