//! Numbers that a double does not hold as they are written, as `9223372036854775807` is: real
//! schemas have them, and a canonical form that rounds would take two of them for one.

use std::ops::Range;

/// So many digits a double always holds.
const SAFE_DIGITS: usize = 15;

/// The text with its odd numbers told apart from everything else: each becomes a text that begins
/// with `n`, and every text (keys too) begins with `s`. `None` where there is no odd number.
pub(super) fn told_apart(text: &str) -> Option<String> {
    let tokens = tokens(text);
    if !tokens.iter().any(|token| matches!(token, Token::Odd(_))) {
        return None;
    }
    Some(rewritten(text, &tokens, true))
}

/// The text with its odd numbers as texts, so that every reader of JSON reads it; for showing.
pub(super) fn readable(text: &str) -> Option<String> {
    let tokens = tokens(text);
    let odd = tokens.iter().any(|token| matches!(token, Token::Odd(_)));
    odd.then(|| rewritten(text, &tokens, false))
}

fn rewritten(text: &str, tokens: &[Token], mark: bool) -> String {
    let mut out = String::with_capacity(text.len() + tokens.len() * 3);
    let mut from = 0;
    for token in tokens {
        match token {
            Token::Text(quote) if mark => {
                out.push_str(&text[from..=*quote]);
                out.push('s');
                from = quote + 1;
            }
            Token::Text(_) => {}
            Token::Odd(range) => {
                out.push_str(&text[from..range.start]);
                out.push_str(if mark { "\"n" } else { "\"" });
                out.push_str(&text[range.clone()]);
                out.push('"');
                from = range.end;
            }
        }
    }
    out.push_str(&text[from..]);
    out
}

#[derive(Debug)]
enum Token {
    /// Where a text's opening quote stands.
    Text(usize),
    /// A number that is not what it is written as.
    Odd(Range<usize>),
}

/// Of text that is valid JSON; all that has to be told apart is ASCII.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                found.push(Token::Text(at));
                at = behind_text(bytes, at + 1);
            }
            b'-' | b'0'..=b'9' => {
                let end = behind_number(bytes, at);
                if !is_exact(&text[at..end]) {
                    found.push(Token::Odd(at..end));
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    found
}

fn behind_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn behind_number(bytes: &[u8], start: usize) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    start + bytes[start..].iter().take_while(|byte| is_part(byte)).count()
}

/// Is the nearest double, as it is written shortest, this very number?
fn is_exact(number: &str) -> bool {
    if number.len() <= SAFE_DIGITS && !number.contains(['e', 'E']) {
        return true;
    }
    let Ok(double) = number.parse::<f64>() else { return false };
    double.is_finite() && decimal(number).is_some_and(|it| decimal(&format!("{double:e}")) == Some(it))
}

/// Digits without zeros at the ends, and the power of ten of the last one; zero has no digits.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (is_negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.trim_start_matches('0').is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let exponent: i64 = exponent.parse().ok()?;
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
    Some((is_negative, significant.trim_start_matches('0').to_owned(), exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_odd_where_a_double_is_another_one() {
        for exact in [
            "0",
            "-0",
            "1",
            "1.50",
            "-7e3",
            "0.1",
            "1e23",
            "9007199254740992",
            "9007199254740991",
            "0e99999999999999999999",
            "1.7976931348623157e308",
            "5e-324",
            "100000000000000000000",
            "0.30000000000000004",
            "1000000000000000000000.000",
        ] {
            assert!(is_exact(exact), "{exact}");
        }
        for odd in [
            "9007199254740993",
            "-9223372036854775807",
            "18446744073709551615",
            "1e999",
            "-1e400",
            "1e99999999999999999999",
            "0.1000000000000000055",
            "1e-400",
            "123456789012345678901234567890",
        ] {
            assert!(!is_exact(odd), "{odd}");
        }
    }

    #[test]
    fn texts_with_digits_in_them_are_left_alone() {
        let plain = r#"{"a9223372036854775807":"1e999 \" 1e999 \\","b":[1,2.5]}"#;
        assert_eq!(told_apart(plain), None);
        let odd = r#"{"a\"1e999":"x","b":[1,1e999]}"#;
        assert_eq!(told_apart(odd).unwrap(), r#"{"sa\"1e999":"sx","sb":[1,"n1e999"]}"#);
        assert_eq!(readable(odd).unwrap(), r#"{"a\"1e999":"x","b":[1,"1e999"]}"#);
    }
}
