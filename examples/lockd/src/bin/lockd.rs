//! One server.
//!
//!     lockd --id 1 --dir /tmp/lockd-1 --servers 1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use lockd::bug::Injected;
use lockd::probe::Nobody;
use lockd::server::{self, Options};

/// A replicated lock and key-value server. It runs until it is killed; exit status 2 when it cannot
/// go on.
#[derive(Debug, Parser)]
#[command(name = "lockd", version)]
struct Arguments {
    /// The number of this server, as --servers has it.
    #[arg(long)]
    id: u64,
    /// The folder for its files; made if it is not there.
    #[arg(long)]
    dir: String,
    /// All servers, e.g. 1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103
    #[arg(long, value_delimiter = ',', required = true, value_parser = lockd::client::server)]
    servers: Vec<(u64, String)>,
    /// Where to listen [default: its address in --servers].
    #[arg(long)]
    listen: Option<String>,
    /// Between two ticks; an election begins after 10 to 20 without word from a leader.
    #[arg(long, default_value = "50ms", value_parser = lockd::client::span)]
    tick: Duration,
    /// Entries from one snapshot to the next.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    snapshot_every: u64,
}

fn main() -> ExitCode {
    if cfg!(madsim) {
        eprintln!(
            "lockd: this is built for simulation; build it without --cfg madsim, or run lockd-storm"
        );
        return ExitCode::from(2);
    }
    let arguments = Arguments::parse();
    let servers = match lockd::client::servers(arguments.servers) {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("lockd: {error}");
            return ExitCode::from(2);
        }
    };
    let Some(address) = servers.get(&arguments.id) else {
        let numbers: Vec<String> = servers.keys().map(u64::to_string).collect();
        eprintln!(
            "lockd: --id {} is not in --servers; legal: {}",
            arguments.id,
            numbers.join(", ")
        );
        return ExitCode::from(2);
    };
    let options = Options {
        id: arguments.id,
        listen: arguments.listen.unwrap_or_else(|| address.clone()),
        dir: arguments.dir,
        tick: arguments.tick,
        election_ticks: 10,
        heartbeat_ticks: 2,
        snapshot_every: arguments.snapshot_every,
        keep: arguments.snapshot_every / 4,
        seed: lockd::client::nonce(),
        bug: Injected::default(),
        servers,
    };
    if let Err(error) = std::fs::create_dir_all(&options.dir) {
        eprintln!("lockd: cannot make the folder {}: {error}", options.dir);
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let Err(error) = runtime.block_on(server::run(options, Nobody));
    eprintln!("lockd: {error}");
    ExitCode::from(2)
}
