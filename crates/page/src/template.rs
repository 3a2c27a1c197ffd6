//! How templates are filled: whatever goes in is escaped, unless the template says otherwise.

use minijinja::{AutoEscape, Environment, Value};

/// The template filled from `context`.
///
/// # Panics
/// When the template asks for what there is not: it is ours.
pub fn rendered(template: &str, context: Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    let filled = environment.render_named_str("page.html", template, context);
    filled.expect("the template is ours, and asks for what there is")
}
