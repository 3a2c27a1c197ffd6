//! Compares the strategies of sweeps.

fn main() -> std::process::ExitCode {
    squall_tools::strategies()
}
