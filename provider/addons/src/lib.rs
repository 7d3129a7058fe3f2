//! Add-ons as data: a catalogue of versions, images, typed settings and objects, and what becomes of them in one cluster. Reaches nothing.
//!
//! There is no template language. A setting, and what a cluster says of itself, goes to a field of an object that the catalogue names; what no
//! setting covers is a patch of an object.

mod catalogue;
mod facts;
mod page;
mod patch;
mod pins;
mod place;
mod render;
mod settings;
#[cfg(test)]
mod tests;

pub use catalogue::{Addon, CatalogueError, Ready, Version, addon, names};
pub use facts::Facts;
pub use page::page;
pub use pins::{Pins, is_by_digest, naming};
pub use render::{Choice, Fault, Refusal, Rendered, Subject, advice, images, render};
