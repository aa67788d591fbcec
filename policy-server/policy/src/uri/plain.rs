//! Is a URI one that every reader reads alike?

use super::{decoded, escaped};
use url::Url;

/// Schemes whose host is a host; in all others its place may hold a name of the server's own, where case
/// counts.
const WITH_HOST: [&str; 5] = ["ftp", "http", "https", "ws", "wss"];

/// Characters that turn the direction of what follows, or take no room.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

pub(crate) fn is_plain(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let decoded = decoded(uri);
    let odd = |c: char| c == '\\' || c.is_control() || is_invisible(c);
    is_plain_scheme(scheme)
        && !uri.contains(char::is_whitespace)
        && !decoded.contains(odd)
        && !decoded.contains('\u{fffd}')
        && is_plainly_escaped(uri.as_bytes())
        && !decoded.split([':', '/', '?', '#', ';']).any(is_dots)
        && has_plain_authority(uri, scheme, rest)
}

/// In lower case; upper case is read alike by some only.
fn is_plain_scheme(scheme: &str) -> bool {
    let later = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.as_bytes().iter().all(later)
}

/// Whole escapes, none of what needs none (`%2e` is a dot to many), and none of an escape.
fn is_plainly_escaped(uri: &[u8]) -> bool {
    let mut at = 0;
    while at < uri.len() {
        if uri[at] != b'%' {
            at += 1;
            continue;
        }
        let Some(byte) = escaped(&uri[at..]) else { return false };
        let again = || [&b"%"[..], &uri[at + 3..]].concat();
        if byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (byte == b'%' && escaped(&again()).is_some())
        {
            return false;
        }
        at += 3;
    }
    true
}

/// `.`, `..`, and what Windows takes for them: more dots, with blanks behind.
fn is_dots(segment: &str) -> bool {
    let dots = segment.trim_end_matches(' ');
    !dots.is_empty() && dots.bytes().all(|byte| byte == b'.')
}

fn has_plain_authority(uri: &str, scheme: &str, rest: &str) -> bool {
    if scheme == "file" {
        // `file:/x`, `file://localhost/x` and `file:////x` name what `file:///x` names, or another machine's.
        return rest.strip_prefix("///").is_some_and(|path| {
            // `C|` is a drive to some.
            !path.starts_with('/') && !path.contains("//") && !path.contains('|')
        });
    }
    if !WITH_HOST.contains(&scheme) {
        return true;
    }
    // As a browser would write it: no user, no port that goes without saying, no numbers for an address.
    let Ok(url) = Url::parse(uri) else { return false };
    let Some(host) = url.host_str() else { return false };
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let written = format!("//{host}{port}");
    let after = rest.strip_prefix(&written);
    !host.ends_with('.') && after.is_some_and(|after| after.is_empty() || after.starts_with(['/', '?', '#']))
}
