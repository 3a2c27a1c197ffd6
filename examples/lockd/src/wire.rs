//! What goes over TCP: frames, each its length (u32), a CRC-32 (u32) and its content; numbers are
//! little-endian. The first frame says who talks. Other servers then send raft's messages, and get
//! one byte for each; clients send requests, and get a reply to each.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::state::{Answer, Operation};

/// The longest frame that is taken, in bytes.
const MOST: usize = 64 << 20;

/// Who talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hello {
    /// The server of this number.
    Server(u64),
    /// A client.
    Client,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its session; 0 to open one.
    pub session: u64,
    /// The number of the command in the session: see [`crate::state::Command`].
    pub sequence: u64,
    /// What it asks for.
    pub operation: Operation,
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The number of the command that this is about.
    pub sequence: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is committed and applied.
    Answered(Answer),
    /// Another server leads, this one if it is known. The command may be applied all the same.
    NotLeader(Option<u64>),
    /// Too much is under way; it was not taken.
    Busy,
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame {why}"))
}

/// Writes one frame.
///
/// # Errors
/// When the connection is broken.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), content: &[u8]) -> io::Result<()> {
    let mut frame = (content.len() as u32).to_le_bytes().to_vec();
    frame.extend(crc32fast::hash(content).to_le_bytes());
    frame.extend(content);
    to.write_all(&frame).await?;
    to.flush().await
}

/// Writes one frame that says this.
///
/// # Errors
/// When the connection is broken.
pub async fn say(to: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> io::Result<()> {
    let content = postcard::to_allocvec(what).expect("frames are plain data");
    write(to, &content).await
}

/// Reads one frame; none at the end of the connection.
///
/// # Errors
/// When the connection is broken, or what comes is no frame.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; 8];
    if from.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut header[1..]).await?;
    let [l0, l1, l2, l3, sum @ ..] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > MOST {
        return Err(damaged("is too long"));
    }
    let mut content = vec![0; length];
    from.read_exact(&mut content).await?;
    match crc32fast::hash(&content) == u32::from_le_bytes(sum) {
        true => Ok(Some(content)),
        false => Err(damaged("does not match its checksum")),
    }
}

/// Reads one frame that says something; none at the end of the connection.
///
/// # Errors
/// As [`read`].
pub async fn hear<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let Some(content) = read(from).await? else {
        return Ok(None);
    };
    postcard::from_bytes(&content)
        .map(Some)
        .map_err(|_| damaged("cannot be understood"))
}
