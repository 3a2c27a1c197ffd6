//! The target `linearizability`: histories that bytes stand for, judged by the checker and by an
//! oracle that tries every order.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::{Finding, demand};
use squall_linearizability::models::{
    KeyValue, KeyValueInput, KeyValueOutput, Lock, LockInput, LockOutput, Register, RegisterInput,
    RegisterOutput,
};
use squall_linearizability::{
    Budget, Ending, Model, Operation, Stream, Verdict, check as search, check_witness, judge,
};
use squall_world::rng::Choices;

type History<M> = Vec<Operation<<M as Model>::Input, <M as Model>::Output>>;

/// The services whose histories are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// One value.
    Register,
    /// A map whose keys are judged one by one.
    SplitMap,
    /// A map with operations that touch all keys.
    JoinedMap,
    /// A lock.
    Lock,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [
        Service::Register,
        Service::SplitMap,
        Service::JoinedMap,
        Service::Lock,
    ];
}

/// What became of a history on which checker and oracle agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// It is linearizable.
    pub legal: bool,
    /// The order in which it came about still is a witness of that.
    pub settled_by_witness: bool,
}

/// Judges the history that `bytes` stand for.
///
/// # Errors
/// Where checker and oracle do not agree, with the history.
pub fn check(bytes: &[u8]) -> Result<(), Finding> {
    let mut choices = Choices::finite(bytes);
    let service = *choices.pick(&Service::ALL);
    compare(service, &mut choices).map(drop)
}

/// The history that `bytes` stand for, one operation a line, with the place in the order in which
/// each took effect.
pub fn in_words(bytes: &[u8]) -> String {
    let mut choices = Choices::finite(bytes);
    let service = *choices.pick(&Service::ALL);
    let history = of_service(service, &mut choices, Tell);
    format!("{service:?}\n{history}")
}

/// Draws a history of `service` and judges it.
///
/// # Errors
/// As [`check`].
pub fn compare(service: Service, choices: &mut Choices) -> Result<Agreed, Finding> {
    of_service(service, choices, Compare)
}

/// What is done with a history, whatever the model.
trait Visit {
    type Of;

    /// A history of this model has been drawn, and the order in which its operations took effect.
    fn visit<M: Model<Key: Debug> + Clone>(
        self,
        model: &M,
        history: History<M>,
        positions: Vec<Option<u64>>,
        choices: &mut Choices,
    ) -> Self::Of
    where
        M::Input: Clone + Debug,
        M::Output: Clone + Debug;
}

fn of_service<V: Visit>(service: Service, choices: &mut Choices, visit: V) -> V::Of {
    match service {
        Service::Register => {
            let model = Register { initial: 0 };
            let (history, positions) = draw(&model, choices, register_input, &register_outputs());
            visit.visit(&model, history, positions, choices)
        }
        Service::SplitMap | Service::JoinedMap => {
            let kinds = if service == Service::SplitMap { 6 } else { 7 };
            let input = |choices: &mut Choices| key_value_inputs(choices, kinds);
            let (history, positions) = draw(&KeyValue, choices, input, &key_value_outputs());
            visit.visit(&KeyValue, history, positions, choices)
        }
        Service::Lock => {
            let outputs = [LockOutput::Granted, LockOutput::Denied];
            let (history, positions) = draw(&Lock, choices, lock_input, &outputs);
            visit.visit(&Lock, history, positions, choices)
        }
    }
}

/// Writes it down.
struct Tell;

impl Visit for Tell {
    type Of = String;

    fn visit<M: Model<Key: Debug> + Clone>(
        self,
        _: &M,
        history: History<M>,
        positions: Vec<Option<u64>>,
        _: &mut Choices,
    ) -> String
    where
        M::Input: Clone + Debug,
        M::Output: Clone + Debug,
    {
        let lines = history.iter().zip(positions).map(|(operation, position)| {
            let place = position.map_or("no effect".to_owned(), |place| format!("effect {place}"));
            format!(
                "{place}: {:?} from {}, {:?}\n",
                operation.input, operation.invoked, operation.ending
            )
        });
        lines.collect()
    }
}

/// Judges it, by the checker and by the oracle.
struct Compare;

impl Visit for Compare {
    type Of = Result<Agreed, Finding>;

