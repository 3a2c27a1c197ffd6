//! What the fuzz targets share. All that they test is in `squall::fuzzing`.

pub mod counters;

use std::fmt;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use sha1::{Digest, Sha1};
use squall::fuzzing::{Finding, Storm};

/// The environment variable that names the subject to storm over.
pub const SUBJECT: &str = "SQUALL_FUZZ_SUBJECT";

/// The subject under test, once for the process.
pub static STORM: LazyLock<Storm> = LazyLock::new(|| {
    let named = std::env::var(SUBJECT);
    let name = named.as_deref().unwrap_or(squall::subject::DEFAULT);
    Storm::over(name).unwrap_or_else(|error| {
        eprintln!("{SUBJECT}: {error}");
        std::process::exit(2)
    })
});

/// An input that stands for a plan.
pub struct PlanInput(pub Vec<u8>);

impl<'a> Arbitrary<'a> for PlanInput {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let all = bytes.len();
        bytes.bytes(all).map(|bytes| Self(bytes.to_vec()))
    }

    fn arbitrary_take_rest(bytes: Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self(bytes.take_rest().to_vec()))
    }
}

/// The plan in words, and the command that replays it from where libFuzzer puts what it finds.
impl fmt::Debug for PlanInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match STORM.plan(&self.0) {
            Ok(plan) => write!(
                f,
                "{}\nreplay   {}",
                squall::fuzzing::storm::in_words(&plan),
                replay("storm", &self.0)
            ),
            Err(error) => write!(f, "{error}"),
        }
    }
}

/// The command that replays an artifact as a plan.
fn replay(target: &str, bytes: &[u8]) -> String {
    let mut command = format!("cargo run --release -- replay {}", artifact(target, bytes));
    if STORM.subject() != squall::subject::DEFAULT {
        command.push_str(&format!(" --subject {}", STORM.subject()));
    }
    command
}

/// Where libFuzzer puts an input that fails.
fn artifact(target: &str, bytes: &[u8]) -> String {
    let hash = Sha1::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("fuzz/artifacts/{target}/crash-{hex}")
}

/// Ends the process with a finding, where there is one, so that libFuzzer keeps the input.
///
/// # Panics
/// For a finding.
pub fn judge(target: &str, bytes: &[u8], checked: Result<(), Finding>) {
    let Err(finding) = checked else {
        return;
    };
    let command = match target {
        "storm" => replay(target, bytes),
        _ => format!(
            "cargo +nightly fuzz run --sanitizer none {target} {}",
            artifact(target, bytes)
        ),
    };
    panic!("{finding}\nrepeat   {command}\n");
}
