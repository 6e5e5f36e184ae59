//! Tools that answer later: the extension `io.modelcontextprotocol/tasks`.

use std::time::Duration;

use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions};
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::content::argument;
use crate::input;
use crate::server::{Server, known, text};

/// These have no answer for a client that does not know tasks.
const ONLY_AS_TASKS: [&str; 4] = ["failing_job", "confirm_delete", "multi_input", "test_tool_with_task"];

type Answer = Result<CallToolResponse, ErrorData>;

/// What the tool answers. `None`: it is none of these.
pub(crate) async fn answer(
    server: &Server,
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Option<Answer> {
    let knows_tasks = context.client_capabilities().is_some_and(|can| can.supports_tasks());
    if ONLY_AS_TASKS.contains(&&*call.name) && !knows_tasks {
        let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        return Some(Err(ErrorData::missing_required_client_capability(known(tasks))));
    }
    let later = |work: fn(Value, TaskContext) -> TaskFuture, arguments: Value| {
        let task = server.tasks.spawn(TaskOptions::default(), move |context| work(arguments, context));
        Ok(CreateTaskResult::new(task).into())
    };
    let arguments = json!(call.arguments);
    Some(match &*call.name {
        "greet" => Ok(text(format!("Hello, {}!", argument(call, "name").unwrap_or("friend"))).into()),
        "slow_compute" if knows_tasks => {
            later(|arguments, context| Box::pin(slow(arguments, context)), arguments)
        }
        "slow_compute" => {
            sleep(seconds(&arguments)).await;
            Ok(text(computed(&arguments)).into())
        }
        "failing_job" => later(|_, _| Box::pin(failing()), arguments),
        "protocol_error_job" if knows_tasks => later(|_, _| Box::pin(broken()), arguments),
        "protocol_error_job" => Err(failure()),
        "confirm_delete" => later(|arguments, context| Box::pin(confirm(arguments, context)), arguments),
        "multi_input" => later(|_, context| Box::pin(two_questions(context)), arguments),
        "test_tool_with_task" => match input::response(call.input_responses.as_ref(), "user_name") {
            Some(name) => {
                let name = json!(input::field(name, "name"));
                later(|name, _| Box::pin(greeting(name)), name)
            }
            None => {
                let ask = input::elicitation("user_name", "What is your name?");
                Ok(input::required([ask], None).into())
            }
        },
        _ => return None,
    })
}

fn seconds(arguments: &Value) -> Duration {
    Duration::from_secs_f64(arguments["seconds"].as_f64().unwrap_or(1.0).clamp(0.0, 60.0))
}

fn computed(arguments: &Value) -> String {
    format!("{} is computed", arguments["label"].as_str().unwrap_or("It"))
}

/// Stops when it is told to.
async fn slow(arguments: Value, context: TaskContext) -> Result<CallToolResult, TaskExit> {
    tokio::select! {
        () = context.cancelled() => Err(TaskExit::Cancelled),
        () = sleep(seconds(&arguments)) => Ok(text(computed(&arguments))),
    }
}

/// A tool that fails has a result, which says so: the task is completed.
async fn failing() -> Result<CallToolResult, TaskExit> {
    sleep(Duration::from_millis(200)).await;
    Ok(CallToolResult::error(text("The job failed, as it always does").content))
}

/// A request that fails has no result: the task has failed.
async fn broken() -> Result<CallToolResult, TaskExit> {
    sleep(Duration::from_millis(200)).await;
    Err(TaskExit::Error(failure()))
}

fn failure() -> ErrorData {
    ErrorData::internal_error("The request failed, as it always does", None)
}

async fn confirm(arguments: Value, context: TaskContext) -> Result<CallToolResult, TaskExit> {
    let schema =
        json!({"type": "object", "properties": {"confirm": {"type": "boolean"}}, "required": ["confirm"]});
    let params = json!({"mode": "form", "message": format!("Delete {}?", arguments["filename"]), "requestedSchema": schema});
    let ask = known(json!({"method": "elicitation/create", "params": params}));
    let answer = context.request_input("confirm", ask).await?;
    Ok(text(format!("The person says {}", answer["content"]["confirm"])))
}

/// Both are open at the same time, and may be answered one by one.
async fn two_questions(context: TaskContext) -> Result<CallToolResult, TaskExit> {
    let (one, two) =
        (input::elicitation("first", "What comes first?"), input::elicitation("second", "What then?"));
    let (one, two) = tokio::join!(context.request_input(one.0, one.1), context.request_input(two.0, two.1));
    Ok(text(format!("First {}, then {}", one?["content"], two?["content"])))
}

async fn greeting(name: Value) -> Result<CallToolResult, TaskExit> {
    sleep(Duration::from_millis(200)).await;
    Ok(text(format!("Hello, {}!", name.as_str().unwrap_or("nobody"))))
}
