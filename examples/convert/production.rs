// Three processes on this machine, for both servers: each includes this with the path of its
// `PROGRAM`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks one node after another until one of them answers.
fn ask(addresses: &[String], words: &[&str]) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    for address in addresses.iter().cycle() {
        let asked = Command::new(PROGRAM)
            .args(["ask", address])
            .args(words)
            .output();
        let text = String::from_utf8(asked.unwrap().stdout).unwrap();
        let text = text.trim().to_owned();
        if text == "OK" || text == "NONE" || text.starts_with("VALUE") {
            return text;
        }
        assert!(Instant::now() < end, "nobody answers: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
    unreachable!("there are addresses")
}

#[test]
fn what_was_put_is_there_after_all_nodes_were_killed() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kv");
    let _ = std::fs::remove_dir_all(&folder);
    let listeners: Vec<TcpListener> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let addresses: Vec<String> = listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().to_string())
        .collect();
    drop(listeners);
    let peers: Vec<String> = (1..)
        .zip(&addresses)
        .map(|(id, address)| format!("{id}={address}"))
        .collect();
    let start = || -> Vec<Node> {
        let node = |id: usize| {
            let mut command = Command::new(PROGRAM);
            command.arg(id.to_string()).arg(folder.join(id.to_string()));
            command.args(&peers).stderr(Stdio::null());
            Node(command.spawn().unwrap())
        };
        (1..=3).map(node).collect()
    };
    let running = start();
    assert_eq!(ask(&addresses, &["put", "name", "Ada"]), "OK");
    drop(running);
    let _running = start();
    assert_eq!(ask(&addresses, &["get", "name"]), "VALUE Ada");
}
