//! A channel for one value.

use futures_channel::oneshot::{self, Canceled};
use openraft_rt::{Oneshot, OneshotSender, OptionalSend};

/// Channels for one value.
#[derive(Clone, Copy, Debug)]
pub struct NodeOneshot;

/// Where the value goes in.
#[derive(Debug)]
pub struct Sender<T>(oneshot::Sender<T>);

impl Oneshot for NodeOneshot {
    type Sender<T: OptionalSend> = Sender<T>;
    type Receiver<T: OptionalSend> = oneshot::Receiver<T>;
    type ReceiverError = Canceled;

    fn channel<T: OptionalSend>() -> (Sender<T>, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Sender(sender), receiver)
    }
}

impl<T: OptionalSend> OneshotSender<T> for Sender<T> {
    fn send(self, value: T) -> Result<(), T> {
        self.0.send(value)
    }
}
