//! The words of a command: a name, then what it takes, then options as `name=value`.

use std::str::SplitWhitespace;

use squall_core::ids::NodeId;
use squall_core::replica::MessageKind;

/// The words of one line that are still to be read.
pub struct Words<'a> {
    text: &'a str,
    rest: SplitWhitespace<'a>,
}

/// What is wrong with a command, in words; what would be legal comes after.
pub type Wrong = String;

impl<'a> Words<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            rest: text.split_whitespace(),
        }
    }

    /// The next word.
    pub fn next(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    /// The next word, which must be there.
    pub fn word(&mut self, what: &str) -> Result<&'a str, Wrong> {
        self.next().ok_or_else(|| format!("{what} is missing"))
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

    pub fn kind(&mut self) -> Result<MessageKind, Wrong> {
        let word = self.word("a kind of message")?;
        let name = |kind: &MessageKind| kind.words().replace(' ', "-");
        let found = MessageKind::ALL.iter().find(|kind| name(kind) == word);
        found.copied().ok_or_else(|| {
            let legal: Vec<String> = MessageKind::ALL.iter().map(name).collect();
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

    pub fn number<N: std::str::FromStr>(&mut self, what: &str) -> Result<N, Wrong> {
        number(self.word(what)?, what)
    }

    /// Nothing may be left.
    pub fn end(&mut self) -> Result<(), Wrong> {
        match self.next() {
            Some(word) => Err(format!("\"{word}\" is too much")),
            None => Ok(()),
        }
    }
}

pub fn node(word: &str) -> Result<NodeId, Wrong> {
    let number = word.strip_prefix('n').and_then(|rest| rest.parse().ok());
    match number {
        Some(number @ 1..) => Ok(NodeId(number)),
        _ => Err(format!("\"{word}\" is no node, as n1 is")),
    }
}

pub fn number<N: std::str::FromStr>(word: &str, what: &str) -> Result<N, Wrong> {
    word.parse()
        .map_err(|_| format!("\"{word}\" is no {what}, which is a number"))
}

pub fn time_us(word: &str) -> Result<u64, Wrong> {
    let wrong = || format!("\"{word}\" is no length of time, as 20ms is");
    let time = humantime::parse_duration(word).map_err(|_| wrong())?;
    u64::try_from(time.as_micros()).map_err(|_| wrong())
}

/// A length of time in the shortest words that say it exactly.
pub fn time_words(time_us: u64) -> String {
    match time_us {
        us if us.is_multiple_of(1_000_000) => format!("{}s", us / 1_000_000),
        us if us.is_multiple_of(1_000) => format!("{}ms", us / 1_000),
        us => format!("{us}us"),
    }
}
