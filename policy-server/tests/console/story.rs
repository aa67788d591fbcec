//! An admin's day in a real browser.

use crate::webdriver::{Browser, find};
use crate::{Console, seed};
use serde_json::Value;

/// Sets the editor's text as typing would: the page's own listeners hear of it.
const TYPE: &str = "const area = document.getElementById('text'); area.value = arguments[0];
    area.dispatchEvent(new Event('input', { bubbles: true }))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_logs_in_mends_a_policy_publishes_it_sees_alerts_and_offboards() {
    let Some(programs) = find() else { return };
    let console = Console::start().await;
    seed::fill(&console.app).await;
    let browser = Browser::start(&programs, 1280, false).await;
    let at = |path: &str| format!("{}{path}", console.base);

    browser.open(&console.link).await;
    browser.click("#use-link").await;
    browser.wait_for("h1", "Overview").await;

    browser.open(&at("/policy/edit")).await;
    let current = console.app.store.current_policy().await.unwrap().unwrap();
    let broken = current.text.replace("tools = [\"deploy\"]", "tools = [\"deploy\"");
    browser.run(TYPE, broken.clone().into()).await;
    browser.click("button[formaction='/policy/check']").await;
    let line = current.text.lines().position(|line| line == "tools = [\"deploy\"]").unwrap() + 1;
    browser.wait_for("#result", "problem").await;
    browser.wait_for("h1", "Edit policy").await;
    let said = browser.text("#result").await;
    assert!(said.contains("line ") && said.contains("column "), "{said}");
    let kept = browser.run("return document.getElementById('text').value", Value::Null).await;
    assert_eq!(kept, broken.as_str(), "checking keeps the text");
    browser.click("#result a[data-line]").await;
    let jumped = browser
        .run("const area = document.getElementById('text'); return document.activeElement === area ? area.value.slice(0, area.selectionStart).split('\\n').length : 0", Value::Null)
        .await;
    let jumped = jumped.as_u64().unwrap();
    assert!(
        (line as u64..=line as u64 + 1).contains(&jumped),
        "the cursor is at line {jumped}, the fault at {line}"
    );

    let mended = current.text.replace("mode = \"monitor\"", "mode = \"enforce\"");
    browser.run(TYPE, mended.into()).await;
    browser.click("button[formaction='/policy/check']").await;
    browser.wait_for("#result", "The document is valid").await;
    browser.click("button[formaction='/policy/preview']").await;
    browser.wait_for("h1", "Preview").await;
    let preview = browser.text("#result").await;
    assert!(preview.contains("judged again") && preview.contains("refused"), "{preview}");
    browser.write("#note", "enforce from today").await;
    browser.click("button[formaction='/policy/publish']").await;
    browser.wait_for("[role=status]", "Published").await;
    let now = console.app.store.current_policy().await.unwrap().unwrap();
    assert_eq!((now.version, now.note.as_str()), (current.version + 1, "enforce from today"));

    browser.open(&at("/alerts")).await;
    browser.wait_for("h1", "Alerts").await;
    raise(&console, "claude-code/user/late").await;
    browser.wait_for("#alerts", "claude-code/user/late").await; // without loading the page again
    browser.click("#alerts form button").await;
    browser.wait_for("[role=status]", "Acknowledged").await;

    browser.open(&at("/people?q=bruno")).await;
    browser.click("details.confirm summary").await;
    let sentence = browser.text("details.confirm div").await;
    assert!(sentence.contains("refused within seconds"), "{sentence}");
    browser.click("details.confirm button.danger").await;
    browser.wait_for("[role=status]", "Access ended").await;
    let now = console.app.store.current_policy().await.unwrap().unwrap();
    assert!(now.standing.suspended_members.contains("bruno@acme.example"));

    browser.click(".who button").await;
    browser.wait_for("h1", "Log in").await;
    let complaints: Vec<_> = unexpected(browser.complaints().await);
    assert!(complaints.is_empty(), "{complaints:#?}");
    drop(browser);
    console.stop().await;
}

/// The browser also notes every answer that is no success; the check of a broken policy is one on purpose.
fn unexpected(complaints: Vec<String>) -> Vec<String> {
    complaints.into_iter().filter(|line| !(line.contains("/policy/check") && line.contains("422"))).collect()
}

async fn raise(console: &Console, subject: &str) {
    let device = console.app.store.devices().await.unwrap().remove(0);
    let alert = policy_server::store::alerts::NewAlert {
        code: "entry-unwrapped",
        severity: contract::report::Severity::Critical,
        device: &device.id,
        member: &device.member,
        subject,
        detail: "It was put back by hand.",
        since_ms: policy_server::clock::now_ms(),
    };
    assert!(console.app.store.raise_alert(&alert).await.unwrap());
}
