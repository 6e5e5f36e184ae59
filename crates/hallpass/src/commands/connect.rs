//! `hallpass connect`.

use hallpass_client::connect::{self, Options, Tools};

use super::{Place, remote};
use crate::cli::{Connect, Transport};
use crate::exit::Failure;

/// Carries messages between standard input and output and the server, until standard input ends.
pub(crate) async fn run(command: Connect, place: &Place) -> Result<(), Failure> {
    if command.remote.server.identity.client_secret_stdin {
        return Err(Failure::Configuration(anyhow::anyhow!(
            "standard input carries messages here, so --client-secret-stdin has no place; \
             use --client-secret-env or --client-secret-file"
        )));
    }
    let client = remote::client(&command.remote, &command.account, &command.fields, place)?;
    let options = Options {
        transport: match command.transport {
            Transport::Auto => connect::Transport::Auto,
            Transport::Http => connect::Transport::Http,
            Transport::Sse => connect::Transport::Sse,
        },
        tools: Tools::new(command.allow_tool, command.ignore_tool),
    };
    connect::run_with(client, options, tokio::io::stdin(), tokio::io::stdout()).await?;
    Ok(())
}
