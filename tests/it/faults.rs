//! Each kind of fault does something: put alone into a quiet run, it leaves its
//! mark on the run's counters, and the honest subject gets over it.

use squall_core::configuration::{Change, Member, Step, Transition};
use squall_core::counters::Counter;
use squall_core::engine::{NodeState, Observer, Outcome};
use squall_core::faults;
use squall_core::ids::NodeId;
use squall_core::operator::{Admin, Setting};
use squall_core::plan::{
    Fault, FaultKind, Heal, JournalName, LossMode, MAX_TIME_US, Milestone, Plan, Profile, What,
    When,
};
use squall_core::replica::MessageKind;
use squall_world::network::LinkDegradation;

use super::support::quiet_plan;

pub(super) const N1: NodeId = NodeId(1);
pub(super) const N2: NodeId = NodeId(2);
pub(super) const N3: NodeId = NodeId(3);

fn run(plan: &Plan) -> Outcome {
    plan.validate().unwrap();
    let outcome = squall::subject("raft-rs")
        .unwrap()
        .runner
        .run(plan, Observer::default());
    assert_eq!(outcome.failure, None);
    outcome
}

pub(super) fn with(faults: &[(When, What)]) -> Outcome {
    run(&plan_with(faults))
}

pub(super) fn plan_with(faults: &[(When, What)]) -> Plan {
    let mut plan = quiet_plan(3);
    plan.faults = faults
        .iter()
        .cloned()
        .map(|(when, what)| Fault { when, what })
        .collect();
    plan
}

/// Runs a quiet plan with the fault in the middle of it.
pub(super) fn at_one_second(what: What) -> Outcome {
    with(&[(When::AtUs(1_000_000), what)])
}

fn all_three() -> [(Vec<NodeId>, Vec<NodeId>); 1] {
    [(vec![N1], vec![N2, N3])]
}

#[test]
fn a_quiet_run_counts_no_fault() {
    let outcome = with(&[]);
    for event in [
        Counter::Crash,
        Counter::MessageLost,
        Counter::MessageCut,
        Counter::Pause,
        Counter::ClockJumped,
        Counter::SyncFailed,
    ] {
        assert_eq!(outcome.counters.get(event), 0, "{event:?}");
    }
    assert!(outcome.counters.get(Counter::CommandApplied) > 100);
}

/// Faults of kinds that act at a time, those that last for `for_us`, and the marks that each
/// leaves.
fn cases(for_us: u64) -> Vec<(FaultKind, What, &'static [Counter])> {
    let [(from, to)] = all_three();
    let trouble = LinkDegradation {
        loss_ppm: 500_000,
        duplicate_ppm: 500_000,
        reorder_ppm: 500_000,
        tail_ppm: 100_000,
        tail_max_us: 50_000,
    };
    vec![
        (
            FaultKind::Crash,
            What::Crash(faults::Crash {
                node: N1,
                loss: LossMode::LoseAll,
                down_us: for_us,
            }),
            &[Counter::Crash, Counter::Restart, Counter::MessageToDownNode],
        ),
        (
            FaultKind::Pause,
            What::Pause(faults::Pause { node: N1, for_us }),
            &[Counter::Pause, Counter::TicksMissed],
        ),
        (
            FaultKind::Cut,
            What::Cut(faults::Cut {
                from: from.clone(),
                to: to.clone(),
                for_us,
            }),
            &[Counter::LinkCut, Counter::MessageCut],
        ),
        (
            FaultKind::Split,
            What::Split(faults::Split {
                side: vec![N2],
                for_us,
            }),
            &[Counter::LinkCut, Counter::MessageCut],
        ),
        (
            FaultKind::Trouble,
            What::Trouble(faults::Trouble {
                from: from.clone(),
                to: to.clone(),
                trouble,
                for_us,
            }),
            &[
                Counter::NetworkTrouble,
                Counter::MessageLost,
                Counter::MessageDuplicated,
                Counter::MessageReordered,
            ],
        ),
        (
            FaultKind::Burst,
            What::Burst(faults::Burst { from, to, for_us }),
            &[Counter::LinkHeldBack],
        ),
        (
            FaultKind::SlowNode,
            What::SlowNode(faults::SlowNode {
                node: N2,
                extra_us: 20_000,
                for_us,
            }),
            &[Counter::NodeSlow],
        ),
        (
            FaultKind::SlowDisk,
            What::SlowDisk(faults::SlowDisk {
                node: N1,
                sync_us: 50_000,
                for_us,
            }),
            &[Counter::DiskSlow],
        ),
        (
            FaultKind::FailSync,
            What::FailSync(faults::FailSync { node: N1 }),
            &[Counter::SyncFailed, Counter::Halt, Counter::Restart],
        ),
        (
            FaultKind::IsolateLeader,
            What::IsolateLeader(faults::IsolateLeader {
                for_us,
                bridges: Vec::new(),
            }),
            &[Counter::LinkCut, Counter::LeaderCutOff, Counter::MessageCut],
        ),
        (
            FaultKind::FullDisk,
            What::FullDisk(faults::FullDisk { node: N1, for_us }),
            &[Counter::DiskFull, Counter::SyncFailed, Counter::Halt],
        ),
        (
            FaultKind::Jump,
            What::Jump(faults::Jump {
                node: N1,
                by_us: 500_000,
            }),
            &[Counter::ClockJumped, Counter::TicksMissed],
        ),
        (
            FaultKind::Drift,
            What::Drift(faults::Drift {
                node: N1,
                ppm: 500_000,
                for_us,
            }),
            &[Counter::ClockDrifted],
        ),
    ]
}

