use super::{Blocked, Way, message, shown};
use mcp::Message;
use policy::{Document, Redaction};

fn rules(text: &str) -> Vec<Redaction> {
    let document = Document::parse(&format!("[[redact]]\nname = \"r\"\n{text}\n")).expect(text);
    document.redactions().to_vec()
}

fn redacted(rule: &str, text: &str, way: Way) -> Result<(String, u64), Blocked> {
    let rules = rules(rule);
    let rules: Vec<_> = rules.iter().collect();
    let read = Message::parse(text.as_bytes().to_vec()).expect(text);
    match message(read, &rules, way, false) {
        Ok((anew, places)) => Ok((String::from_utf8(anew.into_bytes()).expect("UTF-8"), places)),
        Err(withheld) => {
            assert_eq!(
                withheld.message.bytes(),
                text.as_bytes(),
                "what is blocked is handed back as it came"
            );
            Err(withheld.why)
        }
    }
}

/// Arguments of a call, there and back: the new text, and in how many places it is new.
fn arguments(rule: &str, text: &str) -> Result<(String, u64), Blocked> {
    let frame = |inner: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id" : 1,"method":"tools/call","params":{{"name":"secret","arguments":{inner},"_meta":{{"progressToken":"secret"}}}},"x":"kept"}}"#
        )
    };
    let (whole, places) = redacted(rule, &frame(text), Way::ToServer)?;
    Ok((within(&whole, &frame("\u{0}")), places))
}

