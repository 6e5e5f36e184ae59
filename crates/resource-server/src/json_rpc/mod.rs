//! JSON-RPC 2.0, as far as policy needs it: a look at the body, and errors.

mod error;
mod fold;
mod mirrored;
mod peek;
mod scalar;
mod seen;
mod within;

pub use error::{FORBIDDEN, HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, error_response};
pub use fold::folds_to;
pub use mirrored::{check_mirrored_headers, mirrored_value};
pub use peek::{Id, Message, PeekError, peek};
