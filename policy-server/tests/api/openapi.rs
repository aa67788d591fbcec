//! The description is of this API, and of all of it.

use crate::organisation::{Organisation, request};
use axum::http::Method;
use policy_server::tls::PeerCertificate;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

async fn document(organisation: &Organisation) -> Value {
    let asking = request(Method::GET, "/openapi.json", Value::Null, PeerCertificate::None);
    organisation.ask(asking.body_of()).await.expect(200).json()
}

#[tokio::test]
async fn every_documented_path_answers_by_exactly_its_methods() {
    let organisation = Organisation::found().await;
    let document = document(&organisation).await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 25, "{}", paths.len());
    for (path, item) in paths {
        let concrete = path.replace("{address}", "a@b").replace("{id}", &uuid::Uuid::nil().to_string());
        let concrete = concrete.replace("{version}", "1");
        for method in METHODS {
            let asked = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let reply =
                organisation.ask(request(asked, &concrete, json!({}), PeerCertificate::None).body_of()).await;
            let documented = item.get(method).is_some();
            assert_eq!(reply.status != 405, documented, "{method} {path}: {}", reply.status);
            if documented {
                assert_ne!(reply.status, 404, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_path_of_the_contract_is_documented() {
    use contract::paths::{ENROL, POLICY, RECORDS, RENEW, REPORT, STREAM, UNENROL};
    let organisation = Organisation::found().await;
    let document = document(&organisation).await;
    let documented: BTreeSet<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in [ENROL, POLICY, RECORDS, RENEW, REPORT, STREAM, UNENROL] {
        assert!(documented.contains(path), "{path}");
    }
}

/// Routes are added in one place only, from which the description is made as well.
#[test]
fn every_handler_under_v1_is_routed_through_the_description() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http");
    let mut handlers = 0;
    for file in walk(std::path::Path::new(sources)) {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(".route(\"/v1"), "{} routes around the description", file.display());
        handlers += text.matches("#[utoipa::path(").count();
    }
    let document = serde_json::to_value(policy_server::http::openapi::document()).unwrap();
    let described: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| METHODS.iter().filter(|method| item.get(**method).is_some()).count())
        .sum();
    assert_eq!(handlers, described, "a handler is written down and not routed");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
