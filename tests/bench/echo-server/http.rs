//! The same over Streamable HTTP: a thread for each connection, one write an answer.

use crate::answer::Answers;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

pub fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "http://{}/mcp", listener.local_addr()?)?;
    stdout.flush()?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // A client that leaves ends its connection, and nothing else.
                let _ = converse(connection);
            });
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

struct Request {
    is_post: bool,
    is_farewell: bool,
    body: Vec<u8>,
}

fn converse(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 * 1024, connection.try_clone()?);
    let mut answers = Answers::default();
    let (mut answer, mut response) = (Vec::new(), Vec::new());
    while let Some(request) = read(&mut reader)? {
        answer.clear();
        response.clear();
        if !request.is_post {
            let status = if request.is_farewell { "200 OK" } else { "405 Method Not Allowed" };
            write!(response, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")?;
        } else if answers.write(&request.body, &mut answer) {
            write!(
                response,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: bench\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            )?;
            response.extend_from_slice(&answer);
        } else {
            response.extend_from_slice(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
        }
        connection.write_all(&response)?;
    }
    Ok(())
}

/// The next request; `None` where the client has left.
fn read(from: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let mut request = Request {
        is_post: line.starts_with(b"POST "),
        is_farewell: line.starts_with(b"DELETE "),
        body: Vec::new(),
    };
    loop {
        line.clear();
        from.read_until(b'\n', &mut line)?;
        if line.trim_ascii().is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            request.body.resize(value.trim().parse().unwrap_or(0), 0);
        }
    }
    from.read_exact(&mut request.body)?;
    Ok(Some(request))
}
