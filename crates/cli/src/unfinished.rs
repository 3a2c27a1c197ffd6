//! A sweep that is under way, on the disk: what it was asked for, how far it is, and what it has
//! found. Written whole and before anything of it is printed, so that a sweep that is killed goes
//! on where it was. A shard leaves the same when it has ended, for those who merge.

pub mod file;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::file::{File, Known, OfShard, Wrong};
use super::{CliError, shard, warn};
use squall_core::coverage::{Map, RunCoverage};
use squall_core::engine::Engine;
use squall_core::fsutil::{Equal, NewName, write_by, write_new};
use squall_core::plan::{Plan, Profile};
use squall_core::registry::RegisteredSubject;
use squall_explore::report::Files;
use squall_explore::shard::Shard;
use squall_explore::shard::digests::{Digests, read_words, with, write_words};
use squall_explore::strategy::{Kind, Strategy};
use squall_explore::sweep::Summary;
use squall_world::hash::mix_bytes;

/// How such a file's name ends.
const ENDING: &str = ".unfinished.json";

/// How it ends when its shard has ended.
const OVER: &str = ".shard.json";

/// How the name of the file ends that says what a shard covers which is under way.
const COVERAGE: &str = ".coverage";

/// How it ends when its shard has ended: of both files, each goes with one of this name.
const COVERAGE_OVER: &str = ".shard.coverage";

/// What the name of a damaged file ends in that its shard has put aside.
const DAMAGED: &str = ".damaged";

/// How often it is written at most, but for the first time.
const EVERY: Duration = Duration::from_millis(500);

/// The same, of a shard that has gone on for some time: many of them may share one disk.
const EVERY_OF_SHARD: Duration = Duration::from_secs(10);

/// What a sweep was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub subject: String,
    /// The engine's name.
    #[serde(default = "usual_engine")]
    pub engine: String,
    /// As it was named.
    pub profile: String,
    /// Of what the profile said, so that a change of it does not go unnoticed.
    pub profile_hash: u64,
    pub strategy: String,
    pub seeds: Range<u64>,
    pub time_ms: Option<u64>,
    pub keep_going: bool,
    pub shrink_for_ms: Option<u64>,
    /// Which part of it, where it is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Whether states that runs reach are counted: of a shard alone, which notes them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coverage: bool,
    /// The corpus that it begins with: of a shard alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corpus: Option<PathBuf>,
}

impl Asked {
    /// In what another sweep differs from this one, shards and time aside: the name, and the two
    /// values.
    pub fn differs(&self, other: &Asked) -> Option<(&'static str, String, String)> {
        let seeds = |Range { start, end }: &Range<u64>| match *end {
            u64::MAX => format!("from {start}"),
            end => format!("{start}..{end}"),
        };
        let fields = |asked: &Asked| {
            [
                ("subject", asked.subject.clone()),
                ("engine", asked.engine.clone()),
                ("profile", asked.profile.clone()),
                (
                    "profile's content, by its hash,",
                    format!("{:016x}", asked.profile_hash),
                ),
                ("strategy", asked.strategy.clone()),
                ("range of seeds", seeds(&asked.seeds)),
                ("coverage", asked.coverage.to_string()),
                ("corpus", format!("{:?}", asked.corpus)),
            ]
        };
        let mut pairs = fields(self).into_iter().zip(fields(other));
        pairs.find_map(|((name, mine), (_, theirs))| {
            (mine != theirs).then_some((name, mine, theirs))
        })
    }
}

/// What files of earlier versions mean, which do not say it.
fn usual_engine() -> String {
    Engine::default().name().to_owned()
}

/// Where a sweep stands.
pub struct Stand {
    pub next: u64,
    pub summary: Summary,
    /// The files of the findings, in their order.
    pub plans: Vec<PathBuf>,
}

impl Stand {
    /// Where a sweep stands before its first run.
    pub fn before(asked: &Asked) -> Self {
        Self {
            next: asked.seeds.start,
            summary: Summary::default(),
            plans: Vec::new(),
        }
    }

