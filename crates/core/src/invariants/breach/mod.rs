//! The ways in which rules are broken: a variant for each, with all that is known of it in fields,
//! its words and its source. Words are made here and nowhere else, and nobody reads them back.
//!
//! To add one: a variant in the file of its property; the compiler names the other places, and a
//! test demands an example in `tests/it/violations.rs`.

mod ack_before_durable;
mod configuration;
mod durable_commit;
mod election_safety;
mod leader_append_only;
mod leader_completeness;
mod linearizability;
mod liveness;
mod lock_safety;
mod log_matching;
mod mentions;
mod monotonic;
mod no_panic;
mod state_machine_safety;
mod unmet;

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use ack_before_durable::AckBeforeDurable;
pub use configuration::Configuration;
pub use durable_commit::DurableCommit;
pub use election_safety::ElectionSafety;
pub use leader_append_only::LeaderAppendOnly;
pub use leader_completeness::LeaderCompleteness;
pub use linearizability::{ExactlyOnce, Linearizability};
pub use liveness::Liveness;
pub use lock_safety::LockSafety;
pub use log_matching::LogMatching;
pub use mentions::Mentions;
pub use monotonic::Monotonic;
pub use no_panic::{NoPanic, Panic, Place};
pub use state_machine_safety::StateMachineSafety;
pub use unmet::Unmet;

use super::Property;
use crate::ids::NodeId;

/// How a rule was broken: one variant a property, within which there is one for each way.
///
/// Serialised, a breach is an object with its way as `kind`, in lower case with hyphens, and with
/// its fields. The property is not in it: see [`Violation`](super::Violation).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Breach {
    /// Of [`Property::ElectionSafety`].
    ElectionSafety(ElectionSafety),
    /// Of [`Property::LogMatching`].
    LogMatching(LogMatching),
    /// Of [`Property::LeaderAppendOnly`].
    LeaderAppendOnly(LeaderAppendOnly),
    /// Of [`Property::LeaderCompleteness`].
    LeaderCompleteness(LeaderCompleteness),
    /// Of [`Property::StateMachineSafety`].
    StateMachineSafety(StateMachineSafety),
    /// Of [`Property::DurableCommit`].
    DurableCommit(DurableCommit),
    /// Of [`Property::AckBeforeDurable`].
    AckBeforeDurable(AckBeforeDurable),
    /// Of [`Property::Monotonic`].
    Monotonic(Monotonic),
    /// Of [`Property::Configuration`].
    Configuration(Configuration),
    /// Of [`Property::Linearizability`].
    Linearizability(Linearizability),
    /// Of [`Property::ExactlyOnce`].
    ExactlyOnce(ExactlyOnce),
    /// Of [`Property::LockSafety`].
    LockSafety(LockSafety),
    /// Of [`Property::Liveness`].
    Liveness(Liveness),
    /// Of [`Property::NoPanic`].
    NoPanic(NoPanic),
    /// Of any property, in words of others.
    InWords(InWords),
}

/// What someone else says of a property that is broken: a server that judges what its clients have
/// seen, a runner of one's own, or a file of a version that kept words only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename = "in-words")]
pub struct InWords {
    /// Which property.
    #[serde(skip)]
    pub property: Property,
    /// What broke it, in one line.
    pub text: String,
}

/// One of the ways in which a property is broken.
trait Way {
    /// Says it in one line. `who` broke it.
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> fmt::Result;

    /// Where the rule comes from.
    fn source(&self) -> &'static str;

    /// What it is about, apart from the node whose step broke the rule.
    fn mentions(&self) -> Mentions;
}

/// The node whose step broke a rule, or the whole cluster.
#[derive(Clone, Copy)]
struct Who(Option<NodeId>);

impl Display for Who {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(node) => node.fmt(f),
            None => f.write_str("the cluster"),
        }
    }
}

impl Breach {
    /// Which property it breaks.
    pub fn property(&self) -> Property {
        match self {
            Breach::ElectionSafety(_) => Property::ElectionSafety,
            Breach::LogMatching(_) => Property::LogMatching,
            Breach::LeaderAppendOnly(_) => Property::LeaderAppendOnly,
            Breach::LeaderCompleteness(_) => Property::LeaderCompleteness,
            Breach::StateMachineSafety(_) => Property::StateMachineSafety,
            Breach::DurableCommit(_) => Property::DurableCommit,
            Breach::AckBeforeDurable(_) => Property::AckBeforeDurable,
            Breach::Monotonic(_) => Property::Monotonic,
            Breach::Configuration(_) => Property::Configuration,
            Breach::Linearizability(_) => Property::Linearizability,
            Breach::ExactlyOnce(_) => Property::ExactlyOnce,
            Breach::LockSafety(_) => Property::LockSafety,
            Breach::Liveness(_) => Property::Liveness,
            Breach::NoPanic(_) => Property::NoPanic,
            Breach::InWords(breach) => breach.property,
        }
    }

