//! A bound on conditions, before Cedar's parser sees them: it walks text by recursion, and a stack
//! that overflows ends the process of whoever adopts the policy.
//!
//! What counts is how deep the expression can become, not how long it is: lists of values are free.

use super::Fault;

/// Brackets within each other.
const NESTING: usize = 16;
/// `&&`, `||` and `if` in all.
const BRANCHES: usize = 64;
/// Other operators between two of `&&`, `||` and `,`.
const OPERATORS: usize = 32;
const BYTES: usize = 64 * 1024;

pub(super) fn check(text: &str) -> Result<(), Fault> {
    let fault = |offset: usize, message: String| {
        let help = "split it over several grants".to_owned();
        Err(Fault { offset, message, help })
    };
    if text.len() > BYTES {
        return fault(0, format!("is longer than {BYTES} bytes"));
    }
    let (mut nesting, mut branches, mut operators) = (0_usize, 0_usize, 0_usize);
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((offset, byte)) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'/' if bytes.peek().is_some_and(|(_, next)| *next == b'/') => {
                while bytes.next_if(|(_, byte)| *byte != b'\n').is_some() {}
            }
            b'(' | b'[' | b'{' => nesting += 1,
            b')' | b']' | b'}' => nesting = nesting.saturating_sub(1),
            b',' => operators = 0,
            b'&' | b'|' if bytes.next_if(|(_, next)| *next == byte).is_some() => {
                branches += 1;
                operators = 0;
            }
            b'i' if text[offset..].starts_with("if") => branches += 1,
            b'.' | b'!' | b'=' | b'<' | b'>' | b'+' | b'-' | b'*' => operators += 1,
            _ => {}
        }
        if nesting > NESTING {
            return fault(offset, format!("is nested more than {NESTING} levels deep"));
        }
        if branches > BRANCHES || operators > OPERATORS {
            return fault(offset, "has more operators than can be read safely".to_owned());
        }
    }
    Ok(())
}

fn skip_string(bytes: &mut impl Iterator<Item = (usize, u8)>) {
    while let Some((_, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}
