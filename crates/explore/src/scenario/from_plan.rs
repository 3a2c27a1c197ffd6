//! A plan as a story: what a shrinker found, as a scenario that people can read and keep.

use serde_json::Value;

use squall_core::faults::story::time_words;
use squall_core::plan::{Asked, MAX_TIME_US, Plan, When};
use squall_core::service::Operation;

use super::draft::base;

/// What `cluster` and the end of a story say, and what a plan's faults and operations say.
const SAID_OTHERWISE: [&str; 8] = [
    "version", "subject", "profile", "seed", "faults", "script", "heal_us", "end_us",
];

/// The text of a story whose plan is `plan`, but for the order of its faults and the time that it
/// leaves for convergence. Nothing is expected yet.
pub fn of_plan(plan: &Plan) -> String {
    let cluster = &plan.cluster;
    let mut head = vec![
        format!("subjects {}", plan.subject),
        format!(
            "cluster voters={} learners={} spares={} seed={}",
            cluster.voters, cluster.learners, cluster.spares, plan.seed
        ),
    ];
    head.extend(settings(plan));
    let mut acts: Vec<(u64, String)> = Vec::new();
    for fault in &plan.faults {
        match (fault.when, fault.what.command()) {
            (When::AtUs(at_us), Some(text)) => acts.push((at_us, text)),
            // It has its own time.
            _ => acts.push((0, format!("fault {}", json(fault)))),
        }
    }
    for asked in plan.script.iter().flatten() {
        let at_us = asked.tries.first().map_or(0, |first| first.at_us);
        let text = request(asked).unwrap_or_else(|| format!("operation {}", json(asked)));
        acts.push((at_us, text));
    }
    // What comes after the end of the storm never happens.
    acts.retain(|(at_us, _)| *at_us <= plan.heal_us);
    acts.sort_by_key(|(at_us, _)| *at_us);
    let mut text = format!("{}\n----\n\n", head.join("\n"));
    let mut rest = acts.as_slice();
    while let Some((at_us, _)) = rest.first() {
        let now = rest.iter().take_while(|(at, _)| at == at_us).count();
        if text.ends_with("----\n\n") && *at_us > 0 && rest.len() == acts.len() {
            text.push_str(&format!("at {}\n----\n\n", time_words(*at_us)));
        }
        for (_, act) in &rest[..now] {
            text.push_str(act);
            text.push('\n');
        }
        rest = &rest[now..];
        let next_us = rest.first().map_or(plan.heal_us, |(at_us, _)| *at_us);
        text.push_str(&format!("at {}\n----\n\n", time_words(next_us)));
    }
    if acts.is_empty() {
        text.push_str(&format!("at {}\n----\n\n", time_words(plan.heal_us)));
    }
    text.push_str("heal\n----\n");
    text
}

/// The fields in which the plan differs from what stories begin with.
fn settings(plan: &Plan) -> Vec<String> {
    let cluster = &plan.cluster;
    let usual = base(cluster.voters, cluster.learners, cluster.spares);
    let [plan, usual] = [plan, &usual].map(Plan::to_fields);
    let mut settings = Vec::new();
    for (name, usual) in &usual {
        let here = plan.get(name).unwrap_or(&Value::Null);
        match (here, usual) {
            // Clients that draw what they ask for.
            (Value::Null, _) if name == "script" => settings.push("set script null".to_owned()),
            _ if SAID_OTHERWISE.contains(&name.as_str()) || here == usual => {}
            (Value::Object(here), Value::Object(usual)) => {
                for (field, value) in here {
                    if usual.get(field) != Some(value) {
                        settings.push(format!("set {name}.{field} {value}"));
                    }
                }
            }
            _ => settings.push(format!("set {name} {here}")),
        }
    }
    settings
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("a plan is plain data")
}

/// The command that says the same as an operation, where there is one.
fn request(asked: &Asked) -> Option<String> {
    let [first] = asked.tries.as_slice() else {
        return None;
    };
    if asked.crashes || asked.padding_bytes > 0 {
        return None;
    }
    // No story needs a lease for longer than a run may take.
    let lease = |us: u64| time_words(us.min(MAX_TIME_US));
    let what = match asked.operation {
        Operation::Get { key } if asked.around_log => format!("read k{key}"),
        Operation::Get { key } => format!("get k{key}"),
        Operation::Put { key, value } => format!("put k{key} {value:x}"),
        Operation::Append { key, value } => format!("append k{key} {value:x}"),
        Operation::Delete { key } => format!("delete k{key}"),
        Operation::CompareAndSet {
            key,
            expected: Some(expected),
            value,
        } => format!("cas k{key} {expected:x} {value:x}"),
        Operation::CompareAndSet { .. } => return None,
        Operation::Acquire { lock, lease_us } => format!("acquire l{lock} {}", lease(lease_us)),
        Operation::TryAcquire { lock, lease_us } => {
            format!("try-acquire l{lock} {}", lease(lease_us))
        }
        Operation::Renew { lock, lease_us, .. } => format!("renew l{lock} {}", lease(lease_us)),
        Operation::Release { lock, .. } => format!("release l{lock}"),
        Operation::Guarded { lock, .. } => format!("write l{lock}"),
        Operation::OfMachine { .. } | Operation::Revoke { .. } => return None,
    };
    Some(format!("client {} {} {what}", asked.client, first.node))
}
