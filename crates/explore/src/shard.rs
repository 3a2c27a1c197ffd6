//! Shards of a sweep: which portions of its seeds are whose, and the digest that shards add up to.
//! Shard I of N has the portions I-1, I-1+N, I-1+2N and so on, so that all shards together are the
//! sweep, and at any time have covered about the same of it from its beginning. Knows no files and
//! no clusters; of these it knows the variables by which they say which task this one is.

#[doc(hidden)] // Of use to the command line alone.
pub mod digests;
mod environment;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use environment::{Source, from_environment};

use squall_world::hash::mix;

/// The most shards that a sweep can have.
pub const MOST_SHARDS: u64 = 1_000_000;

/// One of the shards of a sweep, written `3/16`: the third of sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    number: u64,
    count: u64,
}

/// Text that names no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no shard; legal: I/N, with N from 1 to {MOST_SHARDS} and I from 1 to N")]
pub struct WrongShard(String);

impl Shard {
    /// The only shard of a sweep that has one.
    pub const WHOLE: Shard = Shard {
        number: 1,
        count: 1,
    };

    /// The shard of this number, from 1 to `count`, of `count`, from 1 to [`MOST_SHARDS`].
    ///
    /// # Errors
    /// For other numbers.
    pub fn new(number: u64, count: u64) -> Result<Self, WrongShard> {
        match (1..=MOST_SHARDS).contains(&count) && (1..=count).contains(&number) {
            true => Ok(Self { number, count }),
            false => Err(WrongShard(format!("{number}/{count}"))),
        }
    }

    /// Its number, from 1 to [`Shard::count`].
    pub fn number(self) -> u64 {
        self.number
    }

    /// How many shards the sweep has.
    pub fn count(self) -> u64 {
        self.count
    }

    /// Whether it is all of its sweep.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// The shard's first seed at or after `next` in a sweep of `seeds` that hands out portions of
    /// `portion` seeds; the end of the seeds where there is none. `next` is where a portion begins,
    /// or the end.
    pub fn go_to(self, seeds: &Range<u64>, portion: u64, next: u64) -> u64 {
        let place = (next - seeds.start) / portion;
        let others = (self.number - 1 + self.count - place % self.count) % self.count;
        let seed = next.saturating_add(others.saturating_mul(portion));
        seed.min(seeds.end)
    }

    /// How many of the shard's seeds lie before `next`, in such a sweep.
    pub fn seeds_before(self, seeds: &Range<u64>, portion: u64, next: u64) -> u64 {
        let all = next.min(seeds.end) - seeds.start;
        let (portions, rest) = (all / portion, all % portion);
        let mine = self.number - 1;
        let whole = portions.saturating_add(self.count - 1 - mine) / self.count;
        let is_mine = portions % self.count == mine;
        whole * portion + if is_mine { rest } else { 0 }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = WrongShard;

    fn from_str(text: &str) -> Result<Self, WrongShard> {
        let wrong = || WrongShard(text.to_owned());
        let (number, count) = text.split_once('/').ok_or_else(wrong)?;
        let read = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| text.parse().ok()).flatten()
        };
        let (number, count) = (read(number), read(count));
        let shard = number.zip(count).map(|(i, n)| Self::new(i, n));
        shard.ok_or_else(wrong)?.map_err(|_| wrong())
    }
}

impl TryFrom<String> for Shard {
    type Error = WrongShard;

    fn try_from(text: String) -> Result<Self, WrongShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

/// The digest of a sweep from its shards, over as many portions from its beginning as all of them
/// have finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chained {
    /// The digest that one sweep has of those seeds.
    pub digest: u64,
    /// How many seeds, from the first.
    pub seeds: u64,
}

