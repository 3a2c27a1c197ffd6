//! Many mutants in one source, of which a switch chooses one when the program runs.
//!
//! Each function that some mutant changes gets a body that matches on the switch:
//! one arm for each mutant, which is the whole body with that mutant's change, and
//! one with the body as it was. So a change may be anything that fits into a
//! function, and mutants cannot get into one another's way. (Untch, Offutt and
//! Harrold, "Mutation analysis using mutant schemata", ISSTA 1993.)

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use syn::spanned::Spanned as _;
use syn::visit::Visit;

/// One change of one file.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The number that the switch knows it by; 1 or more.
    pub number: usize,
    /// What it replaces, in bytes of the file.
    pub place: Range<usize>,
    /// By what.
    pub put: String,
}

/// A source with a switch.
#[derive(Debug)]
pub struct Switched {
    /// The source.
    pub text: String,
    /// Where each mutant's copy of its function lies in it: lines, from 1.
    pub lines: BTreeMap<usize, Range<usize>>,
    /// The numbers of the edits that lie in no function, and have no copy.
    pub outside: Vec<usize>,
}

struct Bodies(Vec<Range<usize>>);

impl Bodies {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if signature.constness.is_none() {
            self.0.push(block.span().byte_range());
        }
    }
}

// An outermost function is enough: what lies in a function within it is copied along.
impl<'ast> Visit<'ast> for Bodies {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
    }
}

/// Puts all of `edits` into `source`, behind the switch.
///
/// # Errors
/// When `source` is no Rust file.
pub fn switch(source: &str, edits: &[Edit]) -> Result<Switched, syn::Error> {
    let mut bodies = Bodies(Vec::new());
    bodies.visit_file(&syn::parse_file(source)?);
    let mut of_body: BTreeMap<(usize, usize), Vec<&Edit>> = BTreeMap::new();
    let mut outside = Vec::new();
    for edit in edits {
        let holds =
            |body: &&Range<usize>| body.start <= edit.place.start && edit.place.end <= body.end;
        match bodies.0.iter().find(holds) {
            Some(body) => of_body
                .entry((body.start, body.end))
                .or_default()
                .push(edit),
            None => outside.push(edit.number),
        }
    }
    let mut text = String::new();
    let mut lines = BTreeMap::new();
    let mut done = 0;
    for ((start, end), edits) in of_body {
        text.push_str(&source[done..start]);
        text.push_str("{ match crate::mutants::selected() {\n");
        for edit in edits {
            let _ = write!(text, "{} => ", edit.number);
            let from = line_of(&text);
            text.push_str(&source[start..edit.place.start]);
            text.push_str(&edit.put);
            text.push_str(&source[edit.place.end..end]);
            lines.insert(edit.number, from..line_of(&text) + 1);
            text.push('\n');
        }
        let _ = write!(text, "_ => {}\n}} }}", &source[start..end]);
        done = end;
    }
    text.push_str(&source[done..]);
    Ok(Switched {
        text,
        lines,
        outside,
    })
}

fn line_of(text: &str) -> usize {
    text.matches('\n').count() + 1
}

/// The module that reads the switch: the environment variable `variable` has the name of one of
/// `mutants`, each with its number, or is not set for the library as it is. `mark` is in what it
/// says of another name, and so in every program that is built with it.
pub fn module(variable: &str, mutants: &[(usize, &str)], mark: &str) -> String {
    let mut arms = String::new();
    for (number, name) in mutants {
        let _ = writeln!(arms, "        {name:?} => {number},");
    }
    format!(
        r#"//! Which mutant this process is to be.

use std::sync::atomic::{{AtomicUsize, Ordering}};

const UNREAD: usize = usize::MAX;

static SELECTED: AtomicUsize = AtomicUsize::new(UNREAD);

/// The number of the mutant, 0 for none.
#[inline]
pub(crate) fn selected() -> usize {{
    match SELECTED.load(Ordering::Relaxed) {{
        UNREAD => read(),
        number => number,
    }}
}}

/// Whether this process is mutant `number`.
#[inline]
#[allow(dead_code)]
pub(crate) fn on(number: usize) -> bool {{
    selected() == number
}}

#[cold]
fn read() -> usize {{
    let name = std::env::var({variable:?}).unwrap_or_default();
    let number = match name.as_str() {{
        "" => 0,
{arms}        other => {{
            eprintln!("error: {variable} is {{other:?}}, which is no mutant of this build ({mark})");
            std::process::exit(2);
        }}
    }};
    SELECTED.store(number, Ordering::Relaxed);
    number
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
pub struct Vote(pub u64);
impl Vote {
    pub fn won(yes: usize, all: usize) -> bool {
        yes > all / 2
    }
}
";

    fn edit(number: usize, find: &str, put: &str) -> Edit {
        let start = SOURCE.find(find).unwrap();
        Edit {
            number,
            place: start..start + find.len(),
            put: put.to_owned(),
        }
    }

    #[test]
    fn each_mutant_has_a_copy_of_its_function_and_the_last_arm_is_as_it_was() {
        let edits = [edit(1, "yes >", "yes >="), edit(2, "all / 2", "all / 3")];
        let switched = switch(SOURCE, &edits).unwrap();
        assert!(switched.outside.is_empty());
        let flat: Vec<&str> = switched.text.split_whitespace().collect();
        assert_eq!(
            flat.join(" "),
            "pub struct Vote(pub u64); impl Vote { pub fn won(yes: usize, all: usize) -> bool { match \
             crate::mutants::selected() { 1 => { yes >= all / 2 } 2 => { yes > all / 3 } _ => { yes > all / 2 } } } }"
        );
        syn::parse_file(&switched.text).unwrap();
    }

    #[test]
    fn a_copy_is_found_by_its_lines() {
        let edits = [edit(7, "yes >", "yes >=")];
        let switched = switch(SOURCE, &edits).unwrap();
        let lines: Vec<&str> = switched.text.lines().collect();
        let range = switched.lines[&7].clone();
        let copy = lines[range.start - 1..range.end - 1].join("\n");
        assert!(copy.starts_with("7 => {") && copy.ends_with('}'), "{copy}");
        assert!(copy.contains("yes >= all"));
    }

    #[test]
    fn what_lies_in_no_function_is_told() {
        let edits = [edit(1, "pub u64", "u64")];
        assert_eq!(switch(SOURCE, &edits).unwrap().outside, [1]);
    }

    #[test]
    fn the_switch_is_a_rust_module() {
        syn::parse_file(&module("SQUALL_MUTANT", &[(1, "a-b"), (4, "c")], "build 0")).unwrap();
    }
}
