//! `Mcp-Param-*`: arguments that a server wants repeated in headers (2026-07-28). What they are is learnt
//! from the tool lists that pass; a header that no list speaks of is nobody's to check, and goes no further.
//!
//! An HTTP intermediary has to hand on such a header as it came. The door is none: it ends the request, reads
//! its body, and behind the judgement another request begins, whose headers repeat what was judged, redacted and
//! recorded. A header of the client's own beside it would tell a server, or whoever routes to it, something that
//! nobody has judged. A server that misses one says so (-32020), and its client lists the tools again.

use crate::door::stateless::decode;
use crate::transport::http::params::ParamHeaders;
use crate::transport::outgoing::Outgoing;
use hyper::header::{HeaderMap, HeaderValue};

/// What disagrees between the headers of a call and its arguments, if anything does.
pub fn disagreement(known: &ParamHeaders, tool: &str, call: &[u8], headers: &HeaderMap) -> Option<String> {
    let recognised = known.names(tool);
    if recognised.is_empty() {
        return None;
    }
    let due = known.of(&Outgoing::read(call.to_vec()));
    for name in recognised {
        let mut said = headers.get_all(&name).iter();
        let (said, again) = (said.next(), said.next());
        let due = due.iter().find(|(due, _)| *due == name).map(|(_, value)| value.as_str());
        let agree = match (said, due) {
            (None, None) => true,
            (Some(said), Some(due)) => again.is_none() && is_same(said, due),
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !agree {
            return Some(format!("{name} and the arguments disagree"));
        }
    }
    None
}

/// Numbers are compared as such: `42.0` and `42` are equal.
fn is_same(said: &HeaderValue, due: &str) -> bool {
    let (Some(said), Some(due)) = (said.to_str().ok().and_then(decode), decode(due)) else { return false };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    said == due || number(&said).is_some_and(|said| number(&due) == Some(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_an_argument_that_its_header_does_not_repeat() {
        let mut known = ParamHeaders::default();
        known.learn(br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"}}}}]}}"#);
        let check = |arguments: &str, headers: &[(&'static str, &'static str)]| {
            let call = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#
            );
            let headers =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            disagreement(&known, "t", call.as_bytes(), &headers).is_none()
        };
        let (region, n) = (("mcp-param-region", "eu"), ("mcp-param-n", "42.0"));
        assert!(check(r#"{"region":"eu","n":42}"#, &[region, n]));
        assert!(check(r#"{"region":"eu","n":null}"#, &[region, ("mcp-param-other", "x")]));
        assert!(check(r#"{"region":"größe"}"#, &[("mcp-param-region", "=?base64?Z3LDtsOfZQ==?=")]));
        assert!(!check(r#"{"region":"us","n":42}"#, &[region, n]));
        assert!(!check(r#"{"region":"eu","n":42}"#, &[region]));
        assert!(!check("{}", &[region]));
    }
}
