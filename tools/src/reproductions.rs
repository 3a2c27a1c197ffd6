//! `cargo xtask reproductions`: each finding as a crate that needs nothing but its library, in
//! `sims/reproductions`, and whether the crate's test fails as it is to. Where `mends.toml` has
//! what mends the finding, the test must pass against the library with that change.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Deserialize;

use crate::Error;
use crate::library::{Library, put};
use crate::table::{made_by, median, record};

/// What `cargo xtask reproductions` takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Change no crate; end with 1 if one is not what `squall export --rust` writes today.
    #[arg(long)]
    check: bool,
    /// These findings alone: the names of their plans in sims/findings.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Put the table into FINDINGS.md.
    #[arg(long, conflicts_with_all = ["check", "only"])]
    record: bool,
}

/// What mends findings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mends {
    mend: Vec<Mend>,
}

/// A change of a library that mends findings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mend {
    findings: Vec<String>,
    library: String,
    /// Relative to `src`.
    file: String,
    find: String,
    put: String,
}

/// A reproduction that was tried.
struct Row {
    name: String,
    lines: usize,
    /// Lines that are neither empty nor a comment.
    code: usize,
    /// What the test ends with.
    ends_with: String,
    /// Where.
    at: String,
    is_mended: bool,
}

/// The folder of the crates.
const FOLDER: &str = "sims/reproductions";

/// Runs the tool.
pub fn run(root: &Path, options: &Options) -> Result<u8, Error> {
    let mends = read_mends(root)?;
    let all = findings(root, &[])?;
    let mut mended = mends.mend.iter().flat_map(|mend| &mend.findings);
    if let Some(unknown) = mended.find(|name| !all.contains(name)) {
        let words = format!("mends.toml: no finding is called \"{unknown}\"");
        return Err(Error::Untrue(words));
    }
    let program = build(root)?;
    let names = findings(root, &options.only)?;
    let work = root.join("target/reproductions");
    let (mut rows, mut left_out, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for name in &names {
        let fresh = work.join("fresh").join(name);
        // What an earlier version wrote there is no crate that this one would replace.
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).map_err(|error| Error::file(&fresh, &error))?;
        }
        let expected = match export(root, &program, name, &fresh)? {
            Ok(expected) => expected,
            Err(why) => {
                println!("-        {name}: {why}");
                left_out.push(name.as_str());
                continue;
            }
        };
        let kept = root.join(FOLDER).join(name);
        for file in ["Cargo.toml", "src/lib.rs"] {
            let text = read(&fresh.join(file))?;
            match options.check {
                false => put(&kept.join(file), &text)?,
                true if read(&kept.join(file)).is_ok_and(|there| there == text) => {}
                true => wrong.push(format!("{FOLDER}/{name}/{file} is not up to date")),
            }
        }
        let run = test(&fresh, &work)?;
        // What a test prints of a panic may have several lines; the first will do.
        let as_told = |(_, ends_with): &(String, String)| expected.starts_with(ends_with.as_str());
        let Some((at, ends_with)) = run.panic.filter(as_told).filter(|_| !run.passed) else {
            let words = last_lines(&run.output);
            wrong.push(format!("{name} does not fail as it is to: {words}"));
            continue;
        };
        let mend = (mends.mend.iter()).find(|mend| mend.findings.contains(name));
        if let Some(mend) = mend {
            let run = test_mended(root, &fresh, &work, name, mend)?;
            if !run.passed {
                let words = match run.panic {
                    Some((at, message)) => format!("{message} ({at})"),
                    None => last_lines(&run.output),
                };
                wrong.push(format!("{name} does not pass with its mend: {words}"));
            }
        }
        let source = read(&fresh.join("src/lib.rs"))?;
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let row = Row {
            name: name.clone(),
            lines: source.lines().count(),
            code: source.lines().filter(is_code).count(),
            ends_with,
            at,
            is_mended: mend.is_some(),
        };
        println!("fails    {name}: {} ({})", row.ends_with, row.at);
        rows.push(row);
    }
    let table = table(&rows, &left_out);
    println!("\n{table}");
    if options.record && wrong.is_empty() {
        let text = made_by("cargo xtask reproductions --record") + &table;
        record(&root.join("FINDINGS.md"), "reproductions", &text)?;
    }
    for complaint in &wrong {
        eprintln!("error: {complaint}");
    }
    Ok(u8::from(!wrong.is_empty()))
}

fn read_mends(root: &Path) -> Result<Mends, Error> {
    let path = root.join(FOLDER).join("mends.toml");
    let text = read(&path)?;
    toml::from_str(&text).map_err(|error| Error::File {
        path,
        why: error.to_string(),
    })
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::file(path, &error))
}

/// Builds Squall's program.
fn build(root: &Path) -> Result<PathBuf, Error> {
    let status = Command::new(cargo())
        .current_dir(root)
        .args(["build", "--release", "--quiet", "--bin", "squall"])
        .status()
        .map_err(|error| Error::Cargo(format!("cargo build: {error}")))?;
    match status.success() {
        true => Ok(root.join("target/release/squall")),
        false => Err(Error::Cargo("cargo build failed".to_owned())),
    }
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The names of the findings' plans, in order.
fn findings(root: &Path, only: &[String]) -> Result<Vec<String>, Error> {
    let folder = root.join("sims/findings");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|error| Error::file(&folder, &error))? {
        let path = entry.map_err(|error| Error::file(&folder, &error))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        let legal = names.join(", ");
        return Err(Error::Untrue(format!(
            "no finding is called \"{unknown}\"; legal: {legal}"
        )));
    }
    names.retain(|name| only.is_empty() || only.contains(name));
    Ok(names)
}

