//! The network for async code on madsim: what becomes of streams and datagrams where links are cut,
//! slow and lossy.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::time::{TimeHandle, sleep, timeout};
use squall::madsim::shim::NetworkSim;
use squall::madsim::shim::net::{TcpListener, TcpStream, UdpSocket};
use squall_world::network::{LinkDegradation, LinkOptions, MessageFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const A: usize = 0;
const B: usize = 1;
const AT_B: &str = "10.0.0.2:7000";

/// Every message takes a millisecond.
fn calm() -> LinkOptions {
    LinkOptions {
        delay_min_us: 1_000,
        delay_max_us: 1_000,
        ..LinkOptions::default()
    }
}

/// Two machines, A and B, with a network between them.
struct Two {
    a: NodeHandle,
    b: NodeHandle,
    network: Arc<NetworkSim>,
}

/// Runs `test` with two machines.
fn with_two<F: Future<Output = ()> + 'static>(
    traffic: LinkOptions,
    test: impl FnOnce(Two) -> F + 'static,
) {
    let runtime = Runtime::with_seed_and_config(7, madsim::Config::default());
    runtime.add_simulator::<NetworkSim>();
    runtime.block_on(async move {
        let ip = |last: u8| -> IpAddr { [10, 0, 0, last].into() };
        let node = |last| Handle::current().create_node().ip(ip(last)).build();
        let (a, b) = (node(1), node(2));
        let network = NetworkSim::current();
        let carrier = network.lay(&[(a.id(), ip(1)), (b.id(), ip(2))], traffic);
        let (one, other) = (a.id(), b.id());
        test(Two { a, b, network }).await;
        for machine in [one, other, carrier] {
            Handle::current().kill(machine);
        }
        sleep(Duration::from_millis(1)).await;
    });
}

