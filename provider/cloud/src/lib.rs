//! Cloud objects as data: what is declared (a *graph*), what is found, how they differ, in which order they change. Pure.
//!
//! An object is a kind, a name and settings; a setting is a key and a value, both text. A word that begins with `@` in either is a
//! reference to another object of the same graph (`@subnet/private-a`, `@vpc/main.ipv6_cidr[3]`), so that a graph can be written
//! into a plan before anything exists. Crate `aws` makes objects real through the trait [`Cloud`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod api;
mod cidr;
mod cost;
mod difference;
mod endpoint_policy;
mod found;
mod graph;
mod kind;
mod matching;
mod policy;
mod reference;
mod route;
mod rule;
mod target;

pub use api::*;
pub use cidr::canonical_cidr;
pub use cost::{Completeness, Cost, Price, PriceError, PriceTable, Usd, total};
pub use difference::{Change, Difference, Ours, differences, differences_since, ours};
pub use endpoint_policy::{canonical_policy, is_full_access};
pub use found::{AUTOSCALING_GROUP, AUTOSCALING_INSTANCE, Found, Health, Origin, Readiness};
pub use graph::{Graph, GraphError, Object, Setting, Settings, UNKNOWN_KEYS};
pub use kind::{EXCLUSIVE, KUBERNETES_RULE, Kind, Replacement};
pub use matching::{CLUSTER_TAG, HOLDER_TAG, Matching, OBJECT_TAG, match_objects, object_tag};
pub use policy::{Uses, actions, creating};
pub use reference::{ObjectKey, Resolver};
pub use route::{Route, RouteTarget};
pub use rule::{Direction, Peer, Ports, Protocol, Rule, Unreadable};
pub use target::{ALL_ZONES, Registration, Registrations, TargetKey};
