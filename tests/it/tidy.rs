//! The floors of `ARCHITECTURE.md`, held by reading the `use` lines.

use std::path::{Path, PathBuf};

use super::support::root;

/// What each part may use, by the first name after `crate::`.
const FLOORS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("indexed", &["types"]),
    ("nearest", &[]),
    ("files", &[]),
    ("text", &[]),
    ("seeds", &[]),
    ("linearizability", &[]),
    ("rng", &["types"]),
    ("queue", &[]),
    ("options", &[]),
    ("configuration", &["types"]),
    ("admin", &["configuration", "types"]),
    ("service", &["linearizability", "types"]),
    (
        "history",
        &["indexed", "linearizability", "service", "types"],
    ),
    ("clock", &["rng"]),
    ("net", &["rng"]),
    ("disk", &["rng"]),
    ("filesystem", &["disk", "rng"]),
    ("on_madsim", &["clock", "disk", "filesystem", "net", "rng"]),
    ("stable", &["configuration", "disk", "indexed", "types"]),
    (
        "replica",
        &[
            "admin",
            "configuration",
            "options",
            "service",
            "stable",
            "types",
        ],
    ),
    ("sometimes", &["options", "replica"]),
    (
        "check",
        &[
            "configuration",
            "disk",
            "history",
            "indexed",
            "linearizability",
            "replica",
            "service",
            "sometimes",
            "stable",
            "types",
        ],
    ),
    (
        "plan",
        &[
            "admin",
            "configuration",
            "disk",
            "files",
            "net",
            "nearest",
            "options",
            "replica",
            "rng",
            "service",
            "sometimes",
            "stable",
            "types",
        ],
    ),
    (
        "engine",
        &[
            "admin",
            "check",
            "clock",
            "configuration",
            "coverage",
            "disk",
            "history",
            "nearest",
            "net",
            "options",
            "plan",
            "queue",
            "replica",
            "rng",
            "service",
            "sometimes",
            "stable",
            "types",
        ],
    ),
    (
        "subject",
        &[
            "admin",
            "check",
            "configuration",
            "engine",
            "indexed",
            "nearest",
            "options",
            "plan",
            "replica",
            "service",
            "stable",
            "subject",
            "types",
        ],
    ),
    (
        "servers",
        &[
            "check",
            "configuration",
            "disk",
            "engine",
            "linearizability",
            "net",
            "on_madsim",
            "options",
            "plan",
            "replica",
            "rng",
            "sometimes",
            "stable",
            "subject",
            "types",
        ],
    ),
    (
        "campaign",
        &[
            "coverage",
            "engine",
            "plan",
            "search",
            "sometimes",
            "subject",
            "types",
            "watchdog",
        ],
    ),
    (
        "search",
        &["admin", "coverage", "options", "plan", "rng", "types"],
    ),
    ("watchdog", &["engine", "plan"]),
    ("running", &["files", "plan", "text"]),
    ("coverage", &["types"]),
    (
        "fuzzing",
        &[
            "check",
            "coverage",
            "disk",
            "engine",
            "linearizability",
            "options",
            "plan",
            "replica",
            "rng",
            "search",
            "subject",
            "types",
        ],
    ),
    (
        "shrink",
        &[
            "admin",
            "campaign",
            "check",
            "configuration",
            "engine",
            "net",
            "options",
            "plan",
            "rng",
            "service",
            "subject",
            "types",
            "watchdog",
        ],
    ),
    (
        "story",
        &[
            "admin",
            "causes",
            "check",
            "configuration",
            "engine",
            "files",
            "nearest",
            "net",
            "options",
            "plan",
            "replica",
            "service",
            "subject",
            "types",
        ],
    ),
    (
        "causes",
        &[
            "check",
            "configuration",
            "engine",
            "plan",
            "queue",
            "replica",
            "service",
            "types",
        ],
    ),
    (
        "report",
        &[
            "campaign",
            "causes",
            "check",
            "engine",
            "plan",
            "shrink",
            "sometimes",
            "subject",
            "text",
            "types",
        ],
    ),
    (
        "proptest",
        &[
            "admin",
            "configuration",
            "net",
            "options",
            "plan",
            "replica",
            "search",
            "subject",
            "types",
        ],
    ),
    (
        "testing",
        &[
            "campaign",
            "check",
            "engine",
            "files",
            "nearest",
            "net",
            "options",
            "plan",
            "proptest",
            "report",
            "running",
            "search",
            "seeds",
            "service",
            "shrink",
            "sometimes",
            "subject",
            "text",
            "types",
            "watchdog",
        ],
    ),
];

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
    sources(&root().join("src"), &mut found);
    found.sort();
    found
}

#[test]
fn a_part_uses_only_what_its_floor_allows() {
    for path in all_sources() {
        let inside = path.strip_prefix(root().join("src")).unwrap();
        let part = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let part = part.trim_end_matches(".rs");
        if matches!(part, "lib" | "main" | "cli" | "prelude") {
            continue;
        }
        let (_, allowed) = FLOORS
            .iter()
            .find(|(name, _)| *name == part)
            .unwrap_or_else(|| panic!("{part} has no floor: give it one in tests/it/tidy.rs"));
        let text = std::fs::read_to_string(&path).unwrap();
        for used in text.split("crate::").skip(1) {
            let used: String = used
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            assert!(
                used == part || allowed.contains(&used.as_str()),
                "{} uses {used}, which {part} must not know",
                inside.display()
            );
        }
    }
}

#[test]
fn only_the_subjects_and_the_probe_for_servers_on_it_name_a_raft_library() {
    for path in all_sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let names_it = text.lines().any(|line| {
            let code = line.trim_start();
            !code.starts_with("//")
                && (code.contains("use raft::") || code.contains("raft::eraftpb"))
        });
        let may = path.starts_with(root().join("src/subject"))
            || path.ends_with("src/servers/raft_rs.rs");
        assert!(!names_it || may, "{}", path.display());
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    for path in all_sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 800, "{} has {lines} lines", path.display());
    }
}
