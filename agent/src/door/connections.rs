//! The connections of the door: how many there are, and for how long somebody may hold one without
//! showing a credential. Knows nothing of what is asked on them.

use crate::door::Door;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

const CONNECTIONS: usize = 512;
/// Of these, so many of nobody known: the one that has waited for longest makes room for the next, so that
/// nobody without a credential keeps out those who have one.
const STRANGERS: usize = 128;
/// What anybody gets, from the connection to a request that is let in.
const PATIENCE: Duration = Duration::from_secs(20);
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections on which nothing was let in yet, the oldest first.
#[derive(Default)]
pub struct Strangers(RefCell<VecDeque<Rc<Stranger>>>);

#[derive(Default)]
pub struct Stranger {
    is_known: Cell<bool>,
    asked_to_go: Notify,
}

impl Strangers {
    fn enter(&self) -> Rc<Stranger> {
        let mut waiting = self.0.borrow_mut();
        if waiting.len() >= STRANGERS
            && let Some(longest) = waiting.pop_front()
        {
            longest.asked_to_go.notify_one();
        }
        let stranger = Rc::default();
        waiting.push_back(Rc::clone(&stranger));
        stranger
    }

    /// A request of theirs was let in.
    pub fn know(&self, stranger: &Rc<Stranger>) {
        if !stranger.is_known.replace(true) {
            self.leave(stranger);
        }
    }

    fn leave(&self, stranger: &Rc<Stranger>) {
        self.0.borrow_mut().retain(|waiting| !Rc::ptr_eq(waiting, stranger));
    }
}

impl Stranger {
    /// Waits until they have to go; for ever where they are known by then.
    async fn overstays(&self, patience: Duration) {
        tokio::select! {
            () = sleep(patience) => {}
            () = self.asked_to_go.notified() => {}
        }
        if self.is_known.get() {
            std::future::pending::<()>().await;
        }
    }
}

impl Door {
    /// Takes what comes on all of these, for ever.
    pub(super) async fn accept(self: &Rc<Self>, listeners: Vec<TcpListener>, tls: Option<TlsAcceptor>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let each = listeners.into_iter().map(|listener| self.accept_from(listener, &places, tls.as_ref()));
        futures_util::future::join_all(each).await;
    }

    async fn accept_from(
        self: &Rc<Self>,
        listener: TcpListener,
        places: &Arc<Semaphore>,
        tls: Option<&TlsAcceptor>,
    ) {
        loop {
            // It is never closed.
            let place = Arc::clone(places).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (door, tls) = (Rc::clone(self), tls.cloned());
                    tokio::task::spawn_local(async move {
                        door.hold(stream, tls).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken");
                    // Out of descriptors, most likely: some will be closed.
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// One connection, from its beginning to its end: of a stranger, until a request is let in.
    async fn hold(self: &Rc<Self>, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Nagle's wait would be felt at every event.
        let _ = stream.set_nodelay(true);
        let stranger = self.strangers.enter();
        let talk = async {
            match tls {
                None => self.talk(stream, &stranger).await,
                Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => self.talk(stream, &stranger).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                    Err(_) => tracing::debug!("a handshake did not come in time"),
                },
            }
        };
        tokio::select! {
            () = talk => {}
            () = stranger.overstays(PATIENCE) => tracing::debug!("somebody without a credential was sent away"),
        }
        self.strangers.leave(&stranger);
    }

    /// One connection of nobody's in particular.
    pub(crate) async fn receive(self: Rc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        self.talk(stream, &Rc::default()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn whoever_waits_longest_without_a_credential_makes_room() {
        let has_to_go = |it: &Rc<Stranger>| it.overstays(PATIENCE).now_or_never().is_some();
        let strangers = Strangers::default();
        let first: Vec<_> = (0..STRANGERS).map(|_| strangers.enter()).collect();
        strangers.know(&first[0]);
        let next = strangers.enter();
        assert!(!first.iter().any(has_to_go), "there is room");
        let last = strangers.enter();
        assert!(has_to_go(&first[1]), "it has waited for longest");
        assert!(![&first[0], &first[2], &next, &last].into_iter().any(has_to_go));
        let soon = Duration::from_millis(20);
        assert!(timeout(soon, first[0].overstays(Duration::ZERO)).await.is_err(), "it is known");
        next.overstays(Duration::ZERO).await;
        strangers.leave(&next);
        assert_eq!(strangers.0.borrow().len(), STRANGERS - 1);
    }
}
