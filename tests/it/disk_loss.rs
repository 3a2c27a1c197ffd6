//! Nodes that come back on an empty disk: by the procedure, which is safe, and by mistake, of which
//! the page of a failure says that it tells nothing against the library.

use squall_core::counters::Counter;
use squall_core::faults::ReplaceDisk;
use squall_core::ids::NodeId;
use squall_core::options::Feature;
use squall_core::plan::{Fault, What, When};

use super::support::{quiet_plan, seeds, squall, sweep};

#[test]
fn a_disk_that_is_replaced_step_by_step_costs_nothing() {
    for (subject, count) in [("raft-rs", 512), ("noraft", 128)] {
        let swept = sweep(subject, "membership", seeds(count), 2);
        assert!(swept.findings.is_empty(), "{:?}", swept.findings);
        let at_least = |event: Counter, least: u64| {
            let times = swept.counters.get(event);
            assert!(times >= least, "{subject}: {event:?} {times} times");
        };
        at_least(Counter::DiskWiped, 4);
        at_least(Counter::DiskReplaced, 2);
        assert_eq!(swept.counters.get(Counter::DiskLost), 0);
    }
}

#[test]
fn a_lost_disk_is_told_with_what_it_had_and_not_blamed_on_the_library() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let asked = ["--subject", "noraft", "--profile", "lost-disk"];
    let swept = squall(&[&["sweep", "--seeds", "400", "--out", folder], &asked[..]].concat());
    let told = String::from_utf8(swept.stdout).unwrap();
    assert_eq!(swept.status.code(), Some(1), "{told}");
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "so this tells nothing against the library",
        "cause a lost disk",
        "goes down, and gets an empty disk, without entr",
        "'s disk is lost, and n",
    ] {
        assert!(words.contains(part), "{part:?} is missing in {told}");
    }
}

/// A plan that someone wrote for another library.
#[test]
fn a_subject_that_cannot_change_the_configuration_does_not_take_a_plan_that_replaces_a_disk() {
    let mut plan = quiet_plan(3);
    plan.faults.push(Fault {
        when: When::AtUs(1_000_000),
        what: What::ReplaceDisk(ReplaceDisk {
            node: NodeId(2),
            as_learner: false,
            retries: 5,
        }),
    });
    let without = |left_out: &[Feature]| -> Option<Feature> {
        let has = |feature: &Feature| !left_out.contains(feature);
        let supports: Vec<Feature> = Feature::ALL.iter().copied().filter(has).collect();
        plan.asks_for_more_than(&supports)
    };
    let [simple, joint] = [Feature::SimpleChange, Feature::JointChange];
    assert_eq!(without(&[simple]), None);
    assert_eq!(without(&[joint]), None);
    assert_eq!(without(&[simple, joint]), Some(simple));
    assert_eq!(without(&[Feature::Snapshots]), Some(Feature::Snapshots));
}
