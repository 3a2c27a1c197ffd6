//! What the fuzz targets share. All that they test is in `squall_fuzzing`.

pub mod counters;
pub mod pace;

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use sha1::{Digest, Sha1};
use squall_fuzzing::messages::{Messages, Strictness};
use squall_fuzzing::{Finding, RUN, Storm, disk, linearizability, plan_json, storm};
use squall_world::rng::Choices;

/// The environment variable that names the subject to storm over.
pub const SUBJECT: &str = "SQUALL_FUZZ_SUBJECT";

/// The environment variable that says which findings of `messages` count.
pub const STRICT: &str = "SQUALL_FUZZ_STRICT";

/// The subject under test, once for the process.
pub static STORM: LazyLock<Storm> = LazyLock::new(|| {
    let named = std::env::var(SUBJECT);
    let name = named.as_deref().unwrap_or(squall_fuzzing::DEFAULT_SUBJECT);
    Storm::over(name).unwrap_or_else(|error| refuse(&format!("{SUBJECT}: {error}")))
});

/// What `messages` judges with, once for the process.
pub static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    Messages::new(match std::env::var(STRICT).as_deref() {
        Err(_) => Strictness::Usual,
        Ok("damaged") => Strictness::Damaged,
        Ok("forged") => Strictness::Forged,
        Ok(other) => refuse(&format!(
            "{STRICT} is {other}; legal: damaged, forged, or not set"
        )),
    })
});

/// Ends the process over something that a user has said.
pub fn refuse(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2)
}

/// A fuzz target: what it is called, and what its inputs stand for.
pub trait Target {
    /// Its name, as cargo-fuzz has it.
    const NAME: &'static str;

    /// What an input stands for, in words.
    fn in_words(bytes: &[u8]) -> String;

    /// The command that reproduces an input, given the file that it is in.
    fn repeat(file: &str) -> String {
        format!("{RUN} {} {file}", Self::NAME)
    }
}

macro_rules! targets {
    ($($kind:ident = $name:literal, $in_words:expr $(, $repeat:expr)?;)*) => {$(
        /// The target of that name.
        pub enum $kind {}

        impl Target for $kind {
            const NAME: &'static str = $name;

            fn in_words(bytes: &[u8]) -> String {
                $in_words(bytes)
            }

            $(fn repeat(file: &str) -> String {
                $repeat(file)
            })?
        }
    )*};
}

targets! {
    OfStorm = "storm", plan_in_words, replay;
    OfMessages = "messages", |bytes| MESSAGES.hearing(bytes).to_string();
    OfLinearizability = "linearizability", linearizability::in_words;
    OfDisk = "disk", disk::in_words;
    OfPlanJson = "plan_json", plan_json::in_words;
}

fn plan_in_words(bytes: &[u8]) -> String {
    match STORM.plan(bytes) {
        Ok(plan) => storm::in_words(&plan),
        Err(error) => error.to_string(),
    }
}

/// The command that replays an artifact as a plan.
fn replay(file: &str) -> String {
    let mut command = format!("cargo run --release -- replay {file}");
    if STORM.subject() != squall_fuzzing::DEFAULT_SUBJECT {
        command.push_str(&format!(" --subject {}", STORM.subject()));
    }
    command
}

/// Choices for a plan that is made from no other. The same `seed` gives the same ones.
pub fn fresh(seed: u32) -> Vec<u8> {
    let mut choices = Choices::labelled(seed.into(), "fresh input", 0);
    let length = choices.between(64, 512);
    (0..length).map(|_| choices.below(256) as u8).collect()
}

/// An input of a target.
pub struct Input<T>(pub Vec<u8>, PhantomData<T>);

impl<'a, T> Arbitrary<'a> for Input<T> {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let all = bytes.len();
        let bytes = bytes.bytes(all)?;
        Ok(Self(bytes.to_vec(), PhantomData))
    }

    fn arbitrary_take_rest(bytes: Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self(bytes.take_rest().to_vec(), PhantomData))
    }
}

/// What it stands for in words, and the command that reproduces it from where libFuzzer puts what it
/// finds.
impl<T: Target> fmt::Debug for Input<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = T::in_words(&self.0);
        write!(f, "{}\nreproduce  {}", words.trim_end(), self.command())
    }
}

impl<T: Target> Input<T> {
    /// The command that reproduces it, once libFuzzer has written it.
    fn command(&self) -> String {
        let hash = Sha1::digest(&self.0);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        T::repeat(&format!("fuzz/artifacts/{}/crash-{hex}", T::NAME))
    }

    /// Ends the process with a finding, where there is one, so that libFuzzer keeps the input.
    ///
    /// # Panics
    /// For a finding.
    pub fn judge(&self, checked: Result<(), Finding>) {
        if let Err(finding) = checked {
            panic!("{finding}\nreproduce  {}\n", self.command());
        }
    }
}
