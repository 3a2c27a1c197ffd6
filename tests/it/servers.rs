//! Servers on madsim, with the smallest that there can be: one node, which leads, and a log in one
//! file.

use squall_core::faults;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use madsim::time::sleep;
use squall::madsim::servers::{ClientHandle, Incarnation, Judged, Server, Started, Storm};
use squall::madsim::shim::fs;
use squall_core::counters::Counter;
use squall_core::engine::{Engine, Line, Observer, Outcome};
use squall_core::ids::{NodeId, Role};
use squall_core::invariants::Verdict;
use squall_core::invariants::breach::{
    Breach, DurableCommit, LeaderAppendOnly, Liveness, Monotonic, NoPanic,
};
use squall_core::plan::{Fault, LossMode, Plan, What, When};
use squall_core::registry::{RegisteredSubject, Runner};
use squall_core::storage::{Entry, EntryKind};

use super::support::quiet_plan;

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    /// It says that it has synced, and has not.
    LiesAboutSyncs,
    /// It commits before it syncs.
    CommitsEarly,
    /// It panics when it starts again.
    Panics,
    /// It writes another entry where it has read one.
    Forgets,
    /// It does not start again.
    Refuses,
}

/// One node that follows, and whose second incarnation finds what a power failure has left of a
/// write over two entries: the log is cut, and nothing is written in their place.
struct Cutting;

impl Server for Cutting {
    type Run = ();
    type End = ();

    fn begin(&self, _: &Plan) {}

    async fn serve(self: Arc<Self>, incarnation: Incarnation) {
        let probe = incarnation.probe;
        let entries = match incarnation.number {
            0 => Vec::new(),
            _ => vec![entry(1, 1)],
        };
        probe.started(&Started {
            term: 2 * u64::from(incarnation.number.min(1)),
            entries,
            ..Started::default()
        });
        if incarnation.number == 0 {
            probe.voted(1, None);
            for number in 1..=3 {
                probe.appended(number, &entry(1, number as u8));
            }
            probe.voted(2, None);
            probe.synced(probe.sync_begins());
            probe.appended(2, &entry(2, 9));
        }
        std::future::pending().await
    }

    async fn ask(self: Arc<Self>, _: Arc<()>, _: ClientHandle) {}

    fn judge(&self, (): &()) -> Verdict<Judged> {
        Ok(Judged::Fine)
    }
}

#[test]
fn a_log_may_be_cut_and_not_yet_written_where_the_power_fails() {
    let cut = Storm::over(Cutting).run(&plan(vec![crash(205_000)]), Observer::default());
    let failure = cut.failure.unwrap().violation.breach;
    // It never leads; its log is not what is wrong.
    assert!(matches!(failure, Breach::Liveness(_)), "{failure:?}");
}

#[test]
fn a_server_that_ends_with_an_error_again_and_again_is_told_with_it() {
    let Breach::Liveness(Liveness::ServersNotConverged { unmet, .. }) = breaks(Wrong::Refuses)
    else {
        panic!("nothing is answered");
    };
    let words = unmet.to_string();
    assert!(words.starts_with("n1's server has ended "), "{words}");
    assert!(
        words.ends_with(" times, last with: the log is damaged"),
        "{words}"
    );
}

struct Counting(Wrong);

fn entry(term: u64, number: u8) -> Entry {
    Entry {
        term,
        kind: EntryKind::Normal,
        data: Bytes::copy_from_slice(&[number]),
    }
}

/// One byte an entry; its term is the incarnation that wrote it.
async fn serve(wrong: Wrong, incarnation: Incarnation) -> std::io::Result<()> {
    let probe = incarnation.probe;
    assert!(
        wrong != Wrong::Panics || incarnation.number == 0,
        "once is enough"
    );
    if wrong == Wrong::Refuses && incarnation.number > 0 {
        return Err(std::io::Error::other("the log is damaged"));
    }
    let file = fs::File::open_or_create("log").await?;
    fs::sync_dir("").await?;
    let bytes = file.read_all().await?;
    file.sync_data().await?;
    let term = u64::from(incarnation.number) + 1;
    let read: Vec<Entry> = bytes
        .chunks_exact(2)
        .map(|pair| entry(pair[0].into(), pair[1]))
        .collect();
    file.set_len(2 * read.len() as u64).await?;
    probe.started(&Started {
        // Each incarnation before has made its own durable.
        term: incarnation.number.into(),
        vote: (incarnation.number > 0).then_some(incarnation.node),
        entries: read.clone(),
        ..Started::default()
    });
    probe.voted(term, Some(incarnation.node));
    probe.synced(probe.sync_begins());
    probe.role(Role::Leader, term);
    let mut next = read.len() as u64 + 1;
    if wrong == Wrong::Forgets && next > 1 {
        next -= 1;
    }
    let mut applied = 0;
    loop {
        let number = (next % 250) as u8;
        probe.appended(next, &entry(term, number));
        file.append(&[term as u8, number]).await?;
        if wrong == Wrong::CommitsEarly {
            probe.committed(next);
        }
        let begun = probe.sync_begins();
        match wrong {
            Wrong::LiesAboutSyncs => sleep(Duration::from_millis(1)).await,
            _ => file.sync_data().await?,
        }
        probe.synced(begun);
        probe.committed(next);
        while applied < next {
            applied += 1;
            probe.applied(applied, applied);
        }
        next += 1;
        sleep(Duration::from_millis(10)).await;
    }
}

impl Server for Counting {
    type Run = AtomicU64;
    type End = std::io::Result<()>;

    fn begin(&self, _: &Plan) -> AtomicU64 {
        AtomicU64::new(0)
    }

