use super::{Uri, folded, is_plain};
use crate::pattern::Pattern;

fn allows(pattern: &str, uri: &str) -> bool {
    Uri::of(uri).is_allowed_by(&Pattern::new(pattern))
}

fn denies(pattern: &str, uri: &str) -> bool {
    Uri::of(uri).is_denied_by(&Pattern::new(pattern), &Pattern::new(&folded(pattern)))
}

#[test]
fn ordinary_uris_are_plain() {
    for uri in [
        "file:///work/notes/a.md",
        "file:///C:/Users/x/My%20Documents/a%2Bb.md",
        "https://acme.example",
        "https://acme.example/a?b=c#d",
        "https://acme.example:8443/a",
        "http://127.0.0.1:8080/x",
        "http://[::1]:8080/x",
        "note://internal/Größe",
        "note://internal/Gr%C3%B6%C3%9Fe",
        "memo://Insights",
        "repo://acme%2Fportreeve/contents",
        "fetch://https://acme.example/x",
        "postgres://db/table/100%25",
        "urn:isbn:0451450523",
        "ui://widget/v1.2/index.html",
        "test://static/resource/.hidden/..name",
    ] {
        assert!(is_plain(uri), "{uri}");
    }
}

#[test]
fn attack_a_uri_that_two_readers_read_differently_is_not_plain() {
    for uri in [
        "",
        "readme",
        "file:///work/../etc/passwd",
        "file:///work/./x",
        "file:///work/..",
        "file:///work/%2e%2e/etc/passwd",
        "file:///work/%2E./etc/passwd",
        "file:///work/..%2fetc/passwd",
        "file:///work/..%5cetc",
        "file:///work\\..\\etc",
        "file:///work/%5C..%5Cetc",
        "file:///work/%252e%252e/etc",
        "file:///work/%c0%ae%c0%ae/etc",
        "file:///work/..;x/etc",
        "file:///work/.. /etc",
        "file:///work/..%20/etc",
        "file:///work/a%00.md",
        "file:///work/a%0a.md",
        "file:///work/a\n.md",
        "file:///work/a b",
        "file:///work/%61",
        "file:///work/100%",
        "file:///work/a%zz",
        "file:///work/a\u{202e}dm.txt",
        "file:///work/a%E2%80%AE",
        "FILE:///work/x",
        "File:///work/x",
        "file:/work/x",
        "file://localhost/work/x",
        "file://server/share/x",
        "file:////work/x",
        "file:///work//x",
        "file:///C|/work/x",
        "memo:../x",
        "HTTPS://acme.example/x",
        "https://Acme.example/x",
        "https://acme.example./x",
        "https://acme.example:443/x",
        "https://acme.example:/x",
        "https://alice@acme.example/x",
        "https://acme.example@evil.example/x",
        "https:/acme.example/x",
        "https:acme.example/x",
        "https:///acme.example/x",
        "https://acme.example\\@evil.example/x",
        "https://%61cme.example/x",
        "https://größe.example/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "https://acme.example/a?b=/../c",
    ] {
        assert!(!is_plain(uri), "{uri}");
        assert!(!allows("*:*", uri), "{uri}");
        assert!(denies("other://thing", uri), "{uri}");
    }
}

#[test]
fn an_allow_must_fit_every_reading() {
    for (pattern, uri, expected) in [
        ("file:///work/*", "file:///work/notes/a.md", true),
        ("file:///work/*", "file:///work", false),
        ("file:///work/*", "file:///Work/a.md", false),
        ("file:///work/*.md", "file:///work/a.md", true),
        ("file:///work/*.md", "file:///work/a.txt#.md", false),
        ("file:///work/*.md", "file:///work/a.txt?x=.md", false),
        ("file:///work/*.md", "file:///work/a.md?x=1", false),
        ("https://x.example/s?q=*", "https://x.example/s?q=a", true),
        ("https://x.example/s?q=*", "https://x.example/s?q=a#b", true),
        ("https://x.example/s?q=*y", "https://x.example/s?q=a#y", false),
        ("https://x.example/p#*", "https://x.example/p#a", true),
        ("memo://*", "memo://Insights", true),
    ] {
        assert_eq!(allows(pattern, uri), expected, "{pattern} on {uri}");
    }
}

#[test]
fn attack_another_spelling_of_a_denied_uri_is_denied_too() {
    for uri in [
        "file:///work/secret/key",
        "file:///work/Secret/KEY",
        "file:///work/secret%2Fkey",
        "file:///work//secret/key",
        "file:///work/secret/key?x",
        "file:///work/secret/key#x",
        "file:///work/secret/key/",
        "file:///work/s%65cret/key",
        "file:///work/x/../secret/key",
    ] {
        assert!(denies("file:///work/secret/*", uri), "{uri}");
        assert!(denies("file:///work/secret/key", uri), "{uri}");
    }
    assert!(denies("note://größe/*", "note://gr%C3%B6%C3%9Fe/x"));
    assert!(denies("note://gr%C3%B6%C3%9Fe/*", "note://GRÖßE/x"));
    assert!(!denies("file:///work/secret/*", "file:///work/public/key"));
    assert!(!denies("file:///work/secret/*", "file:///work/public/secret"));
}
