//! The newest snapshot of the state machine, in a file of its own: a CRC-32 (u32, little-endian)
//! and raft's snapshot. The file gets its name when it is durable, so one that does not match its
//! checksum has rotted since, and the server must not run on it.

use std::io;

use protobuf::Message as _;
use raft::eraftpb::Snapshot;

use crate::files::{self, File};

const NAME: &str = "snapshot";

/// Reads it; an empty one when there is none.
///
/// # Errors
/// When the disk fails, or it does not match its checksum.
pub async fn read(dir: &str) -> io::Result<Snapshot> {
    let file = match File::open(&files::in_dir(dir, NAME)).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Snapshot::default()),
        file => file?,
    };
    let bytes = file.read_all().await?;
    let rotten = || io::Error::new(io::ErrorKind::InvalidData, "the snapshot is damaged");
    let (sum, content) = bytes.split_first_chunk::<4>().ok_or_else(rotten)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*sum) {
        return Err(rotten());
    }
    Snapshot::parse_from_bytes(content).map_err(|_| rotten())
}

/// Puts `snapshot` in its place. Durable when this returns.
///
/// # Errors
/// When the disk fails.
pub async fn write(dir: &str, snapshot: &Snapshot) -> io::Result<()> {
    let content = snapshot.write_to_bytes();
    let content = content.expect("raft's messages have no required fields");
    let mut bytes = crc32fast::hash(&content).to_le_bytes().to_vec();
    bytes.extend(content);
    files::replace(dir, NAME, &bytes).await.map(drop)
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_snapshot_is_read_back_and_a_rotten_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap();
        assert_eq!(read(at).await.unwrap(), Snapshot::default());
        let mut snapshot = Snapshot {
            data: vec![7; 100].into(),
            ..Snapshot::default()
        };
        snapshot.mut_metadata().index = 9;
        write(at, &snapshot).await.unwrap();
        assert_eq!(read(at).await.unwrap(), snapshot);
        let path = dir.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[50] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        assert!(read(at).await.is_err());
    }
}
