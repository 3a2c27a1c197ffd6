//! The target `messages`: a storm over raft-rs whose nodes also get late, damaged and forged
//! messages.
//!
//! What comes of it is told apart by what it takes, which is found out by running the plan again
//! with fewer attacks: nothing at all, late copies, a damaged packet, or a forger. A forged message
//! that differs from the one that was sent in [`WITHIN_REACH_BITS`] bits or fewer could be a
//! damaged packet, and counts as one.

use std::fmt;
use std::path::Path;

use super::{Finding, is_json, plan_of, storm};
use squall_core::engine::{self, Failure, Observer};
use squall_core::ids::NodeId;
use squall_core::invariants::Property;
use squall_core::invariants::breach::Panic;
use squall_core::message_fuzzing::{Attack, Class, Doings, Hostile, How, Wire};
use squall_core::plan::{Plan, PlanSpace, Profile};
use squall_core::registry::Runner as _;
use squall_core::replica::Message;
use squall_explore::fuzz_input;
use squall_raft_rs::RaftRs;
use squall_world::rng::Choices;

/// Most attacks of an input.
const MOST_ATTACKS: u64 = 6;

/// Damage of up to so many bits is within reach of chance.
pub const WITHIN_REACH_BITS: u32 = 3;

/// By what a panic is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It comes from this file and line.
    At(&'static str, u32),
    /// Its message has these words.
    Says(&'static str),
}

impl Sign {
    fn is_of(self, panic: &Panic) -> bool {
        match self {
            Sign::At(file, line) => panic
                .place
                .as_ref()
                .is_some_and(|place| (place.file.as_str(), place.line) == (file, line)),
            Sign::Says(words) => panic.message.contains(words),
        }
    }
}

/// Panics that a damaged packet is known to cause, by their place in the library or the driver's
/// words, and why. `docs/fuzzing.md` says more. The fuzzer goes on past them.
pub const KNOWN: &[(Sign, &str)] = &[
    (
        Sign::At("raft.rs", 640),
        "a vote message without a term is answered or passed on without one",
    ),
    (
        Sign::At("raft.rs", 648),
        "a proposal or a read that carries a term is passed on to the leader",
    ),
    (
        Sign::At("raft.rs", 2024),
        "a leader gets a proposal without entries",
    ),
    (
        Sign::At("raft.rs", 2125),
        "a leader gets a read without a context",
    ),
    (
        Sign::At("raft.rs", 2269),
        "an append of term 0 is stepped whatever the node's term",
    ),
    (
        Sign::At("raft.rs", 2274),
        "a heartbeat of term 0 is stepped whatever the node's term",
    ),
    (
        Sign::At("raft.rs", 2643),
        "the configuration of a snapshot is none that the library comes to by itself",
    ),
    (
        Sign::At("raft.rs", 2858),
        "a read is served whose context was lost on the way",
    ),
    (
        Sign::At("log_unstable.rs", 201),
        "entries are asked for that are not in the log",
    ),
    (
        Sign::At("raft_log.rs", 260),
        "an append speaks of another entry than the committed one",
    ),
    (
        Sign::At("raft_log.rs", 267),
        "an append's entries are not one run",
    ),
    (
        Sign::At("raft_log.rs", 268),
        "an append's entries are not one run",
    ),
    (
        Sign::At("raft_log.rs", 292),
        "a commit index lies behind the end of the log",
    ),
    (
        Sign::At("raft_log.rs", 485),
        "entries are asked for that lie behind the end of the log",
    ),
    (
        Sign::Says("entries are handed over in one run"),
        "an append's entries are not one run: an assertion of the driver around the library",
    ),
    (
        Sign::Says("just applied: Store(Unavailable)"),
        "an entry is committed that the log does not have: an assertion of the driver around the library",
    ),
    (
        Sign::Says("snapshots arrive whole"),
        "a snapshot's data is cut or changed: an assertion of the driver around the library",
    ),
];

/// Which classes of finding fail a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// What no hostile message is needed for, and what late copies cause; panics that a damaged
    /// packet causes at a place that is not in [`KNOWN`].
    #[default]
    Usual,
    /// Also all else that a damaged packet causes.
    Damaged,
    /// Also what only a forger can do.
    Forged,
}

/// A plan, and what is done to its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// The plan.
    pub plan: Plan,
    /// The attacks.
    pub attacks: Vec<Attack>,
}

/// A violation, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What broke, with all attacks.
    pub failure: Failure,
    /// What suffices for it.
    pub class: Class,
    /// What the attacks came to.
    pub doings: Doings,
    /// The reason why it is known, if it is.
    pub known: Option<&'static str>,
}

