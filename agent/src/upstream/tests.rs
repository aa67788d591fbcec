use super::fake::{Answer, FakeServer};
use super::*;
use serde_json::{Value, json};

fn upstream(server: &FakeServer, address: &str) -> Upstream {
    let credentials = Credentials { server_ca: Some(server.authority.clone()), device: None };
    Upstream::new(Url::parse(address).unwrap(), &credentials).unwrap()
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_its_address() {
    let server = FakeServer::start(|_| Answer::ok(&json!({}))).await;
    let upstream = upstream(&server, "https://127.0.0.1:1");
    let error = upstream.post::<Value>("/x", &json!({})).await.unwrap_err().to_string();
    assert!(error.starts_with("the policy server https://127.0.0.1:1/ cannot be reached: "), "{error}");
    assert!(error.to_lowercase().contains("refused"), "{error}");
    assert!(upstream.contact().borrow().trouble.is_some());
}

#[tokio::test]
async fn a_server_with_a_certificate_of_another_authority_is_not_spoken_to() {
    let server = FakeServer::start(|_| Answer::ok(&json!({}))).await;
    let impostor = FakeServer::start(|_| Answer::ok(&json!({}))).await;
    let upstream = upstream(&server, impostor.address.as_str());
    let error = upstream.post::<Value>("/x", &json!({"token": "t"})).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    assert!(impostor.asked.lock().unwrap().is_empty(), "the token went to somebody else");
}

#[tokio::test]
async fn the_servers_own_sentence_is_kept_with_its_code() {
    let server = FakeServer::start(|_| Answer::problem(403, "token-used", json!({ "more": 7 }))).await;
    let error = server.upstream().post::<Value>("/x", &json!({})).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.code()), ("a sentence on token-used", Some("token-used")));
}

#[tokio::test]
async fn an_answer_that_is_not_of_a_policy_server_is_said_so() {
    let page = || Answer { status: 502, tag: None, body: b"<html>Bad Gateway".to_vec() };
    let server = FakeServer::start(move |_| page()).await;
    let error = server.upstream().post::<Value>("/x", &json!({})).await.unwrap_err().to_string();
    assert!(error.contains("502") && error.contains("is the address right?"), "{error}");
}

#[tokio::test]
async fn what_is_larger_than_allowed_is_not_read_to_its_end() {
    let server = FakeServer::start(|_| Answer { status: 200, tag: None, body: vec![b'x'; 100_000] }).await;
    let error = server.upstream().fetch("/x", None, 1000).await.unwrap_err().to_string();
    assert!(error.contains("larger than 1000 bytes"), "{error}");
}

#[tokio::test]
async fn the_return_of_the_server_is_counted_once() {
    let server = FakeServer::start(|asked| match asked.path.as_str() {
        "/good" => Answer::ok(&json!({})),
        _ => Answer::problem(500, "internal", json!({})),
    })
    .await;
    let upstream = server.upstream();
    for (path, recovered) in [("/good", 1), ("/good", 1), ("/bad", 1), ("/good", 2), ("/good", 2)] {
        let _ = upstream.post::<Value>(path, &json!({})).await;
        assert_eq!(upstream.contact().borrow().recovered, recovered, "{path}");
    }
}

#[test]
fn a_certificate_that_is_not_taken_is_told_in_a_sentence() {
    for (fault, named, expected) in [
        ("UnknownIssuer", true, "the managed profile names (server_ca)"),
        ("BadSignature", true, "the managed profile names (server_ca)"),
        ("UnknownIssuer", false, "an authority that this machine does not know"),
        ("BadSignature", false, "an authority that this machine does not know"),
        ("certificate expired", true, "(certificate expired); check the address and this machine's clock"),
    ] {
        let said = certificate_fault(fault, named);
        assert!(said.contains(expected), "{fault}: {said}");
    }
}

#[tokio::test]
async fn without_a_named_authority_nobody_is_said_to_have_named_one() {
    let server = FakeServer::start(|_| Answer::ok(&serde_json::json!({}))).await;
    let credentials = Credentials { server_ca: None, device: None };
    let error = Upstream::new(server.address.clone(), &credentials).unwrap().probe().await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("an authority that this machine does not know"), "{said}");
}
