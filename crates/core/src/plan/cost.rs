//! What a run may cost. A plan of a few hundred bytes can ask for a week of ticks a tenth of a
//! millisecond apart, or for more log than any machine has memory, and nothing in it is wrong but
//! that nobody would see its end. So what a plan asks for is estimated before it runs, and there is
//! a bound: here, and nowhere else.
//!
//! The estimates are of what the numbers of a plan allow, and not of what its run will do: most
//! runs do less, for they end as soon as the cluster has converged, clients wait for their answers,
//! and logs are compacted. Those of a profile are of the longest, busiest and largest run that it
//! can draw. Knows no engine.

use super::validate::{Impossible, check};
use super::{FaultKind, Plan, Profile, When};
use crate::options::MissedTicks;
use crate::service::LOCKS;
use squall_world::rng::PPM;

/// The most that a run may ask for: inputs stepped into replicas, and what takes as long. That is
/// half a day of a core that makes two million of them a second, if a run ever came to as much as
/// its numbers allow. Runs of hours may be wanted, and can be ended at any time; of what is beyond,
/// nobody would see the end.
const MOST_EVENTS: u128 = 100_000_000_000;

/// The same where every line of the run is told, which takes ten times as long, and more than once.
const MOST_EVENTS_TOLD: u128 = 20_000_000;

/// The most memory that a run may ask for, in bytes, if its log were never compacted and what is on
/// its way never arrived.
const MOST_BYTES: u128 = 4 << 30;

/// Faults that a plan may list.
pub(super) const MOST_FAULTS: usize = 20_000;

/// Faults that a profile may draw for one run. One that is drawn may become two in the plan: a
/// change, and the end of the joint configuration that it leads to.
const MOST_DRAWN: u64 = 10_000;

/// Inputs that a command leads to at each node: it is appended, acknowledged, synced, and told to
/// be committed.
const INPUTS_PER_COMMAND: u128 = 5;

/// What an entry takes up wherever it is kept once, in bytes: in the checks, in the history, in the
/// committed log.
const ENTRY_BYTES: u128 = 320;

/// What an entry takes up at each node beside its content, which is shared, in bytes: in the
/// library, on the disk, in the eyes of the checks.
const ENTRY_BYTES_PER_NODE: u128 = 200;

/// What a message on its way takes up beside its entries, in bytes.
const MESSAGE_BYTES: u128 = 256;

/// Bytes that are copied in the time of an event.
const BYTES_PER_EVENT: u128 = 10_000;

/// Links, or waiting faults, or clients, that are looked at one by one in the time of an event.
const LOOKS_PER_EVENT: u128 = 1_000;

/// A run in numbers.
struct Load {
    nodes: u128,
    /// Of a clock that runs true.
    ticks: u128,
    /// How fast the fastest clock runs, in millionths.
    clock_ppm: u128,
    /// Ticks that come in bursts, after pauses and jumps.
    burst_ticks: u128,
    election_ticks: u128,
    heartbeat_ticks: u128,
    clients: u128,
    /// Times that a client asks for something, for the first time or again.
    attempts: u128,
    /// Clients that take the place of one that has crashed, in one place.
    crashes: u128,
    /// Mean size of a command, in bytes.
    command_bytes: u128,
    max_size_per_message: u128,
    snapshot_every_bytes: u128,
    /// Messages that chance doubles, in a million.
    duplicate_ppm: u128,
    /// How long the run may last, in microseconds.
    end_us: u128,
    /// How long a message may be on its way, in microseconds.
    late_us: u128,
    /// Messages on their way on one link.
    capacity: u128,
    /// Changes of a link's traffic, each of which looks at those that are in force.
    refreshes: u128,
    /// Faults that wait for an event which is far off.
    waiting: u128,
    /// Times that operators ask for something.
    asked: u128,
}

/// What a run may come to.
struct Cost {
    events: u128,
    bytes: u128,
}

impl Load {
    fn cost(&self) -> Cost {
        let nodes = self.nodes;
        let others = nodes.saturating_sub(1);
        let ticks = self.ticks * self.clock_ppm / u128::from(PPM) + 1;
        let heartbeats = 2 * others * ticks / self.heartbeat_ticks.max(1);
        // All may stand for election all the time, with requests and answers of two kinds.
        let elections = 4 * nodes * others * ticks / self.election_ticks.max(1);
        let inputs = self.attempts * (INPUTS_PER_COMMAND * nodes + 4);
        let inputs = inputs + self.asked * INPUTS_PER_COMMAND * nodes;
        let messages = (heartbeats + elections + inputs) * (u128::from(PPM) + self.duplicate_ppm)
            / u128::from(PPM);

        let log_bytes = self.attempts * (self.command_bytes + 40);
        let append_bytes = self.max_size_per_message.min(log_bytes);
        // A follower that does not answer is sent the same entries with every heartbeat.
        let copied = heartbeats * append_bytes / BYTES_PER_EVENT;
        let sessions = self.clients * (self.crashes + 1);
        // They become more as the run goes on, and few requests are not answered in time.
        let snapshot_bytes = 32 * sessions.min(self.attempts) / 16;
        let snapshots = nodes
            * self
                .attempts
                .min(log_bytes / self.snapshot_every_bytes.max(1));
        let copied = copied + snapshots * snapshot_bytes / BYTES_PER_EVENT;
        // What a client that is gone has asked for may still take effect, so it is looked at with
        // every entry.
        let asked_for = self.clients * (self.crashes / 2 + 1);
        let looks = self.attempts * asked_for + self.refreshes + messages * self.waiting;

        let on_their_way = messages * self.late_us / self.end_us.max(1);
        let links = nodes * others;
        let on_their_way = on_their_way.min(messages).min(links * self.capacity);
        let kept =
            self.attempts * (ENTRY_BYTES + ENTRY_BYTES_PER_NODE * nodes + self.command_bytes);
        Cost {
            events: nodes * (ticks + self.burst_ticks)
                + messages
                + copied
                + looks / LOOKS_PER_EVENT,
            bytes: kept
                + on_their_way * (MESSAGE_BYTES + append_bytes)
                + 2 * links * snapshot_bytes,
        }
    }

