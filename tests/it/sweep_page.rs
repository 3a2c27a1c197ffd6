//! `sweep --html` and `report`: a sweep as a page, and many of them as one.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::support::squall;

/// A sweep that finds something, with its page in `folder`; its arguments beside these are `more`.
fn swept(folder: &Path, more: &[&str]) -> std::process::Output {
    let out = folder.join("plans");
    let html = folder.join("html");
    let mut arguments = vec!["sweep", "--no-shrink", "--jobs", "1", "--keep-going"];
    arguments.extend([
        "--out",
        out.to_str().unwrap(),
        "--html",
        html.to_str().unwrap(),
    ]);
    squall(&[&arguments, more].concat())
}

fn document(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("sweep.json")).unwrap()).unwrap()
}

const FINDS: &[&str] = &[
    "--seeds",
    "200",
    "--subject",
    "raft-rs+forget-vote",
    "--profile",
    "storm",
];

#[test]
fn a_sweeps_page_has_what_the_summary_has_and_a_page_for_each_kind_of_failure() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("summary.json");
    let more = [FINDS, &["--json", json.to_str().unwrap(), "--coverage"]].concat();
    let output = swept(folder.path(), &more);
    assert_eq!(output.status.code(), Some(1));
    let html = folder.path().join("html");
    let said = String::from_utf8(output.stdout).unwrap();
    let line = format!("page       {}\n", html.join("index.html").display());
    assert!(said.contains(&line), "{said}");
    let document = document(&html);
    let summary: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(document["summary"], summary);
    assert_eq!(document["is_over"], true);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(
        findings.len(),
        summary["violations"].as_array().unwrap().len()
    );
    // Each kind of failure has one page, which lies beside and tells of it.
    let mut kinds = Vec::new();
    let page = fs::read_to_string(html.join("index.html")).unwrap();
    for found in findings {
        let kind = (found["property"].clone(), found["kind"].clone());
        let is_new = !kinds.contains(&kind);
        assert_eq!(found["page"].is_string(), is_new, "{found}");
        if let Some(name) = found["page"].as_str() {
            let of_it = fs::read_to_string(html.join(name)).unwrap();
            assert!(of_it.contains(found["property"].as_str().unwrap()));
            assert!(page.contains(&format!("href=\"{name}\"")));
            kinds.push(kind);
        }
    }
    let points = document["points"].as_array().unwrap();
    assert!(points.len() > 1 && points.len() <= 400);
    let at = |point: &Value, name: &str| point[name].as_f64().unwrap();
    for pair in points.windows(2) {
        for name in ["seconds", "runs", "steps", "findings", "states"] {
            assert!(at(&pair[0], name) <= at(&pair[1], name), "{name}: {pair:?}");
        }
    }
    assert!(page.contains("Abstract states of the cluster") && page.contains("<polyline"));
}

#[test]
fn a_clean_sweeps_page_says_so_and_shows_the_shares_of_the_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let output = swept(folder.path(), &["--seeds", "120", "-q"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty(), "-q");
    let page = fs::read_to_string(folder.path().join("html/index.html")).unwrap();
    for words in [
        "No rule was broken",
        "their share of the work",
        "a node became leader",
    ] {
        assert!(page.contains(words), "{words}");
    }
    // It asks for nothing, and runs nothing.
    assert!(!page.contains("<script") && !page.contains("://"));
}

