//! Server-sent events: the same messages however the bytes come, and those that the standard's own
//! algorithm finds (HTML, "Interpreting an event stream").

use bytes::Bytes;
use tokio::runtime::Runtime;

thread_local! {
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
}

const LIMIT: usize = 1 << 20;

/// The first byte chooses how long the chunks are.
pub fn run(data: &[u8]) {
    let [chunk, input @ ..] = data else { return };
    let chunk = usize::from(*chunk) + 1;
    let pieces = |size: usize| input.chunks(size.max(1)).map(Bytes::copy_from_slice).collect::<Vec<_>>();
    let messages = |pieces| RUNTIME.with(|it| it.block_on(agent::borders::messages(pieces, LIMIT)));
    let (pieced, whole) = (messages(pieces(chunk)), messages(pieces(input.len())));
    assert_eq!(pieced, whole, "chunks make no difference");
    assert!(whole.iter().all(|message| memchr::memchr2(b'\n', b'\r', message).is_none()), "one line each");
    if let Ok(text) = std::str::from_utf8(input) {
        assert_eq!(whole, standard(text), "as the standard reads it");
    }
}

/// The standard's algorithm over the whole text, and then what makes an event a message of MCP.
fn standard(text: &str) -> Vec<Vec<u8>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut messages, mut data, mut kind) = (Vec::new(), String::new(), String::new());
    let mut lines: Vec<&str> = text.split('\n').collect();
    // What no line end follows is no line yet.
    lines.pop();
    for line in lines {
        if line.is_empty() {
            let body = data.strip_suffix('\n').unwrap_or(&data).replace(['\n', '\r'], " ");
            if !body.trim().is_empty() && matches!(kind.as_str(), "" | "message") {
                messages.push(body.into_bytes());
            }
            data.clear();
            kind.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "event" => value.clone_into(&mut kind),
            _ => {}
        }
    }
    messages
}
