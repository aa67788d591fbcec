//! What the console does without any script: every page over plain HTTP.

use crate::{Admin, Console, client, location, seed};
use reqwest::StatusCode;

pub const PLACES: [&str; 14] = [
    "/",
    "/fleet",
    "/fleet/enrol",
    "/policy",
    "/policy/edit",
    "/policy/history",
    "/policy/diff?from=1&to=2",
    "/policy/explain",
    "/record",
    "/record?kind=any",
    "/alerts",
    "/alerts/webhooks",
    "/people",
    "/people/actions",
];

#[tokio::test]
async fn attack_names_with_markup_in_them_stay_text_on_every_page() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let devices = seed::fill(&console.app).await;
    let records = console.app.store.search_records(&hostile(), None, 1).await.unwrap().records;
    let alerts = console.app.store.alerts(None, 50).await.unwrap();
    let mut places: Vec<String> = PLACES.map(String::from).to_vec();
    places.extend([
        format!("/fleet/{}", devices[12]),
        format!("/record/{}", records[0].id),
        "/policy/version/2".into(),
    ]);
    places.extend(alerts.iter().map(|alert| format!("/alerts/{}", alert.id)));
    let query = "q=%3Cscript%3Ealert(1)%3C/script%3E&member=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&since=%3Cscript%3E&server=%3Cscript%3E&tool=x&args=%3C/textarea%3E%3Cscript%3E";
    places
        .extend(["/fleet?", "/record?", "/people?", "/policy/explain?"].map(|path| format!("{path}{query}")));
    let mut seen = 0;
    for place in places {
        let page = admin.page(&place).await;
        // Ours is the one script element, and it has a source.
        assert_eq!(page.matches("<script").count(), 1, "{place}");
        assert!(!page.contains("<img") && !page.contains("<b>"), "{place}");
        assert!(!page.contains("style=\"") && !page.contains("onclick"), "{place}");
        assert!(page.matches("</textarea>").count() <= 1, "{place}");
        seen += page.matches("&#60;script&#62;").count();
    }
    assert!(seen >= 10, "the hostile names were to be seen as text {seen} times");
    console.stop().await;
}

#[tokio::test]
async fn attack_a_definition_with_markup_stays_text_in_its_alert() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let devices = seed::fill(&console.app).await;
    let alert = policy_server::store::alerts::NewAlert {
        code: "definition-changed",
        severity: contract::report::Severity::Warning,
        device: &devices[0],
        member: "ada@acme.example",
        subject: "npm:@acme/files: tool read_file",
        detail: "The definition of tool read_file changed.\ndescription\n  - \"Reads.\"\n  + \"<script>alert(1)</script>\"",
        since_ms: 1,
    };
    console.app.store.raise_alert(&alert).await.unwrap();
    let alerts = console.app.store.alerts(None, 50).await.unwrap();
    let raised = alerts.iter().find(|it| it.code == "definition-changed").unwrap();
    let page = admin.page(&format!("/alerts/{}", raised.id)).await;
    assert!(page.contains("<p>The definition of tool read_file changed.</p>"), "{page}");
    assert!(page.contains("description\n  - &#34;Reads.&#34;\n  + &#34;&#60;script&#62;"), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!admin.page("/alerts").await.contains("- &#34;Reads"), "the list has the sentence alone");
    console.stop().await;
}

fn hostile() -> policy_server::store::records::RecordFilter {
    policy_server::store::records::RecordFilter {
        tool: Some(seed::HOSTILE_TOOL.into()),
        ..Default::default()
    }
}

#[tokio::test]
async fn every_page_answers_on_an_empty_server_too() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    for place in PLACES.into_iter().filter(|place| !place.contains("diff")) {
        let answer = admin.get(place).await;
        assert_eq!(answer.headers()["cache-control"], "no-store", "{place}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("<h1") && page.contains(r#"<html lang="en">"#), "{place}");
    }
    assert!(admin.page("/").await.contains("Make an enrolment token"));
    for nowhere in
        ["/fleet/x", "/alerts/x", "/policy/version/99", "/record/019a0000-0000-7000-8000-000000000000"]
    {
        let answer = admin.get(nowhere).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{nowhere}");
        assert!(answer.text().await.unwrap().contains("Back to the overview"), "{nowhere}");
    }
    for unreadable in
        ["/policy/version/latest", "/record/x", "/policy/diff?from=x", "/policy/edit?from=-1", "/policy/diff"]
    {
        let answer = admin.get(unreadable).await;
        assert!(answer.status().is_client_error(), "{unreadable}");
        assert!(answer.text().await.unwrap().contains("Back to the overview"), "{unreadable}");
    }
    for (form, stands_at) in
        [("/policy/preview", "/policy/edit"), ("/people/offboard", "/people"), ("/logout", "/")]
    {
        assert_eq!(location(&admin.get(form).await), stands_at, "a form's address is loaded again");
    }
    console.stop().await;
}

