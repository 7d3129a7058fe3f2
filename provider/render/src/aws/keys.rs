//! What objects of a network are called, and the networks that every one of them knows.

use cloud::{Kind, ObjectKey};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The name of objects of which a network has one.
pub const MAIN: &str = "main";
pub(super) const ANY_IPV4: IpNet = IpNet::new_assert(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
pub(super) const ANY_IPV6: IpNet = IpNet::new_assert(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// The key of an object of this network.
pub fn key(kind: Kind, name: impl Into<String>) -> ObjectKey {
    ObjectKey::new(kind, name)
}

/// `@kind/name`, for a setting that refers to an object of this network.
pub fn reference(kind: Kind, name: impl Into<String>) -> String {
    key(kind, name).reference()
}
