//! `examples/my_state_machine.rs`, as its reader would find it, and machines that are wrong.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use squall::bugs::{Bug, Injected};
use squall::invariants::breach::{Breach, ExactlyOnce, Linearizability, StateMachineSafety};
use squall::invariants::{Property, Violation};
use squall::plan::{Plan, Profile};
use squall::prelude::*;
use squall::raft_rs::RaftRs;
use squall_core::engine::Observer;
use squall_explore::report;
use squall_explore::scenario::{Story, of_plan};
use squall_explore::shard::Shard;
use squall_explore::sweep::Sweep;

#[allow(dead_code)] // Its main.
#[path = "../../examples/my_state_machine.rs"]
mod my_state_machine;

use my_state_machine::{Bank, OPENED, Transfers, alone};

/// A mistake in the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// A snapshot has all accounts but the last.
    ForgetsAnAccount,
    /// The same, and the machine's hash is of all accounts.
    ForgetsWhatItHashes,
    /// A snapshot is added to what is there.
    MergesSnapshots,
    /// What it hashes differs between nodes.
    HashesItsPlace,
    /// What is moved differs between nodes.
    MovesByItsPlace,
    /// More arrives than is moved.
    MakesMoney,
    /// It has no place for the largest amounts.
    Panics,
}

struct Mistaken {
    bank: Bank,
    mistake: Mistake,
    /// A different number in each clone, as an address is, or a thread's name.
    clone: u8,
}