    /// Where the sweep of the file at `path` stands.
    fn of(file: &File, path: &Path, wrong: impl Fn(String) -> CliError) -> Result<Self, CliError> {
        let (mut summary, mut plans) = (file.summary(), Vec::new());
        for known in file.findings(path, &wrong) {
            let Known { finding, plan } = known?;
            summary.findings.push(finding);
            plans.push(plan);
        }
        Ok(Self {
            next: file.next,
            summary,
            plans,
        })
    }
}

/// What a shard keeps besides what it adds up to.
pub struct Book {
    build: String,
    command: Option<String>,
    portion: u64,
    /// It goes on where it was. Where the strategy learns, what it has learnt is not kept.
    goes_on: bool,
    next: u64,
    digests: Digests,
}

/// What there is of a shard already.
pub enum Shards {
    /// Nothing.
    None,
    /// It has begun.
    Begun(Box<(Unfinished, Stand)>),
    /// It has ended, in this file.
    Over(PathBuf, Box<Stand>),
}

/// How far a sweep is: see `SweepEvent::Batch`.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    pub next: u64,
    pub summary: &'a Summary,
    pub digests: &'a [u64],
}

/// A sweep that is under way.
pub struct Unfinished {
    path: PathBuf,
    asked: Asked,
    written: Option<Instant>,
    /// How long to wait for the next time: the longer the file takes to be written, the longer.
    wait: Duration,
    /// It is new, and nothing has been done yet that could be lost.
    is_blank: bool,
    /// Of a shard.
    book: Option<Book>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_blank {
            self.remove();
        }
    }
}

impl Unfinished {
    /// One that begins in the folder `out`, by way of the folder `scratch`, as `name` calls its
    /// sweep. It takes no other one's place. A shard of `subject` by `strategy` is there alone.
    pub fn begin(
        out: &Path,
        scratch: &Path,
        name: &str,
        asked: Asked,
        subject: &RegisteredSubject,
        strategy: &dyn Strategy,
    ) -> Result<Self, CliError> {
        let stem = stem(out, name, &asked);
        let book = match asked.shard {
            None => None,
            Some(_) => Some(Book {
                build: shard::build()?,
                command: subject.command.clone(),
                portion: strategy.portion(),
                goes_on: !strategy.learns(),
                next: asked.seeds.start,
                digests: Digests::new(stem.clone()),
            }),
        };
        let mut begun = Self {
            path: with(&stem, ENDING),
            asked,
            written: None,
            wait: EVERY,
            is_blank: true,
            book,
        };
        let text = begun.file(begun.asked.seeds.start, &Summary::default(), &[]);
        let text = text.text();
        let written = match begun.asked.shard {
            Some(_) => write_by(scratch, &begun.path, text).map(|()| begun.path.clone()),
            None => {
                let name = NewName {
                    stem,
                    ending: ENDING,
                };
                write_new(scratch, &name, &text, Equal::IsAnother)
            }
        };
        begun.path = written.map_err(|error| {
            begun.is_blank = false;
            CliError::file(out, &error)
        })?;
        Ok(begun)
    }

