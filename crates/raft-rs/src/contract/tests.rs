//! A library that goes by other settings than it was given is found out.

use crate::{Message, RaftRs, RaftRsNode};
use squall_core::engine::{self, Observer};
use squall_core::plan::Profile;
use squall_core::registry::RegisteredSubject;
use squall_core::replica::{BootContext, BootError, Output, Recovered, Subject};

/// Changes something of the library behind its driver's back.
type Tamper = fn(&mut RaftRsNode);

/// Does so as soon as a node has started.
struct Tampered(Tamper);

impl Subject for Tampered {
    type Replica = RaftRsNode;

    fn supports(&self) -> &'static [squall_core::options::Feature] {
        squall_core::options::Feature::ALL
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message>,
    ) -> Result<RaftRsNode, BootError> {
        let mut node = RaftRs.boot(boot, disk, out)?;
        (self.0)(&mut node);
        Ok(node)
    }
}

/// What panics in the first of some hundred storms that fails.
fn first_failure(tamper: Tamper) -> Option<String> {
    let storm = Profile::load("storm").expect("a built-in profile");
    let subject = RegisteredSubject::new("raft-rs", "", RaftRs);
    let space = subject.plans(&storm);
    (0..400).find_map(|seed| {
        let plan = space.draw(seed);
        let outcome = engine::run(&plan, &Tampered(tamper), Observer::default());
        let failure = outcome.failure?;
        let panic = failure.violation.panic().map(|panic| panic.message.clone());
        Some(panic.unwrap_or_else(|| panic!("no panic: {failure}")))
    })
}

fn widen(node: &mut RaftRsNode) {
    let raft = &mut node.raw.raft;
    let peers: Vec<u64> = raft.prs().iter().map(|(id, _)| *id).collect();
    for peer in peers {
        raft.adjust_max_inflight_msgs(peer, 256);
    }
}

#[test]
fn a_library_that_goes_by_other_settings_is_found_out() {
    let tampers: [(Tamper, &str); 7] = [
        (widen, "appends are on their way to a follower"),
        (
            |node| node.raw.raft.set_max_committed_size_per_ready(u64::MAX),
            "bytes of committed entries are handed over at once",
        ),
        (
            |node| node.raw.raft.max_msg_size = u64::MAX,
            "bytes of entries, or one entry",
        ),
        (
            |node| node.raw.set_batch_append(false),
            "with batching, entries go with the append",
        ),
        (
            |node| node.raw.skip_bcast_commit(false),
            "a leader that skips it broadcasts no commit",
        ),
        (
            |node| node.raw.set_priority(0),
            "votes for no candidate of a lower priority",
        ),
        (
            |node| node.raw.raft.enable_group_commit(false),
            "what the library says of itself",
        ),
    ];
    for (tamper, words) in tampers {
        let failure = first_failure(tamper).unwrap_or_else(|| panic!("nobody misses: {words}"));
        assert!(failure.contains(words), "{failure}, and not: {words}");
    }
    assert_eq!(first_failure(|_| ()), None);
}
