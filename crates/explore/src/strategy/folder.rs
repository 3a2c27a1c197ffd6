//! A corpus on disk: a folder of plan files, each as `squall replay` takes it, named by a hash
//! of what is in it. What the plans cover is not stored: it is found out by running them, so that
//! a corpus outlives a change of the library or of the engine.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use squall_core::plan::{Plan, PlanError};
use squall_world::hash::{finish, mix_bytes};

/// A folder of plans.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// What is in one.
#[derive(Debug, Default)]
pub struct Contents {
    /// The plans and their files, in the order of the files' names.
    pub plans: Vec<(PathBuf, Plan)>,
    /// Why other `.json` files in it are no plans of this build.
    pub broken: Vec<PlanError>,
}

impl Folder {
    /// The folder at `path`, which need not be there yet.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all of it. A folder that is not there is empty.
    ///
    /// # Errors
    /// When the folder cannot be read. A file that cannot is among [`Contents::broken`].
    pub fn read(&self) -> std::io::Result<Contents> {
        let mut contents = Contents::default();
        if !self.path.exists() {
            return Ok(contents);
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "json") && !path.is_dir() {
                files.push(path);
            }
        }
        files.sort();
        for path in files {
            match Plan::read(&path) {
                Ok(plan) => contents.plans.push((path, plan)),
                Err(error) => contents.broken.push(error),
            }
        }
        Ok(contents)
    }

    /// Puts a plan into it, atomically. Returns its file.
    ///
    /// # Errors
    /// When the folder cannot be made or the file cannot be written.
    pub fn keep(&self, plan: &Plan) -> std::io::Result<PathBuf> {
        let text = plan.to_json();
        let hash = finish(mix_bytes(0, text.as_bytes()));
        let path = self.path.join(format!("{hash:016x}.json"));
        if !path.exists() {
            std::fs::create_dir_all(&self.path)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            file.write_all(text.as_bytes())?;
            file.persist(&path).map_err(|failed| failed.error)?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::plan::{PlanSpace, Profile};

    #[test]
    fn what_is_kept_is_read_again_and_what_is_broken_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let corpus = Folder::at(&folder.path().join("made/when/needed"));
        assert!(corpus.read().unwrap().plans.is_empty());
        let profile = Profile::load("storm").unwrap();
        let mut plans: Vec<Plan> = (0..5)
            .map(|seed| PlanSpace::new("raft-rs", &profile).draw(seed))
            .collect();
        for plan in plans.iter().chain(&plans[..2]) {
            corpus.keep(plan).unwrap();
        }
        std::fs::write(corpus.path().join("half.json"), "{\"version\": 2, ").unwrap();
        std::fs::write(corpus.path().join("empty.json"), "").unwrap();
        std::fs::write(corpus.path().join("notes.txt"), "not a plan").unwrap();
        let contents = corpus.read().unwrap();
        assert_eq!(contents.broken.len(), 2);
        let mut read: Vec<Plan> = contents.plans.into_iter().map(|(_, plan)| plan).collect();
        read.sort_by_key(|plan| plan.seed);
        plans.sort_by_key(|plan| plan.seed);
        assert_eq!(read, plans);
    }
}
