//! What chance decided in a run, in the words of plans, so that a plan can say it
//! outright: the operations that clients drew, what the network's rates did to
//! which message, and when faults struck that had waited for something.

use std::collections::BTreeMap;

use crate::faults::{DelayMessage, DuplicateMessage, LoseMessage};
use crate::ids::NodeId;
use crate::plan::{Asked, Fault, Try, What, When};
use crate::replica::{MessageKind, Request};
use crate::service::Command;
use squall_world::network::{Fate, Lost};

/// What chance decided in a run, up to the end of its storm.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The operations that clients asked for, in order.
    pub script: Vec<Asked>,
    /// Messages that were lost, duplicated or late by chance, each as a fault.
    pub network: Vec<Fault>,
    /// Which faults of the plan struck, by their place in it, and when, in microseconds. Those
    /// that befall a message are not among them.
    pub struck: Vec<(usize, u64)>,
    /// Messages of each kind so far, by link.
    sent: BTreeMap<(NodeId, NodeId, MessageKind), u32>,
    /// The newest operation of each client, by its place in `script`.
    newest: BTreeMap<u32, usize>,
}

impl Recording {
    /// A message is sent.
    pub(super) fn sent(&mut self, from: NodeId, to: NodeId, kind: MessageKind) {
        *self.sent.entry((from, to, kind)).or_default() += 1;
    }

    /// What the network made of the newest message of that kind on that link.
    pub(super) fn routed(&mut self, from: NodeId, to: NodeId, kind: MessageKind, fate: Fate) {
        let what = match fate {
            Fate::Lost(Lost::Chance) => What::from(LoseMessage {}),
            Fate::Arrives {
                at_us,
                again_at_us: Some(again_at_us),
                ..
            } => What::from(DuplicateMessage {
                after_us: again_at_us - at_us,
            }),
            Fate::Arrives { late_us, .. } if late_us > 0 => {
                What::from(DelayMessage { by_us: late_us })
            }
            _ => return,
        };
        let nth = self.sent.get(&(from, to, kind)).copied().unwrap_or(1);
        let when = When::Message {
            from,
            to,
            kind,
            nth,
        };
        self.network.push(Fault { when, what });
    }

    /// A client asks for something, for the first time or again.
    pub(super) fn asked(
        &mut self,
        client: u32,
        at: Try,
        request: &Request,
        reads: bool,
        is_new: bool,
    ) {
        if !is_new {
            if let Some(place) = self.newest.get(&client) {
                self.script[*place].tries.push(at);
            }
            return;
        }
        let Some(command) = Command::decode(&request.command) else {
            return;
        };
        let padding = command.padding_in(&request.command);
        self.newest.insert(client, self.script.len());
        self.script.push(Asked {
            client,
            operation: command.operation,
            around_log: reads,
            padding_bytes: padding as u32,
            tries: vec![at],
            crashes: false,
        });
    }

    /// A client crashes with its newest operation under way.
    pub(super) fn crashed(&mut self, client: u32) {
        if let Some(place) = self.newest.get(&client) {
            self.script[*place].crashes = true;
        }
    }
}
