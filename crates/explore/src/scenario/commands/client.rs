//! `client`, `again`.

use crate::scenario::draft::Draft;
use squall_core::faults::story::{Words, Wrong, number};
use squall_core::plan::{Asked, Try};
use squall_core::service::Operation;

pub fn client(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let client = one_of(draft, words)?;
    let node = words.node()?;
    let name = words.word("an operation")?;
    let operation = match name {
        "get" | "read" => Operation::Get {
            key: named(words, 'k')?,
        },
        "delete" => Operation::Delete {
            key: named(words, 'k')?,
        },
        "put" => Operation::Put {
            key: named(words, 'k')?,
            value: value(words)?,
        },
        "append" => Operation::Append {
            key: named(words, 'k')?,
            value: value(words)?,
        },
        "cas" => Operation::CompareAndSet {
            key: named(words, 'k')?,
            expected: Some(value(words)?),
            value: value(words)?,
        },
        "acquire" => Operation::Acquire {
            lock: named(words, 'l')?,
            lease_us: words.time_us()?,
        },
        "try-acquire" => Operation::TryAcquire {
            lock: named(words, 'l')?,
            lease_us: words.time_us()?,
        },
        // A token stands for the one that the client was granted last.
        "renew" => Operation::Renew {
            lock: named(words, 'l')?,
            token: 0,
            lease_us: words.time_us()?,
        },
        "release" => Operation::Release {
            lock: named(words, 'l')?,
            token: 0,
        },
        "write" => Operation::Guarded {
            lock: named(words, 'l')?,
            token: 0,
        },
        _ => return Err(format!("\"{name}\" is no operation")),
    };
    let at_us = draft.now_us;
    draft.asks(Asked {
        client,
        operation,
        around_log: name == "read",
        padding_bytes: 0,
        tries: vec![Try { at_us, node }],
        crashes: false,
    });
    Ok(())
}

pub fn again(draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
    let client = one_of(draft, words)?;
    let node = words.node()?;
    draft.asks_again(client, node)
}

fn one_of(draft: &Draft<'_>, words: &mut Words<'_>) -> Result<u32, Wrong> {
    let client: u32 = words.number("client")?;
    let all = draft.plan.workload.clients;
    match client < all {
        true => Ok(client),
        false => Err(format!("there is no client {client}, but 0 to {}", all - 1)),
    }
}

/// The number in a name like `k1`.
fn named(words: &mut Words<'_>, kind: char) -> Result<u8, Wrong> {
    let what = if kind == 'k' { "key" } else { "lock" };
    let word = words.word(what)?;
    let digits = word.strip_prefix(kind);
    let wrong = || format!("\"{word}\" is no {what}, as {kind}1 is");
    digits.and_then(|text| text.parse().ok()).ok_or_else(wrong)
}

/// A value, in hexadecimal digits as answers have it.
fn value(words: &mut Words<'_>) -> Result<u64, Wrong> {
    let word = words.word("a value")?;
    match u64::from_str_radix(word, 16) {
        Ok(value) => Ok(value),
        Err(_) => number(word, "value"),
    }
}
