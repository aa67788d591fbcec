//! The shapes of secrets that give themselves away inside any text.

use super::{is_secret_key, phrases};
use std::ops::Range;

/// A prefix its issuer reserved, and how many characters of the token alphabet follow at least.
struct Prefix {
    text: &'static str,
    at_least: usize,
    /// Also asks for a digit: the prefix alone is an ordinary word (`sk-learn-…`).
    with_digit: bool,
}

const fn prefix(text: &'static str, at_least: usize) -> Prefix {
    Prefix { text, at_least, with_digit: false }
}

const PREFIXES: &[Prefix] = &[
    prefix("ghp_", 16),
    prefix("gho_", 16),
    prefix("ghu_", 16),
    prefix("ghs_", 16),
    prefix("ghr_", 16),
    prefix("github_pat_", 16),
    prefix("glpat-", 16),
    prefix("xoxa-", 8),
    prefix("xoxb-", 8),
    prefix("xoxp-", 8),
    prefix("xoxr-", 8),
    prefix("xoxs-", 8),
    prefix("xapp-", 8),
    prefix("AKIA", 16),
    prefix("ASIA", 16),
    prefix("AIza", 30),
    prefix("sk_live_", 8),
    prefix("sk_test_", 8),
    prefix("rk_live_", 8),
    prefix("shpat_", 16),
    prefix("dop_v1_", 16),
    prefix("npm_", 30),
    prefix("hf_", 24),
    prefix("pypi-AgE", 16),
    prefix("ya29.", 16),
    Prefix { text: "sk-", at_least: 16, with_digit: true },
];

/// The first secret at or after `from`, which must be a character boundary. Shapes whose length is
/// not bounded by their start are tried once a run of token characters, so that hostile text costs
/// no more than its length.
pub(super) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    find_by(assigned, text, from)
}

/// The same where what is found is taken out of what goes on: code that reads a secret from somewhere holds
/// none, and would be other code without it.
pub(super) fn find_to_take_out(text: &str, from: usize) -> Option<Range<usize>> {
    let value =
        |text: &str, at: usize| assigned(text, at).filter(|value| !is_expression(&text[value.clone()]));
    find_by(value, text, from)
}

fn find_by(
    assigned: impl Fn(&str, usize) -> Option<Range<usize>>,
    text: &str,
    from: usize,
) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    (from..bytes.len()).find_map(|at| {
        let starts_word = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        match bytes[at] {
            b':' => url_password(text, at),
            b'-' => private_key(text, at).or_else(|| phrases::short_flag(text, at)),
            b if b.is_ascii_alphabetic() && starts_word => {
                let issued = issued(text, at).or_else(|| after_scheme(text, at));
                if issued.is_some() || !starts_run(bytes, at) {
                    return issued;
                }
                jwt(text, at).or_else(|| assigned(text, at))
            }
            _ => None,
        }
    })
}

