//! The server: the page of a session, and what the page asks for. It listens on the loopback
//! address alone, writes no file, and opens nothing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::guard::Guard;
use super::session::{PlayError, Session};

/// The most bytes of a request's body.
const MOST_BYTES: usize = 64 * 1024;

/// What the page asks to be done.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Wish {
    /// These lines, one after the other; all or none.
    Say(Vec<String>),
    Undo,
    Redo,
    Reset,
    /// To play on the subject of that name.
    On(String),
}

/// A server that is to show a session.
pub struct Server {
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    stop: Arc<Notify>,
}

/// Ends a [`Server`] from another thread.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Notify>);

impl Stopper {
    /// Ends it: [`Server::run`] returns.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

struct Shared {
    session: Mutex<Session>,
    guard: Guard,
    /// What scripts and styles of the page must carry to be carried out.
    nonce: String,
}

impl Shared {
    /// The session. What panics while it is at work has changed nothing yet.
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// One for `session`, on the loopback address and `port`; with 0, on a port that is free.
    ///
    /// # Errors
    /// When the port is taken, or the operating system has no randomness to give.
    pub fn bind(session: Session, port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        Ok(Self {
            listener,
            shared: Arc::new(Shared {
                session: Mutex::new(session),
                guard: Guard::new(at).map_err(io::Error::other)?,
                nonce: nonce.iter().map(|byte| format!("{byte:02x}")).collect(),
            }),
            stop: Arc::new(Notify::new()),
        })
    }

    /// The address of the page, with the token that opens it.
    pub fn address(&self) -> String {
        self.shared.guard.address()
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn socket_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What ends it.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stop))
    }

    /// Answers until it is ended.
    ///
    /// # Errors
    /// When the operating system lets it listen no more.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let done = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let answering = axum::serve(listener, router(self.shared));
            tokio::select! {
                done = async { answering.await } => done,
                () = self.stop.notified() => Ok(()),
            }
        });
        // A run that is under way is not waited for.
        runtime.shutdown_background();
        done
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/state", get(state))
        .route("/act", post(act))
        .route("/story", get(story))
        .route("/plan", get(plan))
        .method_not_allowed_fallback(async || {
            plain(StatusCode::METHOD_NOT_ALLOWED, "no such method")
        })
        .fallback(async || plain(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(from_fn_with_state(Arc::clone(&shared), check))
        .with_state(shared)
}

/// Lets in who may come in, and says with each answer what a browser may do with it.
async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match shared.guard.lets_in(request.uri(), request.headers()) {
        true => next.run(request).await,
        false => plain(
            StatusCode::FORBIDDEN,
            "this is not for you: open the address that squall explore has printed",
        ),
    };
    let nonce = &shared.nonce;
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy);
    let fixed: [(HeaderName, &str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = policy {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let html = squall_page::play_html(&shared.nonce);
    answer(StatusCode::OK, "text/html; charset=utf-8", html)
}

async fn state(State(shared): State<Arc<Shared>>) -> Response {
    at_work(shared, |session| Ok(json(&session.state()))).await
}

async fn act(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error),
    };
    at_work(shared, move |session| {
        match wish {
            Wish::Say(lines) => session.say_all(&lines)?,
            Wish::Undo => session.undo()?,
            Wish::Redo => session.redo()?,
            Wish::Reset => session.reset()?,
            Wish::On(name) => session.play_on(&name)?,
        }
        Ok(json(&session.state()))
    })
    .await
}

async fn story(State(shared): State<Arc<Shared>>) -> Response {
    at_work(shared, |session| {
        let text = session.story()?;
        Ok(answer(StatusCode::OK, "text/plain; charset=utf-8", text))
    })
    .await
}

async fn plan(State(shared): State<Arc<Shared>>) -> Response {
    at_work(shared, |session| {
        let text = session.plan()?;
        Ok(answer(StatusCode::OK, "application/json", text))
    })
    .await
}

/// Does something with the session, beside the thread that answers: a run takes its time.
async fn at_work(
    shared: Arc<Shared>,
    work: impl FnOnce(&mut Session) -> Result<Response, PlayError> + Send + 'static,
) -> Response {
    let done = tokio::task::spawn_blocking(move || work(&mut shared.session())).await;
    match done {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &error),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

fn refused(status: StatusCode, error: &dyn std::fmt::Display) -> Response {
    #[derive(Serialize)]
    struct Refused {
        error: String,
    }
    let error = Refused {
        error: error.to_string(),
    };
    let mut response = json(&error);
    *response.status_mut() = status;
    response
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => answer(StatusCode::OK, "application/json", text),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    answer(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn answer(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