/// Since the runtime began.
fn now() -> Duration {
    TimeHandle::current().elapsed()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A connection from A to B: A's end and B's.
async fn connected(two: &Two) -> (TcpStream, TcpStream) {
    let accepted = two.b.spawn(async {
        let listener = TcpListener::bind("0.0.0.0:7000").await.unwrap();
        listener.accept().await.unwrap().0
    });
    sleep(ms(1)).await;
    let asked = two
        .a
        .spawn(async { TcpStream::connect(AT_B).await.unwrap() });
    (asked.await.unwrap(), accepted.await.unwrap())
}

async fn reads(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn reads_nothing(stream: &mut TcpStream, for_ms: u64) -> bool {
    timeout(ms(for_ms), stream.read_u8()).await.is_err()
}

#[test]
fn a_connection_takes_three_delays_and_what_is_written_one_more() {
    with_two(calm(), |two| async move {
        let start = now();
        let (mut a, mut b) = connected(&two).await;
        a.write_all(b"hello").await.unwrap();
        assert_eq!(reads(&mut b, 5).await, b"hello");
        let took = now() - start;
        assert!(took >= ms(4) && took < ms(7), "{took:?}");
        assert_eq!(b.local_addr().unwrap().to_string(), AT_B);
        assert_eq!(b.peer_addr().unwrap(), a.local_addr().unwrap());
    });
}

#[test]
fn the_end_of_a_stream_comes_behind_all_that_was_written() {
    with_two(calm(), |two| async move {
        let (mut a, mut b) = connected(&two).await;
        a.write_all(b"last words").await.unwrap();
        drop(a);
        let mut all = Vec::new();
        b.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"last words");
    });
}

#[test]
fn halves_of_a_stream_go_their_own_ways() {
    with_two(calm(), |two| async move {
        let (a, mut b) = connected(&two).await;
        let (mut reader, mut writer) = a.into_split();
        writer.write_all(b"all").await.unwrap();
        drop(writer);
        let mut all = Vec::new();
        b.read_to_end(&mut all).await.unwrap();
        b.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!((&all[..], &answer[..]), (&b"all"[..], &b"answer"[..]));
    });
}

#[test]
fn a_cut_is_one_way_and_what_was_held_comes_in_order_when_it_is_mended() {
    with_two(calm(), |two| async move {
        let (mut a, mut b) = connected(&two).await;
        two.network.steer(|network| network.cut(A, B));
        a.write_all(b"one ").await.unwrap();
        a.write_all(b"two").await.unwrap();
        assert!(reads_nothing(&mut b, 20).await);
        // The other way is open.
        b.write_all(b"back").await.unwrap();
        assert_eq!(reads(&mut a, 4).await, b"back");
        two.network.steer(|network| network.mend(A, B));
        assert_eq!(reads(&mut b, 7).await, b"one two");
    });
}

#[test]
fn a_connection_on_which_nothing_gets_through_ends_and_the_other_end_learns_it_late() {
    with_two(calm(), |two| async move {
        let (mut a, mut b) = connected(&two).await;
        two.network.steer(|network| network.cut(A, B));
        a.write_all(b"lost").await.unwrap();
        let ended = timeout(ms(1_000), a.read_u8()).await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
        two.network.steer(|network| network.mend(A, B));
        assert!(reads_nothing(&mut b, 100).await, "B knows of nothing");
        b.write_all(b"still there?").await.unwrap();
        let refused = timeout(ms(100), b.read_u8()).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_sender_whose_acknowledgements_are_cut_off_ends_although_all_has_arrived() {
    with_two(calm(), |two| async move {
        let (mut a, mut b) = connected(&two).await;
        two.network.steer(|network| network.cut(B, A));
        a.write_all(b"there").await.unwrap();
        assert_eq!(reads(&mut b, 5).await, b"there");
        let ended = timeout(ms(1_000), a.read_u8()).await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn a_lossy_link_that_reorders_and_duplicates_still_carries_a_stream_in_order() {
    let traffic = LinkOptions {
        loss_ppm: 200_000,
        duplicate_ppm: 300_000,
        reorder_ppm: 300_000,
        ..calm()
    };
    with_two(traffic, |two| async move {
        let (mut a, mut b) = connected(&two).await;
        let words: Vec<u8> = (0..200).collect();
        let written = words.clone();
        let writes = two.a.spawn(async move {
            for word in written {
                a.write_u8(word).await.unwrap();
                sleep(ms(1)).await;
            }
            a
        });
        assert_eq!(reads(&mut b, 200).await, words);
        drop(writes.await.unwrap());
    });
}

#[test]
fn nobody_listening_refuses_and_nobody_reached_times_out() {
    with_two(calm(), |two| async move {
        let refused = two.a.spawn(TcpStream::connect(AT_B)).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        two.network.steer(|network| network.cut(A, B));
        let late = two.a.spawn(TcpStream::connect(AT_B)).await.unwrap();
        assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
        let nowhere = two.a.spawn(TcpStream::connect("10.0.0.9:1")).await.unwrap();
        assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::HostUnreachable);
        let taken = two.a.spawn(async {
            let _one = TcpListener::bind("0.0.0.0:7000").await.unwrap();
            TcpListener::bind("10.0.0.1:7000").await.unwrap_err().kind()
        });
        assert_eq!(taken.await.unwrap(), ErrorKind::AddrInUse);
        let strange = two.a.spawn(TcpListener::bind(AT_B)).await.unwrap();
        assert_eq!(strange.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn a_machine_that_loses_power_says_nothing_and_knows_of_no_connection_when_it_is_back() {
    with_two(calm(), |two| async move {
        let (mut a, b) = connected(&two).await;
        Handle::current().kill(two.b.id());
        drop(b);
        assert!(reads_nothing(&mut a, 20).await, "nobody has told A");
        Handle::current().restart(two.b.id());
        let back = Handle::current().get_node(two.b.id()).unwrap();
        let listens = back.spawn(async { TcpListener::bind("0.0.0.0:7000").await.unwrap() });
        let _listener = listens.await.unwrap();
        a.write_all(b"?").await.unwrap();
        let refused = timeout(ms(100), a.read_u8()).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn what_a_machine_has_sent_before_it_lost_power_arrives() {
    with_two(calm(), |two| async move {
        let (a, mut b) = connected(&two).await;
        let last = two.a.spawn(async move {
            let mut a = a;
            a.write_all(b"last").await.unwrap();
            a
        });
        let a = last.await.unwrap();
        Handle::current().kill(two.a.id());
        drop(a);
        assert_eq!(reads(&mut b, 4).await, b"last");
    });
}

#[test]
fn whoever_dials_a_machine_that_loses_power_meanwhile_is_refused_or_times_out() {
    for back_again in [true, false] {
        with_two(calm(), move |two| async move {
            let listens = two.b.spawn(async {
                let listener = TcpListener::bind("0.0.0.0:7000").await.unwrap();
                listener.accept().await
            });
            sleep(ms(1)).await;
            two.network.steer(|network| network.cut(B, A));
            let dials = two.a.spawn(TcpStream::connect(AT_B));
            sleep(ms(3)).await;
            // It has heard and answered, and its answer is lost.
            Handle::current().kill(two.b.id());
            drop(listens);
            two.network.steer(|network| network.mend(B, A));
            let mut expected = ErrorKind::TimedOut;
            if back_again {
                Handle::current().restart(two.b.id());
                let back = Handle::current().get_node(two.b.id()).unwrap();
                let binds = back.spawn(TcpListener::bind("0.0.0.0:7001"));
                drop(binds.await.unwrap());
                expected = ErrorKind::ConnectionRefused;
            }
            let failed = timeout(ms(1_000), dials).await.unwrap().unwrap();
            assert_eq!(failed.unwrap_err().kind(), expected);
        });
    }
}

#[test]
fn a_socket_of_an_incarnation_that_is_over_takes_no_place_from_the_next() {
    with_two(calm(), |two| async move {
        let bind = || async { TcpListener::bind("0.0.0.0:7000").await.unwrap() };
        let old = two.b.spawn(bind()).await.unwrap();
        Handle::current().kill(two.b.id());
        Handle::current().restart(two.b.id());
        let back = Handle::current().get_node(two.b.id()).unwrap();
        let new = back.spawn(bind()).await.unwrap();
        drop(old);
        let asked = two
            .a
            .spawn(async { TcpStream::connect(AT_B).await.unwrap() });
        let (_, from) = new.accept().await.unwrap();
        assert_eq!(asked.await.unwrap().local_addr().unwrap(), from);
    });
}

#[test]
fn what_was_sent_on_a_connection_that_is_given_up_arrives_after_what_is_sent_on_the_next() {
    with_two(calm(), |two| async move {
        let accepts = two.b.spawn(async {
            let listener = TcpListener::bind("0.0.0.0:7000").await.unwrap();
            let (first, _) = listener.accept().await.unwrap();
            let (second, _) = listener.accept().await.unwrap();
            (first, second)
        });
        sleep(ms(1)).await;
        let asks = two.a.spawn({
            let network = Arc::clone(&two.network);
            async move {
                let mut first = TcpStream::connect(AT_B).await.unwrap();
                sleep(ms(5)).await;
                network.tamper(A, B, MessageFault::Delay { by_us: 50_000 });
                first.write_all(b"old").await.unwrap();
                drop(first);
                let mut second = TcpStream::connect(AT_B).await.unwrap();
                second.write_all(b"new").await.unwrap();
                second
            }
        });
        let (mut first, mut second) = accepts.await.unwrap();
        assert_eq!(reads(&mut second, 3).await, b"new");
        assert!(reads_nothing(&mut first, 20).await);
        assert_eq!(reads(&mut first, 3).await, b"old");
        drop(asks.await.unwrap());
    });
}

#[test]
fn a_stream_that_loses_a_message_is_broken_off_at_both_ends() {
    with_two(calm(), |two| async move {
        let (mut a, mut b) = connected(&two).await;
        a.write_all(b"before").await.unwrap();
        two.network.tamper(A, B, MessageFault::Lose);
        a.write_all(b"lost").await.unwrap();
        for stream in [&mut a, &mut b] {
            let ended = timeout(ms(100), stream.read_u8()).await.unwrap();
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn whoever_does_not_read_holds_up_whoever_writes() {
    with_two(calm(), |two| async move {
        let (mut a, mut b) = connected(&two).await;
        let writes = two.a.spawn(async move {
            a.write_all(&[7; 200_000]).await.unwrap();
            now()
        });
        let before = now();
        sleep(ms(500)).await;
        assert_eq!(reads(&mut b, 200_000).await, vec![7; 200_000]);
        assert!(writes.await.unwrap() >= before + ms(500));
    });
}

/// How many datagrams of 100 arrive, and whether each does so once and in order.
fn arrivals(trouble: LinkDegradation) -> (usize, bool) {
    let found: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
    let seen = Arc::clone(&found);
    with_two(calm(), move |two| async move {
        two.network
            .steer(|network| network.trouble(1, vec![(A, B)], trouble));
        let gets = two.b.spawn(async move {
            let socket = UdpSocket::bind("0.0.0.0:7000").await.unwrap();
            let mut buffer = [0; 4];
            while let Ok(Ok((count, from))) = timeout(ms(500), socket.recv_from(&mut buffer)).await
            {
                assert_eq!((count, from.to_string().as_str()), (1, "10.0.0.1:9"));
                seen.lock().unwrap().push(buffer[0]);
            }
        });
        sleep(ms(1)).await;
        let sends = two.a.spawn(async {
            let socket = UdpSocket::bind("10.0.0.1:9").await.unwrap();
            for word in 0..100 {
                assert_eq!(socket.send_to(&[word], AT_B).await.unwrap(), 1);
            }
        });
        sends.await.unwrap();
        gets.await.unwrap();
    });
    let found = found.lock().unwrap();
    (found.len(), found.windows(2).all(|pair| pair[0] < pair[1]))
}

#[test]
fn datagrams_are_lost_duplicated_and_reordered_and_nobody_mends_that() {
    let some = 300_000;
    assert_eq!(arrivals(LinkDegradation::default()), (100, true));
    let (count, in_order) = arrivals(LinkDegradation {
        loss_ppm: some,
        ..LinkDegradation::default()
    });
    assert!((50..90).contains(&count) && in_order, "{count}");
    let (count, in_order) = arrivals(LinkDegradation {
        duplicate_ppm: some,
        ..LinkDegradation::default()
    });
    assert!((110..150).contains(&count) && !in_order, "{count}");
    let (count, in_order) = arrivals(LinkDegradation {
        reorder_ppm: some,
        ..LinkDegradation::default()
    });
    assert!(count == 100 && !in_order);
}
