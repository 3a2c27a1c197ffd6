//! "Did you mean ...?": the legal name nearest to a wrong one.

/// No name is longer, in bytes; the time that a comparison takes grows with the length of both.
const LONGEST: usize = 100;

/// ` (did you mean "x"?)` for the legal name nearest to `wrong`, or nothing when none is near.
pub fn suggestion<'a>(wrong: &str, legal: impl Iterator<Item = &'a str>) -> String {
    if wrong.len() > LONGEST {
        return String::new();
    }
    legal
        .map(|name| (strsim::normalized_damerau_levenshtein(wrong, name), name))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, name)| {
            format!(" (did you mean \"{name}\"?)")
        })
}