/// Puts the digests of runs into the order of the sweep's seeds. `shards` gives those of each
/// shard, by its number less one, in the order of its own seeds; of a shard that is missing,
/// nothing.
///
/// # Errors
/// The first that a shard gives.
pub fn chain<E>(
    seeds: &Range<u64>,
    portion: u64,
    shards: &mut [impl Iterator<Item = Result<u64, E>>],
) -> Result<Chained, E> {
    let mut chained = Chained {
        digest: 0,
        seeds: 0,
    };
    let mut of_portion = Vec::new();
    for place in (0..shards.len()).cycle() {
        let left = seeds.end - seeds.start - chained.seeds;
        let wanted = portion.min(left) as usize;
        of_portion.clear();
        for digest in shards[place].by_ref().take(wanted) {
            of_portion.push(digest?);
        }
        if wanted == 0 || of_portion.len() < wanted {
            break;
        }
        chained.digest = of_portion.iter().copied().fold(chained.digest, mix);
        chained.seeds += wanted as u64;
    }
    Ok(chained)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// The seeds of a shard, one portion after the other, as a sweep goes through them.
    fn seeds_of(shard: Shard, seeds: &Range<u64>, portion: u64) -> Vec<u64> {
        let (mut all, mut next) = (Vec::new(), seeds.start);
        loop {
            next = shard.go_to(seeds, portion, next);
            assert_eq!(
                shard.seeds_before(seeds, portion, next),
                all.len() as u64,
                "{shard}, {seeds:?} by {portion}, before {next}"
            );
            if next >= seeds.end {
                return all;
            }
            let end = seeds.end.min(next + portion);
            all.extend(next..end);
            next = end;
        }
    }

    #[test]
    fn shards_share_out_all_seeds_and_chain_to_one_digest() {
        for (seeds, portion, count) in [
            (0..1_000, 64, 16),
            (11..1_200, 64, 3),
            (5..6, 64, 4),
            (7..7 + 640, 32, 20),
            (0..128, 64, 2),
            (0..100, 64, 1),
        ] {
            let shards = (1..=count).map(|number| Shard::new(number, count).unwrap());
            let shares: Vec<Vec<u64>> = shards
                .map(|shard| seeds_of(shard, &seeds, portion))
                .collect();
            let mut all: Vec<u64> = shares.iter().flatten().copied().collect();
            all.sort_unstable();
            assert_eq!(all, seeds.clone().collect::<Vec<_>>());
            let chained = |shares: &[Vec<u64>]| {
                let digests = |share: &Vec<u64>| share.clone().into_iter().map(Ok::<_, Infallible>);
                let mut each: Vec<_> = shares.iter().map(digests).collect();
                chain(&seeds, portion, &mut each).unwrap()
            };
            let whole = |seeds: Range<u64>| seeds.fold(0, mix);
            let expected = Chained {
                digest: whole(seeds.clone()),
                seeds: seeds.end - seeds.start,
            };
            assert_eq!(chained(&shares), expected);
            // One shard stops after its first portion: the digest is of what lies before its
            // second.
            let mut shares = shares;
            let last = shares.len() - 1;
            if shares[last].len() as u64 > portion {
                shares[last].truncate(portion as usize);
                let reached = (count * 2 - 1) * portion;
                let prefix = chained(&shares);
                assert_eq!(prefix.seeds, reached.min(expected.seeds));
                assert_eq!(
                    prefix.digest,
                    whole(seeds.start..seeds.start + prefix.seeds)
                );
            }
        }
    }

    #[test]
    fn a_sweep_without_end_has_shards_too() {
        let seeds = 5..u64::MAX;
        let shard = Shard::new(3, 4).unwrap();
        assert_eq!(shard.go_to(&seeds, 64, 5), 5 + 128);
        assert_eq!(shard.go_to(&seeds, 64, 5 + 192), 5 + 128 + 256);
        assert_eq!(shard.seeds_before(&seeds, 64, 5 + 192), 64);
        let late = u64::MAX - (u64::MAX - 5) % 64;
        assert_eq!(Shard::new(1, 4).unwrap().go_to(&seeds, 64, late), u64::MAX);
    }

    #[test]
    fn shards_are_read_as_they_are_written() {
        let shard: Shard = "3/16".parse().unwrap();
        assert_eq!((shard.number(), shard.count()), (3, 16));
        assert_eq!(shard.to_string(), "3/16");
        for wrong in [
            "",
            "3",
            "0/4",
            "5/4",
            "1/0",
            "+1/2",
            "1/-2",
            "1/1000001",
            "1/2/3",
        ] {
            let refused = wrong.parse::<Shard>().unwrap_err().to_string();
            assert!(
                refused.contains(&format!("\"{wrong}\" is no shard")),
                "{refused}"
            );
        }
    }
}
