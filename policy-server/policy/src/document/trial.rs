//! Runs a document's own `[[tests]]`.

use super::{Document, Test};
use crate::decision::Request;
use crate::identity::ServerIdentity;
use crate::problem::Problem;
use crate::ruleset::Ruleset;
use crate::standing::Standing;

pub(super) fn run(document: &Document) -> Result<usize, Vec<Problem>> {
    let ruleset = Ruleset::compile(document, &Standing::default(), 0, None)?;
    let failures: Vec<_> = document.tests.iter().filter_map(|test| failure(&ruleset, test)).collect();
    if failures.is_empty() { Ok(document.tests.len()) } else { Err(failures) }
}

fn failure(ruleset: &Ruleset, test: &Test) -> Option<Problem> {
    let identity = ServerIdentity::from_canonical(test.server.as_str());
    let request = Request {
        member: &test.member,
        device: &test.device,
        client: &test.client,
        server: &identity,
        feature: test.feature,
        name: &test.name,
        arguments: test.args.as_ref(),
        now: test.now,
    };
    let explained = if test.server.contains(':') {
        ruleset.explain(&request)
    } else {
        ruleset.explain_named(&test.server, &request)
    };
    let got = explained.decision;
    let rule = test.rule.as_ref().filter(|rule| **rule != got.rule);
    if got.verdict == test.expect && rule.is_none() {
        return None;
    }
    let expected = rule.map_or_else(
        || format!("`{}`", test.expect.word()),
        |rule| format!("`{}` by `{rule}`", test.expect.word()),
    );
    let message =
        format!("this test expects {expected}, but the answer is `{}` by `{}`", got.verdict.word(), got.rule);
    Some(Problem { line: test.place.line, column: test.place.column, message, help: got.reason })
}
