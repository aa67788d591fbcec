//! The parts of a document that a guard of one server has to read: in a large one, most tables of `[[grants]]` are
//! of other servers, and reading them as TOML is most of what a guard's start would take.
//!
//! Cuts at headers, by line, and only where a line is surely one: in a text without strings of several lines, where
//! every line that begins with a bracket is one of the headers that a document has. Anything else is not cut.
//! (Within a list over several lines none of those headers could stand in a document that is TOML.)

/// Tables that stand one after the other, left out of the text or taken into it whole.
struct Table<'t> {
    text: &'t str,
    /// Lines of the document before it.
    before: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `[defaults]`, `[door]`, `[servers.NAME]`, `[roles.NAME]`, and what stands before all.
    One,
    /// `[[grants]]`: each says of which servers it is.
    OfServers,
    /// `[[redact]]`: where it names no server, it is of every one.
    OfAny,
    /// `[[tests]]`.
    Test,
}

/// A document, cut into its tables.
pub(super) struct Tables<'t>(Vec<Table<'t>>);

/// Some tables of a document as a text of its own.
#[derive(Default)]
pub(super) struct Excerpt {
    pub text: String,
    lines: usize,
    /// Where in the text something was left out before, and how many lines in all.
    pub left_out: Vec<(usize, usize)>,
}

impl<'t> Tables<'t> {
    /// `None` where it is not plain to see where a table begins.
    pub fn of(text: &'t str) -> Option<Self> {
        if text.contains("\"\"\"") || text.contains("'''") {
            return None;
        }
        let (mut found, mut start, mut before, mut kind) = (Vec::new(), 0, 0, Kind::One);
        let mut offset = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let begun = line.trim_start_matches([' ', '\t']);
            if begun.starts_with('[') {
                found.push(Table { text: text.get(start..offset)?, before, kind });
                (start, before, kind) = (offset, number, Kind::of(begun)?);
            }
            offset += line.len();
        }
        found.push(Table { text: text.get(start..)?, before, kind });
        Some(Self(found))
    }

    /// All but the lists.
    pub fn head(&self) -> Excerpt {
        Excerpt::of(self.0.iter().filter(|table| table.kind == Kind::One))
    }

    /// Every table of a list that may be about this server, and perhaps others; `None`: about a server that
    /// the document does not know.
    pub fn lists_of(&self, server: Option<&str>) -> Excerpt {
        // A name that is written with escapes has a backslash.
        let may_name = |text: &str| server.is_some_and(|server| text.contains(server) || text.contains('\\'));
        let may_be_about = |table: &&Table<'_>| match table.kind {
            Kind::OfServers => may_name(table.text),
            Kind::OfAny => true,
            Kind::One | Kind::Test => false,
        };
        Excerpt::of(self.0.iter().filter(may_be_about))
    }
}

impl Kind {
    /// By a line that begins with a bracket.
    fn of(line: &str) -> Option<Self> {
        let header = line.split('#').next().unwrap_or_default().trim_end();
        match header {
            "[[grants]]" => Some(Self::OfServers),
            "[[redact]]" => Some(Self::OfAny),
            "[[tests]]" => Some(Self::Test),
            "[defaults]" | "[door]" => Some(Self::One),
            _ if header.ends_with(']') && !header.ends_with("]]") => {
                (header.starts_with("[servers.") || header.starts_with("[roles.")).then_some(Self::One)
            }
            _ => None,
        }
    }
}

impl Excerpt {
    fn of<'t>(tables: impl Iterator<Item = &'t Table<'t>>) -> Self {
        let mut excerpt = Self::default();
        for table in tables {
            excerpt.left_out.push((excerpt.text.len(), table.before - excerpt.lines));
            excerpt.text.push_str(table.text);
            excerpt.lines += table.text.matches('\n').count();
        }
        excerpt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"# one
[servers.files] # two
match = [
  "npm:files",
]
[[grants]]
name = "of-another"
servers = ["other"]

  [[grants]] # indented
name = "x"
servers = ["fi\u006ces"]
[[grants]]
name = "y"
servers = ["other", 'files']
[[tests]]
server = "files"
[roles.r]
members = ["*"]"#;

    #[test]
    fn tables_are_taken_whole_and_their_lines_counted() {
        let tables = Tables::of(DOCUMENT).unwrap();
        let (head, lists) = (tables.head(), tables.lists_of(Some("files")));
        let lines: Vec<_> = head.text.lines().collect();
        assert_eq!(lines[..3], ["# one", "[servers.files] # two", "match = ["]);
        assert_eq!(lines[3..], ["  \"npm:files\",", "]", "[roles.r]", "members = [\"*\"]"]);
        assert_eq!(head.left_out, [(0, 0), (6, 0), (head.text.find("[roles").unwrap(), 12)]);
        assert!(lists.text.starts_with("  [[grants]] # indented\nname = \"x\""), "{}", lists.text);
        assert!(lists.text.ends_with("name = \"y\"\nservers = [\"other\", 'files']\n"), "{}", lists.text);
        assert_eq!(lists.left_out.iter().map(|(_, lines)| *lines).collect::<Vec<_>>(), [9, 9]);
    }

    #[test]
    fn what_may_be_no_header_is_not_cut_at() {
        for odd in [
            "[servers.a]\nmatch = ['''\n[[grants]]\n''']\n",
            "[servers.a]\nmatch = [\"\"\"\n[[tests]]\n\"\"\"]\n",
            "[[grants]]\nx = [\n[\"a\"],\n]\n",
            "[[grants]]\n[grants.more]\n",
            "[[grants.more]]\n",
            "[ servers . a ]\n",
            "[\"servers\".a]\n",
            "[servers.\"a#b\"]\n",
            "[[servers.a]]\n",
            "[servers]\n",
        ] {
            assert!(Tables::of(odd).is_none(), "{odd}");
        }
    }
}
