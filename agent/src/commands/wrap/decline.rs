//! A guard that cannot guard: nothing is started, and every request is answered by why.
//!
//! A client that only sees its pipe close shows "connection closed", and the sentence on stderr to nobody.

use crate::transport::failure::NOT_THERE;
use crate::transport::lines::{LineReader, LineWriter, Read};
use crate::transport::outgoing::Outgoing;
use mcp::{Line, reply};
use platform::shutdown::Shutdown;
use std::io::IsTerminal;
use tokio::io::{AsyncRead, AsyncWrite};

/// Answers until the client leaves, or we are asked to end. A person at a terminal has read it already.
pub async fn until_left(why: &str) {
    if std::io::stdin().is_terminal() {
        return;
    }
    let Ok(mut shutdown) = Shutdown::listen() else { return };
    let client = LineReader::new(platform::stdio::input());
    tokio::select! {
        biased;
        () = shutdown.requested() => {}
        () = answer_all(client, LineWriter::new(platform::stdio::output()), why) => {}
    }
}

async fn answer_all<R, W>(mut client: LineReader<R>, mut to_client: LineWriter<W>, why: &str)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let sentence = format!("Portreeve cannot guard this server, and did not start it: {why}");
    loop {
        let request = match client.next().await {
            Read::Line(Line::Whole(line)) => Outgoing::read(line).id,
            Read::Line(_) | Read::HalfLine(_) => None,
            Read::End => return,
        };
        let Some(id) = request else { continue };
        if to_client.send(reply::error(Some(&id), NOT_THERE, &sentence, None)).await.is_err() {
            return;
        }
    }
}