/// Does a run of token characters begin here, dashes and underscores before it aside?
fn starts_run(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rev().find(|b| !matches!(b, b'-' | b'_'));
    !before.is_some_and(u8::is_ascii_alphanumeric)
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

fn run(text: &str, at: usize, in_run: impl Fn(u8) -> bool) -> usize {
    text.as_bytes()[at..].iter().take_while(|b| in_run(**b)).count()
}

fn issued(text: &str, at: usize) -> Option<Range<usize>> {
    PREFIXES.iter().find_map(|prefix| {
        text[at..].starts_with(prefix.text).then_some(())?;
        (!prefix.with_digit || starts_run(text.as_bytes(), at)).then_some(())?;
        let body = at + prefix.text.len();
        let length = run(text, body, is_token);
        let digit = !prefix.with_digit || text[body..body + length].bytes().any(|b| b.is_ascii_digit());
        (length >= prefix.at_least && digit).then_some(at..body + length)
    })
}

/// `eyJ….….…`: three parts of base64url, the first a JSON object.
fn jwt(text: &str, at: usize) -> Option<Range<usize>> {
    text[at..].starts_with("eyJ").then_some(())?;
    let head = at + run(text, at, is_token);
    let claims = part_after_dot(text, head)?;
    let signature = part_after_dot(text, claims).unwrap_or(claims);
    (head - at >= 10).then_some(at..signature)
}

fn part_after_dot(text: &str, dot: usize) -> Option<usize> {
    let after = text[dot..].starts_with('.').then_some(dot + 1)?;
    let length = run(text, after, is_token);
    (length >= 4).then_some(after + length)
}

/// `Bearer …` and `Basic …`, as an `Authorization` header has them. The scheme's name stays.
fn after_scheme(text: &str, at: usize) -> Option<Range<usize>> {
    ["bearer ", "basic "].iter().find_map(|scheme| {
        let start = at + scheme.len();
        text.get(at..start)?.eq_ignore_ascii_case(scheme).then_some(())?;
        let start = start + run(text, start, |b| b == b' ');
        let length = run(text, start, |b| is_token(b) || matches!(b, b'.' | b'~' | b'+' | b'/' | b'='));
        (length >= 8).then_some(start..start + length)
    })
}

/// `-----BEGIN … PRIVATE KEY-----` up to its end line, or to the end of the text.
fn private_key(text: &str, at: usize) -> Option<Range<usize>> {
    const BEGIN: &str = "-----BEGIN ";
    const KEY: &str = "PRIVATE KEY";
    text[at..].starts_with(BEGIN).then_some(())?;
    let label = at + BEGIN.len();
    let label_end = label + text[label..].find("-----")?;
    text[label..label_end].contains(KEY).then_some(())?;
    let end = text[label_end..].find("-----END ").map_or(text.len(), |found| {
        let end_label = label_end + found + "-----END ".len();
        text[end_label..].find("-----").map_or(text.len(), |found| end_label + found + "-----".len())
    });
    Some(at..end)
}

/// The password in `scheme://user:password@host`, where `at` is the colon of `://`.
fn url_password(text: &str, at: usize) -> Option<Range<usize>> {
    text[at..].starts_with("://").then_some(())?;
    let authority = at + 3;
    let length =
        run(text, authority, |b| !b.is_ascii_whitespace() && !matches!(b, b'/' | b'?' | b'#' | b'"'));
    let authority_text = &text[authority..authority + length];
    let host = authority_text.rfind('@')?;
    let colon = authority_text[..host].find(':')?;
    (colon + 1 < host).then_some(authority + colon + 1..authority + host)
}

/// `getToken(`, `os.environ[`, `$TOKEN`, `process.env.TOKEN`.
fn is_expression(value: &str) -> bool {
    const PLACES: [&str; 8] =
        ["$", "process.env.", "os.environ", "env.", "self.", "this.", "config.", "settings."];
    let name = run(value, 0, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    let is_name = name > 0 && !value.as_bytes()[0].is_ascii_digit();
    (is_name && value[name..].starts_with(['(', '['])) || PLACES.iter().any(|place| value.starts_with(place))
}

/// The value in `API_TOKEN=…`, `password: …`, `--api-key=…`, where `at` begins the name.
fn assigned(text: &str, at: usize) -> Option<Range<usize>> {
    let name_end = at + run(text, at, is_token);
    let is_quote = |b: u8| matches!(b, b'"' | b'\'' | b'\\');
    let spoken = phrases::flag_value(text, at, name_end).or_else(|| phrases::said(text, at, name_end));
    if spoken.is_some() {
        return spoken;
    }
    let sign = name_end + run(text, name_end, |b| is_quote(b) || b == b' ');
    matches!(text.as_bytes().get(sign), Some(b'=' | b':')).then_some(())?;
    is_secret_key(&text[at..name_end]).then_some(())?;
    let start = sign + 1;
    let start = start + run(text, start, |b| is_quote(b) || b == b' ');
    let length = run(text, start, |b| {
        !b.is_ascii_whitespace() && !is_quote(b) && !matches!(b, b'&' | b',' | b';' | b'}' | b')')
    });
    let value = &text[start..start + length];
    // The scheme of an `Authorization` header is for `after_scheme`.
    let scheme = value.eq_ignore_ascii_case("bearer") || value.eq_ignore_ascii_case("basic");
    (length >= 3 && !scheme && !super::is_mark(value)).then_some(start..start + length)
}