    /// Whether it keeps within the bounds, with so many events at most.
    fn check(&self, most_events: u128) -> Result<(), Impossible> {
        let Cost { events, bytes } = self.cost();
        let mib = |bytes: u128| format!("{} MiB", bytes >> 20);
        check(
            events <= most_events,
            "what the run asks for",
            format!(
                "about {events} events: {} nodes with {} ticks each, {} requests of {} clients",
                self.nodes, self.ticks, self.attempts, self.clients
            ),
            format!("at most {most_events}: with fewer ticks, clients or faults, or longer pauses"),
        )?;
        check(
            bytes <= MOST_BYTES,
            "the memory that the run asks for",
            format!(
                "about {}: {} requests of {} bytes, {} nodes, up to {} messages on a link",
                mib(bytes),
                self.attempts,
                self.command_bytes,
                self.nodes,
                self.capacity
            ),
            format!(
                "at most {}: with fewer or smaller requests, shorter delays, or a smaller capacity",
                mib(MOST_BYTES)
            ),
        )
    }
}

fn wide(number: impl Into<u128>) -> u128 {
    number.into()
}

/// The mean of a drawn ballast of up to so many bytes: small ones are drawn more often.
fn mean_padding(max: u64) -> u128 {
    u128::from(max) / 8 + 64
}

impl Plan {
    /// Whether the run has an end that someone would see, on a machine that someone has.
    pub(super) fn validate_cost(&self) -> Result<(), Impossible> {
        self.load().check(MOST_EVENTS)
    }

    /// As [`Plan::validate`], for a run whose every line is told, which must be shorter.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn validate_told(&self) -> Result<(), Impossible> {
        self.validate()?;
        self.load().check(MOST_EVENTS_TOLD)
    }

    fn load(&self) -> Load {
        let (cluster, workload, network) = (&self.cluster, &self.workload, &self.network);
        let (raft, driver) = (&self.raft, &self.driver);
        let whats = || self.faults.iter().map(|fault| &fault.what);
        let drifts = cluster.clocks.iter().map(|clock| clock.drift_ppm);
        let drifts = drifts.chain(whats().map(|what| what.cost().drift_ppm));
        let fastest = drifts.max().unwrap_or(0).max(0);
        let late_us = network.delay_max_us.max(self.disk.sync_max_us);
        let tail_us = match [network.tail_ppm, network.reorder_ppm, network.duplicate_ppm] {
            [0, 0, 0] => 0,
            _ => network.tail_max_us.max(4 * network.delay_max_us),
        };
        let troubled_us = whats().map(|what| what.cost().tail_us);
        let tail_us = troubled_us.max().unwrap_or(0).max(tail_us);
        let last_us = self.schedule.as_ref().map_or(0, |schedule| {
            schedule.step_us * (schedule.links.len() + schedule.demotions.len()) as u64
        });
        // The longest of them: what is held up by two at once is held up by the longer, for the
        // most part.
        let held_us = whats().map(|what| what.clone().spans().into_iter().map(|us| *us).max());
        let held_us = held_us.flatten().max().unwrap_or(0).min(self.heal_us);
        let troubles = whats().filter(|what| what.cost().on_links);
        let troubles = troubles.count() as u128;
        let nodes = wide(cluster.nodes());
        let pause_us = u64::midpoint(workload.think_min_us, workload.think_max_us).max(1);
        let life_us = wide(workload.timeout_us) + wide(pause_us);
        let bursts = match driver.missed_ticks {
            MissedTicks::Skip => 0,
            MissedTicks::Burst => self.faults.len() as u128,
        };
        let (clients, attempts, padding, crashes) = match &self.script {
            Some(script) => {
                let tries: usize = script.iter().map(|asked| asked.tries.len()).sum();
                let padding: u64 = script
                    .iter()
                    .map(|asked| u64::from(asked.padding_bytes))
                    .sum();
                let mean = wide(padding) / (script.len() as u128).max(1);
                let crashes = script.iter().filter(|asked| asked.crashes).count();
                (
                    wide(workload.clients),
                    tries as u128,
                    mean + 1,
                    crashes as u128,
                )
            }
            None => (
                wide(workload.clients),
                wide(workload.clients) * wide(self.heal_us / pause_us),
                mean_padding(workload.padding_max_bytes.into()),
                wide(self.heal_us) * wide(workload.crash_percent) / 100 / life_us,
            ),
        };
        // A leader that is cut off asks again for what comes to nothing.
        let revocations = match workload.leases_by_leader {
            true => nodes * wide(LOCKS) * wide(self.heal_us / workload.lease_us.max(1)),
            false => 0,
        };
        Load {
            nodes,
            ticks: wide(self.end_us / cluster.tick_us.max(1)),
            clock_ppm: wide(PPM) + fastest.unsigned_abs() as u128,
            burst_ticks: bursts * 10 * wide(raft.election_ticks),
            election_ticks: wide(raft.election_ticks),
            heartbeat_ticks: wide(raft.heartbeat_ticks),
            clients,
            attempts: attempts + revocations,
            crashes,
            command_bytes: padding,
            max_size_per_message: wide(raft.max_size_per_message),
            snapshot_every_bytes: wide(driver.snapshot_every_bytes),
            duplicate_ppm: wide(network.duplicate_ppm),
            end_us: wide(self.end_us),
            late_us: wide(late_us) + wide(tail_us) + wide(held_us) + wide(last_us),
            capacity: wide(network.capacity),
            refreshes: troubles * troubles * nodes * nodes,
            waiting: self
                .faults
                .iter()
                .filter(|fault| is_far_off(&fault.when))
                .count() as u128,
            asked: whats().map(|what| u128::from(what.cost().asks)).sum(),
        }
    }
}

