//! The ways in which rules are broken: a variant for each, with all that is known of it in fields,
//! its words and its source. Words are made here and nowhere else, and nobody reads them back.
//!
//! To add one: a variant in the file of its property; the compiler names the other places, and a
//! test demands an example in `tests/it/violations.rs`.

mod mentions;
mod unmet;

use std::fmt::{self, Display, Formatter};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use mentions::Mentions;
pub use no_panic::{Panic, Place};
pub use state_machine_safety::{StateOf, States};
pub use unmet::Unmet;

use super::Property;
use crate::ids::NodeId;

// rustfmt does not look behind a macro: `.ci/run` names these files to it.
macro_rules! breaches {
    ($( $file:ident: $($name:ident = $number:literal $word:literal),+; )+) => {
        $( mod $file; pub use $file::{$($name),+}; )+

        /// How a rule was broken: one variant a property, within which there is one for each way.
        ///
        /// Serialised, a breach is an object with its way as `kind`, in lower case with hyphens,
        /// and with its fields. The property is not in it: see [`Violation`](super::Violation).
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Breach {
            $($(
                #[doc = concat!("Of [`Property::", stringify!($name), "`].")]
                $name($name),
            )+)+
            /// Of any property, in words of others.
            InWords(InWords),
        }

        $($(
            impl From<$name> for Breach {
                fn from(way: $name) -> Self {
                    Breach::$name(way)
                }
            }
        )+)+

        impl Breach {
            /// Which property it breaks.
            pub fn property(&self) -> Property {
                match self {
                    $($( Breach::$name(_) => Property::$name, )+)+
                    Breach::InWords(breach) => breach.property,
                }
            }

            fn way(&self) -> &dyn Way {
                match self {
                    $($( Breach::$name(way) => way, )+)+
                    Breach::InWords(way) => way,
                }
            }
        }
    };
}

each_property!(breaches);

/// What someone else says of a property that is broken: a server that judges what its clients have
/// seen, a runner of one's own, or a file of an earlier run.
///
/// Serialised, it is the fields where there are some, and else an object with the kind `in-words`
/// and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InWords {
    /// Which property.
    pub property: Property,
    /// What broke it, in one line.
    pub text: String,
    /// The fields of the breach as they were written, its way as `kind` among them. Nothing is
    /// read out of them, for a breach is written and not read: only its words count, and a
    /// reader of each field of each way would be a sixth of what there is to compile here.
    pub fields: Map<String, Value>,
}

impl Serialize for InWords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.fields.is_empty() {
            return self.fields.serialize(serializer);
        }
        let mut object = serializer.serialize_map(Some(2))?;
        object.serialize_entry("kind", "in-words")?;
        object.serialize_entry("text", &self.text)?;
        object.end()
    }
}

/// What a property says.
pub(super) trait Rule {
    /// In one line.
    const ABOUT: &'static str;

    /// Where it comes from.
    const SOURCE: &'static str;
}

/// One of the ways in which a property is broken.
trait Way {
    /// Says it in one line. `who` broke it.
    fn words(&self, who: Who, f: &mut Formatter<'_>) -> fmt::Result;

    /// Where the rule comes from.
    fn source(&self) -> &'static str;

    /// What it is about, apart from the node whose step broke the rule.
    fn mentions(&self) -> Mentions;

    /// What to ask of the adapter first, where that is likelier to be at fault than the library.
    fn ask_first(&self) -> Option<&'static str> {
        None
    }
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
    /// Where the rule comes from that is broken so.
    pub fn source(&self) -> &'static str {
        self.way().source()
    }

    /// The terms, entries, nodes, keys and locks that it is about, apart from the node whose step
    /// broke the rule.
    pub fn mentions(&self) -> Mentions {
        self.way().mentions()
    }

    /// What to ask of the adapter first, in one line, where that is likelier to be at fault than
    /// the library.
    pub fn ask_first(&self) -> Option<&'static str> {
        self.way().ask_first()
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

impl From<InWords> for Breach {
    fn from(way: InWords) -> Self {
        Breach::InWords(way)
    }
}
