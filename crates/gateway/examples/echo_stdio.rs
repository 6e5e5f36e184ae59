//! A small MCP server over stdio, for the tests: it does what its methods are called.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // It talks on its pipes.

use std::io::BufRead;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

fn main() {
    let mut stubborn = false;
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let params = &message["params"];
        let result = match message["method"].as_str().unwrap_or("response") {
            "initialize" => json!({ "protocolVersion": params["protocolVersion"], "capabilities": {} }),
            "echo" => params.clone(),
            "environment" => std::env::var(params["name"].as_str().unwrap()).map_or(Value::Null, Value::from),
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
                        &json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "number": number } }),
                    );
                }
                json!("notified")
            }
            // Asks the client, and tells what it said when it is asked "told" later.
            "ask" => {
                say(&json!({ "jsonrpc": "2.0", "id": "from-server", "method": "roots/list" }));
                json!("asked")
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
            "die" => return,
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

fn say(message: &Value) {
    println!("{message}");
}