    async fn serve(self: Arc<Self>, incarnation: Incarnation) -> std::io::Result<()> {
        serve(self.0, incarnation).await
    }

    async fn ask(self: Arc<Self>, run: Arc<AtomicU64>, handle: ClientHandle) {
        while handle.storms() {
            run.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn judge(&self, run: &AtomicU64) -> Verdict<Judged> {
        assert!(
            run.load(Ordering::Relaxed) > 3,
            "clients go on through the storm"
        );
        Ok(Judged::Fine)
    }
}

fn plan(faults: Vec<Fault>) -> Plan {
    Plan {
        faults,
        ..quiet_plan(1)
    }
}

fn crash(at_us: u64) -> Fault {
    let (node, loss) = (NodeId(1), LossMode::LoseAll);
    let what = What::Crash(faults::Crash {
        node,
        loss,
        down_us: 20_000,
    });
    let when = When::AtUs(at_us);
    Fault { when, what }
}

fn run(wrong: Wrong, faults: Vec<Fault>) -> Outcome {
    Storm::over(Counting(wrong)).run(&plan(faults), Observer::default())
}

fn breaks(wrong: Wrong) -> Breach {
    let failure = run(wrong, vec![crash(205_000)]).failure.unwrap();
    failure.violation.breach
}

#[test]
fn a_server_that_keeps_its_word_stands_a_crash_and_goes_the_same_way_twice() {
    let outcome = run(Wrong::Nothing, vec![crash(205_000), crash(400_000)]);
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.counters.get(Counter::Crash), 2);
    assert_eq!(outcome.counters.get(Counter::Restart), 2);
    assert_eq!(outcome.nodes[0].incarnation, 2);
    assert_eq!(
        outcome,
        run(Wrong::Nothing, vec![crash(205_000), crash(400_000)])
    );
}

#[test]
fn what_a_server_does_wrong_is_found_by_the_check_that_it_is_for() {
    let early = breaks(Wrong::CommitsEarly);
    assert!(
        matches!(&early, Breach::DurableCommit(DurableCommit::NoQuorum { holders, .. }) if holders.is_empty()),
        "{early:?}"
    );
    let lost = breaks(Wrong::LiesAboutSyncs);
    assert!(
        matches!(&lost, Breach::Monotonic(Monotonic::RestartedWithLog { last, durable }) if last < durable),
        "{lost:?}"
    );
    let Breach::NoPanic(NoPanic::Panicked { panic }) = breaks(Wrong::Panics) else {
        panic!("it panics");
    };
    assert_eq!(panic.message, "once is enough");
    assert_eq!(panic.place.unwrap().file, "servers.rs");
    let overwrote = breaks(Wrong::Forgets);
    let Breach::LeaderAppendOnly(LeaderAppendOnly::Overwrote { index, last, .. }) = overwrote
    else {
        panic!("{overwrote:?}");
    };
    assert_eq!(index, last);
}

#[test]
fn a_server_whose_sync_fails_stops_and_its_machine_is_switched_off_and_on() {
    let fails = Fault {
        when: When::AtUs(205_000),
        what: What::FailSync(faults::FailSync { node: NodeId(1) }),
    };
    let outcome = run(Wrong::Nothing, vec![fails]);
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.counters.get(Counter::Halt), 1);
    assert_eq!(outcome.counters.get(Counter::SyncFailed), 1);
    assert_eq!(outcome.nodes[0].incarnation, 1);
}

#[test]
fn a_fault_strikes_when_a_disk_begins_its_nth_sync() {
    let at_sync = |nth, what| Fault {
        when: When::Sync {
            node: NodeId(1),
            nth,
        },
        what,
    };
    let crash = crash(0).what;
    let fails = What::FailSync(faults::FailSync { node: NodeId(1) });
    // The third is the first entry's, which is not durable then.
    let mut outcomes = Vec::new();
    for (what, halts) in [(crash, 0), (fails, 1)] {
        let outcome = run(Wrong::Nothing, vec![at_sync(3, what)]);
        assert_eq!(outcome.failure, None);
        assert_eq!(outcome.counters.get(Counter::Halt), halts);
        assert_eq!(outcome.counters.get(Counter::WriteLost), 1 - halts);
        assert_eq!(outcome.nodes[0].incarnation, 1);
        outcomes.push(outcome);
    }
    assert_eq!(outcomes[1].counters.get(Counter::SyncFailed), 1);
}

#[test]
fn a_server_is_on_madsim_whatever_engine_is_asked_for() {
    let named = RegisteredSubject::new("counting", "counts", Storm::over(Counting(Wrong::Nothing)));
    assert_eq!(named.engine, squall::madsim::ENGINE);
    let asked = named.on(Engine::LOCKSTEP);
    assert_eq!(asked.title(), "counting on madsim");
    let outcome = asked.runner.run(&plan(Vec::new()), Observer::default());
    assert_eq!(outcome, run(Wrong::Nothing, Vec::new()));
}

#[test]
fn the_trace_says_what_happens_and_what_is_left_out() {
    let jump = Fault {
        when: When::AtUs(1_000),
        what: What::Jump(faults::Jump {
            node: NodeId(1),
            by_us: 5,
        }),
    };
    let mut lines = Vec::new();
    let mut add = |line: Line| lines.push(line.to_string());
    let watch = Observer {
        lines: Some(&mut add),
        ..Observer::default()
    };
    let plan = plan(vec![jump, crash(205_000)]);
    let outcome = Storm::over(Counting(Wrong::Nothing)).run(&plan, watch);
    assert_eq!(outcome.failure, None);
    let has = |words: &str| lines.iter().any(|line| line.contains(words));
    assert!(
        has("left out: ") && has("loses power") && has("starts, incarnation 1") && has("converged")
    );
}