#[tokio::test]
async fn policy_is_checked_previewed_published_and_a_second_admin_is_not_overwritten() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    seed::fill(&console.app).await;
    let current = console.app.store.current_policy().await.unwrap().unwrap();
    let base = current.version.to_string();

    let broken = current.text.replace("heal = true", "heel = true");
    let answer = admin.post("/policy/check", &[("base", &base), ("text", &broken)]).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = answer.text().await.unwrap();
    assert!(page.contains("line 5, column 1") && page.contains(r##"href="#L5""##), "{page}");
    assert!(page.contains("heel = true"), "the draft is kept");

    let enforced = current.text.replace("mode = \"monitor\"", "mode = \"enforce\"").replace('\n', "\r\n");
    let draft = [("base", base.as_str()), ("text", enforced.as_str()), ("note", "now for real")];
    let page = admin.post("/policy/preview", &draft).await.text().await.unwrap();
    assert!(page.contains("Publish as version"), "{page}");
    let published = admin.post("/policy/publish", &draft).await;
    assert_eq!(location(&published), "/policy?done=published");
    let now = console.app.store.current_policy().await.unwrap().unwrap();
    assert_eq!((now.author.as_str(), now.note.as_str()), ("admin", "now for real"));
    assert!(!now.text.contains('\r'), "a browser's line ends are not the document's");

    // A second admin began from the same version.
    let late = current.text.replace("heal = true", "heal = false");
    let answer = admin.post("/policy/publish", &[("base", &base), ("text", &late)]).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = answer.text().await.unwrap();
    assert!(page.contains("after you began") && page.contains("heal = false"), "{page}");
    let unchanged = console.app.store.current_policy().await.unwrap().unwrap();
    assert_eq!(unchanged.version, now.version);
    let over = now.version.to_string();
    let answer = admin.post("/policy/publish", &[("base", &base), ("over", &over), ("text", &late)]).await;
    assert_eq!(location(&answer), "/policy?done=published");
    console.stop().await;
}

#[tokio::test]
async fn explain_names_the_rule_and_its_line() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    seed::fill(&console.app).await;
    let line = seed::POLICY.lines().position(|line| line.contains("name = \"read\"")).unwrap() + 1;
    for server in ["everything", "npm:@modelcontextprotocol/server-everything@2026.1.26"] {
        let page =
            admin.page(&format!("/policy/explain?member=bruno@acme.example&server={server}&tool=echo")).await;
        assert!(page.contains("allowed") && page.contains("<code>read</code>"), "{page}");
        assert!(page.contains(&format!("/policy#L{line}")), "line {line}: {page}");
    }
    let page = admin
        .page(
            "/policy/explain?member=bruno@acme.example&server=everything&about=resource&name=demo://x%3Cb%3E",
        )
        .await;
    assert!(page.contains("read &#34;demo://x") && !page.contains("x<b>"), "{page}");
    assert!(page.contains(r#"<option value="resource" selected>"#), "{page}");
    let page =
        admin.page("/policy/explain?member=bruno@acme.example&server=files&tool=write_file&args=%7B").await;
    assert!(page.contains("The arguments are not JSON"));
    console.stop().await;
}

#[tokio::test]
async fn a_token_is_shown_once_in_all_its_forms() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let wish = [("member", ""), ("members", "*@acme.example, *@acme.test"), ("uses", "25"), ("hours", "168")];
    let page = admin.post("/fleet/enrol", &wish).await.text().await.unwrap();
    assert!(page.contains("good for 25 machines of members like *@acme.example or *@acme.test"), "{page}");
    let token = page.split("<pre id=\"token\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(token.len() >= 40, "{token}");
    for form in ["profile-json", "profile-mobileconfig", "profile-plist", "profile-reg"] {
        let text = page.split(&format!("<pre id=\"{form}\"")).nth(1).unwrap().split("</pre>").next().unwrap();
        assert!(text.contains(token), "{form}");
    }
    let later = admin.page("/fleet/enrol").await;
    assert!(!later.contains(token) && later.contains("0 of 25"));
    assert!(later.contains("*@acme.example, *@acme.test"));
    let bad = admin.post("/fleet/enrol", &[("member", ""), ("uses", "0"), ("hours", "1")]).await;
    assert_eq!(bad.status(), StatusCode::UNPROCESSABLE_ENTITY);
    console.stop().await;
}

#[tokio::test]
async fn a_token_for_anybody_is_made_only_by_whoever_says_so() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let wish = [("member", ""), ("uses", "25"), ("hours", "168")];
    let refused = admin.post("/fleet/enrol", &wish).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().await.unwrap().contains("could enrol as any member"));
    let said = [wish.as_slice(), &[("any_member", "yes")]].concat();
    let page = admin.post("/fleet/enrol", &said).await.text().await.unwrap();
    assert!(page.contains("Whoever has it can enrol a machine as any member"), "{page}");
    console.stop().await;
}

