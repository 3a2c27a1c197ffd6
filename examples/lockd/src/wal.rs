//! The write-ahead log: terms, votes and entries, in one file of records with checksums.
//!
//! A record is its length (u32), a CRC-32 of what follows (u32), its kind (one byte) and its
//! content; numbers are little-endian. The file begins with the index and the term that the log
//! begins after. It is read up to the first record that is not whole: that, and all behind it, was
//! never synced, and so never promised to anyone. It is cut off, because what is written behind it
//! would not be found again.
//!
//! A file that is begun anew, because a snapshot stands for what was in it, takes the place of the
//! old one by a rename.

use std::io;

use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState};

use crate::bug::{Bug, Injected};
use crate::files::{self, File};

const NAME: &str = "wal";
const HEADER: usize = 9;

const START: u8 = 0;
const ENTRY: u8 = 1;
const HARD_STATE: u8 = 2;

/// What is read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The index and the term that the log begins after.
    pub start: (u64, u64),
    /// Term, vote and commit index.
    pub hard: HardState,
    /// The entries, which follow one another.
    pub entries: Vec<Entry>,
}

/// The open log.
#[derive(Debug)]
pub struct Wal {
    dir: String,
    file: File,
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the log {why}"))
}

fn put(bytes: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[kind]);
    sum.update(content);
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(sum.finalize().to_le_bytes());
    bytes.push(kind);
    bytes.extend(content);
}

/// The first record in `bytes`, if it is whole: its kind and its content.
fn first(bytes: &[u8], bug: Injected) -> Option<(u8, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let checked = rest.get(..length.checked_add(1)?)?;
    let is_whole = crc32fast::hash(checked) == u32::from_le_bytes(*sum);
    (is_whole || bug.is(Bug::NoChecksum)).then(|| (checked[0], &checked[1..]))
}

fn encoded(entries: &[Entry], hard: Option<&HardState>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        put(&mut bytes, ENTRY, &whole(entry.write_to_bytes()));
    }
    // Behind the entries, whose commit it may speak of.
    if let Some(hard) = hard {
        put(&mut bytes, HARD_STATE, &whole(hard.write_to_bytes()));
    }
    bytes
}

fn whole(bytes: protobuf::ProtobufResult<Vec<u8>>) -> Vec<u8> {
    bytes.expect("raft's messages have no required fields")
}

impl Kept {
    /// The index of the last entry, or of the one that the log begins after.
    pub fn last(&self) -> u64 {
        self.start.0 + self.entries.len() as u64
    }

    /// The term of the entry at `index`, if it is there.
    pub fn term(&self, index: u64) -> Option<u64> {
        match index.checked_sub(self.start.0)? {
            0 => Some(self.start.1),
            place => self.entries.get(place as usize - 1).map(|entry| entry.term),
        }
    }

    /// Puts an entry in its place, and drops what was there and behind.
    pub fn place(&mut self, entry: Entry) -> bool {
        let Some(place) = entry.index.checked_sub(self.start.0 + 1) else {
            return false;
        };
        if place as usize > self.entries.len() {
            return false;
        }
        self.entries.truncate(place as usize);
        self.entries.push(entry);
        true
    }

    fn take(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let unreadable = |_| damaged("holds a record that cannot be read");
        match kind {
            START => {
                let numbers = content.split_first_chunk::<8>();
                let numbers =
                    numbers.and_then(|(index, term)| Some((index, term.try_into().ok()?)));
                let (index, term) = numbers.ok_or_else(|| damaged("has no beginning"))?;
                self.start = (u64::from_le_bytes(*index), u64::from_le_bytes(term));
                Ok(())
            }
            ENTRY => {
                let entry = Entry::parse_from_bytes(content).map_err(unreadable)?;
                match self.place(entry) {
                    true => Ok(()),
                    false => Err(damaged("has a gap")),
                }
            }
            HARD_STATE => {
                self.hard = HardState::parse_from_bytes(content).map_err(unreadable)?;
                Ok(())
            }
            kind => Err(damaged(&format!(
                "holds a record of the unknown kind {kind}"
            ))),
        }
    }

    /// All of it, as a file that begins anew.
    fn to_bytes(&self) -> Vec<u8> {
        let mut start = self.start.0.to_le_bytes().to_vec();
        start.extend(self.start.1.to_le_bytes());
        let mut bytes = Vec::new();
        put(&mut bytes, START, &start);
        bytes.extend(encoded(&self.entries, Some(&self.hard)));
        bytes
    }
}

