//! The subject `noraft`: sile's `noraft` 0.7.1, unmodified, behind an honest driver.
//! Only this crate names the library.

mod apply;
mod driver;
mod entries;
mod known_issues;
mod message_mutation;
mod messages;
mod operator_requests;
mod reads;
mod reproduction;
mod writes;

use noraft::{Node, Term};

use squall_core::options::Feature;
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::registry::{RegisteredSubject, with_bugs};
use squall_core::replica::{BootContext, BootError, Next, Output, Recovered, Subject};

pub use driver::NoraftNode;
pub use messages::Message;

/// sile's `noraft` 0.7.1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noraft;

/// The subject `noraft`, then it with each injected bug.
pub fn subjects() -> Vec<RegisteredSubject> {
    let about = "sile's noraft 0.7.1, unmodified, behind an honest driver";
    let mut subjects = with_bugs("noraft", about, Noraft);
    let honest = subjects
        .remove(0)
        .with_reproducer(&reproduction::Reproductions);
    subjects.insert(0, honest);
    subjects
}

impl Subject for Noraft {
    type Replica = NoraftNode;

    /// noraft is the core of Raft, and leaves the rest to its user. Changes of voters always
    /// go through a joint configuration, which its leaders leave by themselves. What it asks
    /// to be stored must be stored before anything else happens (`Action::AppendLogEntries`).
    fn supports(&self) -> &'static [Feature] {
        &[
            Feature::MessageSize,
            Feature::Snapshots,
            Feature::JointChange,
            Feature::Learners,
            Feature::Campaign,
            Feature::ReadIndex,
            Feature::LaterFirstTerm,
        ]
    }

    fn options(&self) -> &'static [DriverOption] {
        known_issues::OPTIONS
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        known_issues::ISSUES
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<NoraftNode, BootError> {
        let start = disk.recover(boot, out)?;
        let (state, configuration) = (&start.state, start.configuration);
        // A founder with nothing on its disk starts from an empty log as well, after a snapshot
        // at position zero that holds the cluster's first configuration: `Node::create_cluster`
        // is for one node that makes a cluster of others that know nothing, and here
        // each of them knows from the start, as from a configuration file.
        let node = match configuration.is_empty() && boot.incarnation == 0 {
            true => Node::start(messages::id(boot.id)),
            false => Node::restart(
                messages::id(boot.id),
                Term::new(state.hard.term),
                state.hard.vote.map(messages::id),
                entries::log(state, &configuration),
            ),
        };
        let next = start.next;
        let mut node = NoraftNode::new(boot, node, start);
        node.show_recovered_configurations(out);
        if next == Next::WaitForSync {
            node.sync_before_anything(out);
        }
        Ok(node)
    }
}
