use super::super::kept::MESSAGES;
use super::*;

fn posted(text: &str) -> Posted {
    Posted::read(text.as_bytes().to_vec())
}

fn call(id: u32) -> Posted {
    posted(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"x","_meta":{{"progressToken":{id}}}}}}}"#
    ))
}

fn place(streams: &mut Streams, text: &str, came: &Came) -> Option<(u64, bool)> {
    let told = Told::read(text.as_bytes().to_vec());
    streams.place(told, Occasion::Heard(came)).map(|delivery| (delivery.stream, delivery.message.alone))
}

const QUESTION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{}}"#;
const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

fn answer(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

#[test]
fn what_came_on_a_calls_stream_goes_to_that_calls_stream() {
    let mut streams = Streams::new(Manner::Session);
    let (one, _, _one) = streams.open(&mut call(1));
    let (two, _, _two) = streams.open(&mut call(2));
    let (_, _listening) = streams.listen().unwrap();
    let of = |id: &str| Came::Stream(Id::from_json(id).unwrap());
    for came in [of("2"), Came::Body(Id::from_json("2").unwrap())] {
        assert_eq!(place(&mut streams, QUESTION, &came).unwrap().0, two);
        assert_eq!(place(&mut streams, CHANGED, &came).unwrap().0, two);
    }
    assert_eq!(place(&mut streams, QUESTION, &of("1")).unwrap().0, one);
    assert_eq!(place(&mut streams, QUESTION, &Came::Unasked).unwrap().0, LISTENING);
}

#[test]
fn over_a_pipe_a_question_belongs_to_the_only_call_that_is_open() {
    let mut streams = Streams::new(Manner::Session);
    let (_, _listening) = streams.listen().unwrap();
    let (one, _, _one) = streams.open(&mut call(1));
    assert_eq!(place(&mut streams, QUESTION, &Came::Together).unwrap().0, one);
    assert_eq!(place(&mut streams, CHANGED, &Came::Together).unwrap().0, LISTENING);
    let (_, _, _two) = streams.open(&mut call(2));
    assert_eq!(place(&mut streams, QUESTION, &Came::Together).unwrap().0, LISTENING);
}

#[test]
fn an_answer_is_json_where_the_server_said_nothing_else_and_used_no_events() {
    for (came, alone) in [(Came::Together, true), (Came::Stream(Id::from_json("1").unwrap()), false)] {
        let mut streams = Streams::new(Manner::Session);
        let (one, _, _one) = streams.open(&mut call(1));
        assert_eq!(place(&mut streams, &answer(1), &came), Some((one, alone)));
    }
}

#[test]
fn an_id_that_is_asked_twice_in_a_session_leaves_the_first_call_its_answer() {
    let mut streams = Streams::new(Manner::Session);
    let (first, _, _first) = streams.open(&mut call(1));
    let (second, _, _second) = streams.open(&mut call(1));
    streams.current = second;
    let refusal = Told::read(br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#.to_vec());
    assert_eq!(streams.place(refusal, Occasion::Said).map(|delivery| delivery.stream), Some(second));
    assert_eq!(place(&mut streams, &answer(1), &Came::Together), Some((first, true)));
}

#[test]
fn ids_and_tokens_that_are_taken_become_others_of_their_type_and_come_back() {
    let mut streams = Streams::new(Manner::Shared);
    let (_, _, _first) = streams.open(&mut call(1));
    let mut again = call(1);
    let (second, _, _second) = streams.open(&mut again);
    let sent = posted(std::str::from_utf8(&again.payload).unwrap());
    let [sent] = sent.requests() else { panic!("one request") };
    let (id, token) = (sent.id.as_json().to_owned(), sent.token.as_ref().unwrap().as_json().to_owned());
    assert!(id != "1" && id.parse::<u64>().unwrap() < 1 << 53, "{id}");
    let progress = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token}}}}}"#
    );
    let told = streams.place(Told::read(progress.into_bytes()), Occasion::Heard(&Came::Together)).unwrap();
    assert_eq!((told.stream, told.message.bytes.ends_with(br#""progressToken":1}}"#)), (second, true));
    let reply = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    let told = streams.place(Told::read(reply.into_bytes()), Occasion::Heard(&Came::Together)).unwrap();
    assert_eq!((told.stream, &told.message.bytes[..]), (second, answer(1).as_bytes()));
}

#[test]
fn the_id_of_an_abandoned_request_is_not_given_to_another() {
    let mut streams = Streams::new(Manner::Shared);
    let (first, ticket, _first) = streams.open(&mut call(1));
    assert_eq!(streams.detach(first, &ticket), [Id::from_json("1").unwrap()]);
    let mut again = call(1);
    streams.open(&mut again);
    assert_ne!(posted(std::str::from_utf8(&again.payload).unwrap()).requests()[0].id.as_json(), "1");
}

#[test]
fn in_a_shared_conversation_nobody_is_told_what_is_not_theirs_for_sure() {
    let mut streams = Streams::new(Manner::Shared);
    let (_, _, _one) = streams.open(&mut call(1));
    for text in [QUESTION, CHANGED, r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#] {
        assert_eq!(place(&mut streams, text, &Came::Together), None, "{text}");
    }
}

#[test]
fn what_waits_for_a_stream_is_bounded() {
    let mut streams = Streams::new(Manner::Session);
    for _ in 0..10 * MESSAGES {
        assert_eq!(place(&mut streams, CHANGED, &Came::Together), None);
    }
    assert_eq!(streams.take_kept().len(), MESSAGES);
}
