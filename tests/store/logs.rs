//! The message log and submissions: each once, in rows without a gap.

use fernwire::store::{LogMessage, Submission};

use crate::scene::{NOW, Scene, user};

fn message(stream: &str, number: u64, text: &str) -> LogMessage {
    let (stream, address, text) = (stream.to_owned(), "192.0.2.1:5".to_owned(), text.to_owned());
    LogMessage { stream, number, time: NOW, address, account: Some(user("ada")), text }
}

fn submission(id: &str, data: &str) -> Submission {
    let (id, address) = (id.to_owned(), "uid 1000".to_owned());
    Submission { id, time: NOW, address, account: None, format: "json".into(), data: data.to_owned() }
}

#[tokio::test]
async fn a_message_is_kept_once_and_in_order() {
    let scene = Scene::new();
    let append = async |message| {
        let appended = scene.store.append_log(message).await.unwrap();
        (appended.row, appended.repeated)
    };
    assert_eq!(append(message("a", 0, "one")).await, (1, false));
    assert_eq!(append(message("b", 0, "two")).await, (2, false));
    assert_eq!(append(message("a", 0, "changed")).await, (1, true));
    assert_eq!(append(message("a", u64::MAX, "three\0\n")).await, (3, false));
    let scene = scene.restart().await;
    let rows = scene.store.log_after(0, 9).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rows[0].message, message("a", 0, "one"));
    assert_eq!(rows[2].message, message("a", u64::MAX, "three\0\n"));
    assert_eq!(scene.store.log_after(1, 1).await.unwrap(), rows[1..2]);
    assert_eq!(scene.store.log_after(u64::MAX, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_submission_is_kept_once_and_in_order() {
    let scene = Scene::new();
    let append = async |submission| {
        let appended = scene.store.append_submission(submission).await.unwrap();
        (appended.row, appended.repeated)
    };
    assert_eq!(append(submission("x", "{}")).await, (1, false));
    assert_eq!(append(submission("x", "{\"a\":1}")).await, (1, true));
    assert_eq!(append(submission("y", "{\"b\":2}")).await, (2, false));
    assert_eq!(append(submission("z", "{\"c\":3}")).await, (3, false));
    let rows = scene.store.submissions_after(0, 9).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.submission.data.as_str()).collect::<Vec<_>>(),
        ["{}", "{\"b\":2}", "{\"c\":3}"]
    );
    assert_eq!(rows[0].submission, submission("x", "{}"));
    assert_eq!(scene.store.last_submissions(2).await.unwrap(), rows[1..]);
    assert_eq!(scene.store.submissions_after(2, 9).await.unwrap(), rows[2..]);
}
