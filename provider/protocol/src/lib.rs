//! Serves a provider to Terraform and OpenTofu over plugin protocol 6.
//! `main` calls [`serve`]; everything that is behind it implements the traits of [`provider`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bug;
mod calls;
mod check;
mod controller;
mod convert;
mod handshake;
mod identity;
mod log;
mod panic;
mod provider;
mod server;
mod service;
mod socket;
mod tls;
#[doc(hidden)] // public for the tests, which speak to the server as an engine does
pub mod wire;

pub use handshake::{Launch, ServeError};
pub use provider::*;
pub use server::{Server, serve, serve_for_debugging};
