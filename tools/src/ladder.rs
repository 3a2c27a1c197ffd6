//! How a mutant of cargo-mutants' is swept: profile after profile, the cheap ones first, until one
//! catches it.
//!
//! Seeds are the measure, and not time, so that what comes of it does not depend on the machine. A
//! sweep of fewer than 1,000 seeds does not demand the events that its profile requires; here one
//! that happens often without the mutant, and never with it, is missed all the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::Deserialize;

use crate::Error;
use crate::hunt::{Ending, Hunt, Prey, Runs};

/// A sweep of some seeds with one profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The profile.
    pub profile: &'static str,
    /// How many seeds, from 0.
    pub seeds: u32,
    /// Only for those that change runs of the profile's rung before this one.
    pub only_if_changed: bool,
}

const fn rung(profile: &'static str, seeds: u32) -> Rung {
    Rung {
        profile,
        seeds,
        only_if_changed: false,
    }
}

/// More seeds of a profile. From 1,000 on it demands what it requires, and its shares.
const fn more(profile: &'static str, seeds: u32) -> Rung {
    Rung {
        profile,
        seeds,
        only_if_changed: true,
    }
}

/// The ladder. A survivor costs some 5 s of processor time, and 15 s where it changes runs of all
/// profiles.
pub const LADDER: &[Rung] = &[
    rung("storm", 256),
    rung("membership", 256),
    rung("calm", 64),
    rung("requests", 64),
    rung("transfer", 64),
    rung("elections", 64),
    rung("reads", 64),
    rung("snapshots", 64),
    rung("partitions", 64),
    rung("async-disk", 64),
    rung("disk", 64),
    rung("joint", 32),
    rung("amnesia", 32),
    more("elections", 128),
    more("snapshots", 128),
    more("reads", 256),
    more("partitions", 256),
    more("calm", 1_000),
    more("requests", 1_000),
];

/// How often a required event must happen without a mutant for its absence to be told.
const OFTEN: u64 = 20;

/// A ladder, and what the library as it is comes to on it.
#[derive(Debug)]
pub struct Ladder {
    rungs: Vec<Rung>,
    honest: Vec<Honest>,
}

/// What the library as it is comes to on a rung.
#[derive(Debug)]
struct Honest {
    digest: String,
    /// The events that the profile requires and that happen often.
    often: Vec<String>,
}

/// How far a mutant came.
#[derive(Debug)]
pub struct Climb {
    /// The sweeps, until one caught it.
    pub hunts: Vec<Hunt>,
    /// The rung that caught it, as [`Ladder::words`] has it.
    pub caught_on: Option<String>,
    /// The profiles of which some run went otherwise than without it, and nothing was found.
    pub changes: Vec<String>,
}

