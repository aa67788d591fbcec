//! A sentence in which `backticks` mark what stands in a document, as problems and changes are written.

use askama::Template;
use askama::filters::HtmlSafe;

/// Renders the marked parts as code. Every part is escaped by the template.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = "{% for part in parts %}{% if part.code %}<code>{{ part.text }}</code>{% else %}{{ part.text }}{% endif %}{% endfor %}",
    ext = "html"
)]
pub struct Said {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    code: bool,
    text: String,
}

impl HtmlSafe for Said {}

impl Said {
    /// A backtick without its partner is a backtick.
    pub fn new(sentence: &str) -> Self {
        let pieces: Vec<&str> = sentence.split('`').collect();
        let paired = pieces.len() % 2 == 1;
        let plain = vec![Part { code: false, text: sentence.to_owned() }];
        let marked =
            pieces.iter().enumerate().map(|(i, text)| Part { code: i % 2 == 1, text: (*text).to_owned() });
        Self { parts: if paired { marked.collect() } else { plain } }
    }
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn what_is_between_backticks_is_code_and_nothing_is_markup() {
        let said = |text| Said::new(text).to_string();
        assert_eq!(said("unknown role `a` in `b`"), "unknown role <code>a</code> in <code>b</code>");
        assert_eq!(said("a `<b>` c"), "a <code>&#60;b&#62;</code> c");
        assert_eq!(said("one ` alone <i>"), "one ` alone &#60;i&#62;");
    }
}
