//! Small mutants by the hundred in one source: operators, match arms, the values of functions.
//!
//! `schemata` copies a function for each of its mutants, which for hundreds would be a library many
//! times as large. Here each operator asks the switch itself. Its operands are written once,
//! whatever is done with them, so that nested ones do not multiply.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// A mutant as `cargo mutants --list` has it, in bytes of its file.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The number that the switch knows it by; 1 or more.
    pub number: usize,
    /// What kind of change.
    pub genre: Genre,
    /// The operator, arm, guard or body.
    pub place: Range<usize>,
    /// What to put there.
    pub put: String,
}

/// Kinds of change, as cargo-mutants calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Genre {
    /// A function returns a value at once.
    FnValue,
    /// Another operator between two operands.
    BinaryOperator,
    /// An operator in front goes.
    UnaryOperator,
    /// An arm of a match goes.
    MatchArm,
    /// A guard of an arm is true or false.
    MatchArmGuard,
    /// A field of a struct expression goes.
    StructField,
}

/// A source whose operators ask the switch.
#[derive(Debug)]
pub struct Switched {
    /// The source. A line that belongs to a mutant holds [`mark`] of its number.
    pub text: String,
    /// The numbers of the spots that cannot be switched.
    pub outside: Vec<usize>,
}

/// What marks a line as that of mutant `number`.
pub fn mark(number: usize) -> String {
    format!("/*#{number}#*/")
}

/// The numbers that `line` is marked with.
pub fn marks(line: &str) -> Vec<usize> {
    let parts = line.split("/*#").skip(1);
    parts
        .filter_map(|part| part.split_once("#*/")?.0.parse().ok())
        .collect()
}

/// Where an operator's expression and its operands lie.
#[derive(Clone)]
struct Binary {
    whole: Range<usize>,
    left: Range<usize>,
    right: Range<usize>,
}

/// Where operators, operands, arms and bodies lie.
#[derive(Default)]
struct Places {
    /// By the place of the operator.
    binary: BTreeMap<usize, Binary>,
    unary: BTreeMap<usize, (Range<usize>, Range<usize>)>,
    /// By the place of the arm: the end of its pattern, and its guard.
    arms: BTreeMap<usize, (usize, Option<Range<usize>>)>,
    bodies: Vec<Range<usize>>,
}

impl Places {
    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if signature.constness.is_none() {
            self.bodies.push(block.span().byte_range());
        }
    }
}

impl<'ast> Visit<'ast> for Places {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let at = expr.op.span().byte_range().start;
        let of = |part: &dyn syn::spanned::Spanned| part.span().byte_range();
        let binary = Binary {
            whole: of(expr),
            left: of(&expr.left),
            right: of(&expr.right),
        };
        self.binary.insert(at, binary);
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let at = expr.op.span().byte_range().start;
        self.unary.insert(
            at,
            (expr.span().byte_range(), expr.expr.span().byte_range()),
        );
        visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let (pattern, guard) = match &arm.pat {
            syn::Pat::Guard(guarded) => (&*guarded.pat, Some(guarded.guard.span().byte_range())),
            pattern => (pattern, None),
        };
        let pattern = pattern.span().byte_range();
        self.arms.insert(pattern.start, (pattern.end, guard));
        visit::visit_arm(self, arm);
    }
}

/// What is written in place of a range.
struct Rewrite {
    range: Range<usize>,
    spots: Vec<Spot>,
    how: How,
}

enum How {
    Binary(Range<usize>, Range<usize>),
    Not(Range<usize>),
    /// A guard that the mutant turns off: of what lies there, when there is one.
    Guard(bool),
    GuardValue,
    Return,
}

