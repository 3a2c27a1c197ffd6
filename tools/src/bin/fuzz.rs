//! Runs all fuzz targets in turn within a budget.

fn main() -> std::process::ExitCode {
    squall_tools::fuzz()
}
