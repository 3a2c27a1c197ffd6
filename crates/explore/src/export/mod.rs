//! Runs in the formats of other tools: what they draw or check is theirs. Each is a function of a
//! run's document, and knows neither an engine nor a file.

mod edn;
mod perfetto;
mod rust;
mod shiviz;

pub use edn::edn;
pub use perfetto::perfetto;
pub use rust::{NoReproduction, Reproduction, rust};
pub use shiviz::{SHIVIZ_EXPRESSION, shiviz};
