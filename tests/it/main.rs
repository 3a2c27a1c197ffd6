//! Integration tests, one module a subject. `SQUALL_TEST_SEEDS=N` makes the
//! sweeps in here N seeds long.

mod blame;
mod bounds;
mod breaks;
mod cli;
#[cfg(all(feature = "madsim", madsim))]
mod clocks_on_madsim;
mod determinism;
mod disk_loss;
#[cfg(all(feature = "madsim", madsim))]
mod disk_on_madsim;
mod example;
mod excerpts;
mod export;
mod faults;
mod findings;
mod fuzzing;
mod hostile_files;
mod injected;
mod kept;
mod linearizability;
mod majority;
mod messages_on_their_way;
mod misbehaving;
mod mutants;
#[cfg(all(feature = "madsim", madsim))]
mod network_on_madsim;
#[cfg(all(feature = "madsim", madsim))]
mod on_madsim;
mod output;
mod own_machine;
mod own_storage;
mod page;
mod play;
mod play_server;
mod process;
mod process_ends;
mod promises;
mod resume;
mod run_document;
mod search;
#[cfg(all(feature = "madsim", madsim))]
mod servers;
#[cfg(all(feature = "madsim", madsim))]
mod servers_on_raft_rs;
mod shards;
mod show;
mod shrink;
mod stories;
mod strategies;
mod streams;
mod support;
mod surface;
mod sweep_page;
mod terminal;
mod testing;
mod tidy;
mod violations;
mod workflows;
