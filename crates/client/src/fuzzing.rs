//! What the fuzz targets reach of this crate. No part of its interface.

use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::resource_metadata::ProtectedResourceMetadata;
use reqwest::{Body, Response};
use serde_json::Value;
use url::Url;

use crate::{connect::events, discover};

/// The answer that the bridge takes from a response, of that type and in those pieces.
pub async fn first_answer(media_type: &str, pieces: Vec<Vec<u8>>) -> Option<Value> {
    let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
    let body = Body::wrap_stream(futures_util::stream::iter(pieces));
    let response = http::Response::builder().header(http::header::CONTENT_TYPE, media_type).body(body);
    events::first_answer(Response::from(response.ok()?)).await
}

/// Whether metadata from that location is about the server.
pub fn is_believed(metadata: ProtectedResourceMetadata, server: &ResourceIdentifier, location: Url) -> bool {
    discover::is_believed(metadata, server, location)
}
