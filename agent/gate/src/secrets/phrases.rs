//! Secrets that give themselves away by the words before them: flags of a command line, and plain
//! sentences. More guesswork than a shape is, so what ordinary prose says is left alone.

use super::{is_mark, is_secret_key};
use std::ops::Range;

/// How far back a flag's program may stand.
const COMMAND_BYTES: usize = 256;

/// Programs whose short flag is a password's.
struct ShortFlag {
    programs: &'static [&'static str],
    flag: &'static str,
    /// The value may be the next word.
    spaced: bool,
    /// The value is `user:password`.
    after_colon: bool,
}

const SHORT_FLAGS: &[ShortFlag] = &[
    ShortFlag { programs: &["mysql", "mariadb"], flag: "-p", spaced: false, after_colon: false },
    ShortFlag { programs: &["sshpass"], flag: "-p", spaced: true, after_colon: false },
    ShortFlag { programs: &["redis-cli"], flag: "-a", spaced: true, after_colon: false },
    ShortFlag { programs: &["curl"], flag: "-u", spaced: true, after_colon: true },
];

/// `--token`, whose value is the next word.
pub(super) fn is_secret_flag(text: &str) -> bool {
    let name = text.trim_start_matches('-');
    name.len() < text.len() && !text.contains(['=', ' ']) && is_secret_name(name)
}

/// A flag's name is a secret's, and not that of something about it: `--password-file`.
fn is_secret_name(name: &str) -> bool {
    const ABOUT: &[&str] = &[
        "file", "path", "stdin", "url", "uri", "store", "type", "name", "policy", "length", "env", "id",
        "ids", "tokens", "ttl", "expiry", "count", "limit", "provider", "helper", "manager", "arn",
    ];
    let last = name.rsplit(['-', '_']).next().unwrap_or(name).to_ascii_lowercase();
    is_secret_key(name) && !ABOUT.contains(&last.as_str()) && !name.starts_with("no-")
}

/// The value in `--token VALUE`, where `at..name_end` is the name behind the dashes.
pub(super) fn flag_value(text: &str, at: usize, name_end: usize) -> Option<Range<usize>> {
    const PROSE: &[&str] =
        &["flag", "option", "argument", "parameter", "switch", "for", "and", "the", "when", "with", "value"];
    text[..at].ends_with('-').then_some(())?;
    is_secret_name(&text[at..name_end]).then_some(())?;
    let value = next_word(text, name_end)?;
    let word = &text[value.clone()];
    let is_value = word.len() >= 3 && !word.starts_with(['-', '$', '<']) && !PROSE.contains(&word);
    (is_value && !is_mark(word)).then_some(value)
}

/// The password in `mysql -pVALUE`, where `at` is the dash.
pub(super) fn short_flag(text: &str, at: usize) -> Option<Range<usize>> {
    text[..at].ends_with([' ', '\t']).then_some(())?;
    SHORT_FLAGS.iter().find_map(|short| {
        text[at..].starts_with(short.flag).then_some(())?;
        runs(&text[text.floor_char_boundary(at.saturating_sub(COMMAND_BYTES))..at], short.programs)
            .then_some(())?;
        let end = at + short.flag.len();
        let value = match word(text, end) {
            attached if !attached.is_empty() => attached,
            _ if short.spaced => next_word(text, end)?,
            _ => return None,
        };
        let start =
            if short.after_colon { value.start + text[value.clone()].find(':')? + 1 } else { value.start };
        let known = text[start..value.end].starts_with(['$', '-']) || is_mark(&text[start..value.end]);
        (start < value.end && !known).then_some(start..value.end)
    })
}

/// Is one of them what the last command runs?
fn runs(before: &str, programs: &[&str]) -> bool {
    let command = before.rsplit([';', '|', '&', '\n']).next().unwrap_or(before);
    command.split_ascii_whitespace().any(|word| {
        let name = word.rsplit(['/', '"', '\'']).next().unwrap_or(word);
        programs.iter().any(|program| {
            name.strip_prefix(program).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('-') || matches!(rest, "dump" | "admin" | "import")
            })
        })
    })
}

/// The value in `my password is VALUE`, where `at..name_end` is the last word of the name.
pub(super) fn said(text: &str, at: usize, name_end: usize) -> Option<Range<usize>> {
    let name = text[at..name_end].to_ascii_lowercase();
    let before = text[text.floor_char_boundary(at.saturating_sub(32))..at].to_ascii_lowercase();
    let mut before = before.split_ascii_whitespace().rev();
    let is_key = name == "key" && matches!(before.next(), Some("api" | "access" | "secret" | "private"));
    let is_named =
        matches!(name.as_str(), "password" | "passwd" | "passphrase" | "passcode" | "pin" | "secret");
    (is_key || is_named || name == "token" || name == "pwd").then_some(())?;
    let verb = next_word(text, name_end)?;
    text[verb.clone()].eq_ignore_ascii_case("is").then_some(())?;
    let found = next_word(text, verb.end)?;
    let quoted = text[..found.start].ends_with(['"', '\'', '`']);
    let value = text[found.clone()].trim_end_matches(['.', '!', '?', ':']);
    let own = text[..at].trim_end().rsplit([' ', '\n']).next().unwrap_or_default();
    let is_own = is_named && ["my", "our", "his", "her", "their", "root", "admin", "new"].contains(&own);
    let is_secret = looks_made_up(value) || ((quoted || is_own) && value.len() >= 4 && !is_remark(value));
    (is_secret && !is_mark(value)).then_some(found.start..found.start + value.len())
}

