//! The accept loop: a task a connection, with a limit on every wait.

use super::peer::Judge;
use super::{Authority, Peer, TlsError};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub handshake: Duration,
    /// For the header of a request: against clients that send half of one and wait.
    pub header: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { handshake: Duration::from_secs(10), header: Duration::from_secs(15) }
    }
}

/// How long requests under way may take when the server stops.
const LAST_WORDS: Duration = Duration::from_millis(1500);
/// Ten thousand agents keep a stream each; the rest is for everybody's short requests.
const MOST_CONNECTIONS: usize = 20_000;

struct Door {
    acceptor: TlsAcceptor,
    judge: Judge,
    router: Router,
    patience: Patience,
    stopping: watch::Receiver<bool>,
}

/// Serves until `stopping` becomes true, then lets requests under way finish for a moment.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    authority: &Authority,
    router: Router,
    patience: Patience,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), TlsError> {
    let door = Arc::new(Door {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        judge: Judge::new(authority)?,
        router,
        patience,
        stopping: stopping.clone(),
    });
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            listener.accept().await.map(|(stream, address)| (stream, address, permit))
        };
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, address, permit)) => {
                let door = Arc::clone(&door);
                open.spawn(async move {
                    door.attend(stream, address).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, for instance: the next attempt would fail at once, too.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, all).await.is_err() {
        open.abort_all();
    }
    Ok(())
}

impl Door {
    async fn attend(&self, stream: TcpStream, address: SocketAddr) {
        // Small messages, and somebody waits for each: a policy event, a receipt.
        let _ = stream.set_nodelay(true);
        let tls = match tokio::time::timeout(self.patience.handshake, self.acceptor.accept(stream)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return tracing::debug!(%address, %error, "TLS handshake failed"),
            Err(_) => return tracing::debug!(%address, "TLS handshake took too long"),
        };
        let certificate = self.judge.judge(tls.get_ref().1.peer_certificates());
        let peer = Peer { address, certificate };
        let service =
            self.router.clone().map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer.clone());
                request.map(axum::body::Body::new)
            });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.patience.header);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .max_concurrent_streams(64);
        let connection = builder.serve_connection(TokioIo::new(tls), TowerToHyperService::new(service));
        tokio::pin!(connection);
        let mut stopping = self.stopping.clone();
        let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%address, %error, "connection ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Patience, serve};
    use crate::tls::{Authority, install_provider, server_config};
    use axum::Router;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;
    use tokio_rustls::TlsConnector;

    const SHORT: Patience =
        Patience { handshake: Duration::from_millis(300), header: Duration::from_millis(300) };
    const LONG: Duration = Duration::from_secs(10);

    /// A listener that waits for nobody, and what its clients trust. The sender keeps it alive.
    async fn listen(folder: &std::path::Path) -> (std::net::SocketAddr, ClientConfig, watch::Sender<bool>) {
        install_provider();
        let authority = Authority::open(folder, "acme", true).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let config = server_config(&authority, None, &["localhost".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, stopping) = watch::channel(false);
        tokio::spawn(
            async move { serve(listener, config, &authority, Router::new(), SHORT, stopping).await },
        );
        (address, client, sender)
    }

    #[tokio::test]
    async fn client_that_sends_half_a_header_and_waits_is_hung_up_on() {
        let folder = tempfile::tempdir().unwrap();
        let (address, config, _alive) = listen(folder.path()).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        tls.write_all(b"GET / HTTP/1.1\r\nHost: local").await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(LONG, tls.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection is still open");
    }

    #[tokio::test]
    async fn client_that_never_begins_its_handshake_is_hung_up_on() {
        let folder = tempfile::tempdir().unwrap();
        let (address, _, _alive) = listen(folder.path()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let ended = tokio::time::timeout(LONG, stream.read(&mut [0; 1])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    }
}
