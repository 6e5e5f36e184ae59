//! `hallpass logout`.

use hallpass_client::Revocation;

use super::{Place, remote};
use crate::cli::{Fields, Remote};
use crate::exit::Failure;

/// Revokes what is stored for the server, and forgets it.
pub(crate) async fn run(remote: Remote, place: &Place) -> Result<(), Failure> {
    let server = &remote.url;
    let ended = remote::client(&remote, &Fields::default(), place)?.logout().await?;
    if ended.is_empty() {
        anstream::println!("There was no login to {server}.");
    }
    for login in ended {
        let issuer = &login.account.issuer;
        match login.revocation {
            Revocation::Done => {
                anstream::println!("Logged out of {server}; {issuer} has revoked the tokens.")
            }
            Revocation::RefreshTokenOnly => anstream::println!(
                "Logged out of {server}; {issuer} has revoked the refresh token. It revokes no access tokens: a copy of the last one works until it ends."
            ),
            Revocation::NotOffered => anstream::println!(
                "Logged out of {server}. {issuer} offers no revocation: a copy of the tokens works until they end."
            ),
            Revocation::Failed(error) => anstream::println!(
                "Logged out of {server}, but {issuer} did not revoke the tokens ({error}); they work until they end."
            ),
        }
    }
    Ok(())
}
