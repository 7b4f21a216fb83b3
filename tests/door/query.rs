//! Time queries through the door.

use crate::program::is_timestamp;
use crate::scene::{Peer, address, complaints, folder_with_key, run_python, serve};

/// `t` for a timestamp, and other words as they are.
pub(crate) fn marks<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let marks = texts.into_iter().map(|text| if is_timestamp(text) { "t" } else { text });
    marks.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_python_program_takes_each_recv_for_a_token_and_is_right() {
    let sandbox = folder_with_key();
    // So slow that it has read each token before the next comes, on a busy machine too.
    let server = serve(&sandbox, "query", &["--tick", "500ms"]);
    let queries = ["SetA-Two", "SetZ-Unknown", "", "SetA-One"];
    let outcome = run_python(&sandbox, "query_client.py", &address(&server), &queries);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    assert_eq!(marks(outcome.stdout.lines()), "t t END EMPTY EMPTY t END");
    assert_eq!(complaints(&server.stop()), [""; 0]);
}

#[test]
fn end_does_not_come_with_the_last_timestamp() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &["--tick", "24h"]);
    let mut waiting = Peer::at(&address(&server), &sandbox);
    waiting.say("SetA-One");
    assert!(is_timestamp(&waiting.hear().unwrap()));
    // What was sent with it would be here by now.
    (0..20).for_each(|_| Peer::at(&address(&server), &sandbox).is_served());
    waiting.hears_nothing();
}

#[test]
fn what_comes_together_is_answered_in_its_order_and_a_token_at_a_time() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    let queries = ["SetB-Three", "nonsense", "", "SetA-One", "SetZ-Unknown", "SetA-Two"];
    let together: String = queries.iter().map(|query| peer.token(query)).collect();
    peer.write(together);
    let answers: Vec<_> = queries.iter().flat_map(|_| peer.answer()).collect();
    assert_eq!(marks(answers.iter().map(String::as_str)), "t t t END EMPTY EMPTY t END EMPTY t t END");
    peer.is_served();
}

#[test]
fn one_who_waits_for_a_long_answer_keeps_nobody_waiting() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &["--tick", "24h"]);
    let mut slow = Peer::at(&address(&server), &sandbox);
    slow.say("SetA-Two");
    assert!(is_timestamp(&slow.hear().unwrap()));
    // Asked behind it, and so answered behind it.
    slow.say("SetZ-Unknown");
    let mut quick = Peer::at(&address(&server), &sandbox);
    quick.is_served();
    slow.hears_nothing();
}

#[test]
fn a_stopping_server_answers_what_was_asked_and_ends_the_silent() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &["--tick", "300ms"]);
    let mut silent = Peer::at(&address(&server), &sandbox);
    silent.is_served();
    let mut early = Peer::at(&address(&server), &sandbox);
    let mut asking = Peer::at(&address(&server), &sandbox);
    asking.say("SetB-Three");
    let mut answer = vec![asking.hear().unwrap()];
    server.signal("TERM");
    server.log().wait_for("stopping: no new connections");
    assert_eq!((silent.hear(), early.hear()), (None, None));
    answer.extend(asking.answer());
    assert_eq!(marks(answer.iter().map(String::as_str)), "t t t END");
    assert_eq!(asking.hear(), None);
    let outcome = server.wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(complaints(&outcome.stderr), [""; 0]);
}
