//! A subject that does what no subject should: raft-rs in a driver that misbehaves from some step
//! on.

use std::sync::atomic::{AtomicU64, Ordering};

use squall::prelude::*;
use squall_core::replica::Message;
use squall_raft_rs::RaftRs;

type Node = <RaftRs as Subject>::Replica;

/// What it can do, by the variable `MISBEHAVE`.
const MODES: [&str; 12] = [
    "never",
    "hang-in-boot",
    "hang-in-step",
    "hang-in-test",
    "hang-when-shrunk",
    "panic",
    "abort",
    "exit",
    "stack-overflow",
    "clock",
    "static",
    "address",
];

/// The seed whose run misbehaves, and the node that does, from its 20th step on.
pub const SEED: u64 = 17;
const NODE: u8 = 2;
const STEP: u32 = 20;

pub struct Misbehaving;

pub struct Misbehaves {
    node: Node,
    /// Steps until it misbehaves, 1 from then on; 0 where it never does.
    left: u32,
}

impl Subject for Misbehaving {
    type Replica = Misbehaves;

    fn supports(&self) -> &'static [squall_core::options::Feature] {
        squall_core::options::Feature::ALL
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        RaftRs.known_issues()
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<RaftRs>>,
    ) -> Result<Misbehaves, BootError> {
        let is_it = boot.seed == SEED && boot.id.0 == NODE;
        let hangs = match mode().as_str() {
            "hang-in-boot" => is_it,
            // Every other plan than the one that was found.
            "hang-when-shrunk" => boot.seed != SEED,
            _ => false,
        };
        if hangs {
            forever();
        }
        let node = RaftRs.boot(boot, disk, out)?;
        let left = if is_it { STEP } else { 0 };
        Ok(Misbehaves { node, left })
    }
}

impl Replica for Misbehaves {
    type Message = Message<RaftRs>;

    fn step(&mut self, now_us: u64, input: Input<Self::Message>, out: &mut Output<Self::Message>) {
        let misbehaves = self.left == 1;
        self.left = self.left.saturating_sub(1).max(u32::from(misbehaves));
        // A node that misses the end of a sync says nothing any more, in one run as in the next.
        let is_sync = matches!(input, Input::Synced { .. });
        if misbehaves && !misbehave() && !is_sync {
            return;
        }
        self.node.step(now_us, input, out);
    }

    fn label(message: &Self::Message) -> Label {
        Node::label(message)
    }
}

/// Does it, and says whether the input is to be handled all the same.
fn misbehave() -> bool {
    static STEPS: AtomicU64 = AtomicU64::new(0);
    match mode().as_str() {
        "hang-in-step" => forever(),
        "panic" | "hang-when-shrunk" => panic!("a panic\nof \x1b[31mtwo lines\x1b[0m"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "stack-overflow" => deeper(1) > 0,
        "static" => !STEPS.fetch_add(1, Ordering::Relaxed).is_multiple_of(7),
        "clock" => mostly(nanoseconds().into()),
        "address" => mostly(Box::leak(Box::new([0_u8; 48])).as_ptr() as u64),
        _ => true,
    }
}

/// Seven times of eight, by a word whose values may lie at the same distance from one another.
/// Rarely enough that a run goes on, and one run goes on otherwise than the next.
fn mostly(word: u64) -> bool {
    word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61 != 0
}

pub fn forever() -> ! {
    loop {
        std::hint::black_box(());
    }
}

#[allow(unconditional_recursion)]
fn deeper(depth: u64) -> u64 {
    std::hint::black_box(depth) + deeper(depth + 1)
}

#[allow(clippy::disallowed_methods)] // That is the misbehaviour.
fn nanoseconds() -> u32 {
    let since = std::time::UNIX_EPOCH.elapsed();
    since.map_or(0, |since| since.subsec_nanos() / 100)
}

pub fn mode() -> String {
    let mode = std::env::var("MISBEHAVE").unwrap_or_else(|_| MODES[0].to_owned());
    assert!(
        MODES.contains(&mode.as_str()),
        "MISBEHAVE is {mode}; legal: {}",
        MODES.join(", ")
    );
    mode
}
