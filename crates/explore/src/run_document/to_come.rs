//! What is to come after the present of a run that was ended there.

use std::collections::BTreeMap;

use serde::Serialize;

use squall_core::engine::Ahead;
use squall_core::faults::{Intercept, OnItsWay};

use super::build::Builder;

/// What is to come after the present of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ToCome {
    /// When something happens next, in microseconds since the start; none when nothing will.
    pub next_us: Option<u64>,
    /// The messages on their way, in the order in which they are to arrive.
    pub messages: Vec<MessageToCome>,
}

/// A message that is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageToCome {
    /// The message, by its place in the document.
    pub message: usize,
    /// When it is to arrive, in microseconds since the start.
    pub arrives_us: u64,
    /// How commands of stories name it: `append n1 -> n2 nth=2`.
    pub name: String,
}

impl Builder {
    /// What is to come, in the terms of the document.
    pub fn to_come(&self, ahead: &Ahead) -> ToCome {
        let mut named = BTreeMap::<_, u32>::new();
        let mut messages = Vec::new();
        for one in &ahead.messages {
            let (from, to, kind) = (one.from, one.to, one.kind);
            let nth = named.entry((from, to, kind)).or_default();
            *nth += 1;
            let intercept = Intercept {
                from,
                to,
                kind,
                nth: *nth,
                then: OnItsWay::Arrives,
            };
            if let Some(message) = self.on_its_way(one.parcel) {
                messages.push(MessageToCome {
                    message,
                    arrives_us: one.arrives_us,
                    name: intercept.message_words(),
                });
            }
        }
        ToCome {
            next_us: ahead.next_us,
            messages,
        }
    }
}
