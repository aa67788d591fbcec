//! Who gets in: by a link, by a password, and by no form of another page's.

use crate::pages::PLACES;
use crate::{Admin, Console, client, location, seed};
use reqwest::StatusCode;

#[tokio::test]
async fn nobody_sees_a_page_without_logging_in() {
    let console = Console::start().await;
    for place in PLACES {
        let answer = client().get(format!("{}{place}", console.base)).send().await.unwrap();
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/login"), "{place}");
    }
    console.stop().await;
}

#[tokio::test]
async fn looking_at_a_one_time_link_does_not_use_it_up_and_using_it_does() {
    let console = Console::start().await;
    for _prefetch in 0..3 {
        let answer = client().get(&console.link).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await.unwrap().contains("used up only when you press"));
    }
    let first = client().post(&console.link).send().await.unwrap();
    assert_eq!((first.status(), location(&first)), (StatusCode::SEE_OTHER, "/"));
    let second = client().post(&console.link).send().await.unwrap();
    assert_eq!(second.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(second.text().await.unwrap().contains("used already"));
    console.stop().await;
}

#[tokio::test]
async fn a_password_set_once_logs_in_without_a_link() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    let short = admin.post("/account/password", &[("password", "short"), ("again", "short")]).await;
    assert_eq!(short.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let good = "four words in a row";
    let unlike = admin.post("/account/password", &[("password", good), ("again", "other")]).await;
    assert_eq!(unlike.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let set = admin.post("/account/password", &[("password", good), ("again", good)]).await;
    assert_eq!(location(&set), "/account?done=password");
    let wrong = admin.post_bare("/login", &[("name", "admin"), ("password", "four words in a raw")]).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let right = admin.post_bare("/login", &[("name", "admin"), ("password", good)]).await;
    assert_eq!(location(&right), "/");
    let out = admin.post("/logout", &[]).await;
    assert_eq!(location(&out), "/login");
    assert_eq!(admin.get("/").await.status(), StatusCode::SEE_OTHER);
    console.stop().await;
}

#[tokio::test]
async fn attack_a_form_without_our_token_does_nothing() {
    let console = Console::start().await;
    let admin = Admin::log_in(&console).await;
    seed::fill(&console.app).await;
    let forms = [
        "/people/offboard",
        "/people/restore",
        "/policy/publish",
        "/fleet/enrol",
        "/alerts/webhooks",
        "/logout",
        "/account/password",
    ];
    for path in forms {
        for forged in [None, Some(""), Some("x"), Some("ünïcode")] {
            let mut fields =
                vec![("member", "alice@acme.example"), ("uses", "1"), ("hours", "1"), ("url", "https://x/")];
            fields.extend(forged.map(|token| ("csrf", token)));
            let answer = admin.post_bare(path, &fields).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {forged:?}");
        }
    }
    let members = console.app.store.members().await.unwrap();
    assert!(members.iter().all(|member| member.suspended_ms.is_none()));
    assert_eq!(admin.get("/").await.status(), StatusCode::OK, "still logged in");
    console.stop().await;
}
