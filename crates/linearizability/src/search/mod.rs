//! The search for a linearization of one partition.
//!
//! Depth first over the operations that may come next: those that were invoked
//! before any that is not yet placed was over (Wing & Gong). What has been tried
//! is remembered as the set of placed operations and the state they lead to, and not
//! tried again (Lowe). Three things are added, each of which only leaves out
//! what cannot lead to a linearization if what is kept does not.
//!
//! - An operation that reads only is placed as soon as it fits. Wherever else it stands in a
//!   linearization, it can be moved here: it changes nothing, and nothing that is not placed had to
//!   come before it.
//! - Operations of unknown outcome are tried after all others, and need not be placed.
//! - Of two ways to have placed the same operations that returned and to have come to the same
//!   state, one of which used up no operation of unknown outcome that the other did not, the other
//!   is dropped: whatever it can go on with, the one can. Nor is one of unknown outcome placed
//!   right after another that makes no difference to it. Without this, each write that timed out
//!   would double the work.
//!
//! What stays hard is to show that there is no linearization when many operations of
//! unknown outcome do make a difference, say a hundred increments that timed out.
//! A caller who knows that one of them never happened should say that it failed.

mod events;
mod memo;

use super::history::Operation;
use super::model::Model;
use super::verdict::Budget;

use events::{Entry, Events, NONE, Pending};
use memo::{Bits, Interner, Memo, Placed};

/// The steps that are left of a budget.
pub(super) struct Steps {
    budget: Budget,
    left: u64,
}

impl Steps {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            left: budget.steps,
        }
    }

    pub(super) fn taken(&self) -> u64 {
        self.budget.steps - self.left
    }

    fn take(&mut self) -> bool {
        let some_left = self.left > 0;
        self.left -= u64::from(some_left);
        some_left
    }
}

/// What a search came to.
pub(super) enum Found {
    /// A linearization.
    Order(Vec<usize>),
    /// There is none. See [`Counterexample`](super::Counterexample).
    Nothing {
        prefix: Vec<usize>,
        stuck: Vec<usize>,
    },
    OutOfSteps,
}

/// Searches for a linearization of the operations of `history` at `members`.
pub(super) fn search<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    members: &[usize],
    steps: &mut Steps,
) -> Found {
    Search::new(model, history, members).run(steps)
}

/// An operation that may come next.
#[derive(Clone, Copy)]
enum Pick {
    /// One that returned, by its number in the order of invocations.
    Returned(u32),
    /// One of unknown outcome, by its number likewise.
    Pending(u32),
}

/// What is to be tried next, from where one is.
#[derive(Clone, Copy)]
enum Cursor {
    /// The read-only ones among those that returned, from this entry on.
    Reads(u32),
    /// The others that returned, from this entry on.
    Writes(u32),
    /// Those of unknown outcome, from this one on, if invoked by the time given.
    Pending(u32, u64),
    Exhausted,
}

/// A choice, and what is needed to take it back.
struct Frame {
    pick: Pick,
    /// The operation's place in the history.
    at: usize,
    resume: Cursor,
    state: u32,
    pending: u32,
    highest: u32,
}

enum Tried {
    Taken,
    Refused,
    /// It leads to where the search has been.
    Known,
}

struct Search<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Input, M::Output>],
    events: Events,
    unknown: Pending,
    /// Whether an operation that returned is read-only, by number.
    read_only: Vec<bool>,
    stack: Vec<Frame>,
    placed: Placed,
    states: Interner<M::State>,
    pending_sets: Interner<Bits>,
    memo: Memo,
    /// The state where one is, in `states`, and a copy of it to step.
    state: u32,
    scratch: M::State,
    /// The unknown ones placed so far, in `pending_sets`.
    pending: u32,
    best: Best,
}

