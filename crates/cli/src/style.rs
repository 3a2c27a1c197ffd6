//! What pages look like on a terminal: which lines are bold, red or dim. Knows how pages are laid
//! out, and changes none of their words; whether colours are shown, the stream decides.

use anstyle::{AnsiColor, Style};

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const UNSURE: Style = AnsiColor::Yellow.on_default();
const HEADING: Style = Style::new().bold();
const ASIDE: Style = Style::new().dimmed();

/// Lines that begin so have this style as a whole.
const LINES: [(&str, Style); 16] = [
    ("VIOLATION ", BAD),
    ("broken     ", BAD),
    ("HANG ", BAD),
    ("violation: ", BAD),
    ("nondeterministic: ", BAD),
    ("hung: ", BAD),
    ("clean: ", GOOD),
    ("incomplete: ", UNSURE),
    ("interrupted: ", UNSURE),
    ("nodes ", HEADING),
    ("causal trace", HEADING),
    ("faults of the plan", HEADING),
    ("   seconds    step  node", ASIDE),
    ("  the rule: ", ASIDE),
    ("the runs are equal", ASIDE),
    ("the plans are equal", ASIDE),
];

/// Words at the beginning of a line that name what follows them.
const NAMES: [&str; 4] = ["plan       ", "reproduce  ", "shrunk     ", "from       "];

/// `text` with styles as escape sequences.
pub fn styled(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(line);
    lines.collect()
}

fn line(line: &str) -> String {
    let (words, end) = match line.strip_suffix('\n') {
        Some(words) => (words, "\n"),
        None => (line, ""),
    };
    if let Some((_, style)) = LINES.iter().find(|(start, _)| words.starts_with(start)) {
        return format!("{style}{words}{style:#}{end}");
    }
    let name = NAMES.iter().find(|name| words.starts_with(**name));
    if let Some((name, rest)) = name.and_then(|name| words.split_at_checked(name.len())) {
        return format!("{ASIDE}{name}{ASIDE:#}{rest}{end}");
    }
    match moment(words) {
        Some((place, told)) if told.contains("  breaks ") => {
            format!("{ASIDE}{place}{ASIDE:#}{BAD}{told}{BAD:#}{end}")
        }
        Some((place, told)) => format!("{ASIDE}{place}{ASIDE:#}{told}{end}"),
        None => line.to_owned(),
    }
}

/// A line of the causal trace: its time and step, and the rest of it.
fn moment(words: &str) -> Option<(&str, &str)> {
    let (place, told) = words.split_at_checked(18)?;
    let mut numbers = place.split_whitespace();
    let (time, step) = (numbers.next()?, numbers.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (seconds, micros) = time.split_once('.')?;
    (digits(seconds) && micros.len() == 6 && digits(micros) && digits(step))
        .then_some((place, told))
}
