//! What it costs to judge a history, by a witness and by search. Each row is
//! measured in a process of its own, for the peak of its memory. `--help` says more.

#[path = "../steps/clock.rs"]
#[allow(dead_code, reason = "only the time is needed of it")]
mod clock;
mod histories;

use std::process::{Command, ExitCode};

use squall_linearizability::models::{KeyValue, Register};
use squall_linearizability::{Budget, Judgement, Stream, Verdict, judge};

use histories::{Kept, Shape};

const HELP: &str = "\
What it costs to judge a history: CPU time, and the peak of resident memory with the
history itself in it, one process a row.

cargo bench --bench linearizability              every row
cargo bench --bench linearizability -- ROW       one row alone, in this process
cargo bench --bench linearizability -- --help    this text
";

/// A row: its name, and what it does with a history that many operations long at most.
type Row = (&'static str, u64, fn(u64) -> String);

const ROWS: &[Row] = &[
    ("witness-many-keys", 1_000_000, witness),
    ("witness-one-key", 1_000_000, witness_one_key),
    ("witness-stream", 1_000_000, stream),
    ("search-many-keys", 100_000, search),
    ("search-many-keys-long", 1_000_000, search),
    ("search-one-key", 100_000, search_one_key),
    ("search-register", 100_000, search_register),
    ("search-register-unknowns", 10_000, search_register_unknowns),
    ("violation-register", 100_000, violation_register),
    (
        "violation-register-unknowns",
        10_000,
        violation_register_unknowns,
    ),
];

const MANY_KEYS: Shape = Shape {
    keys: 1_000,
    unknown_ppm: 1_000,
};

const ONE_KEY: Shape = Shape {
    keys: 1,
    unknown_ppm: 0,
};

const ONE_IN_A_HUNDRED: u32 = 10_000;

fn main() -> ExitCode {
    let mut bench = false;
    let mut only = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bench" => bench = true,
            "--help" | "-h" => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            name => match ROWS.iter().find(|(row, ..)| *row == name) {
                Some(row) => only = Some(row),
                None => {
                    let names: Vec<&str> = ROWS.iter().map(|(row, ..)| *row).collect();
                    eprintln!(
                        "error: unknown row {name:?}; legal are {}",
                        names.join(", ")
                    );
                    return ExitCode::from(2);
                }
            },
        }
    }
    match only {
        Some((name, operations, row)) => println!("{name:28} {}", row(*operations)),
        // Once through everything small, as `cargo test --benches` asks for.
        None if !bench => ROWS.iter().for_each(|(.., row)| drop(row(1_000))),
        None => return every_row(),
    }
    ExitCode::SUCCESS
}

fn every_row() -> ExitCode {
    println!("1000000 operations that the log's order settles: targets under 10 s and 1000 MB");
    let this = std::env::current_exe().expect("a benchmark knows its own file");
    for (name, ..) in ROWS {
        let status = Command::new(&this).arg(name).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("error: {name} failed");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs `what` and tells its cost.
fn measured(operations: usize, what: impl FnOnce() -> String) -> String {
    let start = clock::cpu_ns();
    let told = what();
    let seconds = (clock::cpu_ns() - start) as f64 / 1e9;
    let peak = peak_kib().map_or("?".to_owned(), |kib| {
        format!("{:.0}", kib as f64 * 1.024e-3)
    });
    format!("{operations:>8} operations {seconds:>8.3} s {peak:>6} MB   {told}")
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn witness(operations: u64) -> String {
    by_witness(MANY_KEYS, operations)
}

fn witness_one_key(operations: u64) -> String {
    by_witness(ONE_KEY, operations)
}

fn by_witness(shape: Shape, operations: u64) -> String {
    let Kept { history, positions } = histories::key_value(shape, operations);
    measured(history.len(), || {
        let judgement = judge(&KeyValue, &history, &positions, Budget { steps: 0 });
        assert!(matches!(judgement.verdict, Verdict::Linearizable { .. }));
        format!("{} partitions, none searched", judgement.partitions)
    })
}

fn stream(operations: u64) -> String {
    measured(operations as usize, || {
        let mut stream = Stream::new(KeyValue);
        let mut most = 0;
        histories::each_key_value(MANY_KEYS, operations, |at, operation, position| {
            if let Some(position) = position {
                let told = stream.push(position, operation);
                told.expect("the order is right");
            }
            let told = stream.settle_before((at as u64, 0));
            told.expect("the order is right");
            most = most.max(stream.waiting());
        });
        stream.finish().expect("the order is right");
        format!("at most {most} kept; drawing them is in the time")
    })
}

fn search(operations: u64) -> String {
    by_search(MANY_KEYS, operations)
}

fn search_one_key(operations: u64) -> String {
    by_search(ONE_KEY, operations)
}

fn by_search(shape: Shape, operations: u64) -> String {
    let Kept { history, .. } = histories::key_value(shape, operations);
    measured(history.len(), || {
        let none = vec![None::<u64>; history.len()];
        told(&judge(&KeyValue, &history, &none, Budget::default()))
    })
}

fn search_register(operations: u64) -> String {
    in_a_register(histories::register(operations, 0))
}

fn search_register_unknowns(operations: u64) -> String {
    in_a_register(histories::register(operations, ONE_IN_A_HUNDRED))
}

fn violation_register(operations: u64) -> String {
    let mut history = histories::register(operations, 0);
    history.push(histories::phantom(operations));
    in_a_register(history)
}

fn violation_register_unknowns(operations: u64) -> String {
    let mut history = histories::register(operations, ONE_IN_A_HUNDRED);
    history.push(histories::phantom(operations));
    in_a_register(history)
}

fn in_a_register(history: histories::RegisterHistory) -> String {
    measured(history.len(), || {
        let none = vec![None::<u64>; history.len()];
        let register = Register { initial: 0 };
        told(&judge(&register, &history, &none, Budget::default()))
    })
}

fn told<K>(judgement: &Judgement<K>) -> String {
    let word = match judgement.verdict {
        Verdict::Linearizable { .. } => "linearizable",
        Verdict::NotLinearizable(_) => "not linearizable",
        Verdict::Unknown { .. } => "unknown",
    };
    format!("{word} after {} steps", judgement.explored)
}
