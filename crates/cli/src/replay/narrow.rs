//! Which lines of a run are printed.

use squall_core::engine::{Happened, Line};
use squall_core::ids::NodeId;

/// The middle of what is to be shown.
#[derive(Clone, Copy, Debug)]
pub enum Around {
    /// The violation, or the end of a clean run.
    Violation,
    /// A step.
    Step(u64),
}

/// Which lines are printed.
pub struct Narrow {
    /// Not only the library's own log.
    pub everything: bool,
    /// The library's own log.
    pub log: bool,
    /// At this node only, and what happens to the world.
    pub node: Option<NodeId>,
    /// From this step to that.
    pub around: Option<(u64, u64)>,
}

impl Narrow {
    /// Whether this one is.
    pub fn shows(&self, line: &Line) -> bool {
        let is_log = line.event == Happened::Library;
        let is_near = |(first, last): (u64, u64)| (first..=last).contains(&line.step);
        (self.everything || (self.log && is_log))
            && (line.node.is_none() || self.node.is_none_or(|node| line.node == Some(node)))
            && self.around.is_none_or(is_near)
    }
}

pub fn node(text: &str) -> Result<NodeId, String> {
    let number = text.strip_prefix('n').unwrap_or(text);
    match number.parse() {
        Ok(number @ 1..) => Ok(NodeId(number)),
        _ => Err(format!("\"{text}\" is no node; legal: e.g. 2 or n2")),
    }
}

pub fn around(text: &str) -> Result<Around, String> {
    match (text, text.parse()) {
        ("violation" | "VIOLATION", _) => Ok(Around::Violation),
        (_, Ok(step)) => Ok(Around::Step(step)),
        _ => Err(format!(
            "\"{text}\" is no step; legal: `violation`, or a step's number"
        )),
    }
}
