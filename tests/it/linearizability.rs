//! The linearizability checker against an oracle that tries every order.

use std::collections::BTreeSet;
use std::fmt::Debug;

use squall::linearizability::models::{
    KeyValue, KeyValueInput, KeyValueOutput, Lock, LockInput, LockOutput, Register, RegisterInput,
    RegisterOutput,
};
use squall::linearizability::{
    Budget, Ending, Model, Operation, Stream, Verdict, check, check_witness, judge,
};
use squall::rng::Choices;

const HISTORIES: u64 = 10_000;

type History<M> = Vec<Operation<<M as Model>::Input, <M as Model>::Output>>;

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

/// That `order` is a linearization, by its definition.
#[track_caller]
fn assert_linearization<M: Model>(model: &M, history: &History<M>, order: &[usize]) {
    let placed: BTreeSet<usize> = order.iter().copied().collect();
    assert_eq!(placed.len(), order.len(), "an operation is placed twice");
    let mut state = model.initial();
    for (place, &at) in order.iter().enumerate() {
        let operation = &history[at];
        assert!(model.step(&mut state, &operation.input, operation.output()));
        assert!(
            order[..place]
                .iter()
                .all(|&before| !operation.precedes(&history[before]))
        );
    }
    for (at, operation) in history.iter().enumerate() {
        match operation.ending {
            Ending::Ok { .. } => assert!(placed.contains(&at)),
            Ending::Failed => assert!(!placed.contains(&at)),
            Ending::Unknown => {}
        }
    }
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

/// Histories by their verdicts, and by whether their true order still is a witness.
#[derive(Debug, Default)]
struct Tally {
    legal: u64,
    illegal: u64,
    settled_by_witness: u64,
}

fn compare_with_oracle<M: Model<Key: Debug> + Clone>(
    model: &M,
    name: &str,
    inputs: impl Fn(&mut Choices) -> M::Input,
    outputs: &[M::Output],
) where
    M::Input: Clone + Debug,
    M::Output: Clone + Debug,
{
    let mut tally = Tally::default();
    for seed in 0..HISTORIES {
        let choices = &mut Choices::labelled(seed, name, 0);
        let (history, positions) = draw(model, choices, &inputs, outputs);
        let legal = oracle(model, &history, &model.initial(), &mut Vec::new());
        let verdict = check(model, &history, Budget::default());
        match &verdict {
            Verdict::Linearizable { order } => assert_linearization(model, &history, order),
            Verdict::NotLinearizable(found) => {
                let _ = found.tell(&history);
                assert!(!found.stuck.is_empty());
            }
            Verdict::Unknown { .. } => panic!("seed {seed}: {history:#?}"),
        }
        let said = matches!(verdict, Verdict::Linearizable { .. });
        assert_eq!(said, legal, "seed {seed}: {verdict:?}\n{history:#?}");

        let by_witness = check_witness(model, &history, &positions);
        if let Ok(order) = &by_witness {
            assert_linearization(model, &history, order);
        }
        let streamed = stream(model, &history, &positions, choices);
        assert!(!streamed || by_witness.is_ok(), "seed {seed}: {history:#?}");
        let judgement = judge(model, &history, &positions, Budget::default());
        let judged = matches!(judgement.verdict, Verdict::Linearizable { .. });
        assert_eq!(judged, legal, "seed {seed}: {history:#?}");
        assert_eq!(judgement.searched == 0, by_witness.is_ok(), "seed {seed}");

        let mut wrong = positions;
        choices.shuffle(&mut wrong);
        let judgement = judge(model, &history, &wrong, Budget::default());
        let judged = matches!(judgement.verdict, Verdict::Linearizable { .. });
        assert_eq!(judged, legal, "seed {seed}, {wrong:?}: {history:#?}");

        tally.legal += u64::from(legal);
        tally.illegal += u64::from(!legal);
        tally.settled_by_witness += u64::from(by_witness.is_ok());
    }
    let Tally {
        legal,
        illegal,
        settled_by_witness,
    } = tally;
    let least = legal.min(illegal).min(settled_by_witness);
    assert!(
        least > HISTORIES / 10,
        "{name}: {tally:?} exercises too little"
    );
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

#[test]
fn a_register_agrees_with_the_oracle() {
    let inputs = |choices: &mut Choices| match choices.below(3) {
        0 => RegisterInput::Read,
        1 => RegisterInput::Write(choices.below(3)),
        _ => RegisterInput::CompareAndSet {
            expected: choices.below(3),
            new: choices.below(3),
        },
    };
    let mut outputs = vec![RegisterOutput::Written];
    outputs.extend((0..3).map(RegisterOutput::Value));
    outputs.extend([true, false].map(RegisterOutput::Swapped));
    compare_with_oracle(&Register { initial: 0 }, "register", inputs, &outputs);
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

#[test]
fn a_map_split_by_key_agrees_with_the_oracle() {
    let inputs = |choices: &mut Choices| key_value_inputs(choices, 6);
    compare_with_oracle(&KeyValue, "split", inputs, &key_value_outputs());
}

#[test]
fn a_map_with_operations_on_all_keys_agrees_with_the_oracle() {
    let inputs = |choices: &mut Choices| key_value_inputs(choices, 7);
    compare_with_oracle(&KeyValue, "joined", inputs, &key_value_outputs());
}

#[test]
fn a_lock_agrees_with_the_oracle() {
    let inputs = |choices: &mut Choices| {
        let who = choices.below(2) as u32;
        *choices.pick(&[
            LockInput::Acquire(who),
            LockInput::TryAcquire(who),
            LockInput::Release(who),
        ])
    };
    let outputs = [LockOutput::Granted, LockOutput::Denied];
    compare_with_oracle(&Lock, "lock", inputs, &outputs);
}
