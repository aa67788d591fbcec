//! Words for a shell: what we print for somebody to paste is one word there, whatever is in it. We start
//! no shell ourselves.

/// In quotes where it needs them.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_it_needs_it() {
        for (word, said) in [
            ("npm:@acme/notes", "npm:@acme/notes"),
            ("exec:node /tmp/x/srv.mjs", "'exec:node /tmp/x/srv.mjs'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("https://a.example/?a=b&c", "'https://a.example/?a=b&c'"),
        ] {
            assert_eq!(quoted(word), said);
        }
    }

    #[test]
    fn attack_an_identity_that_runs_a_command_when_pasted() {
        assert_eq!(quoted("exec:x'; touch y; '$(z)`w`"), r"'exec:x'\''; touch y; '\''$(z)`w`'");
    }
}