#[test]
fn many_sweeps_are_one_page_with_what_is_new_and_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let night = |name: &str| folder.path().join("nights").join(name).join("html");
    for (name, more) in [("1 <b>", FINDS), ("2", FINDS)] {
        let output = swept(&folder.path().join("nights").join(name), more);
        assert_eq!(output.status.code(), Some(1));
    }
    // The second night comes later, and finds nothing any more.
    let mut later = document(&night("2"));
    later["begun"] = "2999-01-01 00:00".into();
    later["findings"] = Value::Array(Vec::new());
    fs::write(night("2").join("sweep.json"), later.to_string()).unwrap();
    let nights = folder.path().join("nights");
    let output = squall(&["report", nights.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("(2 sweeps)"), "{said}");
    let page = fs::read_to_string(nights.join("index.html")).unwrap();
    let page = page.replace("&#x2f;", "/");
    let (newest, oldest) = page
        .split_once("2999-01-01 00:00")
        .map(|(_, rest)| rest.split_once("</tr>").unwrap())
        .unwrap();
    assert!(
        newest.contains("<b>gone</b> ack-before-durable"),
        "{newest}"
    );
    assert!(oldest.contains("<b>new</b> ack-before-durable"), "{oldest}");
    assert!(
        page.contains("href=\"1%20%3Cb%3E/html/index.html\""),
        "{page}"
    );

    // A file that is none is named and left out, and the rest is reported all the same.
    fs::write(night("2").join("sweep.json"), "{").unwrap();
    let output = squall(&["report", nights.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert!(
        wrong.contains("left out") && wrong.contains("sweep.json"),
        "{wrong}"
    );
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("(1 sweep)")
    );
}

#[test]
fn what_cannot_be_written_or_read_is_said_before_any_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = squall(&["sweep", "--seeds", "1", "--html", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert!(wrong.contains("file"), "{wrong}");
    let output = squall(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert!(wrong.contains("sweep --html"), "{wrong}");
    for nowhere in ["/nowhere", file.to_str().unwrap()] {
        let output = squall(&["report", nowhere]);
        assert_eq!(output.status.code(), Some(2));
        let wrong = String::from_utf8(output.stderr).unwrap();
        assert!(wrong.contains("cannot read the folder"), "{wrong}");
    }
}

#[test]
fn a_page_takes_the_place_of_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = ["--seeds", "20", "--subject", "noraft"];
    assert_eq!(swept(folder.path(), &seeds).status.code(), Some(0));
    let html = folder.path().join("html");
    let before = fs::read_to_string(html.join("sweep.json")).unwrap();
    let again = swept(folder.path(), &seeds);
    assert_eq!(again.status.code(), Some(2));
    let wrong = String::from_utf8(again.stderr).unwrap();
    assert!(wrong.contains("has the page of a sweep already"), "{wrong}");
    assert_eq!(fs::read_to_string(html.join("sweep.json")).unwrap(), before);

    let both = folder.path().join("both");
    let both = both.to_str().unwrap();
    let output = squall(&["sweep", "--seeds", "1", "--out", both, "--html", both]);
    assert_eq!(output.status.code(), Some(2));
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert!(wrong.contains("are one folder"), "{wrong}");

    let site = folder.path().join("index.html");
    fs::write(&site, "<title>mine</title>").unwrap();
    let output = squall(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert!(wrong.contains("Squall did not write it"), "{wrong}");
    assert_eq!(fs::read_to_string(&site).unwrap(), "<title>mine</title>");
    // Elsewhere it leads back to the sweeps.
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let page = other.join("r.html");
    let arguments = [
        "report",
        html.to_str().unwrap(),
        "-o",
        page.to_str().unwrap(),
    ];
    assert_eq!(squall(&arguments).status.code(), Some(0));
    let page = fs::read_to_string(page).unwrap().replace("&#x2f;", "/");
    assert!(page.contains("href=\"../html/index.html\""), "{page}");
}

#[test]
#[allow(clippy::disallowed_methods)] // It does something while another process runs.
fn a_page_that_goes_away_ends_no_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let html = folder.path().join("html");
    // What is to be a file is a folder before the sweep ends: it can write the page no more.
    let (out, to) = (
        folder.path().join("plans"),
        html.to_str().unwrap().to_owned(),
    );
    let out = out.to_str().unwrap().to_owned();
    let sweep = std::thread::spawn(move || {
        squall(&["sweep", "--for", "3s", "-j1", "--out", &out, "--html", &to])
    });
    let page = html.join("index.html");
    for _ in 0..200 {
        if page.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fs::remove_file(&page).unwrap();
    fs::create_dir_all(page.join("in-the-way")).unwrap();
    let output = sweep.join().unwrap();
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert_eq!(wrong.matches("is not up to date").count(), 1, "{wrong}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("clean: no violation"), "{said}");
}
