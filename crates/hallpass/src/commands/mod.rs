//! The commands other than `serve`, one file each.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod health;
mod initial_token;
pub(crate) mod issuer;
pub(crate) mod key;
pub(crate) mod keys;
mod known;
pub(crate) mod login;
pub(crate) mod logout;
mod machine;
pub(crate) mod man;
pub(crate) mod master_key;
mod of_use;
mod online;
mod place;
pub(crate) mod policy;
mod prompt;
mod remote;
pub(crate) mod scim;
mod stored;
mod table;
pub(crate) mod token;
mod tokens;
pub(crate) mod user;
mod way;
mod when;
mod which;

pub(crate) use place::Place;
