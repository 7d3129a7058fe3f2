//! One spelling for networks: the one that AWS is shown to have.

use std::net::IpAddr;

/// `2001:db8::/32` for `2001:DB8:0::/32`. What is no CIDR stays as it is.
pub fn canonical_cidr(text: &str) -> String {
    let parse = |(address, length): (&str, &str)| Some((address.parse::<IpAddr>().ok()?, length.parse::<u8>().ok()?));
    let parsed = text.split_once('/').and_then(parse);
    parsed.map_or_else(|| text.to_owned(), |(address, length)| format!("{address}/{length}"))
}
