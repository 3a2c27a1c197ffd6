//! What README and the guide show is what the program prints and what the sources say: each excerpt
//! names where it comes from, and `UPDATE_EXPECT=1 cargo test` makes it anew.
//!
//! An excerpt is a fenced block behind one of these comments, on a line of its own:
//!
//! - `<!-- run: squall show PLAN.json -->`, what that command prints, run in the project's folder;
//! - `<!-- file: examples/bring_your_own.rs -->`, the file.
//!
//! `from "TEXT"` and `to "TEXT"` behind it cut out the lines from the first that holds the one text
//! to the next that holds the other; `before "TEXT"` leaves that next line out. Figures that differ
//! from machine to machine are not shown.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::root;

/// Where an excerpt comes from.
#[derive(Debug)]
struct Origin {
    kind: Kind,
    from: Option<String>,
    to: Option<String>,
    before: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Run(Vec<String>),
    File(String),
}

/// Files that show excerpts.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    for entry in std::fs::read_dir(root().join("docs/guide")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

/// The origin that a line names, if it is such a comment.
fn origin(line: &str) -> Option<Origin> {
    let said = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let (kind, rest) = said.split_once(": ")?;
    let quoted = |name: &str| {
        let (_, behind) = rest.split_once(&format!(" {name} \""))?;
        Some(
            behind
                .split_once('"')
                .expect("a text is closed")
                .0
                .to_owned(),
        )
    };
    let (from, to, before) = (quoted("from"), quoted("to"), quoted("before"));
    let end = [" from \"", " to \"", " before \""]
        .iter()
        .filter_map(|cut| rest.find(cut));
    let what = &rest[..end.min().unwrap_or(rest.len())];
    let kind = match kind {
        "run" => Kind::Run(what.split(' ').map(str::to_owned).collect()),
        "file" => Kind::File(what.to_owned()),
        _ => return None,
    };
    Some(Origin {
        kind,
        from,
        to,
        before,
    })
}

/// A folder that looks like the project's to a command that reads, and into which it may write.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    for name in ["crates", "docs", "examples", "sims", "tests"] {
        std::os::unix::fs::symlink(root().join(name), desk.path().join(name)).unwrap();
    }
    desk
}

fn printed(command: &[String], desk: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_squall"));
    assert_eq!(command[0], "squall", "only squall is run");
    // Called by its bare name, as a user does who has installed it, it calls itself so.
    let link = desk.join("bin/squall");
    if !link.exists() {
        std::fs::create_dir_all(desk.join("bin")).unwrap();
        std::os::unix::fs::symlink(program, &link).unwrap();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let run = Command::new("sh")
        .args(["-c", "exec \"$@\"", "sh"])
        .args(command)
        .env("PATH", format!("{}:{path}", desk.join("bin").display()))
        .current_dir(desk)
        .output()
        .unwrap();
    assert!(
        run.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    String::from_utf8(run.stdout).unwrap()
}

/// The lines that the excerpt shows.
fn excerpt(origin: &Origin, desk: &Path) -> String {
    let whole = match &origin.kind {
        Kind::Run(command) => printed(command, desk),
        Kind::File(path) => std::fs::read_to_string(root().join(path)).unwrap(),
    };
    let mut lines: Vec<&str> = whole.lines().collect();
    if let Some(from) = &origin.from {
        let start = lines.iter().position(|line| line.contains(from));
        lines.drain(..start.unwrap_or_else(|| panic!("{origin:?} has no such line: {whole}")));
    }
    for (end, shown) in [(&origin.to, 1), (&origin.before, 0)] {
        let Some(end) = end else { continue };
        let end = lines.iter().position(|line| line.contains(end));
        lines.truncate(
            end.unwrap_or_else(|| panic!("{origin:?} has no such line: {whole}")) + shown,
        );
    }
    let text = lines.join("\n");
    text.trim_end().to_owned()
}

/// The page with its excerpts as they are now, and how many it has.
fn renewed(page: &str, desk: &Path) -> (String, usize) {
    let mut text = String::new();
    let mut count = 0;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let Some(origin) = origin(line) else { continue };
        count += 1;
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "a block follows on {line}");
        let old = lines.by_ref().take_while(|line| *line != "```");
        drop(old.collect::<Vec<_>>());
        text.push_str(&format!("{fence}\n{}\n```\n", excerpt(&origin, desk)));
    }
    (text, count)
}

#[test]
fn what_readme_and_guide_show_is_as_it_is() {
    let desk = desk();
    let mut count = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        let (now, excerpts) = renewed(&page, desk.path());
        count += excerpts;
        expect_test::expect_file![path].assert_eq(&now);
    }
    assert!(count >= 6, "only {count} excerpts say where they come from");
}

/// A block of text that shows what a program says has an origin.
#[test]
fn no_excerpt_is_without_its_origin() {
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = page.lines().collect();
        for (number, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| **line == "```text")
        {
            let before = lines[number - 1];
            assert!(
                origin(before).is_some(),
                "{}:{}: {line} does not say where it comes from",
                path.display(),
                number + 1
            );
        }
    }
}

/// Links from page to page and into the project lead somewhere.
#[test]
fn links_lead_somewhere() {
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        let folder = path.parent().unwrap();
        let mut targets: Vec<String> = Vec::new();
        for part in page.split("](").skip(1) {
            targets.extend(part.split(')').next().map(str::to_owned));
        }
        for target in targets {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || target.contains("://") {
                continue;
            }
            assert!(
                folder.join(file).exists(),
                "{} links to {target}",
                path.display()
            );
        }
    }
}

/// The table of contents names every chapter, and README is short enough to be read.
#[test]
fn the_guide_is_listed_and_readme_is_short() {
    let guide = root().join("docs/guide");
    let summary = std::fs::read_to_string(guide.join("SUMMARY.md")).unwrap();
    for path in pages() {
        let name = path.file_name().unwrap().to_string_lossy();
        let listed = summary.contains(&format!("({name})"));
        assert!(
            !path.starts_with(&guide) || name == "SUMMARY.md" || listed,
            "SUMMARY.md does not list {name}"
        );
    }
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.lines().count() <= 150,
        "README has more than 150 lines"
    );
}

/// What an adapter is to report is listed in one place, whole.
#[test]
fn the_contract_names_all_that_an_adapter_reports() {
    let contract = root().join("crates/core/src/replica/contract.md");
    let contract = std::fs::read_to_string(contract).unwrap();
    let public = std::fs::read_to_string(root().join("docs/public-api/squall-core.txt")).unwrap();
    for list in ["replica::Observation", "replica::Claim", "storage::Record"] {
        let start = format!("pub squall_core::{list}::");
        let names = public.lines().filter_map(|line| line.strip_prefix(&start));
        let names = names.map(|name| name.split('(').next().unwrap());
        let names: Vec<&str> = names.filter(|name| !name.contains("::")).collect();
        assert!(names.len() > 2, "{list} is in docs/public-api");
        for name in names {
            assert!(
                contract.contains(name),
                "the contract does not name {list}::{name}"
            );
        }
    }
}
