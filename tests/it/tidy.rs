//! What no compiler holds: which crate may depend on which, which part of the core may use which,
//! where Raft libraries are named, and how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::support::root;

/// The crates of this project that each one may depend on. `squall` itself may depend on all that
/// are published.
const CRATES: &[(&str, &[&str])] = &[
    ("linearizability", &[]),
    ("macros", &[]),
    ("world", &[]),
    ("core", &["linearizability", "world"]),
    ("raft-rs", &["core", "world"]),
    ("noraft", &["core", "world"]),
    ("raftbare", &["core"]),
    ("openraft", &["core", "world"]),
    ("process", &["core", "world"]),
    ("explore", &["core", "world"]),
    ("page", &["core", "explore"]),
    ("play", &["core", "explore", "page"]),
    ("proptest", &["core", "explore", "world"]),
    ("madsim", &["core", "linearizability", "raft-rs", "world"]),
    (
        "cli",
        &["core", "explore", "page", "play", "process", "world"],
    ),
    (
        "fuzzing",
        &["core", "explore", "linearizability", "raft-rs", "world"],
    ),
];

/// The Raft libraries, and what they bring along, by the crates that may name them.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("noraft", &["noraft"]),
    ("openraft", &["openraft"]),
    ("protobuf", &["raft-rs"]),
    ("raft", &["madsim", "raft-rs"]),
    ("raftbare", &["raftbare"]),
    ("slog", &["madsim", "raft-rs"]),
];

/// What each part of the core may use of the others, by the first name after `crate::`. Parts that
/// use one another are in one another's lists: what is declared and what is set (`own`, `options`,
/// `replica`), and what is planned and what is done (`faults`, `plan`, `engine`, `registry`).
const CORE: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("log_vec", &["ids"]),
    ("suggest", &[]),
    ("fsutil", &[]),
    ("text", &[]),
    ("options", &["own", "suggest"]),
    ("own", &["options", "replica"]),
    ("configuration", &["ids"]),
    ("operator", &["configuration", "ids"]),
    ("service", &["ids"]),
    ("history", &["ids", "log_vec", "service"]),
    ("storage", &["configuration", "ids", "log_vec"]),
    (
        "replica",
        &[
            "configuration",
            "ids",
            "operator",
            "options",
            "own",
            "service",
            "storage",
        ],
    ),
    ("coverage", &["ids"]),
    ("counters", &["options", "replica"]),
    (
        "invariants",
        &[
            "configuration",
            "counters",
            "history",
            "ids",
            "log_vec",
            "replica",
            "service",
            "storage",
            "text",
        ],
    ),
    // A fault is where a plan and an engine meet: its data are the one's, its effect the other's.
    (
        "faults",
        &[
            "configuration",
            "counters",
            "engine",
            "ids",
            "invariants",
            "operator",
            "options",
            "plan",
            "replica",
            "storage",
            "text",
        ],
    ),
    (
        "plan",
        &[
            "configuration",
            "counters",
            "faults",
            "fsutil",
            "ids",
            "operator",
            "options",
            "own",
            "replica",
            "service",
            "storage",
            "suggest",
            "text",
        ],
    ),
    (
        "engine",
        &[
            "configuration",
            "counters",
            "coverage",
            "faults",
            "history",
            "ids",
            "invariants",
            "operator",
            "options",
            "own",
            "plan",
            "registry",
            "replica",
            "service",
            "storage",
            "suggest",
            "text",
        ],
    ),
    ("adapter", &["ids", "options", "own", "replica", "service"]),
    (
        "bugs",
        &[
            "configuration",
            "ids",
            "invariants",
            "log_vec",
            "options",
            "own",
            "replica",
            "service",
            "storage",
        ],
    ),
    (
        "message_fuzzing",
        &["bugs", "ids", "options", "own", "replica", "service"],
    ),
    (
        "registry",
        &[
            "bugs",
            "engine",
            "invariants",
            "options",
            "own",
            "plan",
            "replica",
            "reproduction",
            "suggest",
        ],
    ),
    (
        "reproduction",
        &[
            "configuration",
            "engine",
            "ids",
            "invariants",
            "operator",
            "plan",
            "replica",
        ],
    ),
];

/// No file of the sources has more lines.
const MOST_LINES: usize = 680;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let folders = [
        "src", "crates", "tests", "benches", "examples", "tools", "xtask",
    ];
    for folder in folders {
        sources(&root().join(folder), &mut found);
    }
    found.sort();
    found
}

/// What the manifest of a crate names as dependencies, for tests as well where `for_tests`.
fn dependencies(manifest: &Path, for_tests: bool) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let mut found = BTreeSet::new();
    let mut tables: Vec<&toml::Table> = vec![&manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    for table in tables {
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            if kind == "dev-dependencies" && !for_tests {
                continue;
            }
            let named = table.get(kind).and_then(toml::Value::as_table);
            found.extend(named.into_iter().flat_map(toml::Table::keys).cloned());
        }
    }
    found
}

#[test]
fn a_crate_that_is_not_compiled_for_unit_tests_has_none() {
    for (name, _) in CRATES {
        let folder = root().join("crates").join(name);
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let is_tested = |lib: &toml::Value| lib.get("test") != Some(&false.into());
        if manifest.get("lib").is_none_or(is_tested) {
            continue;
        }
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        for path in files {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("#[test]"), "{} does not run", path.display());
        }
    }
}

