//! What has to be right before anything is made, because machines carry it from then on.

use crate::organisation::settings;
use policy_server::serve::{ServeError, Settings, start};

async fn refusal(settings: Settings) -> ServeError {
    match start(settings).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn organisation_is_said_at_the_first_start_and_a_refusal_leaves_it_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let nameless = Settings { organisation: None, ..settings(folder.path()) };
    let error = refusal(nameless.clone()).await;
    assert!(error.is_usage() && error.to_string().contains("--organisation NAME"), "{error}");
    let blank = Settings { organisation: Some("  ".into()), ..settings(folder.path()) };
    assert!(matches!(refusal(blank).await, ServeError::BadOrganisation(_)));
    let first = start(settings(folder.path())).await.unwrap();
    assert!(first.console.is_some(), "the link of the first start");
    drop(first);
    let again = start(nameless).await.unwrap();
    assert_eq!(again.app.organisation, "acme");
}

#[tokio::test]
async fn address_that_machines_could_not_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for everywhere in ["0.0.0.0:0", "[::]:0"] {
        let settings = Settings { listen: everywhere.parse().unwrap(), ..settings(folder.path()) };
        let error = refusal(settings.clone()).await;
        assert!(error.is_usage() && error.to_string().contains("--public-url"), "{error}");
        let public_url = Some("https://portreeve.acme.example".parse().unwrap());
        start(Settings { public_url, ..settings }).await.unwrap();
    }
    let public_url = Some("http://portreeve.acme.example".parse().unwrap());
    let error = refusal(Settings { public_url, ..settings(folder.path()) }).await;
    assert!(error.is_usage() && error.to_string().contains("https://"), "{error}");
}
