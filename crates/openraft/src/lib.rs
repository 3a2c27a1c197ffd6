//! The subjects `openraft` and `openraft-adv`: databend's `openraft` 0.10.0-alpha.37, unmodified,
//! with `leader_id_std` and with `leader_id_adv`. Only this crate names the library.
//!
//! openraft is a set of tasks that ask for a runtime. Here each node has an executor of its own,
//! in which time goes on when the harness says so; a step hands it one input and runs it until no
//! task can go on. What openraft asks of its storage and its network is what the step is to do:
//!
//! - `save_vote`, `append`, `purge` and the snapshots of the state machine are writes. What
//!   openraft waits for goes on when the harness says that the sync is over; an append that is not
//!   waited for is reported then (`IOFlushed`).
//! - A call is a message with a number, and so is its answer. What is lost, late or doubled is a
//!   matter for openraft's time-outs.
//! - Roles, configurations, commits and applications are read off what openraft writes and applies,
//!   not off its metrics, which may skip what lasts no longer than a step.

mod config;
mod desk;
mod log;
mod log_storage;
mod membership;
mod message_mutation;
mod messages;
mod network;
mod node;
mod own_options;
mod requests;
pub mod runtime;
mod state_machine;
pub mod storage;
mod tally;
mod types;

use std::marker::PhantomData;

use squall_core::options::Feature;
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::registry::{RegisteredSubject, with_bugs};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};

pub use messages::{Body, Content, Message, Request, Response};
pub use node::OpenraftNode;
pub use storage::{OwnStorage, with_storage};
pub use types::{Command, Mode, OneLeaderATerm, SeveralLeadersATerm};

const FEATURES: &[Feature] = &[
    Feature::AsynchronousPersistence,
    Feature::MessageSize,
    Feature::PreVote,
    // It cannot be switched off: a leader that hears from no quorum takes no commands.
    Feature::CheckQuorum,
    Feature::Snapshots,
    Feature::JointChange,
    Feature::Learners,
    Feature::Demotion,
    Feature::Transfer,
    Feature::Campaign,
    Feature::ReadIndex,
    Feature::LeaseReads,
];

/// openraft, with leaders named in this way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Openraft<C>(PhantomData<C>);

/// The subjects `openraft` and `openraft-adv`, each then with every injected bug that shows in it.
pub fn subjects() -> Vec<RegisteredSubject> {
    let one = with_bugs(
        "openraft",
        "openraft 0.10.0-alpha.37, unmodified, one leader a term",
        Openraft::<OneLeaderATerm>::default(),
    );
    let several = with_bugs(
        "openraft-adv",
        "openraft 0.10.0-alpha.37, unmodified, several leaders a term",
        Openraft::<SeveralLeadersATerm>::default(),
    );
    one.into_iter().chain(several).collect()
}

impl<C: Mode> Subject for Openraft<C> {
    type Replica = OpenraftNode<C>;

    fn supports(&self) -> &'static [Feature] {
        FEATURES
    }

    fn options(&self) -> &'static [DriverOption] {
        own_options::OPTIONS
    }

    fn known_issues(&self) -> &'static [KnownIssue] {
        own_options::ISSUES
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        mut disk: Recovered,
        out: &mut Output<Message<C>>,
    ) -> Result<OpenraftNode<C>, BootError> {
        let snapshot = disk.state.snapshot.as_mut().map(state_machine::read::<C>);
        let start = disk.recover(boot, out)?;
        Ok(OpenraftNode::new(
            boot,
            config::config(boot),
            start,
            snapshot,
            None,
            out,
        ))
    }
}
