fn main() {
    let profile = squall::plan::Profile::load("storm").unwrap();
    let a: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    for s in squall::subject::all() {
        let mut bad = std::collections::BTreeMap::<String, u64>::new();
        let mut first = None;
        for seed in a[0]..a[1] {
            let plan = squall::plan::generate(seed, &s.name, &profile);
            let o = s.runner.run(&plan, Default::default());
            if let Some(f) = &o.failure {
                if first.is_none() { first = Some((seed, f.to_string())); }
                *bad.entry(f.violation.property.name().to_owned()).or_default() += 1;
            }
        }
        println!("{} {bad:?} {first:?}", s.name);
    }
}
