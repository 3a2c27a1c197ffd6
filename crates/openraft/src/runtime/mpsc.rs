//! A channel of values from many, with limited room.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use openraft_rt::{
    Mpsc, MpscReceiver, MpscSender, MpscWeakSender, OptionalSend, SendError, TryRecvError,
};

use super::watch::remember;

/// Channels of values from many.
#[derive(Clone, Copy, Debug)]
pub struct NodeMpsc;

struct Channel<T> {
    values: VecDeque<T>,
    room: usize,
    senders: usize,
    has_receiver: bool,
    receiver: Option<Waker>,
    /// Senders that wait for room.
    waiting: Vec<Waker>,
}

impl<T> Channel<T> {
    fn wake_receiver(&mut self) {
        if let Some(receiver) = self.receiver.take() {
            receiver.wake();
        }
    }

    fn take(&mut self) -> Result<T, TryRecvError> {
        match self.values.pop_front() {
            Some(value) => {
                self.waiting.drain(..).for_each(Waker::wake);
                Ok(value)
            }
            None if self.senders == 0 => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }
}

struct Shared<T>(Arc<Mutex<Channel<T>>>);

impl<T> Shared<T> {
    fn open(&self) -> MutexGuard<'_, Channel<T>> {
        self.0.lock().expect("no holder panics")
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Where values go in.
pub struct Sender<T>(Shared<T>);

/// Where values go in as long as a [`Sender`] is there.
pub struct WeakSender<T>(Shared<T>);

/// Where values come out.
pub struct Receiver<T>(Shared<T>);

impl Mpsc for NodeMpsc {
    type Sender<T: OptionalSend> = Sender<T>;
    type Receiver<T: OptionalSend> = Receiver<T>;
    type WeakSender<T: OptionalSend> = WeakSender<T>;

    fn channel<T: OptionalSend>(room: usize) -> (Sender<T>, Receiver<T>) {
        let shared = Shared(Arc::new(Mutex::new(Channel {
            values: VecDeque::new(),
            room,
            senders: 1,
            has_receiver: true,
            receiver: None,
            waiting: Vec::new(),
        })));
        (Sender(shared.clone()), Receiver(shared))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.open().senders += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut channel = self.0.open();
        channel.senders -= 1;
        if channel.senders == 0 {
            channel.wake_receiver();
        }
    }
}

impl<T: OptionalSend> MpscSender<NodeMpsc, T> for Sender<T> {
    async fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut value = Some(value);
        let send = |context: &mut Context<'_>| {
            let mut channel = self.0.open();
            let is_full = channel.values.len() >= channel.room;
            if is_full && channel.has_receiver {
                remember(&mut channel.waiting, context);
                return Poll::Pending;
            }
            let value = value.take().expect("it is sent once");
            if !channel.has_receiver {
                return Poll::Ready(Err(SendError(value)));
            }
            channel.values.push_back(value);
            channel.wake_receiver();
            Poll::Ready(Ok(()))
        };
        let mut send = send;
        poll_fn(|context| send(context)).await
    }

    fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.clone())
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: OptionalSend> MpscWeakSender<NodeMpsc, T> for WeakSender<T> {
    fn upgrade(&self) -> Option<Sender<T>> {
        let mut channel = self.0.open();
        if channel.senders == 0 {
            return None;
        }
        channel.senders += 1;
        drop(channel);
        Some(Sender(self.0.clone()))
    }
}

impl<T: OptionalSend> MpscReceiver<T> for Receiver<T> {
    async fn recv(&mut self) -> Option<T> {
        poll_fn(|context| {
            let mut channel = self.0.open();
            match channel.take() {
                Ok(value) => Poll::Ready(Some(value)),
                Err(TryRecvError::Disconnected) => Poll::Ready(None),
                Err(TryRecvError::Empty) => {
                    channel.receiver = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.open().take()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut channel = self.0.open();
        channel.has_receiver = false;
        channel.waiting.drain(..).for_each(Waker::wake);
        let left = std::mem::take(&mut channel.values);
        drop(channel);
        // They may hold ends of this channel.
        drop(left);
    }
}
