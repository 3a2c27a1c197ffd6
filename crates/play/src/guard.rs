//! Who may ask: whoever has the address that was printed, from a page of this server. Another user
//! of the machine has no token, and a page of another site has neither that nor this origin.

use std::net::SocketAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

/// The header in which the page sends the token.
pub const HEADER: &str = "squall-token";

/// Bytes of a token, which nobody guesses.
const BYTES: usize = 16;

/// What is asked of each request.
pub struct Guard {
    token: String,
    /// The hosts by which the server may be called.
    hosts: [String; 2],
}

impl Guard {
    /// One with a new token, for a server that listens there.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new(address: SocketAddr) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        let port = address.port();
        Ok(Self {
            token: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            hosts: [
                format!("{}:{port}", address.ip()),
                format!("localhost:{port}"),
            ],
        })
    }

    /// The address of the page.
    pub fn address(&self) -> String {
        format!("http://{}/?token={}", self.hosts[0], self.token)
    }

    /// Whether a request may be answered.
    pub fn lets_in(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let one = |name| {
            let mut values = headers.get_all(name).iter();
            let first = values.next().and_then(|value| value.to_str().ok());
            first.filter(|_| values.next().is_none())
        };
        let is_ours = |host: &str| self.hosts.iter().any(|own| own == host);
        let is_own_origin = |origin: &str| origin.strip_prefix("http://").is_some_and(is_ours);
        let is_own = match (one(HOST), headers.contains_key(ORIGIN)) {
            (Some(host), false) => is_ours(host),
            (Some(host), true) => is_ours(host) && one(ORIGIN).is_some_and(is_own_origin),
            (None, _) => false,
        };
        let in_query = uri.query().and_then(|query| {
            let mut pairs = query.split('&');
            pairs.find_map(|pair| pair.strip_prefix("token="))
        });
        let in_header = headers.get(HEADER).and_then(|value| value.to_str().ok());
        is_own
            && in_header
                .or(in_query)
                .is_some_and(|token| self.is_token(token))
    }

    /// Whether this is the token; that takes as long wherever it differs.
    fn is_token(&self, token: &str) -> bool {
        let pairs = token.bytes().zip(self.token.bytes());
        let differs = pairs.fold(0, |differs, (one, other)| differs | (one ^ other));
        token.len() == self.token.len() && differs == 0
    }
}
