//! `[otlp]`: spans are sent by a hallpass with the feature, and refused by one without.

use std::path::Path;

use crate::program::run;

fn configured(folder: &Path, otlp: &str) -> String {
    let file = folder.join("hallpass.toml");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "listen = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         [server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[otlp]\n{otlp}\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// Nobody would miss them before they are needed.
#[cfg(not(feature = "otlp"))]
#[test]
fn without_the_feature_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = configured(folder.path(), "endpoint = \"http://127.0.0.1:4318\"");
    for args in [&["config", "check", &file][..], &["--config", &file, "serve"]] {
        let output = run(folder.path(), args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("hallpass.toml:5: ") && said.contains("--features otlp"), "{said}");
    }
}

#[cfg(feature = "otlp")]
mod sent {
    use axum::Router;
    use axum::routing::post;
    use serde_json::Value;

    use super::*;
    use crate::program::{Serving, complained, said};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// What came just before the end is sent before it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn serve_sends_them_and_those_that_are_left_at_the_end() {
        let (sender, mut got) = tokio::sync::mpsc::unbounded_channel();
        let collect = async move |headers: http::HeaderMap, body: String| {
            let key = headers["x-api-key"].to_str().unwrap().to_owned();
            sender.send((key, serde_json::from_str::<Value>(&body).unwrap())).unwrap();
            "{}"
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = listener.local_addr().unwrap();
        tokio::spawn(
            async move { axum::serve(listener, Router::new().route("/v1/traces", post(collect))).await },
        );
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, "canary-key\n").unwrap();
        let file = configured(
            folder.path(),
            &format!(
                "endpoint = \"http://{collector}?key=canary\"\nratio = 0\nservice = \"gate\"\nfields = {{ x-api-key = {{ file = \"{}\" }} }}\n\
                 [proxy]\ntrusted = [\"127.0.0.1/32\", \"::1/128\"]",
                key.display()
            ),
        );
        let checked = said(&run(folder.path(), &["config", "check", &file]));
        let line = format!("otlp       spans of requests to http://{collector}/v1/traces?…; 0 % of them");
        assert!(checked.contains(&line) && !checked.contains("canary"), "{checked}");
        let data = tempfile::tempdir().unwrap();
        let mut serving = Serving::start(data.path(), &["--config", &file]);
        let url = serving.value_of("MCP endpoint");
        let http = reqwest::Client::new();
        let recorded = http
            .post(format!("{url}?x=canary"))
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        assert_eq!(recorded.send().await.unwrap().status(), 401);
        assert_eq!(http.post(&url).send().await.unwrap().status(), 401);
        assert_eq!(serving.terminate(), Some(0));
        let (key, document) = got.recv().await.unwrap();
        assert_eq!(key, "canary-key");
        let spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
        assert_eq!((spans.len(), &spans[0]["traceId"]), (1, &TRACE.into()), "{document}");
        let text = document.to_string();
        assert!(
            text.contains("no_credential") && text.contains("gate") && !text.contains("canary"),
            "{text}"
        );
        assert!(got.try_recv().is_err());
    }

    #[test]
    fn what_can_not_be_meant_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (otlp, says) in [
            ("endpoint = \"ftp://h/x\"", "http or https"),
            ("endpoint = \"https://u:canary@h/x\"", "otlp.fields"),
            ("endpoint = \"http://h:4318\"\nfields = { x-api-key = { file = \"/no/such\" } }", "use https"),
            ("endpoint = \"https://h:4318\"\nfields = { x-api-key = { file = \"/no/such\" } }", "/no/such"),
            ("endpoint = \"https://h\"\nratio = 1.5", "between 0 and 1"),
            ("endpoint = \"https://h\"\nratio = nan", "between 0 and 1"),
        ] {
            let file = configured(folder.path(), otlp);
            let output = run(folder.path(), &["config", "check", &file]);
            let told = complained(&output);
            assert_eq!(output.status.code(), Some(3), "{told}");
            assert!(
                told.contains("hallpass.toml:") && told.contains(says) && !told.contains("canary"),
                "{otlp}: {told}"
            );
        }
    }
}
