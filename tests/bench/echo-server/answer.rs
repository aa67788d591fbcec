//! What the server says to one message.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(default)]
    arguments: Arguments,
    #[serde(borrow, rename = "protocolVersion")]
    protocol_version: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    size: usize,
}

/// What text of a program looks like in JSON: an escape here and there.
const PIECE: &str = r#"    let name = line.trim_end_matches(\"\\n\"); // one of many lines, read again\n"#;

const TOOLS: &str = r#"{"tools":[{"name":"echo","description":"Text of the size that is asked for","inputSchema":{"type":"object","properties":{"size":{"type":"integer"}}}}]}"#;

/// Keeps the texts that were asked for.
#[derive(Default)]
pub struct Answers {
    text: Vec<u8>,
}

impl Answers {
    /// Adds the answer to `out`; false where the message wants none.
    pub fn write(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(asked) = serde_json::from_slice::<Asked<'_>>(message) else { return false };
        let Some(id) = asked.id else { return false };
        let params = asked.params.unwrap_or_default();
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        out.extend_from_slice(id.get().as_bytes());
        match &*asked.method {
            "tools/call" => self.echo(params.arguments.size, out),
            "tools/list" => result(TOOLS, out),
            "ping" => result("{}", out),
            "initialize" => {
                let version = params.protocol_version.unwrap_or(Cow::Borrowed("2025-06-18"));
                result(&greeting(&version), out);
            }
            _ => out.extend_from_slice(br#","error":{"code":-32601,"message":"Method not found"}}"#),
        }
        true
    }

    fn echo(&mut self, size: usize, out: &mut Vec<u8>) {
        while self.text.len() < size {
            self.text.extend_from_slice(PIECE.as_bytes());
        }
        // An escape is not cut in two.
        let mut end = size;
        while end > 0 && self.text.get(end - 1) == Some(&b'\\') {
            end -= 1;
        }
        out.extend_from_slice(br#","result":{"content":[{"type":"text","text":""#);
        out.extend_from_slice(self.text.get(..end).unwrap_or_default());
        out.resize(out.len() + size - end, b'.');
        out.extend_from_slice(br#""}],"isError":false}}"#);
    }
}

fn greeting(version: &str) -> String {
    let version = serde_json::Value::from(version);
    format!(
        r#"{{"protocolVersion":{version},"capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"bench-echo-server","version":"1"}}}}"#
    )
}

fn result(json: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","result":"#);
    out.extend_from_slice(json.as_bytes());
    out.push(b'}');
}
