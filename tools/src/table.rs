//! What came of it, for people: lines as it goes, a summary, and the tables of `docs/power.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::catalogue::Mutant;
use crate::hunt::{Ending, Hunt};
use crate::library::put;

/// What came of one mutant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The mutant.
    pub id: String,
    /// The part of the library.
    pub part: String,
    /// The property that it was expected to break.
    pub breaks: String,
    /// The hunt by a default sweep.
    pub hunt: Hunt,
    /// The hunt with the profile that has most of what the mutant needs.
    pub named: Hunt,
}

impl Row {
    /// Whether a default sweep caught it.
    pub fn caught(&self) -> bool {
        self.hunt.caught()
    }
}

/// How a hunt ended, in a word.
pub fn word(hunt: &Hunt) -> &'static str {
    match hunt.ending {
        Ending::Violation(_) => "killed",
        Ending::Incomplete(_) => "noticed",
        Ending::Hang => "hang",
        Ending::Death(_) => "death",
        Ending::Clean => "clean",
    }
}

/// What caught it.
pub fn check(hunt: &Hunt) -> String {
    match &hunt.ending {
        Ending::Violation(found) => found.property.clone(),
        Ending::Incomplete(missing) => format!("never happened: {}", missing.join(", ")),
        Ending::Hang => "a step that does not end".to_owned(),
        Ending::Death(how) => how.clone(),
        Ending::Clean => "missed".to_owned(),
    }
}

fn size(hunt: &Hunt) -> String {
    let Ending::Violation(found) = &hunt.ending else {
        return String::new();
    };
    found.shrunk.map_or_else(String::new, |size| {
        let operations = size
            .operations
            .map_or_else(|| "drawn".to_owned(), |number| number.to_string());
        format!("{} / {operations} / {}", size.faults, size.nodes)
    })
}

/// The profile that the plan was drawn from which found it, or that was swept.
fn profile(hunt: &Hunt) -> &str {
    match &hunt.ending {
        Ending::Violation(found) => &found.profile,
        _ => &hunt.profile,
    }
}

fn step(hunt: &Hunt) -> String {
    match &hunt.ending {
        Ending::Violation(found) => found.step.to_string(),
        _ => String::new(),
    }
}

/// A row, as it is told when it is there.
pub fn line(row: &Row) -> String {
    let hunt = &row.hunt;
    let word = if hunt.caught() { word(hunt) } else { "missed" };
    let mut line = format!(
        "{word:<8} {:<34} {:<22} {:>6.2} s {:>7} runs  {:<14} step {:<8} {}",
        row.id,
        check(hunt),
        hunt.cpu_seconds,
        hunt.runs,
        profile(hunt),
        step(hunt),
        size(hunt)
    );
    let named = &row.named;
    let _ = write!(
        line,
        "  ({}: {}, {:.2} s)",
        named.profile,
        check(named),
        named.cpu_seconds
    );
    line.trim_end().to_owned()
}

/// The catalogue, for `--list`.
pub fn list(mutants: &[Mutant]) -> String {
    let mut text = String::new();
    for mutant in mutants {
        let _ = writeln!(
            text,
            "{:<34} {:<14} {}\n{:49}needs {} (breaks {}, {})",
            mutant.id, mutant.part, mutant.why, "", mutant.needs, mutant.breaks, mutant.profile
        );
    }
    text
}

/// The median of `values`, 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

fn seconds(hunts: &[&Hunt]) -> Vec<f64> {
    hunts
        .iter()
        .filter(|hunt| hunt.caught())
        .map(|hunt| hunt.cpu_seconds)
        .collect()
}

/// A few lines at the end.
pub fn summary(rows: &[Row], asked: usize, budget: Duration) -> String {
    let mut text = String::new();
    if rows.len() < asked {
        let _ = writeln!(text, "interrupted: {} of {asked} were swept", rows.len());
    }
    let caught = rows.iter().filter(|row| row.caught()).count();
    let own: Vec<&Hunt> = rows.iter().map(|row| &row.hunt).collect();
    let named: Vec<&Hunt> = rows.iter().map(|row| &row.named).collect();
    let _ = writeln!(
        text,
        "{caught} of {} caught within {} of processor time each; median {:.2} s, longest {:.1} s",
        rows.len(),
        humantime::format_duration(budget),
        median(seconds(&own)),
        seconds(&own).into_iter().fold(0.0, f64::max)
    );
    let _ = writeln!(
        text,
        "with the profile that is named for each: {} of {}, median {:.2} s, longest {:.1} s",
        named.iter().filter(|hunt| hunt.caught()).count(),
        rows.len(),
        median(seconds(&named)),
        seconds(&named).into_iter().fold(0.0, f64::max)
    );
    for row in rows.iter().filter(|row| !row.caught()) {
        let _ = writeln!(text, "missed: {}", row.id);
    }
    text
}

/// When, and by which command.
pub fn made_by(command: &str) -> String {
    format!("Made on {} by\n\n    {command}\n\n", today())
}

/// The table in Markdown, with the command it was made by.
pub fn markdown(rows: &[Row], budget: Duration, command: &str) -> String {
    let mut text = made_by(command);
    for line in summary(rows, rows.len(), budget).lines() {
        let _ = writeln!(text, "- {line}");
    }
    text.push_str(
        "\n| part | mutant | caught by | with a plan of | CPU seconds | runs | step | shrunk: faults / operations / nodes | with the profile named for it |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let hunt = &row.hunt;
        let caught = match check(hunt) {
            check if check == row.breaks => format!("`{check}`"),
            check if matches!(hunt.ending, Ending::Violation(_)) => {
                format!("`{check}` (expected `{}`)", row.breaks)
            }
            check => check,
        };
        let named = match &row.named {
            named if named.caught() => format!(
                "{}: `{}`, {:.2} s",
                named.profile,
                check(named),
                named.cpu_seconds
            ),
            named => format!("{}: missed in {:.0} s", named.profile, named.cpu_seconds),
        };
        let _ = writeln!(
            text,
            "| {} | `{}` | {caught} | {} | {:.2} | {} | {} | {} | {named} |",
            row.part,
            row.id,
            profile(hunt),
            hunt.cpu_seconds,
            hunt.runs,
            step(hunt),
            size(hunt)
        );
    }
    text
}

/// Replaces what stands between `<!-- NAME -->` and `<!-- end of NAME -->` in the file at `path`.
///
/// # Errors
/// When the file cannot be read or written, or lacks the marks.
pub fn record(path: &Path, name: &str, table: &str) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, &error))?;
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let place = text.find(&begin).and_then(|at| {
        let from = at + begin.len();
        Some(from..from + text[from..].find(&end)?)
    });
    let place = place
        .ok_or_else(|| Error::Untrue(format!("{} lacks the marks for {name}", path.display())))?;
    let mut changed = text.clone();
    changed.replace_range(place, &format!("\n{}\n", table.trim_end()));
    put(path, &changed)
}

/// The date, as `YYYY-MM-DD`.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![9.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
    }

    #[test]
    fn a_table_replaces_the_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("power.md");
        std::fs::write(&path, "before\n<!-- a -->\nold\n<!-- end of a -->\nafter\n").unwrap();
        record(&path, "a", "new\n").unwrap();
        record(&path, "a", "newer\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "before\n<!-- a -->\n\nnewer\n<!-- end of a -->\nafter\n"
        );
        assert!(record(&path, "b", "new").is_err());
    }
}
