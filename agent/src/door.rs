//! The HTTP door: MCP clients that speak only URLs, in front of the same pipeline as those on stdio.
//!
//! Who may come in is decided by [`admission`]; what a request is, by its path and method; everything
//! that a client says is judged, recorded and released by [`crate::pipeline`]. All of it on one thread.

mod admission;
mod answer;
mod body;
mod connections;
mod conversation;
pub mod credential;
mod events;
mod exchange;
mod http_sse;
mod ids;
mod param_headers;
mod posted;
mod refusals;
pub mod served;
mod stateless;
mod streamable;
mod told;

pub use admission::Names;
pub use refusals::Refusals;

use answer::{Answer, Refused};
use body::{Bodies, accepts, check_content};
use connections::{Stranger, Strangers};
use credential::Admitted;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use posted::Posted;
use served::Served;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;

/// For the headers of a request, from the moment that one may come.
const HEADERS: Duration = Duration::from_secs(60);
const HEADER_BYTES: usize = 64 * 1024;
const SWEEP: Duration = Duration::from_secs(1);
const BOTH: [&str; 2] = ["application/json", "text/event-stream"];

pub struct Door {
    names: Names,
    admitted: Admitted,
    /// By the first part of their path; the one server of a door alone has none.
    served: RefCell<BTreeMap<String, Rc<Served>>>,
    bodies: Bodies,
    strangers: Strangers,
    refusals: Refusals,
    /// Nothing begins any more.
    is_ending: Cell<bool>,
}

/// What a path leads to.
struct Way<'a> {
    served: Rc<Served>,
    /// Where this server's paths begin.
    prefix: &'a str,
    to: &'a str,
}

impl Door {
    pub fn new(names: Names, admitted: Admitted, refusals: Refusals) -> Rc<Self> {
        let (served, bodies, strangers) = (RefCell::default(), Bodies::default(), Strangers::default());
        Rc::new(Self { names, admitted, served, bodies, strangers, refusals, is_ending: Cell::new(false) })
    }

    /// Serves that at `/NAME/mcp` and `/NAME/sse`; without a name at `/mcp` and `/sse`.
    pub fn serve(&self, name: &str, served: Rc<Served>) {
        self.served.borrow_mut().insert(name.to_owned(), served);
    }

    /// Serves these, each under its name, and nothing else.
    pub fn serve_all(&self, served: BTreeMap<String, Rc<Served>>) {
        *self.served.borrow_mut() = served;
    }

    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    pub fn servers(&self) -> Vec<Rc<Served>> {
        self.served.borrow().values().cloned().collect()
    }

    /// Ends every conversation, waits until no server of ours is left, and closes the door's record.
    pub async fn end(&self) {
        self.is_ending.set(true);
        self.refusals.end();
        futures_util::future::join_all(self.servers().iter().map(|served| served.end())).await;
    }

    /// Lets clients in for ever; whoever runs the door drops this.
    pub async fn open(self: Rc<Self>, listeners: Vec<TcpListener>, tls: Option<TlsAcceptor>) {
        let sweep = async {
            let mut tick = interval(SWEEP);
            loop {
                tick.tick().await;
                self.servers().iter().for_each(|served| served.sweep());
                self.refusals.sweep();
            }
        };
        tokio::select! {
            () = self.accept(listeners, tls) => {}
            () = sweep => {}
            never = self.refusals.hand_over() => match never {},
        }
    }

    async fn talk(
        self: &Rc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        stranger: &Rc<Stranger>,
    ) {
        let (door, stranger) = (Rc::clone(self), Rc::clone(stranger));
        let service = service_fn(move |request| {
            let (door, stranger) = (Rc::clone(&door), Rc::clone(&stranger));
            async move { Ok::<_, Infallible>(door.answer(request, &stranger).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection broke off");
            if error.is_parse() {
                self.refusals.note_no_http(&error);
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>, stranger: &Rc<Stranger>) -> Answer {
        let (parts, body) = request.into_parts();
        match self.let_in(&parts, body, stranger).await {
            Ok(answer) => answer,
            Err(refused) => {
                tracing::info!(%refused, "a request was not let in");
                self.refusals.note(&refused, &parts);
                refused.answer()
            }
        }
    }

    async fn let_in(
        &self,
        parts: &Parts,
        body: Incoming,
        stranger: &Rc<Stranger>,
    ) -> Result<Answer, Refused> {
        let caller = self.names.admit(parts, &self.admitted)?;
        self.strangers.know(stranger);
        if self.is_ending.get() {
            return Err(Refused::Closing);
        }
        let Way { served, prefix, to } = self.way(parts.uri.path()).ok_or(Refused::Path)?;
        let headers = &parts.headers;
        match (to, &parts.method) {
            ("mcp", &Method::POST) => {
                if !accepts(headers, &BOTH) {
                    return Err(Refused::Accept("application/json and text/event-stream"));
                }
                let (posted, _room) = self.posted(headers, body).await?;
                if stateless::is_meant(headers, &posted) {
                    return stateless::post(&served, &caller, headers, posted).await;
                }
                streamable::post(&served, &caller, headers, posted).await
            }
            ("mcp", &Method::GET) => streamable::get(&served, &caller, headers).await,
            ("mcp", &Method::DELETE) => streamable::delete(&served, &caller, headers),
            ("mcp", _) => Err(Refused::Method("GET, POST, DELETE")),
            ("sse", &Method::GET) => http_sse::get(&served, &caller, headers, prefix).await,
            ("sse", _) => Err(Refused::Method("GET")),
            ("messages", &Method::POST) => {
                let (posted, _room) = self.posted(headers, body).await?;
                http_sse::post(&served, &caller, parts.uri.query(), posted).await
            }
            ("messages", _) => Err(Refused::Method("POST")),
            _ => Err(Refused::Path),
        }
    }

    fn way<'a>(&self, path: &'a str) -> Option<Way<'a>> {
        let (prefix, to) = path.rsplit_once('/')?;
        let name = prefix.strip_prefix('/').unwrap_or(prefix);
        let served = Rc::clone(self.served.borrow().get(name)?);
        Some(Way { served, prefix, to })
    }

    async fn posted(
        &self,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<(Posted, Option<OwnedSemaphorePermit>), Refused> {
        check_content(headers)?;
        let (bytes, room) = self.bodies.read(body).await?;
        Ok((Posted::read(bytes), room))
    }
}