#[test]
fn each_kind_of_fault_leaves_its_mark() {
    let cases = cases(300_000);
    for (kind, what, events) in &cases {
        let outcome = at_one_second(what.clone());
        for event in *events {
            assert!(
                outcome.counters.get(*event) > 0,
                "{kind:?} caused no {event:?}"
            );
        }
    }
    let ask = |node, admin| What::Ask(faults::Ask { node, admin });
    let asked = [
        (
            FaultKind::Transfer,
            ask(None, Admin::TransferLeader { to: N2 }),
            Counter::TransferAsked,
        ),
        (
            FaultKind::Campaign,
            ask(Some(N2), Admin::Campaign),
            Counter::Campaigned,
        ),
        (
            FaultKind::RequestSnapshot,
            ask(Some(N2), Admin::RequestSnapshot),
            Counter::SnapshotAsked,
        ),
        (FaultKind::Ping, ask(None, Admin::Ping), Counter::Pinged),
        (
            FaultKind::Set,
            ask(Some(N2), Admin::Set(Setting::MaxInflight(1))),
            Counter::SettingChanged,
        ),
    ];
    for (kind, what, event) in &asked {
        let outcome = at_one_second(what.clone());
        assert!(
            outcome.counters.get(*event) > 0,
            "{kind:?} caused no {event:?}"
        );
    }
    let elsewhere = [
        FaultKind::Change,
        FaultKind::ReplaceDisk,
        FaultKind::LoseDisk,
        FaultKind::LoseMessage,
        FaultKind::DuplicateMessage,
        FaultKind::DelayMessage,
        FaultKind::Intercept,
        FaultKind::Rot,
    ];
    let tested = cases.len() + asked.len() + elsewhere.len();
    assert_eq!(
        tested,
        FaultKind::ALL.len(),
        "a kind of fault is not tested here"
    );
}

