//! `squall story`: scenarios written by hand.

use std::path::PathBuf;

use clap::Args;

use squall_core::engine::Engine;
use squall_core::plan::Plan;
use squall_core::registry::{RegisteredSubject, Registry};
use squall_explore::scenario::{Story, commands, of_plan, stories_in};

use super::artifact::subject_for;
use super::{CliError, say, write_beside, write_file};

#[derive(Debug, Args)]
pub struct Options {
    /// A story's file, or a folder of stories.
    #[arg(
        value_name = "FILE.sim|FOLDER",
        required_unless_present_any = ["from", "commands"]
    )]
    story: Option<PathBuf>,
    /// Which subject goes through it [default: every honest one that has what it needs].
    #[arg(long)]
    subject: Option<String>,
    /// Which engine runs plans: lockstep, or madsim in a build that has it.
    #[arg(long, value_name = "ENGINE", default_value = "lockstep")]
    engine: String,
    /// Write what happens into the file, in place of what was expected.
    #[arg(long)]
    update: bool,
    /// Write the plan that the story amounts to into this file, to replay and shrink it: the plan
    /// of the first subject that goes through the story.
    #[arg(long, value_name = "PLAN.json")]
    plan: Option<PathBuf>,
    /// Print a plan as a story, to begin with: `--from PLAN.json > NAME.sim`.
    #[arg(long, value_name = "PLAN.json", conflicts_with_all = ["story", "update", "plan", "subject"])]
    from: Option<PathBuf>,
    /// List the commands of stories.
    #[arg(long, conflicts_with_all = ["story", "from"])]
    commands: bool,
}

pub fn run(subjects: &Registry, options: &Options) -> Result<u8, CliError> {
    if options.commands {
        return list();
    }
    if let Some(path) = &options.from {
        return from(subjects, path);
    }
    let engine = subjects.engine(&options.engine)?;
    let named = options.subject.as_deref().map(|name| subjects.find(name));
    let named = named.transpose()?;
    let mut status = 0;
    let path = options.story.as_deref().unwrap_or(".".as_ref());
    let stories = stories_in(path)?;
    if stories.is_empty() {
        return Err(CliError::Usage(format!(
            "there is no story in {}; a story's file ends in .sim",
            path.display()
        )));
    }
    for story in stories {
        status = status.max(tell(subjects, named, engine, &story, options)?);
    }
    Ok(status)
}

fn list() -> Result<u8, CliError> {
    for command in commands() {
        say(&format!("{}\n    {}\n", command.usage, command.about))?;
    }
    Ok(0)
}

fn from(subjects: &Registry, path: &std::path::Path) -> Result<u8, CliError> {
    let mut plan = Plan::read(path)?;
    let subject = subject_for(subjects, None, &mut plan)?;
    let story = Story::parse(path, &of_plan(&plan));
    match story.tell(subject)? {
        Ok(told) => {
            let outputs = [(subject.name.clone(), told.outputs)];
            say(&story.rewritten(&outputs))?;
            Ok(0)
        }
        Err(skipped) => Err(CliError::Usage(format!(
            "{} {skipped}, and does not go through it",
            subject.name
        ))),
    }
}

/// Goes through one story; says how that went.
fn tell(
    subjects: &Registry,
    named: Option<&RegisteredSubject>,
    engine: Engine,
    story: &Story,
    options: &Options,
) -> Result<u8, CliError> {
    let path = story.path.display();
    let mut outputs = Vec::new();
    let mut status = 0;
    // Why the first of them does not.
    let mut why = None;
    let all: Vec<&RegisteredSubject> = match named {
        Some(named) => vec![named],
        None => subjects.iter().collect(),
    };
    for subject in all {
        if named.is_none() && !story.is_for(subject) {
            continue;
        }
        let told = match story.tell(&subject.on(engine))? {
            Ok(told) => told,
            Err(skipped) => {
                why.get_or_insert(format!(": {} {skipped}", subject.name));
                continue;
            }
        };
        if let Some(path) = &options.plan
            && outputs.is_empty()
        {
            write_file(path, &told.plan.to_json())?;
        }
        if !options.update {
            let text = differences(story, subject, &told.outputs);
            if !text.is_empty() {
                status = 1;
                say(&text)?;
            }
        }
        outputs.push((subject.name.clone(), told.outputs));
    }
    if outputs.is_empty() {
        let why = why.unwrap_or_else(|| ": the story names other subjects".to_owned());
        let who = match named {
            Some(subject) => format!("{} does not go", subject.name),
            None => "no subject goes".to_owned(),
        };
        return Err(CliError::Usage(format!("{who} through {path}{why}")));
    }
    if options.update {
        write_beside(&story.path, &story.rewritten(&outputs))?;
    }
    let names: Vec<&str> = outputs.iter().map(|(name, _)| name.as_str()).collect();
    let how = match (options.update, status) {
        (true, _) => "written",
        (_, 0) => "as expected",
        _ => "not as expected",
    };
    say(&format!("{path}  {how} ({})\n", names.join(", ")))?;
    Ok(status)
}

/// What happened where something else was expected, in words; empty when nothing did.
fn differences(story: &Story, subject: &RegisteredSubject, outputs: &[String]) -> String {
    let mut text = String::new();
    for (block, output) in story.blocks.iter().zip(outputs) {
        let expected = block.expected_of(&subject.name).unwrap_or_default();
        if expected == output {
            continue;
        }
        let line = block.commands.first().map_or(1, |(line, _)| *line);
        let indented = |text: &str| -> String {
            let lines = text.lines().map(|line| format!("    {line}\n"));
            lines.collect()
        };
        text.push_str(&format!(
            "{}:{line}: {} did not do what is expected\n  expected\n{}  happened\n{}",
            story.path.display(),
            subject.name,
            indented(expected),
            indented(output)
        ));
    }
    text
}