    fn visit<M: Model<Key: Debug> + Clone>(
        self,
        model: &M,
        history: History<M>,
        positions: Vec<Option<u64>>,
        choices: &mut Choices,
    ) -> Result<Agreed, Finding>
    where
        M::Input: Clone + Debug,
        M::Output: Clone + Debug,
    {
        let hold = |holds: bool, what: &str| {
            demand(holds, || format!("{what}\n{history:#?}\n{positions:?}"))
        };
        let legal = oracle(model, &history, &model.initial(), &mut Vec::new());
        match search(model, &history, Budget::default()) {
            Verdict::Linearizable { order } => {
                let true_one = is_linearization(model, &history, &order);
                hold(true_one, "the order found is no linearization")?;
                hold(legal, "an order is found, and the oracle finds none")?;
            }
            Verdict::NotLinearizable(found) => {
                let _ = found.tell(&history);
                hold(!found.stuck.is_empty(), "a counterexample without a place")?;
                hold(!legal, "no order is found, and the oracle finds one")?;
            }
            Verdict::Unknown { .. } => hold(false, "a search of so few operations ends early")?,
        }
        let by_witness = check_witness(model, &history, &positions);
        if let Ok(order) = &by_witness {
            let true_one = is_linearization(model, &history, order);
            hold(true_one, "a witness is taken for one that is none")?;
        }
        let streamed = stream(model, &history, &positions, choices);
        hold(
            !streamed || by_witness.is_ok(),
            "the stream takes what is no witness",
        )?;
        let judged = |positions: &[Option<u64>]| {
            let judgement = judge(model, &history, positions, Budget::default());
            let legal = matches!(judgement.verdict, Verdict::Linearizable { .. });
            (legal, judgement.searched)
        };
        let (said, searched) = judged(&positions);
        hold(said == legal, "the judgement by a witness is another")?;
        hold(
            (searched == 0) == by_witness.is_ok(),
            "searched for nothing, or not at all",
        )?;
        let mut wrong = positions.clone();
        choices.shuffle(&mut wrong);
        let (said, _) = judged(&wrong);
        hold(said == legal, "the judgement by a wrong witness is another")?;
        Ok(Agreed {
            legal,
            settled_by_witness: by_witness.is_ok(),
        })
    }
}

/// Tries every order of every choice of operations that has all that returned.
fn oracle<M: Model>(
    model: &M,
    history: &History<M>,
    state: &M::State,
    order: &mut Vec<usize>,
) -> bool {
    let returned = |at: &usize| matches!(history[*at].ending, Ending::Ok { .. });
    if (0..history.len())
        .filter(returned)
        .all(|at| order.contains(&at))
    {
        return true;
    }
    (0..history.len()).any(|at| {
        let next = &history[at];
        let out = order.contains(&at)
            || matches!(next.ending, Ending::Failed)
            || order
                .iter()
                .any(|&earlier| next.precedes(&history[earlier]));
        let mut state = state.clone();
        if out || !model.step(&mut state, &next.input, next.output()) {
            return false;
        }
        order.push(at);
        let found = oracle(model, history, &state, order);
        order.pop();
        found
    })
}

/// Whether `order` is a linearization, by its definition.
fn is_linearization<M: Model>(model: &M, history: &History<M>, order: &[usize]) -> bool {
    let placed: BTreeSet<usize> = order.iter().copied().collect();
    let mut state = model.initial();
    let mut fits = |(place, &at): (usize, &usize)| {
        let operation = &history[at];
        let in_time = |&before: &usize| !operation.precedes(&history[before]);
        model.step(&mut state, &operation.input, operation.output())
            && order[..place].iter().all(in_time)
    };
    let has_its_place =
        |(at, operation): (usize, &Operation<M::Input, M::Output>)| match operation.ending {
            Ending::Ok { .. } => placed.contains(&at),
            Ending::Failed => !placed.contains(&at),
            Ending::Unknown => true,
        };
    placed.len() == order.len()
        && order.iter().enumerate().all(&mut fits)
        && history.iter().enumerate().all(has_its_place)
}

