//! Spellings of one thing: what users and modules write in several ways, and what stays as it is when only that changes. Pure.

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The one form of a network, an address, an address with a port or a DNS name. Other words come back in lower case, so it is not for
/// attributes in which case counts.
pub fn of_network(text: &str) -> Option<String> {
    let network = || text.parse::<IpNet>().ok().map(|network| network.to_string());
    let address = || text.parse::<IpAddr>().ok().map(|address| address.to_string());
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.to_string());
    Some(network().or_else(address).or_else(socket).unwrap_or_else(|| text.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_has_one_form() {
        #[track_caller]
        fn check(text: &str, expect: &str) {
            assert_eq!(of_network(text).as_deref(), Some(expect));
        }
        check("fd00:0096::/112", "fd00:96::/112");
        check("FD00:18:0:0::/56", "fd00:18::/56");
        check("172.18.0.0/16", "172.18.0.0/16");
        check("10.77.0.100/24", "10.77.0.100/24");
        check("FD77:0:0:1::13", "fd77:0:0:1::13");
        check("[FD77::0013]:6443", "[fd77::13]:6443");
        check("API.Demo.internal", "api.demo.internal");
        check(".PKG.dev", ".pkg.dev");
    }
}
