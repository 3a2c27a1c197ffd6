//! What several modules use.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use squall_core::options::{DriverOptions, RaftOptions};
use squall_core::plan::{
    ClockOptions, Cluster, DiskOptions, Heal, Plan, Profile, VERSION, Workload,
};
use squall_explore::shard::Shard;
use squall_explore::sweep::{Summary, Sweep};
use squall_world::network::LinkOptions;

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The plan files in `folder`, in order of name.
pub fn plans(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files
}

/// How many seeds a sweep of `usual` seeds is to have.
pub fn seeds(usual: u64) -> u64 {
    match std::env::var("SQUALL_TEST_SEEDS") {
        Ok(number) => number.parse().expect("SQUALL_TEST_SEEDS is a number"),
        Err(_) => usual,
    }
}

/// Sweeps `count` seeds to the end, whatever they find.
pub fn sweep(subject: &str, profile: &str, count: u64, jobs: usize) -> Summary {
    let subject = squall::subject(subject).unwrap();
    let profile = Profile::load(profile).unwrap();
    let stop = AtomicBool::new(false);
    let sweep = Sweep {
        subject: &subject,
        profile: &profile,
        strategy: squall_explore::strategy::Kind::Swarm,
        coverage: false,
        corpus: Vec::new(),
        seeds: 0..count,
        shard: Shard::WHOLE,
        jobs,
        time_limit: None,
        keep_going: true,
        stop: &stop,
        lookout: None,
    };
    sweep.run(|_| {})
}

/// The binary, in the project's folder.
pub fn squall(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap()
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A quiet run of `voters` nodes for two simulated seconds, to put faults into.
pub fn quiet_plan(voters: u8) -> Plan {
    Plan {
        version: VERSION,
        seed: 7,
        subject: "raft-rs".to_owned(),
        command: None,
        profile: "by hand".to_owned(),
        cluster: Cluster {
            voters,
            learners: 0,
            spares: 0,
            tick_us: 10_000,
            first_term: 0,
            first_index: 0,
            clocks: vec![ClockOptions::default(); voters.into()],
        },
        raft: RaftOptions::default(),
        driver: DriverOptions::default(),
        network: LinkOptions::default(),
        disk: DiskOptions {
            sync_min_us: 100,
            sync_max_us: 500,
        },
        workload: Workload {
            clients: 2,
            think_min_us: 5_000,
            think_max_us: 20_000,
            timeout_us: 200_000,
            padding_max_bytes: 50,
            retries: 2,
            crash_percent: 0,
            reads_percent: 50,
            locks_percent: 30,
            lease_us: 500_000,
            fresh_lease_reads: false,
            leases_by_leader: false,
            settings_stay: false,
            priorities_stay: false,
        },
        streams: false,
        schedule: None,
        script: None,
        faults: Vec::new(),
        heal_us: 2_000_000,
        heal: Heal::Everyone,
        end_us: 60_000_000,
    }
}

/// The text of a file of the `src` of raft-rs, where cargo keeps it.
pub fn library_source(file: &str) -> String {
    std::fs::read_to_string(library_folder("raft").join(file)).unwrap()
}

/// The `src` of the library of that name, where cargo keeps it.
pub fn library_folder(name: &str) -> PathBuf {
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output = command.args(arguments).current_dir(root()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let version = run("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    // The packages of other platforms are not asked for.
    let metadata = run(
        env!("CARGO"),
        &[
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            host.unwrap(),
        ],
    );
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let library = packages.iter().find(|package| package["name"] == name);
    let manifest = PathBuf::from(library.unwrap()["manifest_path"].as_str().unwrap());
    manifest.with_file_name("src")
}

/// The plan of a seed for the subject of that name.
pub fn draw(subject: &str, profile: &Profile, seed: u64) -> Plan {
    squall::subject(subject).unwrap().plans(profile).draw(seed)
}
