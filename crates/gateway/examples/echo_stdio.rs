//! A small MCP server over stdio, for the tests: it does what its methods are called.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // It talks on its pipes.

use std::collections::HashMap;
use std::io::BufRead;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

fn main() {
    let mut stubborn = false;
    let mut asked = HashMap::new();
    let mixed = mixer();
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let params = &message["params"];
        let result = match message["method"].as_str().unwrap_or("response") {
            "initialize" => json!({
                "protocolVersion": params["protocolVersion"],
                "capabilities": {
                    "logging": {},
                    "resources": { "subscribe": true },
                    "tools": { "listChanged": true },
                },
                "serverInfo": { "name": "echo", "version": "1" },
            }),
            "echo" | "tools/call" => params.clone(),
            "tools/list" => json!({ "tools": [mirrored()] }),
            "logging/setLevel" => json!({}),
            "unknown" | "server/discover" => {
                let error = json!({ "code": -32601, "message": "there is no such method" });
                say(&json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }));
                continue;
            }
            "progress-and-hold" => {
                let params = json!({ "progressToken": params["_meta"]["progressToken"], "progress": 1 });
                say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
                continue;
            }
            "environment" => std::env::var(params["name"].as_str().unwrap()).map_or(Value::Null, Value::from),
            "names" => {
                let mut names: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
                names.sort();
                names.into()
            }
            "folder" => std::env::current_dir().unwrap().to_str().into(),
            // Real, effective, saved and file system user; then the groups.
            "account" => std::fs::read_to_string("/proc/self/status")
                .unwrap()
                .lines()
                .filter(|line| {
                    line.starts_with("Uid:") || line.starts_with("Gid:") || line.starts_with("Groups:")
                })
                .map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
                .collect(),
            // Every page is written to.
            "allocate" => vec![1_u8; params["bytes"].as_u64().unwrap().try_into().unwrap()].len().into(),
            "pid" => std::process::id().into(),
            "progress" => {
                let token = &params["_meta"]["progressToken"];
                for step in 1..=params["steps"].as_i64().unwrap() {
                    let params = json!({ "progressToken": token, "progress": step });
                    say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
                }
                json!("done")
            }
            // Says something that belongs to no request.
            "notify" => {
                for number in 0..params["count"].as_i64().unwrap_or(1) {
                    say(
                        &json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "number": number, "level": params["level"] } }),
                    );
                }
                json!("notified")
            }
            // Asks the client, and tells what it said when it is asked "told" later.
            "ask" => {
                say(&json!({ "jsonrpc": "2.0", "id": "from-server", "method": "roots/list" }));
                json!("asked")
            }
            // Answers in no order: with progress before, among all that came at the same time.
            "mixed" => {
                mixed.lock().unwrap().push(message);
                continue;
            }
            // Asks the client in the middle of a call, which is answered with what the client says.
            "asking" => {
                let id = format!("ask-{}", asked.len());
                say(
                    &json!({ "jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": params }),
                );
                asked.insert(id, message["id"].clone());
                continue;
            }
            "response" if asked.contains_key(message["id"].as_str().unwrap_or_default()) => {
                let call = &asked[message["id"].as_str().unwrap()];
                let said = json!({ "result": message["result"], "error": message["error"] });
                say(&json!({ "jsonrpc": "2.0", "id": call, "result": said }));
                continue;
            }
            "resources/subscribe" | "resources/unsubscribe" => json!({}),
            "touch" => {
                let uri = json!({ "uri": params["uri"] });
                say(&json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": uri }));
                json!("touched")
            }
            "change" => {
                say(&json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }));
                json!("changed")
            }
            "noise" => {
                println!("Server listening on stdio");
                println!("[1, 2, 3]");
                eprintln!("a line for the log");
                json!("noisy")
            }
            "long" => json!("x".repeat(params["bytes"].as_u64().unwrap().try_into().unwrap())),
            "child" => Command::new("sleep").arg("1000").spawn().unwrap().id().into(),
            "stubborn" => {
                stubborn = true;
                json!("stubborn")
            }
            "notifications/initialized" => continue,
            "die" => return,
            "complain" => {
                (1..=12).for_each(|number| eprintln!("complaint {number}"));
                std::process::exit(3);
            }
            "hold" => continue,
            // An answer of the client's, or a notification: it is told to whoever listens.
            _ => {
                say(&json!({ "jsonrpc": "2.0", "method": "notifications/heard", "params": message }));
                continue;
            }
        };
        say(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
    }
    if stubborn {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

/// A tool that has its callers' fields say what an argument says.
fn mirrored() -> Value {
    let properties = json!({ "region": { "type": "string", "x-mcp-header": "Region" } });
    json!({ "name": "mirrored", "inputSchema": { "type": "object", "properties": properties } })
}

/// Those whose turn has come are answered in another order than they came in.
fn mixer() -> Arc<Mutex<Vec<Value>>> {
    let waiting = Arc::new(Mutex::new(Vec::<Value>::new()));
    let mixed = Arc::clone(&waiting);
    std::thread::spawn(move || {
        let mut random = 88_172_645_463_325_252_u64;
        loop {
            std::thread::sleep(Duration::from_millis(2));
            let mut turn = std::mem::take(&mut *waiting.lock().unwrap());
            while !turn.is_empty() {
                // xorshift: the same order in each run.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = usize::try_from(random % u64::try_from(turn.len()).unwrap()).unwrap();
                let message = turn.swap_remove(at);
                let params = &message["params"];
                let token = &params["_meta"]["progressToken"];
                if !token.is_null() {
                    let params =
                        json!({ "progressToken": token, "progress": 1, "message": params["canary"] });
                    say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
                }
                say(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": params["canary"] }));
            }
        }
    });
    mixed
}

fn say(message: &Value) {
    println!("{message}");
}
