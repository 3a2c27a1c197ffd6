//! Three processes on this machine, which are killed and started again while clients ask: what the
//! clients saw must be linearizable, and what they were promised must be there at the end.
#![cfg(not(madsim))]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lockd::bug::Injected;
use lockd::client::{Client, Failure, Options, nonce};
use lockd::state::{self, Operation};
use squall::world::rng::Choices;

#[path = "../src/storm/seen.rs"]
mod seen;

use seen::{Seen, draw, judge};

const SERVERS: u64 = 3;
const CLIENTS: u32 = 4;

/// The storm's length, in milliseconds. `LOCKD_STORM_MS` makes it longer.
fn storm() -> Duration {
    let given = std::env::var("LOCKD_STORM_MS").ok();
    Duration::from_millis(given.map_or(6_000, |ms| ms.parse().expect("LOCKD_STORM_MS is a number")))
}

struct Cluster {
    folder: tempfile::TempDir,
    addresses: BTreeMap<u64, String>,
    running: BTreeMap<u64, Child>,
}

impl Cluster {
    fn start() -> Self {
        let listeners: Vec<TcpListener> = (0..SERVERS)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let mut cluster = Self {
            folder: tempfile::tempdir().unwrap(),
            addresses: (1..).zip(listeners.iter().map(address)).collect(),
            running: BTreeMap::new(),
        };
        drop(listeners);
        (1..=SERVERS).for_each(|id| cluster.run(id));
        cluster
    }

    fn servers(&self) -> String {
        let all = self.addresses.iter();
        let all: Vec<String> = all.map(|(id, address)| format!("{id}={address}")).collect();
        all.join(",")
    }

    fn dir(&self, id: u64) -> PathBuf {
        self.folder.path().join(format!("n{id}"))
    }