/// Makes all of `spots` in `source` ask the switch.
///
/// # Errors
/// When `source` is no Rust file.
pub fn switch(source: &str, spots: &[Spot]) -> Result<Switched, syn::Error> {
    let mut places = Places::default();
    places.visit_file(&syn::parse_file(source)?);
    let mut outside = Vec::new();
    let mut rewrites: BTreeMap<(usize, std::cmp::Reverse<usize>, u8), Rewrite> = BTreeMap::new();
    let mut add = |order: u8, range: Range<usize>, how: How, spot: &Spot| {
        let key = (range.start, std::cmp::Reverse(range.end), order);
        let rewrite = rewrites.entry(key).or_insert_with(|| Rewrite {
            range,
            spots: Vec::new(),
            how,
        });
        rewrite.spots.push(spot.clone());
    };
    for spot in spots {
        let at = spot.place.start;
        match spot.genre {
            Genre::BinaryOperator if places.binary.contains_key(&at) => {
                let Binary { whole, left, right } = places.binary[&at].clone();
                add(2, whole, How::Binary(left, right), spot);
            }
            Genre::UnaryOperator if places.unary.contains_key(&at) => {
                let (whole, inner) = places.unary[&at].clone();
                add(2, whole, How::Not(inner), spot);
            }
            Genre::MatchArm if places.arms.contains_key(&at) => {
                let (end, guard) = places.arms[&at].clone();
                match guard {
                    Some(guard) => add(0, guard, How::Guard(true), spot),
                    None => add(1, end..end, How::Guard(false), spot),
                }
            }
            Genre::MatchArmGuard => add(1, spot.place.clone(), How::GuardValue, spot),
            Genre::FnValue => {
                let holds = |body: &&Range<usize>| body.start <= at && spot.place.end <= body.end;
                match places
                    .bodies
                    .iter()
                    .filter(holds)
                    .min_by_key(|body| body.len())
                {
                    Some(body) => add(0, body.start + 1..body.start + 1, How::Return, spot),
                    None => outside.push(spot.number),
                }
            }
            _ => outside.push(spot.number),
        }
    }
    let rewrites: Vec<Rewrite> = rewrites.into_values().collect();
    let writer = Writer {
        source,
        rewrites: &rewrites,
    };
    Ok(Switched {
        text: writer.write(0..source.len(), 0),
        outside,
    })
}

struct Writer<'a> {
    source: &'a str,
    /// Outer ones before inner ones, in the order of their places.
    rewrites: &'a [Rewrite],
}

