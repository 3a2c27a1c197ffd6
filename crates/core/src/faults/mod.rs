//! What can go wrong, and when. A fault is a trigger, [`When`], and a [`What`]: a target and an
//! effect.
//!
//! Each kind of fault is a file here: its data, its words, its limits, how it is drawn, made
//! simpler and fitted to other plans, what it does to the lockstep engine's world, and the commands
//! that stories have for it. To add one: its file, with a `Definition`,
//! and its line in the list below. On servers under madsim, it has an effect where
//! `crates/madsim/src/servers/faults.rs` says so.

pub(crate) mod definition;
mod simpler;
mod smaller;
pub mod story;
mod trigger;

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use definition::{Cost, Lasts, Lease, NodeList, Parts};
pub use smaller::smaller;
pub use trigger::When;

use crate::engine::World;
use crate::ids::NodeId;
use crate::invariants::Verdict;
use crate::options::Feature;
use crate::plan::{Draw, Impossible, Plan};
use crate::replica::Subject;
use definition::{Definition, Limits};
use squall_world::network::MessageFault;

/// The data of one kind of fault or several, the file, and what profiles and `squall list faults`
/// call the kinds. Their order is that in which the faults of a plan are drawn.
//
// rustfmt does not look behind a macro: `.ci/run` names these files to it.
macro_rules! faults {
    ($( $data:ident, $file:ident: $($kind:ident = $name:literal),+; )+) => {
        $( mod $file; pub use $file::$data; )+

        /// What a fault does.
        #[derive(Clone, Debug, PartialEq, Eq)]
        // It will grow, and is to be matched in full all the same: the compiler names the place
        // where servers under madsim would miss a new kind.
        pub enum What {
            $( #[doc = concat!("See [`", stringify!($data), "`].")] $data($data), )+
        }

        /// The kinds of fault, as profiles and `squall list faults` name them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum FaultKind {
            $($( #[doc = concat!("A kind of [`", stringify!($data), "`].")] $kind, )+)+
        }

        $( impl From<$data> for What {
            fn from(data: $data) -> Self {
                What::$data(data)
            }
        } )+

        /// [`What`], as serde has it by itself.
        #[derive(Serialize, Deserialize)]
        #[serde(remote = "What", rename_all = "kebab-case")]
        enum Tagged {
            $( $data($data), )+
        }

        impl FaultKind {
            /// All kinds.
            pub const ALL: &[FaultKind] = &[$($( FaultKind::$kind, )+)+];

            /// What profiles call it.
            pub fn name(self) -> &'static str {
                match self {
                    $($( FaultKind::$kind => $name, )+)+
                }
            }

            /// One line that says what it does.
            pub fn about(self) -> &'static str {
                match self {
                    $($( FaultKind::$kind => $data::about(self), )+)+
                }
            }

            /// Whether it makes no sense with one node.
            pub fn needs_peers(self) -> bool {
                match self {
                    $($( FaultKind::$kind => $data::needs_peers(self), )+)+
                }
            }

            /// Whether a subject that supports these has what it asks for.
            pub fn is_supported(self, supports: &[Feature]) -> bool {
                match self {
                    $($( FaultKind::$kind => $data::is_supported(self, supports), )+)+
                }
            }

            /// Draws so many, and adds them to the others of the plan.
            pub(crate) fn draw_some(
                self,
                count: u64,
                draw: &mut Draw<'_>,
                plan: &Plan,
                so_far: &mut Vec<Fault>,
            ) {
                match self {
                    $($( FaultKind::$kind => $data::draw_some(self, count, draw, plan, so_far), )+)+
                }
            }
        }

        /// The commands that stories have for faults, in the order of the kinds.
        pub fn commands() -> impl Iterator<Item = &'static story::Command> {
            [$( $data::commands() ),+].into_iter().flatten()
        }

        /// The same of each kind.
        macro_rules! each {
            ($what:expr, $one:ident => $do:expr) => {
                match $what {
                    $( What::$data($one) => $do, )+
                }
            };
        }
    };
}

faults! {
    Crash, crash: Crash = "crash";
    Pause, pause: Pause = "pause";
    Cut, cut: Cut = "cut";
    Split, split: Split = "split";
    IsolateLeader, isolate_leader: IsolateLeader = "isolate-leader";
    Trouble, trouble: Trouble = "trouble";
    Burst, burst: Burst = "burst";
    SlowNode, slow_node: SlowNode = "slow-node";
    LoseMessage, lose_message: LoseMessage = "lose-message";
    DuplicateMessage, duplicate_message: DuplicateMessage = "duplicate-message";
    DelayMessage, delay_message: DelayMessage = "delay-message";
    SlowDisk, slow_disk: SlowDisk = "slow-disk";
    FailSync, fail_sync: FailSync = "fail-sync";
    FullDisk, full_disk: FullDisk = "full-disk";
    Rot, rot: Rot = "rot";
    Jump, jump: Jump = "jump";
    Drift, drift: Drift = "drift";
    Change, change: Change = "change";
    ReplaceDisk, replace_disk: ReplaceDisk = "replace-disk";
    LoseDisk, lose_disk: LoseDisk = "lose-disk";
    Ask, ask: Transfer = "transfer", Campaign = "campaign", RequestSnapshot = "request-snapshot", Ping = "ping", Set = "set";
    Intercept, intercept: Intercept = "intercept";
}

