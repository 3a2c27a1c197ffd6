//! What a sweep shows while it goes on.

use std::io::IsTerminal as _;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::Manner;
use super::super::shard::Chosen;
use super::super::unfinished::{Asked, Stand};
use super::Options;

/// The first line: what is swept, which part of it, and how.
pub fn banner(
    asked: &Asked,
    title: &str,
    stand: &Stand,
    jobs: usize,
    chosen: Option<Chosen>,
) -> String {
    let Range { start, end } = asked.seeds;
    let seeds = match end {
        u64::MAX => format!("seeds from {start}"),
        end => format!("seeds {start}..{end}"),
    };
    let time = match asked.time_ms.map(Duration::from_millis) {
        Some(time) => format!(", for {}", humantime::format_duration(time)),
        None => String::new(),
    };
    let shard = match (chosen, asked.shard) {
        (Some(chosen), _) => format!(", {chosen}"),
        (None, Some(shard)) => format!(", shard {shard}"),
        (None, None) => String::new(),
    };
    let gone_on = match stand.next {
        next if next == start => String::new(),
        next => format!(", going on at seed {next}"),
    };
    format!(
        "squall {}: {} under {}, {seeds}{shard}{time}, {jobs} jobs{gone_on}\n\n",
        env!("CARGO_PKG_VERSION"),
        title,
        asked.profile
    )
}

/// A bar that shows how far a sweep of so many runs is, where there is a terminal. One whose seeds
/// have no `end` shows what is done.
pub fn progress(options: &Options, runs: u64, end: u64, manner: Manner) -> ProgressBar {
    let (bar, style) = match end {
        u64::MAX => (
            ProgressBar::no_length(),
            "{spinner} {elapsed}, {human_pos} runs, {msg}".to_owned(),
        ),
        _ => (
            ProgressBar::new(runs),
            "{wide_bar} {human_pos}/{human_len} runs, {eta} left, {msg}".to_owned(),
        ),
    };
    let style = ProgressStyle::with_template(&style).expect("the template is ours");
    let bar = bar.with_style(style);
    let hides = manner.quiet || !std::io::stderr().is_terminal();
    if hides || options.json.as_deref() == Some(Path::new("-")) {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    } else {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}