impl Ladder {
    /// [`LADDER`] with `times` as many seeds, climbed by the library as it is: `prey` makes one for
    /// a profile, and the profiles are those of `project`. None when `stop` was set before it
    /// was through.
    ///
    /// # Errors
    /// When a sweep finds something, or cannot be done.
    pub fn climbed<'a>(
        project: &Path,
        times: u32,
        prey: impl Fn(&'static str) -> Prey<'a>,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Error> {
        let more = |rung: &Rung| Rung {
            seeds: rung.seeds.saturating_mul(times),
            ..*rung
        };
        let rungs: Vec<Rung> = LADDER.iter().map(more).collect();
        let mut honest = Vec::new();
        for rung in &rungs {
            let Some((hunt, runs)) = prey(rung.profile).sweep_seeds(rung.seeds, stop)? else {
                return Ok(None);
            };
            match runs {
                Some(runs) => {
                    let mut often = required(project, rung.profile)?;
                    often.retain(|event| {
                        runs.sometimes
                            .get(event)
                            .is_some_and(|times| *times >= OFTEN)
                    });
                    honest.push(Honest {
                        digest: runs.digest,
                        often,
                    });
                }
                None => {
                    return Err(Error::Untrue(format!(
                        "the library as it is does not stay clean for {} seeds of {}: {}",
                        rung.seeds,
                        rung.profile,
                        crate::table::check(&hunt)
                    )));
                }
            }
        }
        Ok(Some(Self { rungs, honest }))
    }

    /// Its rungs in words, each with the digest of the library as it is.
    pub fn words(&self) -> Vec<String> {
        let rungs = self.rungs.iter().zip(&self.honest);
        let words = |(rung, honest): (&Rung, &Honest)| {
            format!("{} {} {}", rung.profile, rung.seeds, honest.digest)
        };
        rungs.map(words).collect()
    }

    /// Sweeps a mutant, which `prey` makes for a profile. None when `stop` was set before it was
    /// through.
    ///
    /// # Errors
    /// When a sweep cannot be done.
    pub fn climb<'a>(
        &self,
        prey: impl Fn(&'static str) -> Prey<'a>,
        stop: &AtomicBool,
    ) -> Result<Option<Climb>, Error> {
        let mut hunts = Vec::new();
        let mut caught_on = None;
        let mut changes: BTreeMap<&str, bool> = BTreeMap::new();
        for ((rung, honest), words) in self.rungs.iter().zip(&self.honest).zip(self.words()) {
            let before = changes.get(rung.profile).copied().unwrap_or_default();
            if rung.only_if_changed && !before {
                continue;
            }
            let Some((mut hunt, runs)) = prey(rung.profile).sweep_seeds(rung.seeds, stop)? else {
                return Ok(None);
            };
            if let Some(runs) = &runs {
                hunt.ending = honest.ending(runs);
            }
            let caught = hunt.caught();
            hunts.push(hunt);
            if caught {
                caught_on = Some(words);
                break;
            }
            changes.insert(
                rung.profile,
                before || runs.is_none_or(|runs| runs.digest != honest.digest),
            );
        }
        let changes = changes.into_iter().filter(|(_, changes)| *changes);
        Ok(Some(Climb {
            hunts,
            caught_on,
            changes: changes.map(|(profile, _)| profile.to_owned()).collect(),
        }))
    }
}

impl Honest {
    /// What a mutant's sweep comes to in which nothing was found.
    fn ending(&self, runs: &Runs) -> Ending {
        let never = |event: &&String| runs.sometimes.get(*event).is_none_or(|times| *times == 0);
        let missing: Vec<String> = self.often.iter().filter(never).cloned().collect();
        match missing.is_empty() {
            true => Ending::Clean,
            false => Ending::Incomplete(missing),
        }
    }
}

#[derive(Deserialize)]
struct Profile {
    extends: Option<String>,
    require: Option<Vec<String>>,
}

/// The events that a profile of `project` requires.
fn required(project: &Path, profile: &str) -> Result<Vec<String>, Error> {
    let path = project.join(format!("crates/core/profiles/{profile}.toml"));
    let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
    let read: Profile = toml::from_str(&text).map_err(|error| Error::File {
        path,
        why: error.to_string(),
    })?;
    match (read.require, read.extends) {
        (Some(require), _) => Ok(require),
        (None, Some(extends)) => required(project, &extends),
        (None, None) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn project() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn a_rung_for_those_that_change_runs_comes_after_one_of_its_profile() {
        let project = project();
        for (index, rung) in LADDER.iter().enumerate() {
            let profile = project.join(format!("crates/core/profiles/{}.toml", rung.profile));
            assert!(profile.is_file(), "{}", rung.profile);
            let same = |other: &&Rung| other.profile == rung.profile;
            let before: Vec<&Rung> = LADDER[..index].iter().filter(same).collect();
            assert_eq!(rung.only_if_changed, !before.is_empty(), "{rung:?}");
            assert!(
                before.iter().all(|other| other.seeds < rung.seeds),
                "{rung:?}"
            );
        }
    }

    /// A program that answers as a sweep does: `MUTANT` changes what it says of one profile, or
    /// makes it find something there.
    const PROGRAM: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in --profile) profile=$2 ;; --seeds) seeds=$2 ;; esac
    shift
done
digest=same found= verdict=clean events=20 few=19
[ "$MUTANT" = "changes $profile" ] && digest=other
[ "$MUTANT" = "stops $profile" ] && events=0 && few=0
[ "$MUTANT" = "breaks $profile" ] && verdict=violation && found='{"property":"liveness","seed":3,"step":4,"message":"m","plan":"p","shrunk_plan":null}'
[ "$MUTANT" = "changes $profile" ] && [ "$seeds" -ge 1000 ] && verdict=incomplete && missing='"an event"'
echo "{\"verdict\":\"$verdict\",\"runs\":$seeds,\"steps\":1,\"cpu_seconds\":0.5,\"digest\":\"$digest $seeds\",\"sometimes\":{\"leader-changed\":$events,\"campaigned\":$few},\"missing\":[$missing],\"violations\":[$found],\"coverage\":null}"
"#;

    #[test]
    fn a_mutant_climbs_until_it_is_caught_and_long_rungs_are_for_those_that_change_runs() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("squall");
        std::fs::write(&program, PROGRAM).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let stop = AtomicBool::new(false);
        let prey = |profile, mutant| Prey {
            program: &program,
            mutant: Some(("MUTANT", mutant)),
            subject: "raft-rs",
            profile,
            out: folder.path().join("out"),
        };
        let ladder = Ladder::climbed(project(), 1, |profile| prey(profile, ""), &stop)
            .unwrap()
            .unwrap();
        let climb = |mutant| {
            ladder
                .climb(|profile| prey(profile, mutant), &stop)
                .unwrap()
                .unwrap()
        };
        let short = LADDER.iter().filter(|rung| !rung.only_if_changed).count();
        let equal = climb("nothing");
        assert_eq!((equal.hunts.len(), equal.changes.len()), (short, 0));
        let other = climb("changes joint");
        assert_eq!(
            (other.hunts.len(), &*other.changes),
            (short, &["joint".to_owned()][..])
        );
        let broken = climb("breaks storm");
        assert_eq!(broken.hunts.len(), 1);
        assert!(broken.hunts[0].caught());
        let rare = climb("changes requests");
        assert_eq!(rare.hunts.len(), short + 1);
        let last = rare.hunts.last().unwrap();
        assert_eq!(last.ending, Ending::Incomplete(vec!["an event".to_owned()]));
        // Nobody is asked to stand either, but that is seldom anyway.
        let stopped = climb("stops elections");
        assert_eq!(stopped.hunts.last().unwrap().profile, "elections");
        let never = Ending::Incomplete(vec!["leader-changed".to_owned()]);
        assert_eq!(stopped.hunts.last().unwrap().ending, never);
        // That profile requires no such event.
        assert_eq!(climb("stops calm").hunts.len(), short);
        assert!(
            Ladder::climbed(project(), 1, |profile| prey(profile, "breaks reads"), &stop).is_err()
        );
    }
}