/// If its end did nothing, a fault would be the same however long it lasts.
#[test]
fn each_fault_that_lasts_has_an_end() {
    let (short, long) = (cases(300_000), cases(600_000));
    let pairs = short.into_iter().zip(long);
    let lasting = pairs.filter(|((_, what, _), _)| what.clone().lasts_us().is_some());
    let mut kinds = Vec::new();
    for ((kind, short, _), (_, long, _)) in lasting {
        let [short, long] = [short, long].map(|what| at_one_second(what).digest);
        assert_ne!(short, long, "{kind:?} does not end");
        kinds.push(kind);
    }
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

/// The end of the storm ends each fault that would go on.
#[test]
fn each_fault_that_lasts_ends_with_the_storm() {
    for (kind, what, _) in cases(MAX_TIME_US) {
        let outcome = at_one_second(what);
        assert_eq!(outcome.failure, None, "{kind:?}");
        assert_eq!(outcome.counters.get(Counter::Converged), 1, "{kind:?}");
    }
}

/// Who the newest configuration of a run lets vote, and the run.
fn changed(steps: &[(u8, Member)], transition: Transition) -> Outcome {
    let mut plan = quiet_plan(3);
    plan.cluster.spares = 2;
    plan.cluster.clocks.resize(5, plan.cluster.clocks[0]);
    plan.cluster.first_term = 1;
    plan.cluster.first_index = 4;
    let step = |(node, becomes): &(u8, Member)| Step {
        node: NodeId(*node),
        becomes: *becomes,
    };
    let change = Change {
        steps: steps.iter().map(step).collect(),
        transition,
    };
    plan.faults.push(Fault {
        when: When::AtUs(500_000),
        what: What::Change(faults::Change {
            change,
            retries: 5,
            stop_removed: true,
        }),
    });
    run(&plan)
}

#[test]
fn an_operators_change_comes_about() {
    let outcome = changed(&[(4, Member::Voter)], Transition::Simple);
    for event in [
        Counter::NodeJoined,
        Counter::VoterAdded,
        Counter::SnapshotInstalled,
    ] {
        assert!(outcome.counters.get(event) > 0, "{event:?}");
    }
    assert_eq!(outcome.nodes[3].last, outcome.nodes[0].last);
    for transition in [Transition::Joint, Transition::JointExplicit] {
        let steps = [
            (4, Member::Voter),
            (5, Member::Learner),
            (1, Member::Nobody),
            (2, Member::Learner),
        ];
        let outcome = changed(&steps, transition);
        for event in [
            Counter::JointEntered,
            Counter::JointLeft,
            Counter::VoterAdded,
            Counter::LearnerAdded,
            Counter::VoterDemoted,
            Counter::VoterRemoved,
            Counter::NodeRetired,
        ] {
            assert!(outcome.counters.get(event) > 0, "{transition:?}: {event:?}");
        }
        assert_eq!(outcome.nodes[0].state, NodeState::Gone);
    }
}

#[test]
fn a_message_is_lost_duplicated_or_late_by_its_number() {
    let when = |nth| When::Message {
        from: N1,
        to: N2,
        kind: MessageKind::AppendReply,
        nth,
    };
    let also = |nth| When::Message {
        from: N1,
        to: N2,
        kind: MessageKind::Append,
        nth,
    };
    for (what, event) in [
        (What::from(faults::LoseMessage {}), Counter::MessageLost),
        (
            What::DuplicateMessage(faults::DuplicateMessage { after_us: 5_000 }),
            Counter::MessageDuplicated,
        ),
        (
            What::DelayMessage(faults::DelayMessage { by_us: 90_000 }),
            Counter::MessageDelayed,
        ),
    ] {
        let faults = [(when(3), what.clone()), (also(3), what)];
        assert_eq!(
            with(&faults).counters.get(event),
            1,
            "one of n1's third messages to n2: {event:?}"
        );
    }
}

#[test]
fn any_fault_can_wait_for_a_sync_or_a_message() {
    let crash = What::Crash(faults::Crash {
        node: N3,
        loss: LossMode::Tear,
        down_us: 100_000,
    });
    let sync = When::Sync { node: N2, nth: 5 };
    assert_eq!(
        with(&[(sync, crash.clone())]).counters.get(Counter::Crash),
        1
    );
    let vote = |from, to| When::Message {
        from,
        to,
        kind: MessageKind::Vote,
        nth: 1,
    };
    let pairs = [(N1, N2), (N2, N1), (N3, N1)];
    let faults = pairs.map(|(from, to)| (vote(from, to), crash.clone()));
    assert!(with(&faults).counters.get(Counter::Crash) >= 1);
    let fail = What::FailSync(faults::FailSync { node: N1 });
    let at = When::Sync { node: N1, nth: 4 };
    assert_eq!(with(&[(at, fail)]).counters.get(Counter::SyncFailed), 1);
    let slow = What::SlowDisk(faults::SlowDisk {
        node: N1,
        sync_us: 400_000,
        for_us: 1_000,
    });
    let outcome = with(&[(at, slow)]);
    assert_eq!(outcome.counters.get(Counter::DiskSlow), 1);
}

/// All three nodes crash at their `nth` election.
fn crashes_at_elections(nth: u32) -> Outcome {
    let faults = [N1, N2, N3].map(|node| {
        let when = When::Milestone {
            node,
            milestone: Milestone::Leader,
            nth,
        };
        let down_us = 100_000;
        let loss = LossMode::LoseAll;
        (
            when,
            What::Crash(faults::Crash {
                node,
                loss,
                down_us,
            }),
        )
    });
    with(&faults)
}

#[test]
fn a_fault_can_wait_for_what_comes_about_at_a_node() {
    // Who is elected first goes at once, and so do those that are elected after it.
    let first = crashes_at_elections(1).counters;
    assert!(first.get(Counter::CrashOfLeader) >= 1);
    assert_eq!(first.get(Counter::Crash), first.get(Counter::CrashOfLeader));
    assert!(first.get(Counter::LeaderChanged) >= 1);
    // In a quiet run there is one election.
    assert_eq!(crashes_at_elections(2).counters.get(Counter::Crash), 0);
}

#[test]
fn a_leader_that_is_cut_off_is_still_heard_by_bridges() {
    let cuts = |bridges: &[NodeId]| {
        let outcome = at_one_second(What::IsolateLeader(faults::IsolateLeader {
            for_us: 300_000,
            bridges: bridges.to_vec(),
        }));
        outcome.counters.get(Counter::LinkCut)
    };
    assert_eq!(cuts(&[]), 4);
    assert_eq!(cuts(&[N1, N2, N3]), 0);
    // One of them is the leader, which is no bridge to itself.
    let mut one = [N1, N2, N3].map(|node| cuts(&[node]));
    one.sort_unstable();
    assert_eq!(one, [2, 2, 4]);
}

#[test]
fn profiles_may_ask_for_milestones_bridges_clusters_and_large_batches() {
    let profile = Profile::load("partitions").unwrap();
    let plans: Vec<Plan> = (0..64)
        .map(|seed| super::support::draw("raft-rs", &profile, seed))
        .collect();
    let faults = || plans.iter().flat_map(|plan| &plan.faults);
    for milestone in Milestone::ALL {
        // Nothing changes the configuration where the elections come to nothing.
        let waits = |fault: &&Fault| matches!(fault.when, When::Milestone { milestone: one, .. } if one == milestone);
        let is_there = faults().any(|fault| waits(&fault));
        assert_eq!(
            is_there,
            milestone != Milestone::Configured,
            "{milestone:?}"
        );
    }
    let bridged = |fault: &Fault| matches!(&fault.what, What::IsolateLeader(faults::IsolateLeader { bridges, .. }) if !bridges.is_empty());
    assert!(faults().any(bridged));
    assert!(plans.iter().any(|plan| plan.driver.inputs_per_ready > 16));
}

/// Of faults that strike at a time, per mille of those that do so within a hundredth of the storm
/// after another one.
fn close_per_mille(profile: &str) -> usize {
    let profile = Profile::load(profile).unwrap();
    let (mut close, mut all) = (0, 0);
    for seed in 0..64 {
        let plan = super::support::draw("raft-rs", &profile, seed);
        let time = |fault: &Fault| match fault.when {
            When::AtUs(at_us) => Some(at_us),
            _ => None,
        };
        let mut times: Vec<u64> = plan.faults.iter().filter_map(time).collect();
        times.sort_unstable();
        let is_close = |pair: &&[u64]| pair[1] - pair[0] < plan.heal_us / 100;
        close += times.windows(2).filter(is_close).count();
        all += times.len().saturating_sub(1);
    }
    close * 1_000 / all
}

#[test]
fn troubles_come_together_where_a_profile_says_so() {
    let (together, strewn) = (close_per_mille("partitions"), close_per_mille("elections"));
    assert!(together > strewn * 3 / 2, "{together} and {strewn}");
}

#[test]
fn a_rotten_record_is_noticed_at_the_next_start_and_the_others_go_on_without_that_node() {
    let outcome = with(&[
        (
            When::AtUs(500_000),
            What::Rot(faults::Rot {
                node: N2,
                journal: JournalName::Log,
            }),
        ),
        (
            When::AtUs(1_000_000),
            What::Crash(faults::Crash {
                node: N2,
                loss: LossMode::LoseAll,
                down_us: 1_000,
            }),
        ),
    ]);
    assert_eq!(outcome.counters.get(Counter::BootRefused), 1);
    assert_eq!(outcome.nodes[1].state, NodeState::Gone);
}

#[test]
fn a_clock_that_jumps_back_stops_ticking_until_it_has_caught_up() {
    let jumped = at_one_second(What::Jump(faults::Jump {
        node: N1,
        by_us: -900_000,
    }));
    let quiet = with(&[]);
    assert!(
        jumped.steps < quiet.steps
            || jumped.counters.get(Counter::ElectionStarted)
                > quiet.counters.get(Counter::ElectionStarted)
    );
}

#[test]
fn a_bare_majority_converges_without_the_others() {
    let mut plan = quiet_plan(5);
    plan.heal = Heal::Quorum(vec![N1, N2, N3]);
    let outcome = run(&plan);
    let states: Vec<_> = outcome.nodes.iter().map(|node| node.state).collect();
    let (up, gone) = (NodeState::Up, NodeState::Gone);
    assert_eq!(states, [up, up, up, gone, gone]);
}

#[test]
fn every_size_of_cluster_converges() {
    for voters in 1..=9 {
        let outcome = run(&quiet_plan(voters));
        assert!(
            outcome.counters.get(Counter::CommandApplied) > 50,
            "{voters} voters"
        );
    }
}
