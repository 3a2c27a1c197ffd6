//! A run as one HTML page: a space-time diagram, how every node stood after any moment, and how a
//! violation came about. The page needs no network, and nothing beside itself.
//!
//! The page is made of the files in `assets`, one thing a file. The run goes into it as its
//! [`RunDocument`], compressed; what is told without a script (the violation and the story) is in
//! the page as text. Sweeps have pages as well. Knows no engine and no Raft: all that the page
//! shows is in the document.

mod charts;
mod sweep;

pub use sweep::{
    Found, Point, SWEEP_FILE, SWEEP_FORMAT, SWEEP_VERSION, SweepDocument, report_html, sweep_html,
};

use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use squall_core::fsutil::write_whole;
use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_core::text::seconds;
use squall_explore::report::group;
use squall_explore::run_document::{RunDocument, Sentence, Setting};
use squall_explore::scenario::{Command, commands};

/// The most steps of a run whose page is written without being asked for: a page of so many has
/// some ten megabytes.
const MOST_STEPS: u64 = 300_000;

/// The pages, and the parts that they share, with places for what differs from run to run.
const TEMPLATES: &[(&str, &str)] = &[
    ("diagram.html", include_str!("../assets/diagram.html")),
    ("page.html", include_str!("../assets/page.html")),
    ("play.html", include_str!("../assets/play.html")),
    ("report.html", include_str!("../assets/report.html")),
    ("state.html", include_str!("../assets/state.html")),
    ("sweep.html", include_str!("../assets/sweep.html")),
];

/// How the page looks.
const STYLES: &[&str] = &[
    include_str!("../assets/theme.css"),
    include_str!("../assets/layout.css"),
    include_str!("../assets/diagram.css"),
    include_str!("../assets/panel.css"),
    include_str!("../assets/print.css"),
];

/// What the page does, in the order in which one needs another.
const SCRIPTS: &[&str] = &[
    include_str!("../assets/run.js"),
    include_str!("../assets/states.js"),
    include_str!("../assets/filter.js"),
    include_str!("../assets/diagram.js"),
    include_str!("../assets/panel.js"),
    include_str!("../assets/controls.js"),
    include_str!("../assets/page.js"),
];

/// What the page of a run that is over does besides.
const OVER_SCRIPTS: &[&str] = &[include_str!("../assets/main.js")];

/// How the page of a run that is played looks besides.
const PLAY_STYLES: &[&str] = &[include_str!("../assets/play.css")];

/// What the page of a run that is played does besides, in the order in which one needs another.
const PLAY_SCRIPTS: &[&str] = &[
    include_str!("../assets/play-story.js"),
    include_str!("../assets/play-client.js"),
    include_str!("../assets/play-time.js"),
    include_str!("../assets/play-node.js"),
    include_str!("../assets/play-messages.js"),
    include_str!("../assets/play.js"),
];

/// A sentence of the story as the page shows it.
#[derive(Serialize)]
struct Told<'a> {
    at: Option<String>,
    step: Option<u64>,
    moment: Option<usize>,
    node: Option<String>,
    text: &'a str,
}

impl<'a> Told<'a> {
    fn of(sentence: &'a Sentence) -> Self {
        Self {
            at: sentence.time_us.map(seconds),
            step: sentence.step,
            moment: sentence.moment,
            node: sentence.node.map(|node| node.to_string()),
            text: &sentence.text,
        }
    }
}

/// A setting as the page shows it.
#[derive(Serialize)]
struct Set<'a> {
    name: &'a str,
    value: String,
    own: bool,
}

impl<'a> Set<'a> {
    fn of(setting: &'a Setting) -> Self {
        Self {
            name: &setting.name,
            value: setting.value.to_string(),
            own: setting.own,
        }
    }
}

/// A command of stories as the page suggests it.
#[derive(Serialize)]
struct Suggested {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
}

impl Suggested {
    fn of(command: Command) -> Self {
        let Command {
            name, usage, about, ..
        } = command;
        Self { name, usage, about }
    }
}

