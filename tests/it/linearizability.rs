//! The linearizability checker against an oracle that tries every order.

use squall_fuzzing::linearizability::{Service, compare};
use squall_world::rng::Choices;

const HISTORIES: u64 = 10_000;

/// Histories by their verdicts, and by whether their true order still is a witness.
#[derive(Debug, Default)]
struct Tally {
    legal: u64,
    illegal: u64,
    settled_by_witness: u64,
}

fn compare_with_oracle(service: Service, name: &str) {
    let mut tally = Tally::default();
    for seed in 0..HISTORIES {
        let choices = &mut Choices::labelled(seed, name, 0);
        let agreed = compare(service, choices).unwrap_or_else(|it| panic!("seed {seed}: {it}"));
        tally.legal += u64::from(agreed.legal);
        tally.illegal += u64::from(!agreed.legal);
        tally.settled_by_witness += u64::from(agreed.settled_by_witness);
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

#[test]
fn a_register_agrees_with_the_oracle() {
    compare_with_oracle(Service::Register, "register");
}

#[test]
fn a_map_split_by_key_agrees_with_the_oracle() {
    compare_with_oracle(Service::SplitMap, "split");
}

#[test]
fn a_map_with_operations_on_all_keys_agrees_with_the_oracle() {
    compare_with_oracle(Service::JoinedMap, "joined");
}

#[test]
fn a_lock_agrees_with_the_oracle() {
    compare_with_oracle(Service::Lock, "lock");
}
