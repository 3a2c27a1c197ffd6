//! The engines of this build, by name.

use crate::nearest;

/// An engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// One thread and one queue of events: the fastest.
    #[default]
    Lockstep,
    /// The same world with every replica in a task on a node of madsim.
    #[cfg(all(feature = "madsim", madsim))]
    Madsim,
}

/// No engine of this build has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownEngine {
    /// It has no such engine at all.
    #[error("unknown engine \"{name}\"{nearest}; legal: {legal}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The legal name that comes near, in words.
        nearest: String,
        /// Legal names.
        legal: String,
    },
    /// It was built without it.
    #[error(
        "this build has no engine \"madsim\"; build it with `cargo madsim build --features madsim` (see docs/madsim.md); legal: {legal}"
    )]
    NotBuilt {
        /// Legal names.
        legal: String,
    },
}

impl Engine {
    /// All engines of this build.
    pub const ALL: &[Engine] = &[
        Engine::Lockstep,
        #[cfg(all(feature = "madsim", madsim))]
        Engine::Madsim,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Lockstep => "lockstep",
            #[cfg(all(feature = "madsim", madsim))]
            Engine::Madsim => "madsim",
        }
    }
}

impl std::str::FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        let mut all = Engine::ALL.iter().copied();
        if let Some(engine) = all.find(|engine| engine.name() == name) {
            return Ok(engine);
        }
        let names: Vec<&str> = Engine::ALL.iter().map(|engine| engine.name()).collect();
        let legal = names.join(", ");
        Err(match name {
            "madsim" => UnknownEngine::NotBuilt { legal },
            _ => UnknownEngine::Unknown {
                name: name.to_owned(),
                nearest: nearest::suggestion(name, names.into_iter()),
                legal,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_is_found_by_its_name_and_no_other_is() {
        for engine in Engine::ALL {
            assert_eq!(engine.name().parse(), Ok(*engine));
        }
        let wrong = "lokstep".parse::<Engine>().unwrap_err().to_string();
        assert!(
            wrong.contains("\"lokstep\" (did you mean \"lockstep\"?)"),
            "{wrong}"
        );
    }

    #[cfg(not(feature = "madsim"))]
    #[test]
    fn a_build_without_madsim_says_how_to_get_it() {
        let error = "madsim".parse::<Engine>().unwrap_err().to_string();
        assert!(error.contains("--features madsim"), "{error}");
    }
}
