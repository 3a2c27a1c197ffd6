//! The storage as it is stands openraft's suite and Squall's storm.

use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use openraft::StorageError;
use redb::Database;
use redb::backends::InMemoryBackend;
use redb_openraft::storm::Redb;
use redb_openraft::types::Types;
use redb_openraft::{Bug, Log, Machine};
use squall::openraft::with_storage;

struct InMemory(Option<Bug>);

impl StoreBuilder<Types, Log, Machine> for InMemory {
    async fn build(&self) -> Result<((), Log, Machine), StorageError<Types>> {
        let database = || Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let log = Log::open(database(), self.0).unwrap();
        Ok(((), log, Machine::open(database(), self.0).unwrap()))
    }
}

#[test]
fn it_passes_openrafts_suite() {
    Types::run(Suite::test_all(InMemory(None))).unwrap();
}

#[test]
fn it_stands_the_storm() {
    squall::check(with_storage::<Redb<{ usize::MAX }>>())
        .seeds(0..40)
        .run();
}
