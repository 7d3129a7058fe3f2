//! This crate from the engine's side: a served fake provider, spoken to over its socket.

#![allow(clippy::unwrap_used)]

mod client;
mod connection;
mod fake;
mod resources;
mod whole_provider;