fn result(rule: &str, text: &str) -> Result<(String, u64), Blocked> {
    let frame = |inner: &str| format!(r#"{{"result":{inner},"id":"secret","jsonrpc":"2.0"}}"#);
    let (whole, places) = redacted(rule, &frame(text), Way::ToClient)?;
    Ok((within(&whole, &frame("\u{0}")), places))
}

/// What stands in the place of the NUL; all around it must be as it was.
fn within(whole: &str, frame: &str) -> String {
    let (before, after) = frame.split_once('\u{0}').expect("the frame has a gap");
    let inner = whole.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    inner.unwrap_or_else(|| panic!("something else was changed: {whole}")).to_owned()
}

const SECRET: &str = "patterns = ['secret\\w*']";

#[test]
fn only_the_strings_concerned_are_written_anew() {
    let odd = r#"{ "n" : 1.00e+2,"b":[ 0.0, -0 ,1E40],"s":"\u0061\/", "secretless":null, "a" :"x secret1 y",  "z":{"\u00e9":"ä"}}"#;
    let expected = r#"{ "n" : 1.00e+2,"b":[ 0.0, -0 ,1E40],"s":"\u0061\/", "secretless":null, "a" :"x [redacted] y",  "z":{"\u00e9":"ä"}}"#;
    let rule = "patterns = ['secret\\d+']";
    assert_eq!(arguments(rule, odd), Ok((expected.to_owned(), 1)));
    assert_eq!(arguments(rule, expected), Ok((expected.to_owned(), 0)), "once is enough");
}

#[test]
fn fields_are_taken_out_whole_and_keep_their_type() {
    let rule = "fields = ['password', 'user.*.token', '**.pin']\nwith = '***'";
    for (before, after, places) in [
        (r#"{"password":"x"}"#, r#"{"password":"***"}"#, 1),
        (r#"{"Password":"x"}"#, r#"{"Password":"***"}"#, 1),
        (r#"{"password":{"a":["x",12,true,null,""]}}"#, r#"{"password":{"a":["***",0,false,null,""]}}"#, 3),
        (r#"{"user":{"a":{"token":"x"},"token":"y"}}"#, r#"{"user":{"a":{"token":"***"},"token":"y"}}"#, 1),
        (r#"{"user":[{"token":"x"},{"token":7}]}"#, r#"{"user":[{"token":"***"},{"token":0}]}"#, 2),
        (r#"{"a":[[{"pin":1234}]],"pins":1}"#, r#"{"a":[[{"pin":0}]],"pins":1}"#, 1),
        (r#"{"inner":{"password":"x"}}"#, r#"{"inner":{"password":"x"}}"#, 0),
    ] {
        assert_eq!(arguments(rule, before), Ok((after.to_owned(), places)), "{before}");
    }
}

#[test]
fn results_are_redacted_in_every_place_that_holds_texts() {
    for (before, after, places) in [
        (
            r#"{"content":[{"type":"text","text":"a secret"}],"isError":false}"#,
            r#"{"content":[{"type":"text","text":"a [redacted]"}],"isError":false}"#,
            1,
        ),
        (r#"{"structuredContent":{"type":"secret"}}"#, r#"{"structuredContent":{"type":"[redacted]"}}"#, 1),
        (
            r#"{"content":[{"type":"resource","resource":{"uri":"file:///secret","mimeType":"text/x","text":"secret"}}]}"#,
            r#"{"content":[{"type":"resource","resource":{"uri":"file:///secret","mimeType":"text/x","text":"[redacted]"}}]}"#,
            1,
        ),
        (
            r#"{"content":[{"type":"resource_link","uri":"x:secret","name":"secret","description":"secret"}]}"#,
            r#"{"content":[{"type":"resource_link","uri":"x:secret","name":"[redacted]","description":"[redacted]"}]}"#,
            2,
        ),
        (
            r#"{"contents":[{"uri":"x:secret","text":"secret"}]}"#,
            r#"{"contents":[{"uri":"x:secret","text":"[redacted]"}]}"#,
            1,
        ),
        (
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"secret"}}],"description":"secret"}"#,
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"[redacted]"}}],"description":"[redacted]"}"#,
            2,
        ),
        (
            r#"{"completion":{"values":["secret1","x"],"total":2}}"#,
            r#"{"completion":{"values":["[redacted]","x"],"total":2}}"#,
            1,
        ),
        (
            r#"{"task":{"taskId":"secret","status":"working","statusMessage":"secret"}}"#,
            r#"{"task":{"taskId":"secret","status":"working","statusMessage":"[redacted]"}}"#,
            1,
        ),
        (
            r#"{"resultType":"input_required","requestState":"secret","inputRequests":{"name":{"method":"elicitation/create","params":{"message":"secret","url":"https://x/secret"}}}}"#,
            r#"{"resultType":"input_required","requestState":"secret","inputRequests":{"name":{"method":"elicitation/create","params":{"message":"[redacted]","url":"https://x/secret"}}}}"#,
            1,
        ),
        (
            r#"{"content":[{"type":"image","data":"secretAA","mimeType":"image/png"},{"data":"secretAA","type":"audio"}]}"#,
            r#"{"content":[{"type":"image","data":"secretAA","mimeType":"image/png"},{"data":"secretAA","type":"audio"}]}"#,
            0,
        ),
    ] {
        assert_eq!(result(SECRET, before), Ok((after.to_owned(), places)), "{before}");
    }
}

#[test]
fn notices_and_questions_and_answers_are_redacted_too() {
    for (way, before, after) in [
        (
            Way::ToClient,
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"secret","data":{"name":"secret"}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"[redacted]","data":{"name":"[redacted]"}}}"#,
        ),
        (
            Way::ToClient,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"secret","progress":1.50,"message":"secret"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"secret","progress":1.50,"message":"[redacted]"}}"#,
        ),
        (
            Way::ToClient,
            r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"systemPrompt":"secret","messages":[{"role":"user","content":{"type":"text","text":"secret"}}]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"systemPrompt":"[redacted]","messages":[{"role":"user","content":{"type":"text","text":"[redacted]"}}]}}"#,
        ),
        (
            Way::ToServer,
            r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"type_":"secret","name":"secret"}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"type_":"[redacted]","name":"[redacted]"}}}"#,
        ),
        (
            Way::ToServer,
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"secret"},"argument":{"name":"secret","value":"secret"},"context":{"arguments":{"a":"secret"}}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"secret"},"argument":{"name":"secret","value":"[redacted]"},"context":{"arguments":{"a":"[redacted]"}}}}"#,
        ),
    ] {
        assert_eq!(redacted(SECRET, before, way).map(|(text, _)| text), Ok(after.to_owned()));
        let other = if way == Way::ToClient { "in = 'arguments'" } else { "in = 'results'" };
        assert_eq!(redacted(&format!("{SECRET}\n{other}"), before, way), Ok((before.to_owned(), 0)));
    }
}

