//! Engines by name. This crate has one of them, `lockstep`; a program may bring others.

use std::fmt;
use std::sync::Arc;

use crate::registry::Runner;
use crate::suggest;

/// What makes of a subject's runner one that runs plans on the engine.
type Drive = fn(Arc<dyn Runner>) -> Arc<dyn Runner>;

/// An engine. Two of the same name are the same.
#[derive(Clone, Copy)]
pub struct Engine {
    name: &'static str,
    drive: Drive,
}

/// No engine of this program has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// One thread and one queue of events: the fastest.
    pub const LOCKSTEP: Engine = Engine::new("lockstep", |runner| runner);

    /// An engine of that name. `drive` makes of a runner one that runs plans on it.
    pub const fn new(name: &'static str, drive: Drive) -> Self {
        Self { name, drive }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// A runner that runs plans on this engine.
    pub fn drive(self, runner: Arc<dyn Runner>) -> Arc<dyn Runner> {
        (self.drive)(runner)
    }

    /// The one of `engines` that has this name.
    ///
    /// # Errors
    /// [`UnknownEngine`] names the nearest and all legal names.
    pub fn by_name(name: &str, engines: &[Engine]) -> Result<Engine, UnknownEngine> {
        if let Some(engine) = engines.iter().find(|engine| engine.name == name) {
            return Ok(*engine);
        }
        let names: Vec<&str> = engines.iter().map(|engine| engine.name).collect();
        let legal = names.join(", ");
        match name {
            "madsim" => Err(UnknownEngine::NotBuilt { legal }),
            _ => Err(UnknownEngine::Unknown {
                name: name.to_owned(),
                nearest: suggest::suggestion(name, names.iter().copied()),
                legal,
            }),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::LOCKSTEP
    }
}

impl PartialEq for Engine {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Engine {}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: Engine = Engine::new("other", |runner| runner);

    #[test]
    fn every_engine_is_found_by_its_name_and_no_other_is() {
        let engines = [Engine::LOCKSTEP, OTHER];
        for engine in engines {
            assert_eq!(Engine::by_name(engine.name(), &engines), Ok(engine));
        }
        let wrong = Engine::by_name("lokstep", &engines)
            .unwrap_err()
            .to_string();
        assert!(
            wrong.contains("\"lokstep\" (did you mean \"lockstep\"?)"),
            "{wrong}"
        );
    }

    #[test]
    fn a_program_without_madsim_says_how_to_get_it() {
        let error = Engine::by_name("madsim", &[OTHER]).unwrap_err().to_string();
        assert!(error.contains("--features madsim"), "{error}");
    }
}
