//! The program that the official MCP conformance suite drives: a small MCP client on one side of
//! `hallpass_client::connect`, the suite's server on the other.
//!
//! It does the same in every scenario: shake hands where the revision has a handshake, list the tools, call
//! each, or make the calls that the context lists. What differs comes from `MCP_CONFORMANCE_PROTOCOL_VERSION` and, as configuration, from
//! `MCP_CONFORMANCE_CONTEXT`. In place of a browser, an HTTP client follows the redirects into the callback.
//!
//!     conformance client --command target/release/examples/conformance_client --suite auth

use std::{env, sync::Arc};

use anyhow::{Context as _, Result, anyhow, bail};
use hallpass_client::{
    Client, ClientAuthentication, ClientCredentials, EnterpriseManaged, IdentityProvider, MachineClient,
    Mode, Preregistered, PrivateKey, SecretSource, WorkloadIdentity, connect,
    interaction::{Browser, LaunchUrl},
};
use hallpass_protocol::{issuer::Issuer, jose::Algorithm, resource::ResourceIdentifier, secret::Secret};
use serde_json::{Map, Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};

/// The suite's fixed address of this client's metadata document.
const METADATA_DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

/// The first revision without a handshake.
const STATELESS: &str = "2026-07-28";

/// JSON-RPC 2.0 §5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// `UnsupportedProtocolVersionError` of that revision.
const UNSUPPORTED_VERSION: i64 = -32022;

#[tokio::main]
async fn main() -> Result<()> {
    let server = env::args().next_back().context("the server's URL is the last argument")?;
    let version = env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").unwrap_or_else(|_| "2025-11-25".into());
    let (local, bridge) = tokio::io::duplex(64 * 1024);
    let (bridge_in, bridge_out) = tokio::io::split(bridge);
    let context: Value = match env::var("MCP_CONFORMANCE_CONTEXT") {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Value::Null,
    };
    let client = client(&server, &context).await?;
    let carried = tokio::spawn(connect::run(client, bridge_in, bridge_out));
    let outcome = Mcp::new(local, version).converse(&context).await;
    carried.await??;
    outcome
}

/// A client as an application would build it.
async fn client(server: &str, context: &Value) -> Result<Client> {
    let mut builder = Client::builder(server)?
        .client_name("hallpass conformance client")
        .metadata_document(METADATA_DOCUMENT)
        .interaction(Browser::new().launcher(follow_redirects).announcer(|_| {}));
    if let Some(mode) = mode(context)? {
        if let Some(issuer) = issuer(server).await {
            builder = builder.authorization_server(issuer);
        }
        return Ok(builder.mode(mode).build()?);
    }
    if let (Some(id), Some(issuer)) = (context["client_id"].as_str(), context["issuer"].as_str()) {
        builder = builder.preregistered(Preregistered {
            issuer: Issuer::parse(issuer)?,
            client_id: id.to_owned(),
            client_secret: context["client_secret"].as_str().map(Secret::new),
        });
    }
    Ok(builder.build()?)
}

/// The authorization server that credentials are for. Whoever registers a client knows it; the suite's context does not
/// say, so that this client has to take the server's word.
async fn issuer(server: &str) -> Option<Issuer> {
    let server = ResourceIdentifier::parse(server).ok()?;
    for url in [server.metadata_url(), server.root_metadata_url()] {
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        let metadata: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(issuer) = metadata["authorization_servers"][0].as_str() {
            return Issuer::parse(issuer).ok();
        }
    }
    None
}

/// The mode that the context is for: each scenario without a person hands over its own credentials.
fn mode(context: &Value) -> Result<Option<Mode>> {
    let text = |name: &str| context[name].as_str().map(str::to_owned);
    let secret = |name: &str| text(name).map(Secret::new);
    let Some(client_id) = text("client_id") else { return Ok(None) };
    let with = |authentication| MachineClient { client_id, authentication };
    if let (Some(id_token), Some(issuer)) = (secret("idp_id_token"), text("idp_issuer")) {
        let at_provider = text("idp_client_id").context("a client at the identity provider")?;
        return Ok(Some(Mode::EnterpriseManaged(EnterpriseManaged {
            identity_provider: IdentityProvider {
                issuer: Issuer::parse(&issuer)?,
                token_endpoint: None,
                client: MachineClient { client_id: at_provider, authentication: ClientAuthentication::None },
            },
            id_token: SecretSource::Value(id_token),
            client: with(ClientAuthentication::Secret(secret("client_secret").context("a secret")?)),
            issuer: None,
            scope: None,
        })));
    }
    if let Some(assertion) = secret("valid_jwt") {
        return Ok(Some(Mode::WorkloadIdentity(WorkloadIdentity {
            client: with(ClientAuthentication::None),
            assertion: SecretSource::Value(assertion),
            issuer: None,
            scope: None,
        })));
    }
    let authentication = match (secret("private_key_pem"), secret("client_secret")) {
        (Some(pem), _) => {
            let algorithm = text("signing_algorithm").and_then(|name| Algorithm::from_name(&name));
            ClientAuthentication::Assertion(Arc::new(PrivateKey::from_pem(&pem, algorithm, None)?))
        }
        // The same context is given to a client that a person logs in with; only the name tells them apart.
        (None, Some(secret)) if text("name").is_some_and(|name| name.contains("client-credentials")) => {
            ClientAuthentication::Secret(secret)
        }
        _ => return Ok(None),
    };
    let client = with(authentication);
    Ok(Some(Mode::ClientCredentials(ClientCredentials { client, issuer: None, scope: None })))
}

