//! What the server says of itself, and which room answers what.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{collections::HashMap, sync::Arc};

use rmcp::model::*;
use rmcp::service::{RequestContext, SubscriptionContext, SubscriptionSink};
use rmcp::task_manager::TaskManager;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::sealed::Seal;
use crate::{content, conversation, input, prompts, resources, tasks, tools};

/// How long a client may keep what it was told, in milliseconds.
const FRESH: u64 = 60_000;

/// All sessions and all requests without one share it.
#[derive(Clone, Default)]
pub(crate) struct Server {
    pub(crate) tasks: TaskManager,
    pub(crate) seal: Arc<Seal>,
    subscriptions: Arc<Subscriptions>,
}

/// The streams of `subscriptions/listen` that are open.
#[derive(Default)]
struct Subscriptions {
    next: AtomicU64,
    open: Mutex<HashMap<u64, SubscriptionSink>>,
}

impl Subscriptions {
    async fn all(&self) -> Vec<SubscriptionSink> {
        self.open.lock().await.values().cloned().collect()
    }
}

/// What is written down in this program as JSON, as rmcp's type for it.
pub(crate) fn known<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("what this program writes down has the form that MCP gives it")
}

/// A result that is one line of text.
pub(crate) fn text(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

impl Server {
    /// Tells every stream that listens for it. A stream that is gone is no reason to fail.
    async fn announce(&self, name: &str) -> CallToolResult {
        for subscription in self.subscriptions.all().await {
            let _gone = match name {
                "test_trigger_tool_change" => subscription.notify_tool_list_changed().await,
                _ => subscription.notify_prompt_list_changed().await,
            };
        }
        text("Every stream that listens was told")
    }
}

// `subscribe` and `unsubscribe` are how revisions before 2026-07-28 do it.
#[allow(deprecated)]
impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = known(json!({
            "completions": {},
            "extensions": {"io.modelcontextprotocol/tasks": {}},
            "logging": {},
            "prompts": {"listChanged": true},
            "resources": {"listChanged": true, "subscribe": true},
            "tools": {"listChanged": true},
        }));
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("hallpass-conformance-server", env!("CARGO_PKG_VERSION")))
            .with_instructions("Does what the official conformance suite asks of a server.")
    }

    /// rmcp holds the headers of a call against the schema of the tool that this gives.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().into_iter().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let all = ListToolsResult { tools: tools::all(), ..Default::default() };
        Ok(all.with_ttl_ms(FRESH).with_cache_scope(CacheScope::Public))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = call.name.to_string();
        if let Some(content) = content::of(&call) {
            return Ok(content.into());
        }
        if name.starts_with("test_trigger_") {
            return Ok(self.announce(&name).await.into());
        }
        if let Some(answer) = conversation::answer(&call, &context).await {
            return answer.map(Into::into);
        }
        if let Some(answer) = input::answer(&call, &context, &self.seal) {
            return answer;
        }
        match tasks::answer(self, &call, &context).await {
            Some(answer) => answer,
            None => Err(ErrorData::invalid_params(format!("There is no tool {name}"), None)),
        }
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let all = ListResourcesResult { resources: resources::all(), ..Default::default() };
        Ok(all.with_ttl_ms(FRESH).with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let all =
            ListResourceTemplatesResult { resource_templates: resources::templates(), ..Default::default() };
        Ok(all.with_ttl_ms(FRESH).with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = resources::read(&request.uri)?;
        let read = ReadResourceResult::new(vec![contents]);
        Ok(read.with_ttl_ms(FRESH).with_cache_scope(CacheScope::Public).into())
    }

    async fn subscribe(
        &self,
        _request: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // No resource of this server ever changes, so there is nothing to remember.
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let all = ListPromptsResult { prompts: prompts::all(), ..Default::default() };
        Ok(all.with_ttl_ms(FRESH).with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&request)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let begun = &request.argument.value;
        let fitting = ["paris", "park", "party"].iter().filter(|word| word.starts_with(begun.as_str()));
        let completion = CompletionInfo::new(fitting.map(ToString::to_string).collect());
        Ok(CompleteResult::new(completion.map_err(|error| ErrorData::internal_error(error, None))?))
    }

    /// It sends every message, whatever the level: that is in the client's interest here.
    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let number = self.subscriptions.next.fetch_add(1, Ordering::Relaxed);
        self.subscriptions.open.lock().await.insert(number, context.sink().clone());
        context.cancelled().await;
        self.subscriptions.open.lock().await.remove(&number);
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}
