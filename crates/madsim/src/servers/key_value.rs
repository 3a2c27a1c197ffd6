//! A key-value server as a subject, by two functions: how one incarnation of a node runs, and how
//! one request is made of a node. Clients, what they ask for, and whether what they are told is
//! linearizable, are the same for all such servers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::madsim::time::{TimeHandle, sleep, timeout};

use super::{ClientHandle, Ended, Incarnation, Judged, Server, Storm, address_of};
use squall_core::counters::Counter;
use squall_core::ids::NodeId;
use squall_core::invariants::{Verdict, Violation, breach};
use squall_core::plan::Plan;
use squall_linearizability::models::{KeyValue, KeyValueInput, KeyValueOutput};
use squall_linearizability::{Budget, Operation};

/// How many keys clients ask about.
const KEYS: u64 = 3;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// What does this key hold?
    Get {
        /// The key.
        key: String,
    },
    /// A key gets a value that it never had.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
}

impl std::fmt::Display for Request {
    /// `get KEY` or `put KEY VALUE`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Request::Get { key } => write!(f, "get {key}"),
            Request::Put { key, value } => write!(f, "put {key} {value}"),
        }
    }
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The key holds this, or nothing.
    Value(Option<String>),
    /// It is put.
    Done,
    /// The node does not take it, and it will never take effect.
    Refused,
    /// Nothing, in time. It may take effect at any time, or never.
    Nothing,
}

/// Which node is asked, and for what.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The node that is asked.
    pub node: NodeId,
    /// What it is asked for.
    pub request: Request,
}

impl Asked {
    /// The address of that node, if it listens on this port.
    pub fn address(&self, port: u16) -> String {
        format!("{}:{port}", address_of(self.node))
    }
}

/// A server by two functions: see [`key_value`].
#[derive(Debug)]
pub struct ByFunctions<S, A> {
    serve: S,
    ask: A,
}

/// A key-value server as a subject. `serve` is one incarnation of a node; a node whose incarnation
/// ends is switched off and on again, and the error that it returns is reported. `ask` makes one
/// request of one node, once; the request is given up after a while.
pub fn key_value<S, L, A, R>(serve: S, ask: A) -> Storm<ByFunctions<S, A>>
where
    S: Fn(Incarnation) -> L + Send + Sync + 'static,
    L: Future<Output: Ended + Send + 'static> + Send + 'static,
    A: Fn(Asked) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    Storm::over(ByFunctions { serve, ask })
}

/// What clients of one run have seen.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Vec<Operation<KeyValueInput, KeyValueOutput>>>);

impl<S, L, A, R> Server for ByFunctions<S, A>
where
    S: Fn(Incarnation) -> L + Send + Sync + 'static,
    L: Future<Output: Ended + Send + 'static> + Send + 'static,
    A: Fn(Asked) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    type Run = Seen;
    type End = L::Output;

    fn begin(&self, _: &Plan) -> Seen {
        Seen::default()
    }

    fn serve(
        self: Arc<Self>,
        incarnation: Incarnation,
    ) -> impl Future<Output = L::Output> + Send + 'static {
        (self.serve)(incarnation)
    }

    async fn ask(self: Arc<Self>, run: Arc<Seen>, handle: ClientHandle) {
        let mut choices = handle.choices();
        let plan = Arc::clone(&handle.plan);
        let (workload, nodes) = (plan.workload, plan.nodes());
        // A request that is given up before its answer can be there never gets one: that takes a
        // connection, four delays and two syncs.
        let takes_us = 8 * plan.network.delay_max_us + 4 * plan.disk.sync_max_us;
        let patience = Duration::from_micros(workload.timeout_us.max(takes_us));
        let mut node = *choices.pick(&nodes);
        for count in 1_u64.. {
            let think_us = choices.between(workload.think_min_us, workload.think_max_us);
            sleep(Duration::from_micros(think_us)).await;
            // What is asked for before the end of the storm says nothing of what comes after it.
            let storms = handle.storms();
            let key = format!("k{}", choices.below(KEYS));
            let request = match choices.below(2) {
                0 => Request::Get { key },
                _ => Request::Put {
                    key,
                    value: format!("{}.{count}", handle.number),
                },
            };
            let now_us = || TimeHandle::current().elapsed().as_micros() as u64;
            let invoked = now_us();
            let asked = (self.ask)(Asked {
                node,
                request: request.clone(),
            });
            let reply = timeout(patience, asked).await.unwrap_or(Reply::Nothing);
            handle.say(|| format!("asks {node}: {request}, and gets {reply:?}"));
            handle.hit(match reply {
                Reply::Value(_) | Reply::Done => Counter::CommandApplied,
                Reply::Refused => Counter::CommandRefused,
                Reply::Nothing => Counter::CommandTimedOut,
            });
            if matches!(reply, Reply::Refused | Reply::Nothing) {
                node = *choices.pick(&nodes);
            }
            let is_answered = matches!(reply, Reply::Value(_) | Reply::Done);
            run.add(handle.number, request, reply, (invoked, now_us()));
            if !storms && is_answered {
                break;
            }
        }
    }

    fn judge(&self, run: &Seen) -> Verdict<Judged> {
        let history = run.0.lock().unwrap_or_else(PoisonError::into_inner);
        match squall_linearizability::check(&KeyValue, &history, Budget::default()) {
            squall_linearizability::Verdict::Linearizable { .. } => Ok(Judged::Fine),
            squall_linearizability::Verdict::NotLinearizable(counterexample) => {
                let excerpt = counterexample.excerpt(&history);
                let breach = breach::Linearizability::NoOrderOnServer { excerpt };
                Err(Violation::by(None, breach))
            }
            squall_linearizability::Verdict::Unknown { explored, .. } => Ok(Judged::Undecided(
                format!("no order of operations in {explored} steps"),
            )),
        }
    }
}

impl Seen {
    fn add(&self, client: u32, request: Request, reply: Reply, (invoked, at): (u64, u64)) {
        let input = match request {
            Request::Get { key } => KeyValueInput::Get { key },
            Request::Put { key, value } => KeyValueInput::Put { key, value },
        };
        let operation = match reply {
            Reply::Refused => return,
            Reply::Nothing => Operation::unknown(client, input, invoked),
            Reply::Value(value) => {
                Operation::ok(client, input, KeyValueOutput::Value(value), invoked, at)
            }
            Reply::Done => Operation::ok(client, input, KeyValueOutput::Done, invoked, at),
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(operation);
    }
}