/// A history that some service might have, carried out in an order that is also
/// returned; then, half the time, with one output changed.
fn draw<M: Model>(
    model: &M,
    choices: &mut Choices,
    inputs: impl Fn(&mut Choices) -> M::Input,
    outputs: &[M::Output],
) -> (History<M>, Vec<Option<u64>>)
where
    M::Output: Clone,
{
    struct Planned<I> {
        input: I,
        invoked: u64,
        instant: u64,
        completed: u64,
    }
    let count = choices.between(1, 7);
    let mut planned: Vec<Planned<M::Input>> = (0..count)
        .map(|_| {
            let invoked = choices.below(12);
            let instant = invoked + choices.below(6);
            Planned {
                input: inputs(choices),
                invoked,
                instant,
                completed: instant + choices.below(6),
            }
        })
        .collect();
    planned.sort_by_key(|operation| operation.instant);
    let mut state = model.initial();
    let (mut history, mut positions) = (Vec::new(), Vec::new());
    for (place, operation) in (0..).zip(planned) {
        let Planned {
            input,
            invoked,
            completed,
            ..
        } = operation;
        let fits = |output: &&M::Output| model.step(&mut state.clone(), &input, Some(output));
        let output = outputs.iter().find(fits);
        let fate = choices.below(10);
        let (ending, happened) = match (output, fate) {
            (Some(output), 0..=6) => (
                Ending::Ok {
                    output: output.clone(),
                    at: completed,
                },
                true,
            ),
            (Some(_), 7) => (Ending::Unknown, true),
            (_, 8) => (Ending::Failed, false),
            _ => (Ending::Unknown, false),
        };
        if happened {
            assert!(model.step(&mut state, &input, output));
        }
        positions.push(happened.then_some(place));
        history.push(Operation {
            client: place as u32,
            input,
            invoked,
            ending,
        });
    }
    if choices.below(2) == 0 {
        let chosen = choices.below(count) as usize;
        if let Ending::Ok { output, .. } = &mut history[chosen].ending {
            *output = choices.pick(outputs).clone();
        }
    }
    (history, positions)
}

/// Whether a stream accepts the witness, told in a random order.
fn stream<M: Model + Clone>(
    model: &M,
    history: &History<M>,
    positions: &[Option<u64>],
    choices: &mut Choices,
) -> bool
where
    M::Input: Clone,
    M::Output: Clone,
{
    let mut told: Vec<usize> = (0..history.len())
        .filter(|&at| positions[at].is_some())
        .collect();
    choices.shuffle(&mut told);
    let mut stream = Stream::new(model.clone());
    for at in told {
        let position = positions[at].expect("only these are told");
        let _ = stream.push(position, history[at].clone());
    }
    let _ = stream.settle_before(choices.below(8));
    stream.finish().is_ok()
}

fn register_input(choices: &mut Choices) -> RegisterInput<u64> {
    match choices.below(3) {
        0 => RegisterInput::Read,
        1 => RegisterInput::Write(choices.below(3)),
        _ => RegisterInput::CompareAndSet {
            expected: choices.below(3),
            new: choices.below(3),
        },
    }
}

fn register_outputs() -> Vec<RegisterOutput<u64>> {
    let mut outputs = vec![RegisterOutput::Written];
    outputs.extend((0..3).map(RegisterOutput::Value));
    outputs.extend([true, false].map(RegisterOutput::Swapped));
    outputs
}

fn lock_input(choices: &mut Choices) -> LockInput {
    let who = choices.below(2) as u32;
    *choices.pick(&[
        LockInput::Acquire(who),
        LockInput::TryAcquire(who),
        LockInput::Release(who),
    ])
}

fn key_value_inputs(choices: &mut Choices, kinds: u64) -> KeyValueInput {
    let key = (*choices.pick(&["a", "b"])).to_owned();
    let value = (*choices.pick(&["x", "y"])).to_owned();
    match choices.below(kinds) {
        0 | 1 => KeyValueInput::Get { key },
        2 => KeyValueInput::Put { key, value },
        3 => KeyValueInput::CompareAndSet {
            key,
            expected: [None, Some("x".to_owned())][choices.below(2) as usize].clone(),
            new: value,
        },
        4 => KeyValueInput::Append { key, value },
        5 => KeyValueInput::Delete { key },
        _ => KeyValueInput::Keys,
    }
}

fn key_value_outputs() -> Vec<KeyValueOutput> {
    // All texts of `x` and `y` that seven operations can make.
    let mut texts = vec![String::new()];
    for from in 0..127 {
        let text: String = texts[from].clone();
        texts.extend(["x", "y"].map(|letter| format!("{text}{letter}")));
    }
    let mut outputs = vec![KeyValueOutput::Done, KeyValueOutput::Value(None)];
    outputs.extend([true, false].map(KeyValueOutput::Swapped));
    outputs.extend([true, false].map(KeyValueOutput::Deleted));
    let key_sets: [&[&str]; 4] = [&[], &["a"], &["b"], &["a", "b"]];
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    outputs.extend(key_sets.map(|keys| KeyValueOutput::Keys(owned(keys))));
    let texts = texts
        .into_iter()
        .skip(1)
        .map(|text| KeyValueOutput::Value(Some(text)));
    outputs.extend(texts);
    outputs
}
