//! The service as a linearizability checker sees it: one object for each key,
//! and one for all locks, which share a clock. Sessions are not part of it: an
//! operation takes effect once however often it was sent, or that is what is wrong.

use serde::{Deserialize, Serialize};

use super::{Answer, Command, Kv, Locks, Service};
use squall_linearizability::Model;

/// The service without sessions, from some state on.
#[derive(Clone, Debug, Default)]
pub struct ServiceModel {
    kv: Kv,
    locks: Locks,
}

/// One of the objects that the service is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A key of the store.
    Key(u8),
    /// All locks.
    Locks,
}

impl Part {
    /// The object that `command` is about.
    pub fn of(command: &Command) -> Self {
        match command.operation.key() {
            Some(key) => Part::Key(key % super::KEYS),
            None => Part::Locks,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Key(key) => write!(f, "k{key}"),
            Part::Locks => f.write_str("the locks"),
        }
    }
}

impl From<&Service> for ServiceModel {
    fn from(service: &Service) -> Self {
        Self {
            kv: service.kv,
            locks: service.locks.clone(),
        }
    }
}

impl Model for ServiceModel {
    type State = (Kv, Locks);
    type Input = Command;
    type Output = Answer;
    type Key = Part;

    fn initial(&self) -> Self::State {
        (self.kv, self.locks.clone())
    }

    fn step(
        &self,
        (kv, locks): &mut Self::State,
        command: &Command,
        output: Option<&Answer>,
    ) -> bool {
        let fits = |answer: Answer| output.is_none_or(|output| *output == answer);
        let Command {
            client,
            time_us,
            operation,
            ..
        } = *command;
        if operation.key().is_some() {
            let before = *kv;
            let fits = fits(kv.apply(operation));
            if !fits {
                *kv = before;
            }
            return fits;
        }
        let mut after = locks.clone();
        let fits = fits(after.apply(client, time_us, operation, None));
        if fits {
            *locks = after;
        }
        fits
    }

    fn key(&self, command: &Command) -> Option<Part> {
        Some(Part::of(command))
    }

    fn is_read_only(&self, command: &Command, output: Option<&Answer>) -> bool {
        let failed = matches!(output, Some(Answer::Differs { .. }));
        command.operation.only_reads() || failed
    }
}
