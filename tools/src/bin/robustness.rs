//! Puts Squall through what nobody wishes it.

fn main() -> std::process::ExitCode {
    squall_tools::robustness()
}
