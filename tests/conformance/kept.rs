//! Lines and data that clients leave with the server, whichever way they come.

use fernwire::channel::mode::KeyMode;
use fernwire::client::submit::Submission;
use fernwire::client::{CallError, Client};
use fernwire::document::{Format, MAX_DOCUMENT, encode};
use fernwire::protocol::ErrorCode;
use fernwire::protocol::log::{LogReply, MAX_LOG_LINES, MAX_LOG_TEXT};

use crate::common::{Bed, DEADLINE, LOG_FILE, SUBMISSIONS_FILE};

pub(crate) async fn lines_are_kept_once_and_the_operator_answers(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    let mut answers = client.listen_log();
    let rows = async |number: u64, texts: &[&str]| {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let mut replies = client.append_log("a-stream", number, texts);
        let Some(LogReply::Received { rows }) = replies.next().await.unwrap() else { panic!() };
        rows
    };
    assert_eq!(rows(1, &["one", "two\n9 forged"]).await, [1, 2]);
    // As a client does that has not heard the receipt.
    assert_eq!(rows(2, &["two\n9 forged", "three"]).await, [2, 3]);
    let log = bed.file(LOG_FILE);
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(log.lines().zip(["one", "two\\n9 forged", "three"]).all(|(line, text)| line.ends_with(text)), "{log}");

    let refused = bed.operator("reply 99 hello").await;
    assert!(refused.contains("99"), "{refused}");
    bed.operator("reply 1 I have read it").await;
    let answer = tokio::time::timeout(DEADLINE, answers.next()).await.unwrap().unwrap();
    assert_eq!(answer, Some(LogReply::Answer { text: "I have read it".into() }));
    drop(answers);
    client.close().await.unwrap();
    bed.stop().await;
}

pub(crate) async fn data_is_stored_once_whatever_its_format(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    // Longer than what a stranger may say in one message.
    let pairs = [("name".to_owned(), "Ada \u{1f33f}".to_owned()), ("notes".to_owned(), "x".repeat(100_000))];
    for (row, format) in (1..).zip(Format::ALL) {
        let submission = Submission::new(encode(format, &pairs).unwrap(), None).unwrap();
        for _ in 0..2 {
            let stored = client.submit(&submission).await.unwrap();
            assert_eq!((stored.row, stored.format), (row, format));
        }
    }
    let stored = bed.file(SUBMISSIONS_FILE);
    let data: Vec<_> = stored.lines().map(|line| line.split_once("\"data\":").unwrap().1.to_owned()).collect();
    assert_eq!(data.len(), 3);
    assert!(data[0].contains("Ada \u{1f33f}") && data.iter().all(|other| *other == data[0]), "{data:?}");

    let refused = |result: Result<_, CallError>| match result {
        Err(CallError::Request(error)) => error,
        other => panic!("{other:?}"),
    };
    let program = b"cos\nsystem\n(S'true'\ntR.".to_vec();
    let error = refused(client.submit(&Submission::new(program, Some(Format::Binary)).unwrap()).await);
    assert!(error.code == ErrorCode::BadRequest && error.message.contains("system"), "{error:?}");
    let endless = Submission::new(vec![b' '; MAX_DOCUMENT + 1], None).unwrap();
    assert_eq!(refused(client.submit(&endless).await).code, ErrorCode::BadRequest);
    // What was refused hurts nothing that comes after it.
    let small = Submission::new(b"{\"a\": 1}".to_vec(), None).unwrap();
    assert_eq!(client.submit(&small).await.unwrap().row, 4);
    client.close().await.unwrap();
    bed.stop().await;
}

pub(crate) async fn what_was_kept_is_acknowledged_again_after_a_restart(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    let append = async |client: &Client, stream: &str, number: u64, texts: Vec<String>| {
        let reply = tokio::time::timeout(DEADLINE, client.append_log(stream, number, texts).next()).await.unwrap();
        reply.map(|reply| match reply {
            Some(LogReply::Received { rows }) => rows,
            other => panic!("{other:?}"),
        })
    };
    let lines = |count: usize| vec!["line".to_owned(); count];
    for (result, why) in [
        (append(&client, "s", 1, lines(0)).await, "1 to 256 lines are sent at once, not 0"),
        (append(&client, "s", 1, lines(MAX_LOG_LINES + 1)).await, "not 257"),
        (append(&client, "s", 1, vec!["x".repeat(MAX_LOG_TEXT + 1)]).await, "at most 8192 bytes, and one has 8193"),
        (append(&client, "s", (1 << 53) - 1, lines(1)).await, "at most 2^53-1"),
        (append(&client, "a stream", 1, lines(1)).await, "visible ASCII"),
    ] {
        let Err(CallError::Request(error)) = result else { panic!("{why}: {result:?}") };
        assert!(error.code == ErrorCode::BadRequest && error.message.contains(why), "{error:?}");
    }
    assert_eq!(append(&client, "s", 1, lines(2)).await.unwrap(), [1, 2]);
    assert_eq!(append(&client, "another", 1, lines(1)).await.unwrap(), [3]);
    let submission = Submission::new(b"{\"a\": 1}".to_vec(), None).unwrap();
    assert_eq!(client.submit(&submission).await.unwrap().row, 1);
    drop(client);

    let bed = bed.restart().await;
    let client = bed.client().await;
    assert_eq!(append(&client, "s", 2, lines(2)).await.unwrap(), [2, 4]);
    assert_eq!(client.submit(&submission).await.unwrap().row, 1);
    let rows: Vec<_> = bed.file(LOG_FILE).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(rows, ["1", "2", "3", "4"]);
    assert_eq!(bed.file(SUBMISSIONS_FILE).lines().count(), 1);
    client.close().await.unwrap();
    bed.stop().await;
}
