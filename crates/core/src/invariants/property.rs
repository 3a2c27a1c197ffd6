//! The properties by name. What each says, and where it comes from, is with the ways in which it is
//! broken, in [`breach`].

use std::fmt;

use serde::{Deserialize, Serialize};

use super::breach::{self, Rule};

macro_rules! properties {
    ($( $file:ident: $($name:ident = $number:literal $word:literal),+; )+) => {
        /// A property that must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Property {
            $($(
                #[doc = concat!("Broken in the ways of [`", stringify!($name), "`](breach::", stringify!($name), ").")]
                $name = $number,
            )+)+
        }

        impl Property {
            /// All properties.
            pub const ALL: &[Property] = &[$($( Property::$name, )+)+];

            /// Its name, as `--json` and messages have it.
            pub fn name(self) -> &'static str {
                match self {
                    $($( Property::$name => $word, )+)+
                }
            }

            /// What it says, in one line.
            pub fn about(self) -> &'static str {
                match self {
                    $($( Property::$name => breach::$name::ABOUT, )+)+
                }
            }

            /// Where it comes from.
            pub fn source(self) -> &'static str {
                match self {
                    $($( Property::$name => breach::$name::SOURCE, )+)+
                }
            }
        }
    };
}

each_property!(properties);

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
