//! A cluster that is played with: what acts come to, and what is saved. `play_server.rs` is about
//! the server, and `tests/page/play.test.mjs` plays in a browser.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use squall_core::engine::Observer;
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::scenario::{Story, stories_in};
use squall_play::{PlayError, Session};

use super::support::{root, squall, stderr, stdout};

fn subjects() -> Arc<Registry> {
    let all: Vec<RegisteredSubject> = squall::subjects().into_iter().collect();
    Arc::new(Registry::new(all))
}

pub fn on(name: &str) -> Session {
    let subjects = subjects();
    let subject = subjects.find(name).unwrap().clone();
    Session::new(subjects, subject).unwrap()
}

fn story(name: &str) -> Story {
    Story::read(&root().join("sims/stories").join(name)).unwrap()
}

fn say(session: &mut Session, lines: &[&str]) {
    for line in lines {
        session
            .say(line)
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

fn state(session: &Session) -> Value {
    serde_json::to_value(session.state()).unwrap()
}

/// The commands of a story, block by block.
fn commands(story: &Story) -> Vec<Vec<String>> {
    let blocks = story.blocks.iter();
    let of = |block: &squall_explore::scenario::Block| {
        block
            .commands
            .iter()
            .map(|(_, text)| text.clone())
            .collect()
    };
    blocks.map(of).collect()
}

fn lines(session: &Session, list: &str) -> Vec<String> {
    let acts = state(session)[list].as_array().unwrap().clone();
    let lines = acts
        .iter()
        .flat_map(|act| act["lines"].as_array().unwrap().clone());
    lines
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

/// The messages on their way, as commands name them.
fn on_their_way(session: &Session) -> Vec<String> {
    let state = state(session);
    let messages = state["to_come"]["messages"].as_array().unwrap().iter();
    messages
        .map(|message| message["name"].as_str().unwrap().to_owned())
        .collect()
}

/// `squall story` on a story that was saved.
pub fn told(text: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved.sim");
    std::fs::write(&file, text).unwrap();
    let output = squall(&["story", file.to_str().unwrap()]);
    let said = stdout(&output) + &stderr(&output);
    (output.status.code().unwrap(), said)
}

#[test]
fn figure_8_is_played_command_by_command_and_saved_as_it_is_kept() {
    let kept = story("figure-8.sim");
    let mut session = on("raft-rs");
    for (place, block) in kept.blocks.iter().enumerate() {
        for (_, command) in block.commands.iter().filter(|(_, text)| text != "heal") {
            say(&mut session, &[command]);
        }
        let remark = kept.blocks.get(place + 1).and_then(|next| {
            let text = next.text.iter().find(|line| line.starts_with('#'))?;
            Some(text.clone())
        });
        if let Some(remark) = remark {
            say(&mut session, &[&remark]);
        }
    }
    assert!(!state(&session)["is_broken"].as_bool().unwrap());
    let saved = session.story().unwrap();
    let played = commands(&Story::parse(Path::new("played.sim"), &saved));
    assert_eq!(played, commands(&kept));
    let (status, said) = told(&saved);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("raft-rs, noraft, raftbare"), "{said}");
}

/// The stories that are kept, and the subject that each is played on.
fn kept() -> Vec<(Story, RegisteredSubject)> {
    let stories = stories_in(&root().join("sims/stories")).unwrap();
    let all = subjects();
    let with_subject = |story: Story| {
        let goes = |subject: &&RegisteredSubject| {
            story.is_for(subject) && story.tell(subject).unwrap().is_ok()
        };
        let subject = all.iter().find(goes).unwrap().clone();
        (story, subject)
    };
    stories.into_iter().map(with_subject).collect()
}

#[test]
fn a_story_is_saved_as_it_was_read() {
    for (story, subject) in kept() {
        let text = std::fs::read_to_string(&story.path).unwrap();
        let session = Session::of_story(subjects(), subject, &story).unwrap();
        let path = story.path.display();
        assert_eq!(session.story().unwrap(), text, "{path}");
        assert_eq!(lines(&session, "undone").last().unwrap(), "heal", "{path}");
    }
}

/// What is shown at the present is how every longer story begins.
#[test]
fn every_act_goes_on_from_what_was_shown() {
    let mut count = 0;
    for (story, subject) in kept() {
        let path = story.path.display();
        let mut session = Session::of_story(subjects(), subject, &story).unwrap();
        session.reset().unwrap();
        loop {
            let before = session.document().clone();
            let had_begun = state(&session)["has_begun"] == true;
            if session.redo().is_err() {
                break;
            }
            count += 1;
            let goes_on = session.document().goes_on_from(&before);
            let last = lines(&session, "played").pop().unwrap();
            // Of those that are kept, some have a request before a fault, in one microsecond.
            let same_time = before.end.time_us == session.document().end.time_us;
            assert!(goes_on || !had_begun || same_time, "{path}: {last}");
        }
    }
    assert!(count > 300, "{count} acts");
}

#[test]
fn an_act_that_would_come_before_what_has_happened_comes_a_microsecond_later() {
    let mut session = on("raft-rs");
    say(
        &mut session,
        &["campaign n1", "run 10ms", "client 0 n1 put k1 1"],
    );
    let before = session.document().clone();
    say(&mut session, &["crash n1"]);
    assert_eq!(lines(&session, "played")[4..], ["run 1us", "crash n1"]);
    assert!(session.document().goes_on_from(&before));
    say(&mut session, &["client 1 n2 get k1", "heal"]);
    assert_eq!(lines(&session, "played")[7..], ["run 1us", "heal"]);
    session.undo().unwrap();
    session.undo().unwrap();
    let refused = session.say(
        r#"fault {"when": {"at-us": 1000}, "what": {"crash": {"node": 2, "loss": "lose-all", "down_us": 5000}}}"#,
    );
    assert!(
        matches!(refused, Err(PlayError::ChangesPast)),
        "{refused:?}"
    );
    assert_eq!(lines(&session, "played").len(), 6);
}

#[test]
fn what_is_undone_was_never_there_and_can_be_redone() {
    let mut session = on("raft-rs");
    say(&mut session, &["campaign n1", "run 10ms"]);
    let before = state(&session);
    say(&mut session, &["crash n2"]);
    let after = state(&session);
    session.undo().unwrap();
    let undone = state(&session);
    for field in ["document", "played", "now_us", "to_come"] {
        assert_eq!(undone[field], before[field], "{field}");
    }
    session.redo().unwrap();
    assert_eq!(state(&session), after);
    session.undo().unwrap();
    say(&mut session, &["crash n3"]);
    assert!(matches!(session.redo(), Err(PlayError::Nothing(_))));
    session.reset().unwrap();
    assert_eq!(lines(&session, "played"), ["cluster voters=3"]);
    assert_eq!(
        lines(&session, "undone"),
        ["campaign n1", "run 10ms", "crash n3"]
    );
    session.undo().unwrap();
    assert!(matches!(session.undo(), Err(PlayError::Nothing(_))));
}

/// After one vote request was intercepted: who has voted, and how the messages were told.
fn votes_after(act: &str, time: &str) -> (Vec<u64>, Value) {
    let mut session = on("raft-rs");
    say(&mut session, &["campaign n1", "run 500us"]);
    assert_eq!(
        on_their_way(&session),
        ["vote-request n1 -> n2", "vote-request n1 -> n3"]
    );
    let before = session.document().clone();
    say(&mut session, &[act]);
    assert!(session.document().goes_on_from(&before), "{act}");
    say(&mut session, &[time]);
    let state = state(&session);
    let moments = state["document"]["moments"].as_array().unwrap();
    let mut terms = vec![0; 3];
    for moment in moments {
        for change in moment["changes"].as_array().into_iter().flatten() {
            if let Some(term) = change["term"].as_u64() {
                terms[change["node"].as_u64().unwrap() as usize - 1] = term;
            }
        }
    }
    (terms, state)
}

#[test]
fn a_message_on_its_way_is_delivered_dropped_postponed_or_doubled() {
    let (terms, _) = votes_after("run 1us", "run 1us");
    assert_eq!(terms, [1, 0, 0]);
    let (terms, state) = votes_after("deliver vote-request n1 -> n3", "run 1us");
    assert_eq!(terms, [1, 0, 1]);
    assert_eq!(state["document"]["end"]["time_us"], 501);
    let (terms, state) = votes_after("drop vote-request n1 -> n2", "run 2ms");
    assert_eq!(terms, [1, 0, 1]);
    assert_eq!(state["document"]["messages"][0]["lost"], true);
    let (_, state) = votes_after("postpone vote-request n1 -> n2 by=10ms", "run 10600us");
    let messages = state["to_come"]["messages"].as_array().unwrap().iter();
    let mut still = messages.filter(|one| one["name"] == "vote-request n1 -> n2");
    assert_eq!(still.next().unwrap()["arrives_us"], 11_100);
    let (_, state) = votes_after("postpone vote-request n1 -> n2 by=10ms", "run 10601us");
    let message = &state["document"]["messages"][0];
    let taken = message["taken"].as_u64().unwrap() as usize;
    assert_eq!(state["document"]["moments"][taken]["time_us"], 11_100);
    let (_, state) = votes_after("double vote-request n1 -> n2 after=1ms", "run 3ms");
    let messages = state["document"]["messages"].as_array().unwrap();
    let copies = messages.iter().filter(|message| message["copy"] == true);
    let taken: Vec<bool> = copies.map(|copy| copy["taken"].is_u64()).collect();
    assert_eq!(taken, [true]);
}

#[test]
fn the_next_event_is_one_of_the_cluster() {
    let mut session = on("raft-rs");
    say(&mut session, &["campaign n1"]);
    let next = state(&session)["to_come"]["next_us"].clone();
    assert_eq!(next, 100, "n1's sync, and not the end of the storm");
    say(&mut session, &["run 101us"]);
    assert_eq!(on_their_way(&session).len(), 2);
}

#[test]
fn a_violation_ends_play_and_undo_takes_it_back() {
    let mut session = on("raft-rs+skip-fsync");
    say(&mut session, &["campaign n1"]);
    if state(&session)["is_broken"] == false {
        say(&mut session, &["run 20ms"]);
    }
    assert_eq!(state(&session)["is_broken"], true);
    assert!(matches!(session.say("run 1ms"), Err(PlayError::Broken)));
    let saved = session.story().unwrap();
    assert!(
        saved.starts_with("subjects raft-rs+skip-fsync\n"),
        "{saved}"
    );
    assert!(saved.contains("\nVIOLATION "), "{saved}");
    let (status, said) = told(&saved);
    assert_eq!(status, 0, "{said}");
    let plan = session.plan().unwrap();
    let plan = Plan::parse(&plan, Path::new("played.json")).unwrap();
    let subjects = subjects();
    let runner = &subjects.find(&plan.subject).unwrap().runner;
    let outcome = runner.run(&plan, Observer::default());
    assert!(outcome.failure.is_some());
    session.play_on("noraft").unwrap();
    assert_eq!(state(&session)["subject"], "noraft");
    assert_eq!(state(&session)["is_broken"], false, "noraft is honest");
    session.play_on("raft-rs+skip-fsync").unwrap();
    session.undo().unwrap();
    assert_eq!(state(&session)["is_broken"], false);
    say(&mut session, &["pause n2"]);
}

#[test]
fn what_is_said_wrong_is_told_with_what_is_legal_and_changes_nothing() {
    let mut session = on("raft-rs");
    say(&mut session, &["campaign n1"]);
    let before = state(&session);
    for (line, words) in [
        ("crsh n1", "did you mean \"crash\""),
        ("crash", "legal: crash NODE"),
        ("crash n9", "it must be a node of the cluster, 1 to 3"),
        (
            "cluster voters=5",
            "must come before everything that happens",
        ),
        ("start n1", "has not crashed"),
        ("drop vote n1 -> n2", "vote-request"),
        ("deliver append n1 -> n2 nth=0", "at least 1"),
        ("run 500h", ""),
        ("", "empty"),
        ("run 1ms\ncrash n1", "more than one line"),
        ("---- raft-rs", "saved"),
    ] {
        let error = session.say(line).unwrap_err().to_string();
        assert!(error.contains(words), "{line}: {error}");
        assert_eq!(state(&session), before, "{line}");
    }
    let long = format!("# {}", "x".repeat(20_000));
    assert!(matches!(session.say(&long), Err(PlayError::NoLine(_))));
    let some = ["run 1ms".to_owned(), "crsh n1".to_owned()];
    assert!(session.say_all(&some).is_err());
    assert_eq!(state(&session), before, "all or none");
    session.play_on("raft").unwrap_err();
    assert_eq!(state(&session), before);
}

#[test]
fn what_takes_too_long_is_refused() {
    let mut session = on("raft-rs");
    say(&mut session, &["set raft.heartbeat_ticks 1", "campaign n1"]);
    let error = session.say("run 300s").unwrap_err();
    assert!(matches!(error, PlayError::TooLong), "{error}");
}

#[test]
fn a_plan_is_played_on_from_the_end_of_its_storm() {
    let path = root().join("sims/findings/requested-snapshot-drops-entries.json");
    let plan = Plan::read(&path).unwrap();
    let subjects = subjects();
    let subject = subjects.find("raft-rs").unwrap().clone();
    let mut session = Session::of_plan(subjects, subject, &path, &plan).unwrap();
    assert_eq!(state(&session)["is_broken"], true);
    assert_eq!(
        state(&session)["document"]["violation"]["property"],
        "monotonic"
    );
    let saved = session.story().unwrap();
    assert!(saved.contains("\nVIOLATION monotonic"), "{saved}");
    let (status, said) = told(&saved);
    assert_eq!(status, 0, "{said}");
    while state(&session)["is_broken"] == true {
        session.undo().unwrap();
    }
    assert!(lines(&session, "played").len() > 2);
    let (status, said) = told(&session.story().unwrap());
    assert_eq!(status, 0, "{said}");
}

/// A panic of the library is a violation, as ever.
#[test]
fn a_library_that_panics_breaks_a_rule() {
    let subjects = subjects();
    let subject = subjects.find("raft-rs+skip-entry").unwrap().clone();
    let mut session = Session::new(Arc::clone(&subjects), subject).unwrap();
    say(
        &mut session,
        &[
            "campaign n1",
            "run 10ms",
            "cut n3",
            "client 0 n1 put k1 1",
            "run 5ms",
            "client 1 n1 put k1 2",
            "run 5ms",
            "mend",
            "run 500ms",
        ],
    );
    let violation = &state(&session)["document"]["violation"];
    assert_eq!(violation["property"], "no-panic");
}
