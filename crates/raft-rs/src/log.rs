//! raft's own log, caught for the trace.

use slog::{Drain, Logger, OwnedKVList, Record, o};

use squall_core::replica::{BootContext, LogSink};

/// A logger into the sink that a node is born with; one that drops everything when there is none.
pub fn logger(boot: &BootContext<'_>) -> Logger {
    match boot.log.clone() {
        None => Logger::root(slog::Discard, o!()),
        Some(sink) => Logger::root(Lines(sink), o!()),
    }
}

struct Lines(LogSink);

impl Drain for Lines {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), slog::Never> {
        self.0.add(format!(
            "{}: {}",
            record.level().as_str().to_lowercase(),
            record.msg()
        ));
        Ok(())
    }
}
