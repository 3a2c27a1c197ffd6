//! Profiles.

use std::path::Path;
use std::sync::Arc;

use squall_core::counters::Counter;
use squall_core::engine::Observer;
use squall_core::plan::{Profile, builtin_profiles};

use super::spoilt::{NUMBERS, PLACE, Spoilt, texts, whole};
use super::tally::{Fate, MOST_STEPS, sample, try_all};

/// Plans that are drawn of each profile that is taken.
const DRAWN: u64 = 3;

/// What a value is replaced by.
fn values() -> Vec<Arc<str>> {
    let others = [
        "18446744073709551615",
        "nan",
        "inf",
        "-inf",
        "true",
        "false",
        "[]",
        "[[]]",
        "[0]",
        "[0, 0]",
        "[1, 0]",
        "[0, 100]",
        "[1, 9223372036854775807]",
        "[9223372036854775807, 9223372036854775807]",
        "[10000, 10000]",
        "[1, 10000000]",
        "[10000000, 10000000]",
        "[-1, 1]",
        "[1, 2, 3]",
        "{}",
        "{ percent = 100, count = [10000, 10000] }",
        "{ percent = 100, ppm = [1000000, 1000000] }",
        "1979-05-27T07:32:00Z",
        "0x10",
        "1_000",
        "'''\n'''",
        "",
    ];
    let plain = NUMBERS.iter().chain(&others).map(|text| (*text).to_owned());
    let quoted = texts()
        .into_iter()
        .map(|text| toml::Value::from(text).to_string());
    plain.chain(quoted).map(Arc::from).collect()
}

/// The names of all fields, each as the way to it.
fn ways(value: &toml::Value, here: &[String], all: &mut Vec<Vec<String>>) {
    let below = |name: String| [here, &[name]].concat();
    match value {
        toml::Value::Table(fields) => {
            for (name, field) in fields {
                ways(field, &below(name.clone()), all);
            }
        }
        toml::Value::Array(fields) => {
            for (place, field) in fields.iter().enumerate() {
                ways(field, &below(place.to_string()), all);
            }
        }
        _ => {}
    }
    if !here.is_empty() {
        all.push(here.to_vec());
    }
}

fn at<'a>(root: &'a mut toml::Value, way: &[String]) -> &'a mut toml::Value {
    way.iter().fold(root, |place, name| match place {
        toml::Value::Table(fields) => fields.get_mut(name).unwrap(),
        toml::Value::Array(fields) => &mut fields[name.parse::<usize>().unwrap()],
        _ => unreachable!("the way is that of a field"),
    })
}

fn fields(text: &str) -> Vec<Spoilt> {
    let root = toml::Value::Table(toml::from_str(text).unwrap());
    let write = |root: &toml::Value| toml::to_string(root).unwrap();
    let values = values();
    let (mut all, mut every) = (Vec::new(), Vec::new());
    ways(&root, &[], &mut every);
    for way in &every {
        let name = way.join(".");
        let mut with = root.clone();
        *at(&mut with, way) = PLACE.into();
        let template = write(&with);
        all.extend(Spoilt::with(&name, &template, &values));
        let (last, above) = way.split_last().unwrap();
        let mut with = root.clone();
        match at(&mut with, above) {
            toml::Value::Table(fields) => {
                let value = fields.remove(last).unwrap();
                all.push(Spoilt::new(&format!("{name} left out"), &write(&with)));
                if let toml::Value::Table(fields) = at(&mut with, above) {
                    fields.insert(last.clone(), value.clone());
                    fields.insert(PLACE.to_owned(), value);
                }
                let text = write(&with).replace(&format!("\"{PLACE}\""), last);
                all.push(Spoilt::new(&format!("{name} twice"), &text));
            }
            toml::Value::Array(fields) => {
                fields.remove(last.parse().unwrap());
                all.push(Spoilt::new(&format!("{name} left out"), &write(&with)));
            }
            _ => unreachable!("the way is that of a field"),
        }
        let mut with = root.clone();
        if let toml::Value::Table(fields) = at(&mut with, way) {
            fields.insert("no_such_field".to_owned(), 1.into());
            all.push(Spoilt::new(&format!("{name} with more"), &write(&with)));
        }
    }
    all
}

/// All that can be done to a profile.
pub fn spoil(text: &str) -> Vec<Spoilt> {
    let mut all = fields(text);
    all.extend(whole(text));
    all
}

/// Loads a profile as sweeps do, draws some plans and carries them out.
fn attempt(file: &Path, text: &str) -> Fate {
    std::fs::write(file, text).unwrap();
    let profile = match Profile::load(file.to_str().unwrap()) {
        Ok(profile) => profile,
        Err(error) => return Fate::Refused(error.to_string()),
    };
    let subject = squall::subject("raft-rs").unwrap();
    let mut fate = Fate::Ran;
    for seed in 0..DRAWN {
        let plan = subject.plans(&profile).draw(seed);
        if let Err(impossible) = plan.validate() {
            return Fate::Wrong(format!(
                "seed {seed} draws a plan that cannot be: {impossible}"
            ));
        }
        let watch = Observer {
            most_steps: Some(MOST_STEPS / 10),
            ..Observer::default()
        };
        let outcome = subject.runner.run(&plan, watch);
        match outcome.failure {
            // Conditions that are known to make the library fail.
            Some(_) if text.contains("known-issues") => fate = Fate::Violated,
            // No library stands that.
            Some(_) if outcome.counters.get(Counter::DiskLost) > 0 => fate = Fate::Violated,
            Some(failure) => return Fate::Wrong(format!("seed {seed}: {failure}")),
            None if outcome.steps >= MOST_STEPS / 10 => fate = Fate::Ended,
            None => {}
        }
    }
    fate
}

#[test]
fn profiles() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    let files = builtin_profiles()
        .into_iter()
        .map(|(name, text)| (name.to_owned(), sample(spoil(text), 25)));
    try_all("profiles", files, move |_, one| attempt(&file, &one.text()));
}
