//! Throwaway: sweeps and shrinks.
use serde_json::{Value, json};
use squall::engine::{Line, Watch, run};
use squall::plan::{Plan, Profile, generate};
use squall::subject::raft_rs::RaftRs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

fn fail(plan: &Plan) -> Option<(String, u64, u64)> {
    let o = run(plan, &RaftRs, Watch::default());
    o.failure
        .map(|f| (f.violation.to_string(), f.step, f.time_us))
}

fn show(plan: &Plan) {
    let mut line = |l: Line| println!("{l}");
    let o = run(
        plan,
        &RaftRs,
        Watch {
            lines: Some(&mut line),
            library_log: true,
            ..Default::default()
        },
    );
    for n in &o.nodes {
        println!("{n}");
    }
    println!(
        "{:?} digest {:x} steps {}",
        o.failure.map(|f| f.to_string()),
        o.digest,
        o.steps
    );
}

fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    match a[0].as_str() {
        "sweep" => sweep(
            &a[1],
            a[2].parse().unwrap(),
            a[3].parse().unwrap(),
            a.get(4).cloned().unwrap_or_default(),
        ),
        "run" => {
            let plan = Plan::read(a[1].as_ref()).unwrap();
            if a.len() > 2 {
                show(&plan)
            } else {
                let o = run(&plan, &RaftRs, Watch::default());
                let p = run(&plan, &RaftRs, Watch::default());
                assert_eq!(o, p);
                println!(
                    "{}: {:?} digest {:016x} steps {} faults {} voters {}",
                    a[1],
                    o.failure.map(|f| f.to_string()),
                    o.digest,
                    o.steps,
                    plan.faults.len(),
                    plan.cluster.voters
                );
            }
        }
        "plan" => {
            // profile seed
            let p = Profile::load(&a[1]).unwrap();
            print!(
                "{}",
                generate(a[2].parse().unwrap(), "raft-rs", &[], &p).to_json()
            );
        }
        "shrink" => {
            // in needle out
            let plan = if let Ok(seed) = a[1].parse::<u64>() {
                generate(seed, "raft-rs", &[], &Profile::load("findings").unwrap())
            } else {
                Plan::read(a[1].as_ref()).unwrap()
            };
            let mut plan = plan;
            plan.profile = "findings".into();
            let best = shrink(plan, &a[2]);
            std::fs::write(&a[3], best.to_json()).unwrap();
        }
        "fmt" => {
            let p = Plan::read(a[1].as_ref()).unwrap();
            std::fs::write(&a[2], p.to_json()).unwrap();
        }
        "seeds" => {
            // file needle n
            let base = Plan::read(a[1].as_ref()).unwrap();
            for seed in 0..a[3].parse().unwrap() {
                let mut p = base.clone();
                p.seed = seed;
                custom(&mut p);
                p.end_us = p.heal_us + 400 * p.election_us();
                p.validate().unwrap();
                if let Some((v, step, t)) = fail(&p) {
                    if v.contains(&a[2]) {
                        println!("{seed} {step} {t} {v}");
                    }
                }
            }
        }
        "lose" => {
            // profile from to: cut and crash the leader that commits what is not durable (needs NO_ACK NO_DUR set per child)
            let profile = Profile::load("findings").unwrap();
            let list = std::fs::read_to_string(&a[1]).unwrap();
            for line in list.lines().filter(|l| l.contains("durable-commit")) {
                let seed: u64 = line.split(' ').next().unwrap().parse().unwrap();
                let node: u8 = line.split("durable-commit: n").nth(1).unwrap()[..1]
                    .parse()
                    .unwrap();
                let mut plan = generate(seed, "raft-rs", &[], &profile);
                custom(&mut plan);
                // when: found by the caller's run with NO_ACK only
                let t: u64 = std::env::var(format!("T{seed}"))
                    .ok()
                    .map_or(0, |t| t.parse().unwrap());
                if t == 0 {
                    continue;
                }
                let others: Vec<_> = plan.nodes().into_iter().filter(|n| n.0 != node).collect();
                let me = squall::types::NodeId(node);
                use squall::plan::{Fault, LossMode, What, When};
                plan.faults.retain(|f| match f.when {
                    When::AtUs(x) => x < t,
                    _ => true,
                });
                plan.faults.push(Fault {
                    when: When::AtUs(t - 1),
                    what: What::Cut {
                        from: vec![me],
                        to: others,
                        for_us: 10_000_000,
                    },
                });
                plan.faults.push(Fault {
                    when: When::AtUs(t + 1),
                    what: What::Crash {
                        node: me,
                        loss: LossMode::LoseAll,
                        down_us: 5_000_000,
                    },
                });
                plan.heal_us = t + 2_000_000;
                plan.end_us = plan.heal_us + 400 * plan.election_us();
                if plan.validate().is_err() {
                    println!("{seed} invalid");
                    continue;
                }
                println!("{seed} node {node} t {t}: {:?}", fail(&plan));
                std::fs::write(format!("/tmp/fx/lose{seed}.json"), plan.to_json()).unwrap();
            }
        }
        "when" => {
            // file list: print T lines
            let profile = Profile::load("findings").unwrap();
            for line in std::fs::read_to_string(&a[1])
                .unwrap()
                .lines()
                .filter(|l| l.contains("durable-commit:"))
            {
                let seed: u64 = line.split(' ').next().unwrap().parse().unwrap();
                let mut plan = generate(seed, "raft-rs", &[], &profile);
                custom(&mut plan);
                if let Some((_, _, t)) = fail(&plan) {
                    println!("export T{seed}={t}");
                }
            }
        }
        _ => panic!(),
    }
}

