//! Sockets on a [`NetworkSim`], in the shape of `tokio::net`, so that a `use` line chooses between
//! the two.
//!
//! Names are looked up by the runtime, as for its own sockets: addresses are those that machines
//! were laid with. What a `TcpStream` has not read when it is dropped breaks the connection off;
//! what it has written is on its way still.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::madsim::net::{ToSocketAddrs, lookup_host};
use ::madsim::plugin::node;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::network::{Bound, NetworkSim, State};

async fn first(address: impl ToSocketAddrs) -> io::Result<SocketAddr> {
    let found = lookup_host(address).await?.next();
    found.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no address"))
}

/// Waits for connections.
pub struct TcpListener {
    network: Arc<NetworkSim>,
    bound: Bound,
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({})", self.bound.address)
    }
}

impl TcpListener {
    /// Waits at this address of the node whose task calls this.
    ///
    /// # Errors
    /// `AddrInUse`; `AddrNotAvailable` when it is another node's; and when the node is on no
    /// network that was laid.
    pub async fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        let (network, address) = (NetworkSim::current(), first(address).await?);
        let bound = network.with(|state| state.bind_listener(node(), address))?;
        Ok(Self { network, bound })
    }

    /// The next connection, and where it comes from.
    ///
    /// # Errors
    /// `NotConnected` when the node has lost power since.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let taken = poll_fn(|context| {
            let taken = |state: &mut State| state.accept(self.bound, context.waker());
            match self.network.with(taken) {
                Ok(None) => Poll::Pending,
                Ok(Some(taken)) => Poll::Ready(Ok(taken)),
                Err(error) => Poll::Ready(Err(error)),
            }
        });
        let (connection, from) = taken.await?;
        let network = Arc::clone(&self.network);
        Ok((TcpStream::new(network, connection, 1), from))
    }

    /// Where it waits.
    ///
    /// # Errors
    /// None so far.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.bound.address)
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.network.with(|state| state.unbind_listener(self.bound));
    }
}

/// One end of a connection, as long as anybody has it.
struct Held {
    network: Arc<NetworkSim>,
    connection: u64,
    end: usize,
}

impl Held {
    fn poll_read(&self, context: &Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let room = buffer.initialize_unfilled();
        let read = self
            .network
            .with(|state| state.read(self.connection, self.end, room, context.waker()));
        match read {
            Ok(None) => Poll::Pending,
            Ok(Some(count)) => {
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_write(&self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self
            .network
            .with(|state| state.write(self.connection, self.end, bytes, context.waker()));
        match written {
            Ok(None) => Poll::Pending,
            Ok(Some(count)) => Poll::Ready(Ok(count)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn shut(&self) {
        self.network
            .with(|state| state.shut(self.connection, self.end));
    }

    fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        self.network
            .with(|state| state.addresses(self.connection, self.end))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.network
            .with(|state| state.close(self.connection, self.end));
    }
}

/// A connection.
pub struct TcpStream(Arc<Held>);

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpStream({}, end {})", self.0.connection, self.0.end)
    }
}

impl TcpStream {
    fn new(network: Arc<NetworkSim>, connection: u64, end: usize) -> Self {
        Self(Arc::new(Held {
            network,
            connection,
            end,
        }))
    }

    /// Asks for a connection to that address.
    ///
    /// # Errors
    /// `ConnectionRefused` when nobody waits there; `TimedOut` when nothing gets through after some
    /// tries; `HostUnreachable` when there is no such node.
    pub async fn connect<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        let (network, address) = (NetworkSim::current(), first(address).await?);
        let connection = network.with(|state| state.connect(node(), address))?;
        // From here on it is given up when this is.
        let stream = Self::new(network, connection, 0);
        let is_there = poll_fn(|context| {
            let network = &stream.0.network;
            match network.with(|state| state.is_connected(connection, context.waker())) {
                Ok(false) => Poll::Pending,
                Ok(true) => Poll::Ready(Ok(())),
                Err(error) => Poll::Ready(Err(error)),
            }
        });
        is_there.await?;
        Ok(stream)
    }

    /// Nothing changes: what is written is sent at once, always.
    ///
    /// # Errors
    /// None.
    pub fn set_nodelay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// Its own address.
    ///
    /// # Errors
    /// `NotConnected` when the connection is no more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.addresses().map(|(own, _)| own)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NotConnected` when the connection is no more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.addresses().map(|(_, other)| other)
    }

    /// Two halves, for two tasks. Nothing more can be written once the second is dropped.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let writer = OwnedWriteHalf(Arc::clone(&self.0));
        (OwnedReadHalf(self.0), writer)
    }
}

/// What is read of a connection.
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<Held>);

/// What is written to a connection.
#[derive(Debug)]
pub struct OwnedWriteHalf(Arc<Held>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}, end {}", self.connection, self.end)
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        self.0.shut();
    }
}

macro_rules! reads {
    ($reader:ty) => {
        impl AsyncRead for $reader {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.0.poll_read(context, buffer)
            }
        }
    };
}

macro_rules! writes {
    ($writer:ty) => {
        impl AsyncWrite for $writer {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write(context, bytes)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.shut();
                Poll::Ready(Ok(()))
            }
        }
    };
}

reads!(TcpStream);
reads!(OwnedReadHalf);
writes!(TcpStream);
writes!(OwnedWriteHalf);

/// Sends and gets datagrams, which are lost, duplicated and reordered.
pub struct UdpSocket {
    network: Arc<NetworkSim>,
    bound: Bound,
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UdpSocket({})", self.bound.address)
    }
}

impl UdpSocket {
    /// A socket at this address of the node whose task calls this.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub async fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        let (network, address) = (NetworkSim::current(), first(address).await?);
        let bound = network.with(|state| state.bind_mailbox(node(), address))?;
        Ok(Self { network, bound })
    }

    /// Sends a datagram. That it is lost, nobody is told.
    ///
    /// # Errors
    /// `HostUnreachable` when there is no such node.
    pub async fn send_to<A: ToSocketAddrs>(&self, bytes: &[u8], to: A) -> io::Result<usize> {
        let to = first(to).await?;
        self.network
            .with(|state| state.send_datagram(self.bound, to, bytes))?;
        Ok(bytes.len())
    }

    /// The next datagram, as far as it fits into `buffer`, and where it comes from.
    ///
    /// # Errors
    /// `NotConnected` when the node has lost power since.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let next = poll_fn(|context| {
            self.network.with(|state| {
                let Some(mailbox) = state.mailbox(self.bound) else {
                    return Poll::Ready(Err(io::Error::from(ErrorKind::NotConnected)));
                };
                if let Some(datagram) = mailbox.datagrams.pop_front() {
                    return Poll::Ready(Ok(datagram));
                }
                let waker = context.waker();
                if !mailbox.wakers.iter().any(|other| other.will_wake(waker)) {
                    mailbox.wakers.push(waker.clone());
                }
                Poll::Pending
            })
        });
        let (bytes, source) = next.await?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok((count, source))
    }

    /// Where it is.
    ///
    /// # Errors
    /// None so far.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.bound.address)
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.network.with(|state| state.unbind_mailbox(self.bound));
    }
}
