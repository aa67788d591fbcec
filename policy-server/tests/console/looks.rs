//! Every page as it looks: wide and narrow, light and dark. What a reader needs is asserted. With
//! `PORTREEVE_PICTURES=1` a picture of each is left in the target folder (`tmp/console`) for whoever wants to look;
//! taking them is most of the time.

use crate::webdriver::{Browser, find};
use crate::{Console, seed};
use serde_json::Value;
use std::path::Path;

/// What is wrong with the page for somebody who cannot see it, has no mouse, or a narrow window.
const FAULTS: &str = include_str!("faults.js");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_read_wide_and_narrow_light_and_dark() {
    let Some(programs) = find() else { return };
    let console = Console::start().await;
    let browser = Browser::start(&programs, 1280, false).await;
    browser.open(&console.link).await;
    look(&browser, "link").await;
    browser.click("#use-link").await;
    browser.wait_for("h1", "Overview").await;
    look(&browser, "first-day").await;

    let devices = seed::fill(&console.app).await;
    let filter =
        policy_server::store::records::RecordFilter { tool: Some("write_file".into()), ..Default::default() };
    let record = console.app.store.search_records(&filter, None, 1).await.unwrap().records.remove(0).id;
    let alert = console.app.store.alerts(None, 1).await.unwrap().remove(0).id;
    let places = [
        ("overview", "/".to_owned()),
        ("fleet", "/fleet".to_owned()),
        ("device", format!("/fleet/{}", devices[4])),
        ("device-hostile", format!("/fleet/{}", devices[12])),
        ("enrol", "/fleet/enrol".to_owned()),
        ("policy", "/policy".to_owned()),
        ("editor", "/policy/edit".to_owned()),
        ("history", "/policy/history".to_owned()),
        ("diff", "/policy/diff?from=1&to=3".to_owned()),
        ("explain", "/policy/explain?member=bruno@acme.example&server=files&tool=read_text_file&args=%7B%22path%22%3A%22%2Fetc%2Fpasswd%22%7D".to_owned()),
        ("record", "/record".to_owned()),
        ("record-nothing", "/record?member=nobody".to_owned()),
        ("record-fault", "/record?since=soon".to_owned()),
        ("entry", format!("/record/{record}")),
        ("alerts", "/alerts".to_owned()),
        ("alert", format!("/alerts/{alert}")),
        ("webhooks", "/alerts/webhooks".to_owned()),
        ("people", "/people".to_owned()),
        ("actions", "/people/actions".to_owned()),
        ("account", "/account".to_owned()),
        ("missing", "/fleet/nowhere".to_owned()),
    ];
    for (name, path) in places {
        browser.open(&format!("{}{path}", console.base)).await;
        look(&browser, name).await;
    }
    forms(&browser, &console).await;
    let complaints: Vec<_> =
        browser.complaints().await.into_iter().filter(|line| !line.contains("status of 4")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    drop(browser);
    console.stop().await;
}

/// The pages that only a form leads to.
async fn forms(browser: &Browser, console: &Console) {
    browser.open(&format!("{}/fleet/enrol", console.base)).await;
    browser.click("main button.primary").await;
    browser.wait_for("h1", "Enrolment profile").await;
    look(browser, "profile").await;
    browser.open(&format!("{}/policy/edit", console.base)).await;
    let spoil = "const area = document.getElementById('text'); area.value = area.value.replace(arguments[0][0], arguments[0][1])";
    browser.run(spoil, serde_json::json!(["mode = \"monitor\"", "mode = \"enforce\""])).await;
    browser.click("button[formaction='/policy/preview']").await;
    browser.wait_for("h1", "Preview").await;
    look(browser, "preview").await;
    browser.run(spoil, serde_json::json!(["roles = [\"release\"]", "roles = [\"releese\"]"])).await;
    browser.click("button[formaction='/policy/check']").await;
    browser.wait_for("#result", "problem").await;
    look(browser, "problems").await;
}

async fn look(browser: &Browser, name: &str) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    let wanted = std::env::var_os("PORTREEVE_PICTURES").is_some();
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")] {
        browser.prefer(scheme).await;
        browser.resize(width).await;
        let faults = browser.run(FAULTS, Value::Null).await;
        assert_eq!(faults, serde_json::json!([]), "{name}, {width} wide, {scheme}");
        if wanted {
            std::fs::create_dir_all(&pictures).unwrap();
            browser.picture(&pictures.join(format!("{name}-{width}-{scheme}.png"))).await;
        }
    }
    browser.resize(1280).await;
    browser.prefer("light").await;
}
