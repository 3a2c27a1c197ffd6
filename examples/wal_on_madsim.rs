//! A write-ahead log in async code, and the storm that it has to stand: power failures that lose
//! and tear what is not synced, failing and slow syncs. It says what must hold, and is then broken
//! in five ways, to see that each is found.
//!
//!     cargo madsim run --release --features madsim --example wal_on_madsim

use std::future::pending;
use std::io;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::runtime::{Handle, Runtime};
use madsim::time::sleep;
use squall::madsim::shim::{DiskSim, fs};
use squall::world::hash::mix_bytes;
use squall::world::journal_disk::Loss;
use squall::world::rng::Choices;

/// Seeds that the honest log stands, and within which every bug is found.
const SEEDS: u64 = 500;

/// What is wrong with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// Says that a record is safe as soon as it is written.
    NoSync,
    /// Never syncs the directory that its file lies in.
    NoDirectorySync,
    /// Takes what it reads for what it wrote.
    NoChecksum,
    /// Leaves a torn record where it is, and writes on behind it.
    NoTruncate,
    /// Puts a shorter log in place before its bytes are synced.
    RenameBeforeSync,
}

impl Bug {
    const ALL: [Bug; 5] = [
        Bug::NoSync,
        Bug::NoDirectorySync,
        Bug::NoChecksum,
        Bug::NoTruncate,
        Bug::RenameBeforeSync,
    ];
}

// ---- the log ----------------------------------------------------------------

/// A record is its length, a checksum, and its bytes.
const HEADER: usize = 12;

struct Log {
    file: fs::File,
    bug: Bug,
}

fn framed(record: &[u8]) -> Vec<u8> {
    let mut frame = (record.len() as u32).to_le_bytes().to_vec();
    frame.extend(mix_bytes(1, record).to_le_bytes());
    frame.extend(record);
    frame
}

/// The first record in `bytes`, if it is whole.
fn first(bytes: &[u8], bug: Bug) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let record = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let is_whole = mix_bytes(1, record) == u64::from_le_bytes(*sum);
    (is_whole || (bug == Bug::NoChecksum && !record.is_empty())).then_some(record)
}

impl Log {
    /// Opens the log and reads its records, up to the first that is not whole.
    async fn open(bug: Bug) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let file = fs::File::open_or_create("log").await?;
        if bug != Bug::NoDirectorySync {
            fs::sync_dir("").await?;
        }
        let bytes = file.read_all().await?;
        let mut records = Vec::new();
        let mut end = 0;
        while let Some(record) = first(&bytes[end..], bug) {
            records.push(record.to_vec());
            end += HEADER + record.len();
        }
        if bug != Bug::NoTruncate {
            file.set_len(end as u64).await?;
        }
        file.sync_data().await?;
        Ok((Self { file, bug }, records))
    }

    /// Adds a record. It is safe when this returns.
    async fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.file.append(&framed(record)).await?;
        match self.bug {
            Bug::NoSync => Ok(()),
            _ => self.file.sync_data().await,
        }
    }

    /// Leaves only this record.
    async fn restart_with(&mut self, record: &[u8]) -> io::Result<()> {
        let short = fs::File::create("log.tmp").await?;
        short.append(&framed(record)).await?;
        if self.bug != Bug::RenameBeforeSync {
            short.sync_all().await?;
        }
        fs::rename("log.tmp", "log").await?;
        if self.bug != Bug::NoDirectorySync {
            fs::sync_dir("").await?;
        }
        self.file = short;
        Ok(())
    }
}

// ---- what must hold ---------------------------------------------------------

/// What the world knows of the log, whatever its node forgets.
#[derive(Default)]
struct Witness {
    /// The last number that was safe.
    safe: u64,
    violation: Option<String>,
}

fn record(number: u64) -> Vec<u8> {
    // Some are longer than a sector.
    number.to_le_bytes().repeat(1 + (number % 100) as usize)
}

/// The records must be those of successive numbers, up to the last safe one or the one after it.
fn check(records: &[Vec<u8>], safe: u64) -> Result<RangeInclusive<u64>, String> {
    let number = |bytes: &Vec<u8>| {
        let number = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        number.filter(|number| record(*number) == *bytes)
    };
    let numbers: Option<Vec<u64>> = records.iter().map(number).collect();
    let numbers = numbers.ok_or("the log holds a record that nobody wrote")?;
    let last = numbers.last().copied().unwrap_or(0);
    let first = numbers.first().copied().unwrap_or(1);
    if !numbers.iter().copied().eq(first..=last) {
        return Err(format!("records are missing between {first} and {last}"));
    }
    if last < safe {
        return Err(format!("the log ends with {last}, and {safe} was safe"));
    }
    Ok(first..=last)
}

/// One incarnation of the node: it reads its log and goes on with it.
async fn serve(bug: Bug, witness: Arc<Mutex<Witness>>) -> io::Result<()> {
    let (mut log, records) = Log::open(bug).await?;
    let checked = check(&records, witness.lock().unwrap().safe);
    let mut next = match checked {
        Ok(numbers) => numbers.end() + 1,
        Err(violation) => {
            witness.lock().unwrap().violation.get_or_insert(violation);
            return Ok(());
        }
    };
    loop {
        match next % 40 {
            0 => log.restart_with(&record(next)).await?,
            _ => log.append(&record(next)).await?,
        }
        witness.lock().unwrap().safe = next;
        next += 1;
    }
}

/// Storms over one log, and says what broke.
fn storm(seed: u64, bug: Bug) -> Option<String> {
    let runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
    runtime.add_simulator::<DiskSim>();
    let witness = Arc::new(Mutex::new(Witness::default()));
    let of_node = Arc::clone(&witness);
    let incarnation = move || {
        let witness = Arc::clone(&of_node);
        async move {
            // A node whose disk fails stands still: what it has written may be lost.
            serve(bug, witness).await.ok();
            pending::<()>().await
        }
    };
    let node = runtime
        .create_node()
        .name("log")
        .init(incarnation)
        .build()
        .id();
    runtime.block_on(async {
        let mut choices = Choices::labelled(seed, "storm", 0);
        let (disk, runtime) = (DiskSim::current(), Handle::current());
        for _ in 0..8 {
            sleep(Duration::from_micros(choices.between(1_000, 50_000))).await;
            disk.slow_down(node, choices.between(0, 1) * 5_000);
            disk.fail_syncs(node, u32::from(choices.below(4) == 0));
            disk.set_loss(
                node,
                *choices.pick(&[Loss::All, Loss::Prefix, Loss::Subset, Loss::Tear]),
            );
            runtime.kill(node);
            sleep(Duration::from_millis(1)).await;
            runtime.restart(node);
        }
        sleep(Duration::from_millis(50)).await;
        runtime.kill(node);
        // Lets the runtime drop the killed task.
        sleep(Duration::from_millis(1)).await;
    });
    witness.lock().unwrap().violation.take()
}

fn main() -> ExitCode {
    let mut as_expected = true;
    let found = |bug| (0..SEEDS).find_map(|seed| Some((seed, storm(seed, bug)?)));
    match found(Bug::None) {
        None => println!("the honest log stands {SEEDS} storms"),
        Some((seed, violation)) => {
            println!("the honest log breaks at seed {seed}: {violation}");
            as_expected = false;
        }
    }
    for bug in Bug::ALL {
        match found(bug) {
            Some((seed, violation)) => println!("{bug:?} is found at seed {seed}: {violation}"),
            None => {
                println!("{bug:?} is not found in {SEEDS} storms");
                as_expected = false;
            }
        }
    }
    match as_expected {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
