//! The server of a cluster that is played with: whom it answers, and that it goes on answering.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use squall_core::engine::{Observer, Outcome};
use squall_core::options::Feature;
use squall_core::own::Own;
use squall_core::plan::{Fault, Plan, What};
use squall_core::registry::{RegisteredSubject, Registry, Runner};
use squall_play::{Server, Session};

use super::play::{on, told};
use super::support::{squall, stderr};

struct Served {
    at: SocketAddr,
    token: String,
    stopper: squall_play::Stopper,
    thread: Option<std::thread::JoinHandle<std::io::Result<()>>>,
}

impl Served {
    fn new() -> Self {
        Self::of(on("raft-rs"))
    }

    #[expect(clippy::disallowed_methods, reason = "a server, beside its client")]
    fn of(session: Session) -> Self {
        let server = Server::bind(session, 0).unwrap();
        let address = server.address();
        let (at, stopper) = (server.socket_address().unwrap(), server.stopper());
        Self {
            at,
            token: address.split_once("token=").unwrap().1.to_owned(),
            stopper,
            thread: Some(std::thread::spawn(|| server.run())),
        }
    }

    /// The status and the whole answer to a request with these lines of head.
    fn ask(&self, first: &str, head: &[&str], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.at).unwrap();
        let mut text = format!("{first} HTTP/1.1\r\nconnection: close\r\n");
        for line in head {
            text.push_str(&format!("{line}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        // A body that is too long is not read to its end.
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let status = answer
            .split(' ')
            .nth(1)
            .map(|status| status.parse().unwrap());
        (status.unwrap_or(0), answer)
    }

    fn host(&self) -> String {
        format!("host: {}", self.at)
    }

    fn act(&self, body: &str) -> (u16, Value) {
        let token = format!("squall-token: {}", self.token);
        let (status, answer) = self.ask("POST /act", &[&self.host(), &token], body);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stopper.stop();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

#[test]
fn only_who_has_the_token_and_calls_the_server_by_its_own_name_is_answered() {
    let served = Served::new();
    assert!(served.at.ip().is_loopback());
    assert_eq!(served.token.len(), 32);
    let port = served.at.port();
    let with_token = format!("GET /?token={}", served.token);
    let host = served.host();
    let token = format!("squall-token: {}", served.token);
    let (most, last) = served.token.split_at(31);
    let other = if last == "0" { "1" } else { "0" };
    let wrong = format!("squall-token: {most}{other}");
    let localhost = format!("host: localhost:{port}");
    let own = format!("origin: http://127.0.0.1:{port}");
    let other_port = format!("host: 127.0.0.1:{}", port.wrapping_add(1));
    let foreign_host = format!("host: raft.example:{port}");
    let foreign = "origin: https://raft.example";
    let cases: &[(&str, &[&str], u16)] = &[
        (&with_token, &[&host], 200),
        (&with_token, &[&localhost], 200),
        ("GET /state", &[&host, &token], 200),
        ("GET /state", &[&host, &token, &own], 200),
        ("GET /", &[&host], 403),
        ("GET /?token=", &[&host], 403),
        ("GET /state", &[&host, &wrong], 403),
        (&with_token, &[&host, &wrong], 403),
        (&with_token, &[&foreign_host], 403),
        (&with_token, &[&other_port], 403),
        (&with_token, &["host: 127.0.0.1"], 403),
        (&with_token, &[], 400),
        ("GET /state", &[&host, &token, foreign], 403),
        ("GET /state", &[&host, &token, "origin: null"], 403),
        ("GET /state", &[&host, &token, &own, foreign], 403),
        ("GET /nothing", &[&host, &token], 404),
        ("GET /../Cargo.toml", &[&host, &token], 404),
        ("GET /nothing", &[&host], 403),
        ("GET /act", &[&host, &token], 405),
        ("POST /state", &[&host, &token], 405),
        ("DELETE /act", &[&host, &token], 405),
    ];
    for (first, head, expected) in cases {
        let (status, answer) = served.ask(first, head, "");
        // Without a host, it may be the library that refuses.
        let is_expected = status == *expected || (*expected == 400 && status == 403);
        assert!(is_expected, "{first} {head:?}: {answer}");
        assert!(status == 200 || !answer.contains(&served.token));
    }
}

#[test]
fn each_answer_says_what_a_browser_may_do_with_it() {
    let served = Served::new();
    let token = format!("squall-token: {}", served.token);
    for first in ["GET /", "GET /state", "GET /nothing", "PUT /"] {
        for head in [&[served.host(), token.clone()][..], &[served.host()]] {
            let head: Vec<&str> = head.iter().map(String::as_str).collect();
            let (_, answer) = served.ask(first, &head, "");
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            let head = head.to_ascii_lowercase();
            for line in [
                "content-security-policy: default-src 'none'; script-src 'nonce-",
                "frame-ancestors 'none'",
                "x-content-type-options: nosniff",
                "referrer-policy: no-referrer",
                "cache-control: no-store",
            ] {
                assert!(head.contains(line), "{first}: {line} is not in {head}");
            }
            assert!(!head.contains("unsafe-inline"), "{head}");
        }
    }
}

#[test]
fn the_server_does_what_is_asked_and_says_what_is_wrong() {
    let served = Served::new();
    let (status, state) = served.act(r#"{"say": ["campaign n1", "run 10ms"]}"#);
    assert_eq!((status, &state["now_us"]), (200, &10_000.into()));
    let (status, state) = served.act(r#""undo""#);
    assert_eq!((status, &state["now_us"]), (200, &0.into()));
    let (status, state) = served.act(r#""redo""#);
    assert_eq!((status, &state["now_us"]), (200, &10_000.into()));
    let (status, refused) = served.act(r#"{"say": ["crsh n1"]}"#);
    assert_eq!(status, 422);
    assert!(refused["error"].as_str().unwrap().contains("crash"));
    let (status, state) = served.act(r#"{"on": "noraft"}"#);
    assert_eq!((status, &state["subject"]), (200, &"noraft".into()));
    for nonsense in ["", "{", r#"{"do": 1}"#, "\"jump\"", r#"{"say": "run 1ms"}"#] {
        assert_eq!(served.act(nonsense).0, 400, "{nonsense}");
    }
    let token = format!("squall-token: {}", served.token);
    let head = [&*served.host(), &token];
    let long = format!(r##"{{"say": ["# {}"]}}"##, "x".repeat(70_000));
    let (status, _) = served.ask("POST /act", &head, &long);
    assert_eq!(status, 413);
    let (status, text) = served.ask("GET /story", &head, "");
    assert_eq!(status, 200);
    let (_, text) = text.split_once("\r\n\r\n").unwrap();
    let (status, said) = told(text);
    assert_eq!(status, 0, "{said}");
    let (status, plan) = served.ask("GET /plan", &head, "");
    assert_eq!(status, 200);
    let (_, plan) = plan.split_once("\r\n\r\n").unwrap();
    Plan::parse(plan, Path::new("played.json")).unwrap();
}

/// Runs plans as raft-rs does, and panics itself, outside of what the engine catches, where a node
/// is paused.
struct PanicsItself(RegisteredSubject);

impl Runner for PanicsItself {
    fn run(&self, plan: &Plan, watch: Observer<'_>) -> Outcome {
        let pauses = |fault: &Fault| matches!(fault.what, What::Pause(_));
        assert!(!plan.faults.iter().any(pauses), "a runner that panics");
        self.0.runner.run(plan, watch)
    }

    fn supports(&self) -> &'static [Feature] {
        self.0.runner.supports()
    }

    fn own(&self) -> Own {
        self.0.runner.own()
    }
}

#[test]
fn a_panic_ends_neither_the_server_nor_what_is_played() {
    let runner = PanicsItself(squall::subject("raft-rs").unwrap().clone());
    let subject = RegisteredSubject::new("panics", "panics itself", runner);
    let subjects = Arc::new(Registry::new(vec![subject.clone()]));
    let served = Served::of(Session::new(subjects, subject).unwrap());
    let (_, before) = served.act(r#"{"say": ["campaign n1"]}"#);
    let (status, refused) = served.act(r#"{"say": ["run 1ms", "pause n1"]}"#);
    assert_eq!(status, 500, "{refused}");
    let (status, after) = served.act(r##"{"say": ["# It goes on."]}"##);
    assert_eq!(status, 200);
    assert_eq!(after["document"], before["document"], "all lines or none");
}

#[test]
fn what_cannot_be_played_is_one_line_of_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.sim");
    std::fs::write(&broken, "crsh n1\n").unwrap();
    for (arguments, words) in [
        (vec!["explore", "--port", &port], "cannot answer on port"),
        (vec!["explore", "--subject", "raft"], "unknown subject"),
        (vec!["explore", broken.to_str().unwrap()], "did you mean"),
        (vec!["explore", "none.sim"], "cannot read"),
        (vec!["explore", "none.json"], "cannot read"),
    ] {
        let output = squall(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.contains(words), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// What every user of the machine can list is the arguments of processes.
#[test]
fn the_browser_is_told_the_address_in_a_file_of_this_users_own() {
    use std::io::BufRead as _;
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let opened = folder.path().join("opened");
    let browser = folder.path().join("xdg-open");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {0}.part\nmv {0}.part {0}\n",
        opened.display()
    );
    std::fs::write(&browser, script).unwrap();
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        folder.path().display(),
        std::env::var("PATH").unwrap()
    );
    let mut explore = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["explore", "--open"])
        .env("PATH", path)
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stdout = std::io::BufReader::new(explore.stdout.take().unwrap());
    stdout.read_line(&mut said).unwrap();
    let address = said.strip_prefix("page ").unwrap().trim().to_owned();
    while !opened.exists() {
        std::thread::yield_now();
    }
    let arguments = std::fs::read_to_string(&opened).unwrap();
    assert!(!arguments.contains("token"), "{arguments}");
    let file = Path::new(arguments.trim());
    assert!(std::fs::read_to_string(file).unwrap().contains(&address));
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    let interrupted = Command::new("kill")
        .args(["-INT", &explore.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    assert_eq!(explore.wait().unwrap().code(), Some(0));
    assert!(!file.exists());
}
