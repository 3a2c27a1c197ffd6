//! The library's messages as bytes, and what a forger can do to them.

use protobuf::Message as _;
// With prost an enum has its values without the trait.
#[allow(unused_imports)]
use protobuf::ProtobufEnum as _;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

use super::RaftRs;
use squall_core::ids::NodeId;
use squall_core::message_fuzzing::Wire;
use squall_core::plan::MAX_NODES;

/// The message that `bytes` are; none if they are none. (What prost makes has no
/// `parse_from_bytes`.)
pub(crate) fn parse<M: protobuf::Message>(bytes: &[u8]) -> Option<M> {
    let mut message = M::new();
    message.merge_from_bytes(bytes).ok()?;
    Some(message)
}

impl Wire for RaftRs {
    fn encode(message: &Message) -> Vec<u8> {
        message.write_to_bytes().expect("a message can be written")
    }

    fn decode(bytes: &[u8]) -> Option<Message> {
        parse(bytes)
    }

    fn forge(message: &mut Message, field: u8, value: u64) {
        match field % 16 {
            0 => message.term = value,
            1 => message.index = value,
            2 => message.log_term = value,
            3 => message.commit = value,
            4 => message.commit_term = value,
            5 => message.reject = value % 2 == 1,
            6 => message.reject_hint = value,
            7 => message.from = value % u64::from(MAX_NODES) + 1,
            8 => message.request_snapshot = value,
            9 => message.priority = value as i64,
            10 => message.context = value.to_be_bytes().to_vec().into(),
            11 => {
                let kinds = MessageType::values();
                message.set_msg_type(kinds[value as usize % kinds.len()]);
            }
            12 => {
                let index = message.index + 1 + message.entries.len() as u64;
                let mut entry = Entry::default();
                (entry.index, entry.term) = (index, value);
                message.mut_entries().push(entry);
            }
            13 => {
                if let Some(entry) = message.mut_entries().last_mut() {
                    entry.term = value;
                }
            }
            14 => {
                if let Some(entry) = message.mut_entries().last_mut() {
                    entry.set_entry_type(EntryType::EntryConfChangeV2);
                    entry.data = value.to_be_bytes().to_vec().into();
                }
            }
            _ => message.mut_snapshot().mut_metadata().index = value,
        }
    }

    fn addressee(message: &Message) -> Option<NodeId> {
        let ids = 1..=u64::from(MAX_NODES);
        let local = matches!(
            message.get_msg_type(),
            MessageType::MsgHup
                | MessageType::MsgBeat
                | MessageType::MsgUnreachable
                | MessageType::MsgSnapStatus
                | MessageType::MsgCheckQuorum
        );
        let addressed = ids.contains(&message.to) && !local;
        addressed.then_some(NodeId(message.to as u8))
    }
}
