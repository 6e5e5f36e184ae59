//! What the fuzz targets reach of this crate. No part of its interface.

use std::io;
use std::net::SocketAddr;

use axum::response::Response;
use hallpass_resource_server::policy::Asked;
use hallpass_resource_server::{Caller, ResourceServer};

use crate::listing::{Listing, Lists};

/// What becomes of an answer.
pub async fn listed(
    asked: &[Asked],
    listing: Listing,
    answer: Response,
    server: &ResourceServer,
    caller: &Caller,
) -> Response {
    match Lists::of(asked, listing) {
        Some(lists) => lists.apply(answer, server, caller).await,
        None => answer,
    }
}

/// Whom a connection is from, by the header of the PROXY protocol that it begins with.
///
/// # Errors
/// Where it begins with none.
pub async fn told(stream: &mut &[u8]) -> io::Result<Option<SocketAddr>> {
    crate::edge::proxies::told(stream).await
}
