//! `[server.cedar]`: kept by a hallpass with the feature, refused by one without.

use std::path::Path;

use crate::program::run;

fn configured(folder: &Path, policies: &str) -> String {
    std::fs::write(folder.join("notes.cedar"), policies).unwrap();
    let file = folder.join("hallpass.toml");
    let policies = folder.join("notes.cedar");
    let text = format!(
        "listen = \"localhost:0\"\n[server]\nupstream = \"http://127.0.0.1:1/mcp\"\n[server.cedar]\npolicies = [\"{}\"]\n",
        policies.display()
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// What it would deny would be allowed.
#[cfg(not(feature = "cedar"))]
#[test]
fn without_the_feature_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = configured(folder.path(), "permit (principal, action, resource);");
    for args in [&["config", "check", &file][..], &["--config", &file, "serve"]] {
        let output = run(folder.path(), args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("hallpass.toml:4: ") && said.contains("built without Cedar"), "{said}");
    }
}

#[cfg(feature = "cedar")]
mod kept {
    use serde_json::json;

    use super::*;
    use crate::outside::House;
    use crate::program::{run_with_input, said};

    const POLICIES: &str = "@id(\"everything\")\npermit (principal, action, resource);\n\n\
        @id(\"no purge\")\nforbid (principal, action, resource == Tool::\"purge\");\n";

    #[tokio::test]
    async fn serve_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        configured(folder.path(), POLICIES);
        let file = folder.path().join("notes.cedar");
        let house = House::with(&format!("cedar = {{ policies = [\"{}\"] }}", file.display()), "").await;
        let token = house.token("notes:read");
        for (tool, expected) in [("list", 200), ("purge", 403), ("write_note", 403)] {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}});
            let answer = house.post(&token, &body.to_string()).await;
            assert_eq!(answer.status().as_u16(), expected, "{tool}");
            // The rules ask for a scope; Cedar asks for nothing.
            assert_eq!(answer.headers().contains_key("www-authenticate"), tool == "write_note", "{tool}");
        }
    }

    #[test]
    fn an_explanation_names_the_policy() {
        let folder = tempfile::tempdir().unwrap();
        let file = configured(folder.path(), POLICIES);
        let key = hallpass_testkit::issuer::TestIssuer::new("https://login.example.com");
        let token =
            key.token("https://mcp.example.com/mcp", "mcp", hallpass_protocol::Timestamp::from_unix(1));
        for (tool, code, words) in [
            ("purge", 1, "notes.cedar:4 (no purge): forbids it (Cedar)"),
            ("list", 0, "notes.cedar:1 (everything): permits it (Cedar)"),
        ] {
            let args = ["policy", "explain", "--config", &file, "--token", "-", "--tool", tool];
            let output = run_with_input(folder.path(), &args, &token);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(code), "{text}");
            assert!(text.contains(words), "{text}");
        }
        let checked = said(&run(folder.path(), &["config", "check", &file]));
        assert!(checked.contains("cedar      must allow, too"), "{checked}");
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for (policies, place, what) in [
            ("\npermit (principal, action resource);", "notes.cedar:2: ", "no Cedar that can be read"),
            ("permit (principal == User::\"alice\", action, resource);", "notes.cedar:1", "User"),
        ] {
            let file = configured(folder.path(), policies);
            let output = run(folder.path(), &["config", "check", &file]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{said}");
            assert!(said.contains(place) && said.contains(what), "{said}");
        }
        let file = configured(folder.path(), POLICIES);
        std::fs::remove_file(folder.path().join("notes.cedar")).unwrap();
        let output = run(folder.path(), &["config", "check", &file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("hallpass.toml:5: can't read") && said.contains("notes.cedar"), "{said}");
    }
}
