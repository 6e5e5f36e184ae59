//! The smallest web server that can receive one answer.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{FutureExt as _, future::select_all};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use hallpass_protocol::secret::Secret;

use super::start::Start;
use crate::error::InteractionError;

/// How long to wait where no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// What is awaited, and from where a browser is sent on its way.
struct Wanted {
    path: String,
    state: Secret,
    start: Option<Start>,
}

/// Waits for a request to `path` that carries `state`, and returns its query. Everything else that knocks
/// (favicons, old tabs, other programs) gets an error page and changes nothing.
pub(super) async fn receive(
    listeners: Vec<TcpListener>,
    path: &str,
    state: &Secret,
    start: Option<Start>,
) -> Result<String, InteractionError> {
    let wanted = Arc::new(Wanted { path: path.to_owned(), state: state.clone(), start });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (accepted, ..) = select_all(listeners.iter().map(|listener| listener.accept().boxed())) => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve(stream, Arc::clone(&wanted)))),
                // A caller that hung up, or a moment without file handles: no reason to end the login.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            // A connection ends once its page has been sent, so the person sees it even if the program ends now.
            Some(ended) = connections.join_next() => if let Ok(Some(answer)) = ended {
                return answer;
            },
        }
    }
}

/// Answers one request; the query if it is the awaited one, an error if the login is not to go on.
async fn serve(
    stream: tokio::net::TcpStream,
    wanted: Arc<Wanted>,
) -> Option<Result<String, InteractionError>> {
    let answer = Arc::new(OnceLock::new());
    let service = service_fn(|request: Request<Incoming>| {
        let begun = wanted.start.as_ref().and_then(|start| start.answer(&request));
        let page = begun.unwrap_or_else(|| match judge(&request, &wanted.path, &wanted.state) {
            Ok(query) => {
                let page = last_page(&query);
                let _ = answer.set(query);
                page
            }
            Err((status, why)) => page(status, "Not the awaited answer", why),
        });
        async move { Ok::<_, Infallible>(page) }
    });
    // A broken connection after the answer was read does not undo the answer.
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
    if wanted.start.as_ref().is_some_and(Start::is_contested) {
        return Some(Err(InteractionError::OpenedBySomeoneElse));
    }
    answer.get().cloned().map(Ok)
}

fn judge(
    request: &Request<Incoming>,
    path: &str,
    state: &Secret,
) -> Result<String, (StatusCode, &'static str)> {
    if request.uri().path() != path {
        return Err((StatusCode::NOT_FOUND, "There is nothing here."));
    }
    if request.method() != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "Only a browser's redirect is awaited here."));
    }
    let query = request.uri().query().unwrap_or_default();
    if !carries_state(query, state) {
        return Err((
            StatusCode::BAD_REQUEST,
            "This answer does not belong to the login that is waiting. Go back to where you started it.",
        ));
    }
    Ok(query.to_owned())
}

/// What the person sees last. An error (RFC 6749 §4.1.2.1) is not repeated: who wrote it is not known yet.
fn last_page(query: &str) -> Response<Full<bytes::Bytes>> {
    let is_refusal = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "error");
    let (title, text) = match is_refusal {
        true => (
            "Nothing was granted",
            "The answer is a refusal, so nobody has got access. The program that asked says more. You can close this tab.",
        ),
        false => ("Done", "The answer has arrived. You can close this tab."),
    };
    page(StatusCode::OK, title, text)
}

/// RFC 6749 §10.12: exactly one `state`, and the right one.
pub(super) fn carries_state(query: &str, state: &Secret) -> bool {
    let mut states = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "state");
    let first = states.next().map(|(_, value)| Secret::new(value.into_owned()));
    first.as_ref() == Some(state) && states.next().is_none()
}

/// A small page, with nothing of anyone's but its words.
pub(super) fn page(status: StatusCode, title: &str, text: &str) -> Response<Full<bytes::Bytes>> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:20vh auto;padding:0 1rem}}</style>\
         <h1>{title}</h1><p>{text}</p>"
    );
    let mut response = Response::new(Full::new(html.into()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        // The address of this page holds the code.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
    ] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;
    use crate::interaction::LaunchUrl;

    async fn ask(mut connection: TcpStream, target: &str) -> String {
        connection.write_all(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// A browser opens connections ahead of need, and asks for an icon on one of them.
    #[tokio::test]
    async fn the_answer_is_heard_after_something_else_was_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let login =
            tokio::spawn(async move { receive(vec![listener], "/callback", &Secret::new("s"), None).await });
        let early = TcpStream::connect(address).await.unwrap();
        let icon = ask(TcpStream::connect(address).await.unwrap(), "/favicon.ico").await;
        assert!(icon.starts_with("HTTP/1.1 404"), "{icon}");
        let page = ask(early, "/callback?state=s&code=c").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        let heard = tokio::time::timeout(Duration::from_secs(20), login).await;
        assert_eq!(heard.expect("the login goes on").unwrap().unwrap(), "state=s&code=c");
    }

    #[tokio::test]
    async fn who_said_no_reads_that_nothing_was_granted() {
        for (rest, title, other) in [
            ("error=access_denied&error_description=canary", "Nothing was granted", "Done"),
            ("code=error", "Done", "Nothing was granted"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let login =
                tokio::spawn(
                    async move { receive(vec![listener], "/callback", &Secret::new("s"), None).await },
                );
            let target = format!("/callback?state=s&{rest}");
            let page = ask(TcpStream::connect(address).await.unwrap(), &target).await;
            assert!(page.contains(title) && !page.contains(other) && !page.contains("canary"), "{page}");
            assert_eq!(login.await.unwrap().unwrap(), format!("state=s&{rest}"));
        }
    }

    /// One of the two is not the person's, and nobody knows which.
    #[tokio::test]
    async fn a_second_opener_ends_the_login_and_a_reload_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let start = Start::new(LaunchUrl::check("https://as.example/authorize").unwrap());
        let path = start.url(&format!("http://{address}/callback")).unwrap().url().path().to_owned();
        let login = tokio::spawn(async move {
            receive(vec![listener], "/callback", &Secret::new("s"), Some(start)).await
        });
        let first = ask(TcpStream::connect(address).await.unwrap(), &path).await;
        let cookie = first.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap();
        let reload = format!("{path} HTTP/1.1\r\ncookie: {cookie}\r\nx-rest:");
        let again = ask(TcpStream::connect(address).await.unwrap(), &reload).await;
        assert!(again.starts_with("HTTP/1.1 302"), "{again}");
        let icon = ask(TcpStream::connect(address).await.unwrap(), "/favicon.ico").await;
        assert!(icon.starts_with("HTTP/1.1 404") && !login.is_finished(), "{icon}");
        let other = ask(TcpStream::connect(address).await.unwrap(), &path).await;
        assert!(other.starts_with("HTTP/1.1 410"), "{other}");
        let ended = tokio::time::timeout(Duration::from_secs(20), login).await;
        let ended = ended.expect("the login ends").unwrap();
        assert_eq!(ended, Err(InteractionError::OpenedBySomeoneElse));
    }
}
