//! Clients by script: a plan may list every operation that clients ask for, in
//! place of having them drawn. So a shrinker can leave out each for itself.

use serde::{Deserialize, Serialize};

use super::Plan;
use super::validate::{Impossible, MAX_TIME_US, at_most, check};
use crate::ids::NodeId;
use crate::own::Own;
use crate::service::{NUMBERS, Operation};

/// Operations that a plan may list.
const MOST_OPERATIONS: usize = 1_000_000;

/// One operation of a client. It is left out when its client still waits for an earlier
/// one as it is first asked for, and when it needs a lock's token and its client has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Who asks: a client, counted from 0.
    pub client: u32,
    /// For what. A lock's token stands for the one that the client was granted last.
    pub operation: Operation,
    /// It goes around the log, where the subject has that; for reads.
    pub around_log: bool,
    /// Ballast that the command carries.
    pub padding_bytes: u32,
    /// When, and of whom: once, and once more for each time it is asked for again if it
    /// has not been answered by then.
    pub tries: Vec<Try>,
    /// When the time of its last try is up, the client crashes, and another takes its place.
    pub crashes: bool,
}

/// One time that an operation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// When, in microseconds since the start.
    pub at_us: u64,
    /// Which node is asked.
    pub node: NodeId,
}

impl Plan {
    /// Makes sure that a subject which declares `own` does what the plan's script has clients ask
    /// for: commands of its machine where it has one, and operations on keys and locks where it has
    /// none.
    ///
    /// # Errors
    /// The first that it does not.
    pub fn check_script(&self, own: Own) -> Result<(), Impossible> {
        let is_done = |asked: &Asked| asked.operation.is_of_machine() == own.has_machine;
        let script = self.script.iter().flatten();
        match script.enumerate().find(|(_, asked)| !is_done(asked)) {
            None => Ok(()),
            Some((number, asked)) => Err(Impossible {
                field: format!("script[{number}].operation"),
                value: format!("\"{}\"", in_words(&asked.operation)),
                legal: match own.has_machine {
                    true => "a command of the machine that this subject replicates",
                    false => "on keys and locks, for this subject replicates no machine",
                }
                .to_owned(),
            }),
        }
    }

    /// Makes sure that nodes which need connections get them.
    pub(super) fn check_streams(&self, own: Own) -> Result<(), Impossible> {
        check(
            self.streams || !own.uses_streams,
            "streams",
            self.streams.to_string(),
            "true: this subject's nodes talk over connections".to_owned(),
        )
    }

    pub(super) fn validate_script(&self) -> Result<(), Impossible> {
        let Some(script) = &self.script else {
            return Ok(());
        };
        check(
            script.len() <= MOST_OPERATIONS,
            "script",
            format!("a list of {}", script.len()),
            format!("a list of at most {MOST_OPERATIONS}"),
        )?;
        for (number, asked) in script.iter().enumerate() {
            let field = |name: &str| format!("script[{number}].{name}");
            check(
                asked.client < self.workload.clients,
                field("client"),
                asked.client,
                format!(
                    "less than workload.clients, which is {}",
                    self.workload.clients
                ),
            )?;
            check(
                !asked.around_log || asked.operation.only_reads(),
                field("around_log"),
                true,
                "false for what is not a read",
            )?;
            at_most(field("padding_bytes"), asked.padding_bytes.into(), 1 << 20)?;
            check(
                !asked.tries.is_empty(),
                field("tries"),
                "an empty list",
                "at least one",
            )?;
            for one in &asked.tries {
                at_most(field("tries.at_us"), one.at_us, MAX_TIME_US)?;
                self.known_nodes(&field("tries.node"), &[one.node])?;
            }
            check(
                asked.tries.is_sorted_by_key(|one| one.at_us),
                field("tries"),
                "not in the order of their times",
                "in the order of their times",
            )?;
            check(
                !matches!(asked.operation, Operation::Revoke { .. }),
                field("operation"),
                "revoke",
                "what clients ask for: leaders revoke leases, with workload.leases_by_leader",
            )?;
            if let Operation::OfMachine { number: drawn_from } = asked.operation {
                at_most(field("operation.number"), drawn_from, NUMBERS - 1)?;
            }
            if let Operation::Acquire { lease_us, .. }
            | Operation::TryAcquire { lease_us, .. }
            | Operation::Renew { lease_us, .. } = asked.operation
            {
                // A lease whose end is the leader's to see has none by itself.
                let is_endless = self.workload.leases_by_leader && lease_us == u64::MAX;
                if !is_endless {
                    at_most(field("operation.lease_us"), lease_us, MAX_TIME_US)?;
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.in_words(&in_words(&self.operation)))
    }
}

impl Asked {
    /// Who asks when and of whom for `what`, which is the operation in words.
    pub fn in_words(&self, what: &str) -> String {
        struct Told<'a>(&'a Asked, &'a str);

        impl std::fmt::Display for Told<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.tell(self.1, f)
            }
        }

        Told(self, what).to_string()
    }

    fn tell(&self, what: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, one) in self.tries.iter().enumerate() {
            let time = crate::text::seconds(one.at_us);
            match nth {
                0 => write!(
                    f,
                    "at {time}: client {} asks {} to {what}",
                    self.client, one.node,
                )?,
                _ => write!(f, ", at {time} again of {}", one.node)?,
            }
        }
        if self.around_log {
            f.write_str(", around the log")?;
        }
        if self.crashes {
            f.write_str(", and crashes if it is not answered")?;
        }
        Ok(())
    }
}

/// An operation without the number of its token, which is whatever the client holds then.
fn in_words(operation: &Operation) -> String {
    let words = operation.to_string();
    match words.split_once(" with token ") {
        Some((what, _)) => format!("{what} with its token"),
        None => words,
    }
}
