//! Spans of requests, for a collector of OpenTelemetry.
//!
//! | room | what is in it |
//! |---|---|
//! | `context` | which trace a span belongs to, and what upstream is told of it |
//! | `span` | what a request was |
//! | `document` | many of them, in OTLP's JSON |
//! | `export` | from whoever has a span to the collector |
//!
//! Without the feature `otlp` there is none of it, and no [`Spans`] can be made.

#[cfg(feature = "otlp")]
mod context;
#[cfg(feature = "otlp")]
mod document;
#[cfg(feature = "otlp")]
mod export;
#[cfg(not(feature = "otlp"))]
mod not_built;
#[cfg(feature = "otlp")]
mod span;

#[cfg(feature = "otlp")]
pub(crate) use self::export::Begun;
#[cfg(feature = "otlp")]
pub use self::export::{Collector, Exporter, Spans};
#[cfg(not(feature = "otlp"))]
pub(crate) use self::not_built::Begun;
#[cfg(not(feature = "otlp"))]
pub use self::not_built::Spans;
