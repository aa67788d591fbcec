//! Characters that a person does not see and a model reads: invisible ones, ones that turn the line
//! around, and ones that steer a terminal.

/// Found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trick {
    /// Zero width, fillers, tag characters, variation selectors that select nothing.
    Invisible,
    /// Text reads in another order than it stands.
    Reordered,
    /// Escape sequences and other control characters.
    Control,
}

/// The first of each kind, with where it stands. Emoji, and scripts that need joiners or marks of
/// direction, are no trick.
pub(super) fn tricks(text: &str) -> Vec<(Trick, usize)> {
    // Nearly all definitions are plain ASCII.
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte) || matches!(byte, b'\n' | b'\r' | b'\t')) {
        return Vec::new();
    }
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let right_to_left = chars.iter().any(|(_, c)| is_right_to_left(*c));
    let mut found: Vec<(Trick, usize)> = Vec::new();
    for (n, (at, c)) in chars.iter().enumerate() {
        let near = |step: isize| n.checked_add_signed(step).and_then(|n| chars.get(n)).map(|(_, c)| *c);
        let trick = match c {
            '\t' | '\n' | '\r' => None,
            c if c.is_control() => Some(Trick::Control),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some(Trick::Reordered),
            '\u{200e}' | '\u{200f}' | '\u{61c}' => (!right_to_left).then_some(Trick::Reordered),
            '\u{200c}' | '\u{200d}' => (!joins(near(-1), near(1))).then_some(Trick::Invisible),
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
                (!selects(near(-1), near(1))).then_some(Trick::Invisible)
            }
            '\u{e0000}'..='\u{e007f}' => (!is_in_a_flag(&chars, n)).then_some(Trick::Invisible),
            c => is_invisible(*c).then_some(Trick::Invisible),
        };
        if let Some(trick) = trick
            && found.iter().all(|(known, _)| *known != trick)
        {
            found.push((trick, *at));
        }
    }
    found
}

/// Would it not show, or show as something else? Blanks other than the plain one count too.
pub(super) fn is_hidden(c: char) -> bool {
    is_invisible(c)
        || (c != ' ' && c.is_whitespace())
        || c.is_control()
        || matches!(c, '\u{200c}'..='\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{fe00}'..='\u{fe0f}')
}

/// Invisible wherever it stands.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Joiners belong between letters of some scripts and between the parts of an emoji.
fn joins(before: Option<char>, behind: Option<char>) -> bool {
    let can_join = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !is_invisible(c) && !is_joiner(c));
    can_join(before) && can_join(behind)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// A selector chooses the look of the one character before it: an emoji, a keycap, an ideograph.
fn selects(before: Option<char>, behind: Option<char>) -> bool {
    match before {
        Some('0'..='9' | '#' | '*') => behind == Some('\u{20e3}'),
        Some(c) => !c.is_ascii() && !is_hidden(c),
        None => false,
    }
}

/// The flags of England, Scotland and Wales are written with tag characters behind a black flag.
fn is_in_a_flag(chars: &[(usize, char)], at: usize) -> bool {
    const LONGEST: usize = 8;
    let start = at.saturating_sub(LONGEST);
    let Some(flag) = chars[start..at].iter().rposition(|(_, c)| *c == '\u{1f3f4}').map(|n| start + n) else {
        return false;
    };
    let tags = chars[flag + 1..].iter().take_while(|(_, c)| ('\u{e0020}'..='\u{e007f}').contains(c));
    let tags: Vec<char> = tags.map(|(_, c)| *c).collect();
    tags.len() <= LONGEST && at <= flag + tags.len() && tags.last() == Some(&'\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Trick> {
        tricks(text).into_iter().map(|(trick, _)| trick).collect()
    }

    #[test]
    fn what_people_write_is_no_trick() {
        for text in [
            "plain text,\n\twith \"quotes\" and C:\\paths",
            "naïve café “quotes” – dashes… 10 000\u{a0}€",
            "⚠️ Warning! ✅ ℹ️ 1️⃣ #️⃣ ©️ ❤️",
            "👩‍👩‍👧‍👦 👨🏽‍💻 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪",
            "می‌خواهم کتاب بخوانم",
            "क्‍ष हिन्दी",
            "עברית \u{200f}(abc)\u{200e} שלום",
            "日本語の説明。葛󠄀城市",
            "한국어 설명",
            "Zoe\u{308} e\u{301}",
        ] {
            assert_eq!(kinds(text), [], "{text:?}");
        }
    }

    #[test]
    fn attack_text_that_only_a_model_reads() {
        for (text, trick) in [
            ("Adds.\u{200b}", Trick::Invisible),
            ("Adds.\u{e0049}\u{e0067}\u{e006e}", Trick::Invisible),
            ("ab\u{200d}cd", Trick::Invisible),
            ("a\u{fe00}\u{fe01}\u{fe02}", Trick::Invisible),
            ("😀\u{fe0f}\u{fe0e}", Trick::Invisible),
            ("😀\u{e0101}\u{e0142}", Trick::Invisible),
            ("\u{feff}Adds.", Trick::Invisible),
            ("soft\u{ad}hyphen", Trick::Invisible),
            ("\u{2062}\u{2064}", Trick::Invisible),
            ("filler \u{3164}", Trick::Invisible),
            (
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e0061}\u{e0062}\u{e0063}\u{e007f}",
                Trick::Invisible,
            ),
            ("\u{1f3f4}\u{e0067}\u{e0062}", Trick::Invisible),
            ("a\u{202e}b", Trick::Reordered),
            ("a\u{2066}b\u{2069}", Trick::Reordered),
            ("a\u{200f}b", Trick::Reordered),
            ("\u{1b}[8mhidden\u{1b}[0m", Trick::Control),
            ("\u{9b}31m", Trick::Control),
            ("a\u{8}b", Trick::Control),
            ("a\0b", Trick::Control),
        ] {
            assert_eq!(kinds(text), [trick], "{text:?}");
        }
    }
}
