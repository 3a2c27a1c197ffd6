//! The madsim engine against the lockstep engine.

use squall_core::faults;
use std::process::Output as Printed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use madsim::plugin::node;
use madsim::task::NodeId as Machine;
use madsim::time::TimeHandle;
use squall::madsim::engine::run as run_on_madsim;
use squall_core::bugs::Bug;
use squall_core::engine::{Observer, Outcome, run};
use squall_core::ids::NodeId;
use squall_core::plan::{Fault, LossMode, Plan, Profile, What, When};
use squall_core::registry::RegisteredSubject;
use squall_core::replica::{
    BootContext, BootError, Input, Label, Message, Output, Recovered, Replica, Subject,
};
use squall_raft_rs::RaftRs;

use super::support::{quiet_plan, squall, stderr, stdout};

/// Carries the plan of `seed` out on both engines, and returns how it went on both.
fn on_both(subject: &RegisteredSubject, profile: &Profile, seed: u64) -> Outcome {
    let plan = subject.plans(profile).draw(seed);
    let lockstep = subject.runner.run(&plan, Observer::default());
    let madsim = subject
        .on(squall::madsim::ENGINE)
        .runner
        .run(&plan, Observer::default());
    let name = &subject.name;
    assert_eq!(lockstep, madsim, "{name}, {}, seed {seed}", profile.name);
    lockstep
}

#[test]
fn honest_subjects_go_the_same_way_on_both_engines() {
    for name in ["raft-rs", "noraft", "raftbare"] {
        let subject = squall::subject(name).unwrap();
        for profile in ["storm", "disk", "network", "membership", "calm"] {
            let profile = Profile::load(profile).unwrap();
            for seed in 0..12 {
                let outcome = on_both(&subject, &profile, seed);
                assert_eq!(
                    outcome.failure, None,
                    "{name}, {}, seed {seed}",
                    profile.name
                );
            }
        }
    }
}

#[test]
fn every_injected_bug_is_found_by_both_engines_in_the_same_step() {
    let injected = squall::subjects();
    for subject in injected.iter().filter(|s| s.caught_by.is_some()) {
        let bug = Bug::ALL
            .iter()
            .find(|bug| subject.name.ends_with(&format!("+{}", bug.name())))
            .unwrap();
        let profile = Profile::load(bug.profile()).unwrap();
        let fails = |seed: &u64| {
            let plan = subject.plans(&profile).draw(*seed);
            let failure = subject.runner.run(&plan, Observer::default()).failure;
            failure.is_some_and(|failure| Some(failure.violation.property()) == subject.caught_by)
        };
        let seed = (0..1_000).find(fails);
        let seed = seed.unwrap_or_else(|| panic!("{} is not found", subject.name));
        on_both(subject, &profile, seed);
    }
}

/// What a replica's step can tell of where it runs.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: NodeId,
    incarnation: u32,
    machine: Machine,
    /// What the node takes the time for, and what the runtime does.
    times_us: (u64, u64),
}

/// raft-rs, telling where each step runs.
struct Telling(Arc<Mutex<Vec<Place>>>);

struct TellingReplica {
    inner: <RaftRs as Subject>::Replica,
    node: NodeId,
    incarnation: u32,
    places: Arc<Mutex<Vec<Place>>>,
}

impl Subject for Telling {
    type Replica = TellingReplica;

    fn supports(&self) -> &'static [squall_core::options::Feature] {
        squall_core::options::Feature::ALL
    }

    fn boot(
        &self,
        boot: &BootContext<'_>,
        disk: Recovered,
        out: &mut Output<Message<Self>>,
    ) -> Result<TellingReplica, BootError> {
        Ok(TellingReplica {
            inner: RaftRs.boot(boot, disk, out)?,
            node: boot.id,
            incarnation: boot.incarnation,
            places: Arc::clone(&self.0),
        })
    }
}

impl Replica for TellingReplica {
    type Message = Message<RaftRs>;

    fn step(&mut self, now_us: u64, input: Input<Self::Message>, out: &mut Output<Self::Message>) {
        let runtime_us = TimeHandle::current().elapsed().as_micros() as u64;
        self.places.lock().unwrap().push(Place {
            node: self.node,
            incarnation: self.incarnation,
            machine: node(),
            times_us: (now_us, runtime_us),
        });
        self.inner.step(now_us, input, out);
    }

    fn label(message: &Self::Message) -> Label {
        <RaftRs as Subject>::Replica::label(message)
    }
}

fn crash_and_pause() -> Plan {
    let mut plan = quiet_plan(3);
    let at = |at_us, what| Fault {
        when: When::AtUs(at_us),
        what,
    };
    plan.faults = vec![
        at(
            500_000,
            What::Crash(faults::Crash {
                node: NodeId(1),
                loss: LossMode::LoseAll,
                down_us: 100_000,
            }),
        ),
        at(
            800_000,
            What::Pause(faults::Pause {
                node: NodeId(2),
                for_us: 300_000,
            }),
        ),
    ];
    plan
}

