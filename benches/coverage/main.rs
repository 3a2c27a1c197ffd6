//! What coverage costs: the same sweep with and without it, in turns, in one process.
//! `steps_per_cpu_second` with it on is to be at least 85 % of that with it off.

use std::sync::atomic::AtomicBool;

use squall_core::plan::Profile;
use squall_explore::shard::Shard;
use squall_explore::strategy::Kind;
use squall_explore::sweep::Sweep;

/// Runs of one sweep, and pairs of sweeps.
const SEEDS: u64 = 400;
const ROUNDS: u64 = 7;

fn main() {
    // Cargo runs it for `cargo test --benches` too, where it has nothing to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let subject = squall::subject("raft-rs").expect("the default subject is there");
    let profile = Profile::load("storm").expect("storm is built in");
    let speed = |coverage: bool, first: u64| {
        let sweep = Sweep {
            subject: &subject,
            profile: &profile,
            strategy: Kind::Swarm,
            coverage,
            corpus: Vec::new(),
            seeds: first..first + SEEDS,
            shard: Shard::WHOLE,
            jobs: 1,
            time_limit: None,
            keep_going: true,
            stop: &AtomicBool::new(false),
            lookout: None,
        };
        sweep.run(|_| {}).steps_per_cpu_second()
    };
    speed(false, 0);
    println!("steps a second of processor time, {SEEDS} runs of storm each");
    println!("    without        with   with/without");
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let (without, with) = (speed(false, round * SEEDS), speed(true, round * SEEDS));
            println!("{without:>11.0} {with:>11.0} {:>14.3}", with / without);
            with / without
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("median {:.3}", ratios[ratios.len() / 2]);
}
