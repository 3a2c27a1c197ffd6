//! A subject around which a user's own state machine is replicated, in place of Squall's.

use std::hash::Hash;

use crate::options::Feature;
use crate::own::{DriverOption, KnownIssue};
use crate::replica::{BootContext, BootError, Message, Output, Recovered, Subject};
use crate::service::{Commands, Machine, Service};
use squall_linearizability::Model;

/// A subject whose nodes replicate a [`Machine`] in place of Squall's keys and locks, whatever the
/// subject: its adapter runs it with no change.
///
/// Clients ask for what the [`Commands`] draw. Each answer that they get must be what the committed
/// log gives on the harness's own machine, and the states of nodes at an index must be equal. With
/// a [model](WithMachine::with_model_of), answers are checked against that as well. Commands that
/// clients send again apply once, by Squall's sessions. There are no reads around the log: clients
/// ask for everything through the log.
///
/// ```no_run
/// # use squall_core::adapter::with_machine::WithMachine;
/// # use squall_core::replica::Subject;
/// # use squall_core::service::{Commands, Machine};
/// use squall_world::rng::Choices;
///
/// #[derive(Clone)]
/// struct Counter(u64);
///
/// impl Machine for Counter {
///     fn apply(&mut self, command: &[u8]) -> Vec<u8> {
///         self.0 += command.len() as u64;
///         self.0.to_string().into()
///     }
///
///     fn snapshot(&self) -> Vec<u8> {
///         self.0.to_le_bytes().into()
///     }
///
///     fn restore(&mut self, snapshot: &[u8]) -> bool {
///         let whole = snapshot.try_into().map(|bytes| self.0 = u64::from_le_bytes(bytes));
///         whole.is_ok()
///     }
/// }
///
/// struct Steps;
///
/// impl Commands for Steps {
///     fn draw(&self, _client: u32, choices: &mut Choices) -> Vec<u8> {
///         vec![b'+'; choices.between(1, 9) as usize]
///     }
/// }
///
/// # fn around(my_raft: impl Subject) {
/// let counting = WithMachine::new(my_raft, Counter(0), Steps);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WithMachine<S> {
    subject: S,
    service: Service,
}

impl<S: Subject> WithMachine<S> {
    /// `subject`, with `machine` in its first state on each node, and clients that ask for what
    /// `commands` draws.
    pub fn new(subject: S, machine: impl Machine, commands: impl Commands) -> Self {
        let service = Service::of_machine(machine, commands);
        Self { subject, service }
    }

    /// The same, and what clients are told is checked for linearizability against `model`,
    /// whose inputs are the commands and whose outputs are the answers. The order of the log is
    /// tried first; where it does not explain what clients saw, any other order that the times
    /// allow may.
    #[must_use]
    pub fn with_model<M>(self, model: M) -> Self
    where
        M: Model<Input = Vec<u8>, Output = Vec<u8>> + Send + Sync + 'static,
        M::State: Send + Sync,
    {
        Self {
            service: self.service.with_model(model),
            ..self
        }
    }
}

impl<S: Subject> WithMachine<S> {
    /// The same with `perform` as the model: it carries a command out on a state, which is `first`
    /// before the first command, and returns the answer. It is the machine again, written as
    /// plainly as possible.
    #[must_use]
    pub fn with_model_of<T>(self, first: T, perform: fn(&mut T, &[u8]) -> Vec<u8>) -> Self
    where
        T: Clone + Eq + Hash + Send + Sync + 'static,
    {
        self.with_model(ByFunction { first, perform })
    }
}

/// A model that says what is answered.
struct ByFunction<T> {
    first: T,
    perform: fn(&mut T, &[u8]) -> Vec<u8>,
}

impl<T: Clone + Eq + Hash> Model for ByFunction<T> {
    type State = T;
    type Input = Vec<u8>;
    type Output = Vec<u8>;
    type Key = ();

    fn initial(&self) -> T {
        self.first.clone()
    }

    fn step(&self, state: &mut T, command: &Vec<u8>, told: Option<&Vec<u8>>) -> bool {
        let mut after = state.clone();
        let answer = (self.perform)(&mut after, command);
        let fits = told.is_none_or(|told| *told == answer);
        if fits {
            *state = after;
        }
        fits
    }
}

impl<S: Subject> Subject for WithMachine<S> {
    type Replica = S::Replica;

    fn supports(&self) -> &'static [Feature] {
        self.subject.supports()
    }

    fn options(&self) -> &'static [DriverOption] {
        self.subject.options()
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        self.subject.known_issues()
    }

    fn uses_streams(&self) -> bool {
        self.subject.uses_streams()
    }

    fn service(&self) -> Service {
        self.service.clone().for_another_run()
    }

    /// # Panics
    /// When a subject around this one does not pass on [`Subject::service`].
    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<S>>,
    ) -> Result<S::Replica, BootError> {
        assert!(
            !boot.service.is_own(),
            "a subject around WithMachine has to hand on Subject::service"
        );
        self.subject.boot(boot, disk, out)
    }
}
