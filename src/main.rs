fn main() {
    let profile = squall::plan::Profile::load("storm").unwrap();
    let a: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let trace = a.len() > 2;
    let mut steps = 0;
    let mut c = squall::sometimes::Counters::default();
    let mut bad = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for seed in a[0]..a[1] {
        let plan = squall::plan::generate(seed, "raft-rs", &profile);
        plan.validate().unwrap();
        let mut show = |l: squall::engine::Line| println!("{l}");
        let w = squall::engine::Watch { lines: if trace { Some(&mut show) } else { None }, library_log: trace, ..Default::default() };
        if trace { println!("{}", plan.to_json()); }
        let o = squall::engine::run(&plan, &squall::subject::raft_rs::RaftRs, w);
        steps += o.steps;
        c.merge(&o.counters);
        if let Some(f) = &o.failure {
            let e = bad.entry(f.violation.property.name().to_owned()).or_default();
            e.0 += 1;
            if true { println!("{seed}: {f} b={} i={} a={:?} n={} heal={:?} prio={:?}", plan.raft.batch_append, plan.driver.inputs_per_ready, plan.driver.persistence, plan.cluster.voters, plan.heal, plan.raft.priorities); }
        }
        if trace { for n in &o.nodes { println!("{n}"); } println!("{:?}", o.digest); }
    }
    println!("{steps} {bad:?}");
    for (n, k) in c.named() { println!("{n:32} {k}"); }
}
