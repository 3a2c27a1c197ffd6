//! Fewer clients, fewer operations, and simpler ones. Where clients go by no script,
//! there can only be fewer of them.

use super::subset;
use super::trial::Trial;
use squall_core::faults::smaller;
use squall_core::plan::{Asked, Plan};
use squall_core::service::Operation;

/// How often one operation is made simpler in a row.
const MOST_TIMES: usize = 60;

/// Leaves out all operations of a client, and large parts of what is left.
pub(super) fn reduce(trial: &mut Trial<'_>) {
    for client in (0..trial.best().workload.clients).rev() {
        let mut plan = trial.best().clone();
        if let Some(script) = &mut plan.script {
            script.retain(|asked| asked.client != client);
            trial.takes(plan);
        }
    }
    subset::reduce(trial, get, set);
}

/// Leaves out the operations, and then the clients, that are not needed.
pub(super) fn remove(trial: &mut Trial<'_>) {
    subset::minimise(trial, get, set);
    if let Some(plan) = renumbered(trial.best()) {
        trial.takes(plan);
    }
    while trial.best().script.is_none() && !trial.is_over() {
        let best = trial.best().clone();
        let fewer = smaller(best.workload.clients.into(), 0).into_iter();
        let fewer = fewer.map(|clients| {
            let mut plan = best.clone();
            plan.workload.clients = clients as u32;
            plan
        });
        if trial.first(fewer).is_none() {
            break;
        }
    }
}

fn get(plan: &Plan) -> Vec<Asked> {
    plan.script.clone().unwrap_or_default()
}

fn set(plan: &mut Plan, script: Vec<Asked>) {
    plan.script = Some(script);
}

/// The plan with the clients that its script names, numbered from 0; none when they are.
fn renumbered(plan: &Plan) -> Option<Plan> {
    let mut plan = plan.clone();
    let script = plan.script.as_mut()?;
    let mut names: Vec<u32> = script.iter().map(|asked| asked.client).collect();
    names.sort_unstable();
    names.dedup();
    for asked in script {
        let place = names.iter().position(|name| *name == asked.client)?;
        asked.client = place as u32;
    }
    let clients = names.len() as u32;
    let before = std::mem::replace(&mut plan.workload.clients, clients);
    (clients != before).then_some(plan)
}

/// Makes each operation simpler: asked for once and earlier, without ballast, of simpler things.
pub(super) fn simplify(trial: &mut Trial<'_>) {
    let count = trial.best().script.as_ref().map_or(0, Vec::len);
    for place in 0..count {
        for _ in 0..MOST_TIMES {
            let best = trial.best().clone();
            let candidates = simpler(&best.script.as_ref().expect("counted above")[place])
                .into_iter()
                .map(|asked| {
                    let mut plan = best.clone();
                    if let Some(script) = &mut plan.script {
                        script[place] = asked;
                    }
                    plan
                });
            if trial.is_over() || !taken(trial, candidates) {
                break;
            }
        }
    }
}

fn taken(trial: &mut Trial<'_>, candidates: impl Iterator<Item = Plan>) -> bool {
    let before = trial.best().seed;
    let others = trial.other_seeds();
    trial
        .first(candidates.flat_map(|plan| {
            let seeds = std::iter::once(before).chain((0..others).filter(move |s| *s != before));
            // Another seed is worth a try only where little is left.
            let tries = match plan.script.as_ref().map_or(0, Vec::len) {
                0..=6 => 1 + others as usize,
                _ => 1,
            };
            seeds.take(tries).map(move |seed| Plan {
                seed,
                ..plan.clone()
            })
        }))
        .is_some()
}

/// The same operation, simpler in one thing each.
fn simpler(asked: &Asked) -> Vec<Asked> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Asked)| {
        let mut simpler = asked.clone();
        change(&mut simpler);
        if simpler != *asked {
            all.push(simpler);
        }
    };
    if asked.tries.len() > 1 {
        for place in 0..asked.tries.len() {
            add(&|simpler| simpler.tries = vec![asked.tries[place]]);
        }
        for place in 0..asked.tries.len() {
            add(&|simpler| {
                simpler.tries.remove(place);
            });
        }
    }
    add(&|simpler| simpler.crashes = false);
    add(&|simpler| simpler.padding_bytes = 0);
    add(&|simpler| simpler.around_log = false);
    for operation in simpler_operations(asked.operation) {
        add(&|simpler| {
            simpler.operation = operation;
            simpler.around_log &= operation.only_reads();
        });
    }
    for client in 0..asked.client {
        add(&|simpler| simpler.client = client);
    }
    for node in 1..asked.tries[0].node.0 {
        add(&|simpler| simpler.tries[0].node.0 = node);
    }
    for place in 0..asked.tries.len() {
        let least = match place {
            0 => 0,
            _ => asked.tries[place - 1].at_us,
        };
        for at_us in smaller(asked.tries[place].at_us, least) {
            add(&|simpler| simpler.tries[place].at_us = at_us);
        }
    }
    for padding_bytes in smaller(asked.padding_bytes.into(), 0) {
        add(&|simpler| simpler.padding_bytes = padding_bytes as u32);
    }
    all
}

/// A write of 1, to the first key and to its own; the same on the first key or lock; with a rounder
/// lease.
fn simpler_operations(operation: Operation) -> Vec<Operation> {
    use Operation::{
        Acquire, Append, CompareAndSet, Delete, Get, Guarded, OfMachine, Put, Release, Renew,
        Revoke, TryAcquire,
    };
    const VALUE: u64 = 1;
    const LEASE_US: u64 = 1_000_000;
    let plain = |key| Put { key, value: VALUE };
    match operation {
        Get { .. } => vec![Get { key: 0 }],
        Put { key, value } => match value {
            VALUE => vec![plain(0)],
            // One that is told from the others by its key is small enough.
            _ => vec![plain(0), plain(key), Put { key: 0, value }],
        },
        Append { key, .. } | CompareAndSet { key, .. } | Delete { key } => {
            vec![plain(0), plain(key)]
        }
        Acquire { lock, lease_us } => {
            let with = |lock, lease_us| Acquire { lock, lease_us };
            let mut all = vec![plain(0), with(0, lease_us)];
            if lease_us != LEASE_US {
                all.push(with(lock, LEASE_US));
            }
            all
        }
        TryAcquire { lock, lease_us } => {
            let with = |lock, lease_us| Acquire { lock, lease_us };
            vec![plain(0), with(0, lease_us), with(lock, lease_us)]
        }
        // The token is whatever the client holds then.
        Renew { lock, .. } => vec![plain(0), Guarded { lock, token: 0 }],
        Release { lock, .. } => vec![plain(0), Guarded { lock, token: 0 }],
        Guarded { lock, .. } => vec![
            plain(0),
            Guarded { lock: 0, token: 0 },
            Guarded { lock, token: 0 },
        ],
        // Leaders ask for it, and no script does.
        Revoke { .. } => vec![plain(0)],
        OfMachine { number } => simpler_numbers(number)
            .into_iter()
            .map(|number| OfMachine { number })
            .collect(),
    }
}

/// Numbers of commands that are drawn by smaller choices, of which each byte makes one.
fn simpler_numbers(number: u64) -> Vec<u64> {
    let mut all = vec![0];
    for shift in (0..64).step_by(8) {
        let byte = (number >> shift) & 0xFF;
        let without = number - (byte << shift);
        let less = [byte, byte - byte / 2, byte / 4, byte / 8, byte.min(1)];
        all.extend(less.map(|less| without | (byte - less) << shift));
    }
    all.retain(|simpler| *simpler < number);
    all
}
