//! Files of 64-bit words with a checksum, each written whole: the digests of a shard's runs, in
//! segments, and what a shard covers. A sweep's digest is a chain over its runs, so that shards can
//! be merged only where the digest of each run is known: 8 bytes a run.

use std::io;
use std::path::{Path, PathBuf};

use squall_core::fsutil::write_by;
use squall_world::hash::mix;

/// Digests in a segment. A segment that is full is written once, and nothing is written to it
/// again, so that where a shard stands is told by the number of segments and what comes after them.
const SEGMENT: usize = 1 << 15;

/// Hexadecimal digits of a word.
const DIGITS: usize = 16;

/// The digests of the runs of a shard, in the order of their seeds.
#[derive(Clone, Debug)]
pub struct Digests {
    /// How the names of the segments' files begin.
    stem: PathBuf,
    /// The segments that are full and written.
    segments: u64,
    rest: Vec<u64>,
}

impl Digests {
    /// None yet, of a shard whose files' names begin so.
    pub fn new(stem: PathBuf) -> Self {
        Self {
            stem,
            segments: 0,
            rest: Vec::new(),
        }
    }

    /// Those of so many segments, and `rest`, as [`Digests::rest`] wrote it.
    ///
    /// # Errors
    /// One line, when `rest` is no such text.
    pub fn of(stem: PathBuf, segments: u64, rest: &str) -> Result<Self, String> {
        let words = rest.as_bytes().chunks(DIGITS).map(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            let is_whole = digits.len() == DIGITS && !digits.starts_with('+');
            is_whole.then(|| u64::from_str_radix(digits, 16).ok())?
        });
        let rest: Option<Vec<u64>> = words.collect();
        let rest = rest.ok_or("its digests are no hexadecimal words of 16 digits")?;
        Ok(Self {
            stem,
            segments,
            rest,
        })
    }

    /// Adds the digests of a portion.
    pub fn add(&mut self, digests: &[u64]) {
        self.rest.extend(digests);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        (self.segments.saturating_mul(SEGMENT as u64)).saturating_add(self.rest.len() as u64)
    }

    /// Writes the segments that are full by now.
    ///
    /// # Errors
    /// As the file system has them.
    pub fn settle(&mut self, scratch: &Path) -> io::Result<()> {
        while self.rest.len() >= SEGMENT {
            let path = segment(&self.stem, self.segments);
            write_words(scratch, &path, self.rest[..SEGMENT].iter().copied())?;
            self.rest.drain(..SEGMENT);
            self.segments += 1;
        }
        Ok(())
    }

    /// How many segments are written.
    pub fn segments(&self) -> u64 {
        self.segments
    }

    /// What comes after the segments, as text.
    pub fn rest(&self) -> String {
        let words = self.rest.iter().map(|word| format!("{word:016x}"));
        words.collect()
    }

    /// All of them. Each error is one line, and names a file.
    pub fn read(self) -> impl Iterator<Item = Result<u64, String>> {
        let stem = self.stem;
        let segments = (0..self.segments).flat_map(move |number| {
            let path = segment(&stem, number);
            let words = read_words(&path).and_then(|words| match words.len() {
                SEGMENT => Ok(words),
                other => Err(format!("{other} digests; legal: {SEGMENT}")),
            });
            match words {
                Ok(words) => words.into_iter().map(Ok).collect(),
                Err(why) => vec![Err(format!("{}: {why}", path.display()))],
            }
        });
        segments.chain(self.rest.into_iter().map(Ok))
    }
}

/// The file of a segment, by its number from 0.
fn segment(stem: &Path, number: u64) -> PathBuf {
    with(stem, &format!(".digests-{number:05}"))
}

/// `stem`, with `ending` at its end.
pub fn with(stem: &Path, ending: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Writes words and their checksum to a file.
///
/// # Errors
/// As the file system has them.
pub fn write_words(
    scratch: &Path,
    path: &Path,
    words: impl IntoIterator<Item = u64>,
) -> io::Result<()> {
    let (mut bytes, mut sum) = (Vec::new(), 0);
    for word in words {
        bytes.extend(word.to_le_bytes());
        sum = mix(sum, word);
    }
    bytes.extend(sum.to_le_bytes());
    write_by(scratch, path, bytes)
}

/// Reads words that [`write_words`] wrote.
///
/// # Errors
/// One line, when the file cannot be read or is damaged.
pub fn read_words(path: &Path) -> Result<Vec<u64>, String> {
    let is_file = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !is_file.is_file() {
        return Err("it is no file".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut words: Vec<u64> = words.iter().copied().map(u64::from_le_bytes).collect();
    match words.pop() {
        Some(sum) if rest.is_empty() && words.iter().copied().fold(0, mix) == sum => Ok(words),
        _ => Err("it is damaged: its checksum is not that of what is in it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(digests: &Digests) -> Result<Vec<u64>, String> {
        digests.clone().read().collect()
    }

    #[test]
    fn digests_of_many_portions_are_read_as_they_were_added() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a-0-9");
        let many = SEGMENT as u64 * 2 + 100;
        let mut digests = Digests::new(stem.clone());
        for portion in 0..many / 64 {
            let of_portion: Vec<u64> = (portion * 64..portion * 64 + 64).collect();
            digests.add(&of_portion);
            digests.settle(folder.path()).unwrap();
        }
        let expected: Vec<u64> = (0..many / 64 * 64).collect();
        assert_eq!(digests.count(), expected.len() as u64);
        assert_eq!(all(&digests).unwrap(), expected);
        let again = Digests::of(stem, digests.segments(), &digests.rest()).unwrap();
        assert_eq!(digests.segments(), 2);
        assert_eq!(all(&again).unwrap(), expected);
    }

    #[test]
    fn what_is_damaged_is_told_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("a");
        let mut digests = Digests::new(stem.clone());
        digests.add(&vec![7; SEGMENT]);
        digests.settle(folder.path()).unwrap();
        let path = segment(&stem, 0);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[SEGMENT] ^= 4;
        for spoilt in [&flipped[..], &whole[..whole.len() - 1], &whole[8..], &[]] {
            std::fs::write(&path, spoilt).unwrap();
            let why = all(&digests).unwrap_err();
            assert!(why.contains("a.digests-00000: it is damaged"), "{why}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(all(&digests).unwrap_err().contains("a.digests-00000"));
        for wrong in [
            "0",
            "+00000000000000f",
            "00000000000000fg",
            "0000000000000001f",
        ] {
            assert!(Digests::of(stem.clone(), 0, wrong).is_err(), "{wrong}");
        }
    }
}
