//! The shards that are to be merged: found, read, held against one another, and their digests put
//! into the order of the sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::shard::build;
use super::super::unfinished::file::{File, OfShard, Wrong};
use super::super::unfinished::{Asked, is_one, is_over, stem_of_shard};
use super::super::{CliError, folder_of};
use squall_explore::shard::{Chained, Shard, chain};

/// The file of a shard.
pub struct Part {
    pub path: PathBuf,
    pub file: File,
    pub of_shard: OfShard,
    pub shard: Shard,
}

/// A file that is left out, and why.
pub struct Damaged {
    pub path: PathBuf,
    pub why: String,
    /// The shard that is used without it.
    pub shard: Option<Shard>,
}

impl Damaged {
    /// A file, of no shard that is used.
    fn file(path: PathBuf, why: String) -> Self {
        Self {
            path,
            why,
            shard: None,
        }
    }

    /// Something beside the file of a shard, which is used without it.
    pub fn beside(part: &Part, why: String) -> Self {
        Self {
            path: part.path.clone(),
            why,
            shard: Some(part.shard),
        }
    }
}

/// The shards of one sweep.
pub struct Parts {
    pub asked: Asked,
    pub count: u64,
    pub portion: u64,
    /// Where the shards' folders lie.
    pub folder: PathBuf,
    /// By their numbers.
    pub parts: BTreeMap<u64, Part>,
    pub damaged: Vec<Damaged>,
}

impl Parts {
    /// Those that lie in these folders, at any depth.
    ///
    /// # Errors
    /// When there are none, a folder cannot be read, or they are not of one sweep and one build.
    pub fn find(folders: &[PathBuf]) -> Result<Self, CliError> {
        let (all, mut damaged) = read_all(folders)?;
        let names = || {
            let names = folders.iter().map(|folder| folder.display().to_string());
            names.collect::<Vec<_>>().join(", ")
        };
        let Some(first) = all.first() else {
            let why = match damaged.first() {
                Some(Damaged { path, why, .. }) => {
                    format!("; {} is damaged: {why}", path.display())
                }
                None => "; `squall sweep --shard I/N` writes one".to_owned(),
            };
            return Err(CliError::Usage(format!(
                "there is no shard in {}{why}",
                names()
            )));
        };
        for other in &all[1..] {
            compare(first, other)?;
        }
        if first.of_shard.build != build()? {
            return Err(CliError::Usage(format!(
                "another build of this program ran {}; merge with the one that ran the shards",
                first.path.display()
            )));
        }
        let folder = |path: &Path| path.parent().and_then(Path::parent).map(Path::to_path_buf);
        let mut found = Self {
            asked: Asked {
                shard: None,
                ..first.file.asked.clone()
            },
            count: first.shard.count(),
            portion: first.of_shard.portion,
            folder: folder(&first.path).unwrap_or_default(),
            parts: BTreeMap::new(),
            damaged: Vec::new(),
        };
        found.damaged.append(&mut damaged);
        for part in all {
            found.take(part)?;
        }
        Ok(found)
    }

    /// Takes in a shard. Of two files of the same shard, the one that has got further is used,
    /// unless it is damaged.
    fn take(&mut self, part: Part) -> Result<(), CliError> {
        let number = part.shard.number();
        let Some(other) = self.parts.remove(&number) else {
            self.parts.insert(number, part);
            return Ok(());
        };
        let further = |part: &Part| (part.of_shard.is_over, part.file.next, part.file.runs);
        let (less, more) = match further(&part) > further(&other) {
            true => (other, part),
            false => (part, other),
        };
        let (kept, left_out) = match (is_whole(&less), is_whole(&more)) {
            (Ok(()), Ok(())) => {
                let both = digests(&less).zip(digests(&more));
                if both.into_iter().any(|(one, other)| one != other) {
                    return Err(CliError::Usage(format!(
                        "{} and {} are of one shard, and their runs are not the same: the subject is nondeterministic, or ran on another machine in another way",
                        less.path.display(),
                        more.path.display()
                    )));
                }
                (more, None)
            }
            // What is damaged of both is told later, of the one that is used.
            (Err(why), _) => (more, Some(Damaged::file(less.path, why))),
            (Ok(()), Err(why)) => (less, Some(Damaged::file(more.path, why))),
        };
        self.damaged.extend(left_out);
        self.parts.insert(number, kept);
        Ok(())
    }

