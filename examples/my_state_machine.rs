//! A state machine of your own under the storm, around raft-rs, with a model that says what its
//! answers have to be: `cargo run --release --example my_state_machine`.

use squall::prelude::*;
use squall::raft_rs::RaftRs;

/// What is in each account.
#[derive(Clone)]
pub(crate) struct Bank(pub(crate) [u8; 4]);

pub(crate) const OPENED: Bank = Bank([50; 4]);

impl Machine for Bank {
    /// Moves an amount from one account to another, and answers what is then in them; nothing when
    /// there is too little.
    fn apply(&mut self, command: &[u8]) -> Vec<u8> {
        let &[from, to, amount] = command else {
            return vec![];
        };
        let (from, to) = (usize::from(from), usize::from(to));
        if self.0[from] < amount {
            return vec![];
        }
        self.0[from] -= amount;
        self.0[to] += amount;
        vec![self.0[from], self.0[to]]
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn restore(&mut self, snapshot: &[u8]) -> bool {
        let accounts = snapshot.try_into();
        accounts.map(|accounts| self.0 = accounts).is_ok()
    }
}

pub(crate) struct Transfers;

impl Commands for Transfers {
    fn draw(&self, _client: u32, choices: &mut Choices) -> Vec<u8> {
        let bounds = [4, 4, 60];
        bounds.map(|bound| choices.below(bound) as u8).to_vec()
    }

    fn command_in_words(&self, command: &[u8]) -> String {
        let &[from, to, amount] = command else {
            return "do nothing".to_owned();
        };
        format!("move {amount} from {from} to {to}")
    }

    fn answer_in_words(&self, answer: &[u8]) -> String {
        match *answer {
            [from, to] => format!("moved, {from} and {to} are left"),
            _ => "too little".to_owned(),
        }
    }
}

/// What a client has to be told: the machine once more, as simple as it can be, without a cluster.
pub(crate) fn alone(accounts: &mut [i32; 4], command: &[u8]) -> Vec<u8> {
    let [from, to, amount] = [0, 1, 2].map(|place| usize::from(command[place]));
    if accounts[from] < amount as i32 {
        return vec![];
    }
    for (account, change) in [(from, -(amount as i32)), (to, amount as i32)] {
        accounts[account] += change;
    }
    [from, to].map(|account| accounts[account] as u8).to_vec()
}

fn main() -> std::process::ExitCode {
    let bank = WithMachine::new(RaftRs, OPENED, Transfers).with_model_of([50; 4], alone);
    squall::cli::main(vec![RegisteredSubject::new("bank", "accounts", bank)])
}