/// The page of a run.
///
/// # Panics
/// Never: the template is ours, and a document can always be written as JSON.
pub fn html(document: &RunDocument) -> String {
    let violation = document.violation.as_ref();
    let story: Vec<Told<'_>> = document.story.iter().map(Told::of).collect();
    let lost_disks: Vec<String> = document
        .end
        .members_without_disk
        .iter()
        .map(ToString::to_string)
        .collect();
    fill(
        "page.html",
        &context! {
            subject => document.subject,
            squall => document.squall,
            nodes => document.nodes,
            profile => document.plan.profile,
            seed => document.plan.seed,
            settings => document.settings.iter().map(Set::of).collect::<Vec<_>>(),
            faults => document.faults.iter().map(|fault| fault.words.as_str()).collect::<Vec<_>>(),
            end_at => seconds(document.end.time_us),
            healed_at => seconds(document.end.healed_us),
            steps => document.end.steps,
            reproduce => document.reproduce,
            violation => violation,
            violated_at => violation.map(|violation| seconds(violation.time_us)),
            lost_disks => lost_disks.join(", "),
            story => story,
            styles => STYLES.concat(),
            scripts => [SCRIPTS, OVER_SCRIPTS].concat(),
            run => packed(document),
        },
    )
}

/// The page of a run that is played. It asks the server that it comes from for the run, and for
/// what a person does in it; `nonce` is what that server lets scripts and styles be carried out by.
///
/// # Panics
/// Never: the template is ours.
pub fn play_html(nonce: &str) -> String {
    let commands: Vec<Suggested> = commands().map(Suggested::of).collect();
    fill(
        "play.html",
        &context! {
            nonce => nonce,
            play => true,
            commands => commands,
            squall => env!("CARGO_PKG_VERSION"),
            styles => [STYLES, PLAY_STYLES].concat().concat(),
            scripts => [SCRIPTS, PLAY_SCRIPTS].concat(),
        },
    )
}

/// The template of that name with these values in it.
fn fill(template: &str, values: &minijinja::Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    for (name, text) in TEMPLATES {
        environment
            .add_template(name, text)
            .expect("the templates are ours");
    }
    let template = environment.get_template(template);
    let filled = template.and_then(|template| template.render(values));
    filled.expect("the template asks for what there is")
}

/// The document as JSON, compressed by gzip, in base64.
fn packed(document: &RunDocument) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let json = serde_json::to_vec(document).expect("a document is JSON");
    encoder.write_all(&json).expect("a vector takes all");
    let bytes = encoder.finish().expect("a vector takes all");
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What became of the page of a failing plan that nobody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Page,
    /// The run has more steps than such a page may have.
    TooLong,
    /// The plan did not fail again.
    DidNotFail,
}

/// Writes the page of a failing plan to the file `to`, whose folder is made where there is none.
/// `reproduce` is what repeats the run.
///
/// # Errors
/// When the file cannot be written.
pub fn write_failure(
    subject: &RegisteredSubject,
    plan: &Plan,
    reproduce: &str,
    to: &Path,
) -> io::Result<Written> {
    let (document, outcome) = RunDocument::of_run(subject, plan, reproduce, Some(MOST_STEPS + 1));
    if outcome.steps > MOST_STEPS {
        return Ok(Written::TooLong);
    }
    if outcome.failure.is_none() {
        return Ok(Written::DidNotFail);
    }
    if let Some(folder) = to.parent().filter(|folder| *folder != Path::new("")) {
        std::fs::create_dir_all(folder)?;
    }
    write_whole(to, &html(&document))?;
    Ok(Written::Page)
}

/// Does the same, and returns the line that tells of it, as it stands at the end of what is said of
/// a failure: where the page is, or that the run is too long for a page that nobody has asked for;
/// nothing for a plan that does not fail again.
///
/// # Errors
/// When the file cannot be written.
pub fn beside_failure(
    subject: &RegisteredSubject,
    plan: &Plan,
    reproduce: &str,
    to: &Path,
) -> io::Result<String> {
    Ok(match write_failure(subject, plan, reproduce, to)? {
        Written::Page => format!("page       {}\n", to.display()),
        Written::TooLong => {
            let most = group(MOST_STEPS);
            format!("page       (the run has more than {most} steps: squall page writes it)\n")
        }
        Written::DidNotFail => String::new(),
    })
}
