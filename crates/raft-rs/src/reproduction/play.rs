//! Calls made again in the cluster of reproductions. Knows no harness beyond the calls.

#![allow(
    dead_code,
    clippy::pedantic,
    clippy::nursery,
    reason = "the cluster's source is that of reproductions"
)]

include!("cluster.rs");

use std::collections::BTreeSet;

use super::{Note, are_alike, is_in_background, kind, messages, part_of, patience, steps_down};
use squall_core::configuration::{Change, Member, Transition};
use squall_core::engine::of_test;
use squall_core::ids::NodeId;
use squall_core::invariants::Property;
use squall_core::invariants::breach::Panic;
use squall_core::operator::Setting;
use squall_core::options::RaftOptions;
use squall_core::reproduction::{Call, Case, NO_PROGRESS, Noted, What, members};

/// Makes `calls`, then looks at the property; returns the panic that a test of them ends with.
pub(super) fn play(case: &Case, calls: &[Call]) -> Option<Panic> {
    let test = || {
        let mut player = Player::new(case);
        for call in calls {
            player.make(call);
        }
        if matches!(case.property, Property::Liveness) {
            let ids: Vec<u64> = case.up.iter().map(|node| node.0.into()).collect();
            let ticks = patience(&case.plan);
            assert!(
                player.cluster.makes_progress(&ids, ticks as usize),
                "{} {ticks} ticks",
                NO_PROGRESS
            );
        }
    };
    let (_, panic) = of_test(test).err()?;
    panic
}

/// A cluster that calls are made on.
pub(super) struct Player {
    cluster: Cluster,
    options: RaftOptions,
    coarse: bool,
    background: bool,
}

impl Player {
    pub(super) fn new(case: &Case) -> Self {
        let plan = &case.plan;
        let [voters, learners, others] = members(plan);
        let (term, index) = (plan.cluster.first_term, plan.cluster.first_index);
        let config = |id: u64| config(id, &plan.raft);
        let mut cluster = Cluster::new([&voters, &learners, &others], config);
        cluster.looks_at = part_of(case.property).unwrap_or_default();
        cluster.steps_down = steps_down(plan);
        Self {
            cluster: cluster.begin(term, index, &others, config),
            coarse: case.reading.coarse,
            options: plan.raft.clone(),
            background: is_in_background(plan),
        }
    }

    fn make(&mut self, call: &Call) {
        let on = self.cluster.on(call.node.0.into());
        let on = match &call.what {
            What::Tick(times) => on.tick(*times),
            What::TimeOut => on.time_out(),
            What::Campaign => on.campaign(),
            What::Propose => on.propose(),
            What::Change(change) => {
                let (kind, steps) = in_library_terms(change);
                on.change(kind, &steps)
            }
            What::Configure { .. } => unreachable!("raft is asked for steps"),
            What::Read(name) => on.read(*name),
            What::TransferLeader(to) => on.transfer_leader(to.0.into()),
            What::RequestSnapshot => on.request_snapshot(),
            What::Ping => on.ping(),
            What::Set(setting) => {
                let setting = *setting;
                on.set(move |raw| set(raw, setting))
            }
            What::Unreachable(peer) => on.report_unreachable(peer.0.into()),
            What::SnapshotSent(peer, delivered) => {
                let status = match delivered {
                    true => SnapshotStatus::Finish,
                    false => SnapshotStatus::Failure,
                };
                on.report_snapshot(peer.0.into(), status)
            }
            What::Receive {
                from,
                kind,
                passed_over,
                stays,
            } => {
                let (kind, from) = (kind_named(kind), from.0.into());
                match (passed_over, stays) {
                    (0, false) => on.receive(kind, from),
                    _ => on.receive_late(kind, from, *passed_over, *stays),
                }
            }
            What::Ready if self.background => on.ready_in_background(),
            What::Ready => on.ready(),
            What::Saved if self.background => on.persisted(),
            What::Saved => on.saved(),
            What::Apply => on.apply(),
            What::Compact(through) => on.compact(*through),
            What::Restart => on.restart(|id| config(id, &self.options)),
        };
        if call.settles {
            on.settle();
        }
    }

    /// The notes as calls of the cluster, made on the way. `copies` are the notes of messages that
    /// arrive once more later.
    ///
    /// # Errors
    /// The place of another note of that kind.
    pub(super) fn convert(
        mut self,
        notes: &[Noted<Note>],
        copies: &BTreeSet<usize>,
    ) -> std::result::Result<Vec<Call>, usize> {
        let mut calls: Vec<Call> = Vec::new();
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut arrived: Vec<(usize, &Message)> = Vec::new();
        for (place, noted) in notes.iter().enumerate() {
            let what = match &noted.note {
                Note::Step(message) => {
                    let named = |name: &[u8]| {
                        let known = names.iter().position(|other| other == name);
                        known.map_or_else(|| name.to_vec(), |number| vec![read_name(number)])
                    };
                    match self.find(message, named) {
                        Some((from, passed_over)) => {
                            arrived.push((place, message));
                            What::Receive {
                                from,
                                kind: kind(message),
                                passed_over,
                                stays: copies.contains(&place),
                            }
                        }
                        None => {
                            let again = |(place, other): &&(usize, &Message)| {
                                are_alike(message, other, <[u8]>::to_vec) && !copies.contains(place)
                            };
                            match arrived.iter().find(again) {
                                Some((place, _)) => return Err(*place),
                                // The small cluster has not sent it.
                                None => continue,
                            }
                        }
                    }
                }
                Note::Read(name) => {
                    let known = names.iter().position(|other| other == name);
                    let number = known.unwrap_or_else(|| {
                        names.push(name.clone());
                        names.len() - 1
                    });
                    What::Read(read_name(number))
                }
                Note::Tick => What::Tick(1),
                Note::TimedOut => What::TimeOut,
                Note::Campaign => What::Campaign,
                Note::Propose => What::Propose,
                Note::Change(change) => What::Change(change.clone()),
                Note::TransferLeader(to) => What::TransferLeader(*to),
                Note::RequestSnapshot => What::RequestSnapshot,
                Note::Ping => What::Ping,
                Note::Set(setting) => What::Set(*setting),
                Note::Unreachable(peer) => What::Unreachable(*peer),
                Note::SnapshotSent(peer, delivered) => What::SnapshotSent(*peer, *delivered),
                Note::Compact(through) => What::Compact(*through),
                Note::Restart => What::Restart,
                Note::Ready | Note::Saved | Note::Apply if self.coarse => continue,
                Note::Ready => What::Ready,
                Note::Saved => What::Saved,
                Note::Apply => What::Apply,
            };
            let call = Call {
                node: noted.node,
                step: noted.step,
                what,
                settles: self.coarse && is_settled(notes, place),
            };
            calls.push(call);
            let made = of_test(|| self.make(&calls[calls.len() - 1]));
            if made.is_err() {
                break;
            }
        }
        Ok(calls)
    }

