//! raft's messages in words, for `repr()` in Python.
//!
//! rraft-py expects this module in a fork of raft; the released crate has none, so `build.py` puts this file into
//! rraft-py itself. It only formats: nothing that a node does depends on it. The names are those that rraft-py uses.

use std::fmt::{self, Debug, Formatter};
use std::sync::OnceLock;

use raft::eraftpb::{ConfChange, ConfChangeV2, Entry, Message, Snapshot};

/// What a field of bytes holds. With the codec that rraft-py is built with, it is always `Prost`.
#[allow(dead_code)]
pub enum Bytes {
    Prost(Vec<u8>),
    Protobuf(Vec<u8>),
}

/// How a user of rraft-py wants fields shown whose content is the user's own.
pub trait CustomDeserializer {
    fn entry_context_deserialize(&self, bytes: &Bytes) -> String;
    fn entry_data_deserialize(&self, bytes: &Bytes) -> String;
    fn confchangev2_context_deserialize(&self, bytes: &Bytes) -> String;
    fn confchange_context_deserialize(&self, bytes: &Bytes) -> String;
    fn message_context_deserializer(&self, bytes: &Bytes) -> String;
    fn snapshot_data_deserializer(&self, bytes: &Bytes) -> String;
}

type Deserializer = Box<dyn CustomDeserializer + Send + Sync>;

static DESERIALIZER: OnceLock<Deserializer> = OnceLock::new();

/// Shows fields as `deserializer` says from now on. The first one stays.
pub fn set_custom_deserializer(deserializer: impl CustomDeserializer + Send + Sync + 'static) {
    let _ = DESERIALIZER.set(Box::new(deserializer));
}

/// The field `bytes`, as `shown` by the user, or as it is.
fn field(bytes: &[u8], shown: fn(&Deserializer, &Bytes) -> String) -> Verbatim {
    Verbatim(match DESERIALIZER.get() {
        Some(deserializer) => shown(deserializer, &Bytes::Prost(bytes.to_vec())),
        None => format!("{bytes:?}"),
    })
}

/// Text that is shown as it is, without quotation marks.
struct Verbatim(String);

impl Debug for Verbatim {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub fn format_entry(entry: &Entry) -> String {
    let context = field(&entry.context, |d, bytes| d.entry_context_deserialize(bytes));
    let data = field(&entry.data, |d, bytes| d.entry_data_deserialize(bytes));
    format!(
        "Entry {{ context: {context:?}, data: {data:?}, entry_type: {:?}, index: {}, sync_log: {}, term: {} }}",
        entry.get_entry_type(),
        entry.index,
        entry.sync_log,
        entry.term,
    )
}

pub fn format_confchange(change: &ConfChange) -> String {
    let context = field(&change.context, |d, bytes| d.confchange_context_deserialize(bytes));
    format!(
        "ConfChange {{ change_type: {:?}, node_id: {}, context: {context:?}, id: {} }}",
        change.get_change_type(),
        change.node_id,
        change.id,
    )
}

pub fn format_confchangev2(change: &ConfChangeV2) -> String {
    let context = field(&change.context, |d, bytes| d.confchangev2_context_deserialize(bytes));
    format!(
        "ConfChangeV2 {{ transition: {:?}, changes: {:?}, context: {context:?} }}",
        change.get_transition(),
        change.changes,
    )
}

pub fn format_snapshot(snapshot: &Snapshot) -> String {
    let data = field(&snapshot.data, |d, bytes| d.snapshot_data_deserializer(bytes));
    format!("Snapshot {{ data: {data:?}, metadata: {:?} }}", snapshot.metadata)
}

pub fn format_message(message: &Message) -> String {
    let context = field(&message.context, |d, bytes| d.message_context_deserializer(bytes));
    let entries: Vec<Verbatim> = message.entries.iter().map(format_entry).map(Verbatim).collect();
    let snapshot = message.snapshot.as_ref().map(format_snapshot).map(Verbatim);
    format!(
        "Message {{ msg_type: {:?}, to: {}, from: {}, term: {}, log_term: {}, index: {}, entries: {entries:?}, \
         commit: {}, commit_term: {}, snapshot: {snapshot:?}, request_snapshot: {}, reject: {}, reject_hint: {}, \
         context: {context:?}, priority: {} }}",
        message.get_msg_type(),
        message.to,
        message.from,
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.request_snapshot,
        message.reject,
        message.reject_hint,
        message.priority,
    )
}
