//! Frames: a length, four bytes, little-endian, and so many bytes. Knows nothing of what is in
//! them.

use std::io::{self, Read, Write};

/// The longest frame: what is longer is a mistake, or an attack on the memory.
pub(crate) const LONGEST: usize = 16 << 20;

/// Where a frame's content begins.
const HEAD: usize = 4;

/// A frame that is being made. Its memory serves for the next one.
#[derive(Debug)]
pub(crate) struct Frame(Vec<u8>);

impl Default for Frame {
    fn default() -> Self {
        Self(vec![0; HEAD])
    }
}

impl Frame {
    /// Begins another.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.0.truncate(HEAD);
        &mut self.0
    }

    /// Makes sure that it is not too long to be sent.
    pub(crate) fn fits(&self) -> Result<(), String> {
        match self.0.len() - HEAD {
            0..=LONGEST => Ok(()),
            length => Err(format!(
                "what it is to be asked takes a frame of {length} bytes, of entries or messages that it \
                 has made; legal: up to {LONGEST}"
            )),
        }
    }

    /// Sends it, which fits.
    pub(crate) fn send(&mut self, to: &mut impl Write) -> io::Result<()> {
        let length = self.0.len() - HEAD;
        let length = u32::try_from(length).expect("shorter than the longest");
        self.0[..HEAD].copy_from_slice(&length.to_le_bytes());
        to.write_all(&self.0)?;
        to.flush()
    }
}

/// Reads one into `content`, in place of what is there.
pub(crate) fn receive(from: &mut impl Read, content: &mut Vec<u8>) -> io::Result<()> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let length = u32::from_le_bytes(head) as usize;
    if length == 0 || length > LONGEST {
        let printable = head.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n'));
        let hint = match printable {
            true => "; it looks like text: standard output is for frames alone",
            false => "",
        };
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes; legal: 1 to {LONGEST}{hint}"),
        ));
    }
    content.resize(length, 0);
    from.read_exact(content)
}
