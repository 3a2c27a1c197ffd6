//! Mistakes that people make in a replicated service. Each proves that a check
//! of what clients see can fire; `subject::injected` puts them in.

/// A mistake in the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A retried command is performed again.
    ApplyRetries,
    /// The session table is not in the snapshot.
    SnapshotWithoutSessions,
    /// The fencing tokens are not in the snapshot, and start again.
    SnapshotWithoutTokens,
    /// A lock is granted to whoever asks, whoever holds it.
    GrantHeldLocks,
    /// What a lock protects takes writes with any token.
    TakeStaleTokens,
}
