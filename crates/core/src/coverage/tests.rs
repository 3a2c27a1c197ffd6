//! What a signature tells apart, and what it does not.

use super::*;
use crate::ids::Role;

/// A voter that runs and has the whole log.
fn follower() -> Facts {
    Facts {
        standing: Standing::Up,
        term: 4,
        vote: Some(NodeId(1)),
        first: 3,
        last: 9,
        last_term: 4,
        commit: 9,
        applied: 9,
        configuration: 2,
        part: Part::Voter,
        hard_state_is_durable: true,
        log_is_durable: true,
        snapshot_is_durable: true,
        ..Facts::default()
    }
}

fn leader() -> Facts {
    Facts {
        role: Role::Leader,
        last: 10,
        ..follower()
    }
}

fn candidate() -> Facts {
    Facts {
        role: Role::Candidate,
        term: 5,
        vote: None,
        ..follower()
    }
}

/// Terms of the entries of every log.
fn term_at(_: NodeId, index: Index) -> Option<Term> {
    (3..=10).contains(&index).then_some(4)
}

/// The signature once all nodes are so.
fn signature(nodes: &[Facts]) -> u64 {
    look(nodes).signature()
}

fn look(nodes: &[Facts]) -> Coverage {
    let mut coverage = Coverage::new(nodes.len());
    for (place, facts) in nodes.iter().enumerate() {
        coverage.look(NodeId(place as u8 + 1), *facts, term_at);
    }
    coverage
}

#[test]
fn nodes_in_another_order_are_the_same_state() {
    let short = Facts {
        last: 7,
        commit: 7,
        applied: 7,
        ..follower()
    };
    let down = Facts {
        standing: Standing::Down,
        ..follower()
    };
    let nodes = [leader(), follower(), short, down];
    let all = signature(&nodes);
    for turn in 1..nodes.len() {
        let mut turned = nodes;
        turned.rotate_left(turn);
        // Votes go with the nodes that they name.
        let place = turned.iter().position(Facts::leads).unwrap();
        for facts in &mut turned {
            facts.vote = Some(NodeId(place as u8 + 1));
        }
        assert_eq!(signature(&turned), all, "turned by {turn}");
    }
    assert_eq!(
        signature(&[leader(), follower(), follower(), short, down]),
        all
    );
}

#[test]
fn numbers_count_by_how_they_compare() {
    let later = |facts: Facts| Facts {
        term: facts.term + 30,
        last_term: facts.last_term + 30,
        first: facts.first + 100,
        last: facts.last + 100,
        commit: facts.commit + 100,
        applied: facts.applied + 100,
        configuration: facts.configuration + 100,
        ..facts
    };
    let nodes = [leader(), follower(), candidate()];
    let mut coverage = Coverage::new(3);
    for (place, facts) in nodes.iter().enumerate() {
        let terms = |_, index: Index| (103..=110).contains(&index).then_some(34);
        coverage.look(NodeId(place as u8 + 1), later(*facts), terms);
    }
    assert_eq!(coverage.signature(), signature(&nodes));
}

#[test]
fn each_part_of_a_state_makes_another_state() {
    let base = [leader(), follower(), follower()];
    let change = |change: fn(&mut [Facts; 3])| {
        let mut nodes = base;
        change(&mut nodes);
        nodes
    };
    let mut all = vec![
        ("nothing", base),
        ("a role", change(|nodes| nodes[1].role = Role::PreCandidate)),
        ("a candidate", change(|nodes| nodes[1] = candidate())),
        ("a term", change(|nodes| nodes[1].term = 3)),
        (
            "no vote and no leader",
            change(|nodes| {
                nodes[0].role = Role::Follower;
                nodes[1].vote = None;
            }),
        ),
        ("no leader", change(|nodes| nodes[0].role = Role::Follower)),
        ("a longer log", change(|nodes| nodes[1].last = 11)),
        ("another log", change(|nodes| nodes[1].last_term = 3)),
        (
            "a log that needs a snapshot",
            change(|nodes| {
                nodes[1].last = 1;
                nodes[1].last_term = 2;
            }),
        ),
        ("a commit", change(|nodes| nodes[0].commit = 10)),
        ("a learner", change(|nodes| nodes[1].part = Part::Learner)),
        (
            "a joint configuration",
            change(|nodes| nodes[1].joint = true),
        ),
        (
            "an older configuration",
            change(|nodes| nodes[1].configuration = 1),
        ),
        (
            "a change under way",
            change(|nodes| nodes[0].change_pending = true),
        ),
        ("a transfer", change(|nodes| nodes[0].transfers = true)),
        (
            "a vote at risk",
            change(|nodes| nodes[1].hard_state_is_durable = false),
        ),
        (
            "entries at risk",
            change(|nodes| nodes[1].log_is_durable = false),
        ),
        (
            "a leader's entries at risk",
            change(|nodes| nodes[0].log_is_durable = false),
        ),
        (
            "a node down",
            change(|nodes| nodes[1].standing = Standing::Down),
        ),
        (
            "a node gone",
            change(|nodes| nodes[1].standing = Standing::Gone),
        ),
        (
            "a node that stands still",
            change(|nodes| nodes[1].standing = Standing::Still),
        ),
    ]
    .into_iter()
    .map(|(name, nodes)| (name, signature(&nodes)))
    .collect::<Vec<_>>();
    let mut cut = |name, healed, is_cut: fn(NodeId, NodeId) -> bool| {
        let mut coverage = look(&base);
        coverage.look_around(healed, is_cut, term_at);
        all.push((name, coverage.signature()));
    };
    cut("a link cut", false, |from, to| (from.0, to.0) == (1, 2));
    cut("a node cut off", false, |from, to| from.0 == 3 || to.0 == 3);
    cut("the storm over", true, |_, _| false);
    for (place, (name, one)) in all.iter().enumerate() {
        for (other, two) in &all[..place] {
            assert_ne!(one, two, "{name} and {other}");
        }
    }
}

#[test]
fn there_and_back_is_two_states_and_two_transitions_however_often() {
    let mut coverage = look(&[leader(), follower(), follower()]);
    let before = coverage.trail();
    let short = Facts {
        hard_state_is_durable: false,
        ..follower()
    };
    for _ in 0..5 {
        for facts in [short, follower()] {
            coverage.look(NodeId(2), facts, term_at);
        }
    }
    let after = coverage.trail();
    assert_eq!(after.states.len(), before.states.len() + 1);
    assert_eq!(after.transitions.len(), before.transitions.len() + 2);
}
