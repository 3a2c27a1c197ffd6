//! What one would write first: on every madsim node a loop that receives from the runtime's own
//! network, with a timeout for the next tick around it. No checks, no faults, a disk that is always
//! done at once. It is here to be measured only.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use madsim::net::Endpoint;
use madsim::runtime::Runtime;
use madsim::time::{TimeHandle, sleep, timeout};
use squall_core::ids::{NodeId, Role};
use squall_core::options::{DriverOptions, RaftOptions};
use squall_core::plan::Plan;
use squall_core::replica::{
    BootContext, Effect, Input, Message, Observation, Output, Recovered, Replica, Request,
    RunNotes, Subject, SyncResult,
};
use squall_core::service::{Command, Operation, Service};
use squall_world::node_files::NodeFiles;

const TAG: u64 = 1;

/// What a node of the cluster starts from.
#[derive(Clone)]
struct Setting {
    id: NodeId,
    seed: u64,
    tick: Duration,
    raft: RaftOptions,
    driver: DriverOptions,
    configuration: squall_core::configuration::Configuration,
}

/// Runs the plan's cluster for as long as its storm lasts, and returns how many steps its nodes
/// made.
pub fn run<S>(plan: &Plan, subject: &S) -> u64
where
    S: Subject + Copy + Send + Sync + 'static,
    Message<S>: Send + Sync + 'static,
{
    let mut config = madsim::Config::default();
    let delay =
        plan.network.delay_min_us..plan.network.delay_max_us.max(plan.network.delay_min_us + 1);
    config.net.send_latency = Duration::from_micros(delay.start)..Duration::from_micros(delay.end);
    let runtime = Runtime::with_seed_and_config(plan.seed, config);
    let steps = Arc::new(AtomicU64::new(0));
    for id in plan.nodes() {
        let setting = Setting {
            id,
            seed: plan.seed,
            tick: Duration::from_micros(plan.cluster.tick_us),
            raft: plan.raft.clone(),
            driver: plan.driver.clone(),
            configuration: plan.first_configuration(),
        };
        let (steps, subject) = (Arc::clone(&steps), *subject);
        let node = runtime.create_node().ip(address(id.position()).ip());
        let task = move || serve(setting.clone(), subject, Arc::clone(&steps));
        drop(node.init(task).build());
    }
    let time = Duration::from_micros(plan.heal_us);
    runtime.block_on(async move { sleep(time).await });
    steps.load(Ordering::Relaxed)
}

fn address(position: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, position as u8 + 1], 1))
}

/// One node: its loop, and what its replica wants done.
async fn serve<S>(setting: Setting, subject: S, steps: Arc<AtomicU64>)
where
    S: Subject,
    Message<S>: Send + Sync + 'static,
{
    let endpoint = Endpoint::bind(address(setting.id.position()))
        .await
        .expect("the address is free");
    let boot = BootContext {
        id: setting.id,
        configuration: setting.configuration,
        incarnation: 0,
        tick_us: setting.tick.as_micros() as u64,
        seed: setting.seed,
        raft: &setting.raft,
        driver: &setting.driver,
        service: &Service::default(),
        log: None,
        files: &NodeFiles::default(),
        notes: &RunNotes::default(),
    };
    let mut out = Output::default();
    let booted = subject.boot(&boot, Recovered::default(), &mut out);
    let mut replica = booted.unwrap_or_else(|error| panic!("an empty disk is refused: {error}"));
    let leads = Rc::new(Cell::new(false));
    let mut inputs = Vec::new();
    let mut due = TimeHandle::current().elapsed() + setting.tick;
    let mut sequence = 0;
    loop {
        carry_out::<S>(&endpoint, &mut out, &leads, &mut inputs).await;
        let now = TimeHandle::current().elapsed();
        let input = match inputs.pop() {
            Some(input) => input,
            None => match timeout(due.saturating_sub(now), endpoint.recv_from_raw(TAG)).await {
                Ok(Ok((payload, from))) => Input::Deliver {
                    from: NodeId(
                        from.ip()
                            .to_string()
                            .rsplit('.')
                            .next()
                            .and_then(|n| n.parse().ok())
                            .expect("an address of ours"),
                    ),
                    message: *payload
                        .downcast::<Message<S>>()
                        .expect("only messages are sent"),
                },
                _ => {
                    due += setting.tick;
                    if leads.get() {
                        for client in 0..8 {
                            sequence += 1;
                            inputs.push(Input::Request(request(client, sequence)));
                        }
                    }
                    Input::Tick
                }
            },
        };
        steps.fetch_add(1, Ordering::Relaxed);
        let now_us = TimeHandle::current().elapsed().as_micros() as u64;
        replica.step(now_us, input, &mut out);
    }
}

fn request(client: u32, sequence: u64) -> Request {
    let command = Command {
        client,
        sequence,
        time_us: 0,
        operation: Operation::Put {
            key: client as u8,
            value: sequence,
        },
    };
    Request {
        client,
        sequence,
        attempt: 0,
        command: command.encode(0),
    }
}

async fn carry_out<S: Subject>(
    endpoint: &Endpoint,
    out: &mut Output<Message<S>>,
    leads: &Cell<bool>,
    inputs: &mut Vec<Input<Message<S>>>,
) where
    Message<S>: Send + Sync + 'static,
{
    for effect in out.take_effects() {
        match effect {
            Effect::Write(_) => {}
            Effect::Sync(sync) => inputs.push(Input::Synced {
                sync,
                result: SyncResult::Done,
            }),
            Effect::Observe(Observation::Role { role, .. }) => leads.set(role == Role::Leader),
            Effect::Observe(_) => {}
        }
    }
    for message in out.take_sends() {
        let to = S::Replica::label(&message).to;
        let sent = endpoint
            .send_to_raw(address(to.position()), TAG, Box::new(message))
            .await;
        sent.expect("a node that is there");
    }
    out.clear();
}
