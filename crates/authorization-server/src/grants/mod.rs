//! What the token endpoint exchanges for tokens, one file a grant type.

mod access_token;
mod authorization_code;
mod binding;
mod client_credentials;
mod device_code;
mod jwt_bearer;
mod linked;
mod refresh_token;
mod refusal;
mod sender;
mod still;
mod token_exchange;
mod user_code;

pub(crate) use authorization_code::redeem;
pub(crate) use binding::{Binding, MustBind};
pub(crate) use client_credentials::issue_to_client;
pub(crate) use device_code::redeem_device;
pub(crate) use jwt_bearer::{client_of_workload, exchange_assertion};
pub(crate) use refresh_token::{alive, follow, newest, refresh, successor_key};
pub(crate) use refusal::{Refusal, storage};
pub(crate) use sender::{Sender, UnspentProof};
pub(crate) use token_exchange::exchange_token;
pub(crate) use user_code::UserCode;