/// The longest order met, kept up without copying the stack at every dead end.
#[derive(Default)]
struct Best {
    /// How many operations that returned are in it.
    returned: Option<u32>,
    order: Vec<usize>,
    /// How far the stack has stayed the same since.
    common: usize,
    stuck: Vec<usize>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, history: &'a [Operation<M::Input, M::Output>], members: &[usize]) -> Self {
        let events = Events::new(history, members);
        let read_only = events
            .operations()
            .map(|at| model.is_read_only(&history[at].input, history[at].output()))
            .collect();
        let mut states = Interner::default();
        let scratch = model.initial();
        let state = states.intern(&scratch);
        let mut pending_sets = Interner::default();
        let pending = pending_sets.intern(&Bits::default());
        let placed = Placed::new(events.len());
        let mut memo = Memo::default();
        memo.enter(placed.configuration(state), pending, &pending_sets);
        Self {
            model,
            history,
            unknown: Pending::new(history, members),
            events,
            read_only,
            stack: Vec::new(),
            placed,
            states,
            pending_sets,
            memo,
            state,
            scratch,
            pending,
            best: Best::default(),
        }
    }

    fn run(mut self, steps: &mut Steps) -> Found {
        let mut cursor = self.start();
        while self.placed.count() < self.events.len() {
            let Some(pick) = self.next(&mut cursor) else {
                self.note_dead_end();
                match self.take_back() {
                    Some(resume) => cursor = resume,
                    None => {
                        return Found::Nothing {
                            prefix: self.best.order,
                            stuck: self.best.stuck,
                        };
                    }
                }
                continue;
            };
            if !steps.take() {
                return Found::OutOfSteps;
            }
            let forced = matches!(cursor, Cursor::Reads(_));
            cursor = match self.try_pick(pick, cursor) {
                Tried::Taken => self.start(),
                // A read that fits makes every other choice here needless.
                Tried::Known if forced => Cursor::Exhausted,
                Tried::Refused | Tried::Known => self.after(pick, cursor),
            };
        }
        Found::Order(self.stack.into_iter().map(|frame| frame.at).collect())
    }

    fn start(&self) -> Cursor {
        Cursor::Reads(self.events.first())
    }

    /// The next operation to try, with `cursor` moved on to it.
    fn next(&self, cursor: &mut Cursor) -> Option<Pick> {
        loop {
            *cursor = match *cursor {
                Cursor::Reads(entry) => match self.events.entry(entry) {
                    Entry::Call(number) if self.read_only[number as usize] => {
                        return Some(Pick::Returned(number));
                    }
                    Entry::Call(_) => Cursor::Reads(self.events.next(entry)),
                    Entry::Return(_) => Cursor::Writes(self.events.first()),
                },
                Cursor::Writes(entry) => match self.events.entry(entry) {
                    // What reads only has been refused here.
                    Entry::Call(number) if self.read_only[number as usize] => {
                        Cursor::Writes(self.events.next(entry))
                    }
                    Entry::Call(number) => return Some(Pick::Returned(number)),
                    Entry::Return(number) => {
                        let deadline = self.history[self.events.at(number)].completed();
                        let deadline = deadline.expect("it has a return");
                        Cursor::Pending(self.unknown.first(), deadline)
                    }
                },
                Cursor::Pending(number, deadline) => {
                    if number != NONE && self.history[self.unknown.at(number)].invoked <= deadline {
                        return Some(Pick::Pending(number));
                    }
                    return None;
                }
                Cursor::Exhausted => return None,
            };
        }
    }

    /// What is to be tried when `pick`, to which `cursor` points, is done with.
    fn after(&self, pick: Pick, cursor: Cursor) -> Cursor {
        match (pick, cursor) {
            (Pick::Returned(_), Cursor::Reads(entry)) => Cursor::Reads(self.events.next(entry)),
            (Pick::Returned(_), Cursor::Writes(entry)) => Cursor::Writes(self.events.next(entry)),
            (Pick::Pending(number), Cursor::Pending(_, deadline)) => {
                Cursor::Pending(self.unknown.next(number), deadline)
            }
            _ => unreachable!("a cursor points to what was picked by it"),
        }
    }

    fn try_pick(&mut self, pick: Pick, cursor: Cursor) -> Tried {
        let (at, read_only) = match pick {
            Pick::Returned(number) => (self.events.at(number), self.read_only[number as usize]),
            Pick::Pending(number) => (self.unknown.at(number), false),
        };
        let operation = &self.history[at];
        let fits = self
            .model
            .step(&mut self.scratch, &operation.input, operation.output());
        if !fits || read_only {
            assert!(
                self.scratch == *self.states.get(self.state),
                "the model refused operation {at}, or calls it read-only, and yet changed the state"
            );
        }
        if !fits {
            return Tried::Refused;
        }
        if self.makes_the_last_needless(pick) {
            self.scratch.clone_from(self.states.get(self.state));
            return Tried::Known;
        }
        let resume = match cursor {
            Cursor::Reads(_) => Cursor::Exhausted,
            other => self.after(pick, other),
        };
        self.stack.push(Frame {
            pick,
            at,
            resume,
            state: self.state,
            pending: self.pending,
            highest: self.placed.highest(),
        });
        if !read_only {
            self.state = self.states.intern(&self.scratch);
        }
        match pick {
            Pick::Returned(number) => {
                self.events.lift(number);
                self.placed.insert(number);
            }
            Pick::Pending(number) => {
                self.unknown.lift(number);
                let with = self.pending_sets.get(self.pending).with(number);
                self.pending = self.pending_sets.intern(&with);
            }
        }
        let configuration = self.placed.configuration(self.state);
        if self
            .memo
            .enter(configuration, self.pending, &self.pending_sets)
        {
            return Tried::Taken;
        }
        self.pop();
        Tried::Known
    }

    /// Whether `pick`, just stepped, has led to the very state to which it would have led without
    /// the choice before it, and both are of unknown outcome. Then the way without that choice
    /// is as good, and is or will be tried from where that choice was made.
    fn makes_the_last_needless(&self, pick: Pick) -> bool {
        let (Pick::Pending(number), Some(last)) = (pick, self.stack.last()) else {
            return false;
        };
        if !matches!(last.pick, Pick::Pending(_)) {
            return false;
        }
        let input = &self.history[self.unknown.at(number)].input;
        let mut without = self.states.get(last.state).clone();
        self.model.step(&mut without, input, None) && without == self.scratch
    }

    /// Takes back the last choice; returns what is left to try where it was made.
    fn take_back(&mut self) -> Option<Cursor> {
        let resume = self.pop();
        self.best.common = self.best.common.min(self.stack.len());
        resume
    }

    fn pop(&mut self) -> Option<Cursor> {
        let frame = self.stack.pop()?;
        match frame.pick {
            Pick::Returned(number) => {
                self.events.put_back(number);
                self.placed.remove(number, frame.highest);
            }
            Pick::Pending(number) => self.unknown.put_back(number),
        }
        self.pending = frame.pending;
        if self.state != frame.state {
            self.state = frame.state;
            self.scratch.clone_from(self.states.get(self.state));
        }
        Some(frame.resume)
    }

    fn note_dead_end(&mut self) {
        let returned = self.placed.count();
        if self.best.returned.is_some_and(|best| returned <= best) {
            return;
        }
        let best = &mut self.best;
        best.returned = Some(returned);
        best.order.truncate(best.common);
        best.order
            .extend(self.stack[best.common..].iter().map(|frame| frame.at));
        best.common = self.stack.len();
        best.stuck.clear();
        let mut entry = self.events.first();
        while let Entry::Call(number) = self.events.entry(entry) {
            best.stuck.push(self.events.at(number));
            entry = self.events.next(entry);
        }
    }
}
