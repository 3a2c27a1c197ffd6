//! The commands of stories: those that faults have, which lie with the faults
//! (`squall_core::faults`), and the others, one small file each (or each pair).

mod client;
mod cluster;
mod fault;
mod run;

use super::draft::Draft;
use squall_core::faults;
use squall_core::faults::story::{Stage, Words, Wrong};

/// One command.
#[derive(Clone, Copy)]
pub struct Command {
    /// The word it begins with.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    act: Act,
}

#[derive(Clone, Copy)]
enum Act {
    OnDraft(fn(&mut Draft<'_>, &mut Words<'_>) -> Result<(), Wrong>),
    OnStage(fn(&mut dyn Stage, &mut Words<'_>) -> Result<(), Wrong>),
}

impl Command {
    pub(super) fn act(&self, draft: &mut Draft<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
        match self.act {
            Act::OnDraft(act) => act(draft, words),
            Act::OnStage(act) => act(draft, words),
        }
    }
}

/// All commands. Those that act do so at the story's present time, which only `run` and `at` move
/// on.
pub fn commands() -> impl Iterator<Item = Command> {
    let of_faults = faults::commands().map(|command| Command {
        name: command.name,
        usage: command.usage,
        about: command.about,
        act: Act::OnStage(command.act),
    });
    let first = BEFORE_FAULTS.iter().copied();
    first.chain(of_faults).chain(AFTER_FAULTS.iter().copied())
}

const BEFORE_FAULTS: &[Command] = &[
    Command {
        name: "cluster",
        usage: "cluster [voters=N] [learners=N] [spares=N] [seed=N]",
        about: "sets the cluster up; without it, there are three voters. Spare nodes may join later",
        act: Act::OnDraft(cluster::cluster),
    },
    Command {
        name: "set",
        usage: "set FIELD VALUE, a field of a plan file and its JSON, e.g. set raft.pre_vote true",
        about: "sets a field of the plan",
        act: Act::OnDraft(cluster::set),
    },
    Command {
        name: "subjects",
        usage: "subjects SUBJECT ...",
        about: "names who goes through the story; without it, every honest subject that has what it needs",
        act: Act::OnDraft(cluster::subjects),
    },
    Command {
        name: "client",
        usage: "client NUMBER NODE put|append KEY VALUE | get|read|delete KEY | cas KEY OLD NEW | acquire|try-acquire|renew LOCK TIME | release|write LOCK",
        about: "a client asks the node for something; read goes around the log, write is guarded by the lock's token",
        act: Act::OnDraft(client::client),
    },
    Command {
        name: "again",
        usage: "again NUMBER NODE",
        about: "a client asks once more for what it asked for last, as after a time-out",
        act: Act::OnDraft(client::again),
    },
];

const AFTER_FAULTS: &[Command] = &[
    Command {
        name: "fault",
        usage: "fault JSON, as in a plan file's list of faults",
        about: "adds a fault as it is",
        act: Act::OnDraft(fault::fault),
    },
    Command {
        name: "operation",
        usage: "operation JSON, as in a plan file's script",
        about: "adds a client's operation as it is",
        act: Act::OnDraft(fault::operation),
    },
    Command {
        name: "run",
        usage: "run TIME, e.g. run 20ms",
        about: "time goes on",
        act: Act::OnDraft(run::run),
    },
    Command {
        name: "at",
        usage: "at TIME",
        about: "time goes on until so long after the start",
        act: Act::OnDraft(run::at),
    },
    Command {
        name: "show",
        usage: "show",
        about: "says how every node stands",
        act: Act::OnDraft(run::show),
    },
    Command {
        name: "heal",
        usage: "heal",
        about: "ends the story: everything heals, and the cluster must converge",
        act: Act::OnDraft(run::heal),
    },
];
