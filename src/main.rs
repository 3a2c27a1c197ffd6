//! The command line over the subjects that come with this crate.

fn main() -> std::process::ExitCode {
    squall::cli::main(squall::subjects())
}
