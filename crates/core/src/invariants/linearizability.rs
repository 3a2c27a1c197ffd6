//! Linearizability: every operation appears to take effect at one instant between
//! its invocation and its answer (Herlihy & Wing, TOPLAS 1990; dissertation,
//! section 6.3). Stale reads, lost updates and phantom values all show here; a read of a state that
//! is too old does even where its value is right by chance (dissertation, section 6.4: the read
//! index). And Exactly Once: a command that a client sent again applies once.
//!
//! The work is `history`'s; this file says what its findings mean.

use super::{Verdict, Violation, breach};
use crate::counters::{Counter, Counters};
use crate::history::{Settled, Wrong, WrongByMachine};
use crate::ids::NodeId;

/// `id` gave an answer that was `settled` so; none when the run is over, and what was left open is.
pub(super) fn judge(
    id: Option<NodeId>,
    settled: Result<Settled, Wrong>,
    counters: &mut Counters,
) -> Verdict {
    match settled {
        Ok(settled) => {
            count(settled, counters);
            Ok(())
        }
        Err(wrong) => Err(broken(id, wrong)),
    }
}

/// The same of an answer of a machine of a user's own.
pub(super) fn judge_machine(
    id: Option<NodeId>,
    settled: Result<Settled, WrongByMachine>,
    counters: &mut Counters,
) -> Verdict {
    match settled {
        Ok(settled) => {
            count(settled, counters);
            Ok(())
        }
        Err(wrong) => Err(broken_by_machine(id, wrong)),
    }
}

fn count(settled: Settled, counters: &mut Counters) {
    match settled {
        Settled::ByLog => {}
        Settled::BySearch => counters.hit(Counter::OrderSearched),
        Settled::NotYet => counters.hit(Counter::OrderUndecided),
    }
}

#[cold]
fn broken_by_machine(id: Option<NodeId>, wrong: WrongByMachine) -> Box<Violation> {
    match wrong {
        WrongByMachine::OtherThanLog { asked, right } => {
            Violation::by(id, breach::Linearizability::OtherThanLog { asked, right })
        }
        WrongByMachine::NotByModel { stuck } => {
            Violation::by(id, breach::Linearizability::NotByModel { stuck })
        }
        WrongByMachine::Repeated { asked, right } => {
            Violation::by(id, breach::ExactlyOnce::RepeatedOnMachine { asked, right })
        }
    }
}

#[cold]
fn broken(id: Option<NodeId>, wrong: Wrong) -> Box<Violation> {
    match wrong {
        Wrong::NotLinearizable { part, stuck } => {
            Violation::by(id, breach::Linearizability::NoOrder { part, stuck })
        }
        Wrong::Stale { index, floor } => {
            Violation::by(id, breach::Linearizability::Stale { index, floor })
        }
        Wrong::Repeated { answer, right } => {
            Violation::by(id, breach::ExactlyOnce::Repeated { answer, right })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::breach::{ExactlyOnce, Linearizability};
    use super::*;
    use crate::history::Asked;
    use crate::ids::Index;
    use crate::invariants::by_hand::{ByHand, broken};
    use crate::replica::ReplyOutcome;
    use crate::service::{Answer, Command, Operation, Part};

    const GET: Operation = Operation::Get { key: 1 };
    const PUT: Operation = Operation::Put { key: 1, value: 7 };
    const SEVEN: Answer = Answer::Value { value: Some(7) };
    const NOTHING: Answer = Answer::Value { value: None };
    const ONCE: Answer = Answer::Done { version: 1 };

    fn command(client: u32, operation: Operation) -> Command {
        Command {
            client,
            sequence: 1,
            time_us: 0,
            operation,
        }
    }

    /// n1 leads, and commits these commands.
    fn committed(commands: &[Command]) -> ByHand {
        let mut cluster = ByHand::new(1);
        cluster.elect(1, 1);
        for (index, command) in (1..).zip(commands) {
            let data = command.encode(0);
            cluster.write_entry(1, index, 1, data).unwrap();
            cluster.sync(1);
        }
        cluster
    }

    /// A client asks for `command`; `between` happens, and n1 answers.
    fn ask(
        cluster: &mut ByHand,
        command: Command,
        between: impl FnOnce(&mut ByHand),
        outcome: ReplyOutcome,
    ) -> Verdict {
        let operation = cluster.checks.invoked(command);
        between(cluster);
        let (checks, counters) = (&mut cluster.checks, &mut cluster.counters);
        checks.answered(NodeId(1), operation, &command, &outcome, counters)
    }

    fn put(cluster: &mut ByHand, through: Index, answer: Answer) -> Verdict {
        let commit = |cluster: &mut ByHand| cluster.commit(1, through).unwrap();
        let index = through;
        let outcome = ReplyOutcome::Applied { index, answer };
        ask(cluster, command(1, PUT), commit, outcome)
    }

    fn get(cluster: &mut ByHand, index: Index, answer: Answer) -> Verdict {
        let outcome = ReplyOutcome::Read { index, answer };
        ask(cluster, command(2, GET), |_| {}, outcome)
    }

    #[test]
    fn answers_are_those_of_the_log() {
        let mut cluster = committed(&[command(1, PUT)]);
        assert_eq!(put(&mut cluster, 1, ONCE), Ok(()));
        assert_eq!(get(&mut cluster, 1, SEVEN), Ok(()));
        assert_eq!(cluster.checks.finish(&mut cluster.counters), Ok(()));
    }

    #[test]
    fn an_answer_that_no_order_explains_is_told_with_what_is_asked_and_said() {
        let mut cluster = committed(&[command(1, PUT)]);
        put(&mut cluster, 1, ONCE).unwrap();
        let stuck = Asked {
            client: 2,
            sequence: 1,
            operation: GET,
            answer: Some(NOTHING),
        };
        let breach = Linearizability::NoOrder {
            part: Part::Key(1),
            stuck: vec![stuck],
        };
        assert_eq!(broken(get(&mut cluster, 0, NOTHING)), breach.into());
    }

    #[test]
    fn a_read_of_an_old_state_is_stale_though_its_value_is_right() {
        let other = Operation::Put { key: 2, value: 7 };
        let mut cluster = committed(&[command(1, other)]);
        let operation = cluster.checks.invoked(command(1, other));
        cluster.commit(1, 1).unwrap();
        let outcome = ReplyOutcome::Applied {
            index: 1,
            answer: ONCE,
        };
        let (checks, counters) = (&mut cluster.checks, &mut cluster.counters);
        let asked = command(1, other);
        let told = checks.answered(NodeId(1), operation, &asked, &outcome, counters);
        assert_eq!(told, Ok(()));
        let breach = Linearizability::Stale { index: 0, floor: 1 };
        assert_eq!(broken(get(&mut cluster, 0, NOTHING)), breach.into());
    }

    #[test]
    fn a_retried_command_applies_once() {
        let retried = [command(1, PUT), command(1, PUT)];
        let mut cluster = committed(&retried);
        assert_eq!(put(&mut cluster, 2, ONCE), Ok(()));
        let mut cluster = committed(&retried);
        let twice = Answer::Done { version: 2 };
        let breach = ExactlyOnce::Repeated {
            answer: twice,
            right: ONCE,
        };
        assert_eq!(broken(put(&mut cluster, 2, twice)), breach.into());
    }
}
