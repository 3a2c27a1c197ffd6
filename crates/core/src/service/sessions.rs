//! Client sessions: a retried command is answered as it was the first time
//! (dissertation, section 6.3). A client has one command under way at a time,
//! so the last answer of each is enough.

use serde::{Deserialize, Serialize};

use super::Answer;

/// The last command and answer of each client, clients rising.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    last: Vec<(u32, u64, Answer)>,
}

impl Sessions {
    fn place(&self, client: u32) -> Result<usize, usize> {
        self.last.binary_search_by_key(&client, |last| last.0)
    }

    /// What this command was answered, if it or a later one of its client has been performed.
    #[inline]
    pub(super) fn answered(&self, client: u32, sequence: u64) -> Option<Answer> {
        let (_, last, answer) = self.last[self.place(client).ok()?];
        (last >= sequence).then_some(answer)
    }

    pub(super) fn last(&self, client: u32) -> Option<Answer> {
        let place = self.place(client).ok()?;
        Some(self.last[place].2)
    }

    #[inline]
    pub(super) fn answer(&mut self, client: u32, sequence: u64, answer: Answer) {
        match self.place(client) {
            Ok(place) => self.last[place] = (client, sequence, answer),
            Err(place) => self.last.insert(place, (client, sequence, answer)),
        }
    }
}
