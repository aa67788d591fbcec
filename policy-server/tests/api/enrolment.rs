//! Tokens, certificates, and who may have them.

use crate::organisation::{Organisation, csr, request};
use axum::http::Method;
use policy_server::tls::PeerCertificate;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use x509_parser::prelude::{FromDer, X509Certificate};

#[tokio::test]
async fn profile_carries_all_that_a_machine_needs() {
    let organisation = Organisation::found().await;
    let made = organisation.post("/v1/admin/enrolment-tokens", json!({"member": "Ada@Acme.example"})).await;
    let profile: contract::enrolment::ManagedProfile =
        serde_json::from_value(made.expect(201).json()["profile"].clone()).unwrap();
    assert_eq!(profile.organisation, "acme");
    assert_eq!(profile.member.as_deref(), Some("ada@acme.example"));
    assert!(profile.server.starts_with("https://127.0.0.1:"));
    assert!(profile.server_ca.unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(profile.trust_root.contains("\"root\""));
}

#[tokio::test]
async fn token_enrols_as_many_machines_as_it_says_and_no_more() {
    let organisation = Organisation::found().await;
    let token = organisation.token(json!({"member": "ada@acme.example", "uses": 3})).await;
    let attempts = (0..8).map(|_| organisation.enrol(&token, None));
    let replies = futures_util::future::join_all(attempts).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 3);
    for reply in replies.into_iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.expect(403).code(), "token-used");
    }
    assert_eq!(organisation.get("/v1/admin/devices").await.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn token_that_is_unknown_expired_or_withdrawn_enrols_nothing() {
    let organisation = Organisation::found().await;
    assert_eq!(organisation.enrol("guessed", None).await.expect(403).code(), "token-unknown");

    let short = organisation.token(json!({"member": "ada@acme.example", "expires_in_seconds": 1})).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(organisation.enrol(&short, None).await.expect(403).code(), "token-expired");

    let token = organisation.token(json!({"member": "ada@acme.example"})).await;
    let id = organisation.get("/v1/admin/enrolment-tokens").await[0]["id"].as_str().unwrap().to_owned();
    organisation
        .admin(Method::DELETE, &format!("/v1/admin/enrolment-tokens/{id}"), json!(null))
        .await
        .expect(204);
    let path = format!("/v1/admin/enrolment-tokens/{id}");
    let again = organisation.admin(Method::DELETE, &path, json!(null)).await.expect(409);
    assert_eq!(again.code(), "token-withdrawn");
    let unknown = path.replace(&id, "nothing");
    organisation.admin(Method::DELETE, &unknown, json!(null)).await.expect(404);
    assert_eq!(organisation.enrol(&token, None).await.expect(403).code(), "token-withdrawn");
    assert_eq!(organisation.get("/v1/admin/devices").await.as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn member_of_the_token_wins_over_what_the_machine_says() {
    let organisation = Organisation::found().await;
    let token = organisation.token(json!({"member": "ada@acme.example"})).await;
    let reply = organisation.enrol(&token, Some("boss@acme.example")).await.expect(200).json();
    assert_eq!(reply["member"], "ada@acme.example");

    let open = organisation.token(json!({"uses": 4, "any_member": true})).await;
    let reply = organisation.enrol(&open, Some(" Bob@Acme.Example ")).await.expect(200).json();
    assert_eq!(reply["member"], "bob@acme.example", "one spelling of one person");
    assert_eq!(organisation.enrol(&open, None).await.expect(422).code(), "member-missing");
    for strange in ["", "a b", "\"", "*@acme.example", "x\ny", "$EMAIL"] {
        let reply = organisation.enrol(&open, Some(strange)).await.expect(422);
        assert_eq!(reply.code(), "member-malformed", "{strange:?}");
    }
}

#[tokio::test]
async fn certificate_request_that_asks_to_be_an_authority_gets_a_device_certificate() {
    let organisation = Organisation::found().await;
    let token = organisation.token(json!({"member": "ada@acme.example"})).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(["portreeve.acme.example".to_owned()]).unwrap();
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    wanted.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    wanted.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let csr = wanted.serialize_request(&key).unwrap().pem().unwrap();
    let reply = organisation.enrol_with(&token, None, &csr).await.expect(200).json();

    let pem = reply["certificate_pem"].as_str().unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
    assert!(!leaf.is_ca());
    assert!(leaf.subject_alternative_name().unwrap().is_none());
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert_eq!(leaf.subject().iter_common_name().next().unwrap().as_str().unwrap(), reply["device_id"]);
    assert_eq!(leaf.subject().iter_organization().next().unwrap().as_str().unwrap(), "acme");
    let days = (leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp()) / 86_400;
    assert_eq!(days, 7);
}

#[tokio::test]
async fn certificate_request_that_is_none_is_refused_and_the_token_keeps_its_use() {
    let organisation = Organisation::found().await;
    let token = organisation.token(json!({"member": "ada@acme.example"})).await;
    let reply = organisation.enrol_with(&token, None, "-----BEGIN NOTHING-----").await.expect(422);
    assert_eq!(reply.code(), "certificate-request-malformed");
    organisation.enrol(&token, None).await.expect(200);
}

#[tokio::test]
async fn suspended_member_enrols_nothing() {
    let organisation = Organisation::found().await;
    organisation.device("ada@acme.example").await;
    organisation.post("/v1/admin/members/ada@acme.example/offboard", json!({})).await.expect(200);
    let token = organisation.token(json!({"member": "ada@acme.example"})).await;
    assert_eq!(organisation.enrol(&token, None).await.expect(403).code(), "member-suspended");
}

#[tokio::test]
async fn expired_certificate_renews_itself_and_does_nothing_else() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    let expired = PeerCertificate::Expired { id: device.clone() };
    let ask = async |method: Method, path: &str, body| {
        organisation.ask(request(method, path, body, expired.clone()).body_of()).await
    };
    let reply = ask(Method::GET, "/v1/agent/policy", json!(null)).await.expect(403);
    assert_eq!(reply.code(), "certificate-expired");
    let csr = csr(&rcgen::KeyPair::generate().unwrap());
    let renewed = ask(Method::POST, "/v1/agent/renew", json!({"csr_pem": csr})).await.expect(200).json();
    assert_eq!(renewed["device_id"], device);

    organisation.post(&format!("/v1/admin/devices/{device}/revoke"), json!({})).await.expect(200);
    let reply = ask(Method::POST, "/v1/agent/renew", json!({"csr_pem": csr})).await.expect(403);
    assert_eq!(reply.code(), "device-revoked");
}

#[tokio::test]
async fn revoked_device_learns_it_and_hands_in_its_records_but_gets_no_certificate() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    organisation.post(&format!("/v1/admin/devices/{device}/revoke"), json!({})).await.expect(200);
    let bundle =
        organisation.by_device(&device, Method::GET, "/v1/agent/policy", json!(null)).await.expect(200);
    assert!(bundle.json()["files"]["targets/standing.json"].as_str().unwrap().contains(&device));
    organisation.report(&device, json!([])).await;
    let csr = csr(&rcgen::KeyPair::generate().unwrap());
    let reply = organisation
        .by_device(&device, Method::POST, "/v1/agent/renew", json!({"csr_pem": csr}))
        .await
        .expect(403);
    assert_eq!(reply.code(), "device-revoked");
}

#[tokio::test]
async fn device_that_took_itself_out_is_unknown_and_a_person_hears_of_it() {
    let organisation = Organisation::found().await;
    let device = organisation.device("ada@acme.example").await;
    organisation.by_device(&device, Method::POST, "/v1/agent/unenrol", json!({})).await.expect(204);
    let reply =
        organisation.by_device(&device, Method::GET, "/v1/agent/policy", json!(null)).await.expect(403);
    assert_eq!(reply.code(), "device-unknown");
    assert_eq!(organisation.alerts("device-unenrolled").await.len(), 1);
}

#[tokio::test]
async fn profile_of_another_organisation_or_server_is_refused_while_its_token_is_good() {
    let organisation = Organisation::found().await;
    let made = organisation.post("/v1/admin/enrolment-tokens", json!({"member": "ada@acme.example"})).await;
    let profile = made.expect(201).json()["profile"].clone();
    let ours = contract::enrolment::trust_root_digest(profile["trust_root"].as_str().unwrap()).unwrap();
    let ask = async |name: &str, trust_root: &str| {
        let machine = json!({"hostname": "ada", "os": "linux", "os_version": "12", "agent_version": "0.1.0"});
        let csr = csr(&rcgen::KeyPair::generate().unwrap());
        let body = json!({
            "token": profile["enrolment_token"], "csr_pem": csr, "machine": machine,
            "organisation": name, "trust_root_digest": trust_root,
        });
        organisation.ask(request(Method::POST, "/v1/enrol", body, PeerCertificate::None).body_of()).await
    };
    let foreign = ask("umbrella", &ours).await.expect(409);
    assert_eq!(foreign.code(), "organisation-mismatch");
    let detail = foreign.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("umbrella") && !detail.contains("acme"), "{detail}");
    assert_eq!(ask("acme", "0123").await.expect(409).code(), "trust-root-mismatch");
    assert_eq!(organisation.get("/v1/admin/devices").await.as_array().unwrap().len(), 0);
    ask("acme", &ours).await.expect(200);
}
