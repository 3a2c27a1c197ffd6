//! The way to another server: one connection, made anew when it breaks or nothing gets through.
//!
//! Raft wants no more of a network than that messages may arrive. So what does not is dropped, and
//! never sent again here: a message that raft still needs it makes anew. The other side answers
//! each frame with one byte, so that a connection into nowhere is noticed.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::net::TcpStream;
use crate::time::{Instant, sleep, sleep_until, timeout};
use crate::wire::{self, Hello};

/// Messages that may wait for the connection. More are dropped.
const QUEUE: usize = 256;

/// The way to one server.
#[derive(Debug)]
pub struct Peer(mpsc::Sender<Vec<u8>>);

impl Peer {
    /// Begins to talk, as the server `me`, to the one at `address`. A connection on which nothing
    /// gets through for `patience` is given up.
    pub fn connect(me: u64, address: String, patience: Duration) -> Self {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while !queue.is_closed() {
                // How it ended does not matter: the next one may fare better.
                let _ = talk(me, &address, patience, &mut queue).await;
                sleep(patience / 10).await;
                while queue.try_recv().is_ok() {}
            }
        });
        Self(sender)
    }

    /// Sends a message, if there is room for it. Whether there was.
    pub fn send(&self, message: Vec<u8>) -> bool {
        self.0.try_send(message).is_ok()
    }
}

async fn talk(
    me: u64,
    address: &str,
    patience: Duration,
    queue: &mut mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let stream = timeout(patience, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = tokio::io::split(stream);
    wire::say(&mut writer, &Hello::Server(me)).await?;
    let (mut unanswered, mut progress) = (0, Instant::now());
    let mut answers = [0; 64];
    loop {
        // In this order: chance would make two runs of a simulation differ.
        tokio::select! {
            biased;
            read = reader.read(&mut answers) => match read? {
                0 => return Ok(()),
                count => {
                    unanswered -= count.min(unanswered);
                    progress = Instant::now();
                }
            },
            () = sleep_until(progress + patience), if unanswered > 0 => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            message = queue.recv() => {
                let Some(message) = message else { return Ok(()) };
                if unanswered == 0 {
                    progress = Instant::now();
                }
                unanswered += 1;
                timeout(patience, wire::write(&mut writer, &message)).await??;
            }
        }
    }
}
