//! `squall explore`: a cluster to play with in the browser.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tempfile::NamedTempFile;

use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::scenario::Story;
use squall_play::{Server, Session};

use super::artifact::{check_own, read_plan, subject_for};
use super::interrupt::at_first_interrupt;
use super::{CliError, say};

#[derive(Debug, Args)]
pub struct Options {
    /// What to begin with: a plan's file, or a story [default: three voters, to which nothing has
    /// happened].
    #[arg(value_name = "PLAN.json|STORY.sim")]
    from: Option<PathBuf>,
    /// What to play on: see `list subjects` [default: the plan's own subject, or the first of
    /// those that the story is for].
    #[arg(long)]
    subject: Option<String>,
    /// The port of the loopback address to answer on [default: one that is free].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Open the page in the browser.
    #[arg(long)]
    open: bool,
}

pub fn run(subjects: &Registry, options: &Options) -> Result<u8, CliError> {
    let session = begin(subjects, options)?;
    let server = Server::bind(session, options.port).map_err(|error| {
        let port = options.port;
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; without --port, a free one is taken",
            _ => "",
        };
        CliError::Usage(format!(
            "cannot answer on port {port} of 127.0.0.1: {error}{hint}"
        ))
    })?;
    let address = server.address();
    let stopper = server.stopper();
    let is_caught = at_first_interrupt(move || stopper.stop());
    say(&format!("page       {address}\n"))?;
    if is_caught {
        say("           Ctrl-C ends it\n")?;
    }
    // It is there as long as the server.
    let _way_in = match options.open {
        true => open_page(&address),
        false => None,
    };
    server
        .run()
        .map_err(|error| CliError::Usage(format!("cannot go on answering: {error}")))?;
    Ok(0)
}

/// Opens the page in the browser. The address, with its token, is in a file that this user alone
/// can read, and not among the arguments of a process, which every user of the machine can list.
fn open_page(address: &str) -> Option<NamedTempFile> {
    let refresh =
        format!("<!doctype html><meta http-equiv=\"refresh\" content=\"0; url={address}\">\n");
    let opened = || {
        let mut file = tempfile::Builder::new()
            .prefix("squall-explore-")
            .suffix(".html")
            .tempfile()?;
        file.write_all(refresh.as_bytes())?;
        open::that_detached(file.path())?;
        Ok::<_, std::io::Error>(file)
    };
    match opened() {
        Ok(file) => Some(file),
        Err(error) => {
            let words = "cannot open the page in a browser";
            super::warn(&format!("{words}: {error}; open the address above"));
            None
        }
    }
}

fn begin(subjects: &Registry, options: &Options) -> Result<Session, CliError> {
    let all: Vec<RegisteredSubject> = subjects.iter().cloned().collect();
    let all = Arc::new(Registry::new(all));
    let named = options.subject.as_deref();
    let wrong = |error: squall_play::PlayError| CliError::Usage(error.to_string());
    let Some(path) = &options.from else {
        let subject = subjects.find_or_first(named)?.clone();
        return Session::new(all, subject).map_err(wrong);
    };
    let in_file =
        |error: squall_play::PlayError| CliError::Usage(format!("{}: {error}", path.display()));
    if is_story(path) {
        let story = Story::read(path)?;
        let fits = |subject: &&RegisteredSubject| story.is_for(subject);
        let subject = match named {
            Some(name) => subjects.find(name)?,
            None => match subjects.iter().find(fits) {
                Some(subject) => subject,
                None => subjects.find_or_first(None)?,
            },
        };
        return Session::of_story(all, subject.clone(), &story).map_err(in_file);
    }
    let mut plan: Plan = read_plan(subjects, path, named)?;
    let subject = subject_for(subjects, named, &mut plan)?.clone();
    check_own(subjects, &plan.subject, path, &plan)?;
    Session::of_plan(all, subject, path, &plan).map_err(in_file)
}

fn is_story(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "sim")
}