/// A browser whose person always agrees.
fn follow_redirects(url: &LaunchUrl) -> std::io::Result<()> {
    tokio::spawn(reqwest::get(url.as_str().to_owned()));
    Ok(())
}

/// The local side of the bridge: one conversation, a message a line.
struct Mcp {
    incoming: Lines<BufReader<ReadHalf<DuplexStream>>>,
    outgoing: WriteHalf<DuplexStream>,
    version: String,
    last_id: u64,
}

impl Mcp {
    fn new(local: DuplexStream, version: String) -> Self {
        let (incoming, outgoing) = tokio::io::split(local);
        Self { incoming: BufReader::new(incoming).lines(), outgoing, version, last_id: 0 }
    }

    async fn converse(mut self, context: &Value) -> Result<()> {
        if !self.is_stateless() {
            let hello = json!({
                "protocolVersion": self.version,
                "capabilities": capabilities(),
                "clientInfo": client_info(),
            });
            self.request("initialize", hello).await?;
            self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
        }
        let listed = self.request("tools/list", json!({})).await?;
        let tools = listed["tools"].as_array().cloned().unwrap_or_default();
        let one_each = tools.iter().map(|tool| {
            let arguments = example(&tool["inputSchema"], &tools[0]["inputSchema"]);
            json!({"name": tool["name"], "arguments": arguments})
        });
        let listed = context["toolCalls"].as_array().cloned();
        for call in listed.unwrap_or_else(|| one_each.collect()) {
            self.call(call).await?;
        }
        self.outgoing.shutdown().await?;
        Ok(())
    }

    /// Calls a tool, and again with what it asks for meanwhile (MCP 2026-07-28, "Multi Round-Trip Requests").
    async fn call(&mut self, call: Value) -> Result<()> {
        let mut result = self.request("tools/call", call.clone()).await?;
        while result["resultType"] == "input_required" {
            let asked = result["inputRequests"].as_object();
            let answers = asked.into_iter().flatten().map(|(key, request)| {
                (key.clone(), answer(request["method"].as_str().unwrap_or_default(), &request["params"]))
            });
            let mut again = call.clone();
            again["inputResponses"] = Value::Object(answers.collect());
            if let Some(state) = result.get("requestState") {
                again["requestState"] = state.clone();
            }
            result = self.request("tools/call", again).await?;
        }
        Ok(())
    }

    fn is_stateless(&self) -> bool {
        self.version.as_str() >= STATELESS
    }

    /// Sends a request and returns its result; once more, where the server speaks another revision.
    async fn request(&mut self, method: &str, params: Value) -> Result<Value> {
        let error = match self.exchange(method, params.clone()).await? {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        let supported = error["data"]["supported"].as_array().into_iter().flatten().filter_map(Value::as_str);
        match supported.filter(|version| *version >= STATELESS).max() {
            // A scenario about schemas lists a tool, and has none that can be called: its answer is the tool's.
            _ if method == "tools/call" && error["code"] == METHOD_NOT_FOUND => Ok(Value::Null),
            Some(version) if error["code"] == UNSUPPORTED_VERSION => {
                self.version = version.to_owned();
                self.exchange(method, params).await?.map_err(|error| anyhow!("{method}: {error}"))
            }
            _ => bail!("{method}: {error}"),
        }
    }

    /// One request and its result or error, answering what the server asks meanwhile.
    async fn exchange(&mut self, method: &str, mut params: Value) -> Result<Result<Value, Value>> {
        if self.is_stateless() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.version,
                "io.modelcontextprotocol/clientInfo": client_info(),
                "io.modelcontextprotocol/clientCapabilities": capabilities(),
            });
        }
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await?;
        loop {
            let line = self.incoming.next_line().await?.context("the bridge ended early")?;
            let message: Value = serde_json::from_str(&line)?;
            match (message["method"].as_str(), message.get("id")) {
                (Some(asked), Some(theirs)) => {
                    let result = answer(asked, &message["params"]);
                    self.send(&json!({"jsonrpc": "2.0", "id": theirs, "result": result})).await?;
                }
                (None, Some(theirs)) if *theirs == json!(id) => {
                    let error = message.get("error").cloned();
                    return Ok(error.map_or_else(|| Ok(message["result"].clone()), Err));
                }
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: &Value) -> Result<()> {
        self.outgoing.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(())
    }
}

fn client_info() -> Value {
    json!({"name": "hallpass-conformance-client", "version": env!("CARGO_PKG_VERSION")})
}

fn capabilities() -> Value {
    json!({"elicitation": {"form": {"applyDefaults": true}}})
}

/// What a person in front of this client would answer: what the form suggests.
fn answer(method: &str, params: &Value) -> Value {
    match method {
        "elicitation/create" => {
            let fields = params["requestedSchema"]["properties"].as_object();
            let suggested = fields
                .into_iter()
                .flatten()
                .filter_map(|(name, field)| Some((name.clone(), field.get("default")?.clone())));
            json!({"action": "accept", "content": suggested.collect::<Map<_, _>>()})
        }
        _ => json!({}),
    }
}

/// Arguments that fit a tool's schema. Where a tool wants a schema, it gets one that the server sent.
fn example(schema: &Value, any_schema: &Value) -> Value {
    let properties = schema["properties"].as_object();
    let values = properties.into_iter().flatten().map(|(name, property)| {
        let value = match property["type"].as_str() {
            Some("number" | "integer") => json!(3),
            Some("boolean") => json!(true),
            Some("array") => json!([]),
            Some("object") if name == "schema" => any_schema.clone(),
            Some("object") => example(property, any_schema),
            _ => json!("text"),
        };
        (name.clone(), value)
    });
    Value::Object(values.collect())
}
