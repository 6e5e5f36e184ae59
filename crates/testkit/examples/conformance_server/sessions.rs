//! rmcp's sessions, and one thing that a tool of rmcp cannot do by itself: close its own stream while it works, so that
//! the client has to come back for the answer (revision 2025-11-25, Resumability). The session can.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    RestoreOutcome, ServerSseMessage, SessionId, SessionManager,
};
use tokio::time::sleep;

/// The tool whose stream is closed.
pub(crate) const LOSES_ITS_STREAM: &str = "test_reconnection";

/// Before the tool answers.
const AFTER: Duration = Duration::from_millis(50);

/// Sessions in memory.
#[derive(Debug, Default)]
pub(crate) struct Sessions(LocalSessionManager);

impl Sessions {
    /// The stream of a call, closed by the session a moment later. What comes after that is kept for `Last-Event-ID`.
    async fn stream_that_is_lost(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, LocalSessionManagerError> {
        let session = self.0.sessions.read().await.get(id).cloned();
        let session = session.ok_or_else(|| LocalSessionManagerError::SessionNotFound(id.clone()))?;
        let mut receiver = session.establish_request_wise_channel().await?;
        session.push_message(message, receiver.http_request_id).await?;
        if let Some(request) = receiver.http_request_id {
            tokio::spawn(async move {
                sleep(AFTER).await;
                // It fails where the client has gone, and then there is nothing to close.
                let _gone = session.close_sse_stream(request, None).await;
            });
        }
        Ok(stream::poll_fn(move |context| receiver.inner.poll_recv(context)))
    }
}

fn loses_its_stream(message: &ClientJsonRpcMessage) -> bool {
    let ClientJsonRpcMessage::Request(message) = message else { return false };
    matches!(&message.request, ClientRequest::CallToolRequest(call) if call.params.name == LOSES_ITS_STREAM)
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        if loses_its_stream(&message) {
            return Ok(self.stream_that_is_lost(id, message).await?.left_stream());
        }
        Ok(self.0.create_stream(id, message).await?.right_stream())
    }

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        self.0.create_session().await
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.0.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.0.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.0.close_session(id).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.0.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.0.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.0.resume(id, last_event_id).await
    }

    async fn restore_session(&self, id: SessionId) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        self.0.restore_session(id).await
    }
}
