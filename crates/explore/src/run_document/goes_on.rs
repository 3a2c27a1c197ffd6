//! Whether one run goes on from where another was ended.

use super::{Message, Moment, MomentKind, RunDocument};

impl RunDocument {
    /// Whether this run goes on from `earlier`, which was ended at the simulated time that its end
    /// says: all that has happened there has happened here, just so. In the last microsecond of
    /// `earlier`, ends of faults may come between, for these need nothing of one another. How long
    /// faults last, which may be open in `earlier`, does not matter.
    pub fn goes_on_from(&self, earlier: &Self) -> bool {
        let now_us = earlier.end.time_us;
        let is_past = |moment: &&Moment| moment.time_us < now_us;
        let past = earlier.moments.iter().take_while(is_past).count();
        let goes_on = self.moments.len() >= earlier.moments.len()
            && self.messages.len() >= earlier.messages.len();
        goes_on
            && earlier.moments[..past]
                .iter()
                .zip(&self.moments)
                .all(|(was, is)| is_same(was, is))
            && has_all(&earlier.moments[past..], &self.moments[past..])
            && earlier
                .messages
                .iter()
                .zip(&self.messages)
                .all(|(was, is)| is_same_message(was, is))
    }
}

/// Whether the moments that happened are among those that come now, and nothing but ends of faults
/// before the last of them.
fn has_all(were: &[Moment], are: &[Moment]) -> bool {
    let mut left: Vec<&Moment> = were.iter().collect();
    for moment in are {
        if left.is_empty() {
            return true;
        }
        let is_end = matches!(
            moment.kind,
            MomentKind::FaultOver | MomentKind::Start | MomentKind::Other
        );
        match left.iter().position(|was| is_same(was, moment)) {
            Some(place) => drop(left.remove(place)),
            None if is_end => {}
            None => return false,
        }
    }
    left.is_empty()
}

fn is_same(was: &Moment, is: &Moment) -> bool {
    let is_about_fault =
        |moment: &Moment| matches!(moment.kind, MomentKind::Fault | MomentKind::FaultOver);
    // The words of a fault say how long it lasts.
    let words = match is_about_fault(was) && is_about_fault(is) {
        true => &is.text,
        false => &was.text,
    };
    let told = Moment {
        past: is.past,
        text: words.clone(),
        ..was.clone()
    };
    told == *is
}

/// Whether it is the same message, which may have been taken in or lost since.
fn is_same_message(was: &Message, is: &Message) -> bool {
    let told = Message {
        taken: was.taken.or(is.taken),
        lost: was.lost || is.lost,
        ..was.clone()
    };
    told == *is
}
