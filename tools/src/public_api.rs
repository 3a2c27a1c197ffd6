//! `cargo xtask public-api`: what users of the published crates can name, one item a line, in
//! `docs/public-api`. A change of the surface is seen in a review, and nothing becomes public by
//! accident.
//!
//! Items that are hidden from the documentation are not listed, nor traits that the compiler
//! implements. `squall-madsim` has most of its items in builds with `--cfg madsim` alone, and is
//! left out; so is `squall-macros`, which has no items but its two macros.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;
use clap::Args;
use public_api::Builder;

use crate::Error;

/// Set for the program that takes rustdoc's place: the rustdoc whose place that is.
const RUSTDOC: &str = "SQUALL_PUBLIC_API_RUSTDOC";

/// Crates that are published and not listed.
const LEFT_OUT: [&str; 2] = ["squall-madsim", "squall-macros"];

/// Where the lists are.
const FOLDER: &str = "docs/public-api";

/// What `cargo xtask public-api` takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Write nothing; say what is listed and no longer there, or there and not listed, and end
    /// with 1 if anything is.
    #[arg(long)]
    check: bool,
}

/// Whether this process is to be rustdoc, and becomes it: with JSON for its output, which a stable
/// rustdoc has only on request. Nothing else is built that way, so that what cargo has built stays
/// as it is.
pub fn become_rustdoc() {
    if let Some(rustdoc) = std::env::var_os(RUSTDOC) {
        let failed = Command::new(&rustdoc)
            .args(std::env::args_os().skip(1))
            .env("RUSTC_BOOTSTRAP", "1")
            .exec();
        eprintln!("error: {} does not run: {failed}", rustdoc.display());
        std::process::exit(2);
    }
}

/// Runs the tool.
pub fn run(root: &Path, options: &Options) -> Result<u8, Error> {
    let crates = crates(root)?;
    let documents = documents(root, &crates)?;
    let mut lists = BTreeMap::new();
    for name in &crates {
        let file = documents
            .join(name.replace('-', "_"))
            .with_extension("json");
        let api = Builder::from_rustdoc_json(&file)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(true)
            .build()
            .map_err(|error| Error::Cargo(format!("{}: {error}", file.display())))?;
        let items: Vec<String> = api.items().map(ToString::to_string).collect();
        lists.insert(name, items);
    }
    match options.check {
        true => check(root, &lists),
        false => write(root, &lists),
    }
}

/// The crates that are published, but for those that are left out.
fn crates(root: &Path) -> Result<Vec<String>, Error> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .map_err(|error| Error::Cargo(error.to_string()))?;
    let published = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty()));
    let names = published.map(|package| package.name.to_string());
    Ok(names
        .filter(|name| !LEFT_OUT.contains(&name.as_str()))
        .collect())
}

/// Has rustdoc write down the crates as JSON, and says where.
fn documents(root: &Path, crates: &[String]) -> Result<PathBuf, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let rustdoc = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    let own = std::env::current_exe().map_err(|error| Error::Cargo(error.to_string()))?;
    let target = root.join("target");
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["doc", "--quiet", "--no-deps", "--lib"])
        .args(["--features", "squall/proptest", "--target-dir"])
        .arg(&target)
        .env("RUSTDOC", own)
        .env(RUSTDOC, rustdoc)
        .env(
            "RUSTDOCFLAGS",
            "-Z unstable-options --output-format json --cap-lints allow",
        );
    for name in crates {
        command.args(["--package", name]);
    }
    let status = command
        .status()
        .map_err(|error| Error::Cargo(format!("cargo doc: {error}")))?;
    match status.success() {
        true => Ok(target.join("doc")),
        false => Err(Error::Cargo(format!("cargo doc: {status}"))),
    }
}

/// The file of a crate's list.
fn file(root: &Path, name: &str) -> PathBuf {
    root.join(FOLDER).join(name).with_extension("txt")
}

fn write(root: &Path, lists: &BTreeMap<&String, Vec<String>>) -> Result<u8, Error> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, &error))?;
    let mut told = String::new();
    for (name, items) in lists {
        let path = file(root, name);
        let text = items.join("\n") + "\n";
        fs::write(&path, text).map_err(|error| Error::file(&path, &error))?;
        told += &format!("{name:<22}{:>6} items\n", items.len());
    }
    say(&told);
    Ok(0)
}

fn check(root: &Path, lists: &BTreeMap<&String, Vec<String>>) -> Result<u8, Error> {
    let mut told = String::new();
    let mut differences = 0;
    for (name, items) in lists {
        let path = file(root, name);
        let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, &error))?;
        for line in differences_of(&text, items) {
            told += &format!("{name}: {line}\n");
            differences += 1;
        }
    }
    if differences > 0 {
        told +=
            &format!("{differences} differences; if they are meant, run cargo xtask public-api\n");
    }
    say(&told);
    Ok(u8::from(differences > 0))
}

/// Prints; a reader that has enough is no error.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// What is listed in `text` and not among `items`, and the other way round.
fn differences_of(text: &str, items: &[String]) -> Vec<String> {
    let listed: Vec<&str> = text.lines().collect();
    let gone = listed
        .iter()
        .filter(|line| !items.iter().any(|item| item == *line))
        .map(|line| format!("- {line}"));
    let new = items
        .iter()
        .filter(|item| !listed.contains(&item.as_str()))
        .map(|item| format!("+ {item}"));
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_what_is_new_is_told() {
        let items = ["pub fn a()", "pub fn c()"].map(str::to_owned);
        let told = differences_of("pub fn a()\npub fn b()\n", &items);
        assert_eq!(told, ["- pub fn b()", "+ pub fn c()"]);
        assert!(differences_of("pub fn a()\npub fn c()\n", &items).is_empty());
    }
}
