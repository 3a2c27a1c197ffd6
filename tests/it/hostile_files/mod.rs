//! Files that nobody in their right mind writes: every field of a real plan, profile, story,
//! unfinished sweep and corpus replaced by extremes, by other types and by garbage, left out,
//! duplicated, and the files cut short. What comes of each is one line of error or a run that ends;
//! no panic of the harness, no hang, and no violation where the plan it was made of has none.
//!
//! A sample of them, the same at each run. `SQUALL_TEST_FIELDS=all` tries all (of those that take a
//! process each: some 1,500 of a kind), and prints for each kind of file a line with what came
//! of them; each module then wants a process of its own, for the peak of its memory is held against
//! a bound: `SQUALL_TEST_FIELDS=all cargo test --test it hostile_files::plans -- --nocapture`.

mod plans;
mod profiles;
mod program;
mod spoilt;
mod stories;
mod tally;