    /// The digest over all portions from the beginning that all shards have finished. Shards whose
    /// digests are damaged are left out.
    pub fn chain(&mut self) -> Chained {
        loop {
            let mut each: Vec<_> = (1..=self.count)
                .map(|number| {
                    let digests = self.parts.get(&number).map(digests);
                    let of_number =
                        move |digest: Result<u64, String>| digest.map_err(|why| (number, why));
                    digests.into_iter().flatten().map(of_number)
                })
                .collect();
            let chained = chain(&self.asked.seeds, self.portion, &mut each)
                // Those that no digest reaches are to be whole as well.
                .and_then(|chained| {
                    for rest in &mut each {
                        rest.try_for_each(|digest| digest.map(drop))?;
                    }
                    Ok(chained)
                });
            drop(each);
            match chained {
                Ok(chained) => return chained,
                Err((number, why)) => {
                    let part = self.parts.remove(&number);
                    (self.damaged).extend(part.map(|part| Damaged::file(part.path, why)));
                }
            }
        }
    }

    /// The shards of which there is nothing.
    pub fn missing(&self) -> impl Iterator<Item = Shard> {
        let numbers = (1..=self.count).filter(|number| !self.parts.contains_key(number));
        numbers.filter_map(|number| Shard::new(number, self.count).ok())
    }
}

/// The digests of a shard.
fn digests(part: &Part) -> impl Iterator<Item = Result<u64, String>> + use<> {
    let digests = part.of_shard.digests(stem_of_shard(&part.path));
    digests.expect("its file was read, and checked").read()
}

/// That everything is there, and whole, of which the file of a shard speaks.
fn is_whole(part: &Part) -> Result<(), String> {
    digests(part).try_for_each(|digest| digest.map(drop))?;
    part.file.is_whole(&part.path)
}

/// All files of shards in these folders, in the order of their paths, and those that are damaged.
fn read_all(folders: &[PathBuf]) -> Result<(Vec<Part>, Vec<Damaged>), CliError> {
    let mut paths = Vec::new();
    for folder in folders {
        walk(folder, &mut paths)?;
    }
    // The first is taken from the end.
    paths.sort_by(|one, other| other.cmp(one));
    // A folder may be named twice, or be in another.
    let mut known = BTreeSet::new();
    let (mut parts, mut damaged) = (Vec::new(), Vec::new());
    while let Some(path) = paths.pop() {
        if !known.insert(std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone())) {
            continue;
        }
        let mut file = match File::read(&path) {
            Ok(file) => file,
            // Its shard has ended since the folder was listed, and has another file now.
            Err(_) if !path.exists() => {
                walk(folder_of(&path), &mut paths)?;
                continue;
            }
            Err(Wrong::Damaged(why)) => {
                damaged.push(Damaged::file(path, why));
                continue;
            }
            Err(Wrong::OtherVersion(why)) => {
                return Err(CliError::Usage(format!("{}: {why}", path.display())));
            }
        };
        match (file.shard.take(), file.asked.shard) {
            (Some(of_shard), Some(shard)) => parts.push(Part {
                path,
                file,
                of_shard,
                shard,
            }),
            // A sweep that is no shard has nothing to do with it.
            _ => super::super::warn(&format!("left out: {} is of no shard", path.display())),
        }
    }
    Ok((parts, damaged))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let unreadable = |source| CliError::Unreadable {
        path: folder.to_path_buf(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                // What a process of a shard works with may be gone at any time.
                let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
                if !is_hidden {
                    walk(&path, found)?;
                }
            }
            Ok(_) if is_one(&path) || is_over(&path) => found.push(path),
            _ => {}
        }
    }
    Ok(())
}

/// That two shards are of one sweep and one build.
fn compare(first: &Part, other: &Part) -> Result<(), CliError> {
    let words = |command: &Option<String>| command.clone().unwrap_or_else(|| "none".to_owned());
    let fields = |part: &Part| {
        [
            ("build", part.of_shard.build.clone()),
            ("command", words(&part.of_shard.command)),
            ("number of shards", part.shard.count().to_string()),
            (
                "number of seeds in a portion",
                part.of_shard.portion.to_string(),
            ),
        ]
    };
    let pairs = fields(first).into_iter().zip(fields(other));
    let mut pairs = pairs.map(|((name, one), (_, other))| (name, one, other));
    let differs = pairs.find(|(_, one, other)| one != other);
    let differs = first.file.asked.differs(&other.file.asked).or(differs);
    match differs {
        None => Ok(()),
        Some((name, one, two)) => Err(CliError::Usage(format!(
            "{} and {} are not shards of one sweep: the {name} is {one} there, and {two} here; nothing is merged",
            first.path.display(),
            other.path.display()
        ))),
    }
}
