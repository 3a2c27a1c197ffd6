//! A target's corpus: `fuzz/corpus/TARGET`, where `cargo fuzz run` keeps it too. Files named
//! `seed-...` in it are committed; the others are not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Error;

/// What the names of committed inputs begin with.
pub const SEED: &str = "seed-";

/// The files of a folder.
///
/// # Errors
/// When it cannot be read.
pub fn files(folder: &Path) -> Result<BTreeSet<PathBuf>, Error> {
    let error = |error: std::io::Error| Error::file(folder, &error);
    let entries = std::fs::read_dir(folder).map_err(error)?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(error))
        .collect()
}

/// An empty folder at this path.
///
/// # Errors
/// When it cannot be made.
pub fn empty(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| Error::file(folder, &error))?;
    }
    std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, &error))
}

/// Copies the inputs of a corpus that have no more than `most` bytes: libFuzzer itself would cut
/// the longer ones short.
///
/// # Errors
/// When a file cannot be copied.
pub fn copy_short(corpus: &Path, into: &Path, most: u64) -> Result<(), Error> {
    empty(into)?;
    for path in files(corpus)? {
        let error = |error: std::io::Error| Error::file(&path, &error);
        if std::fs::metadata(&path).map_err(error)?.len() <= most {
            std::fs::copy(&path, into.join(name(&path))).map_err(error)?;
        }
    }
    Ok(())
}

/// Leaves of the inputs in a folder, in the order of their hashes and so in none, as many as have
/// no more than `most` bytes together.
///
/// # Errors
/// When a file cannot be looked at or removed.
pub fn sample(folder: &Path, most: u64) -> Result<(), Error> {
    let mut all = 0;
    for path in files(folder)? {
        let error = |error: std::io::Error| Error::file(&path, &error);
        let length = std::fs::metadata(&path).map_err(error)?.len();
        match all + length <= most {
            true => all += length,
            false => std::fs::remove_file(&path).map_err(error)?,
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Puts the inputs of `minimised`, as libFuzzer has named them, in place of those in `corpus`: of
/// the committed ones if `seeds`, else of all others. What is new is there before what is old goes.
///
/// # Errors
/// When a file cannot be written or removed.
pub fn replace(corpus: &Path, minimised: &Path, seeds: bool) -> Result<(), Error> {
    let old = files(corpus)?;
    let committed: BTreeSet<String> = old.iter().map(|path| name(path)).collect();
    let mut kept = BTreeSet::new();
    for path in files(minimised)? {
        let hash = name(&path);
        let to = match seeds {
            true => format!("{SEED}{hash}"),
            false if committed.contains(&format!("{SEED}{hash}")) => continue,
            false => hash,
        };
        let target = corpus.join(&to);
        if !target.exists() {
            std::fs::copy(&path, &target).map_err(|error| Error::file(&target, &error))?;
        }
        kept.insert(to);
    }
    for path in old {
        let name = name(&path);
        if name.starts_with(SEED) == seeds && !kept.contains(&name) {
            std::fs::remove_file(&path).map_err(|error| Error::file(&path, &error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_minimised_takes_the_place_of_what_there_was_and_seeds_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (corpus, small) = (folder.path().join("corpus"), folder.path().join("small"));
        empty(&corpus).unwrap();
        empty(&small).unwrap();
        for name in ["seed-a", "a1", "b1"] {
            std::fs::write(corpus.join(name), name).unwrap();
        }
        for name in ["a", "b1", "c1"] {
            std::fs::write(small.join(name), name).unwrap();
        }
        let names = || -> Vec<String> {
            let files = files(&corpus).unwrap();
            files.iter().map(|path| name(path)).collect()
        };
        replace(&corpus, &small, false).unwrap();
        assert_eq!(names(), ["b1", "c1", "seed-a"]);
        replace(&corpus, &small, true).unwrap();
        assert_eq!(names(), ["b1", "c1", "seed-a", "seed-b1", "seed-c1"]);
        copy_short(&corpus, &small, 5).unwrap();
        assert_eq!(files(&small).unwrap().len(), 4);
        sample(&corpus, 11).unwrap();
        assert_eq!(names(), ["b1", "c1", "seed-a"]);
    }
}