/// Whether it waits for an event that may never come.
fn is_far_off(when: &When) -> bool {
    let mut when = *when;
    when.nth().is_some_and(|nth| *nth > 10_000)
}

impl Profile {
    /// Whether the longest, busiest and largest run that the profile can draw keeps within the
    /// bounds of a plan.
    pub(super) fn validate_cost(&self) -> Result<(), Impossible> {
        let drawn: u64 = self.faults.values().map(|mix| mix.count[1]).sum();
        check(
            drawn <= MOST_DRAWN,
            "faults.*.count",
            format!("up to {drawn} together"),
            format!("at most {MOST_DRAWN}"),
        )?;
        self.largest_load().check(MOST_EVENTS)
    }

    fn largest_load(&self) -> Load {
        let (workload, raft) = (&self.workload, &self.raft);
        let voters = wide(self.voters.iter().copied().max().unwrap_or(1));
        let joins = match self.membership_percent {
            0 => 0,
            _ => 6,
        };
        let count = |kind: FaultKind| self.faults.get(&kind).map_or(0, |mix| wide(mix.count[1]));
        let drawn: u128 = self.faults.values().map(|mix| wide(mix.count[1])).sum();
        let [election_low, election_high] = raft.election_ticks.map(u128::from);
        let storm_us = wide(self.storm_ticks[1]) * wide(self.tick_us[1]);
        // Drawn from a tenth of the longest pause to the longest.
        let longest_us = workload.think_max_us[0];
        let pause_us = wide(u64::midpoint(longest_us / 10, longest_us).max(1));
        let shortest_wait_us = wide(self.tick_us[0]) * election_low / 4;
        let troubles = count(FaultKind::Trouble);
        // A lease lasts at least an election time-out.
        let revocations = match workload.leases_by_leader_percent {
            0 => 0,
            _ => {
                let nodes = voters + joins;
                nodes * wide(LOCKS) * storm_us / (wide(self.tick_us[0]) * election_low).max(1)
            }
        };
        let skewed_ppm = match self.skewed_clocks_percent {
            0 => 0,
            _ => 50_000,
        };
        let drift_ppm = match count(FaultKind::Drift) {
            0 => skewed_ppm,
            _ => 500_000,
        };
        Load {
            nodes: voters + joins,
            ticks: wide(self.storm_ticks[1]) + 400 * election_high,
            clock_ppm: wide(PPM) + drift_ppm,
            burst_ticks: match self.driver.burst_ticks_percent {
                0 => 0,
                _ => drawn * 10 * election_high,
            },
            election_ticks: election_low,
            heartbeat_ticks: 1,
            clients: wide(workload.clients[1]),
            attempts: wide(workload.clients[1]) * storm_us / pause_us + revocations,
            crashes: match workload.crash_percent {
                0 => 0,
                _ => storm_us * 30 / 100 / (shortest_wait_us + pause_us),
            },
            command_bytes: mean_padding(workload.padding_max_bytes[1]),
            max_size_per_message: 4_096,
            snapshot_every_bytes: wide(self.driver.snapshot_every_bytes[0]),
            duplicate_ppm: wide(self.network.duplicate.ppm[1]),
            // As if nothing ever arrived.
            end_us: 1,
            late_us: 1,
            capacity: 1_024,
            refreshes: troubles * troubles * voters * voters,
            waiting: 0,
            asked: 6 * count(FaultKind::Change) + 41 * count(FaultKind::ReplaceDisk) + drawn,
        }
    }
}
