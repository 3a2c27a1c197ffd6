//! The replicated state machine that every subject runs: sixteen registers, and
//! a running hash of every command. Deterministic, small, and cheap to copy
//! into a snapshot. Knows nothing of logs, terms or nodes.

use bytes::Bytes;

use crate::types::{mix, mix_bytes};

const REGISTERS: usize = 16;
const HEADER: usize = 14;

/// One command as clients write it into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The client that sent it.
    pub client: u32,
    /// That client's own count of its commands.
    pub sequence: u64,
    /// The register to add to; taken modulo the number of registers.
    pub register: u16,
}

impl Command {
    /// The command as bytes, followed by `padding` bytes of ballast.
    pub fn encode(self, padding: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(HEADER + padding);
        bytes.extend_from_slice(&self.client.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.register.to_le_bytes());
        bytes.resize(HEADER + padding, self.sequence as u8);
        bytes.into()
    }

    /// The command in `bytes`; none when they hold none, as an entry that a new leader makes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            client: u32::from_le_bytes(bytes.get(0..4)?.try_into().ok()?),
            sequence: u64::from_le_bytes(bytes.get(4..12)?.try_into().ok()?),
            register: u16::from_le_bytes(bytes.get(12..14)?.try_into().ok()?),
        })
    }
}

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    registers: [u64; REGISTERS],
    history: u64,
}

impl Machine {
    /// Applies one entry's data, commands and other entries alike, and returns the command if it is one.
    pub fn apply(&mut self, data: &[u8]) -> Option<Command> {
        self.history = mix_bytes(self.history, data);
        let command = Command::decode(data)?;
        let register = &mut self.registers[usize::from(command.register) % REGISTERS];
        *register = register.wrapping_add(command.sequence).wrapping_mul(31);
        self.history = mix(self.history, *register);
        Some(command)
    }

    /// A hash of the whole state.
    #[inline]
    pub fn state(&self) -> u64 {
        self.history
    }

    /// The state as bytes.
    pub fn encode(&self) -> Bytes {
        let words = self.registers.iter().chain([&self.history]);
        words.flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The state in `bytes`; none when they are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != (REGISTERS + 1) * 8 {
            return None;
        }
        let mut words = bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("chunks of eight bytes")));
        let mut machine = Self::default();
        for register in &mut machine.registers {
            *register = words.next()?;
        }
        machine.history = words.next()?;
        Some(machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_brings_back_the_same_state() {
        let mut machine = Machine::default();
        for sequence in 0..40 {
            let command = Command {
                client: 3,
                sequence,
                register: sequence as u16,
            };
            assert_eq!(machine.apply(&command.encode(5)), Some(command));
        }
        assert_eq!(machine.apply(b""), None);
        let copy = Machine::decode(&machine.encode()).unwrap();
        assert_eq!(copy, machine);
        assert_eq!(Machine::decode(b"short"), None);
    }

    #[test]
    fn the_order_of_commands_shows_in_the_state() {
        let [first, second] = [1, 2].map(|sequence| {
            Command {
                client: 0,
                sequence,
                register: 0,
            }
            .encode(0)
        });
        let after = |order: [&[u8]; 2]| {
            let mut machine = Machine::default();
            order.iter().for_each(|data| {
                machine.apply(data);
            });
            machine.state()
        };
        assert_ne!(after([&first, &second]), after([&second, &first]));
    }
}
