//! The configuration of Squid as a forward proxy with an allow list: what is not on the list is refused, nothing is kept.

use ipnet::IpNet;

/// Path of Squid's configuration.
pub const CONF: &str = "/etc/squid/squid.conf";
/// Path of the list that the configuration reads domains from.
pub const DOMAINS: &str = "/etc/squid/allowed-domains.txt";

/// Never a destination, whatever the allow list says: this host, link-local addresses (among them the metadata service, time and DNS
/// of EC2, which in IPv6 are in fd00:ec2::/32) and multicast. Whoever may use a proxy would else read its credentials through it.
const FORBIDDEN: [&str; 8] =
    ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/127", "fe80::/10", "fd00:ec2::/32", "ff00::/8"];

/// What Squid allows: from whom, to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SquidSpec {
    /// What Squid calls itself in its error pages.
    pub name: String,
    pub port: u16,
    /// Networks that may use the proxy.
    pub client_cidrs: Vec<IpNet>,
    /// As Squid's `dstdomain` has them: `.example.net` is the domain and all below it.
    pub allowed_domains: Vec<String>,
    pub allowed_cidrs: Vec<IpNet>,
}

impl SquidSpec {
    /// The content of `squid.conf`.
    pub fn render_conf(&self) -> String {
        let mut lines = vec![
            "# Forward proxy with an allow list. Rules are read from top to bottom; the first that fits decides.".to_owned(),
            format!("http_port {}", self.port),
            format!("visible_hostname {}", self.name),
            String::new(),
        ];
        lines.extend(aggregated(&self.client_cidrs).map(|network| format!("acl clients src {network}")));
        lines.push("acl tls_ports port 443".into());
        lines.push("acl safe_ports port 80 443".into());
        // -n: an address is not looked up backwards, for its owner decides what name that gives; and a name that is not on the list is
        // not looked up at all, because even a look-up can carry data out.
        let mut neither = Vec::new();
        if !self.allowed_domains.is_empty() {
            lines.push(format!("acl allowed_domains dstdomain -n \"{DOMAINS}\""));
            neither.push("!allowed_domains");
        }
        if !self.allowed_cidrs.is_empty() {
            lines.extend(aggregated(&self.allowed_cidrs).map(|network| format!("acl allowed_cidrs dst -n {network}")));
            neither.push("!allowed_cidrs");
        }
        lines.push(format!("acl forbidden dst {}", FORBIDDEN.join(" ")));
        lines.push(String::new());
        lines.push("http_access deny manager".into());
        lines.push("http_access deny !clients".into());
        lines.push("http_access deny !safe_ports".into());
        lines.push("http_access deny CONNECT !tls_ports".into());
        lines.push(format!("http_access deny {}", if neither.is_empty() { "all".to_owned() } else { neither.join(" ") }));
        lines.push("http_access deny forbidden".into());
        lines.push("http_access allow clients".into());
        lines.push("http_access deny all".into());
        lines.push(String::new());
        lines.extend(PRIVACY.map(str::to_owned));
        lines.join("\n") + "\n"
    }

    /// One domain per line. What another line covers is left out: Squid refuses to start with both.
    pub fn render_domains(&self) -> String {
        let mut domains: Vec<String> = self.allowed_domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        domains.sort();
        domains.dedup();
        let covered = |domain: &str| domains.iter().any(|other| other != domain && covers(other, domain));
        domains.iter().filter(|domain| !covered(domain)).map(|domain| format!("{domain}\n")).collect()
    }
}

/// Whether all of a network is forbidden, so that allowing it would do nothing.
pub fn is_forbidden(network: &IpNet) -> bool {
    FORBIDDEN.iter().filter_map(|text| text.parse::<IpNet>().ok()).any(|forbidden| forbidden.contains(network))
}

const PRIVACY: [&str; 7] = [
    "cache deny all",
    "via off",
    "forwarded_for delete",
    "httpd_suppress_version_string on",
    "access_log daemon:/var/log/squid/access.log squid",
    "coredump_dir /var/spool/squid",
    "shutdown_lifetime 3 seconds",
];

/// `.example.net` covers `example.net` and `.www.example.net`.
fn covers(wide: &str, narrow: &str) -> bool {
    wide.starts_with('.') && (narrow.ends_with(wide) || narrow == &wide[1..])
}

/// Squid warns of networks within others.
fn aggregated(networks: &[IpNet]) -> impl Iterator<Item = IpNet> {
    IpNet::aggregate(&networks.to_vec()).into_iter()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[track_caller]
    fn check_domains(domains: &[&str], expect: &str) {
        let spec = SquidSpec {
            name: "proxy".into(),
            port: 3128,
            client_cidrs: Vec::new(),
            allowed_domains: domains.iter().map(ToString::to_string).collect(),
            allowed_cidrs: Vec::new(),
        };
        assert_eq!(spec.render_domains(), expect);
    }

    #[test]
    fn what_another_line_covers_is_left_out() {
        check_domains(&["www.example.net", ".example.net", "example.net"], ".example.net\n");
        check_domains(&["a.example.net", "b.example.net", "a.example.net"], "a.example.net\nb.example.net\n");
        check_domains(&[".s3.example.net", ".example.net"], ".example.net\n");
        check_domains(&["notexample.net", ".example.net"], ".example.net\nnotexample.net\n");
        check_domains(&["Example.NET"], "example.net\n");
        check_domains(&[], "");
    }

    #[test]
    fn without_an_allow_list_everything_is_refused() {
        let spec = SquidSpec {
            name: "proxy".into(),
            port: 3128,
            client_cidrs: vec!["10.0.0.0/16".parse().unwrap()],
            allowed_domains: Vec::new(),
            allowed_cidrs: Vec::new(),
        };
        let conf = spec.render_conf();
        let rules: Vec<&str> = conf.lines().filter(|line| line.starts_with("http_access")).collect();
        assert_eq!(rules[4], "http_access deny all");
    }
}
