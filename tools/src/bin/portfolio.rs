//! Works out the shares of the default portfolio.

fn main() -> std::process::ExitCode {
    squall_tools::portfolio()
}
