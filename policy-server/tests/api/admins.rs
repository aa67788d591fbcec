//! Who gets in, who stays out.

use crate::organisation::{Organisation, Reply, request};
use axum::http::{HeaderName, Method, header};
use policy_server::admin_auth;
use policy_server::tls::PeerCertificate;
use serde_json::{Value, json};

const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// A session as a browser holds it.
struct Browser {
    cookie: String,
    csrf: String,
}

async fn log_in(organisation: &Organisation) -> Browser {
    let link = organisation.post("/v1/admin/link", json!({})).await.expect(200).json();
    let secret = link["console"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let peer = "127.0.0.1".parse().unwrap();
    let cookie = admin_auth::redeem_link(&organisation.app, peer, &secret).await.unwrap().into_header();
    let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
    let headers = [(header::COOKIE, cookie.parse().unwrap())].into_iter().collect();
    let session = admin_auth::Session::of(&organisation.app, &headers).await.unwrap().unwrap();
    Browser { cookie, csrf: session.csrf }
}

async fn offboard(organisation: &Organisation, headers: &[(HeaderName, &str)]) -> Reply {
    let path = "/v1/admin/members/ada@acme.example/offboard";
    let mut asking = request(Method::POST, path, json!({}), PeerCertificate::None);
    for (name, value) in headers {
        asking = asking.header(name.clone(), value);
    }
    organisation.ask(asking.body_of()).await
}

#[tokio::test]
async fn admin_api_answers_nobody_without_a_token() {
    let organisation = Organisation::found().await;
    for value in [None, Some("Bearer "), Some("Bearer guessed"), Some("Basic YWRtaW46YWRtaW4=")] {
        let mut asking = request(Method::GET, "/v1/admin/overview", Value::Null, PeerCertificate::None);
        if let Some(value) = value {
            asking = asking.header(header::AUTHORIZATION, value);
        }
        assert_eq!(organisation.ask(asking.body_of()).await.expect(401).code(), "not-logged-in", "{value:?}");
    }
    let device = organisation.device("ada@acme.example").await;
    let reply = organisation.by_device(&device, Method::GET, "/v1/admin/overview", Value::Null).await;
    assert_eq!(reply.expect(401).code(), "not-logged-in", "a device is no admin");
}

#[tokio::test]
async fn console_link_works_once() {
    let organisation = Organisation::found().await;
    let link = organisation.server.as_ref().unwrap().console.clone().unwrap();
    let secret = link.path().rsplit('/').next().unwrap();
    let peer = "127.0.0.1".parse().unwrap();
    admin_auth::redeem_link(&organisation.app, peer, secret).await.unwrap();
    admin_auth::redeem_link(&organisation.app, peer, secret).await.expect_err("it was used");
}

#[tokio::test]
async fn console_link_taken_by_two_at_once_lets_one_in() {
    let organisation = Organisation::found().await;
    let link = organisation.server.as_ref().unwrap().console.clone().unwrap();
    let secret = link.path().rsplit('/').next().unwrap();
    let peer = "127.0.0.1".parse().unwrap();
    let attempts = (0..5).map(|_| admin_auth::redeem_link(&organisation.app, peer, secret));
    let entered = futures_util::future::join_all(attempts).await.into_iter().flatten().count();
    assert_eq!(entered, 1);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let organisation = Organisation::found().await;
    let peer = "203.0.113.9".parse().unwrap();
    let mut refused = 0;
    for _ in 0..20 {
        match admin_auth::redeem_link(&organisation.app, peer, "guess").await {
            Err(admin_auth::AuthError::TooMany) => refused += 1,
            Err(admin_auth::AuthError::Refused) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 10);
    let neighbour = "203.0.113.10".parse().unwrap();
    let other = admin_auth::redeem_link(&organisation.app, neighbour, "guess").await;
    assert!(
        matches!(other, Err(admin_auth::AuthError::Refused)),
        "one guesser does not lock out another address"
    );
}

#[tokio::test]
async fn session_cookie_is_for_this_host_alone_and_no_script() {
    let organisation = Organisation::found().await;
    let link = organisation.server.as_ref().unwrap().console.clone().unwrap();
    let secret = link.path().rsplit('/').next().unwrap();
    let peer = "127.0.0.1".parse().unwrap();
    let cookie = admin_auth::redeem_link(&organisation.app, peer, secret).await.unwrap().into_header();
    let cookie = cookie.to_str().unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
}

#[tokio::test]
async fn cross_site_request_with_a_session_changes_nothing() {
    let organisation = Organisation::found().await;
    organisation.device("ada@acme.example").await;
    let browser = log_in(&organisation).await;
    let cookie = (header::COOKIE, browser.cookie.as_str());

    let reply = offboard(&organisation, std::slice::from_ref(&cookie)).await.expect(403);
    assert_eq!(reply.code(), "stale-form", "the cookie alone is not enough");
    let wrong = (CSRF, "guessed");
    offboard(&organisation, &[cookie.clone(), wrong]).await.expect(403);
    let right = (CSRF, browser.csrf.as_str());
    let foreign = (HeaderName::from_static("sec-fetch-site"), "cross-site");
    offboard(&organisation, &[cookie.clone(), right.clone(), foreign]).await.expect(403);
    let elsewhere = (header::ORIGIN, "https://evil.example");
    let host = (header::HOST, "portreeve.acme.example");
    offboard(&organisation, &[cookie.clone(), right.clone(), elsewhere, host]).await.expect(403);
    assert_eq!(organisation.get("/v1/admin/policy").await["version"], 1);

    offboard(&organisation, &[cookie, right]).await.expect(200);
}

#[tokio::test]
async fn session_ends_at_log_out() {
    let organisation = Organisation::found().await;
    let browser = log_in(&organisation).await;
    let headers = [(header::COOKIE, browser.cookie.parse().unwrap())].into_iter().collect();
    let session = admin_auth::Session::of(&organisation.app, &headers).await.unwrap().unwrap();
    admin_auth::log_out(&organisation.app, &session).await.unwrap();
    assert!(admin_auth::Session::of(&organisation.app, &headers).await.unwrap().is_none());
}

#[tokio::test]
async fn password_lets_its_admin_in_and_says_nothing_about_others() {
    let organisation = Organisation::found().await;
    let browser = log_in(&organisation).await;
    let headers = [(header::COOKIE, browser.cookie.parse().unwrap())].into_iter().collect();
    let session = admin_auth::Session::of(&organisation.app, &headers).await.unwrap().unwrap();
    admin_auth::set_password(&organisation.app, &session, "short").await.expect_err("too short");
    admin_auth::set_password(&organisation.app, &session, "correct horse battery").await.unwrap();
    let peer = "127.0.0.1".parse().unwrap();
    admin_auth::log_in(&organisation.app, peer, "admin", "correct horse battery").await.unwrap();
    let wrong = admin_auth::log_in(&organisation.app, peer, "admin", "wrong").await.unwrap_err();
    let nobody = admin_auth::log_in(&organisation.app, peer, "nobody", "wrong").await.unwrap_err();
    assert_eq!(wrong.to_string(), nobody.to_string());
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let organisation = Organisation::found().await;
    for path in ["/health", "/nothing/here", "/v1/admin/overview", "/login"] {
        let reply =
            organisation.ask(request(Method::GET, path, Value::Null, PeerCertificate::None).body_of()).await;
        let policy = reply.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(reply.headers[header::REFERRER_POLICY], "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn request_that_cannot_be_read_is_answered_with_a_problem() {
    let organisation = Organisation::found().await;
    let publish = "/v1/admin/policy/publish";
    for (method, path, body, status, code) in [
        (Method::POST, publish, json!({"text": 1}), 422, "request-malformed"),
        (
            Method::POST,
            publish,
            json!({"text": "", "note": "", "base": 1, "force": true}),
            422,
            "request-malformed",
        ),
        (Method::GET, "/v1/admin/records?since=yesterday", Value::Null, 400, "request-malformed"),
        (Method::GET, "/v1/admin/records/not-an-id", Value::Null, 400, "request-malformed"),
        (Method::POST, publish, json!({"text": "x".repeat(5_000_000)}), 413, "request-too-large"),
        (Method::PUT, publish, json!({}), 405, "method-not-allowed"),
        (Method::GET, "/v1/admin/nothing", Value::Null, 404, "not-found"),
    ] {
        let reply = organisation.admin(method, path, body).await.expect(status);
        assert_eq!(reply.code(), code, "{path}");
        assert_eq!(reply.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
    }
}
