//! Sockets as the server uses them: tokio's in production; in simulation those of a network whose
//! links can be cut, slow and lossy, each by itself and each way for itself.

#[cfg(madsim)]
pub use squall::madsim::shim::net::{TcpListener, TcpStream};

#[cfg(not(madsim))]
pub use tokio::net::{TcpListener, TcpStream};