pub use crash::LossMode;
pub use intercept::OnItsWay;
pub use rot::JournalName;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it strikes.
    pub when: When,
    /// What it does.
    pub what: What,
}

impl Fault {
    /// Puts other nodes in place of those that it is about.
    pub fn rename(&mut self, name: impl Fn(NodeId) -> NodeId) {
        for node in self.when.nodes().into_iter().chain(self.what.nodes()) {
            *node = name(*node);
        }
        // Two that have become one are one.
        for list in self.what.parts().lists {
            list.nodes.sort();
            list.nodes.dedup();
        }
    }

    /// Fits it to a plan by putting nodes of the plan in place of those that it has not. False
    /// where the plan can have no such fault.
    pub fn fit(&mut self, plan: &Plan) -> bool {
        self.when.fit(plan) && each!(&mut self.what, one => one.fit(plan))
    }

    /// Takes out a node of the cluster; those after it move up. False when nothing is left of the
    /// fault.
    pub fn without(&mut self, out: NodeId) -> bool {
        let mut comes = true;
        for node in self.when.nodes() {
            comes &= definition::moves_up(node, out);
        }
        comes & each!(&mut self.what, one => one.without(out))
    }

    /// Makes sure that the plan can have it in this place.
    pub(crate) fn validate(&self, plan: &Plan, number: usize) -> Result<(), Impossible> {
        let limits = Limits {
            plan,
            number,
            when: self.when,
        };
        self.when.validate(plan, |name| limits.field(name))?;
        each!(&self.what, one => one.validate(&limits))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.when, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&each!(self, one => one.words()))
    }
}

impl What {
    /// What it does to the message that triggers it; none if it does something else.
    pub fn on_message(&self) -> Option<MessageFault> {
        each!(self, one => one.on_message())
    }

    /// Its kind.
    pub fn kind(&self) -> FaultKind {
        each!(self, one => one.kind())
    }

    /// The parts of it that can be changed for themselves.
    pub fn parts(&mut self) -> Parts<'_> {
        each!(self, one => one.parts())
    }

    /// Its spans of time, in microseconds; how long it lasts comes last.
    pub fn spans(&mut self) -> Vec<&mut u64> {
        let parts = self.parts();
        parts.spans_us.into_iter().chain(parts.lasts_us).collect()
    }

    /// How long it lasts, in microseconds; none where it is over at once.
    pub fn lasts_us(&mut self) -> Option<&mut u64> {
        self.parts().lasts_us
    }

    /// The nodes that it is about.
    pub fn nodes(&mut self) -> Vec<&mut NodeId> {
        let parts = self.parts();
        let lists = parts
            .lists
            .into_iter()
            .flat_map(|list| list.nodes.iter_mut());
        parts.nodes.into_iter().chain(lists).collect()
    }

    /// What it leaves of what leases of leaders stand on.
    pub fn lease(&self) -> Lease {
        each!(self, one => one.lease())
    }

    /// Whether it may just as well be about another node, or come at another time.
    pub fn is_free(&self) -> bool {
        each!(self, one => one.is_free())
    }

    /// The node that it takes away for good.
    pub fn takes_for_good(&self) -> Option<NodeId> {
        each!(self, one => one.takes_for_good())
    }

    /// What it adds to the cost of a run.
    pub fn cost(&self) -> Cost {
        each!(self, one => one.cost())
    }

    /// The same, simpler in one thing each, beside shorter spans and fewer nodes.
    pub fn simpler(&self) -> Vec<What> {
        each!(self, one => one.simpler().into_iter().map(What::from).collect())
    }

    /// The command of stories that says the same, where there is one.
    pub fn command(&self) -> Option<String> {
        each!(self, one => one.command())
    }

    /// Whether it needs the feature, in this plan.
    pub(crate) fn asks_for(&self, feature: Feature, plan: &Plan) -> bool {
        each!(self, one => one.asks_for(feature, plan))
    }

    /// The node whose syncs it is best triggered by.
    pub(crate) fn at_syncs_of(&self) -> Option<NodeId> {
        each!(self, one => one.at_syncs_of())
    }

    /// Whether syncs that overwrite entries are a good time for it.
    pub(crate) fn at_overwrites(&self) -> bool {
        each!(self, one => one.at_overwrites())
    }

    /// Strikes, as fault `number` of the plan.
    pub(crate) fn strike<S: Subject>(
        &self,
        world: &mut World<'_, '_, S>,
        now_us: u64,
        number: usize,
    ) -> Verdict<Lasts> {
        each!(self, one => one.strike(world, now_us, number))
    }

    /// Ends.
    pub(crate) fn end<S: Subject>(&self, world: &mut World<'_, '_, S>, now_us: u64, number: usize) {
        each!(self, one => one.end(world, now_us, number));
    }
}

// Plan files have the one fault without fields as its name alone, "lose-message", and not as
// {"lose-message": {}}.

impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            What::LoseMessage(LoseMessage {}) => {
                serializer.serialize_str(FaultKind::LoseMessage.name())
            }
            other => Tagged::serialize(other, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for What {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = What;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fault, as {\"pause\": {...}} is, or \"lose-message\"")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<What, E> {
                match name == FaultKind::LoseMessage.name() {
                    true => Ok(What::LoseMessage(LoseMessage {})),
                    false => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<What, A::Error> {
                Tagged::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