fn sweep(profile: &str, from: u64, to: u64, needle: String) {
    let profile = Profile::load(profile).unwrap();
    let next = AtomicU64::new(from);
    let bad = Mutex::new(std::collections::BTreeMap::<String, u64>::new());
    let threads: usize = std::env::var("T").ok().map_or(2, |t| t.parse().unwrap());
    let keep = |p: &mut Plan| custom(p);
    std::thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= to { break }
        let mut plan = generate(seed, "raft-rs", &[], &profile);
        if !keep(&mut plan) { continue }
        if plan.validate().is_err() { *bad.lock().unwrap().entry("INVALID".into()).or_default() += 1; continue }
        *bad.lock().unwrap().entry("runs".into()).or_default() += 1;
        if let Some((v, step, _)) = fail(&plan) {
            let short: String = v.chars().filter(|c| !c.is_ascii_digit()).take(90).collect();
            *bad.lock().unwrap().entry(short).or_default() += 1;
            if v.contains(&needle) {
                println!("{seed} step {step} n={} f={} b={} pv={} cq={} i={} {:?} inst={} lag={} heal={:?} prio={:?} term={} :: {v}", plan.cluster.voters, plan.faults.len(), plan.raft.batch_append, plan.raft.pre_vote, plan.raft.check_quorum, plan.driver.inputs_per_ready, plan.driver.persistence, plan.driver.snapshot_install_us, plan.driver.apply_lag_us, plan.heal, plan.raft.priorities, plan.cluster.first_term);
            }
        }
    });
        }
    });
    println!("TOTAL {from}..{to}");
    for (k, n) in bad.lock().unwrap().iter() {
        println!("  {n:8} {k}");
    }
}

/// VARIANT: environment-driven overrides of each generated plan, "path=json,path=json".
fn custom(p: &mut Plan) -> bool {
    if let Ok(o) = std::env::var("SET") {
        let mut v = serde_json::to_value(&*p).unwrap();
        for part in o.split(';').filter(|s| !s.is_empty()) {
            let (k, x) = part.split_once('=').unwrap();
            *v.pointer_mut(k).unwrap_or_else(|| panic!("{k}")) = serde_json::from_str(x).unwrap();
        }
        *p = serde_json::from_value(v).unwrap();
    }
    if let Ok(o) = std::env::var("ONLY") {
        let v = serde_json::to_value(&*p).unwrap();
        for part in o.split(';').filter(|s| !s.is_empty()) {
            let (k, x) = part.split_once('=').unwrap();
            if *v.pointer(k).unwrap() != serde_json::from_str::<Value>(x).unwrap() {
                return false;
            }
        }
    }
    true
}

// ---- shrinking ------------------------------------------------------------

fn leaves(v: &Value, out: &mut Vec<f64>) {
    match v {
        Value::Number(n) => {
            let x = n.as_f64().unwrap().abs();
            if x == 0.0 {
                return;
            }
            let s = format!("{}", x as u64);
            let digits = s.trim_end_matches('0').len() as f64;
            out.push(digits * 6.0 + (x + 1.0).log2());
        }
        Value::Array(a) => {
            for x in a {
                out.push(1.0);
                leaves(x, out)
            }
        }
        Value::Object(o) => {
            for (_, x) in o {
                leaves(x, out)
            }
        }
        _ => {}
    }
}

