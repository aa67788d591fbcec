//! Texts of anybody's making, as a terminal may show them: names that a model or a server chose move
//! no cursor, write to no clipboard, turn no line around and begin none of their own.
//!
//! What is printable stays as it is, backslashes too: this is for eyes, not for reading back.

use std::fmt::Write as _;

/// One line: what cannot be printed is escaped (`\u{1b}`), line ends and tabs become spaces.
#[must_use]
pub fn line(text: &str) -> String {
    escaped(text, |c, out| match c {
        '\n' | '\r' | '\t' => out.push(' '),
        _ => out.extend(c.escape_debug()),
    })
}

/// The same, where the lines and tabs are the text's own.
#[must_use]
pub fn lines(text: &str) -> String {
    escaped(text, |c, out| match c {
        '\n' | '\t' => out.push(c),
        _ => out.extend(c.escape_debug()),
    })
}

/// A JSON document on one line that says the same and is printable throughout.
#[must_use]
pub fn json(document: &str) -> String {
    escaped(document, |c, out| match c {
        // Between values; inside of texts JSON has none of these.
        '\n' | '\r' | '\t' => out.push(' '),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) { out.push(c) } else { escape(c, &mut out) }
    }
    out
}

/// Marks that combine with the letter before them are printable behind one.
fn is_printable(c: char) -> bool {
    let mut after_a_letter = [0; 5];
    after_a_letter[0] = b'a';
    let end = 1 + c.encode_utf8(&mut after_a_letter[1..]).len();
    match (c, std::str::from_utf8(&after_a_letter[..end])) {
        ('"' | '\'' | '\\', _) => true,
        (_, Ok(text)) => text.escape_debug().skip(1).eq([c]),
        (_, Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_names_that_steer_the_terminal() {
        for (text, shown, in_json) in [
            ("plain \"quoted\" C:\\x", "plain \"quoted\" C:\\x", "plain \"quoted\" C:\\x"),
            ("Zoë Zoe\u{308} 日本 🦀", "Zoë Zoe\u{308} 日本 🦀", "Zoë Zoe\u{308} 日本 🦀"),
            ("\x1b]52;c;ZXZpbA==\x07", "\\u{1b}]52;c;ZXZpbA==\\u{7}", "\\u001b]52;c;ZXZpbA==\\u0007"),
            ("\x1b[2J\x1b[31m", "\\u{1b}[2J\\u{1b}[31m", "\\u001b[2J\\u001b[31m"),
            ("\u{9b}2J\u{9d}\x7f", "\\u{9b}2J\\u{9d}\\u{7f}", "\\u009b2J\\u009d\\u007f"),
            ("a\u{202e}txt.exe\u{2066}", "a\\u{202e}txt.exe\\u{2066}", "a\\u202etxt.exe\\u2066"),
            ("\u{200b}\u{feff}\u{2028}", "\\u{200b}\\u{feff}\\u{2028}", "\\u200b\\ufeff\\u2028"),
            ("tag \u{e0041}", "tag \\u{e0041}", "tag \\udb40\\udc41"),
            ("one\nFORGED\r\tline", "one FORGED  line", "one FORGED  line"),
        ] {
            assert_eq!(line(text), shown);
            assert_eq!(json(text), in_json);
        }
        assert_eq!(lines("a\n\tb\r\x1b"), "a\n\tb\\r\\u{1b}");
    }

    #[test]
    fn an_escaped_document_says_the_same() {
        let value = serde_json::json!({"na\u{202e}me": "\u{9b}\x1b\n\u{e0041}é", "n": 1.5});
        let shown = json(&value.to_string());
        assert!(!shown.contains(['\u{202e}', '\u{9b}', '\u{e0041}', '\x1b']), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}
