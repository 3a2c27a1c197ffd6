//! The one list of properties.

/// Hands the list to a macro. A line is a file in `breach/`, and for each property that it is about
/// its type there, its number and its name. The numbers go into the digests of runs: a new property
/// takes a new one, wherever it stands. Names are what `--json` and messages have.
macro_rules! each_property {
    ($make:ident) => {
        $make! {
            election_safety: ElectionSafety = 0 "election-safety";
            log_matching: LogMatching = 1 "log-matching";
            leader_append_only: LeaderAppendOnly = 2 "leader-append-only";
            leader_completeness: LeaderCompleteness = 3 "leader-completeness";
            state_machine_safety: StateMachineSafety = 4 "state-machine-safety";
            durable_commit: DurableCommit = 5 "durable-commit";
            ack_before_durable: AckBeforeDurable = 6 "ack-before-durable";
            monotonic: Monotonic = 7 "monotonic";
            configuration: Configuration = 8 "configuration";
            linearizability: Linearizability = 9 "linearizability", ExactlyOnce = 10 "exactly-once";
            read_index: ReadIndex = 14 "read-index";
            lock_safety: LockSafety = 11 "lock-safety";
            liveness: Liveness = 12 "liveness";
            answered: Answered = 15 "answered";
            no_panic: NoPanic = 13 "no-panic";
        }
    };
}
