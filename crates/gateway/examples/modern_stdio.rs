//! A small MCP server over stdio that knows 2026-07-28, for the tests: it does what its methods are called.
//!
//! With `both` as its argument it knows `initialize` as well; whichever comes first holds for the process. With `silent` it
//! answers nothing before `initialize`, and with `frail` it ends instead: those two know nothing else. With
//! `refuses` it is of no use.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // It talks on its pipes.

use std::io::BufRead;

use serde_json::{Value, json};

const META: &str = "io.modelcontextprotocol/";

/// How it was begun.
#[derive(Clone, Copy, PartialEq)]
enum Begun {
    Not,
    Legacy,
    Modern,
}

struct Server {
    kind: String,
    begun: Begun,
    /// The requests that listen: their ids and their filters.
    listening: Vec<(Value, Value)>,
    /// What came as a notification.
    heard: Vec<Value>,
    /// Whether its tools are others by now.
    changed: bool,
}

fn main() {
    let kind = std::env::args().nth(1).unwrap_or_default();
    let mut server =
        Server { kind, begun: Begun::Not, listening: Vec::new(), heard: Vec::new(), changed: false };
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if message["method"] == "die" {
            return;
        }
        if message["id"].is_null() {
            server.notified(message);
        } else if !server.answer(&message) {
            return;
        }
    }
}

impl Server {
    /// Whether it goes on.
    fn answer(&mut self, message: &Value) -> bool {
        let params = &message["params"];
        let method = message["method"].as_str().unwrap_or_default();
        let id = &message["id"];
        let legacy_only = matches!(&*self.kind, "silent" | "frail");
        let knows_legacy = legacy_only || self.kind == "both";
        if method == "initialize" && knows_legacy && self.begun != Begun::Modern {
            if params["protocolVersion"].is_null() {
                fail(id, -32602, "there is no protocolVersion", &Value::Null);
                return true;
            }
            self.begun = Begun::Legacy;
            let result = json!({
                "protocolVersion": params["protocolVersion"],
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "echo", "version": "1" },
            });
            say(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
            return true;
        }
        if self.kind == "refuses" {
            eprintln!("the licence is over");
            fail(id, -32000, "no", &Value::Null);
            return true;
        }
        if self.begun != Begun::Legacy {
            match &*self.kind {
                "silent" => return true,
                "frail" => return false,
                _ => {}
            }
            if params["_meta"][format!("{META}protocolVersion")] != "2026-07-28" {
                let data = json!({ "supported": ["2026-07-28"], "requested": null });
                fail(id, -32022, "this server speaks 2026-07-28", &data);
                return true;
            }
            self.begun = Begun::Modern;
        } else if method == "server/discover"
            || params["_meta"].get(format!("{META}protocolVersion")).is_some()
        {
            fail(id, -32600, "the handshake was chosen", &Value::Null);
            return true;
        }
        self.does(method, id, params);
        true
    }

