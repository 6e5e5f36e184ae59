//! Every piece of a configuration file that the documents show is one that hallpass takes. A fragment is completed: it gets
//! an upstream where it names none, and the scope `notes:read` where none is described.

use std::path::{Path, PathBuf};

use hallpass_testkit::tls::Authority;

use crate::program::command;

/// README and docs.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned();
    let inside =
        |folder: &str| std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let docs = inside("docs").chain(inside("docs/providers"));
    docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .chain([root.join("README.md")])
        .collect()
}

/// The blocks of TOML, each with the line that it begins at.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match (open, line.trim_start()) {
            (false, "```toml") => {
                open = true;
                blocks.push((number + 2, String::new()));
            }
            (true, "```") => open = false,
            (true, _) => {
                let (_, block) = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            (false, _) => {}
        }
    }
    blocks
}

fn completed(block: &str) -> String {
    let mut file: toml::Table = block.parse().unwrap();
    match file.get_mut("servers") {
        Some(servers) => servers.as_table_mut().unwrap().iter_mut().for_each(|(_, server)| complete(server)),
        None => complete(file.entry("server").or_insert_with(|| toml::Table::new().into())),
    }
    toml::to_string(&file).unwrap()
}

fn complete(server: &mut toml::Value) {
    let server = server.as_table_mut().unwrap();
    if !server.contains_key("upstream") && !server.contains_key("command") {
        server.insert("upstream".to_owned(), "http://localhost:3000/mcp".into());
    }
    let scopes = server.entry("scopes").or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap();
    if scopes.is_empty() {
        scopes.insert("notes:read".to_owned(), toml::Table::new().into());
    }
}

/// Files that an operator would have there, and what is here in their place.
const STAND_INS: [(&str, &str); 11] = [
    ("/run/secrets/master.key", "operators.key"),
    ("/run/secrets/github", "field"),
    ("/run/secrets/gateway", "field"),
    ("/run/secrets/hallpass-db", "database.password"),
    ("/run/secrets/notes-key", "field"),
    ("/run/secrets/notes", "field"),
    ("/run/secrets/acme", "field"),
    ("/run/secrets/introspection", "introspection.secret"),
    ("/etc/hallpass/notes.cedar", "notes.cedar"),
    ("/etc/hallpass/tls/fullchain.pem", "server.pem"),
    ("/etc/hallpass/tls/privkey.pem", "server.key"),
];

fn for_its_owner_alone(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn what_the_documents_show_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let keep = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let authority = Authority::new();
    let server = authority.issue(&["localhost"]);
    keep("agents-ca.pem", &authority.pem());
    keep("server.pem", &server.chain);
    keep("server.key", &server.key);
    keep("metadata.pem", &server.key);
    keep("introspection.secret", "a secret");
    keep("database.password", "a password");
    keep("field", "Bearer a-token");
    keep("operators.key", "0123456789abcdef0123456789abcdef");
    for_its_owner_alone(&folder.path().join("operators.key"));
    // What docs/cedar.md shows of Cedar.
    let cedar = include_str!("../../../../docs/cedar.md").split("```cedar\n").nth(1).unwrap();
    keep("notes.cedar", cedar.split("```").next().unwrap());
    let mut seen = 0;
    for document in documents() {
        for (line, block) in blocks(&std::fs::read_to_string(&document).unwrap()) {
            let block = STAND_INS.iter().fold(block, |block, (path, name)| block.replace(path, name));
            keep("hallpass.toml", &completed(&block));
            let mut check = command(folder.path(), &["config", "check", "hallpass.toml"]);
            let checked = check.current_dir(folder.path()).output().unwrap();
            let told = String::from_utf8_lossy(&checked.stderr);
            // Without Cedar, policies in Cedar are refused: they could not be kept. Without OpenTelemetry, no spans could be
            // sent, and without ACME there would be no certificate.
            let without = (!cfg!(feature = "cedar") && block.contains("[server.cedar]"))
                || (!cfg!(feature = "otlp") && block.contains("[otlp]"))
                || (!cfg!(feature = "acme") && block.contains("[tls.acme]"));
            let kept = !without;
            assert_eq!(checked.status.success(), kept, "{}:{line}: {told}", document.display());
            assert!(kept || told.contains("built without"), "{told}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} blocks were found");
}