#[tokio::test]
async fn a_browser_at_an_unknown_address_gets_a_page_and_a_program_a_problem() {
    let console = Console::start().await;
    let ask = |path: &str, accept: &'static str| {
        client().get(format!("{}{path}", console.base)).header("Accept", accept).send()
    };
    let page = ask("/nowhere", "text/html,application/xhtml+xml;q=0.9").await.unwrap();
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert!(page.text().await.unwrap().contains("There is no page at this address"));
    for (path, accept) in [("/nowhere", "*/*"), ("/v1/nowhere", "text/html")] {
        let problem = ask(path, accept).await.unwrap().text().await.unwrap();
        assert!(problem.contains("\"code\":\"not-found\""), "{path}: {problem}");
    }
    console.stop().await;
}

#[tokio::test]
async fn open_alerts_are_acknowledged_at_once_and_a_dark_device_is_forgotten() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let devices = seed::fill(&console.app).await;
    assert!(admin.page("/alerts").await.contains("Acknowledge all"));
    let answer = admin.post("/alerts/acknowledge", &[]).await;
    assert_eq!(location(&answer), "/alerts?done=all-acknowledged");
    let open =
        console.app.store.alerts(Some(policy_server::store::alerts::AlertState::Open), 10).await.unwrap();
    assert!(open.is_empty(), "{open:?}");

    let (dark, live) = (&devices[7], &devices[0]);
    assert!(!admin.page(&format!("/fleet/{live}")).await.contains("Forget this device"));
    assert_eq!(admin.post(&format!("/fleet/{live}/remove"), &[]).await.status(), StatusCode::CONFLICT);
    assert!(admin.page(&format!("/fleet/{dark}")).await.contains("Forget this device"));
    let answer = admin.post(&format!("/fleet/{dark}/remove"), &[]).await;
    assert_eq!(location(&answer), "/fleet?done=removed");
    assert_eq!(admin.get(&format!("/fleet/{dark}")).await.status(), StatusCode::NOT_FOUND);
    assert!(admin.page("/people/actions").await.contains("device removed"));
    console.stop().await;
}

#[tokio::test]
async fn offboarding_ends_access_and_is_written_down() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    seed::fill(&console.app).await;
    let before = console.app.store.current_policy().await.unwrap().unwrap().version;
    let answer = admin.post("/people/offboard", &[("member", "bruno@acme.example")]).await;
    assert_eq!(location(&answer), "/people?done=offboarded");
    let now = console.app.store.current_policy().await.unwrap().unwrap();
    assert!(now.version > before && now.standing.suspended_members.contains("bruno@acme.example"));
    assert!(admin.page("/people/actions").await.contains("member offboarded"));
    let answer = admin.post("/people/restore", &[("member", "bruno@acme.example")]).await;
    assert_eq!(location(&answer), "/people?done=restored");
    let unknown = admin.post("/people/offboard", &[("member", "nobody@nowhere.example")]).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert!(unknown.text().await.unwrap().contains("No member nobody@nowhere.example is known"));
    console.stop().await;
}
