//! The configuration file: what can be set, and how it is read.
//!
//! A value is judged while it is read, so that a wrong one is reported with its line and column.

mod authorization_server;
mod cedar;
mod credentials;
mod database;
mod delegation;
mod duration;
mod endpoint_path;
mod file;
mod files;
mod host_name;
mod hosts;
mod listen;
mod lists;
mod log;
mod monitoring;
mod mutual_tls;
mod protected;
mod public_url;
mod rules;
mod schema;
mod section;
mod server_name;
mod signed_metadata;
mod size;
mod source;
mod tells;
mod tls;

pub(crate) use authorization_server::{AuthorizationServer, Registration};
pub(crate) use cedar::Cedar;
pub(crate) use credentials::{Claims, Credentials, DigestName, DpopMode, Introspection, Issuer};
pub(crate) use database::{Database, DatabaseFault};
pub(crate) use delegation::{AssertionKind, Exchange, TrustedIssuer};
pub(crate) use duration::Span;
pub(crate) use endpoint_path::EndpointPath;
pub(crate) use file::read;
pub(crate) use host_name::HostName;
pub(crate) use hosts::Host;
pub(crate) use listen::ListenAddress;
pub(crate) use log::{Log, LogSink};
pub(crate) use monitoring::Monitoring;
pub(crate) use protected::Protected;
pub(crate) use public_url::PublicUrl;
pub(crate) use rules::{Condition, Rule, Rules};
pub(crate) use schema::{AccessTokens, Arrangement, Config, Listing, Server, StreamsAtExpiry, WithoutRule};
pub(crate) use section::Section;
pub(crate) use server_name::ServerName;
pub(crate) use signed_metadata::SignedMetadata;
pub(crate) use size::Size;
pub(crate) use source::Source;
pub(crate) use tells::{Assertion, FieldName, OwnField, Tells};
pub(crate) use tls::{Tls, TlsFault};
