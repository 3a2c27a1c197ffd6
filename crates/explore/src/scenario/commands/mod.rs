//! The commands of stories, one small file each (or each pair).

mod ask;
mod campaign;
mod change;
mod client;
mod clock;
mod cluster;
mod crash;
mod cut;
mod disk;
mod fault;
mod message;
mod pause;
mod run;
mod transfer;

use super::draft::Draft;
use super::words::{Words, Wrong};

/// One command.
pub struct Command {
    /// The word it begins with.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    pub(super) act: fn(&mut Draft<'_>, &mut Words<'_>) -> Result<(), Wrong>,
}

/// All commands. Those that act do so at the story's present time, which only `run` and `at` move
/// on.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "cluster",
        usage: "cluster [voters=N] [learners=N] [spares=N] [seed=N]",
        about: "sets the cluster up; without it, there are three voters. Spare nodes may join later",
        act: cluster::cluster,
    },
    Command {
        name: "set",
        usage: "set FIELD VALUE, a field of a plan file and its JSON, e.g. set raft.pre_vote true",
        about: "sets a field of the plan",
        act: cluster::set,
    },
    Command {
        name: "subjects",
        usage: "subjects SUBJECT ...",
        about: "names who goes through the story; without it, every honest subject that has what it needs",
        act: cluster::subjects,
    },
    Command {
        name: "campaign",
        usage: "campaign NODE",
        about: "an operator asks the node to stand for election",
        act: campaign::campaign,
    },
    Command {
        name: "client",
        usage: "client NUMBER NODE put|append KEY VALUE | get|read|delete KEY | cas KEY OLD NEW | acquire|try-acquire|renew LOCK TIME | release|write LOCK",
        about: "a client asks the node for something; read goes around the log, write is guarded by the lock's token",
        act: client::client,
    },
    Command {
        name: "again",
        usage: "again NUMBER NODE",
        about: "a client asks once more for what it asked for last, as after a time-out",
        act: client::again,
    },
    Command {
        name: "crash",
        usage: "crash NODE [lose-all|keep-prefix|keep-subset|tear] [for=TIME]",
        about: "the node loses power, and its disk all that is not synced (or less); it starts after that time, or with start",
        act: crash::crash,
    },
    Command {
        name: "start",
        usage: "start NODE",
        about: "a crashed node starts on what its disk kept",
        act: crash::start,
    },
    Command {
        name: "pause",
        usage: "pause NODE [for=TIME]",
        about: "the node stands still",
        act: pause::pause,
    },
    Command {
        name: "resume",
        usage: "resume NODE",
        about: "it goes on",
        act: pause::resume,
    },
    Command {
        name: "cut",
        usage: "cut NODES -> NODES [for=TIME] | cut NODES <-> NODES [for=TIME] | cut NODES [for=TIME]",
        about: "nothing gets through, one way, both ways, or between these nodes and all others; e.g. cut n1,n2 -> n3",
        act: cut::cut,
    },
    Command {
        name: "mend",
        usage: "mend",
        about: "all cuts are over",
        act: cut::mend,
    },
    Command {
        name: "hold",
        usage: "hold NODES -> NODES for=TIME",
        about: "messages are held back, and arrive all at once",
        act: cut::hold,
    },
    Command {
        name: "lose",
        usage: "lose KIND NODE -> NODE, e.g. lose vote-reply n1 -> n2",
        about: "the next message of that kind on that link is lost",
        act: message::lose,
    },
    Command {
        name: "delay",
        usage: "delay KIND NODE -> NODE by=TIME",
        about: "the next message of that kind on that link is late, and others overtake it",
        act: message::delay,
    },
    Command {
        name: "duplicate",
        usage: "duplicate KIND NODE -> NODE after=TIME",
        about: "the next message of that kind on that link arrives a second time",
        act: message::duplicate,
    },
    Command {
        name: "slow-disk",
        usage: "slow-disk NODE TIME [for=TIME]",
        about: "each sync of the node takes so long, from its next on",
        act: disk::slow,
    },
    Command {
        name: "fast-disk",
        usage: "fast-disk NODE",
        about: "its syncs are as fast as ever again",
        act: disk::fast,
    },
    Command {
        name: "fail-sync",
        usage: "fail-sync NODE",
        about: "the node's next sync fails",
        act: disk::fail,
    },
    Command {
        name: "fill-disk",
        usage: "fill-disk NODE [for=TIME]",
        about: "the node's disk has no room",
        act: disk::fill,
    },
    Command {
        name: "free-disk",
        usage: "free-disk NODE",
        about: "it has room again",
        act: disk::free,
    },
    Command {
        name: "rot",
        usage: "rot NODE hard-state|log|snapshot",
        about: "a durable record in that journal of the node is damaged",
        act: disk::rot,
    },
    Command {
        name: "jump",
        usage: "jump NODE +TIME|-TIME",
        about: "the node's clock jumps",
        act: clock::jump,
    },
    Command {
        name: "drift",
        usage: "drift NODE PPM for=TIME",
        about: "the node's clock gains so many microseconds a second, or loses them",
        act: clock::drift,
    },
    Command {
        name: "change",
        usage: "change [joint|explicit] NODE=voter|learner|out ...",
        about: "an operator asks the leader for a change of the configuration; spare nodes that are to join start",
        act: change::change,
    },
    Command {
        name: "leave-joint",
        usage: "leave-joint",
        about: "an operator asks the leader to leave a joint configuration that was entered with explicit",
        act: change::leave,
    },
    Command {
        name: "transfer",
        usage: "transfer NODE -> NODE",
        about: "an operator asks the first to hand its leadership to the second",
        act: transfer::transfer,
    },
    Command {
        name: "ask",
        usage: "ask NODE JSON, an operator's request as in a plan file, e.g. ask n2 \"request-snapshot\"",
        about: "an operator asks the node for something else",
        act: ask::ask,
    },
    Command {
        name: "fault",
        usage: "fault JSON, as in a plan file's list of faults",
        about: "adds a fault as it is",
        act: fault::fault,
    },
    Command {
        name: "operation",
        usage: "operation JSON, as in a plan file's script",
        about: "adds a client's operation as it is",
        act: fault::operation,
    },
    Command {
        name: "run",
        usage: "run TIME, e.g. run 20ms",
        about: "time goes on",
        act: run::run,
    },
    Command {
        name: "at",
        usage: "at TIME",
        about: "time goes on until so long after the start",
        act: run::at,
    },
    Command {
        name: "show",
        usage: "show",
        about: "says how every node stands",
        act: run::show,
    },
    Command {
        name: "heal",
        usage: "heal",
        about: "ends the story: everything heals, and the cluster must converge",
        act: run::heal,
    },
];