    /// The one at `path`, or the only one in that folder, and where it stands.
    pub fn read(path: &Path) -> Result<(Self, Stand), CliError> {
        let path = match path.is_dir() {
            true => only_one(path)?,
            false => path.to_path_buf(),
        };
        let shown = path.display().to_string();
        let wrong = |why: String| CliError::Usage(format!("cannot go on with {shown}: {why}"));
        let file = File::read(&path).map_err(|error| wrong(error.to_string()))?;
        let mut stand = Stand::of(&file, &path, wrong)?;
        let book = match &file.shard {
            None => None,
            Some(of_shard) => {
                let build = shard::build()?;
                if of_shard.build != build {
                    return Err(wrong(
                        "another build of this program wrote it, which may run other plans; begin the shard anew, in another folder".to_owned(),
                    ));
                }
                let stem = with_ending(&path, ENDING, "");
                if file.asked.coverage {
                    stand.summary.coverage = Some(coverage(&path, file.runs).map_err(wrong)?);
                }
                Some(Book {
                    build,
                    command: of_shard.command.clone(),
                    portion: of_shard.portion,
                    // Where its strategy learns, its file says that nothing is done.
                    goes_on: !Kind::named(&file.asked.strategy).is_some_and(Kind::learns),
                    next: file.next,
                    digests: of_shard.digests(stem).map_err(wrong)?,
                })
            }
        };
        let unfinished = Self {
            path,
            asked: file.asked,
            written: None,
            wait: EVERY,
            is_blank: false,
            book,
        };
        Ok((unfinished, stand))
    }

