//! What raft-rs promises beyond Raft, as a driver that reports by the kit sees it broken.

use raft::Config;
use raft::eraftpb::Message;
use raft::raw_node::RawNode;
use raft::storage::MemStorage;
use squall::prelude::*;
use squall::raft_rs::kit::Reported;
use squall_core::replica::Effect;

/// The node `id` of a cluster whose voter is n1 and whose learner is n2.
fn node(id: u64) -> RawNode<MemStorage> {
    let storage = MemStorage::new_with_conf_state((vec![1], vec![2]));
    let silent = slog::Logger::root(slog::Discard, slog::o!());
    RawNode::new(&Config::new(id), storage, &silent).unwrap()
}

/// The promises that it breaks in `act`.
fn broken(
    mut raw: RawNode<MemStorage>,
    act: impl Fn(&mut RawNode<MemStorage>),
) -> Vec<BrokenPromise> {
    let mut reported = Reported::new(&raw);
    act(&mut raw);
    let mut out = Output::<Message>::default();
    reported.role(&raw, &mut out);
    // It is told once.
    reported.role(&raw, &mut out);
    let effects = out.effects();
    let promises = effects.filter_map(|effect| match effect {
        Effect::Observe(Observation::Broke(promise)) => Some(*promise),
        _ => None,
    });
    promises.collect()
}

#[test]
fn who_stands_without_a_vote_is_told() {
    let stands = |raw: &mut RawNode<MemStorage>| raw.raft.become_candidate();
    let (role, term) = (Role::Candidate, 1);
    let breaks = [BrokenPromise::StoodWithoutVote { role, term }];
    assert_eq!(broken(node(2), stands), breaks);
    assert_eq!(broken(node(1), stands), []);
}

#[test]
fn who_hands_leadership_to_no_voter_is_told() {
    let hands = |to| move |raw: &mut RawNode<MemStorage>| raw.raft.lead_transferee = Some(to);
    let (to, term) = (NodeId(2), 0);
    let breaks = [BrokenPromise::HandedOverToNoVoter { to, term }];
    assert_eq!(broken(node(1), hands(2)), breaks);
    assert_eq!(broken(node(1), hands(1)), []);
}
