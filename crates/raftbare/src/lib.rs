//! The subject `raftbare`: sile's `raftbare` 0.2.2, unmodified, behind an honest driver. Only this
//! crate names the library, which is the forerunner of noraft.
//!
//! The driver hands over one input at a time (`Node` is never called with actions left over), and
//! carries out what raftbare asks for (`Action`) in this order:
//!
//! 1. The timer is set, where that is asked for, for the role that the node has now.
//! 2. Term and vote are written, in one record; then the end of a leadership is reported; and then
//!    the entries are written, each with its data: raftbare knows positions only. Entries that the
//!    disk has already are left alone.
//! 3. A new leader reports that it is one.
//! 4. Where something was written, a sync, and nothing else before it is done: raftbare counts its
//!    own log as durable at once, and says that its guarantees hold only if storage comes first. A
//!    sync that fails stops the node.
//! 5. The commit index is reported, what is committed is applied, and clients are answered.
//! 6. The messages leave.
//!
//! Three defects of the library are known (`known_issues`). Where a plan is to keep clear of one,
//! the driver does more than it is asked for: it tells the library by the length of a candidate's
//! log how that log compares by its last term, it cuts its disk where the library has cut its
//! memory, and it does not hand over answers to appends of an earlier term.
//!
//! After a start the log is what the disk kept, behind a position that the cluster begins at and
//! that holds its configuration; what was committed is told by the leader anew. raftbare leaves
//! snapshots to its user, and this driver takes none; nor does it change the configuration.

mod driver;
mod known_issues;
mod message_mutation;
mod messages;
mod reads;

use squall_core::adapter::blocking_driver::OneAtATime;
use squall_core::options::Feature;
use squall_core::own::{DriverOption, KnownIssue};
use squall_core::registry::{RegisteredSubject, with_bugs};
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};

pub use driver::RaftbareDriver;
pub use messages::{Content, Message};

/// sile's `raftbare` 0.2.2.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raftbare;

/// The subject `raftbare`, then it with each injected bug.
pub fn subjects() -> Vec<RegisteredSubject> {
    let about = "sile's raftbare 0.2.2, unmodified, behind an honest driver";
    with_bugs("raftbare", about, Raftbare)
}

impl Subject for Raftbare {
    type Replica = OneAtATime<RaftbareDriver>;

    /// raftbare could change configurations and take snapshots too; `noraft`, which came after it,
    /// is tested with both.
    fn supports(&self) -> &'static [Feature] {
        &[
            Feature::MessageSize,
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
    ) -> Result<OneAtATime<RaftbareDriver>, BootError> {
        let start = disk.recover(boot, out)?;
        let first = start.next;
        Ok(OneAtATime::new(
            RaftbareDriver::new(boot, start),
            first,
            out,
        ))
    }
}
