//! `--mode`, and the credentials that come with it. No secret is ever an argument.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use hallpass_client::{
    ClientAuthentication, ClientCredentials, EnterpriseManaged, IdentityProvider, MachineClient, Mode,
    PrivateKey, SecretSource, WorkloadIdentity,
};
use hallpass_protocol::Secret;

use super::{prompt, remote::text};
use crate::cli::{self, Server, Unattended};
use crate::exit::Failure;

/// How the client shows who it is. Standard input is read here, once.
pub(super) fn credential(server: &Server) -> anyhow::Result<ClientAuthentication> {
    let identity = &server.identity;
    if identity.client_secret_stdin {
        return Ok(ClientAuthentication::Secret(prompt::from_stdin("client secret")?));
    }
    if let Some(path) = &identity.client_key_file {
        return Ok(ClientAuthentication::Assertion(Arc::new(private_key(path)?)));
    }
    let secret = secret(
        ("--client-secret-env", identity.client_secret_env.as_ref()),
        identity.client_secret_file.as_ref(),
    );
    Ok(match secret? {
        Some(secret) => ClientAuthentication::Secret(secret),
        None if server.way.client_cert.is_some() => ClientAuthentication::Certificate,
        None => ClientAuthentication::None,
    })
}

/// What lets this client register itself.
pub(super) fn registration_token(asked: &cli::Interaction) -> anyhow::Result<Option<Secret>> {
    let variable = ("--registration-token-env", asked.registration_token_env.as_ref());
    secret(variable, asked.registration_token_file.as_ref())
}

/// What assertions are signed with.
pub(super) fn private_key(path: &Path) -> anyhow::Result<PrivateKey> {
    let key = PrivateKey::from_pem(&Secret::new(text(path)?), None, None);
    key.with_context(|| format!("{} holds no private key that can be used", path.display()))
}

/// A secret as it is now.
fn secret(
    (option, variable): (&str, Option<&String>),
    file: Option<&PathBuf>,
) -> anyhow::Result<Option<Secret>> {
    let (read, place) = match (variable, file) {
        (Some(name), _) => {
            // Not the error itself: for text that is not Unicode it holds the value.
            let value = std::env::var(name);
            (value.map_err(|_| anyhow!("the variable {name} of {option} is not set"))?, name.clone())
        }
        (None, Some(path)) => (text(path)?, path.display().to_string()),
        (None, None) => return Ok(None),
    };
    let read = Secret::new(read);
    match read.expose().trim() {
        "" => bail!("{place} is empty; it should hold a secret"),
        secret => Ok(Some(Secret::new(secret))),
    }
}

/// Something that is read anew each time it is needed.
fn source(
    variable: Option<&String>,
    file: Option<&PathBuf>,
    missing: &'static str,
) -> Result<SecretSource, Failure> {
    match (variable, file) {
        (Some(name), _) => Ok(SecretSource::Environment(name.clone())),
        (None, Some(path)) => Ok(SecretSource::File(path.clone())),
        (None, None) => Err(Failure::usage(missing)),
    }
}

/// What `--mode` names, with what it needs.
pub(super) fn mode(server: &Server, credential: &ClientAuthentication) -> Result<Mode, Failure> {
    let given = &server.mode;
    let issuer = server.issuer.authorization_server.clone();
    let scope = server.scope.clone();
    let client = |mode: &str| {
        let client_id = server.identity.client_id.clone().ok_or_else(|| {
            Failure::Usage(anyhow!("--mode {mode} needs --client-id ID and --authorization-server ISSUER"))
        })?;
        Ok::<_, Failure>(MachineClient { client_id, authentication: credential.clone() })
    };
    Ok(match given.mode {
        cli::Mode::Auto => Mode::Auto,
        cli::Mode::None => Mode::None,
        cli::Mode::Oauth => Mode::OAuth,
        cli::Mode::Bearer => Mode::Bearer(source(
            given.bearer_env.as_ref(),
            given.bearer_file.as_ref(),
            "--mode bearer needs --bearer-env NAME or --bearer-file FILE",
        )?),
        cli::Mode::ClientCredentials => {
            let client = client("client-credentials")?;
            if matches!(client.authentication, ClientAuthentication::None) {
                return Err(Failure::usage(
                    "--mode client-credentials needs --client-secret-env NAME, --client-secret-file FILE, \
                     --client-secret-stdin, --client-key-file FILE, or --client-cert with --client-key",
                ));
            }
            Mode::ClientCredentials(ClientCredentials { client, issuer, scope })
        }
        cli::Mode::WorkloadIdentity => Mode::WorkloadIdentity(WorkloadIdentity {
            client: client("workload-identity")?,
            assertion: source(
                given.assertion_env.as_ref(),
                given.assertion_file.as_ref(),
                "--mode workload-identity needs --assertion-env NAME or --assertion-file FILE",
            )?,
            issuer,
            scope,
        }),
        cli::Mode::EnterpriseManaged => Mode::EnterpriseManaged(EnterpriseManaged {
            identity_provider: identity_provider(given)?,
            id_token: source(
                given.id_token_env.as_ref(),
                given.id_token_file.as_ref(),
                "--mode enterprise-managed needs --id-token-env NAME or --id-token-file FILE",
            )?,
            client: client("enterprise-managed")?,
            issuer,
            scope,
        }),
    })
}

fn identity_provider(given: &Unattended) -> Result<IdentityProvider, Failure> {
    let (Some(issuer), Some(client_id)) = (given.idp.clone(), given.idp_client_id.clone()) else {
        return Err(Failure::usage("--mode enterprise-managed needs --idp ISSUER and --idp-client-id ID"));
    };
    let secret = secret(
        ("--idp-client-secret-env", given.idp_client_secret_env.as_ref()),
        given.idp_client_secret_file.as_ref(),
    )
    .map_err(Failure::Configuration)?;
    let authentication = secret.map_or(ClientAuthentication::None, ClientAuthentication::Secret);
    Ok(IdentityProvider {
        issuer,
        token_endpoint: given.idp_token_endpoint.as_ref().map(ToString::to_string),
        client: MachineClient { client_id, authentication },
    })
}
