//! What is played, as lines of a story's file.

use squall_explore::scenario::Story;

/// What stands between a block's commands and what is expected of them.
const RULE: &str = "----";

/// What one act has put into the story: a command, with the lines that stand before and after it in
/// the story that it was read from. An act can be taken back, and its lines go together.
pub type Lines = Vec<String>;

/// The acts of a story: each command is one, with the comments before it, and with the end of its
/// block where it is the last of one.
pub fn of_story(story: &Story) -> Vec<Lines> {
    let mut acts: Vec<Lines> = Vec::new();
    let mut before = Lines::new();
    for block in &story.blocks {
        for line in &block.text {
            let text = line.trim();
            before.push(line.clone());
            if !text.is_empty() && !text.starts_with('#') {
                acts.push(std::mem::take(&mut before));
            }
        }
        match acts.last_mut() {
            Some(last) if before.is_empty() => last.extend([RULE.to_owned(), String::new()]),
            // A block without a command is none.
            _ => {}
        }
    }
    acts
}

/// The end of a story, in a block of its own where there are blocks.
pub fn end(acts: &[Lines]) -> Lines {
    let mut lines = match has_blocks(acts) {
        true => end_of_block(acts),
        false => Lines::new(),
    };
    lines.push("heal".to_owned());
    lines
}

/// What ends the block that the acts are in, if it has begun.
fn end_of_block(acts: &[Lines]) -> Lines {
    match acts.last().is_some_and(|last| !is_over(last)) {
        true => vec![RULE.to_owned(), String::new()],
        false => Lines::new(),
    }
}

/// A remark, which begins a new block.
pub fn remark(words: &str, acts: &[Lines]) -> Lines {
    let mut lines = end_of_block(acts);
    lines.push(format!("# {}", words.trim_start_matches(['#', ' '])));
    lines
}

/// Whether the block of these lines is over, or has no command yet.
fn is_over(lines: &Lines) -> bool {
    let last = lines.iter().rfind(|line| !line.is_empty());
    last.is_none_or(|line| line.starts_with(RULE) || line.starts_with('#'))
}

/// Whether a block ends in these acts.
fn has_blocks(acts: &[Lines]) -> bool {
    acts.iter().flatten().any(|line| line.starts_with(RULE))
}

/// The text of a story of these acts.
pub fn text(acts: &[Lines]) -> String {
    let mut text = String::new();
    for line in acts.iter().flatten() {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The same with its end, `heal`, in a block of its own, where it has none. Where nobody has made
/// blocks, one ends whenever time has passed.
pub fn whole_text(acts: &[Lines], is_healed: bool) -> String {
    let mut acts = acts.to_vec();
    if !is_healed {
        acts.push(end(&acts));
    }
    if !has_blocks(&acts[..acts.len() - 1]) {
        let passes = |lines: &Lines| {
            let command = lines.last().map_or("", String::as_str);
            let name = command.split_whitespace().next();
            matches!(name, Some("run" | "at" | "show"))
        };
        for place in 1..acts.len() {
            if passes(&acts[place - 1]) && !passes(&acts[place]) {
                acts[place - 1].extend([RULE.to_owned(), String::new()]);
            }
        }
    }
    let mut text = text(&acts);
    if !text.ends_with(&format!("{RULE}\n\n")) {
        text.push_str(&format!("{RULE}\n"));
    }
    text
}