impl Hearing {
    /// What `bytes` stand for. `profile` is what plans are drawn from.
    fn of(bytes: &[u8], profile: &Profile) -> Self {
        let mut choices = Choices::finite(bytes);
        let count = choices.below(MOST_ATTACKS + 1);
        let attacks = (0..count).map(|_| attack(&mut choices)).collect();
        let rest = &bytes[bytes.len() - choices.bytes_left()..];
        let space = PlanSpace {
            own: RaftRs.own(),
            ..PlanSpace::new("raft-rs", profile)
        };
        let plan = match is_json(rest) {
            // A plan as it is written down is for the target `storm`.
            true => plan_of(&[], Path::new(""), space),
            false => plan_of(rest, Path::new(""), space),
        };
        Self {
            plan: plan.expect("bytes that are not JSON make a plan"),
            attacks,
        }
    }

    /// Runs the plan under the attacks, and finds out what it takes to do what they do.
    pub fn judge(&self) -> Option<Verdict> {
        self.judge_on(RaftRs)
    }

    /// The same, on another subject.
    pub fn judge_on<S: Wire + Copy>(&self, subject: S) -> Option<Verdict>
    where
        Message<S>: Send,
    {
        let (failure, doings) = self.run(subject, Class::Forged);
        let failure = failure?;
        let same = |class: Class| {
            let (again, _) = self.run(subject, class);
            again.is_some_and(|again| again.violation.is_like(&failure.violation))
        };
        let weaker = [Class::Nothing, Class::Late, Class::Damaged];
        let class = match weaker.into_iter().find(|class| same(*class)) {
            Some(class) => class,
            None if doings.forged_bits <= WITHIN_REACH_BITS => Class::Damaged,
            None => Class::Forged,
        };
        let panic = failure.violation.panic();
        let known = panic.and_then(|panic| KNOWN.iter().find(|(sign, _)| sign.is_of(panic)));
        Some(Verdict {
            known: known.map(|(_, why)| *why),
            failure,
            class,
            doings,
        })
    }

    /// Runs the plan with those attacks that take no more than `most`.
    fn run<S: Wire>(&self, subject: S, most: Class) -> (Option<Failure>, Doings)
    where
        Message<S>: Send,
    {
        let within = |attack: &&Attack| attack.how.class() <= most;
        let attacks = self.attacks.iter().filter(within).copied().collect();
        let hostile = Hostile::new(subject, attacks);
        let watch = Observer {
            most_steps: Some(storm::MOST_STEPS),
            ..Observer::default()
        };
        let outcome = engine::run(&self.plan, &hostile, watch);
        (outcome.failure, hostile.doings())
    }
}

impl Verdict {
    /// Whether it fails a run.
    pub fn counts(&self, strictness: Strictness) -> bool {
        let panics = self.failure.violation.property() == Property::NoPanic;
        match self.class {
            Class::Nothing | Class::Late => true,
            Class::Damaged => {
                let is_news = panics && self.known.is_none();
                is_news || strictness != Strictness::Usual
            }
            Class::Forged => strictness == Strictness::Forged,
        }
    }
}

fn attack(choices: &mut Choices) -> Attack {
    Attack {
        node: NodeId(choices.between(1, 5) as u8),
        nth: choices.between(1, 256) as u32,
        how: match choices.below(4) {
            0 => How::Late {
                back: choices.between(1, 256) as u32,
            },
            1 => How::Flip {
                bit: choices.below(0x1_0000) as u32,
                mask: 1 << choices.below(8),
            },
            2 => How::Truncate {
                to: choices.below(256) as u32,
            },
            _ => How::Forge {
                field: choices.below(256) as u8,
                value: match choices.below(4) {
                    0 => choices.word(),
                    1 => u64::MAX,
                    _ => choices.below(64),
                },
            },
        },
    }
}

/// What runs inputs.
pub struct Messages {
    profile: Profile,
    strictness: Strictness,
}

impl Messages {
    /// Counts findings as strictly as that.
    ///
    /// # Panics
    /// When the built-in profile is not one.
    pub fn new(strictness: Strictness) -> Self {
        Self {
            profile: Profile::load(fuzz_input::PROFILE).expect("it is built in"),
            strictness,
        }
    }

    /// What `bytes` stand for.
    pub fn hearing(&self, bytes: &[u8]) -> Hearing {
        Hearing::of(bytes, &self.profile)
    }

    /// Runs what `bytes` stand for.
    ///
    /// # Errors
    /// A violation that counts: what it takes comes in the second line, and the plan and the
    /// attacks in words behind.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Finding> {
        let hearing = self.hearing(bytes);
        match hearing.judge() {
            Some(verdict) if verdict.counts(self.strictness) => {
                Err(Finding(hearing.told(&verdict)))
            }
            _ => Ok(()),
        }
    }
}

impl Hearing {
    /// The verdict, the plan and the attacks in words.
    pub fn told(&self, verdict: &Verdict) -> String {
        let Doings {
            late,
            damaged,
            unreadable,
            forged,
            ..
        } = verdict.doings;
        format!(
            "{}\nclass: {}\n{late} messages came again, {damaged} damaged, {unreadable} damaged beyond reading, {forged} forged\n\n{self}",
            verdict.failure, verdict.class,
        )
    }
}

/// The attacks and the plan in words.
impl fmt::Display for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attack in &self.attacks {
            writeln!(f, "{attack}")?;
        }
        f.write_str(&storm::in_words(&self.plan))
    }
}
