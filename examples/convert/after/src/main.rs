//! A replicated key-value store, one process a node:
//!
//!     kv-before 1 /tmp/kv-1 1=127.0.0.1:7201 2=127.0.0.1:7202 3=127.0.0.1:7203
//!     kv-before ask 127.0.0.1:7201 put name Ada

mod node;

use node::Options;

#[cfg(madsim)]
fn main() -> std::process::ExitCode {
    use squall::madsim::servers::{Asked, Incarnation, Reply, key_value};
    let ask = |asked: Asked| async move {
        let line = asked.request.to_string();
        match node::ask(&asked.address(7000), &line).await.as_deref() {
            Ok("OK") => Reply::Done,
            Ok("NOT LEADER") => Reply::Refused,
            Ok(value) => Reply::Value(value.strip_prefix("VALUE ").map(str::to_owned)),
            Err(_) => Reply::Nothing,
        }
    };
    let named = |name, sync| {
        let serve = move |incarnation: Incarnation| async move {
            let mut options =
                Options::new(incarnation.node.0.into(), incarnation.addresses(7000), "kv");
            (options.tick, options.sync) = (incarnation.tick(), sync);
            node::run(options).await
        };
        squall::registry::RegisteredSubject::new(name, "a key-value server", key_value(serve, ask))
    };
    squall::cli::main(vec![named("kv", true), named("kv-no-sync", false)])
}

#[cfg(not(madsim))]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["ask", address, asked @ ..] = &words[..] {
        let answer = node::ask(address, &asked.join(" ")).await;
        println!("{}", answer.unwrap_or_else(|error| error.to_string()));
        return 0.into();
    }
    let peer = |word: &&str| {
        let (id, address) = word.split_once('=')?;
        Some((id.parse().ok()?, address.to_owned()))
    };
    let [id, dir, peers @ ..] = &words[..] else {
        eprintln!(
            "usage: kv-before ID DIR ID=ADDRESS..., or kv-before ask ADDRESS get KEY, or put KEY VALUE"
        );
        return 2.into();
    };
    let (Ok(id), Some(peers)) = (id.parse(), peers.iter().map(peer).collect()) else {
        eprintln!("{id} is no number, or one of {peers:?} is not like 1=127.0.0.1:7201");
        return 2.into();
    };
    let options = Options::new(id, peers, dir);
    if !options.peers.contains_key(&id) {
        eprintln!("{id} is none of the nodes that are named");
        return 2.into();
    }
    let ended = node::run(options).await;
    eprintln!("{ended:?}");
    1.into()
}
