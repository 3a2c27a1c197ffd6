//! `squall report`: many sweeps as one page.

use std::path::{Path, PathBuf};

use clap::Args;

use squall_core::fsutil::write_whole;
use squall_page::{SWEEP_FILE, SweepDocument, report_html};

use super::sweep_page::read;
use super::{CliError, Manner, say, warn};

#[derive(Debug, Args)]
pub struct Options {
    /// A folder with the folders that `sweep --html` wrote, at any depth.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the page goes [default: index.html in the folder, or report.html where that is a
    /// sweep's].
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
}

pub fn run(options: &Options, manner: Manner) -> Result<u8, CliError> {
    let mut sweeps = Vec::new();
    let (paths, mut spoilt) = documents(&options.folder)?;
    for path in paths {
        match read(&path) {
            Ok(document) => sweeps.push((path, document)),
            Err(error) => {
                warn(&format!("left out: {error}"));
                spoilt += 1;
            }
        }
    }
    if sweeps.is_empty() {
        return Err(CliError::Usage(format!(
            "there is no sweep in {}; `squall sweep --html DIR` writes one",
            options.folder.display()
        )));
    }
    let to = options.output.clone().unwrap_or_else(|| {
        let is_a_sweeps = options.folder.join(SWEEP_FILE).exists();
        options.folder.join(if is_a_sweeps {
            "report.html"
        } else {
            "index.html"
        })
    });
    let is_ours = |text: String| text.contains("· Squall</title>");
    if to.exists() && !squall_core::fsutil::read_text(&to).is_ok_and(is_ours) {
        return Err(CliError::Usage(format!(
            "{} is there, and Squall did not write it; say where the page goes with -o",
            to.display()
        )));
    }
    let from = to.parent().unwrap_or(Path::new(""));
    let linked: Vec<(String, SweepDocument)> = sweeps
        .into_iter()
        .map(|(path, document)| (address(&path.with_file_name("index.html"), from), document))
        .collect();
    write_whole(&to, &report_html(&linked)).map_err(|error| CliError::file(&to, &error))?;
    if !manner.quiet {
        let count = squall_explore::report::many(linked.len() as u64, "sweep");
        say(&format!("report     {} ({count})\n", to.display()))?;
    }
    Ok(if spoilt > 0 { 2 } else { 0 })
}

/// The documents of sweeps in a folder, in order of their paths, and how many of the folders in it
/// cannot be read, which is a warning for each.
fn documents(folder: &Path) -> Result<(Vec<PathBuf>, u32), CliError> {
    let (mut folders, mut found, mut unread) = (vec![folder.to_path_buf()], Vec::new(), 0);
    while let Some(inner) = folders.pop() {
        let entries = std::fs::read_dir(&inner).and_then(Iterator::collect::<std::io::Result<_>>);
        let entries: Vec<std::fs::DirEntry> = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let words = format!("cannot read the folder {}: {error}", inner.display());
                if inner == folder {
                    return Err(CliError::Usage(words));
                }
                warn(&format!("left out: {words}"));
                unread += 1;
                continue;
            }
        };
        for entry in entries {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else if entry.file_name() == SWEEP_FILE {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok((found, unread))
}

/// The address of `path` in a page that lies in the folder `from`.
fn address(path: &Path, from: &Path) -> String {
    let whole = |path: &Path| {
        let path = if path == Path::new("") {
            Path::new(".")
        } else {
            path
        };
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
    };
    let (path, from) = (whole(path), whole(from));
    let (mut to, mut up) = (path.components().peekable(), from.components().peekable());
    while to.peek().is_some() && to.peek() == up.peek() {
        to.next();
        up.next();
    }
    let up = up.map(|_| "..".to_owned());
    let down = to.map(|part| escaped(part.as_os_str().as_encoded_bytes()));
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// A part of a path as a part of an address.
fn escaped(part: &[u8]) -> String {
    let mut text = String::new();
    for byte in part {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(*byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
