//! An example of each way in which what clients see breaks a rule.

use squall_core::history::{Asked, AskedInWords};
use squall_core::ids::NodeSet;
use squall_core::invariants::breach::{
    Answered, Breach, ExactlyOnce, Linearizability, LockSafety, ReadIndex,
};
use squall_core::service::{self, Answer, Part};
use squall_linearizability::models::{KeyValue, KeyValueInput, KeyValueOutput};
use squall_linearizability::{self, Budget, Operation};

use super::examples::{joint, simple, voters};

/// What clients of a key-value server saw: a value that nobody wrote.
fn unexplained() -> Linearizability {
    let key = || "k1".to_owned();
    let put = KeyValueInput::Put {
        key: key(),
        value: "1.1".to_owned(),
    };
    let get = KeyValueInput::Get { key: key() };
    let other = KeyValueOutput::Value(Some("2.1".to_owned()));
    let history = [
        Operation::ok(1, put.clone(), KeyValueOutput::Done, 10, 20),
        Operation::unknown(1, put, 30),
        Operation::ok(2, get, other, 40, 50),
    ];
    let verdict = squall_linearizability::check(&KeyValue, &history, Budget::default());
    let squall_linearizability::Verdict::NotLinearizable(counterexample) = verdict else {
        panic!("{verdict:?}");
    };
    Linearizability::NoOrderOnServer {
        excerpt: counterexample.excerpt(&history),
    }
}

fn in_words(answer: Option<&str>) -> AskedInWords {
    AskedInWords {
        client: 1,
        sequence: 9,
        command: "move 5 from 0 to 1".to_owned(),
        answer: answer.map(str::to_owned),
    }
}

pub(super) fn of_what_clients_see() -> Vec<Breach> {
    let asked = |operation, answer| Asked {
        client: 1,
        sequence: 9,
        operation,
        answer,
    };
    let get = asked(
        service::Operation::Get { key: 1 },
        Some(Answer::Value { value: None }),
    );
    let renew = service::Operation::Renew {
        lock: 2,
        token: 6,
        lease_us: 50,
    };
    vec![
        Linearizability::NoOrder {
            part: Part::Key(1),
            stuck: vec![get],
        }
        .into(),
        Linearizability::NoOrder {
            part: Part::Locks,
            stuck: vec![asked(renew, None), get],
        }
        .into(),
        Linearizability::Stale { index: 5, floor: 7 }.into(),
        unexplained().into(),
        ReadIndex::Unconfirmed {
            term: 3,
            heard: voters(&[2]),
            configuration: joint(),
        }
        .into(),
        ReadIndex::Unconfirmed {
            term: 3,
            heard: NodeSet::default(),
            configuration: simple(),
        }
        .into(),
        ReadIndex::Behind {
            index: 5,
            committed: 7,
        }
        .into(),
        ExactlyOnce::Repeated {
            answer: Answer::Done { version: 2 },
            right: Answer::Done { version: 1 },
        }
        .into(),
        Answered::NotByLeader {
            client: 1,
            sequence: 9,
            reads: true,
            term: 3,
            elections: 4,
        }
        .into(),
        Answered::NotByLeader {
            client: 1,
            sequence: 9,
            reads: false,
            term: 3,
            elections: 4,
        }
        .into(),
        Answered::NotWhenApplied {
            client: 1,
            sequence: 9,
            index: 7,
        }
        .into(),
        LockSafety::TokenTwice {
            lock: 2,
            token: 6,
            client: 1,
            other: 3,
        }
        .into(),
        LockSafety::GrantedTooEarly {
            lock: 2,
            client: 1,
            token: 6,
            since_us: 100,
            other: 3,
            other_token: 5,
            other_until_us: 150,
        }
        .into(),
        LockSafety::HeldTooLong {
            lock: 2,
            client: 3,
            token: 5,
            until_us: 150,
            other: 1,
            other_token: 6,
            other_since_us: 100,
        }
        .into(),
        LockSafety::StaleToken {
            lock: 2,
            token: 5,
            newer: 6,
        }
        .into(),
        LockSafety::RevokedAfterRenewal {
            lock: 2,
            token: 6,
            index: 40,
            seen: 3,
            renewals: 4,
        }
        .into(),
        Linearizability::OtherThanLog {
            asked: in_words(Some("moved, 45 and 55 are left")),
            right: Some("too little".to_owned()),
        }
        .into(),
        Linearizability::OtherThanLog {
            asked: in_words(Some("too little")),
            right: None,
        }
        .into(),
        Linearizability::NotByModel {
            stuck: vec![in_words(Some("too little")), in_words(None)],
        }
        .into(),
        ExactlyOnce::RepeatedOnMachine {
            asked: in_words(Some("moved, 40 and 60 are left")),
            right: "moved, 45 and 55 are left".to_owned(),
        }
        .into(),
    ]
}
