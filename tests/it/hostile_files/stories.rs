//! Stories.

use std::path::Path;
use std::sync::Arc;

use squall_explore::scenario::Story;

use super::spoilt::{NUMBERS, PLACE, Spoilt, long, whole};
use super::tally::{Fate, sample, try_all};
use crate::support::root;

/// What a word is replaced by.
fn words() -> Vec<Arc<str>> {
    let others = [
        "18446744073709551615",
        "18446744073709551616",
        "nan",
        "null",
        "[]",
        "{}",
        "\"\"",
        "n0",
        "n1",
        "n1,n1",
        "n9",
        "n16",
        "n17",
        "n255",
        "n256",
        "n1,n2,n3,n4,n5,n6,n7,n8,n9,n10,n11,n12,n13,n14,n15,n16,n17",
        "->",
        "0s",
        "1us",
        "-1s",
        "1h",
        "6d",
        "8days",
        "18446744073709551615us",
        "99999999999y",
        "all",
        "heal",
        "show",
        "cluster",
        "voters=9",
        "voters=255",
        "spares=16",
        "for=18446744073709551615us",
        "cluster.tick_us",
        "----",
        "#",
        "\u{1b}[31m",
        "a\0b",
        "漢字\u{202e}",
        "<script>alert(1)</script>",
        "",
    ];
    let plain = NUMBERS.iter().chain(&others).map(|text| (*text).to_owned());
    let all = plain.chain([long(), "n1,".repeat(20_000)]);
    all.map(Arc::from).collect()
}

/// All that can be done to the words of commands, and to the lines.
pub fn spoil(text: &str) -> Vec<Spoilt> {
    let lines: Vec<&str> = text.lines().collect();
    let words = words();
    let mut all = Vec::new();
    let mut is_expected = false;
    for (number, line) in lines.iter().enumerate() {
        is_expected = line.starts_with("----") || is_expected && !line.is_empty();
        if is_expected || line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let replaced = |new: &[&str]| {
            let text = [&lines[..number], new, &lines[number + 1..]].concat();
            text.join("\n") + "\n"
        };
        let old: Vec<&str> = line.split_whitespace().collect();
        for (place, word) in old.iter().enumerate() {
            let option = word
                .split_once('=')
                .map(|(name, _)| format!("{name}={PLACE}"));
            for put in [Some(PLACE.to_owned()), option].into_iter().flatten() {
                let mut new = old.clone();
                new[place] = &put;
                let name = format!("line {}: {word} as {put}", number + 1);
                all.extend(Spoilt::with(&name, &replaced(&[&new.join(" ")]), &words));
            }
        }
        let mut one = |what: &str, new: &[&str]| {
            let what = format!("line {}: {what}", number + 1);
            all.push(Spoilt::new(&what, &replaced(new)));
        };
        one("left out", &[]);
        one("twice", &[line, line]);
        one("a word more", &[&format!("{line} more")]);
    }
    all.extend(whole(text));
    all
}

/// Tells a story as `squall story` does: with the subjects that it names, or with the honest ones.
fn attempt(text: &str) -> Fate {
    let story = Story::parse(Path::new("x.sim"), text);
    let mut told_once = false;
    for subject in squall::subjects()
        .iter()
        .filter(|subject| story.is_for(subject))
    {
        told_once = true;
        match story.tell(subject) {
            Err(error) => return Fate::Refused(error.to_string()),
            Ok(Err(_)) => {}
            Ok(Ok(told)) => match told.violation {
                Some(_) if subject.caught_by.is_some() || text.contains("lose-disk ") => {
                    return Fate::Violated;
                }
                Some(violation) => return Fate::Wrong(format!("{}: {violation}", subject.name)),
                None => {}
            },
        }
    }
    match told_once {
        true => Fate::Ran,
        false => Fate::Refused("no subject has this name".to_owned()),
    }
}

#[test]
fn stories() {
    let entries = std::fs::read_dir(root().join("sims/stories")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, sample(spoil(&text), 20))
    });
    try_all("stories", files, |_, one| attempt(&one.text()));
}
