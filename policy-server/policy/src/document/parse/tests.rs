//! A guard reads a part of the document, and that part as if it had read all.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt::Write;

const SERVERS: [&str; 3] = ["files", "fi", "tracker"];

/// A table of a list, as authors write them.
fn table() -> impl Strategy<Value = String> {
    let servers = select(vec![
        r#"["files"]"#,
        "['tracker']",
        r#"["fi"]"#,
        r#"["tr\u0061cker"]"#,
        "[ # some\n  \"fi\",\n\n  'files', # and more\n]",
        r#"["files", "tracker"]"#,
    ]);
    let header = select(vec!["[[grants]]", "  [[grants]] # one", "[[redact]]", "\t[[grants]]"]);
    let rest = select(vec!["", "\n", "# [[grants]]\n", "reason = \"[[grants]] # files\"\n"]);
    (header, servers, rest, any::<bool>(), any::<bool>()).prop_map(|(header, servers, rest, first, named)| {
        let (about, rest) = match header {
            "[[redact]]" => ("in = \"both\"\nsecrets = true\n", ""),
            _ => ("tools = [\"*\"]\n", rest),
        };
        let (before, after) = if first { (about, "") } else { ("", about) };
        let servers = match header {
            "[[redact]]" if !named => String::new(),
            _ => format!("servers = {servers}\n"),
        };
        format!("{header}\nname = \"NAME\"\n{before}roles = [\"all\"]\n{servers}{rest}{after}")
    })
}

fn head_table() -> impl Strategy<Value = String> {
    select(vec![
        "[defaults]\nmode = \"enforce\"\n",
        "[door]\nhttps = true\n\n",
        "# nothing\n",
        "[servers.more]\nmatch = [\n \"npm:more\"\n]\n",
        "[[tests]]\nmember = \"a@b\"\nserver = \"files\"\ntool = \"x\"\nexpect = \"allow\"\n",
        "[[ grants ]]\nname = \"NAME\"\nroles = [\"all\"]\nservers = [\"files\"]\ntools = [\"x\"]\n",
        "[[grants]]\nname = \"NAME\"\nroles = [\"all\"]\nservers = ['''\nfiles''']\ntools = [\"x\"]\n",
        "[[grants]]\nname = \"NAME\"\nroles = [\n[[grants]]\n]\n",
    ])
    .prop_map(str::to_owned)
}

fn document_text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![6 => table(), 1 => head_table()], 0..12).prop_map(|tables| {
        let mut text = String::new();
        for name in SERVERS {
            writeln!(text, "[servers.{name}]\nmatch = [\"npm:{name}\"]").unwrap();
        }
        text.push_str("[roles.all]\nmembers = [\"*\"]\n");
        for (number, table) in tables.iter().enumerate() {
            text.push_str(&table.replace("NAME", &format!("name-{number}")));
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_a_sound_document_a_part_says_what_the_whole_says(
        text in document_text(),
        server in select(vec!["npm:files", "npm:fi", "npm:tracker", "npm:none"]),
    ) {
        let identity = ServerIdentity::from_canonical(server);
        if whole(&text, None).is_ok()
            && let Some(part) = part(&text, &identity)
        {
            let whole = whole(&text, Some(&identity)).map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?;
            prop_assert_eq!(format!("{part:?}"), format!("{whole:?}"), "{}", text);
        }
    }
}

#[test]
fn a_redaction_that_names_no_server_holds_for_each() {
    let text = "[servers.files]\nmatch = [\"npm:files\"]\n[roles.all]\nmembers = [\"*\"]\n\
                [[redact]]\nname = \"everywhere\"\nsecrets = true\n\n\
                [[redact]]\nname = \"elsewhere\"\nservers = [\"files\"]\nsecrets = true\n";
    for (server, redactions) in [("npm:files", 2), ("npm:unknown", 1)] {
        let part = part(text, &ServerIdentity::from_canonical(server)).unwrap();
        assert_eq!(part.redactions().len(), redactions, "{server}");
    }
}

#[test]
fn a_plain_document_is_read_in_part() {
    let text = "[servers.files]\nmatch = [\"npm:files\"]\n[roles.all]\nmembers = [\"*\"]\n\
                [[grants]]\nname = \"faulty, and of another\"\nservers = [\"other\"]\n\n\
                [[grants]]\nname = \"g\"\nroles = [\"all\"]\nservers = [\"files\"]\ntools = [\"*\"]\n";
    let part = part(text, &ServerIdentity::from_canonical("npm:files")).unwrap();
    assert_eq!(part.grants().len(), 1);
    assert_eq!(part.grants()[0].place, Place { line: 10, column: 8 });
}
