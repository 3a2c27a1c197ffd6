//! The disk for async code on madsim: what a power failure leaves of what was written.

use madsim::plugin::node;
use madsim::runtime::{Handle, Runtime};
use madsim::task::NodeId as Machine;
use madsim::time::TimeHandle;
use squall::madsim::shim::{DiskSim, SyncTimes, fs};
use squall_world::journal_disk::Loss;

/// A runtime with the disk and one node, whose first incarnation runs `write` and is then killed.
fn after_power_failure<F>(
    seed: u64,
    set_up: impl Fn(&DiskSim, Machine) + 'static,
    write: impl Fn() -> F + Send + Sync + 'static,
) -> (Runtime, Machine)
where
    F: Future<Output = ()> + 'static,
{
    let runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
    runtime.add_simulator::<DiskSim>();
    let machine = runtime.create_node().init(write).build().id();
    runtime.block_on(async move {
        set_up(&DiskSim::current(), machine);
        madsim::time::sleep(std::time::Duration::from_secs(1)).await;
        Handle::current().kill(machine);
    });
    (runtime, machine)
}

/// What the node reads after that.
fn reads(runtime: &Runtime, machine: Machine, path: &'static str) -> Option<Vec<u8>> {
    runtime.block_on(async move { DiskSim::current().seen(machine, path).ok() })
}

async fn durable(path: &str, bytes: &[u8]) -> fs::File {
    let file = fs::File::create(path).await.unwrap();
    file.append(bytes).await.unwrap();
    file.sync_all().await.unwrap();
    fs::sync_dir("").await.unwrap();
    file
}

#[test]
fn kill_loses_what_is_not_synced_and_a_file_whose_directory_is_not() {
    let (runtime, machine) = after_power_failure(
        1,
        |_, _| {},
        || async {
            let log = durable("log", b"synced").await;
            log.append(b" and not").await.unwrap();
            let new = fs::File::create("new").await.unwrap();
            new.append(b"data").await.unwrap();
            new.sync_all().await.unwrap();
            std::future::pending::<()>().await;
        },
    );
    assert_eq!(reads(&runtime, machine, "log").unwrap(), b"synced");
    assert_eq!(reads(&runtime, machine, "new"), None);
}

#[test]
fn kill_can_tear_the_last_write() {
    let torn = (0..20).filter(|seed| {
        let tear = |disk: &DiskSim, machine| disk.set_loss(machine, Loss::Tear);
        let (runtime, machine) = after_power_failure(*seed, tear, || async {
            let log = durable("log", b"").await;
            log.append(&[7; 100]).await.unwrap();
            std::future::pending::<()>().await;
        });
        let length = reads(&runtime, machine, "log").unwrap().len();
        assert!(length < 100);
        length > 0
    });
    assert!(torn.count() > 10);
}

#[test]
fn a_rename_is_whole_or_not_there() {
    let (runtime, machine) = after_power_failure(
        1,
        |_, _| {},
        || async {
            durable("state", b"old").await;
            let new = fs::File::create("state.tmp").await.unwrap();
            new.append(b"new").await.unwrap();
            new.sync_all().await.unwrap();
            fs::rename("state.tmp", "state").await.unwrap();
            std::future::pending::<()>().await;
        },
    );
    assert_eq!(reads(&runtime, machine, "state").unwrap(), b"old");
    assert_eq!(reads(&runtime, machine, "state.tmp"), None);
}

#[test]
fn a_sync_in_flight_at_a_power_failure_did_not_happen() {
    let slow = |disk: &DiskSim, machine| disk.slow_down(machine, 5_000_000);
    let (runtime, machine) = after_power_failure(1, slow, || async {
        durable("log", b"never").await;
        unreachable!("the sync takes five seconds, and the power fails after one");
    });
    assert_eq!(reads(&runtime, machine, "log"), None);
}