impl Wal {
    /// Opens the log in the folder `dir`, or begins one, and reads what it kept.
    ///
    /// # Errors
    /// When the disk fails, or what is on it is no log.
    pub async fn open(dir: &str, bug: Injected) -> io::Result<(Self, Kept)> {
        let mut kept = Kept::default();
        let file = match File::open(&files::in_dir(dir, NAME)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = files::replace(dir, NAME, &kept.to_bytes()).await?;
                let dir = dir.to_owned();
                return Ok((Self { dir, file }, kept));
            }
            file => file?,
        };
        let bytes = file.read_all().await?;
        let mut end = 0;
        while let Some((kind, content)) = first(&bytes[end..], bug) {
            if (end == 0) != (kind == START) {
                return Err(damaged("does not begin at its beginning"));
            }
            kept.take(kind, content)?;
            end += HEADER + content.len();
        }
        if end == 0 {
            // The first record was durable before the file had its name.
            return Err(damaged("is damaged at its beginning"));
        }
        if end < bytes.len() && !bug.is(Bug::TornTail) {
            file.set_len(end as u64).await?;
        }
        // What was read may have been written and not synced. From here on it is promised.
        file.sync_data().await?;
        let dir = dir.to_owned();
        Ok((Self { dir, file }, kept))
    }

    /// Writes entries, in place of those from the first of them on, and a hard state. They are safe
    /// after [`Wal::sync`].
    ///
    /// # Errors
    /// When the disk fails. The log is not to be used any more then.
    pub async fn append(&mut self, entries: &[Entry], hard: Option<&HardState>) -> io::Result<()> {
        self.file.append(&encoded(entries, hard)).await.map(drop)
    }

    /// Makes durable what has been written.
    ///
    /// # Errors
    /// When the disk fails. What was written may be lost then, whatever later syncs say: the server
    /// must stop.
    pub async fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data().await
    }

    /// Begins the log anew with what is kept of it. Durable when this returns.
    ///
    /// # Errors
    /// As [`Wal::append`].
    pub async fn restart(&mut self, kept: &Kept) -> io::Result<()> {
        self.file = files::replace(&self.dir, NAME, &kept.to_bytes()).await?;
        Ok(())
    }
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry {
            index,
            term,
            data: vec![index as u8; 20].into(),
            ..Entry::default()
        }
    }

    async fn open(dir: &tempfile::TempDir) -> io::Result<(Wal, Kept)> {
        Wal::open(dir.path().to_str().unwrap(), Injected::default()).await
    }

    #[tokio::test]
    async fn what_is_written_is_read_back_and_later_entries_take_the_place_of_earlier_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (mut wal, kept) = open(&dir).await.unwrap();
        assert_eq!(kept, Kept::default());
        let hard = HardState {
            term: 2,
            vote: 3,
            commit: 1,
            ..HardState::default()
        };
        wal.append(&[entry(1, 1), entry(2, 1)], None).await.unwrap();
        wal.append(&[entry(2, 2)], Some(&hard)).await.unwrap();
        wal.sync().await.unwrap();
        let (mut wal, kept) = open(&dir).await.unwrap();
        assert_eq!(kept.entries, [entry(1, 1), entry(2, 2)]);
        assert_eq!(kept.hard, hard);
        let short = Kept {
            start: (1, 1),
            hard,
            entries: vec![entry(2, 2)],
        };
        wal.restart(&short).await.unwrap();
        wal.append(&[entry(3, 2)], None).await.unwrap();
        let (_, kept) = open(&dir).await.unwrap();
        assert_eq!(kept.start, (1, 1));
        assert_eq!(kept.entries, [entry(2, 2), entry(3, 2)]);
        assert_eq!(kept.term(1), Some(1));
    }

    #[tokio::test]
    async fn a_torn_or_changed_tail_is_cut_off_and_the_log_goes_on_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let (mut wal, _) = open(&dir).await.unwrap();
        wal.append(&[entry(1, 1), entry(2, 1)], None).await.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for end in bytes.len() - 20..bytes.len() {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let (mut wal, kept) = open(&dir).await.unwrap();
            assert_eq!(kept.entries, [entry(1, 1)]);
            wal.append(&[entry(2, 2)], None).await.unwrap();
            let (_, kept) = open(&dir).await.unwrap();
            assert_eq!(kept.entries, [entry(1, 1), entry(2, 2)]);
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert_eq!(open(&dir).await.unwrap().1.entries, [entry(1, 1)]);
        std::fs::write(&path, b"nonsense that is no log").unwrap();
        assert!(open(&dir).await.is_err());
    }
}
