//! What poisoned descriptions say: disregard, conceal, fetch what is secret, send it away, mind
//! another server's tool. Written as patterns over words, so that blanks and punctuation do not matter.

use super::Sign;
use super::words::{Word, words};
use crate::definitions::Neighbours;

/// One place of a pattern: one of these words, at most so many others before it.
struct Step {
    within: usize,
    any: &'static [&'static str],
}

const fn step(within: usize, any: &'static [&'static str]) -> Step {
    Step { within, any }
}

const DISREGARD: &[&str] = &["ignore", "disregard", "forget", "override", "bypass"];
const EARLIER: &[&str] = &[
    "previous",
    "prior",
    "above",
    "earlier",
    "preceding",
    "existing",
    "other",
    "system",
    "your",
    "all",
    "any",
];
const ORDERS: &[&str] = &[
    "instruction",
    "instructions",
    "prompt",
    "prompts",
    "rules",
    "guidelines",
    "directives",
    "restrictions",
];
const NOT: &[&str] = &["not", "dont", "never", "without"];
const TELL: &[&str] = &[
    "tell",
    "telling",
    "inform",
    "informing",
    "mention",
    "mentioning",
    "notify",
    "notifying",
    "alert",
    "alerting",
    "reveal",
    "revealing",
    "disclose",
    "disclosing",
];
const PEOPLE: &[&str] = &["user", "users", "human", "person", "developer", "operator"];
const HIDE: &[&str] = &["hide", "conceal", "withhold", "hidden", "secret"];
const FETCH: &[&str] = &[
    "read", "open", "cat", "load", "include", "pass", "send", "upload", "copy", "attach", "append",
    "provide", "dump", "print", "paste", "put", "use",
];
const SEND: &[&str] = &["send", "forward", "post", "upload", "transmit", "exfiltrate", "bcc", "email"];
const PRIVATE: &[&str] = &[
    "conversation",
    "conversations",
    "history",
    "credentials",
    "passwords",
    "password",
    "secrets",
    "keys",
    "tokens",
];
const WHERE: &[&str] = &["http", "https", "webhook", "ftp"];
const SAY: &[&str] = &["reveal", "print", "repeat", "output", "show", "return", "include", "send", "leak"];

const PATTERNS: &[&[Step]] = &[
    &[step(0, DISREGARD), step(2, EARLIER), step(2, ORDERS)],
    &[step(0, NOT), step(2, TELL), step(5, PEOPLE)],
    &[step(0, HIDE), step(3, &["from"]), step(1, PEOPLE)],
    &[step(0, SEND), step(6, PRIVATE), step(6, WHERE)],
    &[step(0, SAY), step(2, &["system"]), step(0, &["prompt"])],
];

/// Files and folders that hold credentials. Naming one is a path's description; telling to read it is not.
const CREDENTIALS: &[&str] = &[
    "~/.ssh",
    "$home/.ssh",
    "id_rsa",
    "id_ed25519",
    ".aws/credentials",
    "/etc/shadow",
    "/etc/passwd",
    ".cursor/mcp.json",
    "claude_desktop_config.json",
    "~/.claude.json",
    "~/.claude/",
    "~/.netrc",
    "~/.npmrc",
    "~/.git-credentials",
    ".kube/config",
    "~/.gnupg",
    "login.keychain",
];
/// The order to read stands at most so far before the path.
const BEFORE_A_PATH: usize = 80;

/// Blocks that are made to be read by the model alone.
const BLOCKS: &[&str] = &[
    "<important>",
    "<system>",
    "<secret>",
    "<hidden>",
    "<|im_start|>",
    "<<sys>>",
    "[inst]",
    "<system-reminder>",
    "<system_prompt>",
];

/// Words by which a description steers the model towards or away from a tool.
const STEERING: &[&str] =
    &["when", "whenever", "before", "after", "instead", "must", "always", "never", "first", "prior"];

/// Every sign in the text, with where it stands.
pub(super) fn found(text: &str, near: Neighbours<'_>) -> Vec<(Sign, usize)> {
    // Names, types and formats: nothing that could be a sentence.
    if text.len() < 8 {
        return Vec::new();
    }
    let words = words(text);
    let lower = text.to_ascii_lowercase();
    let instruction = block(&lower).or_else(|| pattern(&words)).or_else(|| credential(&lower, &words));
    let other = another_server(text, &words, near);
    let instruction = instruction.map(|at| (Sign::HiddenInstruction, at));
    instruction.into_iter().chain(other.map(|at| (Sign::SpeaksOfAnotherServer, at))).collect()
}

fn block(lower: &str) -> Option<usize> {
    BLOCKS.iter().filter_map(|block| lower.find(block)).min()
}

fn pattern(words: &[Word]) -> Option<usize> {
    words
        .iter()
        .enumerate()
        .find_map(|(n, word)| PATTERNS.iter().any(|pattern| matches(pattern, &words[n..])).then_some(word.at))
}

/// Does the pattern begin with the first of these words?
fn matches(pattern: &[Step], words: &[Word]) -> bool {
    let Some((step, rest)) = pattern.split_first() else { return true };
    let near = words.iter().take(step.within + 1).enumerate();
    near.filter(|(_, word)| step.any.contains(&word.text.as_str()))
        .any(|(n, _)| matches(rest, &words[n + 1..]))
}

fn credential(lower: &str, words: &[Word]) -> Option<usize> {
    CREDENTIALS.iter().find_map(|path| {
        lower.match_indices(path).map(|(at, _)| at).find(|at| {
            let near = at.saturating_sub(BEFORE_A_PATH)..*at;
            words.iter().any(|word| near.contains(&word.at) && FETCH.contains(&word.text.as_str()))
        })
    })
}

/// A tool of another server of this device, named in a text that steers; or a name as clients show it.
fn another_server(text: &str, words: &[Word], near: Neighbours<'_>) -> Option<usize> {
    if let Some(at) = text.find("mcp__") {
        return Some(at);
    }
    if !words.iter().any(|word| STEERING.contains(&word.text.as_str())) {
        return None;
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let tokens = text.split(|c: char| !is_name(c)).map(|token| token.trim_matches('.'));
    let mut tokens = tokens.filter(|token| near.elsewhere.owner(token).is_some());
    let token = tokens.find(|token| !near.own.contains(*token))?;
    // A slice of the text: where it stands is a difference of addresses.
    Some(token.as_ptr() as usize - text.as_ptr() as usize)
}
