//! Commands of stories, as far as faults have some: how a line is read, and what may be done with
//! it. Stories themselves are in `squall-explore`.

use std::str::SplitWhitespace;

use super::What;
use crate::ids::{NodeId, node_list};
use crate::replica::MessageKind;

/// The words of one line that are still to be read.
pub struct Words<'a> {
    text: &'a str,
    rest: SplitWhitespace<'a>,
}

/// What is wrong with a command, in words; what would be legal comes after.
pub type Wrong = String;

impl<'a> Words<'a> {
    /// The words of `text`, which is one line.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            rest: text.split_whitespace(),
        }
    }

    /// The next word.
    pub fn next_word(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    /// The next word, which must be there.
    pub fn word(&mut self, what: &str) -> Result<&'a str, Wrong> {
        self.next_word().ok_or_else(|| format!("{what} is missing"))
    }

    /// The rest of the line as it is, from the next word on.
    pub fn rest(&mut self) -> &'a str {
        let Some(first) = self.rest.clone().next() else {
            return "";
        };
        self.rest = "".split_whitespace();
        let start = first.as_ptr() as usize - self.text.as_ptr() as usize;
        &self.text[start..]
    }

    /// A node, as in `n1`.
    ///
    /// # Errors
    /// It is missing, or no node.
    pub fn node(&mut self) -> Result<NodeId, Wrong> {
        node(self.word("a node")?)
    }

    /// Nodes, as in `n1,n2`.
    pub fn nodes(&mut self) -> Result<Vec<NodeId>, Wrong> {
        let word = self.word("a list of nodes")?;
        word.split(',').map(node).collect()
    }

    /// `A -> B`, of single nodes.
    pub fn link(&mut self) -> Result<(NodeId, NodeId), Wrong> {
        let from = self.node()?;
        match self.word("->")? {
            "->" => Ok((from, self.node()?)),
            other => Err(format!("\"{other}\" stands where -> should")),
        }
    }

    /// A kind of message, as in `vote-reply`.
    ///
    /// # Errors
    /// It is missing, or no kind.
    pub fn kind(&mut self) -> Result<MessageKind, Wrong> {
        let word = self.word("a kind of message")?;
        let mut kinds = MessageKind::ALL.iter().copied();
        let found = kinds.find(|kind| kind_word(*kind) == word);
        found.ok_or_else(|| {
            let kinds = MessageKind::ALL.iter().copied();
            let legal: Vec<String> = kinds.map(kind_word).collect();
            format!(
                "\"{word}\" is no kind of message, which are {}",
                legal.join(", ")
            )
        })
    }

    /// A length of time in microseconds.
    pub fn time_us(&mut self) -> Result<u64, Wrong> {
        time_us(self.word("a time")?)
    }

    /// The option of that name, if it is the next word.
    pub fn option(&mut self, name: &str) -> Option<&'a str> {
        let next = self.rest.clone().next()?;
        let value = next.strip_prefix(name)?.strip_prefix('=')?;
        self.rest.next();
        Some(value)
    }

    /// The option of that name as a length of time in microseconds.
    pub fn time_option(&mut self, name: &str) -> Result<Option<u64>, Wrong> {
        self.option(name).map(time_us).transpose()
    }

    /// A number of what `what` says.
    ///
    /// # Errors
    /// It is missing, or no number.
    pub fn number<N: std::str::FromStr>(&mut self, what: &str) -> Result<N, Wrong> {
        number(self.word(what)?, what)
    }

    /// Nothing may be left.
    pub fn end(&mut self) -> Result<(), Wrong> {
        match self.next_word() {
            Some(word) => Err(format!("\"{word}\" is too much")),
            None => Ok(()),
        }
    }
}

/// A node, as in `n1`.
///
/// # Errors
/// It is none.
pub fn node(word: &str) -> Result<NodeId, Wrong> {
    let number = word.strip_prefix('n').and_then(|rest| rest.parse().ok());
    match number {
        Some(number @ 1..) => Ok(NodeId(number)),
        _ => Err(format!("\"{word}\" is no node, as n1 is")),
    }
}

/// A number of what `what` says.
///
/// # Errors
/// It is none.
pub fn number<N: std::str::FromStr>(word: &str, what: &str) -> Result<N, Wrong> {
    word.parse()
        .map_err(|_| format!("\"{word}\" is no {what}, which is a number"))
}

/// A length of time in microseconds.
///
/// # Errors
/// It is none.
pub fn time_us(word: &str) -> Result<u64, Wrong> {
    let wrong = || format!("\"{word}\" is no length of time, as 20ms is");
    let time = humantime::parse_duration(word).map_err(|_| wrong())?;
    u64::try_from(time.as_micros()).map_err(|_| wrong())
}

/// A kind of message as commands have it, as in `vote-reply`.
pub fn kind_word(kind: MessageKind) -> String {
    kind.words().replace(' ', "-")
}

/// A length of time in the shortest words that say it exactly.
pub fn time_words(time_us: u64) -> String {
    match time_us {
        us if us.is_multiple_of(1_000_000) => format!("{}s", us / 1_000_000),
        us if us.is_multiple_of(1_000) => format!("{}ms", us / 1_000),
        us => format!("{us}us"),
    }
}

/// What a story lets a command do. Times are microseconds.
pub trait Stage {
    /// A fault strikes now.
    fn strikes(&mut self, what: What);

    /// A fault strikes now. It lasts for `for_us`, or until a later command ends it.
    fn begins(&mut self, for_us: Option<u64>, what: What);

    /// The faults that are under way and that `is_it` end now. Says how many there were.
    fn ends(&mut self, is_it: &dyn Fn(&What) -> bool) -> usize;

    /// Something becomes of the next message of that kind on that link.
    ///
    /// # Errors
    /// The story cannot be run so far.
    fn next_message(
        &mut self,
        link: (NodeId, NodeId),
        kind: MessageKind,
        what: What,
    ) -> Result<(), Wrong>;
}

/// One command.
pub struct Command {
    /// The word it begins with.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Does it.
    pub act: fn(&mut dyn Stage, &mut Words<'_>) -> Result<(), Wrong>,
}

impl dyn Stage + '_ {
    /// Ends the faults that are under way and that `is_it`.
    ///
    /// # Errors
    /// `none`, where there are none.
    pub(super) fn end_some(
        &mut self,
        is_it: impl Fn(&What) -> bool,
        none: impl FnOnce() -> Wrong,
    ) -> Result<(), Wrong> {
        match self.ends(&is_it) {
            0 => Err(none()),
            _ => Ok(()),
        }
    }
}

/// An option that must be there: a length of time, in microseconds.
pub(super) fn needed_time(words: &mut Words<'_>, name: &str) -> Result<u64, Wrong> {
    let time = words.time_option(name)?;
    time.ok_or_else(|| format!("{name}=TIME is missing"))
}

/// Nodes as a command has them.
pub(super) fn nodes_words(list: &[NodeId]) -> String {
    node_list(list).replace(' ', "")
}
