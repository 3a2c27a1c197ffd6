//! Lists what users of the published crates can name.

fn main() -> std::process::ExitCode {
    squall_tools::public_api()
}
