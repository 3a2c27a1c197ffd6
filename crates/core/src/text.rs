//! Text that comes from a file or a subject, made fit to be shown: on a terminal, in Markdown, in a
//! line of error. Knows nothing of what it says.

use std::borrow::Cow;

/// A word is shortened to so many characters, and an error line to [`MOST_OF_LINE`].
const MOST_OF_WORD: usize = 120;
const MOST_OF_LINE: usize = 400;

/// Whether a terminal may take `c` for more than a sign: it moves the cursor, changes colours, or
/// turns the direction of what follows.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// `text` as it may go to a terminal: what would act there is written out, such as `\u{1b}`; ends
/// of lines stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    let bad = |c: char| acts(c) && c != '\n';
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match bad(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// JSON text as it may go to a terminal: what would act there can only stand in a string, and is
/// written out as JSON does.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    let bad = |c: char| acts(c) && c != '\n';
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match bad(c) {
            // All of them have one unit.
            true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// `text` as one line of a screen or two: printable, without ends of lines, and with what is too
/// long for it left out in the middle.
pub fn one_line(text: &str) -> String {
    let words = text.split_whitespace();
    let words: Vec<String> = words.map(|word| shortened(word, MOST_OF_WORD)).collect();
    let line = printable(&words.join(" ")).into_owned();
    shortened(&line, MOST_OF_LINE)
}

/// The beginning and the end of `text`, where it has more than `most` characters.
fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let end = most / 4;
    let begin: String = text.chars().take(most - end - 1).collect();
    let rest: String = text.chars().skip(length - end).collect();
    format!("{begin}…{rest}")
}

/// `text` as it may stand in a paragraph or a table of Markdown: it opens no tag, no link and no
/// code, and ends no cell.
pub fn markdown_escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    for c in printable(text).chars() {
        match c {
            '\n' => shown.push(' '),
            '<' => shown.push_str("&lt;"),
            '&' => shown.push_str("&amp;"),
            '\\' | '|' | '`' | '[' | ']' | '!' => shown.extend(['\\', c]),
            _ => shown.push(c),
        }
    }
    shown
}

/// Columns of what a person reads: the width of a terminal that nobody has widened.
pub const WIDTH: usize = 80;

/// `head`, then `words` from the column `column` on, wrapped to lines of `width`, of which the
/// later ones begin two columns further in. A word that is longer than a line stays whole.
pub fn indented(head: &str, words: &str, column: usize, width: usize) -> Vec<String> {
    let first = format!("{head:column$}");
    let rest = " ".repeat(column + 2);
    let options = textwrap::Options::new(width)
        .initial_indent(&first)
        .subsequent_indent(&rest)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    let lines = textwrap::wrap(words, options);
    lines.into_iter().map(|line| line.into_owned()).collect()
}

/// Renders simulated microseconds as seconds, e.g. `12.345678 s`.
pub fn seconds(time_us: u64) -> String {
    format!("{}.{:06} s", time_us / 1_000_000, time_us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        let text = "a\x1b[31mb\u{9b}0m\u{7f}\u{202e}c\r\td\n";
        let shown = printable(text);
        assert_eq!(shown, "a\\u{1b}[31mb\\u{9b}0m\\u{7f}\\u{202e}c\\r\\td\n");
        assert_eq!(printable("größer → ✓\n"), "größer → ✓\n");
        let json = serde_json::to_string(text).unwrap();
        let shown = printable_json(&json);
        assert!(!shown.chars().any(acts), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }

    #[test]
    fn a_line_is_one_line_and_not_too_long() {
        let long = format!("name \"{}\" is\nwrong", "x".repeat(100_000));
        let line = one_line(&long);
        assert!(line.starts_with("name \"xxx") && line.ends_with("is wrong"));
        assert!(line.chars().count() <= MOST_OF_LINE && line.contains('…'));
        let many = one_line(&"word ".repeat(100_000));
        assert_eq!(many.chars().count(), MOST_OF_LINE);
        assert_eq!(one_line("short\tand  plain"), "short and plain");
    }

    #[test]
    fn escaped_text_stays_text() {
        assert_eq!(
            markdown_escaped("a|b <c> \\ `d` [e](f)\n"),
            "a\\|b &lt;c> \\\\ \\`d\\` \\[e\\](f) "
        );
    }
}
