//! Over real TLS: who is let in by which certificate, and how a stream begins and ends.

use crate::organisation::{Organisation, csr, machine, settings};
use policy_server::serve::{ServeError, start};
use serde_json::json;
use std::time::{Duration, Instant};

/// A machine's own HTTP client.
struct Machine {
    key: rcgen::KeyPair,
    certificate: String,
}

impl Machine {
    async fn enrolled(organisation: &Organisation) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let token = organisation.token(json!({"member": "ada@acme.example"})).await;
        let reply = organisation.enrol_with(&token, None, &csr(&key)).await.expect(200).json();
        Self { key, certificate: reply["certificate_pem"].as_str().unwrap().to_owned() }
    }

    /// Trusts the organisation it dials, and presents its own certificate.
    fn client(&self, dialled: &Organisation) -> reqwest::Client {
        let identity = format!("{}{}", self.certificate, self.key.serialize_pem());
        client(dialled).identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap()).build().unwrap()
    }
}

fn client(dialled: &Organisation) -> reqwest::ClientBuilder {
    let authority = dialled.app.authority.certificate_pem().as_bytes();
    reqwest::Client::builder().no_proxy().tls_certs_only([reqwest::Certificate::from_pem(authority).unwrap()])
}

async fn code(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let problem: contract::enrolment::ApiProblem = answer.json().await.unwrap();
    assert_eq!(problem.status, status);
    (status, problem.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn device_is_known_by_its_certificate_and_nobody_else_is() {
    let mut acme = Organisation::found().await;
    let other = Organisation::found_with(|settings| settings.organisation = Some("other".into())).await;
    let impostor = Organisation::found().await;
    let address = acme.run();
    let policy = format!("{address}/v1/agent/policy");

    let ours = Machine::enrolled(&acme).await;
    let answer = ours.client(&acme).get(&policy).send().await.unwrap();
    assert_eq!(answer.status(), 200);

    let nobody = client(&acme).build().unwrap().get(&policy).send().await.unwrap();
    assert_eq!(code(nobody).await, (401, "certificate-missing".into()));
    for stranger in [&other, &impostor] {
        let theirs = Machine::enrolled(stranger).await;
        let answer = theirs.client(&acme).get(&policy).send().await.unwrap();
        assert_eq!(code(answer).await, (403, "certificate-foreign".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_says_the_version_at_once_and_every_change_after_it() {
    let mut acme = Organisation::found().await;
    let address = acme.run();
    let machine = Machine::enrolled(&acme).await;
    let mut stream = machine.client(&acme).get(format!("{address}/v1/agent/stream")).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(event(&mut stream).await, "event: policy\ndata: {\"version\":1}\n\n");
    let pushed = Instant::now();
    acme.post("/v1/admin/members/ada@acme.example/offboard", json!({})).await.expect(200);
    assert_eq!(event(&mut stream).await, "event: policy\ndata: {\"version\":2}\n\n");
    assert!(pushed.elapsed() < Duration::from_secs(2));

    let stopped = Instant::now();
    acme.app.stopping.send_replace(true);
    let mut rest = Vec::new();
    let end = async {
        while let Ok(Some(chunk)) = stream.chunk().await {
            rest.extend_from_slice(&chunk);
        }
    };
    tokio::time::timeout(Duration::from_secs(5), end).await.expect("the stream ends with the server");
    assert_eq!(rest, b"");
    assert!(stopped.elapsed() < Duration::from_secs(2));
}

async fn event(stream: &mut reqwest::Response) -> String {
    let chunk = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await.unwrap();
    String::from_utf8(chunk.unwrap().unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_enrols_over_the_wire_with_nothing_but_its_profile() {
    let mut acme = Organisation::found().await;
    let address = acme.run();
    let token = acme.token(json!({"member": "ada@acme.example"})).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let body = json!({"token": token, "csr_pem": csr(&key), "machine": machine()});
    let client = client(&acme).build().unwrap();
    let answer = client.post(format!("{address}/v1/enrol")).json(&body).send().await.unwrap();
    let reply: contract::enrolment::EnrolReply = answer.json().await.unwrap();
    assert_eq!((reply.member.as_str(), reply.organisation.as_str()), ("ada@acme.example", "acme"));
    let again = client.post(format!("{address}/v1/enrol")).json(&body).send().await.unwrap();
    assert_eq!(code(again).await, (403, "token-used".into()));
}

#[tokio::test]
async fn second_server_on_the_same_folder_is_refused() {
    let organisation = Organisation::found().await;
    let Err(error) = start(settings(organisation.folder.path())).await else { panic!("two on one folder") };
    assert!(matches!(error, ServeError::Folder(policy_server::serve::FolderError::Held(_))), "{error}");
}

#[tokio::test]
async fn folder_of_one_organisation_does_not_become_anothers() {
    let Organisation { folder, app, server, .. } = Organisation::found().await;
    app.store.close().await;
    drop((app, server));
    let mut other = settings(folder.path());
    other.organisation = Some("other".into());
    let Err(error) = start(other).await else { panic!("renamed") };
    assert!(matches!(error, ServeError::OtherOrganisation { .. }), "{error}");
}

#[tokio::test]
async fn folder_and_keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let organisation = Organisation::found().await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = organisation.folder.path();
    assert_eq!(mode(data), 0o700);
    assert_eq!(mode(&data.join("keys")), 0o700);
    assert_eq!(mode(&data.join("admin.token")), 0o600);
    for key in std::fs::read_dir(data.join("keys")).unwrap() {
        let key = key.unwrap().path();
        assert_eq!(mode(&key), 0o600, "{}", key.display());
    }
}
