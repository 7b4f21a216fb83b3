//! What clients send to the message log and submit, on the server's terminal.

use fernwire::model::Visible;
use fernwire::service::shown::{Showing, Shown};

use crate::output;

/// Prints what comes; never completes. A terminal that stands still stops only this. Where there is an operator, a line of
/// another session than the last follows a word of how to answer it, if it listens.
pub(crate) async fn show(mut showing: Showing, has_operator: bool) {
    let mut last = None;
    loop {
        let shown = showing.next().await;
        if let Shown::Logged { session, answerable: true, .. } = &shown
            && has_operator
            && last.replace(*session) != Some(*session)
        {
            output::note(format_args!("(session {session}; `reply {session} TEXT` answers it)"));
        }
        let text = text(&shown);
        // In order, since the next is not taken before.
        let printed = tokio::task::spawn_blocking(|| output::result(text)).await;
        if let Ok(Err(error)) = printed {
            tracing::warn!(reason = %error, "what clients send is not shown any more");
            break;
        }
    }
    drop(showing);
    std::future::pending().await
}

fn text(shown: &Shown) -> String {
    match shown {
        Shown::Logged { address, text, .. } => format!("{address} : {}", Visible(text)),
        Shown::Submitted { format, data, .. } => format!("Data format: {format}\n{}", Visible(data)),
        Shown::Missed(count) => format!("({count} more from clients, which did not fit on a screen that stood still)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fernwire::document::Format;
    use fernwire::model::peer::PeerAddr;

    #[test]
    fn what_others_send_is_inert_on_the_terminal() {
        let address = PeerAddr::Ip("192.0.2.7:5000".parse().unwrap());
        let logged = Shown::Logged {
            session: 1,
            address: address.clone(),
            answerable: true,
            text: "a\n192.0.2.8:1 : b\u{1b}[2J".into(),
        };
        assert_eq!(text(&logged), "192.0.2.7:5000 : a\\n192.0.2.8:1 : b\\u{1b}[2J");
        let data = r#"{"first_name": "Ada"}"#.to_owned();
        let submitted = Shown::Submitted { session: 1, address, format: Format::Binary, data };
        assert_eq!(text(&submitted), "Data format: binary\n{\"first_name\": \"Ada\"}");
    }
}
