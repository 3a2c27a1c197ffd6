//! Sweeps mutants of the library, and says which are caught.

fn main() -> std::process::ExitCode {
    squall_tools::mutants()
}