    /// What there is in the folder `out` of the shard of `subject` that is asked for. What is
    /// damaged of it is put aside, and counts for nothing.
    pub fn of_shard(
        out: &Path,
        name: &str,
        asked: &Asked,
        subject: &RegisteredSubject,
    ) -> Result<Shards, CliError> {
        let stem = stem(out, name, asked);
        let build = shard::build()?;
        let same = |path: &Path, file: &File| {
            let theirs = &file.asked;
            let of_shard = file.shard.as_ref();
            if of_shard.is_some_and(|of_shard| of_shard.build != build) {
                return Err(CliError::Usage(format!(
                    "another build of this program wrote {}, which may run other plans; name another --out",
                    path.display()
                )));
            }
            if let Some(of_shard) = of_shard {
                same_command(path, &of_shard.command, subject)?;
            }
            let differs = theirs.differs(asked).or_else(|| {
                let [theirs, mine] = [theirs, asked].map(|asked| format!("{:?}", asked.shard));
                (theirs != mine).then_some(("shard", theirs, mine))
            });
            match differs {
                None => Ok(()),
                Some((name, theirs, mine)) => Err(CliError::Usage(format!(
                    "{} is of another sweep: its {name} is {theirs}, and not {mine}; name another --out",
                    path.display()
                ))),
            }
        };
        for path in [with(&stem, OVER), with(&stem, ENDING)] {
            if !path.exists() {
                continue;
            }
            let file = match File::read(&path) {
                Ok(file) => file,
                Err(Wrong::Damaged(why)) => {
                    put_aside(&path, &[], &why)?;
                    continue;
                }
                Err(Wrong::OtherVersion(why)) => {
                    return Err(CliError::Usage(format!("{}: {why}", path.display())));
                }
            };
            same(&path, &file)?;
            if let Err(why) = file.is_whole(&path) {
                put_aside(&path, &file.plans(&path), &why)?;
                continue;
            }
            return match is_over(&path) {
                true => {
                    let stand = Stand::of(&file, &path, CliError::Usage)?;
                    Ok(Shards::Over(path, Box::new(stand)))
                }
                false => Self::read(&path).map(|begun| Shards::Begun(Box::new(begun))),
            };
        }
        Ok(Shards::None)
    }

    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// That `subject` is started by the command of before, where it is a process of its own.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_of(&self, subject: &RegisteredSubject) -> Result<(), CliError> {
        match &self.book {
            Some(book) => same_command(&self.path, &book.command, subject),
            None => Ok(()),
        }
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        super::folder_of(&self.path)
    }

    /// What to type to go on with it.
    pub fn how_to_go_on(&self) -> String {
        format!("go on    {}\n", command(&self.path))
    }

    /// It has ended early, and is to go on some time.
    pub fn leave(mut self) {
        self.is_blank = false;
    }

    /// Takes down where the sweep stands, if the last time was long enough ago. `files` are those
    /// of its findings.
    #[allow(clippy::disallowed_methods)] // How often a file is written; no run knows of it.
    pub fn stands(
        &mut self,
        scratch: &Path,
        batch: Batch<'_>,
        files: &[Files],
    ) -> Result<(), CliError> {
        if let Some(book) = &mut self.book {
            book.next = batch.next;
            book.digests.add(batch.digests);
            if !book.goes_on {
                return Ok(());
            }
        }
        if self.written.is_some_and(|then| then.elapsed() < self.wait) {
            return Ok(());
        }
        let began = Instant::now();
        self.write_parts(scratch, batch.summary, COVERAGE)?;
        let text = self.file(batch.next, batch.summary, files).text();
        write_by(scratch, &self.path, text).map_err(|error| CliError::file(&self.path, &error))?;
        self.is_blank = false;
        let least = match self.book {
            Some(_) => (2 * self.wait).min(EVERY_OF_SHARD),
            None => EVERY,
        };
        self.wait = least.max(20 * began.elapsed());
        self.written = Some(Instant::now());
        Ok(())
    }

    /// The sweep is over, and all of it is written and told. Of a shard, what it adds up to stays.
    pub fn end(
        mut self,
        scratch: &Path,
        summary: &Summary,
        files: &[Files],
    ) -> Result<(), CliError> {
        self.write_parts(scratch, summary, COVERAGE_OVER)?;
        if let Some(book) = &self.book {
            let mut file = self.file(book.next, summary, files);
            if let Some(shard) = &mut file.shard {
                shard.is_over = true;
            }
            let over = with_ending(&self.path, ENDING, OVER);
            let written = write_by(scratch, &over, file.text());
            written.map_err(|error| CliError::file(&over, &error))?;
        }
        self.remove();
        // Whoever reads it meanwhile finds the other one.
        let _ = std::fs::remove_file(with_ending(&self.path, ENDING, COVERAGE));
        Ok(())
    }

    /// Writes what lies in files beside that of a shard, and has to be there before it. The name of
    /// the file that says what it covers ends in `covers`.
    fn write_parts(
        &mut self,
        scratch: &Path,
        summary: &Summary,
        covers: &str,
    ) -> Result<(), CliError> {
        let Some(book) = &mut self.book else {
            return Ok(());
        };
        let settled = book.digests.settle(scratch);
        settled.map_err(|error| CliError::file(&self.path, &error))?;
        if let Some(map) = &summary.coverage {
            let RunCoverage {
                states,
                transitions,
            } = map.listed();
            let path = with_ending(&self.path, ENDING, covers);
            let words = std::iter::once(states.len() as u64);
            let written = write_words(scratch, &path, words.chain(states).chain(transitions));
            written.map_err(|error| CliError::file(&path, &error))?;
        }
        Ok(())
    }

    fn file(&self, next: u64, summary: &Summary, files: &[Files]) -> File {
        let of_shard = self.book.as_ref().map(|book| {
            let (build, command) = (book.build.clone(), book.command.clone());
            let leak = summary.leak.as_ref();
            OfShard::of(build, command, book.portion, leak, &book.digests)
        });
        File::of(&self.asked, next, summary, files, of_shard)
    }

    fn remove(&self) {
        // What stays is a file that says where a sweep stood; going on with it does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// How the names of a sweep's files begin that say where it stands.
fn stem(out: &Path, name: &str, asked: &Asked) -> PathBuf {
    let Range { start, end } = asked.seeds;
    let end = match end {
        u64::MAX => "open".to_owned(),
        end => end.to_string(),
    };
    out.join(format!("{name}-{start}-{end}"))
}

/// The path of a file whose name ends in `from`, with `to` at its end.
fn with_ending(path: &Path, from: &str, to: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(from).unwrap_or(&name);
    path.with_file_name(format!("{stem}{to}"))
}

/// How the names of the other files of a shard begin, whose own is at `path`.
pub fn stem_of_shard(path: &Path) -> PathBuf {
    let ending = match is_one(path) {
        true => ENDING,
        false => OVER,
    };
    with_ending(path, ending, "")
}

/// What so many runs of a shard cover, whose file is that at `path`.
///
/// # Errors
/// One line, when the file beside it is missing or damaged that says it.
pub fn coverage(path: &Path, runs: u64) -> Result<Map, String> {
    let stem = stem_of_shard(path);
    let (under_way, ended) = (with(&stem, COVERAGE), with(&stem, COVERAGE_OVER));
    // A shard may end while its files are read: what it covers then is more, and of the same sweep.
    let path = match is_over(path) || !under_way.exists() && ended.exists() {
        true => ended,
        false => under_way,
    };
    let damaged = |why: String| format!("{}: {why}", path.display());
    if runs == 0 {
        return Ok(Map::default());
    }
    let words = read_words(&path).map_err(damaged)?;
    let (states, rest) = words.split_first().unwrap_or((&0, &[]));
    let states = usize::try_from(*states).unwrap_or(usize::MAX);
    if states > rest.len() {
        return Err(damaged(format!(
            "it has {} words, and {states} states",
            rest.len()
        )));
    }
    let (states, transitions) = rest.split_at(states);
    let mut map = Map::default();
    map.add(&RunCoverage {
        states: states.to_vec(),
        transitions: transitions.to_vec(),
    });
    Ok(map)
}

/// That `subject` is started by the `command` of the shard whose file is at `path`.
fn same_command(
    path: &Path,
    command: &Option<String>,
    subject: &RegisteredSubject,
) -> Result<(), CliError> {
    if *command == subject.command {
        return Ok(());
    }
    let [theirs, mine] = [command, &subject.command]
        .map(|command| command.clone().unwrap_or_else(|| "no command".to_owned()));
    Err(CliError::Usage(format!(
        "{} is of a subject that {theirs} started, and not {mine}; name another --out",
        path.display()
    )))
}

/// Puts the file of a shard aside that is damaged, or something beside it, and which of its `plans`
/// cannot be read. The shard begins anew.
fn put_aside(path: &Path, plans: &[PathBuf], why: &str) -> Result<(), CliError> {
    let spoilt = plans.iter().filter(|plan| Plan::read(plan).is_err());
    for path in spoilt
        .filter(|plan| plan.exists())
        .chain([&path.to_path_buf()])
    {
        let aside = with(path, DAMAGED);
        std::fs::rename(path, &aside).map_err(|error| CliError::file(path, &error))?;
    }
    warn(&format!(
        "{} is damaged, and lies aside as {0}{DAMAGED}: {why}; the shard begins anew",
        path.display()
    ));
    Ok(())
}

/// Whether a file is where a sweep stands, by its name.
pub fn is_one(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

/// Whether a file is that of a shard which has ended, by its name.
pub fn is_over(path: &Path) -> bool {
    path.to_string_lossy().ends_with(OVER)
}

/// The unfinished sweeps in a folder.
pub fn all_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| is_one(path));
    found.sort();
    Ok(found)
}

/// What to type to go on with the sweep of that file, or in that folder.
pub fn command(path: &Path) -> String {
    let program = super::program();
    let path = super::quoted(&path.display().to_string());
    format!("{program} sweep --resume {path}")
}

/// The unfinished sweep in a folder.
fn only_one(folder: &Path) -> Result<PathBuf, CliError> {
    let found = all_in(folder)
        .map_err(|error| CliError::Usage(format!("cannot read {}: {error}", folder.display())))?;
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(CliError::Usage(format!(
            "{} holds no unfinished sweep: each has a file there that ends in {ENDING}",
            folder.display()
        ))),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Err(CliError::Usage(format!(
                "{} holds several unfinished sweeps; legal: {}",
                folder.display(),
                names.join(", ")
            )))
        }
    }
}

/// A hash of all that a profile says.
pub fn hash_of(profile: &Profile) -> u64 {
    let text = serde_json::to_string(profile).expect("a profile is plain data");
    mix_bytes(0, text.as_bytes())
}
