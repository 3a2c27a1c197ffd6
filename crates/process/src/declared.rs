//! What a process says of its subject, in the terms of plans: features, options, known issues, and
//! which bugs can be injected around it.

use std::collections::BTreeSet;

use super::answer::Welcome;
use super::program::Program;
use squall_core::bugs::Bug;
use squall_core::invariants::Property;
use squall_core::options::Feature;
use squall_core::own::{DriverOption, Hazard, KnownIssue, Values};

/// What the subject declares. Lists of a subject live as long as the program: there are few.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    pub(super) supports: &'static [Feature],
    pub(super) options: &'static [DriverOption],
    pub(super) issues: &'static [KnownIssue],
    /// Its nodes have state machines of their own.
    pub(super) has_machine: bool,
    /// Its nodes talk over connections.
    pub(super) uses_streams: bool,
}

/// The name, among what a process supports, of that it needs connections: no feature that plans may
/// leave out.
const STREAMS: &str = "streams";

impl Declared {
    pub(super) fn of(program: &Program, welcome: &Welcome) -> Result<Self, String> {
        let features = |names: &[String]| -> Result<Vec<Feature>, String> {
            names.iter().cloned().map(Feature::try_from).collect()
        };
        if welcome.batch == 0 {
            return Err("its batch is 0; legal: 1 or more".to_owned());
        }
        let lacks = features(&program.lacks).map_err(|error| format!("lacks: {error}"))?;
        let mut named = welcome.supports.clone();
        named.retain(|name| name != STREAMS);
        let uses_streams = named.len() < welcome.supports.len();
        let supports = features(&named).map_err(|error| format!("supports: {error}"))?;
        // A cluster that begins further up begins with a snapshot of Squall's own service.
        let beyond = |has: &Feature| welcome.machine && *has == Feature::LaterFirstTerm;
        let supports = supports
            .into_iter()
            .filter(|has| !lacks.contains(has) && !beyond(has));
        let triggers: BTreeSet<&String> = welcome
            .known_issues
            .iter()
            .flat_map(|issue| &issue.triggers)
            .collect();
        let options = welcome.options.iter().map(|option| {
            let usual = if triggers.contains(&option.name) {
                100
            } else {
                0
            };
            DriverOption {
                name: leak(&option.name),
                about: leak(&option.about),
                values: Values::Flag {
                    percent: option.percent.unwrap_or(usual).min(100),
                },
            }
        });
        let options: Vec<DriverOption> = options.collect();
        let mut issues = Vec::new();
        for issue in &welcome.known_issues {
            for name in &issue.breaks {
                let is_one = Property::ALL.iter().any(|property| property.name() == name);
                if !is_one {
                    return Err(format!(
                        "the known issue {} breaks \"{name}\", which is no property",
                        issue.name
                    ));
                }
            }
            for trigger in &issue.triggers {
                if !options.iter().any(|option| option.name == trigger) {
                    return Err(format!(
                        "the known issue {} is triggered by \"{trigger}\", which is none of its options",
                        issue.name
                    ));
                }
            }
            let known = KnownIssue::new(
                leak(&issue.name),
                leak(&issue.about),
                leak_list(&issue.breaks),
            );
            let hazards = issue.hazards.iter().map(|name| {
                let mut all = Hazard::ALL.iter();
                all.find(|hazard| hazard.name() == name)
                    .copied()
                    .ok_or_else(|| {
                        let legal: Vec<&str> = Hazard::ALL.iter().map(|it| it.name()).collect();
                        format!(
                            "the known issue {} has the hazard \"{name}\"; legal: {}",
                            issue.name,
                            legal.join(", ")
                        )
                    })
            });
            let hazards: Vec<Hazard> = hazards.collect::<Result<_, String>>()?;
            issues.push(
                known
                    .triggered_by(leak_list(&issue.triggers))
                    .clear_of(Vec::leak(hazards)),
            );
        }
        Ok(Self {
            supports: Vec::leak(supports.collect()),
            options: Vec::leak(options),
            issues: Vec::leak(issues),
            has_machine: welcome.machine,
            uses_streams,
        })
    }

    pub(super) fn has(&self, feature: Feature) -> bool {
        self.supports.contains(&feature)
    }

    /// Whether `bug` can be put on it from outside, and it has what the bug is about.
    pub(super) fn shows(&self, bug: Bug) -> bool {
        match bug {
            // They are mistakes in Squall's own service, or go by a copy of it.
            Bug::ApplyRetries
            | Bug::GrantHeldLocks
            | Bug::TakeStaleTokens
            | Bug::SnapshotWithoutSessions
            | Bug::SnapshotWithoutTokens
            | Bug::ApplyBeforeCommit
            | Bug::DropApplied
            | Bug::ReplayOnRestart
            | Bug::ReadLocally
            | Bug::ReadBeforeApplied
            | Bug::MixUpReads
                if self.has_machine =>
            {
                false
            }
            // They look into messages.
            Bug::GrantAnyVote | Bug::CountEveryVote | Bug::FlipPayload | Bug::SkipEntry => false,
            // Whether the adapter writes its commit index, and refuses what it does not take, is
            // not known.
            Bug::ForgetCommit | Bug::CommitAhead | Bug::SwallowRefusals | Bug::RevokeRenewed => {
                false
            }
            Bug::SkipSnapshotInstall
            | Bug::IgnoreSnapshotReport
            | Bug::SnapshotWithoutSessions
            | Bug::SnapshotWithoutTokens
            | Bug::CompactBeforeSnapshot
            | Bug::CompactTooFar
            | Bug::LabelSnapshotEarly
            | Bug::ReplayOnRestart => self.has(Feature::Snapshots),
            Bug::SnapshotWithoutConfiguration | Bug::GuessFirstConfiguration => {
                self.has(Feature::Snapshots) && self.has(Feature::SimpleChange)
            }
            Bug::ReadLocally | Bug::AnswerLastRead | Bug::MixUpReads | Bug::ReadBeforeApplied => {
                self.has(Feature::ReadIndex)
            }
            _ => true,
        }
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn leak_list(texts: &[String]) -> &'static [&'static str] {
    Vec::leak(texts.iter().map(|text| leak(text)).collect())
}
