//! The storage as it is stands openraft's suite and Squall's storm; which mistakes are found by
//! which is in README.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use openraft_memstore::{ClientRequest, MemLogStore, MemStateMachine};
use redb::Database;
use redb::backends::InMemoryBackend;
use redb_openraft::storm::Redb;
use redb_openraft::types::Types;
use redb_openraft::{Bug, Log, Machine};
use squall::engine::Observer;
use squall::openraft::storage::{Disk, OwnStorage, Put};
use squall::openraft::{OneLeaderATerm, with_storage};
use squall::plan::Profile;
use squall::registry::RegisteredSubject;

const NONE: usize = usize::MAX;

struct InMemory(Option<Bug>);

impl StoreBuilder<Types, Log, Machine> for InMemory {
    async fn build(&self) -> Result<((), Log, Machine), StorageError<Types>> {
        let database = || {
            Database::builder()
                .create_with_backend(InMemoryBackend::new())
                .unwrap()
        };
        let log = Log::open(database(), self.0).unwrap();
        Ok(((), log, Machine::open(database(), self.0).unwrap()))
    }
}

fn passes_openrafts_suite(bug: Option<Bug>) -> bool {
    let suite = || Types::run(Suite::test_all(InMemory(bug)));
    catch_unwind(AssertUnwindSafe(suite)).is_ok_and(|done| done.is_ok())
}

/// The first of so many storms that fails, and how.
fn first_failure<const BUG: usize>(seeds: u64) -> Option<(u64, String)> {
    let profile = Profile::load("portfolio").unwrap();
    let subject = RegisteredSubject::new("redb", "", with_storage::<Redb<BUG>>());
    let space = subject.plans(&profile);
    (0..seeds).find_map(|seed| {
        let outcome = subject.runner.run(&space.draw(seed), Observer::default());
        Some((seed, outcome.failure?.violation.to_string()))
    })
}

/// As many as it takes to find each mistake.
const SEEDS: u64 = 120;

#[test]
fn it_passes_openrafts_suite() {
    assert!(passes_openrafts_suite(None));
}

#[test]
fn it_stands_the_storm() {
    squall::check(with_storage::<Redb<NONE>>())
        .seeds(0..40)
        .run();
}

/// openraft's own storage in memory, which keeps nothing over a restart.
struct InMemoryOnly;

impl OwnStorage for InMemoryOnly {
    type Leaders = OneLeaderATerm;
    type Config = openraft_memstore::TypeConfig;
    type Log = Arc<MemLogStore>;
    type Machine = Arc<MemStateMachine>;

    async fn open(_: Disk) -> io::Result<(Self::Log, Self::Machine)> {
        Ok(openraft_memstore::new_mem_store())
    }

    fn command(put: Put) -> ClientRequest {
        ClientRequest {
            client: put.key.to_string(),
            serial: put.value,
            status: put.value.to_string(),
        }
    }

    async fn state(machine: &mut Self::Machine) -> io::Result<Vec<u8>> {
        let held = machine.get_state_machine().await.client_status;
        let held: BTreeMap<String, String> = held.into_iter().collect();
        Ok(format!("{held:?}").into_bytes())
    }
}

#[test]
fn openrafts_storage_in_memory_stands_what_has_no_restart_and_forgets_with_one() {
    let failure = |profile| {
        let profile = Profile::load(profile).unwrap();
        let subject = RegisteredSubject::new("memory", "", with_storage::<InMemoryOnly>());
        let space = subject.plans(&profile);
        (0..8).find_map(|seed| {
            let outcome = subject.runner.run(&space.draw(seed), Observer::default());
            Some(outcome.failure?.violation.to_string())
        })
    };
    assert_eq!(failure("calm"), None);
    let text = failure("storm").unwrap();
    assert!(text.contains("the storage breaks its contract"), "{text}");
    assert!(text.contains("after the restart"), "{text}");
}

type Search = fn(u64) -> Option<(u64, String)>;

/// A search for each mistake.
fn searches() -> [Search; Bug::ALL.len()] {
    macro_rules! searches {
        ($($number:literal)*) => { [$(first_failure::<$number>),*] };
    }
    searches!(0 1 2 3 4 5 6 7 8 9 10 11 12 13)
}

#[test]
fn most_mistakes_are_found_by_the_first_storm() {
    let found = searches().into_iter().filter(|search| search(1).is_some());
    assert!(found.count() > Bug::ALL.len() / 2);
}

#[test]
#[ignore = "minutes: cargo test --package redb-openraft --test storm -- --ignored"]
fn the_table_says_who_finds_which_mistake() {
    let mut table =
        "| mistake | openraft's suite | the storm: seed, and what it says |\n| --- | --- | --- |\n"
            .to_owned();
    for (bug, search) in Bug::ALL.into_iter().zip(searches()) {
        let suite = match passes_openrafts_suite(Some(bug)) {
            true => "",
            false => "found",
        };
        let storm = search(SEEDS).map_or_else(String::new, |(seed, text)| {
            // Without the node and the line, which tell nothing here.
            let text = text
                .split_once("contract: ")
                .map_or(&*text, |(_, after)| after);
            let text = text.rsplit_once(" (").map_or(text, |(before, _)| before);
            format!("{seed}: {}", text.replace('|', "\\|"))
        });
        let row = format!("| {} | {suite} | {storm} |", bug.name());
        writeln!(table, "{row}").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let right = format!("{before}<!-- table -->\n{table}<!-- end -->{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, right).unwrap();
        return;
    }
    assert_eq!(page, right, "UPDATE_EXPECT=1 rewrites the table");
}
