//! The sample MCP server behind `serve --demo`: a notebook for each person.

mod notes;
mod server;

pub(crate) use server::{READ, WRITE, service};
