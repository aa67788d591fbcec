use super::*;
use serde_json::json;

fn recorded(json: Value) -> Value {
    let text = json.to_string();
    serde_json::from_str(masked(&text, json).get()).unwrap()
}

#[test]
fn values_under_telling_keys_are_masked_whatever_they_are() {
    for key in [
        "password",
        "PASSWORD",
        "db_passwd",
        "client-secret",
        "token",
        "accessToken",
        "api_key",
        "apiKey",
        "Authorization",
        "aws_secret_access_key",
        "private_key",
        "credentials",
        "X-Api-Key",
        "passphrase",
    ] {
        assert_eq!(recorded(json!({key: "plain words"})), json!({key: MASKED}), "{key}");
        assert_eq!(recorded(json!({"a": [{key: {"x": ["y"]}}]})), json!({"a": [{key: MASKED}]}), "{key}");
        assert_eq!(recorded(json!({key: 12345})), json!({key: MASKED}), "{key}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    let plain = json!({
        "path": "/work/a.txt", "max_tokens": 100, "has_password": true, "key": "value", "author": "x",
        "text": "a task-management-system-name, sk-learn-is-a-python-library, ghp_short, AKIA",
        "url": "https://host:8080/a@b?x=y:z@w", "time": "12:30:45", "mail": "a@b.example",
        "prose": "the token is a lexer's; no secrets here", "dash": "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "n": [1, 2.5, null], "unicode": "é\u{10FFFF}:// ü",
    });
    assert_eq!(recorded(plain.clone()), plain);
}

#[test]
fn known_shapes_are_masked_inside_longer_text() {
    let table = [
        ("use ghp_0123456789abcdefABCDEF0123456789abcd now", "use [masked] now"),
        ("github_pat_11ABCDEFG0123456789_abcdefghijkl", "[masked]"),
        ("key=sk-proj-0123456789abcdef01", "key=[masked]"),
        ("xoxb-1234567890-abcdefghijkl", "[masked]"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id [masked]."),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "[masked]!"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [masked]"),
        ("curl -H 'authorization: bearer 0123456789abcdef'", "curl -H 'authorization: bearer [masked]'"),
        ("postgres://user:p4ss@db/x and more", "postgres://user:[masked]@db/x and more"),
        ("postgres://user:p:a@ss@db", "postgres://user:[masked]@db"),
        ("export API_TOKEN=hunter2; ls", "export API_TOKEN=[masked]; ls"),
        ("cmd --password=hunter2 --x", "cmd --password=[masked] --x"),
        (r#"{"client_secret": "hunter2", "a": 1}"#, r#"{"client_secret": "[masked]", "a": 1}"#),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb", "a\n[masked]\nb"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "[masked]"),
        ("two: glpat-0123456789abcdefXYZ, sk_live_0123456789", "two: [masked], [masked]"),
    ];
    for (text, expected) in table {
        assert_eq!(recorded(json!({"x": [text]})), json!({"x": [expected]}), "{text}");
    }
}

#[test]
fn a_secret_used_as_a_key_is_masked() {
    let json = json!({"ghp_0123456789abcdefABCDEF": 1});
    assert_eq!(recorded(json), json!({MASKED: 1}));
}

#[test]
fn two_secrets_used_as_keys_stay_two_members() {
    let json = json!({"ghp_0123456789abcdefABCDEF": 1, "ghp_0123456789abcdefABCDEG": 2});
    assert_eq!(recorded(json), json!({MASKED: 1, "[masked] 2": 2}));
}

#[test]
fn a_value_beside_its_secret_name_is_masked() {
    for (name, value) in [("name", "value"), ("key", "value"), ("header", "content"), ("Name", "Value")] {
        let json = json!({"env": [{name: "API_KEY", value: "plain"}, {name: "HOME", value: "/root"}]});
        let masked = json!({"env": [{name: "API_KEY", value: MASKED}, {name: "HOME", value: "/root"}]});
        assert_eq!(recorded(json), masked);
    }
    let prose = json!({"name": "how to reset a password", "content": "click there"});
    assert_eq!(recorded(prose.clone()), prose);
}

#[test]
fn a_command_line_in_pieces_is_masked() {
    let json = json!({"args": ["login", "--token", "plainwords", "--force", "--max-tokens", "12"]});
    assert_eq!(
        recorded(json),
        json!({"args": ["login", "--token", MASKED, "--force", "--max-tokens", "12"]})
    );
}

#[test]
fn long_arguments_are_shortened_and_their_secrets_masked() {
    let json = json!({"x": "a".repeat(70_000), "password": "b".repeat(70_000), "path": "/etc/passwd"});
    let got = recorded(json);
    assert_eq!((&got["path"], &got["password"]), (&json!("/etc/passwd"), &json!(MASKED)));
    assert_eq!(got["x"]["bytes"], 70_000);
}

/// A scan that is quadratic in any of these runs for minutes.
#[test]
fn hostile_text_costs_no_more_than_its_length() {
    for part in [
        "sk-",
        "eyJ-",
        "a-",
        "-----BEGIN ",
        "://",
        "token ",
        "a:",
        "bearer ",
        "-_",
        "mysql -p ",
        " -p",
        "password is ",
        "--token ",
    ] {
        let text = part.repeat(60_000 / part.len());
        assert_eq!(mask_text(text.clone()), text, "{part}");
    }
}

#[test]
fn what_policy_took_out_is_not_said_to_have_been_forwarded() {
    for text in ["postgres://u:[redacted]@h/db", "password=[redacted]", "Authorization: Bearer [redacted]"] {
        assert_eq!(masked_text(text), text);
    }
    assert_eq!(masked_text("postgres://u:s3cretpw@h/db"), "postgres://u:[masked]@h/db");
}
