//! Writes each finding as a crate that needs nothing but its library, and sees it fail.

fn main() -> std::process::ExitCode {
    squall_tools::reproductions()
}
