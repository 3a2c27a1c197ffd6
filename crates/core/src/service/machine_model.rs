//! The sequential model of a machine whatever its type: it follows a log, and judges a history.

use std::fmt::Debug;
use std::sync::Arc;

use squall_linearizability::{Budget, Judgement, Model, Operation, Verdict, judge};

/// An operation on a machine, as a model sees it.
pub(crate) type OnMachine = Operation<Vec<u8>, Vec<u8>>;

/// A model.
pub(super) trait AnyModel: Send + Sync {
    /// It in its first state.
    fn follow(&self) -> Box<dyn Follower>;
}

/// A model that follows a log: it has the state that the log so far leads to, and an earlier one
/// that the histories begin with which it judges.
pub(crate) trait Follower: Debug + Send + Sync {
    /// The next command of the log was answered so: whether that is what comes of it.
    fn takes(&mut self, command: &[u8], answer: &[u8]) -> bool;

    /// Histories begin here from now on.
    fn cut(&mut self);

    /// Judges a history whose operations took effect at these positions of the log.
    fn judge(&self, history: &[OnMachine], positions: &[Option<u64>], budget: Budget) -> Judged;
}

/// What comes of a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The order of the log explains all.
    ByLog,
    /// Another order does.
    BySearch,
    /// The search ran out of its budget.
    NotYet,
    /// None does: these operations, by their places, have no place in any order.
    NoOrder(Vec<usize>),
}

impl<M> AnyModel for Arc<M>
where
    M: Model<Input = Vec<u8>, Output = Vec<u8>> + Send + Sync + 'static,
    M::State: Send + Sync,
{
    fn follow(&self) -> Box<dyn Follower> {
        let first = self.initial();
        Box::new(Following {
            model: Self::clone(self),
            base: first.clone(),
            now: first,
        })
    }
}

struct Following<M: Model> {
    model: Arc<M>,
    base: M::State,
    now: M::State,
}

impl<M: Model> Debug for Following<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").finish_non_exhaustive()
    }
}

impl<M> Follower for Following<M>
where
    M: Model<Input = Vec<u8>, Output = Vec<u8>> + Send + Sync,
    M::State: Send + Sync,
{
    fn takes(&mut self, command: &[u8], answer: &[u8]) -> bool {
        let (command, answer) = (command.to_vec(), answer.to_vec());
        let fits = self.model.step(&mut self.now, &command, Some(&answer));
        if !fits {
            // What it did, whatever it said.
            self.model.step(&mut self.now, &command, None);
        }
        fits
    }

    fn cut(&mut self) {
        self.base = self.now.clone();
    }

    fn judge(&self, history: &[OnMachine], positions: &[Option<u64>], budget: Budget) -> Judged {
        let Judgement {
            verdict, searched, ..
        } = judge(&From(self), history, positions, budget);
        match verdict {
            Verdict::Linearizable { .. } if searched == 0 => Judged::ByLog,
            Verdict::Linearizable { .. } => Judged::BySearch,
            Verdict::Unknown { .. } => Judged::NotYet,
            Verdict::NotLinearizable(counterexample) => Judged::NoOrder(counterexample.stuck),
        }
    }
}

/// The model from its base on.
struct From<'a, M: Model>(&'a Following<M>);

impl<M: Model> Model for From<'_, M> {
    type State = M::State;
    type Input = M::Input;
    type Output = M::Output;
    type Key = M::Key;

    fn initial(&self) -> M::State {
        self.0.base.clone()
    }

    fn step(&self, state: &mut M::State, input: &M::Input, output: Option<&M::Output>) -> bool {
        self.0.model.step(state, input, output)
    }

    fn key(&self, input: &M::Input) -> Option<M::Key> {
        self.0.model.key(input)
    }

    fn is_read_only(&self, input: &M::Input, output: Option<&M::Output>) -> bool {
        self.0.model.is_read_only(input, output)
    }
}