impl Writer<'_> {
    /// `range` of the source, with the rewrites from the `first` that lie in it.
    fn write(&self, range: Range<usize>, first: usize) -> String {
        let mut text = String::new();
        let mut at = range.start;
        for (index, rewrite) in self.rewrites.iter().enumerate().skip(first) {
            let place = &rewrite.range;
            if place.start > range.end {
                break;
            }
            // Those that lie in what is written already were written with it.
            if place.start < at || place.end > range.end {
                continue;
            }
            text.push_str(&self.source[at..place.start]);
            text.push_str(&self.rewritten(rewrite, index));
            at = place.end;
        }
        text.push_str(&self.source[at..range.end]);
        text
    }

    fn rewritten(&self, rewrite: &Rewrite, index: usize) -> String {
        let spots = &rewrite.spots;
        let inner = |range: &Range<usize>| self.write(range.clone(), index + 1);
        let all: String = spots.iter().map(|spot| mark(spot.number)).collect();
        let on = |spot: &Spot| format!("crate::mutants::on({})", spot.number);
        match &rewrite.how {
            How::Return => spots.iter().fold(String::new(), |mut text, spot| {
                let _ = write!(
                    text,
                    "\nif {} {{ return {}; }} {}\n",
                    on(spot),
                    spot.put,
                    mark(spot.number)
                );
                text
            }),
            How::Guard(has_one) => {
                let off: Vec<String> = spots.iter().map(|spot| format!("!{}", on(spot))).collect();
                let off = off.join(" && ");
                match has_one {
                    true => format!("{off} {all} && ({})", inner(&rewrite.range)),
                    false => format!(" if {off} {all}"),
                }
            }
            How::GuardValue => {
                let mut text = String::from("(match crate::mutants::selected() {\n");
                for spot in spots {
                    let _ = writeln!(
                        text,
                        "{} => {}, {}",
                        spot.number,
                        spot.put,
                        mark(spot.number)
                    );
                }
                let _ = write!(text, "_ => {},\n}})", inner(&rewrite.range));
                text
            }
            How::Not(operand) => {
                let flipped: Vec<String> = spots.iter().map(on).collect();
                format!(
                    "((!({})) != {} {all})",
                    inner(operand),
                    flipped.join(" != ")
                )
            }
            How::Binary(left, right) => {
                self.binary(rewrite, &inner(left), &inner(right), left, right)
            }
        }
    }

    fn binary(
        &self,
        rewrite: &Rewrite,
        left: &str,
        right: &str,
        of_left: &Range<usize>,
        of_right: &Range<usize>,
    ) -> String {
        let spots = &rewrite.spots;
        let between = &self.source[of_left.end..of_right.start];
        let operator = between.split_whitespace().next().unwrap_or_default();
        let all: String = spots.iter().map(|spot| mark(spot.number)).collect();
        let arms = |left: &str, right: &str| {
            spots.iter().fold(String::new(), |mut text, spot| {
                let _ = writeln!(
                    text,
                    "{} => {left} {} {right}, {}",
                    spot.number,
                    spot.put.trim(),
                    mark(spot.number)
                );
                text
            })
        };
        let flipped: Vec<String> = spots
            .iter()
            .map(|spot| format!("crate::mutants::on({})", spot.number))
            .collect();
        let flipped = flipped.join(" != ");
        match operator {
            // With the other of the two the left operand decides in the other case.
            "&&" => format!(
                "(match {left} {{ left => if left != {flipped} {all} {{ {right} }} else {{ left }} }})"
            ),
            "||" => format!(
                "(match {left} {{ left => if left != {flipped} {all} {{ left }} else {{ {right} }} }})"
            ),
            "+=" | "-=" | "*=" | "/=" => {
                let (to, by) = (
                    &self.source[of_left.clone()],
                    &self.source[of_right.clone()],
                );
                format!(
                    "match crate::mutants::selected() {{ {all}\n{}_ => {left} {operator} {right},\n}}",
                    arms(to, by)
                )
            }
            "==" | "!=" | "<" | ">" | "<=" | ">=" => format!(
                "(match (&({left}), &({right})) {{ {all}\n(left, right) => match crate::mutants::selected() {{\n{}_ => left {operator} right, {all}\n}} }})",
                arms("left", "right")
            ),
            _ => format!(
                "(match ({left}, {right}) {{ {all}\n(left, right) => match crate::mutants::selected() {{\n{}_ => left {operator} right, {all}\n}} }})",
                arms("left", "right")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
fn in_lease(on: bool, leader: u64, elapsed: u64, timeout: u64) -> bool {
    on && leader != 0 && elapsed + 1 < timeout
}
fn half(all: u64) -> u64 {
    let mut n = all;
    match n { 0 => n += 1, k if k > 9 => n -= k, k if k == 7 || k == 8 => n = k, _ => {} }
    n
}
";

    fn spot(number: usize, genre: Genre, find: &str, put: &str) -> Spot {
        let start = SOURCE.find(find).unwrap();
        Spot {
            number,
            genre,
            place: start..start + find.len(),
            put: put.to_owned(),
        }
    }

    fn switched(spots: &[Spot]) -> String {
        let switched = switch(SOURCE, spots).unwrap();
        assert!(switched.outside.is_empty(), "{:?}", switched.outside);
        syn::parse_file(&switched.text).unwrap();
        switched.text
    }

    #[test]
    fn an_operand_is_written_once_however_many_mutants_it_has() {
        let text = switched(&[
            spot(1, Genre::BinaryOperator, "&& leader", "||"),
            spot(2, Genre::BinaryOperator, "&& elapsed", "||"),
            spot(3, Genre::BinaryOperator, "!= 0", "=="),
            spot(4, Genre::BinaryOperator, "< timeout", "=="),
            spot(5, Genre::BinaryOperator, "< timeout", ">"),
            spot(6, Genre::BinaryOperator, "+ 1", "-"),
        ]);
        let body = text.split("fn half").next().unwrap();
        for operand in ["leader", "elapsed", "timeout"] {
            let uses = body.matches(operand).count();
            assert_eq!(
                uses, 2,
                "{operand} is a parameter, and an operand once: {body}"
            );
        }
    }

    #[test]
    fn every_kind_of_change_asks_the_switch_on_a_line_with_its_mark() {
        let spots = [
            spot(
                1,
                Genre::FnValue,
                "on && leader != 0 && elapsed + 1 < timeout",
                "true",
            ),
            spot(2, Genre::MatchArm, "0 => n += 1,", ""),
            spot(3, Genre::MatchArm, "k if k > 9 => n -= k,", ""),
            spot(4, Genre::MatchArmGuard, "k > 9", "true"),
            spot(5, Genre::BinaryOperator, "+= 1", "-="),
            spot(6, Genre::BinaryOperator, "> 9", "<"),
            spot(7, Genre::MatchArm, "k if k == 7 || k == 8 => n = k,", ""),
            spot(8, Genre::MatchArmGuard, "k == 7 || k == 8", "false"),
        ];
        let text = switched(&spots);
        let arm = text.split("k if !crate::mutants::on(7)").nth(1).unwrap();
        assert!(
            arm.trim_start_matches(" /*#7#*/ && ")
                .starts_with("((match"),
            "{arm}"
        );
        for spot in &spots {
            let of_it: Vec<&str> = text
                .lines()
                .filter(|line| marks(line).contains(&spot.number))
                .collect();
            assert!(!of_it.is_empty(), "{spot:?} in {text}");
        }
    }
}