#[test]
fn a_crate_depends_only_on_those_that_it_may_know() {
    let allowed: BTreeMap<_, _> = CRATES.iter().copied().collect();
    let mut folders = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let may = allowed
            .get(name.as_str())
            .unwrap_or_else(|| panic!("crates/{name} is not in tests/it/tidy.rs"));
        for used in dependencies(&folder.join("Cargo.toml"), true) {
            if let Some(ours) = used.strip_prefix("squall-") {
                assert!(may.contains(&ours), "{name} depends on {used}");
            }
            if used == "squall" {
                assert_eq!(name, "fuzzing", "{name} depends on the facade");
            }
        }
        folders.insert(name);
    }
    assert_eq!(folders.len(), CRATES.len());
}

#[test]
fn only_adapters_depend_on_a_raft_library() {
    for (name, _) in CRATES {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        for used in dependencies(&manifest, true) {
            if let Some((_, may)) = LIBRARIES.iter().find(|(library, _)| *library == used) {
                assert!(may.contains(name), "{name} depends on {used}");
            }
        }
    }
    let squall = dependencies(&root().join("Cargo.toml"), false);
    for (library, _) in LIBRARIES {
        assert!(!squall.contains(*library), "squall depends on {library}");
    }
}

#[test]
fn what_is_published_says_what_it_is() {
    let mut manifests = vec![root().join("Cargo.toml")];
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        manifests.push(entry.unwrap().path().join("Cargo.toml"));
    }
    for path in manifests {
        let text = std::fs::read_to_string(&path).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let package = manifest["package"].as_table().unwrap();
        if package.get("publish").and_then(toml::Value::as_bool) == Some(false) {
            continue;
        }
        for key in [
            "categories",
            "description",
            "keywords",
            "license",
            "repository",
            "rust-version",
        ] {
            let name = &package["name"];
            assert!(package.contains_key(key), "{name} has no {key}");
        }
    }
}

#[test]
fn a_part_of_the_core_uses_only_what_it_may_know() {
    let core = root().join("crates/core/src");
    let mut files = Vec::new();
    sources(&core, &mut files);
    for path in files {
        let inside = path.strip_prefix(&core).unwrap();
        let part = inside.iter().next().unwrap().to_str().unwrap();
        let part = part.trim_end_matches(".rs");
        if part == "lib" {
            continue;
        }
        let (_, allowed) = CORE
            .iter()
            .find(|(name, _)| *name == part)
            .unwrap_or_else(|| panic!("{part} is not in tests/it/tidy.rs"));
        let text = std::fs::read_to_string(&path).unwrap();
        for used in text.split("crate::").skip(1) {
            let word = |c: &char| c.is_alphanumeric() || *c == '_';
            let used: String = used.chars().take_while(word).collect();
            assert!(
                used == part || allowed.contains(&used.as_str()),
                "{} uses {used}, which {part} must not know",
                inside.display()
            );
        }
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    for path in all_sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= MOST_LINES,
            "{} has {lines} lines",
            path.strip_prefix(root()).unwrap().display()
        );
    }
}

#[test]
fn comments_wrap_at_a_hundred_columns() {
    for path in all_sources() {
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            // An address has no place to wrap at.
            let wraps = !line.contains("://");
            assert!(
                !(is_comment && wraps) || line.chars().count() <= 100,
                "{}:{}: see rustfmt.toml",
                path.strip_prefix(root()).unwrap().display(),
                number + 1
            );
        }
    }
}

/// The drills of `CONTRIBUTING.md`, and for each a thing of that kind by the name that the code has
/// for it. Where that name stands is where whoever adds another has to write.
const DRILLS: [(&str, &str); 5] = [
    ("A fault.", "SlowNode"),
    ("A check.", "LeaderAppendOnly"),
    ("A strategy.", "Pct"),
    ("A report format.", "markdown"),
    ("A Raft implementation.", "squall_noraft"),
];

/// Whether `text` has `word` for itself.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[test]
fn the_drills_name_the_files_where_such_a_thing_is_spoken_of() {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let mut wrong = Vec::new();
    for (title, name) in DRILLS {
        let from = text.find(&format!("**{title}**")).expect(title);
        let drill = text[from..].split("\n\n").next().unwrap();
        let named: BTreeSet<&str> = drill
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.ends_with(".rs") && !word.contains("NAME"))
            .collect();
        for file in &named {
            if !root().join(file).is_file() {
                wrong.push(format!("{title} {file} is not there"));
            }
        }
        for path in all_sources() {
            let file = path.strip_prefix(root()).unwrap().to_str().unwrap();
            let is_part = file.starts_with("crates/") || file.starts_with("src/");
            // What the thing itself is made of has its name.
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let own = stem.replace('_', "") == name.to_lowercase();
            let text = std::fs::read_to_string(&path).unwrap();
            if is_part && !own && has_word(&text, name) && !named.contains(file) {
                wrong.push(format!(
                    "{title} {file}, which speaks of {name}, is not named"
                ));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
