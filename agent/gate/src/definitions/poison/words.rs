//! Text as words, without what a writer hides behind: case, invisible characters, letters of other
//! scripts that look like ours.

use crate::definitions::characters::{is_hidden, is_invisible};
use unicode_security::skeleton;

/// One word, and where it begins in the text.
#[derive(Debug)]
pub(super) struct Word {
    pub at: usize,
    pub text: String,
}

/// Words are letters and digits; the apostrophe of `don't` is left out.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices() {
        if c == '\'' || c == '’' || is_invisible(c) || (is_hidden(c) && !c.is_whitespace() && !c.is_control())
        {
            continue;
        }
        if !c.is_alphanumeric() {
            open = false;
            continue;
        }
        if !open {
            found.push(Word { at, text: String::new() });
            open = true;
        }
        if let Some(word) = found.last_mut() {
            word.text.extend(c.to_lowercase());
        }
    }
    for word in &mut found {
        if !word.text.is_ascii() {
            word.text = plain(&word.text);
        }
    }
    found
}

/// What a word looks like: the Latin letters it could be taken for, where it could.
fn plain(word: &str) -> String {
    // The skeleton of Latin letters is not always the letter itself (`m` becomes `rn`).
    let mut out = String::new();
    for c in word.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        let looks: String = skeleton(c.encode_utf8(&mut [0; 4])).collect();
        if looks.is_ascii() {
            out.extend(looks.replace("rn", "m").chars().flat_map(char::to_lowercase));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_they_look_like() {
        let read = |text: &str| words(text).into_iter().map(|it| it.text).collect::<Vec<_>>().join(" ");
        assert_eq!(read("Don't  TELL, the-user!"), "dont tell the user");
        assert_eq!(read("ig\u{200b}no\u{ad}re"), "ignore");
        assert_eq!(read("іgnоrе prеvіоus"), "ignore previous", "Cyrillic");
        assert_eq!(read("Ｉｇｎｏｒｅ"), "ignore");
        assert_eq!(read("naïve 日本語"), "naïve 日本語");
    }
}
