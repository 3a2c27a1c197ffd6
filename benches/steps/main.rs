//! What a step costs: the engine with every check on, against the bare library
//! on the same events in the same order. `--help` lists the modes.

mod clock;
mod floor;
mod instructions;
mod other;
mod score;
mod steady;
mod tape;

use std::process::ExitCode;

use squall_core::options::Persistence;

use clock::median;
use floor::Floor;
use steady::{Scope, Steady};

const HELP: &str = "\
What a step costs, fault-free: squall's engine with every check on, against bare
raft 0.7.0 (RawNode over MemStorage) on the same events in the same order. Once
with opaque commands and the checks of the log alone, once with the service,
clients' histories and their checks as well; the bare side has no service in either.

cargo bench --bench steps                      CPU time a step and their ratio, the cost of
                                               setting a run up, and the speed of `storm`
cargo bench --bench steps -- --instructions    the same ratio in instructions; needs valgrind
cargo bench --bench steps -- --memory          peak memory of one run of 20 million steps
cargo bench --bench steps -- --help            this text
";

/// Repetitions of each side, taken in turns.
const ROUNDS: usize = 7;

enum Mode {
    /// Once through everything small, as `cargo test --benches` asks for.
    Smoke,
    Time,
    Instructions,
    Memory,
    Alone(instructions::Side, Steady),
    Help,
}

fn main() -> ExitCode {
    match mode(std::env::args().skip(1)) {
        Ok(Mode::Help) => print!("{HELP}"),
        Ok(Mode::Smoke) => smoke(),
        Ok(Mode::Time) => time(),
        Ok(Mode::Memory) => other::memory(),
        Ok(Mode::Alone(side, steady)) => instructions::alone(side, steady),
        Ok(Mode::Instructions) => {
            if let Err(reason) = instructions::compare() {
                eprintln!("error: {reason}");
                return ExitCode::from(2);
            }
        }
        Err(reason) => {
            eprintln!("error: {reason}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn mode(arguments: impl Iterator<Item = String>) -> Result<Mode, String> {
    let mut mode = Mode::Smoke;
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo passes this one, and it comes last.
            "--bench" => {
                if matches!(mode, Mode::Smoke) {
                    mode = Mode::Time;
                }
            }
            "--instructions" => mode = Mode::Instructions,
            "--memory" => mode = Mode::Memory,
            "--help" | "-h" => return Ok(Mode::Help),
            instructions::ALONE => {
                let (side, steady) = instructions::parse_alone(arguments)?;
                return Ok(Mode::Alone(side, steady));
            }
            other => {
                return Err(format!(
                    "unknown argument {other:?}; legal are --instructions, --memory and --help"
                ));
            }
        }
    }
    Ok(mode)
}

/// The measured mixes of a scope: 3, 5 and 7 nodes, with each way to wait for a disk.
fn mixes(scope: Scope, heal_us: u64) -> impl Iterator<Item = Steady> {
    [Persistence::Synchronous, Persistence::Asynchronous]
        .into_iter()
        .flat_map(move |persistence| {
            [3, 5, 7].map(|voters| Steady {
                scope,
                voters,
                persistence,
                heal_us,
            })
        })
}

fn smoke() {
    for scope in Scope::ALL {
        for steady in mixes(scope, 500_000) {
            let outcome = steady.run();
            Floor::record(&steady).replay(&outcome, clock::cpu_ns);
        }
    }
    other::set_up();
}

fn time() {
    println!(
        "CPU time a step, median of {ROUNDS} rounds in turns (targets: log checks at most 1.4)"
    );
    println!("bare: the same events stepped into raft 0.7.0 alone, no service, no checks");
    for scope in Scope::ALL {
        println!("\n{}\n{}", scope.words(), Steady::HEADER);
        for steady in mixes(scope, 15_000_000) {
            compare(&steady);
        }
    }
    println!();
    other::set_up();
    other::storm();
}

fn compare(steady: &Steady) {
    let floor = Floor::record(steady);
    let (mut bare, mut full, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut steps = 0;
    for _ in 0..ROUNDS {
        let start = clock::cpu_ns();
        let outcome = steady.run();
        let full_ns = (clock::cpu_ns() - start) as f64 / outcome.steps as f64;
        let bare_ns = floor.replay(&outcome, clock::cpu_ns) as f64 / outcome.steps as f64;
        steps = outcome.steps;
        bare.push(bare_ns);
        full.push(full_ns);
        ratios.push(full_ns / bare_ns);
    }
    println!(
        "{} {:>9} {:>9.0} ns {:>9.0} ns {:>7.2}",
        steady.words(),
        steps,
        median(bare),
        median(full),
        median(ratios)
    );
}
