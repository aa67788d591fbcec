//! The request to end: what a client, a terminal, a service manager or the system sends.

use std::io;

/// From its making on, such a request no longer ends the process by itself.
pub struct Shutdown(os::Requests);

impl Shutdown {
    /// # Errors
    /// The system would not let us listen.
    pub fn listen() -> io::Result<Self> {
        os::Requests::listen().map(Self)
    }

    /// Waits for the next request. Safe to drop and call again.
    pub async fn requested(&mut self) {
        self.0.next().await;
    }
}

#[cfg(unix)]
mod os {
    use std::io;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// SIGINT (a terminal, Claude), SIGTERM (service managers, Claude after 0.1 s), SIGHUP (a terminal that went).
    pub(super) struct Requests([Signal; 3]);

    impl Requests {
        pub(super) fn listen() -> io::Result<Self> {
            let [interrupt, terminate, hangup] =
                [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
            Ok(Self([interrupt?, terminate?, hangup?]))
        }

        pub(super) async fn next(&mut self) {
            let [interrupt, terminate, hangup] = &mut self.0;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
    }
}

#[cfg(windows)]
mod os {
    use std::io;
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

    pub(super) struct Requests(CtrlC, CtrlBreak, CtrlClose);

    impl Requests {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self(ctrl_c()?, ctrl_break()?, ctrl_close()?))
        }

        pub(super) async fn next(&mut self) {
            tokio::select! {
                _ = self.0.recv() => {}
                _ = self.1.recv() => {}
                _ = self.2.recv() => {}
            }
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[tokio::test]
    async fn a_hangup_is_a_request_and_not_the_end() {
        let mut shutdown = Shutdown::listen().unwrap();
        kill_process(getpid(), Signal::HUP).unwrap();
        shutdown.requested().await;
    }
}