fn cost(plan: &Plan, steps: u64) -> f64 {
    let mut c = 5000.0 * plan.faults.len() as f64
        + 3000.0 * f64::from(plan.cluster.voters)
        + 1500.0 * f64::from(plan.workload.clients);
    let n = &plan.network;
    for r in [n.loss_ppm, n.duplicate_ppm, n.reorder_ppm, n.tail_ppm] {
        if r > 0 {
            c += 12000.0
        }
    }
    if n.capacity != 1024 {
        c += 1500.0
    }
    let d = serde_json::to_value(squall::options::RaftOptions::default()).unwrap();
    let r = serde_json::to_value(&plan.raft).unwrap();
    for (k, v) in r.as_object().unwrap() {
        if d[k] != *v {
            c += 400.0
        }
    }
    let d = serde_json::to_value(squall::options::DriverOptions::default()).unwrap();
    let r = serde_json::to_value(&plan.driver).unwrap();
    for (k, v) in r.as_object().unwrap() {
        if d[k] != *v {
            c += 400.0
        }
    }
    for k in &plan.cluster.clocks {
        if k.offset_us != 0 || k.drift_ppm != 0 {
            c += 500.0
        }
    }
    let mut l = Vec::new();
    let mut v = serde_json::to_value(plan).unwrap();
    v["raft"] = Value::Null;
    v["driver"] = Value::Null;
    v["end_us"] = Value::Null;
    leaves(&v, &mut l);
    for f in &plan.faults {
        let t = serde_json::to_string(f).unwrap();
        if t.contains("message") && t.contains("nth") && !t.contains("at-us") {
            c -= 60.0
        }
        if t.contains("keep-") || t.contains("tear") {
            c += 100.0
        }
    }
    c + l.iter().sum::<f64>() + steps as f64 * 3.0
}

struct Shrinker {
    needle: String,
    best: Plan,
    cost: f64,
    tries: u64,
    patience: u64,
}

impl Shrinker {
    fn attempt(&mut self, mut plan: Plan) -> bool {
        plan.end_us = plan.heal_us + self.patience * plan.election_us();
        if plan == self.best || plan.validate().is_err() {
            return false;
        }
        self.tries += 1;
        // cheap pre-check: cost without steps
        if cost(&plan, 0) >= self.cost {
            return false;
        }
        match fail(&plan) {
            Some((v, steps, _)) if v.contains(&self.needle) => {
                let c = cost(&plan, steps);
                if c < self.cost {
                    self.best = plan;
                    self.cost = c;
                    return true;
                }
                false
            }
            _ => false,
        }
    }
    fn attempt_seeds(&mut self, plan: Plan, seeds: u64) -> bool {
        if self.attempt(plan.clone()) {
            return true;
        }
        for s in 0..seeds {
            let mut p = plan.clone();
            p.seed = s;
            if self.attempt(p) {
                return true;
            }
        }
        false
    }
}

fn drop_node(plan: &Plan, k: u8) -> Option<Plan> {
    let mut v = serde_json::to_value(plan).unwrap();
    v["cluster"]["voters"] = json!(plan.cluster.voters - 1);
    v["cluster"]["clocks"]
        .as_array_mut()?
        .remove(usize::from(k) - 1);
    if !plan.raft.priorities.is_empty() {
        v["raft"]["priorities"]
            .as_array_mut()?
            .remove(usize::from(k) - 1);
    }
    fn fix(v: &mut Value, k: u64) -> bool {
        // true = drop
        let map = |x: &mut Value| -> bool {
            let n = x.as_u64().unwrap();
            if n == k {
                return true;
            }
            if n > k {
                *x = json!(n - 1)
            }
            false
        };
        match v {
            Value::Object(o) => {
                for (key, x) in o.iter_mut() {
                    match key.as_str() {
                        "node" => {
                            if map(x) {
                                return true;
                            }
                        }
                        "from" | "to" | "side" if x.is_number() => {
                            if map(x) {
                                return true;
                            }
                        }
                        "from" | "to" | "side" | "quorum" => {
                            let a = x.as_array_mut().unwrap();
                            a.retain_mut(|e| !map(e));
                            if a.is_empty() {
                                return true;
                            }
                        }
                        _ => {
                            if fix(x, k) {
                                return true;
                            }
                        }
                    }
                }
                false
            }
            _ => false,
        }
    }
    let faults = v["faults"].as_array_mut()?;
    faults.retain_mut(|f| !fix(f, k.into()));
    if fix(&mut v["heal"], k.into()) {
        return None;
    }
    serde_json::from_value(v).ok()
}