#[test]
fn attack_a_secret_in_an_error_and_its_data() {
    let before = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no such secret1","data":{"x":["secret2"],"type":"secret3"}}}"#;
    let after = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no such [redacted]","data":{"x":["[redacted]"],"type":"[redacted]"}}}"#;
    assert_eq!(redacted(SECRET, before, Way::ToClient), Ok((after.to_owned(), 3)));
}

#[test]
fn attack_a_secret_that_is_spelt_in_escapes() {
    let rule = "patterns = ['password=\\w+']\nfields = ['password']";
    for (before, after) in [
        (r#"{"a":"\u0070assword\u003dhunter2"}"#, r#"{"a":"[redacted]"}"#),
        (r#"{"\u0070assword":"hunter2"}"#, r#"{"\u0070assword":"[redacted]"}"#),
        (r#"{"a":"{\"\\u0070assword\":\"hunter2\"}"}"#, r#"{"a":"{\"\\u0070assword\":\"[redacted]\"}"}"#),
    ] {
        assert_eq!(arguments(rule, before), Ok((after.to_owned(), 1)), "{before}");
    }
}

#[test]
fn attack_a_secret_in_the_name_of_a_member_blocks_the_message() {
    assert_eq!(arguments(SECRET, r#"{"a":{"\u0073ecret":1}}"#), Err(Blocked::Name));
    assert_eq!(result(SECRET, r#"{"structuredContent":{"secret1":1}}"#), Err(Blocked::Name));
    // In JSON that is a text, a name is text.
    for name in ["secret1", r"\\u0073ecret1"] {
        let text = format!(r#"{{"content":[{{"type":"text","text":"{{\"{name}\":1}}"}}]}}"#);
        let expected = r#"{"content":[{"type":"text","text":"{\"[redacted]\":1}"}]}"#;
        assert_eq!(result(SECRET, &text), Ok((expected.to_owned(), 1)), "{text}");
    }
}

#[test]
fn attack_a_secret_in_a_blob_that_is_text() {
    use base64::Engine;
    let engine = base64::engine::general_purpose::STANDARD;
    let frame = |blob: &str| format!(r#"{{"contents":[{{"uri":"x:y","blob":"{blob}"}}]}}"#);
    let blob = frame(&engine.encode("the secret1"));
    assert_eq!(result(SECRET, &blob), Ok((frame(&engine.encode("the [redacted]")), 1)));
    let unpadded = blob.replace('=', "");
    assert_eq!(result(SECRET, &unpadded), Ok((frame(&engine.encode("the [redacted]")), 1)));
    let binary = frame(&engine.encode([0xff, 0xfe, b's', b'e', b'c', b'r', b'e', b't']));
    assert_eq!(result(SECRET, &binary), Ok((binary.clone(), 0)), "what is no text stays");
    // A text that calls itself an image is still a text.
    let text = r#"{"content":[{"type":"image","data":"a secret"}]}"#;
    assert_eq!(result(SECRET, text).map(|(_, places)| places), Ok(1));
}

#[test]
fn attack_nested_json_in_a_text() {
    let rule = "fields = ['user.password']";
    let nested = |levels: usize| {
        (0..levels).fold(r#"{"user":{"password":"hunter2"}}"#.to_owned(), |inner, _| {
            format!("[{}]", serde_json::to_string(&inner).unwrap())
        })
    };
    for levels in 0..4 {
        let text = serde_json::to_string(&nested(levels)).unwrap();
        let before = format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#);
        let (after, places) = result(rule, &before).unwrap();
        assert!(!after.contains("hunter2") && places > 0, "{levels}: {after}");
    }
    let broken = r#"{"content":[{"type":"text","text":"{\"user\":{\"password\":\"hunter2\"}"}]}"#;
    assert_eq!(result(rule, broken), Ok((broken.to_owned(), 0)), "what is no JSON has no fields");
}

#[test]
fn attack_the_twin_of_structured_content_in_words() {
    let rule = "fields = ['user.password']";
    let before = r#"{"content":[{"type":"text","text":"The password is hunter2, \u0068unter2."}],"structuredContent":{"user":{"password":"hunter2"},"note":"hunter2!"}}"#;
    let after = r#"{"content":[{"type":"text","text":"The password is [redacted], [redacted]."}],"structuredContent":{"user":{"password":"[redacted]"},"note":"[redacted]!"}}"#;
    assert_eq!(result(rule, before), Ok((after.to_owned(), 4)));
    let number =
        r#"{"structuredContent":{"user":{"password":12345}},"content":[{"type":"text","text":"12345"}]}"#;
    let after =
        r#"{"structuredContent":{"user":{"password":0}},"content":[{"type":"text","text":"[redacted]"}]}"#;
    assert_eq!(result(rule, number), Ok((after.to_owned(), 2)));
}

#[test]
fn attack_a_card_number_that_is_a_number() {
    let rule = "patterns = ['\\b\\d{16}\\b']";
    let before = r#"{"structuredContent":{"card":4111111111111111,"n":41}}"#;
    assert_eq!(result(rule, before), Ok((r#"{"structuredContent":{"card":0,"n":41}}"#.to_owned(), 1)));
}

#[test]
fn secrets_are_taken_out_by_shape_and_by_name() {
    let rule = "secrets = true";
    let token = format!("ghp_{}", "a1B2".repeat(9));
    for (before, after) in [
        (format!(r#"{{"a":"use {token} now"}}"#), r#"{"a":"use [redacted] now"}"#.to_owned()),
        (
            r#"{"api_key":"x","nextPageToken":"y","max_tokens":7}"#.to_owned(),
            r#"{"api_key":"[redacted]","nextPageToken":"y","max_tokens":7}"#.to_owned(),
        ),
        (
            r#"{"env":[{"value":"x","name":"API_KEY"},{"name":"HOME","value":"/x"}]}"#.to_owned(),
            r#"{"env":[{"value":"[redacted]","name":"API_KEY"},{"name":"HOME","value":"/x"}]}"#.to_owned(),
        ),
        (
            format!(r#"[{{"value":"{token} x","name":"API_KEY","b":"{token}"}}]"#),
            r#"[{"value":"[redacted]","name":"API_KEY","b":"[redacted]"}]"#.to_owned(),
        ),
        (r#"{"args":["--token","x","y"]}"#.to_owned(), r#"{"args":["--token","[redacted]","y"]}"#.to_owned()),
        (r#"{"a":"password: hunter22"}"#.to_owned(), r#"{"a":"password: [redacted]"}"#.to_owned()),
    ] {
        let wrapped = |inner: &str| format!(r#"{{"data":{inner}}}"#);
        let (got, places) = result(rule, &wrapped(&before)).unwrap();
        assert_eq!(got, wrapped(&after), "{before}");
        assert!(places > 0);
    }
}

#[test]
fn attack_a_pair_whose_names_are_taken_out_themselves() {
    let rule = "secrets = true\npatterns = ['value', 'x']";
    let before =
        r#"{"content":[{"type":"text","text":"{\"value\":\"x y\",\"name\":\"API_KEY\",\"val\":\"z x\"}"}]}"#;
    let after = r#"{"content":[{"type":"text","text":"{\"[redacted]\":\"[redacted]\",\"name\":\"API_KEY\",\"val\":\"[redacted]\"}"}]}"#;
    assert_eq!(result(rule, before).map(|(text, _)| text), Ok(after.to_owned()));
}

#[test]
fn attack_a_replacement_that_makes_a_message_grow_without_end() {
    let rule = format!("patterns = ['a']\nwith = '{}'", "b".repeat(200));
    let text = format!(r#"{{"structuredContent":{{"x":"{}"}}}}"#, "a".repeat(20_000));
    assert_eq!(result(&rule, &text), Err(Blocked::Growth));
}

#[test]
fn attack_a_secret_in_any_place_of_a_message() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let to_server = [
        r#""id":1,"method":"ping","params":{"x":"T","password":"hunter2","_meta":{"status":"T","password":"hunter2"}}"#,
        r#""id":1,"method":"ping","params":{"name":"T","uri":"T","cursor":"T","taskId":"T"}"#,
        r#""id":1,"method":"logging/setLevel","params":{"level":"T"}"#,
        r#""id":1,"method":"tools/list","params":{"filter":{"token":"hunter2"}}"#,
        r#""id":1,"method":"tools/call","params":{"name":"t","arguments":{},"password":"hunter2"},"note":"T","token":"hunter2""#,
        r#""id":1,"method":"initialize","params":{"capabilities":{"x":{"password":"hunter2"}},"clientInfo":{"name":"c","token":"hunter2"}}"#,
        r#""id":1,"method":"completion/complete","params":{"ref":{"name":"p"},"argument":{"name":"api_key","value":"hunter2"}}"#,
        r#""method":"notifications/initialized","params":{"_meta":{"io.modelcontextprotocol/x":"T"}}"#,
        r#""id":1,"result":{"action":"accept","content":{},"password":"hunter2","x":{"token":"hunter2"}}"#,
        r#""id":1,"result":{"roots":[{"uri":"file:///a","name":"T","title":"T","_meta":{"a":"T"}}]}"#,
        r#""id":1,"result":{"role":"T","model":"T","stopReason":"T","content":{"type":"text","text":"T"}}"#,
    ];
    let to_client = [
        r#""id":1,"result":{"_meta":{"status":"T","password":"hunter2"},"status":"T","name":"T","id":"T","password":"hunter2"}"#,
        r#""id":1,"result":{"content":[{"type":"resource_link","uri":"x:y","name":"T","title":"T","mimeType":"T"}]}"#,
        r#""id":1,"result":{"content":[{"type":"text","text":"a","x":{"password":"hunter2"}}],"x":{"type":"image","data":"T"}}"#,
        r#""method":"notifications/message","params":{"level":"info","type":"image","mimeType":"image/png","data":"T","logger":"T"}"#,
        r#""id":1,"result":{"resultType":"complete","x":"T","_meta":{"io.modelcontextprotocol/related-task":{"note":"T"}}}"#,
        r#""id":1,"method":"elicitation/create","params":{"message":"a","requestedSchema":{"type":"object","properties":{"a":{"type":"string","default":"T"}}}}"#,
        r#""id":1,"error":{"code":-1,"message":"T","password":"hunter2"},"x":{"token":"hunter2"}"#,
    ];
    let all = to_server
        .iter()
        .map(|text| (text, Way::ToServer))
        .chain(to_client.iter().map(|it| (it, Way::ToClient)));
    for (text, way) in all {
        let text = format!(r#"{{"jsonrpc":"2.0",{text}}}"#).replace("\"T\"", &format!("\"{token}\""));
        let (after, places) = redacted("secrets = true", &text, way).unwrap();
        assert!(places > 0 && !after.contains(&token) && !after.contains("hunter2"), "{after}");
    }
}

#[test]
fn what_holds_a_message_together_stays_whatever_it_looks_like() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    for (way, text) in [
        (
            Way::ToServer,
            r#""id":"@","method":"tools/call","params":{"name":"@","requestState":"@","_meta":{"progressToken":"@","claudecode/toolUseId":"@"}}"#,
        ),
        (Way::ToServer, r#""id":1,"method":"resources/read","params":{"uri":"x:@"}"#),
        (Way::ToServer, r#""id":1,"method":"tools/list","params":{"cursor":"@"}"#),
        (Way::ToServer, r#""id":1,"method":"tasks/get","params":{"taskId":"@"}"#),
        (
            Way::ToServer,
            r#""id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["x:@"]}}"#,
        ),
        (Way::ToServer, r#""method":"notifications/cancelled","params":{"requestId":"@"}"#),
        (Way::ToClient, r#""id":1,"result":{"nextCursor":"@","requestState":"@"}"#),
        (
            Way::ToClient,
            r#""id":1,"result":{"content":[{"type":"resource","resource":{"uri":"x:@","text":"a"}},{"type":"image","data":"@","mimeType":"image/png"}]}"#,
        ),
        (
            Way::ToClient,
            r#""id":1,"result":{"inputRequests":{"a":{"method":"elicitation/create","params":{"url":"https://@","elicitationId":"@"}}}}"#,
        ),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0",{text}}}"#).replace('@', &token);
        assert_eq!(redacted("secrets = true", &text, way), Ok((text.clone(), 0)));
    }
}

#[test]
fn of_a_list_or_a_greeting_only_the_definitions_stay() {
    let rules = rules("secrets = true\npatterns = ['needle']");
    let rules: Vec<_> = rules.iter().collect();
    let text = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","description":"needle","password":"x"}],"instructions":"needle","note":"needle","_meta":{"password":"x"}}}"#;
    let read = || Message::parse(text.as_bytes().to_vec()).unwrap();
    let (after, places) = message(read(), &rules, Way::ToClient, true).unwrap();
    let expected = text.replace(
        r#""note":"needle","_meta":{"password":"x"}"#,
        r#""note":"[redacted]","_meta":{"password":"[redacted]"}"#,
    );
    assert_eq!((after.text(), places), (expected.as_str(), 2));
}

#[test]
fn attack_structure_that_hides_data_under_its_names() {
    let before =
        r#"{"content":[{"type":{"x":"secret"},"text":"t","uri":["secret"]}],"_meta":{"note":"secret"}}"#;
    let after = r#"{"content":[{"type":{"x":"[redacted]"},"text":"t","uri":["[redacted]"]}],"_meta":{"note":"[redacted]"}}"#;
    assert_eq!(result(SECRET, before), Ok((after.to_owned(), 3)));
    let deep = (0..40).fold(r#"{"name":"secret"}"#.to_owned(), |inner, _| format!(r#"{{"x":{inner}}}"#));
    assert_eq!(result(SECRET, &deep).map(|(_, places)| places), Ok(1), "deeper than any protocol is data");
}

#[test]
fn attack_nests_within_texts_within_nests_do_not_exhaust_the_stack() {
    let nested = |inner: &str| format!("{}{inner}{}", r#"{"a":"#.repeat(120), "}".repeat(120));
    let deep = (0..6).fold(nested(r#""secret1""#), |text, _| nested(&serde_json::to_string(&text).unwrap()));
    let text = format!(r#"{{"structuredContent":{deep}}}"#);
    let (after, places) =
        result("patterns = ['secret\\d']\nfields = ['**.b']\nsecrets = true", &text).unwrap();
    assert!(places > 0 && !after.contains("secret1"));
}

#[test]
fn attack_a_message_as_large_and_deep_as_may_be_is_answered_soon() {
    let deep = format!("{}1{}", r#"{"content":"#.repeat(100), "}".repeat(100));
    assert!(result("secrets = true", &deep).is_ok());
    let pairs =
        (0..100).fold("1".to_owned(), |inner, _| format!(r#"{{"value":"x","a":{inner},"name":"API_KEY"}}"#));
    let (text, places) = result("secrets = true", &format!(r#"{{"structuredContent":{pairs}}}"#)).unwrap();
    assert!(places == 100 && !text.contains("\"x\""));
    let many = vec![r#""a secret b""#; 50_000].join(",");
    let text = format!(r#"{{"structuredContent":{{"user":[{many}]}}}}"#);
    assert_eq!(result(SECRET, &text).map(|(_, places)| places), Ok(50_000));
}

proptest::proptest! {
    #![proptest_config(unsaved())]

    #[test]
    fn structure_survives_whatever_is_taken_out(value in json(), rule in proptest::sample::select(&[
        "patterns = ['[a-c]']", "fields = ['**.b']", "secrets = true", "patterns = ['.+']", "fields = ['a', 'a.*']",
    ][..])) {
        let text = format!(r#"{{"structuredContent":{value}}}"#);
        let Ok((after, places)) = result(rule, &text) else { return Ok(()) };
        let after: serde_json::Value = serde_json::from_str(&after).expect("it is JSON");
        let before: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        proptest::prop_assert!(same_shape(&before, &after), "{} {}", before, after);
        proptest::prop_assert_eq!(places == 0, before == after);
    }
}

proptest::proptest! {
    #![proptest_config(unsaved())]

    #[test]
    fn json_in_a_text_is_looked_into_and_stays_json_where_fields_are_named(
        value in json(),
        rule in proptest::sample::select(&[
            "patterns = ['[a-e]']\nsecrets = true",
            "patterns = ['a', 'PI', 'value']\nsecrets = true",
            "fields = ['**.b', 'value', 'name.*']",
        ][..]),
    ) {
        let inner = serde_json::to_string(&value.to_string()).expect("JSON");
        let text = format!(r#"{{"content":[{{"type":"text","text":{inner}}}]}}"#);
        let (after, places) = result(rule, &text).expect("a text is not blocked");
        proptest::prop_assert_eq!(places == 0, text == after);
        let after: serde_json::Value = serde_json::from_str(&after).expect("it is JSON");
        let inner = after["content"][0]["text"].as_str().expect("a text");
        // A pattern over a text means the text as it is written.
        let is_json = serde_json::from_str::<serde_json::Value>(inner).is_ok();
        proptest::prop_assert!(is_json || rule.contains("patterns"), "{}", inner);
    }
}

fn unsaved() -> proptest::test_runner::Config {
    proptest::test_runner::Config { failure_persistence: None, ..Default::default() }
}

fn json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    use proptest::prelude::*;
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-e\"\\\\{}\u{1F600}]{0,8}".prop_map(Value::from),
        Just(Value::from("API_KEY")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[d-f]|b|api_key|name|value", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn same_shape(before: &serde_json::Value, after: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, x), (l, y))| k == l && same_shape(x, y))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same_shape(x, y))
        }
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

#[test]
fn text_that_no_message_carries_is_shown_as_a_notice_would_be() {
    let shown = |rule: &str, text: &str| {
        let rules = rules(rule);
        shown(text, &rules.iter().collect::<Vec<_>>())
    };
    let pattern = "in = \"results\"\npatterns = ['cust-\\d+']";
    for (text, expected) in [
        ("", ""),
        ("one\ntwo\n", "one\ntwo\n"),
        ("for cust-17 and cust-4\n\"cust-9\"", "for [redacted] and [redacted]\n\"[redacted]\""),
        ("{\"who\":\"cust-1\"}", "{\"who\":\"[redacted]\"}"),
        ("token=ghp_012345678901234567890123456789abcdef", "token=[masked]"),
    ] {
        assert_eq!(shown(pattern, text), expected, "{text}");
    }
    assert_eq!(shown("in = \"arguments\"\npatterns = ['cust']", "cust"), "cust", "the other way");
    assert_eq!(
        shown("fields = [\"**.key\"]", "{\"key\":\"x y\",\"n\":1}"),
        "{\"key\":\"[redacted]\",\"n\":1}"
    );
}

#[test]
fn attack_a_form_with_a_field_called_type() {
    for kind in ["a", "text"] {
        let answer = format!(
            r#"{{"jsonrpc":"2.0","id":"e1","result":{{"action":"accept","content":{{"type":"{kind}","password":"opensesame","name":"hunter2"}}}}}}"#
        );
        let (sent, places) =
            redacted("fields = [\"password\"]\npatterns = [\"hunter[0-9]\"]", &answer, Way::ToServer)
                .unwrap();
        assert!(!sent.contains("opensesame") && !sent.contains("hunter2"), "{sent}");
        assert_eq!(places, 2);
    }
}

/// The model names a part of the secret in a field that a rule takes out, and the rest has no shape any more.
#[test]
fn attack_a_field_cuts_a_secret_in_pieces() {
    let token = "ghp_Q1w2E3r4T5y6U7i8O9p0A1s2D3f4G5h6J7k8";
    let rule = "fields = [\"ssn\"]\nsecrets = true\npatterns = ['\\b\\d{16}\\b']";
    for piece in ["ghp_", "Q1w2", "J7k8", "r4T5y6"] {
        let (sent, _) = arguments(rule, &format!(r#"{{"ssn":"{piece}","x":"it is {token} ."}}"#)).unwrap();
        assert_eq!(sent, r#"{"ssn":"[redacted]","x":"it is [redacted] ."}"#, "{piece}");
    }
    let (sent, _) = arguments(rule, r#"{"ssn":"4111","x":"card 4111222233334444 and 4111"}"#).unwrap();
    assert_eq!(sent, r#"{"ssn":"[redacted]","x":"card [redacted] and [redacted]"}"#);
    let told = format!(
        r#"{{"content":[{{"type":"text","text":"token {token}"}}],"structuredContent":{{"ssn":"ghp_"}}}}"#
    );
    let (told, _) = result(rule, &told).unwrap();
    assert!(told.contains(r#""text":"token [redacted]""#), "{told}");
}

#[test]
fn what_overlaps_is_taken_out_once_and_what_touches_twice() {
    let rule = "patterns = ['abc', 'cde', 'xyz']";
    let (sent, places) = arguments(rule, r#"{"x":"1abcde2xyzxyz3"}"#).unwrap();
    assert_eq!((sent.as_str(), places), (r#"{"x":"1[redacted]2[redacted][redacted]3"}"#, 3));
}

#[test]
fn attack_brackets_without_end_in_a_text_exhaust_the_stack() {
    let rule = "secrets = true";
    for depth in [128, 100_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(arguments(rule, &format!(r#"{{"x":"{deep}"}}"#)), Err(Blocked::Depth), "{depth}");
        let told = format!(r#"{{"content":[{{"type":"text","text":"{deep}"}}]}}"#);
        assert_eq!(result(rule, &told), Err(Blocked::Depth), "{depth}");
        let in_results = rules("in = \"results\"\nsecrets = true");
        assert_eq!(shown(&deep, &in_results.iter().collect::<Vec<_>>()), "[masked]");
    }
    let held = format!("{}{}", "[".repeat(127), "]".repeat(127));
    assert_eq!(arguments(rule, &format!(r#"{{"x":"{held}"}}"#)).map(|(_, places)| places), Ok(0));
    let text = format!("a {} b", "[".repeat(100_000));
    assert_eq!(arguments(rule, &format!(r#"{{"x":"{text}"}}"#)).map(|(_, places)| places), Ok(0), "no JSON");
}

#[test]
fn code_that_reads_a_secret_from_somewhere_stays_as_it_is() {
    let rule = "secrets = true";
    for code in [
        "const token = getToken(user)",
        "password = os.environ['PW']",
        "export TOKEN=$GITHUB_TOKEN",
        "apiKey: process.env.API_KEY",
        "curl --token $TOKEN x",
    ] {
        assert_eq!(
            arguments(rule, &format!(r#"{{"x":"{code}"}}"#)).map(|(_, places)| places),
            Ok(0),
            "{code}"
        );
    }
    for held in ["password = hunter2", "token: (abc", "postgres://u:pa(ss@h/db"] {
        assert_eq!(
            arguments(rule, &format!(r#"{{"x":"{held}"}}"#)).map(|(_, places)| places),
            Ok(1),
            "{held}"
        );
    }
}
