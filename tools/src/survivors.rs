//! What is said of each mutant of cargo-mutants' that no sweep catches: `sims/survivors.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// What a survivor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nobody can tell it who drives the library through its public interface as documented.
    Equivalent,
    /// It changes runs, and breaks nothing that Raft or the library's documentation promises.
    Harmless,
    /// It breaks a promise, in a state that the ladder does not reach.
    Rare,
    /// It breaks a promise, and nothing looks.
    Hole,
}

impl Class {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Equivalent, Self::Harmless, Self::Rare, Self::Hole];

    /// As the file has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equivalent => "equivalent",
            Self::Harmless => "harmless",
            Self::Rare => "rare",
            Self::Hole => "hole",
        }
    }
}

/// Survivors of one kind for one reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    class: Class,
    reason: String,
    mutants: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    survivors: Vec<Group>,
}

/// What is said of survivors, by the names that cargo-mutants gives them.
#[derive(Clone, Debug, Default)]
pub struct Survivors {
    classes: BTreeMap<String, Class>,
}

impl Survivors {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is not of the form, names a mutant twice, or gives no reason.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
        let wrong = |why: String| Error::File {
            path: path.to_path_buf(),
            why,
        };
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let mut classes = BTreeMap::new();
        for group in file.survivors {
            let first = group.mutants.first().map_or("no mutant", String::as_str);
            if group.mutants.is_empty() || group.reason.trim().is_empty() {
                return Err(wrong(format!(
                    "a group needs a reason and mutants: that of {first}"
                )));
            }
            for name in group.mutants {
                if !is_name(&name) {
                    return Err(wrong(format!(
                        "\"{name}\" is no mutant's name: FILE:LINE:COLUMN: WHAT"
                    )));
                }
                if classes.insert(name.clone(), group.class).is_some() {
                    return Err(wrong(format!("{name} is there twice")));
                }
            }
        }
        Ok(Self { classes })
    }

    /// What is said of the mutant `name`.
    pub fn class(&self, name: &str) -> Option<Class> {
        self.classes.get(name).copied()
    }

    /// Those of which something is said and which `names` has not.
    pub fn but<'a>(&'a self, names: &BTreeSet<&str>) -> Vec<&'a str> {
        let known = self.classes.keys().map(String::as_str);
        known.filter(|name| !names.contains(name)).collect()
    }
}

/// Whether `name` is as cargo-mutants names mutants.
fn is_name(name: &str) -> bool {
    let parts: Vec<&str> = name.splitn(4, ':').collect();
    let [file, line, column, what] = parts[..] else {
        return false;
    };
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    file.ends_with(".rs") && is_number(line) && is_number(column) && what.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Survivors, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("survivors.toml");
        std::fs::write(&path, text).unwrap();
        Survivors::read(&path).map_err(|error| error.to_string())
    }

    fn group(class: &str, reason: &str, mutants: &[&str]) -> String {
        format!("[[survivors]]\nclass = {class:?}\nreason = {reason:?}\nmutants = {mutants:?}\n")
    }

    const NAME: &str = "raft.rs:7:12: replace > with >= in Raft<T>::tick";

    #[test]
    fn the_file_is_well_formed() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let survivors = Survivors::read(&project.join("sims/survivors.toml")).unwrap();
        assert!(!survivors.classes.is_empty());
    }

    #[test]
    fn a_verdict_has_a_class_a_reason_and_a_name_that_is_there_once() {
        let survivors = read(&group("rare", "why", &[NAME])).unwrap();
        assert_eq!(survivors.class(NAME), Some(Class::Rare));
        assert_eq!(survivors.class("raft.rs:1:1: delete !"), None);
        assert_eq!(survivors.but(&BTreeSet::new()), [NAME]);
        assert!(survivors.but(&BTreeSet::from([NAME])).is_empty());
        for class in Class::ALL {
            let survivors = read(&group(class.word(), "why", &[NAME])).unwrap();
            assert_eq!(survivors.class(NAME), Some(class));
        }
        let wrong = [
            (group("odd", "why", &[NAME]), "unknown variant `odd`"),
            (group("rare", " ", &[NAME]), "needs a reason"),
            (group("rare", "why", &[]), "that of no mutant"),
            (group("rare", "why", &["raft.rs"]), "is no mutant's name"),
            (group("rare", "why", &[NAME, NAME]), "is there twice"),
            (
                group("hole", "why", &[NAME]) + &group("rare", "why", &[NAME]),
                "is there twice",
            ),
        ];
        for (text, why) in wrong {
            let error = read(&text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