#[test]
fn each_replica_runs_on_a_machine_of_its_own_by_the_clock_of_the_runtime() {
    let places = Arc::default();
    let outcome = run_on_madsim(
        &crash_and_pause(),
        &Telling(Arc::clone(&places)),
        Observer::default(),
    );
    assert_eq!(outcome.failure, None);
    let places = places.lock().unwrap();
    let mut machines = [None; 3];
    for place in places.iter() {
        let machine = machines[place.node.position()].get_or_insert(place.machine);
        assert_eq!(
            *machine, place.machine,
            "a node keeps its machine: {place:?}"
        );
        let (node_us, runtime_us) = place.times_us;
        assert!((node_us..node_us + 20).contains(&runtime_us), "{place:?}");
    }
    let [one, two, three] = machines.map(Option::unwrap);
    assert!(one != two && two != three && one != three);
    let starts = |nth| {
        places
            .iter()
            .any(|p| p.node == NodeId(1) && p.incarnation == nth)
    };
    assert!(starts(0) && starts(1));
    let in_pause = |p: &&Place| p.node == NodeId(2) && (800_001..1_100_000).contains(&p.times_us.1);
    assert_eq!(places.iter().filter(in_pause).count(), 0);
    let plain = run(&crash_and_pause(), &RaftRs, Observer::default());
    assert_eq!(outcome.digest, plain.digest);
}

#[test]
fn a_panic_in_a_task_is_a_violation_with_its_place() {
    struct Panics;
    struct PanicsReplica(<RaftRs as Subject>::Replica, u32);
    impl Subject for Panics {
        type Replica = PanicsReplica;
        fn boot(
            &self,
            boot: &BootContext<'_>,
            disk: Recovered,
            out: &mut Output<Message<Self>>,
        ) -> Result<PanicsReplica, BootError> {
            Ok(PanicsReplica(RaftRs.boot(boot, disk, out)?, 0))
        }
    }
    impl Replica for PanicsReplica {
        type Message = Message<RaftRs>;
        fn step(
            &mut self,
            now_us: u64,
            input: Input<Self::Message>,
            out: &mut Output<Self::Message>,
        ) {
            self.1 += 1;
            assert!(self.1 < 100, "enough of {}", self.1);
            self.0.step(now_us, input, out);
        }
        fn label(message: &Self::Message) -> Label {
            <RaftRs as Subject>::Replica::label(message)
        }
    }
    let plan = quiet_plan(3);
    let [there, here] = [
        run(&plan, &Panics, Observer::default()),
        run_on_madsim(&plan, &Panics, Observer::default()),
    ];
    assert_eq!(there, here);
    let violation = here.failure.unwrap().violation;
    let panic = violation.panic().unwrap();
    assert_eq!(panic.message, "enough of 100");
    assert_eq!(panic.place.as_ref().unwrap().file, "on_madsim.rs");
}

#[test]
fn the_command_line_sweeps_on_madsim_and_its_command_repeats_the_failure() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let swept = squall(&[
        "sweep",
        "--engine",
        "madsim",
        "--subject",
        "raft-rs+skip-fsync",
        "--jobs",
        "1",
        "--out",
        folder,
    ]);
    assert_eq!(swept.status.code(), Some(1), "{}", stderr(&swept));
    let page = stdout(&swept);
    assert!(page.contains("raft-rs+skip-fsync on madsim"), "{page}");
    let command = page
        .lines()
        .find_map(|line| line.strip_prefix("reproduce"))
        .unwrap()
        .trim();
    assert!(command.contains("replay"), "{command}");
    assert!(command.ends_with("--engine madsim"), "{command}");
    let violation = |page: &str| {
        let mut lines = page
            .lines()
            .skip_while(|line| !line.starts_with("VIOLATION"));
        (
            lines.next().unwrap().to_owned(),
            lines.next().unwrap().to_owned(),
        )
    };
    let again = std::process::Command::new("sh")
        .args(["-c", command])
        .output()
        .unwrap();
    assert_eq!(violation(&stdout(&again)), violation(&page));
}

#[test]
fn a_sweep_gets_the_same_digest_in_two_processes_beside_threads_that_take_the_processor() {
    let digest = |swept: &Printed| {
        let page = stdout(swept);
        let line = page.lines().find(|line| line.contains("\"digest\""));
        line.unwrap_or_else(|| panic!("{}", stderr(swept)))
            .to_owned()
    };
    let sweep = || {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().to_str().unwrap();
        squall(&[
            "sweep", "--engine", "madsim", "--seeds", "24", "--jobs", "2", "--json", "-", "--out",
            folder,
        ])
    };
    let quiet = digest(&sweep());
    for swept in under_load(sweep) {
        assert_eq!(digest(&swept), quiet);
    }
}

/// Does it twice at once, beside more threads than there are processors.
fn under_load(run: impl Fn() -> Printed + Sync) -> [Printed; 2] {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 * processors {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let both = [scope.spawn(&run), scope.spawn(&run)];
        let outputs = both.map(|one| one.join());
        // Before anything panics, for the scope waits for all of them.
        is_over.store(true, Ordering::Relaxed);
        outputs.map(Result::unwrap)
    })
}
