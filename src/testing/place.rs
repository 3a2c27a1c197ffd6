//! Where a test stands: its name, its crate's folder, and the command that runs it alone.

use std::path::{Path, PathBuf};

use super::failed::Failed;
use super::settings::Settings;
use squall_core::fsutil::{NewName, quoted};

/// The folder in a crate that keeps what failed.
const FOLDER: &str = "squall-regressions";

/// The folder of notes of what runs, beside the test's program.
const NOTES: &str = "squall-running";

/// The folder of pages of failures, beside the test's program: nobody keeps those.
#[cfg(feature = "page")]
const PAGES: &str = "squall-pages";

/// Where a test stands.
pub(super) struct Place {
    /// The test's own path: its binary and its name.
    own: PathBuf,
    /// The test's path within its binary, where it is known.
    test: Option<String>,
    /// The package, where cargo runs the test.
    package: Option<String>,
    /// The running binary.
    program: PathBuf,
    /// Where plans that failed before lie.
    kept: PathBuf,
    /// Where plans that fail now are written.
    out: PathBuf,
    /// The subject's name, which stands for a test without one.
    subject: String,
}

impl Place {
    /// The place of the test that this thread runs.
    pub(super) fn of_process(
        test: Option<String>,
        regressions: Option<PathBuf>,
        settings: &Settings,
        subject: &str,
    ) -> Self {
        // The harness of `cargo test` names a test's thread by the test.
        let thread = std::thread::current();
        let named = thread.name().filter(|name| *name != "main");
        let test = test.or_else(|| named.map(str::to_owned));
        // Cargo and nextest set both for the tests that they run.
        let root = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
        let program = std::env::current_exe().unwrap_or_default();
        let own =
            PathBuf::from(binary(&program)).join(file_name(test.as_deref().unwrap_or(subject)));
        let kept = match regressions {
            Some(folder) => root.join(folder),
            None => root.join(FOLDER).join(&own),
        };
        Self {
            package: std::env::var("CARGO_PKG_NAME").ok(),
            out: settings
                .out
                .as_ref()
                .map_or_else(|| kept.clone(), |out| out.join(&own)),
            kept,
            own,
            program,
            test,
            subject: subject.to_owned(),
        }
    }

    /// The test's name, or its subject's.
    pub(super) fn test(&self) -> &str {
        self.test.as_deref().unwrap_or(&self.subject)
    }

    /// Where this test notes what it runs.
    pub(super) fn notes(&self) -> PathBuf {
        let folder = self.program.parent().unwrap_or(Path::new("."));
        folder.join(NOTES).join(&self.own)
    }

    /// Where the page of a failure goes, whose plan lies at `plan`: beside the plans, where someone
    /// has said where those go.
    #[cfg(feature = "page")]
    pub(super) fn page(&self, plan: &Path) -> PathBuf {
        if self.out != self.kept {
            return plan.with_extension("html");
        }
        let folder = self.program.parent().unwrap_or(Path::new("."));
        let name = plan.file_stem().unwrap_or_default();
        let name = Path::new(name).with_extension("html");
        folder.join(PAGES).join(&self.own).join(name)
    }

    /// The plans that failed before, in order of name.
    pub(super) fn regressions(&self) -> Result<Vec<PathBuf>, Failed> {
        if !self.kept.exists() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&self.kept).map_err(|error| {
            Failed::said(&format!("cannot read {}: {error}", self.kept.display()))
        })?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
        files.sort();
        Ok(files)
    }

    /// The folder that plans that fail now are written to.
    #[cfg(feature = "proptest")]
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    /// The name under which the plan of a failure is written.
    pub(super) fn file(&self, property: &str, seed: u64) -> NewName {
        NewName {
            stem: self.out.join(format!("{property}-seed-{seed}")),
            ending: ".json",
        }
    }

    /// The whole command that runs this test alone with these variables.
    pub(super) fn command(&self, variables: &str) -> String {
        // Without it the test is another program, in which the test may not even be.
        let flags = match cfg!(madsim) {
            true => "RUSTFLAGS='--cfg madsim' ",
            false => "",
        };
        let variables = format!("{flags}{variables}");
        let test = self.test.as_deref().map(quoted);
        match (&self.package, test) {
            (Some(package), Some(test)) => {
                format!(
                    "{variables}cargo test -p {} {test} -- --exact",
                    quoted(package)
                )
            }
            (Some(package), None) => format!("{variables}cargo test -p {}", quoted(package)),
            (None, Some(test)) => format!("{variables}{} {test} --exact", self.shown_program()),
            (None, None) => format!("{variables}{}", self.shown_program()),
        }
    }

    fn shown_program(&self) -> String {
        quoted(&self.program.display().to_string())
    }
}

/// A test binary's name, without the hash that cargo adds.
fn binary(program: &Path) -> String {
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let is_hash = |end: &str| end.len() == 16 && end.chars().all(|c| c.is_ascii_hexdigit());
    match stem.rsplit_once('-') {
        Some((name, end)) if is_hash(end) => name.to_owned(),
        _ => stem.into_owned(),
    }
}

/// A test's name as part of a path, on every system.
fn file_name(test: &str) -> String {
    test.replace("::", ".")
        .replace(|c: char| !c.is_alphanumeric() && !"._-".contains(c), "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_binaries_and_tests_become_folders() {
        assert_eq!(
            binary(Path::new("deps/my-crate-0123456789abcdef")),
            "my-crate"
        );
        assert_eq!(binary(Path::new("deps/it-storm")), "it-storm");
        assert_eq!(file_name("net::tests::it_holds"), "net.tests.it_holds");
        assert_eq!(file_name("a b/c"), "a-b-c");
    }
}