    fn run(&mut self, id: u64) {
        let child = Command::new(env!("CARGO_BIN_EXE_lockd"))
            .args(["--id", &id.to_string(), "--servers", &self.servers()])
            .arg("--dir")
            .arg(self.dir(id))
            .args(["--tick", "20ms", "--snapshot-every", "200"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.running.insert(id, child);
    }

    /// `kill -9`.
    fn kill(&mut self, id: u64) {
        if let Some(mut child) = self.running.remove(&id) {
            assert_eq!(
                child.try_wait().unwrap(),
                None,
                "server {id} has ended by itself"
            );
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn client(&self) -> Client {
        Client::new(Options {
            servers: self.addresses.clone(),
            attempt: Duration::from_millis(400),
            patience: Duration::from_secs(3),
            nonce: nonce(),
            bug: Injected::default(),
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (1..=SERVERS).for_each(|id| {
            if let Some(child) = self.running.get_mut(&id) {
                let _ = child.kill();
                let _ = child.wait();
            }
        });
    }
}

async fn storm_over(mut client: Client, number: u32, start: Instant, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut choices = Choices::labelled(7, "client", u64::from(number));
    for count in 1.. {
        if start.elapsed() > storm() {
            break;
        }
        let asked = draw(&mut choices, number, count);
        let now = || start.elapsed().as_micros() as u64;
        let invoked = now();
        let answered = match client.ask(asked.clone()).await {
            Ok(answer) => Some((answer, now())),
            Err(Failure::Unknown | Failure::NoSession) => None,
        };
        seen.lock().unwrap().push(Seen {
            client: number,
            asked,
            invoked,
            answered,
        });
        tokio::time::sleep(Duration::from_millis(choices.below(10))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_see_is_linearizable_while_servers_are_killed_and_started_again() {
    let mut cluster = Cluster::start();
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let start = Instant::now();
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|number| {
            tokio::spawn(storm_over(
                cluster.client(),
                number,
                start,
                Arc::clone(&seen),
            ))
        })
        .collect();
    let mut choices = Choices::labelled(7, "kills", 0);
    let mut kills = 0;
    while start.elapsed() < storm() {
        let pause = Duration::from_millis(choices.between(200, 700));
        tokio::time::sleep(pause).await;
        // Now and then a majority, and all.
        for _ in 0..choices.between(1, 3) {
            cluster.kill(choices.between(1, SERVERS));
            kills += 1;
        }
        let pause = Duration::from_millis(choices.between(20, 300));
        tokio::time::sleep(pause).await;
        for id in 1..=SERVERS {
            if !cluster.running.contains_key(&id) {
                cluster.run(id);
            }
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    // All of it must be there after all of them have been killed at once.
    (1..=SERVERS).for_each(|id| cluster.kill(id));
    (1..=SERVERS).for_each(|id| cluster.run(id));
    let mut client = cluster.client();
    client
        .ask(Operation::Get {
            key: "k0".to_owned(),
        })
        .await
        .unwrap();
    for count in 0..3 {
        let asked = Operation::Get {
            key: format!("k{count}"),
        };
        let invoked = start.elapsed().as_micros() as u64;
        let answer = client.ask(asked.clone()).await.unwrap();
        let at = start.elapsed().as_micros() as u64;
        seen.lock().unwrap().push(Seen {
            client: 0,
            asked,
            invoked,
            answered: Some((answer, at)),
        });
    }
    let seen = seen.lock().unwrap();
    let answered = seen.iter().filter(|seen| seen.answered.is_some()).count();
    let can_be = judge(&seen).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(can_be.undecided_after, None);
    let grants = can_be.grants;
    println!(
        "{} operations, {answered} answered, {grants} locks granted, {kills} kills",
        seen.len()
    );
    assert!(answered > 100 && grants > 3 && kills > 3);
}

/// What a program says to standard error, in one line, and with which status.
fn refused(program: &str, words: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(program).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    (out.status.code(), text)
}

#[test]
fn what_cannot_be_is_refused_by_its_name() {
    let (lockd, lockctl) = (env!("CARGO_BIN_EXE_lockd"), env!("CARGO_BIN_EXE_lockctl"));
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let one = "1=127.0.0.1:7109";
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let in_file = file.join("dir");
    let damaged = folder.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("snapshot"), "no").unwrap();
    let (in_file, damaged) = (in_file.to_str().unwrap(), damaged.to_str().unwrap());
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = format!("1={}", busy.local_addr().unwrap());
    let twice = format!("{one},{one}");
    let run = |id, dir, servers| ["--id", id, "--dir", dir, "--servers", servers];
    let cases: [(&[&str], &str); 9] = [
        (&run("2", dir, one), "--id 2 is not in --servers; legal: 1"),
        (&run("1", dir, "1=nowhere"), "1=nowhere"),
        (&run("1", dir, "1=127.0.0.1:99999"), "1=127.0.0.1:99999"),
        (&run("1", dir, "0=127.0.0.1:7109"), "0=127.0.0.1:7109"),
        (&run("1", dir, &twice), "the number 1 twice"),
        (&run("1", in_file, one), in_file),
        (&run("1", damaged, one), damaged),
        (
            &run("1", dir, "1=256.0.0.1:7109"),
            "cannot listen at 256.0.0.1:7109",
        ),
        (
            &[
                "--id",
                "1",
                "--dir",
                dir,
                "--servers",
                &busy,
                "--tick",
                "0s",
            ],
            "more than 0s",
        ),
    ];
    for (words, named) in cases {
        let (code, text) = refused(lockd, words);
        assert!(code == Some(2) && text.contains(named), "{words:?}: {text}");
    }
    let asks: [(&[&str], &str); 3] = [
        (
            &["--servers", one, "--wait", "0s", "get", "x"],
            "more than 0s",
        ),
        (&["--servers", one, "fetch", "x"], "fetch"),
        (
            &["--servers", one, "--wait", "300ms", "get", "x"],
            "no answer",
        ),
    ];
    for (words, named) in asks {
        let (code, text) = refused(lockctl, words);
        assert!(code == Some(2) && text.contains(named), "{words:?}: {text}");
    }
}

#[test]
fn the_client_program_gets_what_it_has_put_from_a_cluster_that_was_killed() {
    let mut cluster = Cluster::start();
    let ask = |cluster: &Cluster, words: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_lockctl"))
            .args(["--servers", &cluster.servers()])
            .args(words)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        (out.status.code().unwrap(), text)
    };
    let ok = |text: &str| (0, text.to_owned());
    assert_eq!(ask(&cluster, &["put", "name", "Ada"]), ok("done"));
    assert_eq!(ask(&cluster, &["lock", "door"]), ok("1"));
    (1..=SERVERS).for_each(|id| cluster.kill(id));
    (1..=SERVERS).for_each(|id| cluster.run(id));
    assert_eq!(ask(&cluster, &["get", "name"]), ok("Ada"));
    assert_eq!(ask(&cluster, &["lock", "door"]).0, 1);
    assert_eq!(
        ask(&cluster, &["guarded", "door", "1", "name", "Eve"]),
        ok("done")
    );
    assert_eq!(ask(&cluster, &["cas", "name", "Ada", "Bob"]).0, 1);
    assert_eq!(ask(&cluster, &["get", "name"]), ok("Eve"));
}
