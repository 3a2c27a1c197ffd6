//! Pages of runs: where they are written, what is said of them, and that nothing in them is taken
//! for HTML. `tests/page` opens them in a browser.

use std::path::Path;

use squall_core::plan::Plan;
use squall_explore::run_document::RunDocument;

use super::support::{root, squall};

const FINDING: &str = "sims/findings/late-reply-confirms-newer-reads.json";

fn said(arguments: &[&str], status: i32) -> String {
    let output = squall(arguments);
    let told = String::from_utf8(output.stdout).unwrap();
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{told}{wrong}");
    told + &wrong
}

/// The file that the line `page` names.
fn page_in(told: &str) -> &str {
    let line = told.lines().find_map(|line| line.strip_prefix("page "));
    line.unwrap_or_else(|| panic!("no page in {told}")).trim()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

#[test]
fn a_page_is_written_where_it_is_asked_for_or_beside_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.html");
    let told = said(&["page", FINDING, "-o", there.to_str().unwrap()], 0);
    assert_eq!(page_in(&told), there.to_str().unwrap());
    let page = read(there.to_str().unwrap());
    assert!(page.starts_with("<!doctype html>"), "{}", &page[..80]);
    assert!(page.contains("How it came about"));

    let plan = folder.path().join("plan.json");
    std::fs::copy(root().join(FINDING), &plan).unwrap();
    let told = said(&["page", plan.to_str().unwrap()], 0);
    let beside = folder.path().join("plan.html");
    assert_eq!(page_in(&told), beside.to_str().unwrap());

    let piped = said(&["page", FINDING, "-o", "-"], 0);
    assert!(piped.starts_with("<!doctype html>") && piped.ends_with("</html>\n"));
}

#[test]
fn a_page_that_cannot_be_written_or_made_is_an_error() {
    for (arguments, words) in [
        (
            &["page", FINDING, "-o", "/no/such/folder/a.html"][..],
            "cannot write /no/such/folder/a.html",
        ),
        (&["page", "no-such-plan.json"], "no-such-plan.json"),
        (
            &["page", FINDING, "-o", "-", "--open"],
            "--open needs a file",
        ),
        (&["page"], "give the file of a plan"),
    ] {
        let told = said(arguments, 2);
        assert!(told.contains(words), "{arguments:?}: {told}");
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[test]
fn a_failure_comes_with_its_page_unless_nobody_wants_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let sweep = [
        "sweep",
        "--subject",
        "raft-rs+skip-fsync",
        "--seeds",
        "64",
        "--out",
        out,
    ];
    let told = said(&[&sweep[..], &["--shrink-for", "1s"]].concat(), 1);
    let page = read(page_in(&told));
    assert!(page.contains("ack-before-durable"), "{told}");

    let told = said(&[&sweep[..], &["--no-shrink", "--no-page"]].concat(), 1);
    assert!(!told.contains("\npage "), "{told}");

    let shrunk = folder.path().join("smaller.json");
    let told = said(
        &[
            "shrink",
            FINDING,
            "--for",
            "1s",
            "-o",
            shrunk.to_str().unwrap(),
        ],
        1,
    );
    assert_eq!(
        page_in(&told),
        shrunk.with_extension("html").to_str().unwrap()
    );

    let told = said(&["replay", "--no-page", FINDING], 1);
    assert!(!told.contains("\npage "), "{told}");
}

#[test]
fn what_a_run_says_is_never_taken_for_html() {
    let plan = Plan::read(&root().join(FINDING)).unwrap();
    let subject = squall::subject(&plan.subject).unwrap();
    let evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let (mut document, _) = RunDocument::of_run(&subject, &plan, evil, None);
    document.subject = evil.to_owned();
    let broken = document.violation.as_mut().unwrap();
    broken.message = evil.to_owned();
    document.faults[0].words = evil.to_owned();
    document.story[0].text = evil.to_owned();
    let page = squall_page::html(&document);
    assert!(
        !page.contains("alert(1)</script>"),
        "a script is in the page"
    );
    assert!(!page.contains("<img"), "an image is in the page");
    assert_eq!(page.matches("&lt;script&gt;alert(1)").count(), 8);
}

#[test]
fn the_files_of_the_page_are_in_it_once_and_ask_for_nothing_elsewhere() {
    let assets = root().join("crates/page/assets");
    let page = said(&["page", FINDING, "-o", "-"], 0);
    let played = squall_page::play_html("n");
    let mut files = 0;
    for entry in std::fs::read_dir(assets).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_template = path.extension() == Some("html".as_ref());
        let name = Path::new(path.file_name().unwrap()).display().to_string();
        let is_for_play = name.starts_with("play");
        let count = |page: &str| page.matches(text.trim()).count();
        let expected = match (is_for_play, &*name) {
            (true, _) => (0, 1),
            (false, "main.js") => (1, 0),
            (false, "charts.css") => (0, 0),
            _ => (1, 1),
        };
        assert!(
            is_template || (count(&page), count(&played)) == expected,
            "{name}"
        );
        for word in [
            "http:",
            "https:",
            "import(",
            "fetch(",
            "@import",
            "XMLHttpRequest",
        ] {
            let mut foreign = text.replace("http://www.w3.org/2000/svg", "");
            if name == "play-client.js" {
                // Its own server, under an address without a host.
                foreign = foreign.replace("fetch(`/${path}`", "");
            }
            assert!(!foreign.contains(word), "{name} has {word}");
        }
        files += 1;
    }
    assert_eq!(files, 27);
}