/// No word of a language: letters with digits or signs among them.
fn looks_made_up(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let signs = word.chars().filter(|c| !c.is_alphabetic() && !matches!(c, '-' | '\'' | '\u{2019}')).count();
    word.len() >= 5 && signs > 0 && letters > 0 && !word.contains("://")
}

fn is_remark(word: &str) -> bool {
    const REMARKS: &[&str] = &[
        "required",
        "wrong",
        "incorrect",
        "invalid",
        "missing",
        "empty",
        "expired",
        "weak",
        "strong",
        "needed",
        "stored",
        "hashed",
        "encrypted",
        "valid",
        "correct",
        "optional",
        "secret",
        "safe",
        "unsafe",
        "known",
        "unknown",
        "there",
        "here",
        "still",
        "never",
        "always",
        "being",
        "only",
        "also",
        "used",
        "rejected",
        "accepted",
        "reset",
        "kept",
        "short",
        "long",
        "something",
        "nothing",
        "visible",
        "hidden",
        "compromised",
        "leaked",
        "lost",
        "forgotten",
        "changed",
        "blank",
        "fine",
        "what",
        "that",
        "this",
        "from",
        "about",
    ];
    REMARKS.contains(&word.to_ascii_lowercase().as_str())
}

/// The word after some spaces (one at least) and a quote.
fn next_word(text: &str, from: usize) -> Option<Range<usize>> {
    let spaces = text.as_bytes()[from..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (spaces > 0).then_some(())?;
    let found = word(text, from + spaces);
    (!found.is_empty()).then_some(found)
}

fn word(text: &str, from: usize) -> Range<usize> {
    let is_quote = |b: &u8| matches!(b, b'"' | b'\'' | b'\\' | b'`');
    let bytes = text.as_bytes();
    let start = from + bytes[from..].iter().take_while(|b| is_quote(b)).count();
    let in_word =
        |b: &&u8| !b.is_ascii_whitespace() && !is_quote(b) && !matches!(b, b';' | b',' | b'|' | b')');
    start..start + bytes[start..].iter().take_while(in_word).count()
}

#[cfg(test)]
mod tests {
    use super::super::mask_text;

    #[test]
    fn secrets_behind_flags_and_in_sentences_are_masked() {
        for (text, expected) in [
            ("deploy --token s3cr3tvalue --yes", "deploy --token [masked] --yes"),
            ("cmd --password 'hunter2' x", "cmd --password '[masked]' x"),
            ("cmd -password hunter2", "cmd -password [masked]"),
            ("cmd --api-key=abc123 --b", "cmd --api-key=[masked] --b"),
            ("cmd --client-secret   xyz", "cmd --client-secret   [masked]"),
            ("mysql -u root -phunter2 db", "mysql -u root -p[masked] db"),
            ("/usr/bin/mysqldump -u root -p'hunter2' db", "/usr/bin/mysqldump -u root -p'[masked]' db"),
            ("sshpass -p hunter2 ssh host", "sshpass -p [masked] ssh host"),
            ("redis-cli -h x -a hunter2 ping", "redis-cli -h x -a [masked] ping"),
            ("curl -s -u alice:hunter2 https://x", "curl -s -u alice:[masked] https://x"),
            ("hi, my password is swordfish, ok?", "hi, my password is [masked], ok?"),
            ("The password is hunter2.", "The password is [masked]."),
            ("the API key is a1b2c3d4e5", "the API key is [masked]"),
            ("password is \"correct-horse\"", "password is \"[masked]\""),
            ("password: hunter2", "password: [masked]"),
        ] {
            assert_eq!(mask_text(text.to_owned()), expected);
        }
    }

    #[test]
    fn ordinary_commands_and_prose_stay() {
        for text in [
            "the password is required and the token is a lexer's",
            "my password is wrong; my token is expired",
            "the secret is to listen; his secret is known",
            "use the --token flag, or --password for short",
            "run --password-file /run/secrets/db --max-tokens 4096 --token-type bearer",
            "cmd --password $DB_PASSWORD; cmd --token --yes",
            "psql -p 5432 -h db; mkdir -p /srv/a; cp -p a b; docker run -p 80:80 mysql",
            "mysql -u root -p db",
            "curl -s https://example.org -u alice",
            "tokenise --to-keys all",
        ] {
            assert_eq!(mask_text(text.to_owned()), text);
        }
    }
}
