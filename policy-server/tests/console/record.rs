//! Finding records, reading one, and taking them out.

use crate::{Admin, Console, seed};
use reqwest::StatusCode;

#[tokio::test]
async fn a_restart_and_what_was_taken_out_of_notices_are_found_and_read() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let devices = seed::fill(&console.app).await;
    let [restart, redacted] = seed::turns(&console.app, &devices[0]).await;
    for (kind, id, in_list, in_entry) in [
        (
            "restart",
            restart,
            "server restarted",
            ["exit status: 3", "Exit code", "what it had not answered is lost"],
        ),
        (
            "redacted",
            redacted,
            "something taken out",
            ["in 41 places", "notifications/message", "the server"],
        ),
    ] {
        let found = admin.page(&format!("/record?kind={kind}")).await;
        assert!(found.contains(in_list) && found.contains(&id.to_string()), "{kind}: {found}");
        let entry = admin.page(&format!("/record/{id}")).await;
        for part in in_entry {
            assert!(entry.contains(part), "{part}: {entry}");
        }
    }
    console.stop().await;
}

#[tokio::test]
async fn records_are_found_paged_and_taken_out_with_the_same_filters() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    seed::fill(&console.app).await;
    let page = admin.page("/record?member=alice@acme.example&decision=refused").await;
    let export = page.split("href=\"/v1/").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(
        export,
        "admin/records/export?member=alice%40acme.example&#38;decision=refused&#38;kind=call&#38;format=raw"
    );
    let mut link = "/record?member=alice@acme.example&kind=any".to_owned();
    let mut found = Vec::new();
    loop {
        let page = admin.page(&link).await;
        found.extend(
            page.split("href=\"/record/")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .map(str::to_owned),
        );
        let Some((before, _)) = page.split_once("\" rel=\"next\"") else { break };
        link = before.rsplit("href=\"").next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        assert!(link.contains("member=alice"), "{link}");
    }
    let lines = admin.page("/v1/admin/records/export?member=alice@acme.example&format=raw").await;
    let exported: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = exported.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect();
    assert!(ids.len() > 100, "{}", ids.len());
    found.reverse();
    assert!(found == ids, "pages show the newest first, the export the oldest, and both the same records");
    let refused = admin.page("/v1/admin/records/export?decision=refused&tool=write_file").await;
    assert!(refused.lines().count() > 0 && refused.lines().all(|line| line.contains("write_file")));
    let ocsf = admin.page("/v1/admin/records/export?decision=refused&format=ocsf").await;
    let other = ocsf.lines().find(|line| !line.contains("\"class_uid\":6003"));
    assert_eq!(other, None);
    console.stop().await;
}

#[tokio::test]
async fn filters_that_name_nothing_are_said_to_and_not_answered_with_an_empty_page() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let page = admin.page("/record?decision=would-refused").await;
    assert!(page.contains("say one of allowed, refused, would-refuse"), "{page}");
    assert!(admin.page("/record?kind=bogus").await.contains("say one of started"));
    let fleet = admin.get("/fleet?status=drak").await;
    assert_eq!(fleet.status(), StatusCode::BAD_REQUEST);
    assert!(fleet.text().await.unwrap().contains("live, dark, revoked or unenrolled"));
    console.stop().await;
}

#[tokio::test]
async fn what_decided_who_asked_and_what_became_of_it_are_looked_for() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    seed::fill(&console.app).await;
    let outcomes = admin.page("/record?fate=ok").await;
    assert!(outcomes.contains("value=\"ok\" selected") && outcomes.contains("href=\"/record/"), "{outcomes}");
    assert!(outcomes.contains("fate=ok&#38;format=raw"), "the export has the same filter: {outcomes}");
    for (found, query) in
        [(true, "client=claude"), (false, "client=nobody"), (false, "rule=no-such"), (false, "code=no-such")]
    {
        let page = admin.page(&format!("/record?{query}")).await;
        assert_eq!(page.contains("href=\"/record/"), found, "{query}");
    }
    console.stop().await;
}
