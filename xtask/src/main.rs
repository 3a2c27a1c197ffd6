//! `cargo xtask NAME` builds the tool of that name in `tools` and becomes it, with the arguments
//! that follow.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

const TOOLS: [(&str, &str); 8] = [
    (
        "mutants",
        "sweep mutants of the library, and say which are caught",
    ),
    ("fuzz", "run all fuzz targets in turn within a budget"),
    (
        "shrinking",
        "shrink failures of one mutant, and say how small they get",
    ),
    ("strategies", "compare the strategies of sweeps"),
    ("portfolio", "work out the shares of the default portfolio"),
    (
        "public-api",
        "list what users of the published crates can name",
    ),
    (
        "reproductions",
        "write each finding as a crate that needs its library alone, and see it fail",
    ),
    ("robustness", "put Squall through what nobody wishes it"),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let name = arguments.next().unwrap_or_default();
    let name = name.to_string_lossy();
    if !TOOLS.iter().any(|(tool, _)| *tool == name) {
        let asked = matches!(&*name, "--help" | "-h" | "help");
        let mut help = String::from("cargo xtask TOOL [--help]\n\n");
        for (tool, about) in TOOLS {
            help += &format!("  {tool:<14}{about}\n");
        }
        if asked {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
        eprint!("error: no tool is called \"{name}\"\n\n{help}");
        return ExitCode::from(2);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // In this process's place, so that an interrupt and the exit status are the tool's.
    let failed = Command::new(cargo)
        .args([
            "run",
            "--quiet",
            "--package",
            "squall-tools",
            "--bin",
            &name,
            "--",
        ])
        .args(arguments)
        .exec();
    eprintln!("error: cargo does not run: {failed}");
    ExitCode::from(2)
}