fn paths(v: &Value, at: String, out: &mut Vec<String>) {
    match v {
        Value::Object(o) => {
            for (k, x) in o {
                out.push(format!("{at}/{k}"));
                paths(x, format!("{at}/{k}"), out)
            }
        }
        Value::Array(a) => {
            for (i, x) in a.iter().enumerate() {
                out.push(format!("{at}/{i}"));
                paths(x, format!("{at}/{i}"), out)
            }
        }
        _ => {}
    }
}

fn shrink(plan: Plan, needle: &str) -> Plan {
    let patience = std::env::var("PATIENCE")
        .ok()
        .map_or(400, |p| p.parse().unwrap());
    let seeds: u64 = std::env::var("SEEDS")
        .ok()
        .map_or(24, |p| p.parse().unwrap());
    let (v, steps, _) = fail(&plan).expect("must fail");
    assert!(v.contains(needle), "{v}");
    let mut s = Shrinker {
        needle: needle.into(),
        cost: cost(&plan, steps) + 1e4,
        best: plan,
        tries: 0,
        patience,
    };
    let defaults = {
        let mut v = json!({});
        v["raft"] = serde_json::to_value(squall::options::RaftOptions::default()).unwrap();
        v["driver"] = serde_json::to_value(squall::options::DriverOptions::default()).unwrap();
        v
    };
    for round in 0.. {
        let before = s.cost;
        // faults in chunks
        let mut size = s.best.faults.len().max(1);
        while size >= 1 {
            let mut i = 0;
            while i < s.best.faults.len() {
                let mut p = s.best.clone();
                let end = (i + size).min(p.faults.len());
                p.faults.drain(i..end);
                let extra = if s.best.faults.len() <= 6 { seeds } else { 4 };
                if !s.attempt_seeds(p, extra) {
                    i += size
                }
            }
            size /= 2;
        }
        // network to nothing
        let mut p = s.best.clone();
        p.network.loss_ppm = 0;
        p.network.duplicate_ppm = 0;
        p.network.reorder_ppm = 0;
        p.network.tail_ppm = 0;
        p.network.capacity = 1024;
        s.attempt_seeds(p, seeds * 4);
        for i in 0..5 {
            let mut p = s.best.clone();
            match i {
                0 => p.network.loss_ppm = 0,
                1 => p.network.duplicate_ppm = 0,
                2 => p.network.reorder_ppm = 0,
                3 => p.network.tail_ppm = 0,
                _ => p.network.capacity = 1024,
            }
            s.attempt_seeds(p, seeds);
        }
        // nodes
        for k in (1..=s.best.cluster.voters).rev() {
            if s.best.cluster.voters > 1 && k <= s.best.cluster.voters {
                if let Some(p) = drop_node(&s.best, k) {
                    s.attempt_seeds(p.clone(), seeds);
                    let mut q = p;
                    if !matches!(q.heal, squall::plan::Heal::Everyone) {
                        if let squall::plan::Heal::Quorum(m) = &mut q.heal {
                            let need = usize::from(q.cluster.voters) / 2 + 1;
                            m.truncate(need);
                        }
                        s.attempt_seeds(q, seeds);
                    }
                }
            }
        }
        // two nodes at once: keeps quorum parity
        for k in (1..=s.best.cluster.voters).rev() {
            for j in (1..k).rev() {
                if s.best.cluster.voters > 3 && k <= s.best.cluster.voters {
                    if let Some(p) = drop_node(&s.best, k).and_then(|p| drop_node(&p, j)) {
                        s.attempt_seeds(p, seeds / 4);
                    }
                }
            }
        }
        // clocks, heal
        let mut p = s.best.clone();
        for c in &mut p.cluster.clocks {
            *c = Default::default()
        }
        s.attempt_seeds(p, seeds);
        let mut p = s.best.clone();
        p.heal = squall::plan::Heal::Everyone;
        s.attempt_seeds(p, 2);
        // workload
        for c in 0..s.best.workload.clients {
            let mut p = s.best.clone();
            p.workload.clients = c;
            if s.attempt_seeds(p, seeds) {
                break;
            }
        }
        for (n, x) in [
            ("padding_max_bytes", 0u64),
            ("think_max_us", 100_000),
            ("think_max_us", 1_000_000),
        ] {
            let mut v = serde_json::to_value(&s.best).unwrap();
            v["workload"][n] = json!(x);
            if n == "think_max_us" {
                v["workload"]["think_min_us"] = json!(x)
            }
            if let Ok(p) = serde_json::from_value(v) {
                s.attempt_seeds(p, 4);
            }
        }
        // same delay and sync for all
        for d in [1_000u64, 100, 2_000, 5_000, 500] {
            let mut p = s.best.clone();
            p.network.delay_min_us = d;
            p.network.delay_max_us = d;
            s.attempt_seeds(p, 4);
            let mut p = s.best.clone();
            p.disk.sync_min_us = d;
            p.disk.sync_max_us = d;
            s.attempt_seeds(p, 4);
        }
        let mut p = s.best.clone();
        p.network.delay_min_us = p.network.delay_max_us;
        s.attempt_seeds(p, 4);
        let mut p = s.best.clone();
        p.disk.sync_min_us = p.disk.sync_max_us;
        s.attempt_seeds(p, 4);
        // heal when it broke
        if needle != "liveness" {
            if let Some((_, _, t)) = fail(&s.best) {
                for r in [1_000_000, 100_000, 10_000, 1_000] {
                    let mut p = s.best.clone();
                    p.heal_us = (t / r + 1) * r;
                    // a storm's end that has not come changes nothing
                    s.attempt(p);
                }
            }
        }
        // seeds
        for seed in 0..seeds {
            let mut p = s.best.clone();
            p.seed = seed;
            s.attempt(p);
        }
        // every leaf
        let mut all = Vec::new();
        paths(
            &serde_json::to_value(&s.best).unwrap(),
            String::new(),
            &mut all,
        );
        for path in all {
            if path == "/version"
                || path == "/subject"
                || path == "/profile"
                || path == "/end_us"
                || path.starts_with("/cluster/voters")
            {
                continue;
            }
            let v = serde_json::to_value(&s.best).unwrap();
            let Some(x) = v.pointer(&path).cloned() else {
                continue;
            };
            let mut options: Vec<Value> = Vec::new();
            if let Some(d) = defaults.pointer(&path) {
                options.push(d.clone())
            }
            match &x {
                Value::Number(n) if n.is_i64() || n.is_u64() => {
                    let n = n.as_i64().unwrap();
                    options.push(json!(0));
                    options.push(json!(1));
                    if n.abs() > 10 {
                        let mut m = 1;
                        while m * 10 <= n.abs() {
                            m *= 10
                        }
                        options.push(json!(n / m * m));
                        options.push(json!((n / m + n.signum()) * m));
                        if m >= 100 {
                            options.push(json!(n / (m / 10) * (m / 10)));
                            options.push(json!((n / (m / 10) + n.signum()) * (m / 10)));
                        }
                        if m >= 1000 {
                            options.push(json!(n / (m / 100) * (m / 100)));
                        }
                    }
                    for t in [10_000, 100_000, 1_000_000] {
                        if n.abs() > 1000 {
                            options.push(json!(t))
                        }
                    }
                    options.push(json!(n / 2));
                    options.push(json!(n - n.signum()));
                    options.push(json!(n - 2 * n.signum()));
                }
                Value::Bool(true) => options.push(json!(false)),
                Value::String(_) => {
                    for o in ["lose-all", "synchronous", "skip", "append"] {
                        options.push(json!(o))
                    }
                }
                _ => {}
            }
            for o in options {
                let mut v = serde_json::to_value(&s.best).unwrap();
                if let Some(y) = v.pointer_mut(&path) {
                    *y = o
                } else {
                    break;
                }
                if let Ok(p) = serde_json::from_value::<Plan>(v) {
                    s.attempt_seeds(
                        p,
                        if path.starts_with("/raft") || path.starts_with("/driver") {
                            4
                        } else {
                            0
                        },
                    );
                }
            }
            // array element removal inside faults
            if x.is_number() {
                if let Some((parent, last)) = path.rsplit_once('/') {
                    if let Ok(i) = last.parse::<usize>() {
                        let mut v = serde_json::to_value(&s.best).unwrap();
                        if let Some(a) = v.pointer_mut(parent).and_then(Value::as_array_mut) {
                            if i < a.len() {
                                a.remove(i);
                                if let Ok(p) = serde_json::from_value(v) {
                                    s.attempt(p);
                                }
                            }
                        }
                    }
                }
            }
        }
        let f = fail(&s.best);
        eprintln!(
            "round {round}: cost {:.0} faults {} voters {} clients {} tries {} :: {f:?}",
            s.cost,
            s.best.faults.len(),
            s.best.cluster.voters,
            s.best.workload.clients,
            s.tries
        );
        if s.cost >= before || round > 12 {
            break;
        }
    }
    s.best
}
