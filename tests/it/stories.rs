//! The scenarios in `sims/stories`: each subject that has what it needs goes through every one,
//! and does what the file says. `UPDATE_SIMS=1 cargo test` rewrites them.

use std::path::Path;

use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;
use squall_explore::scenario::{Story, Told, commands, of_plan, stories_in};

use super::support::{plans, root, squall, stderr, stdout};

fn told(story: &Story, subject: &RegisteredSubject) -> Option<Told> {
    match story.tell(subject) {
        Ok(told) => told.ok(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_subject_does_what_the_stories_say() {
    let update = std::env::var_os("UPDATE_SIMS").is_some();
    let subjects = squall::subjects();
    let stories = stories_in(&root().join("sims/stories")).unwrap();
    assert!(stories.len() >= 20, "{}", stories.len());
    let mut wrong = Vec::new();
    for story in &stories {
        let mut outputs = Vec::new();
        for subject in subjects.iter() {
            if story.is_for(subject)
                && let Some(told) = told(story, subject)
            {
                outputs.push((subject.name.clone(), told.outputs));
            }
        }
        let name = story.path.file_name().unwrap().to_str().unwrap();
        assert!(!outputs.is_empty(), "nobody goes through {name}");
        let text = story.rewritten(&outputs);
        if update {
            std::fs::write(&story.path, text).unwrap();
        } else if std::fs::read_to_string(&story.path).unwrap() != text {
            wrong.push(name.to_owned());
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?}: something else happens now; `squall story sims/stories` says what, and UPDATE_SIMS=1 writes it down"
    );
}

/// Whether it is clean is for the file to say, and only stories that name an injected bug may break
/// something, and those of lost disks.
#[test]
fn honest_subjects_break_nothing_in_a_story() {
    for story in stories_in(&root().join("sims/stories")).unwrap() {
        let text = std::fs::read_to_string(&story.path).unwrap();
        let injected = text
            .lines()
            .any(|line| line.starts_with("subjects ") && line.contains('+'));
        assert_eq!(
            text.contains("\nVIOLATION "),
            injected || text.contains("\nlose-disk "),
            "{}",
            story.path.display()
        );
    }
}

#[test]
fn a_plan_made_a_story_breaks_the_same_and_its_text_is_stable() {
    for path in plans("tests/it/shrunk") {
        let plan = Plan::read(&path).unwrap();
        let subject = squall::subject(&plan.subject).unwrap();
        let broken = subject.runner.run(&plan, Default::default()).failure;
        let story = Story::parse(&path, &of_plan(&plan));
        let told = told(&story, &subject).unwrap();
        let (found, broken) = (told.violation.unwrap(), broken.unwrap().violation);
        assert_eq!(found.property(), broken.property(), "{}", path.display());
        let again = Story::parse(&path, &of_plan(&told.plan));
        assert_eq!(again.blocks.len(), story.blocks.len(), "{}", path.display());
    }
}

#[test]
fn a_story_from_the_command_line_goes_to_a_file_and_to_a_plan_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let from = squall(&["story", "--from", "tests/it/shrunk/grant-any-vote.json"]);
    assert_eq!(from.status.code(), Some(0), "{}", stderr(&from));
    assert!(stdout(&from).contains("VIOLATION leader-completeness"));
    let (file, plan) = (path("mine.sim"), path("mine.json"));
    std::fs::write(&file, stdout(&from)).unwrap();
    let run = squall(&["story", &file, "--plan", &plan]);
    assert_eq!(run.status.code(), Some(0), "{}", stdout(&run));
    assert!(stdout(&run).contains("as expected (raft-rs+grant-any-vote)"));
    let replay = squall(&["replay", &plan]);
    assert!(stdout(&replay).contains("VIOLATION leader-completeness"));
    // Something else is expected: it is told, and written when asked to.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("becomes leader", "leads")).unwrap();
    let run = squall(&["story", &file]);
    assert_eq!(run.status.code(), Some(1));
    assert!(stdout(&run).contains("did not do what is expected"));
    assert_eq!(squall(&["story", &file, "--update"]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn what_is_wrong_in_a_story_is_told_with_its_line_and_what_would_be_legal() {
    let subject = squall::subject("raft-rs").unwrap();
    for (text, words) in [
        (
            "crsh n1\nheal\n",
            "x.sim:1: unknown command \"crsh\" (did you mean \"crash\"?); legal: cluster, ",
        ),
        (
            "run 1ms\n\ncrash\nheal\n",
            "x.sim:3: a node is missing; legal: crash NODE [lose-all|",
        ),
        (
            "crash 1\nheal\n",
            "x.sim:1: \"1\" is no node, as n1 is; legal: ",
        ),
        (
            "crash n1 badly\nheal\n",
            "\"badly\" is no way to lose writes; legal: crash NODE [lose-all|",
        ),
        (
            "run fast\nheal\n",
            "\"fast\" is no length of time, as 20ms is",
        ),
        (
            "run 1ms 2ms\nheal\n",
            "\"2ms\" is too much; legal: run TIME",
        ),
        ("start n1\nheal\n", "n1 has not crashed; legal: start NODE"),
        ("mend\nheal\n", "nothing is cut"),
        ("at 2s\nat 1s\nheal\n", "x.sim:2: it is 2s already"),
        (
            "lose vote-request n1 to n2\nheal\n",
            "\"to\" stands where -> should",
        ),
        (
            "lose votes n1 -> n2\nheal\n",
            "\"votes\" is no kind of message, which are append, ",
        ),
        (
            "client 99 n1 get k1\nheal\n",
            "there is no client 99, but 0 to 7",
        ),
        ("client 0 n1 get l1\nheal\n", "\"l1\" is no key, as k1 is"),
        (
            "set raft.prevote true\nheal\n",
            "a plan has no field raft.prevote; legal: set FIELD",
        ),
        ("set raft.pre_vote 7\nheal\n", "raft.pre_vote cannot be 7: "),
        (
            "run 1ms\ncluster\nheal\n",
            "x.sim:2: cluster must come before everything",
        ),
        (
            "run 1ms\n",
            "x.sim:1: the story does not end; its last command must be: heal",
        ),
        ("heal\nrun 1ms\n", "x.sim:2: nothing may follow heal"),
        (
            "crash n9\nrun 1ms\nheal\n",
            "x.sim: faults[0].node is node 9; it must be ",
        ),
    ] {
        let story = Story::parse(Path::new("x.sim"), text);
        let error = story.tell(&subject).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let missing = squall(&["story", "no/such.sim"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("cannot read story no/such.sim"));
}

#[test]
fn the_commands_are_listed() {
    let text = stdout(&squall(&["story", "--commands"]));
    for command in commands() {
        assert!(text.contains(command.usage), "{}", command.name);
        assert!(command.usage.starts_with(command.name), "{}", command.name);
    }
}