/// Writes the crate of a finding into `to`, and returns what its test is to end with; or says why
/// its subject has none.
fn export(
    root: &Path,
    program: &Path,
    name: &str,
    to: &Path,
) -> Result<Result<String, String>, Error> {
    let output = Command::new(program)
        .current_dir(root)
        .args(["export", "--rust"])
        .arg(format!("sims/findings/{name}.json"))
        .arg("-o")
        .arg(to)
        .output()
        .map_err(|error| Error::file(program, &error))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match (
        output.status.success(),
        said.contains("cannot be written as Rust"),
    ) {
        (true, _) => {
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let ends = told.lines().find_map(|line| line.strip_prefix("ends with"));
            Ok(Ok(ends.unwrap_or_default().trim().to_owned()))
        }
        (false, true) => Ok(Err(said.trim_start_matches("squall: ").to_owned())),
        (false, false) => Err(Error::Untrue(format!("{name}: {said}"))),
    }
}

/// How a test went.
struct Run {
    passed: bool,
    /// Where it panicked, and with what.
    panic: Option<(String, String)>,
    output: String,
}

/// Runs the test of the crate in `folder`.
fn test(folder: &Path, work: &Path) -> Result<Run, Error> {
    let output = Command::new(cargo())
        .current_dir(folder)
        .args(["test", "--quiet"])
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env("RUST_BACKTRACE", "0")
        // What is built is run once.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .map_err(|error| Error::Cargo(format!("cargo test: {error}")))?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let mut lines = text.lines();
    let place = lines.find_map(|line| line.split_once(" panicked at ").map(|(_, at)| at));
    let panic = place.zip(lines.next()).map(|(at, message)| {
        let at = at.trim_end_matches(':');
        let file = at.rsplit_once("/src/").map_or(at, |(_, file)| file);
        (file.to_owned(), message.to_owned())
    });
    Ok(Run {
        passed: output.status.success(),
        panic,
        output: text,
    })
}

/// Runs the test of the crate in `folder` against the library with the change.
fn test_mended(
    root: &Path,
    folder: &Path,
    work: &Path,
    name: &str,
    mend: &Mend,
) -> Result<Run, Error> {
    let library = Library::named(root, &mend.library)?;
    // Findings that one change mends share the copy, and what is built of it.
    let copy = work
        .join("mended")
        .join(&mend.findings[0])
        .join(&mend.library);
    library.copy(&copy)?;
    let text = library.read(&mend.file)?;
    let find = mend.find.trim_start_matches('\n');
    if text.matches(find).count() != 1 {
        let file = &mend.file;
        return Err(Error::Untrue(format!(
            "mends.toml: what is to be found for {name} is not once in {file}"
        )));
    }
    let changed = text.replace(find, mend.put.trim_start_matches('\n'));
    put(&copy.join("src").join(&mend.file), &changed)?;
    let tested = work.join("mended").join(name).join("crate");
    let manifest = read(&folder.join("Cargo.toml"))?;
    let patched = format!(
        "{manifest}\n[patch.crates-io]\n{} = {{ path = \"{}\" }}\n",
        mend.library,
        copy.display()
    );
    put(&tested.join("Cargo.toml"), &patched)?;
    put(
        &tested.join("src/lib.rs"),
        &read(&folder.join("src/lib.rs"))?,
    )?;
    test(&tested, work)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(6)..].join(" / ")
}

fn table(rows: &[Row], left_out: &[&str]) -> String {
    let lines = |count: fn(&Row) -> usize| {
        let mut all = rows.iter().map(|row| count(row) as f64).collect::<Vec<_>>();
        all.sort_by(f64::total_cmp);
        median(all)
    };
    let mut text = format!(
        "- {} of {} plans of findings have a crate, and its test fails as it is to; median {} lines, {} of them neither empty nor a comment\n",
        rows.len(),
        rows.len() + left_out.len(),
        lines(|row| row.lines),
        lines(|row| row.code)
    );
    let mended = rows.iter().filter(|row| row.is_mended).count();
    let _ = writeln!(
        text,
        "- {mended} were run against a mended library as well (`{FOLDER}/mends.toml`), and pass there"
    );
    if !left_out.is_empty() {
        let _ = writeln!(text, "- without a crate: {}", left_out.join(", "));
    }
    text.push_str("\n| finding | lines | of code | the test ends with | at | passes, mended |\n| --- | ---: | ---: | --- | --- | --- |\n");
    for row in rows {
        let _ = writeln!(
            text,
            "| [{0}]({FOLDER}/{0}/src/lib.rs) | {1} | {2} | {3} | `{4}` | {5} |",
            row.name,
            row.lines,
            row.code,
            row.ends_with.replace('|', "\\|"),
            row.at,
            if row.is_mended { "yes" } else { "not tried" }
        );
    }
    text
}
