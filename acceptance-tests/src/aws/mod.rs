//! AWS as the tests see it: an emulator (moto server), and before it a proxy that fails on demand and that behaves as AWS documents
//! where the emulator does not. A program under test is given the proxy as its only endpoint.

pub mod account;
pub mod api;
pub mod autoscaling;
pub mod emulator;
pub mod http;
mod inventory;
pub mod lab_cloud;
mod objects;
pub mod proxy;
pub mod xml;

pub use account::Account;
pub use api::{Api, Failure};
pub use emulator::Emulator;
pub use lab_cloud::LabCloud;
pub use proxy::{Call, Fault, FaultProxy, Moment};
pub use xml::Element;
