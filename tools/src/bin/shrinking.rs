//! Shrinks failures of one mutant, and says how small they get.

fn main() -> std::process::ExitCode {
    squall_tools::shrinking()
}
