//! `examples/bring_your_own.rs`, as its reader would find it.

use squall_core::plan::Profile;
use squall_core::registry::RegisteredSubject;
use squall_explore::sweep::Sweep;

#[allow(dead_code)] // Its main.
#[path = "../../examples/bring_your_own.rs"]
mod bring_your_own;

#[test]
fn a_driver_of_ones_own_passes_the_storm() {
    let mine = RegisteredSubject::new("mine", "", bring_your_own::Mine);
    let sweep = Sweep {
        subject: &mine,
        profile: &Profile::load("storm").unwrap(),
        strategy: squall_explore::strategy::Kind::Swarm,
        coverage: false,
        corpus: Vec::new(),
        seeds: 0..super::support::seeds(1_000),
        jobs: 2,
        time_limit: None,
        keep_going: true,
        stop: &false.into(),
        lookout: None,
    };
    let swept = sweep.run(|_| {});
    let first = swept
        .findings
        .first()
        .map(|found| found.failure.to_string());
    assert_eq!(first, None);
    assert!(swept.missing.is_empty(), "never saw {:?}", swept.missing);
}

#[test]
fn it_is_as_short_as_the_readme_says() {
    let text = std::fs::read_to_string(super::support::root().join("examples/bring_your_own.rs"));
    let lines = text.unwrap().lines().count();
    assert!(lines < 100, "{lines} lines");
}
