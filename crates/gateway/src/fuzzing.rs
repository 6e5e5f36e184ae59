//! What the fuzz targets reach of this crate. No part of its interface.

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
