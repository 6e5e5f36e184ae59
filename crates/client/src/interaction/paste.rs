//! A redirect URL that a person carries over by hand: the browser is on another machine, or in another
//! network namespace, and cannot reach the callback.

use std::{io, thread};

use hallpass_protocol::secret::Secret;
use tokio::sync::mpsc;

use super::callback::carries_state;

/// Lines that a person types.
pub type Lines = mpsc::UnboundedReceiver<String>;

/// Waits for a line that is the answer with `state`; tells the person of each that is not.
pub(super) async fn receive(
    mut lines: Lines,
    state: &Secret,
    announce: &(dyn Fn(&str) + Send + Sync),
) -> String {
    while let Some(line) = lines.recv().await {
        match query_of(&line) {
            "" => {}
            query if carries_state(query, state) => return query.to_owned(),
            _ => announce(
                "That is not the answer to this login. Paste the whole address that the browser ended at",
            ),
        }
    }
    // Nobody types any more; the browser may still come.
    std::future::pending().await
}

/// The query of a pasted URL, or the pasted query itself.
fn query_of(line: &str) -> &str {
    let line = line.trim().trim_matches(['"', '\'', '<', '>']);
    let query = line.split_once('?').map_or(line, |(_, query)| query);
    query.split_once('#').map_or(query, |(query, _)| query)
}

/// Lines of standard input. Read on a thread of its own, which does not keep the program from ending.
pub(super) fn terminal() -> Lines {
    let (typed, lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(line) = line else { break };
            if typed.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_and_a_bare_query_are_understood() {
        for line in [
            "http://127.0.0.1:7/callback?code=c&state=s",
            "  \"http://127.0.0.1:7/callback?code=c&state=s#_=_\"\n",
            "code=c&state=s",
        ] {
            assert_eq!(query_of(line), "code=c&state=s", "{line}");
        }
    }

    #[tokio::test]
    async fn an_answer_to_another_login_is_passed_over() {
        let (typed, lines) = mpsc::unbounded_channel();
        for line in ["", "help", "code=evil&state=other", "code=a&state=s&state=s", "code=c&state=s"] {
            typed.send(line.to_owned()).unwrap();
        }
        let told = std::sync::atomic::AtomicUsize::new(0);
        let announce = |_: &str| {
            told.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        };
        let told_of: &(dyn Fn(&str) + Send + Sync) = &announce;
        assert_eq!(receive(lines, &Secret::new("s"), told_of).await, "code=c&state=s");
        assert_eq!(told.load(std::sync::atomic::Ordering::SeqCst), 3);
    }
}