    fn way(&self) -> &dyn Way {
        match self {
            Breach::ElectionSafety(way) => way,
            Breach::LogMatching(way) => way,
            Breach::LeaderAppendOnly(way) => way,
            Breach::LeaderCompleteness(way) => way,
            Breach::StateMachineSafety(way) => way,
            Breach::DurableCommit(way) => way,
            Breach::AckBeforeDurable(way) => way,
            Breach::Monotonic(way) => way,
            Breach::Configuration(way) => way,
            Breach::Linearizability(way) => way,
            Breach::ExactlyOnce(way) => way,
            Breach::LockSafety(way) => way,
            Breach::Liveness(way) => way,
            Breach::NoPanic(way) => way,
            Breach::InWords(way) => way,
        }
    }

    /// Where the rule comes from that is broken so.
    pub fn source(&self) -> &'static str {
        self.way().source()
    }

    /// The terms, entries, nodes, keys and locks that it is about, apart from the node whose step
    /// broke the rule.
    pub fn mentions(&self) -> Mentions {
        self.way().mentions()
    }

    /// What broke the rule, in one line, where `node` did; without one it is the whole cluster.
    pub fn words(&self, node: Option<NodeId>) -> String {
        /// A breach, and who it was.
        struct Told<'a>(&'a dyn Way, Who);

        impl Display for Told<'_> {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                self.0.words(self.1, f)
            }
        }

        Told(self.way(), Who(node)).to_string()
    }

    /// Reads the fields of a breach of `property`.
    ///
    /// # Errors
    /// When they are none.
    pub(super) fn read(property: Property, fields: Value) -> Result<Self, serde_json::Error> {
        /// [`InWords`], as it is written.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
        enum Words {
            InWords { text: String },
        }

        if fields["kind"] == "in-words" {
            let Words::InWords { text } = serde_json::from_value(fields)?;
            return Ok(Breach::InWords(InWords { property, text }));
        }
        Ok(match property {
            Property::ElectionSafety => Breach::ElectionSafety(serde_json::from_value(fields)?),
            Property::LogMatching => Breach::LogMatching(serde_json::from_value(fields)?),
            Property::LeaderAppendOnly => Breach::LeaderAppendOnly(serde_json::from_value(fields)?),
            Property::LeaderCompleteness => {
                Breach::LeaderCompleteness(serde_json::from_value(fields)?)
            }
            Property::StateMachineSafety => {
                Breach::StateMachineSafety(serde_json::from_value(fields)?)
            }
            Property::DurableCommit => Breach::DurableCommit(serde_json::from_value(fields)?),
            Property::AckBeforeDurable => Breach::AckBeforeDurable(serde_json::from_value(fields)?),
            Property::Monotonic => Breach::Monotonic(serde_json::from_value(fields)?),
            Property::Configuration => Breach::Configuration(serde_json::from_value(fields)?),
            Property::Linearizability => Breach::Linearizability(serde_json::from_value(fields)?),
            Property::ExactlyOnce => Breach::ExactlyOnce(serde_json::from_value(fields)?),
            Property::LockSafety => Breach::LockSafety(serde_json::from_value(fields)?),
            Property::Liveness => Breach::Liveness(serde_json::from_value(fields)?),
            Property::NoPanic => Breach::NoPanic(serde_json::from_value(fields)?),
        })
    }
}

impl Way for InWords {
    fn words(&self, _: Who, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }

    fn source(&self) -> &'static str {
        self.property.source()
    }

    fn mentions(&self) -> Mentions {
        Mentions::default()
    }
}

/// Each way is a breach of its property.
macro_rules! ways {
    ($($way:ident),*) => {$(
        impl From<$way> for Breach {
            fn from(way: $way) -> Self {
                Breach::$way(way)
            }
        }
    )*};
}

ways!(
    ElectionSafety,
    LogMatching,
    LeaderAppendOnly,
    LeaderCompleteness,
    StateMachineSafety,
    DurableCommit,
    AckBeforeDurable,
    Monotonic,
    Configuration,
    Linearizability,
    ExactlyOnce,
    LockSafety,
    Liveness,
    NoPanic,
    InWords
);
