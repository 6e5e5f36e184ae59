//! `hallpass connect`.

use url::Url;

use super::{Place, remote};
use crate::exit::Failure;

/// Carries messages between standard input and output and the server, until standard input ends.
pub(crate) async fn run(server: Url, place: &Place) -> Result<(), Failure> {
    let client = remote::client(&server, place)?;
    hallpass_client::connect::run(client, tokio::io::stdin(), tokio::io::stdout()).await?;
    Ok(())
}
