//! The storage under Squall's storm: all that Squall has to be told of it.

use std::io;

use redb::{Database, StorageBackend};
use squall::openraft::OneLeaderATerm;
use squall::openraft::storage::{Disk, File, OwnStorage, Put};

use crate::types::{Set, Types};
use crate::{Bug, Log, Machine};

/// A file of Squall's in place of one of the machine's.
#[derive(Debug)]
struct OnDisk(File);

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}

fn database(file: File) -> io::Result<Database> {
    let mut builder = Database::builder();
    let builder = builder.set_cache_size(1 << 20);
    builder
        .create_with_backend(OnDisk(file))
        .map_err(io::Error::other)
}

/// The database of that name. A new one gets its name when it is whole: redb takes a file for none
/// of its own in which the power failed before that.
fn open_database(disk: &Disk, name: &str, bug: Option<Bug>) -> io::Result<Database> {
    if !disk.exists(name) {
        let beside = format!("{name}.new");
        if disk.exists(&beside) {
            disk.remove(&beside)?;
        }
        drop(database(disk.open_or_create(&beside)?)?);
        disk.rename(&beside, name)?;
        if bug != Some(Bug::NameNotSynced) {
            disk.sync_directory("")?;
        }
    }
    database(disk.open(name)?)
}

/// The storage, with the mistake of that number; with none beyond the last.
pub struct Redb<const BUG: usize>;

impl<const BUG: usize> OwnStorage for Redb<BUG> {
    type Leaders = OneLeaderATerm;
    type Config = Types;
    type Log = Log;
    type Machine = Machine;

    async fn open(disk: Disk) -> io::Result<(Log, Machine)> {
        let bug = Bug::ALL.get(BUG).copied();
        let log = open_database(&disk, "log", bug)?;
        let machine = open_database(&disk, "machine", bug)?;
        Ok((Log::open(log, bug)?, Machine::open(machine, bug)?))
    }

    fn command(put: Put) -> Set {
        Set {
            key: put.key.to_string(),
            value: put.value.to_string(),
        }
    }

    async fn state(machine: &mut Machine) -> io::Result<Vec<u8>> {
        Ok(format!("{:?}", machine.values()?).into_bytes())
    }
}