#[test]
fn a_failed_sync_says_so_once_and_what_it_covered_is_lost() {
    let (runtime, machine) = after_power_failure(
        1,
        |_, _| {},
        || async {
            let log = durable("log", b"1").await;
            DiskSim::current().fail_syncs(node(), 1);
            log.append(b"2").await.unwrap();
            assert!(log.sync_data().await.is_err());
            assert_eq!(log.read_all().await.unwrap(), b"12");
            log.sync_data().await.unwrap();
            std::future::pending::<()>().await;
        },
    );
    assert_eq!(reads(&runtime, machine, "log").unwrap(), b"1");
}

#[test]
fn a_full_disk_refuses_a_longer_file_and_rot_flips_a_bit() {
    let (runtime, machine) = after_power_failure(
        1,
        |_, _| {},
        || async {
            let log = durable("log", &[0; 64]).await;
            let disk = DiskSim::current();
            disk.fill_up(node());
            let refused = log.append(b"x").await.unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
            disk.free_up(node());
            assert!(disk.rot(node(), "log").unwrap());
            std::future::pending::<()>().await;
        },
    );
    let read = reads(&runtime, machine, "log").unwrap();
    let ones: u32 = read.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!((read.len(), ones), (64, 1));
}

#[test]
fn a_sync_takes_as_long_as_it_is_told_to() {
    let runtime = Runtime::new();
    runtime.add_simulator::<DiskSim>();
    let machine = runtime.create_node().build();
    let took = machine.spawn(async {
        let disk = DiskSim::current();
        disk.set_sync_times(
            node(),
            SyncTimes {
                min_us: 70,
                max_us: 70,
            },
        );
        let log = fs::File::create("log").await.unwrap();
        let began = TimeHandle::current().elapsed();
        log.sync_data().await.unwrap();
        let first = TimeHandle::current().elapsed() - began;
        // At least so long, and of several such times the newest.
        disk.slow_down(node(), 50);
        disk.slow_down(node(), 930);
        log.sync_data().await.unwrap();
        [first, TimeHandle::current().elapsed() - began]
    });
    let [first, both] = runtime.block_on(took).unwrap().map(|took| took.as_micros());
    assert!((70..75).contains(&first), "{first}");
    assert!((1_000..1_010).contains(&both), "{both}");
}

#[test]
fn a_file_that_was_open_at_a_power_failure_is_no_file_after_it() {
    let runtime = Runtime::new();
    runtime.add_simulator::<DiskSim>();
    let machine = runtime.create_node().build();
    let opened = machine.spawn(async { durable("log", b"a").await });
    runtime.block_on(async move {
        let file = opened.await.unwrap();
        Handle::current().kill(machine.id());
        assert!(file.append(b"b").await.is_err());
        assert!(file.sync_all().await.is_err());
    });
}

#[test]
fn files_are_read_written_and_sought_as_tokios_are() {
    use std::io::{ErrorKind, SeekFrom};
    use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
    let runtime = Runtime::new();
    runtime.add_simulator::<DiskSim>();
    let machine = runtime.create_node().build();
    let done = machine.spawn(async {
        assert!(!fs::try_exists("dir/log").await.unwrap());
        fs::create_dir("dir").await.unwrap();
        fs::write("dir/log", "abcdef").await.unwrap();
        // In place of what was there.
        fs::write("dir/log", "abcd").await.unwrap();
        assert!(fs::try_exists("dir/log").await.unwrap());
        assert!(fs::try_exists("dir").await.unwrap());
        assert_eq!(fs::read_to_string("dir/log").await.unwrap(), "abcd");
        let mut file = fs::File::open("dir/log").await.unwrap();
        assert_eq!(file.seek(SeekFrom::End(-3)).await.unwrap(), 1);
        file.write_all(b"X").await.unwrap();
        assert_eq!(file.seek(SeekFrom::Current(1)).await.unwrap(), 3);
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"d");
        assert_eq!(fs::read("dir/log").await.unwrap(), b"aXcd");
        let early = file.seek(SeekFrom::Current(-9)).await.unwrap_err();
        assert_eq!(early.kind(), ErrorKind::InvalidInput);
        let missing = fs::read("none").await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        fs::write("bytes", [0xFF]).await.unwrap();
        let no_text = fs::read_to_string("bytes").await.unwrap_err();
        assert_eq!(no_text.kind(), ErrorKind::InvalidData);
    });
    runtime.block_on(done).unwrap();
}