impl Clone for Mistaken {
    fn clone(&self) -> Self {
        static CLONES: AtomicU8 = AtomicU8::new(0);
        Self {
            bank: self.bank.clone(),
            mistake: self.mistake,
            clone: CLONES.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Machine for Mistaken {
    fn apply(&mut self, command: &[u8]) -> Vec<u8> {
        let mut answer = self.bank.apply(command);
        if self.mistake == Mistake::Panics && command[2] >= 50 {
            panic!("{} is too much", command[2]);
        }
        let (to, amount) = (command[1], command[2]);
        let is_rich = self.bank.0.iter().copied().map(u16::from).sum::<u16>() > 200;
        let account = &mut self.bank.0[usize::from(to)];
        match self.mistake {
            _ if answer.is_empty() => {}
            Mistake::MovesByItsPlace if amount > 20 => *account ^= self.clone & 1,
            Mistake::MakesMoney if amount > 20 && !is_rich => {
                *account = account.wrapping_add(1);
                answer[1] = *account;
            }
            _ => {}
        }
        answer
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut bytes = self.bank.snapshot();
        if matches!(
            self.mistake,
            Mistake::ForgetsAnAccount | Mistake::ForgetsWhatItHashes
        ) {
            bytes[3] = 50;
        }
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> bool {
        let before = self.bank.0;
        let whole = self.bank.restore(snapshot);
        if self.mistake == Mistake::MergesSnapshots {
            for (account, before) in self.bank.0.iter_mut().zip(before) {
                *account = (*account).max(before);
            }
        }
        whole
    }

    fn digest(&self) -> u64 {
        let place = match self.mistake {
            Mistake::HashesItsPlace => self.clone.into(),
            _ => 0,
        };
        let state = match self.mistake {
            Mistake::ForgetsAnAccount => self.snapshot(),
            _ => self.bank.snapshot(),
        };
        squall::world::hash::mix_bytes(place, &state)
    }
}

fn mistaken(mistake: Mistake) -> WithMachine<RaftRs> {
    let bank = Mistaken {
        bank: OPENED,
        mistake,
        clone: 0,
    };
    WithMachine::new(RaftRs, bank, Transfers).with_model_of([50; 4], alone)
}

fn honest() -> WithMachine<RaftRs> {
    WithMachine::new(RaftRs, OPENED, Transfers).with_model_of([50; 4], alone)
}

/// The first violation of a sweep under the profile `storm`, with its plan and its page.
fn first<S: Subject + Send + Sync + 'static>(subject: S) -> (Violation, Plan, String)
where
    S::Replica: 'static,
{
    let subject = RegisteredSubject::new("bank", "", subject);
    let profile = Profile::load("storm").unwrap();
    for seed in 0..100 {
        let plan = subject.plans(&profile).draw(seed);
        let outcome = subject.runner.run(&plan, Observer::default());
        if let Some(failure) = outcome.failure {
            let page = report::failure(&subject, &plan, Path::new("x.json"), "", "again");
            return (failure.violation, plan, page.unwrap_or_default());
        }
    }
    panic!("100 seeds find nothing");
}

#[test]
fn a_machine_of_ones_own_passes_the_storm() {
    let bank = RegisteredSubject::new("bank", "", honest());
    let sweep = Sweep {
        subject: &bank,
        profile: &Profile::load("storm").unwrap(),
        strategy: squall_explore::strategy::Kind::Swarm,
        coverage: false,
        corpus: Vec::new(),
        seeds: 0..super::support::seeds(1_000),
        shard: Shard::WHOLE,
        jobs: 2,
        time_limit: None,
        keep_going: true,
        stop: &false.into(),
        lookout: None,
    };
    let swept = sweep.run(|_| {});
    let first = swept.findings.first();
    assert_eq!(first.map(|found| found.failure.to_string()), None);
    assert!(swept.missing.is_empty(), "never saw {:?}", swept.missing);
    assert!(swept.double_runs > 0 && swept.leak.is_none());
}

#[test]
fn a_mistake_in_disguise_is_none() {
    squall::check(mistaken(Mistake::None)).seeds(50).run();
}

#[test]
fn it_is_as_short_as_the_guide_says() {
    let path = super::support::root().join("examples/my_state_machine.rs");
    let lines = std::fs::read_to_string(path).unwrap().lines().count();
    assert!(lines < 80, "{lines} lines");
}

#[test]
fn a_snapshot_that_forgets_something_is_found_by_states_or_answers() {
    let (violation, ..) = first(mistaken(Mistake::ForgetsAnAccount));
    let property = violation.property();
    assert!(
        matches!(
            property,
            Property::StateMachineSafety | Property::Linearizability
        ),
        "{violation}"
    );
}

#[test]
fn a_snapshot_that_forgets_what_is_hashed_is_found_as_it_is_taken_on() {
    for mistake in [Mistake::ForgetsWhatItHashes, Mistake::MergesSnapshots] {
        let (violation, ..) = first(mistaken(mistake));
        assert!(
            matches!(
                violation.breach,
                Breach::StateMachineSafety(StateMachineSafety::OtherStateBySnapshot { .. })
            ),
            "{mistake:?}: {violation}"
        );
    }
}

#[test]
fn a_machine_that_differs_between_nodes_is_found_by_its_states() {
    let (violation, _, page) = first(mistaken(Mistake::HashesItsPlace));
    assert_eq!(violation.property(), Property::StateMachineSafety);
    assert!(page.contains("is in another state after "), "{page}");
    // Whoever is asked next may tell of it before the next node applies it.
    let (violation, ..) = first(mistaken(Mistake::MovesByItsPlace));
    let property = violation.property();
    assert!(
        matches!(
            property,
            Property::StateMachineSafety | Property::Linearizability
        ),
        "{violation}"
    );
}

#[test]
fn answers_that_are_wrong_everywhere_are_found_by_the_model_and_told_in_words() {
    let (violation, _, page) = first(mistaken(Mistake::MakesMoney));
    let Breach::Linearizability(Linearizability::NotByModel { stuck }) = &violation.breach else {
        panic!("{violation}");
    };
    let named = stuck.iter().any(|asked| {
        let answer = asked.answer.as_deref().unwrap_or_default();
        asked.command.starts_with("move ") && answer.starts_with("moved, ")
    });
    assert!(named, "{violation}");
    assert!(page.contains(&stuck[0].to_string()), "{page}");
    let trace = page.split_once("causal trace").unwrap().1;
    assert!(trace.contains(" to move "), "{page}");
    // Nobody knows better without a model.
    let bank = Mistaken {
        bank: OPENED,
        mistake: Mistake::MakesMoney,
        clone: 0,
    };
    squall::check(WithMachine::new(RaftRs, bank, Transfers))
        .seeds(20)
        .run();
}

#[test]
fn a_command_that_applies_twice_is_found_with_and_without_a_model() {
    let injected = Injected {
        subject: RaftRs,
        bug: Bug::ApplyRetries,
    };
    let without = WithMachine::new(injected, OPENED, Transfers);
    let with = without.clone().with_model_of([50; 4], alone);
    for subject in [with, without] {
        let (violation, ..) = first(subject);
        let Breach::ExactlyOnce(ExactlyOnce::RepeatedOnMachine { asked, .. }) = &violation.breach
        else {
            panic!("{violation}");
        };
        assert!(asked.command.starts_with("move "), "{violation}");
    }
}

#[test]
fn an_answer_other_than_that_of_the_log_is_told_with_both() {
    /// Says what its number is.
    #[derive(Debug)]
    struct Numbered(u8);

    impl Clone for Numbered {
        fn clone(&self) -> Self {
            static CLONES: AtomicU8 = AtomicU8::new(0);
            Self(CLONES.fetch_add(1, Ordering::Relaxed))
        }
    }

    impl Machine for Numbered {
        fn apply(&mut self, _: &[u8]) -> Vec<u8> {
            format!("number {}", self.0).into()
        }

        fn snapshot(&self) -> Vec<u8> {
            Vec::new()
        }

        fn restore(&mut self, _: &[u8]) -> bool {
            true
        }
    }

    /// Says nothing of words: then bytes are text, or else digits.
    struct Looks;

    impl Commands for Looks {
        fn draw(&self, _: u32, _: &mut Choices) -> Vec<u8> {
            vec![b'l', 0xFF]
        }
    }

    let (violation, ..) = first(WithMachine::new(RaftRs, Numbered(0), Looks));
    let Breach::Linearizability(Linearizability::OtherThanLog { asked, right }) = &violation.breach
    else {
        panic!("{violation}");
    };
    let (told, right) = (asked.answer.as_deref().unwrap(), right.as_deref().unwrap());
    assert_eq!(asked.command, "6cff");
    assert!(told.starts_with("number ") && right.starts_with("number "));
    assert_ne!(told, right);
}

#[test]
fn a_panic_of_the_machine_is_a_violation_wherever_it_happens_first() {
    let (violation, ..) = first(mistaken(Mistake::Panics));
    assert_eq!(violation.property(), Property::NoPanic);
    assert!(violation.message().contains("is too much"), "{violation}");
}

#[test]
fn a_failure_shrinks_to_simple_commands_and_its_plan_is_replayed() {
    let kept = tempfile::tempdir().unwrap();
    let check = || squall::check(mistaken(Mistake::MakesMoney)).regressions(kept.path());
    let told = check().seeds(50).try_run().unwrap_err().to_string();
    // The least that makes money.
    assert!(told.contains("to move 21 from 0 to 0"), "{told}");
    let files = std::fs::read_dir(kept.path()).unwrap();
    let path = files
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "json"))
        .unwrap();
    let plan = Plan::read(&path).unwrap();
    assert!(plan.to_json().contains("of-machine"), "{}", plan.to_json());
    let script = plan.script.as_ref().unwrap();
    assert_eq!(script.len(), 1, "{script:?}");
    let told = check().seeds(0..1).try_run().unwrap_err().to_string();
    assert!(told.contains("regression "), "{told}");

    // As the command line has it, for this subject and for another.
    let path = path.to_str().unwrap();
    let bank = || {
        vec![
            RegisteredSubject::new(&plan.subject, "", mistaken(Mistake::MakesMoney)),
            RegisteredSubject::new("raft-rs", "", RaftRs),
        ]
    };
    let run = |arguments: &[&str]| {
        let arguments = ["bank"].iter().chain(arguments);
        squall::cli::run(bank(), arguments.map(Into::into))
    };
    assert_eq!(run(&["replay", path]), 1);
    assert_eq!(run(&["diff", path, path]), 0);
    assert_eq!(run(&["show", path]), 1);
    let smaller = kept.path().join("smaller.json");
    let smaller = smaller.to_str().unwrap();
    assert_eq!(run(&["shrink", path, "--out", smaller]), 1);
    assert_eq!(run(&["replay", smaller]), 1);
    assert_eq!(run(&["replay", path, "--subject", "raft-rs"]), 2);
    let wrong = plan
        .check_own_options(RegisteredSubject::new("", "", RaftRs).runner.own())
        .unwrap_err()
        .to_string();
    let words = "; legal: on keys and locks, for this subject replicates no machine";
    assert!(
        wrong.starts_with("script[0].operation is \"run command "),
        "{wrong}"
    );
    assert!(wrong.ends_with(words), "{wrong}");

    // And as a story.
    let story = Story::parse(Path::new("x.sim"), &of_plan(&plan));
    let told = story.tell(&bank()[0]).unwrap().unwrap();
    let violation = told.violation.expect("it is the same plan");
    assert_eq!(violation.property(), Property::Linearizability);
}

#[test]
fn what_asks_for_keys_says_so_in_a_line() {
    let bank = RegisteredSubject::new("bank", "", honest());
    let text = "run 500ms\nclient 0 n1 put k1 1\nrun 10ms\nheal\n";
    let story = Story::parse(Path::new("x.sim"), text);
    let told = story.tell(&bank).unwrap_err().to_string();
    assert_eq!(
        told,
        "x.sim: script[0].operation is \"put k1 = 1\"; it must be a command of the machine that \
         this subject replicates"
    );
}

#[test]
fn clients_ask_a_machine_only_for_what_it_does() {
    let bank = RegisteredSubject::new("bank", "", honest());
    let profile = Profile::load("storm").unwrap();
    for seed in 0..20 {
        let mut plan = bank.plans(&profile).draw(seed);
        let mut recording = squall::engine::Recording::default();
        let watch = Observer {
            recording: Some(&mut recording),
            ..Observer::default()
        };
        let drawn = bank.runner.run(&plan, watch);
        assert!(recording.script.len() > 2);
        for asked in &recording.script {
            assert!(asked.operation.is_of_machine() && !asked.around_log);
        }
        // What was drawn is the same when it is asked for by a script.
        plan.script = Some(recording.script);
        plan.validate().unwrap();
        let listed = bank.runner.run(&plan, Observer::default());
        assert_eq!(listed.failure, None);
        let count = |outcome: &squall::engine::Outcome| {
            let event = squall::counters::Counter::CommandSent;
            outcome.counters.get(event)
        };
        assert!(count(&listed).abs_diff(count(&drawn)) <= 2);
    }
}

#[test]
fn a_subject_around_it_that_hides_its_machine_is_told() {
    struct Hiding(WithMachine<RaftRs>);

    impl Subject for Hiding {
        type Replica = <RaftRs as Subject>::Replica;

        fn boot(
            &self,
            boot: &BootContext<'_>,
            disk: Recovered,
            out: &mut Output<<Self::Replica as Replica>::Message>,
        ) -> Result<Self::Replica, BootError> {
            self.0.boot(boot, disk, out)
        }
    }

    let (violation, ..) = first(Hiding(honest()));
    let words = "has to hand on Subject::service";
    assert!(violation.message().contains(words), "{violation}");
}
