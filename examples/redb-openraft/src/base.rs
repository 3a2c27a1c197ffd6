//! What log and machine have in common: transactions of a database, and values as JSON.

use std::io;
use std::sync::Arc;

use redb::{Database, Durability, ReadableDatabase, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Values by name.
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// An error of the database, as openraft wants it.
pub(crate) fn failed(why: impl Into<redb::Error>) -> io::Error {
    io::Error::other(why.into())
}

pub(crate) fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(bytes)?)
}

/// A database, which many may have open.
#[derive(Clone)]
pub(crate) struct Base(pub(crate) Arc<Database>);

impl Base {
    /// Writes something, all of it or nothing. With `Immediate` it is durable when this returns.
    pub(crate) fn write(
        &self,
        durability: Durability,
        act: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> io::Result<()> {
        let mut transaction = self.0.begin_write().map_err(failed)?;
        transaction.set_durability(durability).map_err(failed)?;
        act(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// The value of that name.
    pub(crate) fn get<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let transaction = self.0.begin_read().map_err(failed)?;
        let table = transaction.open_table(META).map_err(failed)?;
        let value = table.get(name).map_err(failed)?;
        value.map(|value| decode(value.value())).transpose()
    }
}

/// Puts a value under a name.
pub(crate) fn put(
    transaction: &WriteTransaction,
    name: &str,
    value: &impl Serialize,
) -> Result<(), redb::Error> {
    let bytes = encode(value).map_err(redb::Error::Io)?;
    transaction.open_table(META)?.insert(name, &*bytes)?;
    Ok(())
}
