//! What a violation is: a value whose fields say all that is known of it.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Property;
use super::breach::{Breach, InWords, Mentions, Panic};
use crate::ids::NodeId;

/// A property that does not hold, and what broke it.
///
/// Serialised, a violation is one object: the name of its property as `property`, its `node` or
/// null, the way in which the property was broken as `kind`, and the fields of that. It is not read
/// back: [`Violation::as_written`] hands on what another run wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The node whose step broke it, where there is one; of states that differ, the one whose
    /// state is wrong.
    pub node: Option<NodeId>,
    /// How it was broken.
    pub breach: Breach,
}

impl Violation {
    /// A violation by a step of `node`, where there is one.
    #[cold] // Keeps the making of it out of the way of steps that break nothing.
    #[inline(never)]
    pub fn by(node: impl Into<Option<NodeId>>, breach: impl Into<Breach>) -> Box<Self> {
        Box::new(Self {
            node: node.into(),
            breach: breach.into(),
        })
    }

    /// A violation of which someone else has the words, in one line.
    pub fn in_words(node: impl Into<Option<NodeId>>, property: Property, text: String) -> Self {
        Self::as_written(node, property, text, Map::new())
    }

    /// A violation of an earlier run: its words, and the object that it was written as, which is
    /// written so again.
    pub fn as_written(
        node: impl Into<Option<NodeId>>,
        property: Property,
        text: String,
        mut fields: Map<String, Value>,
    ) -> Self {
        for known in ["property", "node"] {
            fields.remove(known);
        }
        let breach = InWords {
            property,
            text,
            fields,
        };
        *Self::by(node, breach)
    }

    /// Which property does not hold.
    pub fn property(&self) -> Property {
        self.breach.property()
    }

    /// What broke it, in one line.
    pub fn message(&self) -> String {
        self.breach.words(self.node)
    }

    /// The terms, entries, nodes, keys and locks that it is about.
    pub fn mentions(&self) -> Mentions {
        let mut mentions = self.breach.mentions();
        mentions.nodes.extend(self.node);
        mentions
    }

    /// What to ask of the adapter first, where that is likelier to be at fault than the library: a
    /// question in one line.
    pub fn ask_first(&self) -> Option<&'static str> {
        self.breach.ask_first()
    }

    /// The panic that it is, if it is one.
    pub fn panic(&self) -> Option<&Panic> {
        match &self.breach {
            Breach::NoPanic(breach) => breach.panic(),
            _ => None,
        }
    }

    /// Whether `other` is the same failure, as far as can be told: it breaks the same property, and
    /// where that is [`Property::NoPanic`], in the same line of the same file.
    pub fn is_like(&self, other: &Self) -> bool {
        if self.property() != Property::NoPanic {
            return self.property() == other.property();
        }
        let [one, two] = [self, other].map(|it| it.panic().and_then(|panic| panic.place.as_ref()));
        match (one, two) {
            (Some(one), Some(two)) => one.same_line(two),
            (None, None) => self.breach == other.breach,
            _ => false,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property(), self.message())
    }
}

impl std::error::Error for Violation {}

impl Serialize for Violation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            property: Property,
            node: Option<NodeId>,
            #[serde(flatten)]
            breach: &'a Breach,
        }

        let written = Written {
            property: self.property(),
            node: self.node,
            breach: &self.breach,
        };
        written.serialize(serializer)
    }
}

/// What a check says. A violation is boxed, for the way back from each of a step's checks is then
/// one register wide, and nearly all of them find nothing.
pub type Verdict<T = ()> = Result<T, Box<Violation>>;
