//! The catalogues of mutants in `sims/mutants` hold: each is a change of the library that can be
//! made, and what it names exists. `cargo xtask mutants` shows what catches them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use squall_core::invariants::Property;
use squall_core::plan::Profile;

use super::support::{library_folder, root};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    id: String,
    file: String,
    find: String,
    put: String,
    breaks: String,
    needs: String,
    why: String,
    profile: Option<String>,
}

#[derive(Deserialize)]
struct File {
    mutant: Vec<Mutant>,
}

/// Every part of the library, which is a file of the catalogue.
const PARTS: &[&str] = &[
    "async_ready",
    "auto_leave",
    "check_quorum",
    "commit",
    "election",
    "flow_control",
    "joint",
    "learners",
    "log",
    "membership",
    "persistence",
    "pre_vote",
    "reads",
    "snapshots",
    "transfer",
];

/// The parts of openraft.
const PARTS_OF_OPENRAFT: &[&str] = &[
    "commit",
    "elections",
    "issues",
    "log",
    "membership",
    "reads",
];

fn catalogue(folder: &str) -> BTreeMap<String, Vec<Mutant>> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.is_file())
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let file: File = toml::from_str(&text).unwrap();
            let part = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (part, file.mutant)
        })
        .collect()
}

#[test]
fn every_part_of_the_library_has_mutants() {
    let all = [
        ("sims/mutants", PARTS, 40),
        ("sims/mutants/openraft", PARTS_OF_OPENRAFT, 20),
    ];
    for (folder, expected, least) in all {
        let catalogue = catalogue(folder);
        let parts: Vec<&str> = catalogue.keys().map(String::as_str).collect();
        assert_eq!(parts, expected);
        for (part, mutants) in &catalogue {
            assert!(mutants.len() >= 3, "{part} has {} only", mutants.len());
        }
        assert!(catalogue.values().flatten().count() >= least);
    }
}

#[test]
fn every_mutant_can_be_made_and_names_what_exists() {
    let mut ids = BTreeSet::new();
    for (folder, library) in [
        ("sims/mutants", "raft"),
        ("sims/mutants/openraft", "openraft"),
    ] {
        can_be_made(folder, library, &mut ids);
    }
}

fn can_be_made(folder: &str, library: &str, ids: &mut BTreeSet<String>) {
    let sources = library_folder(library);
    for mutant in catalogue(folder).values().flatten() {
        let id = &mutant.id;
        assert!(ids.insert(id.clone()), "two mutants are called {id}");
        let source = std::fs::read_to_string(sources.join(&mutant.file)).unwrap();
        let times = source.matches(&mutant.find).count();
        assert_eq!(times, 1, "{id}: what to find in {}", mutant.file);
        assert_ne!(mutant.find, mutant.put, "{id} changes nothing");
        assert!(
            Property::ALL
                .iter()
                .any(|known| known.name() == mutant.breaks),
            "{id}: {}",
            mutant.breaks
        );
        Profile::load(mutant.profile.as_deref().unwrap_or("storm")).unwrap();
        assert!(!mutant.needs.is_empty() && !mutant.why.is_empty(), "{id}");
    }
}
