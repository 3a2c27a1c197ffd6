//! Asks a cluster of lockd for one thing.
//!
//!     lockctl --servers 1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103 put name Ada

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use lockd::bug::Injected;
use lockd::client::{Client, Options};
use lockd::state::{Answer, Operation};

/// Asks a cluster of lockd for one thing. Exit status: 0 done, 1 refused, 2 bad input or no answer.
#[derive(Debug, Parser)]
#[command(name = "lockctl", version)]
struct Arguments {
    /// All servers, e.g. 1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103
    #[arg(long, value_delimiter = ',', required = true, value_parser = lockd::client::server)]
    servers: Vec<(u64, String)>,
    /// How long to wait for an answer.
    #[arg(long, default_value = "10s", value_parser = lockd::client::span)]
    wait: Duration,
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Debug, Subcommand)]
enum Ask {
    /// Print the value of a key.
    Get { key: String },
    /// Give a key a value.
    Put { key: String, value: String },
    /// Put a text behind the value of a key.
    Append { key: String, value: String },
    /// Give a key a new value if it has the old one.
    Cas {
        key: String,
        old: String,
        new: String,
    },
    /// Take a key out.
    Delete { key: String },
    /// Get a lock, and print its token. It is held until its lease ends, for this client is gone
    /// then.
    Lock {
        lock: String,
        /// How long it is held.
        #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
        lease: Duration,
    },
    /// Give a key a value, if no newer token of the lock has been given out.
    Guarded {
        lock: String,
        token: u64,
        key: String,
        value: String,
    },
}

fn operation(ask: Ask) -> Operation {
    match ask {
        Ask::Get { key } => Operation::Get { key },
        Ask::Put { key, value } => Operation::Put { key, value },
        Ask::Append { key, value } => Operation::Append { key, value },
        Ask::Cas { key, old, new } => Operation::CompareAndSet {
            key,
            expected: Some(old),
            new,
        },
        Ask::Delete { key } => Operation::Delete { key },
        Ask::Lock { lock, lease } => Operation::Acquire {
            lock,
            lease_ms: lease.as_millis() as u64,
        },
        Ask::Guarded {
            lock,
            token,
            key,
            value,
        } => Operation::GuardedPut {
            lock,
            token,
            key,
            value,
        },
    }
}

fn main() -> ExitCode {
    if cfg!(madsim) {
        eprintln!("lockctl: this is built for simulation; build it without --cfg madsim");
        return ExitCode::from(2);
    }
    let arguments = Arguments::parse();
    let servers = match lockd::client::servers(arguments.servers) {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("lockctl: {error}");
            return ExitCode::from(2);
        }
    };
    let mut client = Client::new(Options {
        servers,
        attempt: Duration::from_secs(1).min(arguments.wait),
        patience: arguments.wait,
        nonce: lockd::client::nonce(),
        bug: Injected::default(),
    });
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let (text, refused) = match runtime.block_on(client.ask(operation(arguments.ask))) {
        Ok(Answer::Value(Some(value))) => (value, false),
        Ok(Answer::Value(None)) => ("there is no such key".to_owned(), true),
        Ok(Answer::Done) => ("done".to_owned(), false),
        Ok(Answer::Swapped(true)) => ("swapped".to_owned(), false),
        Ok(Answer::Swapped(false)) => ("it has another value".to_owned(), true),
        Ok(Answer::Deleted(true)) => ("deleted".to_owned(), false),
        Ok(Answer::Deleted(false)) => ("there was no such key".to_owned(), true),
        Ok(Answer::Granted(token)) => (token.to_string(), false),
        Ok(Answer::Held) => ("somebody else has it".to_owned(), true),
        Ok(Answer::Guarded(true)) => ("done".to_owned(), false),
        Ok(Answer::Guarded(false)) => ("the token is an old one".to_owned(), true),
        Ok(other) => (format!("{other:?}"), true),
        Err(failure) => {
            eprintln!("lockctl: {failure}");
            return ExitCode::from(2);
        }
    };
    println!("{text}");
    ExitCode::from(u8::from(refused))
}
