//! Client and redirect URI. Until both are right, no answer may leave this server.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::redirect::RedirectUri;

use crate::clients::{Client, ClientKind, Unresolved, resolve};
use crate::pages::Problem;
use crate::server::Inner;

/// A client, and a redirect URI that is its own. Only [`prove`] and [`prove_again`] make one.
#[derive(Debug)]
pub(crate) struct Proven {
    client: Client,
    redirect: RedirectUri,
}

impl Proven {
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn redirect(&self) -> &RedirectUri {
        &self.redirect
    }

    /// Whether a browser may be sent there although no person has decided anything yet. A stranger who registers a
    /// client would have a link that begins here and ends at a site of theirs (RFC 9700 §4.11.2: where the redirect URI
    /// is not trusted, the server informs the user and relies on the user's decision). The operator's own clients are
    /// trusted, and a loopback URI leads to no site.
    pub(crate) fn is_trusted_unasked(&self) -> bool {
        self.client.kind == ClientKind::Configured || self.redirect.is_loopback()
    }
}

/// Proves the redirect URI of a request. A refusal is a page of this server, with no `Location`.
pub(crate) async fn prove(server: &Inner, parameters: &Parameters) -> Result<Proven, Problem> {
    let id = client_id(parameters)?;
    let client = client(server, id).await?;
    let redirect = redirect_uri(parameters, &client).map_err(|problem| problem.of_client(id))?;
    Ok(Proven { client, redirect })
}

/// Proves it once more for a request that has waited: the client may have changed in the meantime.
pub(crate) async fn prove_again(
    server: &Inner,
    client_id: &str,
    redirect: &RedirectUri,
) -> Result<Proven, Problem> {
    let client = client(server, client_id).await?;
    if !is_registered(&client, redirect) {
        return Err(not_registered(redirect).of_client(client_id));
    }
    Ok(Proven { client, redirect: redirect.clone() })
}

/// OAuth 2.1 §4.1.1: `client_id` is required.
fn client_id(parameters: &Parameters) -> Result<&str, Problem> {
    let id = parameters.get("client_id").ok().flatten();
    id.ok_or_else(|| Problem::client("client_missing", "The request names no client (client_id)."))
}

async fn client(server: &Inner, id: &str) -> Result<Client, Problem> {
    match resolve(server, id).await {
        Ok(client) => Ok(client),
        Err(Unresolved::Store(error)) => Err(error.into()),
        Err(unresolved) => {
            let what = format!("The client “{}” cannot be let in: {unresolved}.", crate::pages::shown(id));
            Err(Problem::client(unresolved.rule(), what).of_client(id))
        }
    }
}

/// OAuth 2.1 §4.1.1: optional where the client has registered exactly one, required otherwise.
fn redirect_uri(parameters: &Parameters, client: &Client) -> Result<RedirectUri, Problem> {
    let asked = parameters.get("redirect_uri").ok().flatten();
    let Some(asked) = asked else {
        return match client.redirect_uris.as_slice() {
            [only] => Ok(only.clone()),
            _ => Err(Problem::client(
                "redirect_uri_missing",
                "The request names no redirect URI, and the client has registered several.",
            )),
        };
    };
    let redirect = RedirectUri::parse(asked)
        .map_err(|error| format!("The redirect URI cannot be used: {error}."))
        .map_err(|what| Problem::client("redirect_uri_unusable", what))?;
    if !is_registered(client, &redirect) {
        return Err(not_registered(&redirect));
    }
    Ok(redirect)
}

/// RFC 9700 §2.1: exact comparison; RFC 8252 §7.3: of a loopback URI the port may vary.
fn is_registered(client: &Client, redirect: &RedirectUri) -> bool {
    client.redirect_uris.iter().any(|registered| registered.matches(redirect))
}

fn not_registered(redirect: &RedirectUri) -> Problem {
    let redirect = crate::pages::shown(redirect.as_str());
    let what = format!("The redirect URI {redirect} is not one that the client has registered.");
    Problem::client("redirect_uri_unregistered", what)
}
