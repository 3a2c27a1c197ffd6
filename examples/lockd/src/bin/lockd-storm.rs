//! lockd under the storm: sweeps, replays and shrinks as `squall` does, over lockd as it is and
//! with injected mistakes.
//!
//!     cargo madsim run --package lockd --bin lockd-storm -- sweep --profile
//! examples/lockd/storm.toml

#[cfg(madsim)]
fn main() -> std::process::ExitCode {
    squall::cli::main(lockd::storm::subjects())
}

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    eprintln!(
        "lockd-storm: this is built without simulation; `cargo madsim run --package lockd --bin lockd-storm` builds it with"
    );
    std::process::ExitCode::from(2)
}