    fn does(&mut self, method: &str, id: &Value, params: &Value) {
        let mut result = match method {
            "server/discover" => json!({
                "supportedVersions": ["2026-07-28"],
                "capabilities": {
                    "extensions": { "io.modelcontextprotocol/tasks": {}, "x": {} },
                    "logging": {},
                    "resources": { "subscribe": true },
                    "tools": { "listChanged": true },
                },
                "_meta": { format!("{META}serverInfo"): { "name": "echo", "version": "1" } },
                "instructions": "Do.",
                "ttlMs": 1000,
                "cacheScope": "public",
            }),
            // What it was sent, all of it.
            "echo" | "tools/call" => json!({ "sent": params }),
            "tools/list" => self.tools(params),
            "pid" => json!({ "pid": std::process::id() }),
            "heard" => json!({ "heard": self.heard, "listening": self.listening }),
            "progress" => {
                let token = &params["_meta"]["progressToken"];
                for step in 1..=params["steps"].as_i64().unwrap() {
                    let params =
                        json!({ "progressToken": token, "progress": step, "message": params["canary"] });
                    say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
                }
                json!({ "canary": params["canary"] })
            }
            "log" => {
                let level = &params["_meta"][format!("{META}logLevel")];
                if !level.is_null() {
                    let params = json!({ "level": level, "data": "a line" });
                    say(&json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params }));
                }
                json!({})
            }
            "subscriptions/listen" => {
                let agreed = self.agreed(&params["notifications"]);
                self.listening.push((id.clone(), agreed.clone()));
                tell(id, "notifications/subscriptions/acknowledged", &json!({ "notifications": agreed }));
                return;
            }
            // Says that a resource has changed, to whoever listens for it; or to a listener that there is not.
            "touch" => {
                let to = |filter: &Value| {
                    filter["resourceSubscriptions"].as_array().is_some_and(|all| all.contains(&params["uri"]))
                };
                let named = json!({ "uri": params["uri"] });
                self.all(to, "notifications/resources/updated", &named);
                tell(&json!(987_654), "notifications/resources/updated", &named);
                say(
                    &json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": named }),
                );
                json!({})
            }
            "change" => {
                self.changed = true;
                self.all(
                    |filter| filter["toolsListChanged"] == true,
                    "notifications/tools/list_changed",
                    &json!({}),
                );
                json!({})
            }
            // Ends all subscriptions: in words, or as stdio has it.
            "unlisten" => {
                for (id, _) in std::mem::take(&mut self.listening) {
                    if params["words"] == true {
                        let meta = json!({ format!("{META}subscriptionId"): id });
                        let result = json!({ "resultType": "complete", "_meta": meta });
                        say(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
                    } else {
                        let params = json!({ "requestId": id });
                        say(
                            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }),
                        );
                    }
                }
                json!({})
            }
            // Asks as often as it is told to, then answers with what it heard.
            "resources/read" | "prompts/get" | "ask" => match asked(params) {
                Some(result) => result,
                None => json!({ "answers": params["inputResponses"], "state": params["requestState"] }),
            },
            // A request of its own, which its revision has not.
            "demand" => {
                say(&json!({ "jsonrpc": "2.0", "id": "d", "method": "roots/list" }));
                json!({})
            }
            "tasks/get" => json!({ "taskId": params["taskId"], "status": "working" }),
            "start" => json!({ "resultType": "task", "taskId": "t", "status": "working" }),
            "hold" => return,
            _ => return fail(id, -32601, "there is no such method", &Value::Null),
        };
        if self.begun == Begun::Modern && result.get("resultType").is_none() {
            result["resultType"] = "complete".into();
        }
        say(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    fn notified(&mut self, message: Value) {
        if message["method"] == "notifications/cancelled" {
            self.listening.retain(|(id, _)| *id != message["params"]["requestId"]);
        }
        self.heard.push(message);
    }

    /// On the second page, a tool that has its callers' fields say what an argument says; once it has changed, another argument.
    fn tools(&self, params: &Value) -> Value {
        let name = if self.changed { "place" } else { "region" };
        let properties = json!({ name: { "type": "string", "x-mcp-header": "Region" } });
        let tool =
            json!({ "name": "mirrored", "inputSchema": { "type": "object", "properties": properties } });
        match params["cursor"].as_str() {
            None => json!({ "tools": [], "nextCursor": "2", "ttlMs": 5, "cacheScope": "public" }),
            Some(_) => json!({ "tools": [tool], "ttlMs": 5, "cacheScope": "public" }),
        }
    }

    /// It has no resource below `none:`.
    fn agreed(&self, filter: &Value) -> Value {
        let mut agreed = filter.clone();
        if let Some(uris) = agreed["resourceSubscriptions"].as_array_mut() {
            uris.retain(|uri| !uri.as_str().unwrap().starts_with("none:"));
        }
        if agreed["resourceSubscriptions"].as_array().is_none_or(Vec::is_empty) {
            agreed.as_object_mut().unwrap().remove("resourceSubscriptions");
        }
        agreed
    }

    fn all(&self, wants: impl Fn(&Value) -> bool, method: &str, params: &Value) {
        for (id, filter) in &self.listening {
            if wants(filter) {
                tell(id, method, params);
            }
        }
    }
}

/// The next question, if there is one more: `rounds` says how many there are, `questions` what they are.
fn asked(params: &Value) -> Option<Value> {
    let round: u64 = params["requestState"].as_str().map_or(0, |state| state.parse().unwrap());
    if round >= params["rounds"].as_u64()? {
        return None;
    }
    let state = (round + 1).to_string();
    Some(
        json!({ "resultType": "input_required", "inputRequests": params["questions"], "requestState": state }),
    )
}

fn fail(id: &Value, code: i64, message: &str, data: &Value) {
    let error = json!({ "code": code, "message": message, "data": data });
    say(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
}

/// On a subscription.
fn tell(id: &Value, method: &str, params: &Value) {
    let mut params = params.clone();
    params["_meta"][format!("{META}subscriptionId")] = id.clone();
    say(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
}

fn say(message: &Value) {
    println!("{message}");
}
