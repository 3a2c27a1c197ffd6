//! A network for async code, over the project's own model of links: each way of a link can be cut,
//! slow, lossy and held back by itself. [`net`](super::net) has the sockets on it.
//!
//! What happens to a stream is what TCP makes of it: a lost segment is sent again and holds up what
//! is behind it, and a connection on which nothing gets through ends with an error after some
//! tries; a copy is thrown away. A datagram is lost, duplicated and reordered as it is. A machine
//! that loses power is gone without a word: whoever sends to it later, when it is up again, is told
//! that there is no such connection.
//!
//! One task carries it all, on a machine of its own, so that what is on its way arrives whoever
//! stands still. Knows nothing of plans.

mod carry;
mod connection;
mod state;

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use ::madsim::Config;
use ::madsim::plugin::{Simulator, simulator};
use ::madsim::rand::{GlobalRng, RngCore as _};
use ::madsim::runtime::Handle;
use ::madsim::task::NodeId;
use ::madsim::time::TimeHandle;

use squall_world::network::{LinkOptions, MessageFault, Network};

pub use state::Noted;
pub(super) use state::{Bound, State};

/// The network of a runtime. Add it with `runtime.add_simulator::<NetworkSim>()`, and lay it before
/// any socket is opened.
pub struct NetworkSim {
    time: TimeHandle,
    state: Mutex<State>,
}

impl Simulator for NetworkSim {
    fn new(rand: &GlobalRng, time: &TimeHandle, _: &Config) -> Self {
        Self {
            time: time.clone(),
            state: Mutex::new(State::new(rand.clone().next_u64())),
        }
    }

    /// Called by `Handle::kill`, which holds the runtime's locks: nothing here may ask the runtime
    /// for anything.
    fn reset_node(&self, node: NodeId) {
        self.with(|state| state.lose_power(node));
    }
}

impl NetworkSim {
    /// That of the runtime this is called in.
    ///
    /// # Panics
    /// Outside of a runtime, and in one that it was not added to.
    pub fn current() -> Arc<Self> {
        simulator()
    }

    /// Lays links between these machines, each at its address, that carry `ordinary` traffic.
    /// Whatever was there is gone. Returns the machine that carries what is sent;
    /// `Handle::kill` it when the run is over, for a task that is not finished when its runtime
    /// ends is leaked.
    ///
    /// # Panics
    /// Outside of a task, and when two machines have one address.
    pub fn lay(self: &Arc<Self>, hosts: &[(NodeId, IpAddr)], ordinary: LinkOptions) -> NodeId {
        self.with(|state| state.lay(hosts, ordinary));
        let carrier = Handle::current().create_node().name("network").build();
        drop(carrier.spawn(carry(Arc::downgrade(self), self.time.clone())));
        carrier.id()
    }

    /// Acts on the links, where machines are positions in the order that they were laid in.
    pub fn steer<T>(&self, act: impl FnOnce(&mut Network) -> T) -> T {
        self.with(|state| act(&mut state.network))
    }

    /// The next segment or datagram from one machine to another is tampered with. A stream whose
    /// segment is lost in this way is broken off, and what is on its way on it is lost; a copy
    /// of one is thrown away by whoever gets it.
    pub fn tamper(&self, from: usize, to: usize, tampering: MessageFault) {
        self.with(|state| state.tamperings.push((from, to, tampering)));
    }

    /// Ends all that links suffer from, and what is on its way arrives in `prompt_us` at the
    /// latest.
    pub fn heal(&self, ordinary: LinkOptions, prompt_us: u64) {
        self.with(|state| state.heal(ordinary, prompt_us));
    }

    /// Tells `ear` what befalls what is sent, from now on. It must not call back.
    pub fn listen(&self, ear: impl Fn(Noted) + Send + Sync + 'static) {
        self.with(|state| state.ear = Some(Arc::new(ear)));
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (value, wakers, noted, ear) = {
            // A task that panicked while it held the lock has left a network as whole as any.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.now_us = self.time.elapsed().as_micros() as u64;
            let value = act(&mut state);
            state.call_carrier();
            let noted = std::mem::take(&mut state.noted);
            let wakers = std::mem::take(&mut state.wakers);
            (value, wakers, noted, state.ear.clone())
        };
        // Without the lock: whoever is woken or told may come back here.
        if let Some(ear) = ear {
            noted.into_iter().for_each(|noted| ear(noted));
        }
        wakers.into_iter().for_each(|waker| waker.wake());
        value
    }
}

/// Carries what is sent to where it is due, when it is due.
async fn carry(network: Weak<NetworkSim>, time: TimeHandle) {
    let start = time.now_instant() - time.elapsed();
    let mut alarm = pin!(time.sleep_until(start));
    // A timer cannot be cancelled: one that is set for the same time already is as good as another.
    let mut set_for_us = None;
    poll_fn(move |context| {
        loop {
            let Some(network) = network.upgrade() else {
                return Poll::Ready(());
            };
            let next_us = network.with(|state| state.carry(context.waker()));
            if next_us.is_none() || next_us == set_for_us {
                return Poll::Pending;
            }
            set_for_us = next_us;
            let next_us = next_us.unwrap_or_default();
            // The runtime's own sleeps last for a millisecond at least, unless they are set anew.
            alarm.as_mut().reset(start + Duration::from_micros(next_us));
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}
