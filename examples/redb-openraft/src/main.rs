//! The storage under the whole command line of Squall: `cargo run --release --package
//! redb-openraft`, and `-- sweep --subject redb+vote-not-synced`, `-- replay PLAN.json`, ...

use redb_openraft::Bug;
use redb_openraft::storm::Redb;
use squall::openraft::with_storage;
use squall::prelude::RegisteredSubject;

macro_rules! subjects {
    ($($number:literal)*) => {
        vec![
            RegisteredSubject::new("redb", "openraft on redb", with_storage::<Redb<{ usize::MAX }>>()),
            $(RegisteredSubject::new(
                format!("redb+{}", Bug::ALL[$number].name()),
                "the same with a mistake",
                with_storage::<Redb<$number>>(),
            ),)*
        ]
    };
}

fn main() -> std::process::ExitCode {
    squall::cli::main(subjects!(0 1 2 3 4 5 6 7 8 9 10 11 12 13))
}
