//! The command line: parses, runs, prints. Everything it can do, the library can.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
