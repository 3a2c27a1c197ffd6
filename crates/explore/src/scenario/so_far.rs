//! A story that is still being told: what has come of it up to its present time.

use squall_core::plan::Plan;
use squall_core::registry::RegisteredSubject;

use super::{Skipped, Story, StoryError};

/// A story up to its present time, which is that of its next command.
#[derive(Clone, Debug)]
pub struct SoFar {
    /// The plan that it makes up. As long as the story has no end, its storm goes on beyond the
    /// present.
    pub plan: Plan,
    /// The present time, in simulated microseconds since the start.
    pub now_us: u64,
    /// Something happens in it: no command may set the cluster up any more.
    pub has_begun: bool,
    /// It has come to its end, `heal`.
    pub is_healed: bool,
    /// The faults of the plan that go on until a later command ends them, by their places.
    pub open: Vec<usize>,
}

impl Story {
    /// The story up to its present time, as `subject` is to go through it. It need not have an end.
    ///
    /// # Errors
    /// [`StoryError`] names the line.
    pub fn so_far(
        &self,
        subject: &RegisteredSubject,
    ) -> Result<Result<SoFar, Skipped>, StoryError> {
        let draft = self.draft(subject)?;
        let (now_us, has_begun, is_healed) = (draft.now_us, draft.has_begun(), draft.is_healed());
        let (plan, open) = match is_healed {
            true => (draft.finish().0, Vec::new()),
            false => draft.so_far(),
        };
        if let Err(skipped) = self.check(&plan, subject)? {
            return Ok(Err(skipped));
        }
        Ok(Ok(SoFar {
            plan,
            now_us,
            has_begun,
            is_healed,
            open,
        }))
    }
}
