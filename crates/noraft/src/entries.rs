//! Entries as bytes. noraft's log holds positions, terms and configurations; what a
//! command is, its user keeps. On the disk all entries are alike, and from what the
//! disk kept the whole log is built again:
//!
//! - a command is a normal entry with the command as its data;
//! - the entry that begins a term is a normal entry without data;
//! - a configuration is an entry of its own kind.

use bytes::Bytes;
use noraft::{ClusterConfig, LogEntries, LogEntry};

use super::messages;
use squall_core::configuration::Configuration;
use squall_core::log_vec::Indexed;
use squall_core::storage::{Entry, EntryKind, Snapshot, StableState};

/// The only format in which configurations are written.
const FORMAT: EntryKind = EntryKind::Configuration(1);

/// What a configuration's bytes begin with. No command begins so: five bytes with their
/// highest bits set are no `u32` in the encoding of commands.
const PREFIX: [u8; 5] = [0xFF; 5];

/// An entry for the disk. Of a command, `data` holds the content.
pub(super) fn entry(term: u64, entry: &LogEntry, data: Option<Bytes>) -> Entry {
    let (kind, data) = match entry {
        LogEntry::Term(_) => (EntryKind::Normal, Bytes::new()),
        LogEntry::ClusterConfig(config) => (FORMAT, encode(config)),
        LogEntry::Command => {
            let data = data.filter(|data| !data.is_empty());
            (
                EntryKind::Normal,
                data.expect("a command comes with its content"),
            )
        }
    };
    Entry { term, kind, data }
}

/// The entry as noraft has it.
fn parsed(entry: &Entry) -> LogEntry {
    match entry.kind {
        EntryKind::Configuration(_) => LogEntry::ClusterConfig(decode(&entry.data)),
        EntryKind::Normal if entry.data.is_empty() => LogEntry::Term(noraft::Term::new(entry.term)),
        EntryKind::Normal => LogEntry::Command,
    }
}

fn encode(config: &ClusterConfig) -> Bytes {
    let mut bytes = PREFIX.to_vec();
    for set in [&config.voters, &config.new_voters, &config.non_voters] {
        bytes.push(set.len() as u8);
        bytes.extend(set.iter().map(|id| id.get() as u8));
    }
    bytes.into()
}

fn decode(bytes: &[u8]) -> ClusterConfig {
    let mut rest = bytes[PREFIX.len()..].iter().copied();
    let mut set = || {
        let count = rest.next().expect("written by a node of this kind");
        let ids = rest.by_ref().take(count.into());
        ids.map(|id| noraft::NodeId::new(id.into())).collect()
    };
    let mut config = ClusterConfig::new();
    config.voters = set();
    config.new_voters = set();
    config.non_voters = set();
    config
}

/// noraft's log of what a disk kept, after the snapshot if there is one.
pub(super) fn log(state: &StableState, configuration: &Configuration) -> noraft::Log {
    let (term, index) = state
        .snapshot
        .as_ref()
        .map_or((0, 0), |Snapshot { term, index, .. }| (*term, *index));
    let after = state.log.iter().filter(|(at, _)| *at > index);
    let entries = LogEntries::from_iter(
        messages::position(term, index),
        after.map(|(_, entry)| parsed(entry)),
    );
    noraft::Log::new(messages::cluster_config(configuration), entries)
}

/// A copy of the log that a disk kept.
pub(super) fn contents(state: &StableState) -> Indexed<Entry> {
    let mut log = Indexed::starting_at(state.log.first());
    state
        .log
        .iter()
        .for_each(|(_, entry)| log.push(entry.clone()));
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::ids::{NodeId, NodeSet};
    use squall_core::service::Command;

    #[test]
    fn a_configuration_comes_back_from_its_bytes_and_is_no_command() {
        let set = |nodes: &[u8]| nodes.iter().copied().map(NodeId).collect::<NodeSet>();
        let joint = Configuration {
            voters: set(&[1, 2]),
            outgoing: set(&[2, 3]),
            learners: set(&[4]),
            auto_leave: true,
            ..Configuration::default()
        };
        for configuration in [joint, Configuration::of(set(&[5]))] {
            let config = messages::cluster_config(&configuration);
            let bytes = encode(&config);
            assert_eq!(decode(&bytes), config);
            assert_eq!(messages::configuration(&config), configuration);
            assert_eq!(Command::decode(&bytes), None);
        }
    }
}