    /// Who sent the message that is on its way in the cluster and says the same, and how many of
    /// its kind are before it; where none does, the one that is most like it.
    fn find(
        &self,
        message: &Message,
        named: impl Fn(&[u8]) -> Vec<u8> + Copy,
    ) -> Option<(NodeId, usize)> {
        let is_of_its_kind = |other: &&Message| {
            (other.from, other.to) == (message.from, message.to)
                && other.get_msg_type() == message.get_msg_type()
        };
        let those = || self.cluster.on_their_way.iter().filter(is_of_its_kind);
        let alike = those().position(|other| are_alike(message, other, named));
        let of_its_term = || those().position(|other| other.term == message.term);
        let found = alike.or_else(of_its_term)?;
        Some((messages::node(message.from), found))
    }
}

/// The name of the read of that number. Names come again where there are many reads.
fn read_name(number: usize) -> u8 {
    (number % 256) as u8
}

/// Whether the driver took a ready of the node after this note, and before it told the library
/// anything else.
fn is_settled(notes: &[Noted<Note>], place: usize) -> bool {
    let node = notes[place].node;
    let mut later = notes[place + 1..].iter().filter(|noted| noted.node == node);
    let next = later.find(|noted| !matches!(noted.note, Note::Saved | Note::Apply));
    next.is_none_or(|next| matches!(next.note, Note::Ready))
}

fn config(id: u64, options: &RaftOptions) -> Config {
    let usual = Config::default();
    let position = id as usize - 1;
    Config {
        id,
        election_tick: options.election_ticks as usize,
        heartbeat_tick: options.heartbeat_ticks as usize,
        check_quorum: options.check_quorum,
        pre_vote: options.pre_vote,
        skip_bcast_commit: options.skip_broadcast_commit,
        batch_append: options.batch_append,
        max_size_per_msg: options.max_size_per_message,
        max_committed_size_per_ready: options.max_committed_size_per_ready,
        max_uncommitted_size: match options.max_uncommitted_size {
            0 => NO_LIMIT,
            limit => limit,
        },
        max_inflight_msgs: options.max_inflight_messages as usize,
        priority: options.priorities.get(position).copied().unwrap_or(0),
        read_only_option: match options.lease_reads {
            true => ReadOnlyOption::LeaseBased,
            false => ReadOnlyOption::Safe,
        },
        ..usual
    }
}

fn set(raw: &mut RawNode<MemStorage>, setting: Setting) {
    match setting {
        Setting::BatchAppend(on) => raw.raft.set_batch_append(on),
        Setting::SkipBroadcastCommit(on) => raw.skip_bcast_commit(on),
        Setting::CheckQuorum(on) => raw.raft.set_check_quorum(on),
        Setting::Priority(priority) => raw.set_priority(priority),
        Setting::MaxInflight(cap) => {
            (1..=9).for_each(|peer| raw.raft.adjust_max_inflight_msgs(peer, cap as usize));
        }
        Setting::MaxCommittedSize(size) => raw.raft.set_max_committed_size_per_ready(size),
        Setting::GroupCommit(on) => raw.raft.enable_group_commit(on),
    }
}

fn in_library_terms(change: &Change) -> (ConfChangeTransition, Vec<(ConfChangeType, u64)>) {
    let kind = match change.transition {
        Transition::Simple | Transition::Leave => Auto,
        Transition::Joint => Implicit,
        Transition::JointExplicit => Explicit,
    };
    let steps = change.steps.iter().map(|step| {
        let kind = match step.becomes {
            Member::Voter => AddNode,
            Member::Learner => AddLearnerNode,
            Member::Nobody => RemoveNode,
        };
        (kind, step.node.0.into())
    });
    (kind, steps.collect())
}

/// The kinds of messages between nodes.
const KINDS: &[MessageType] = &[
    MsgPropose,
    MsgAppend,
    MsgAppendResponse,
    MsgRequestVote,
    MsgRequestVoteResponse,
    MsgSnapshot,
    MsgHeartbeat,
    MsgHeartbeatResponse,
    MsgTransferLeader,
    MsgTimeoutNow,
    MsgReadIndex,
    MsgReadIndexResp,
    MsgRequestPreVote,
    MsgRequestPreVoteResponse,
];

fn kind_named(name: &str) -> MessageType {
    let mut kinds = KINDS.iter().copied();
    let named = kinds.find(|kind| format!("{kind:?}") == name);
    named.expect("the kind of a message that a node sent")
}
