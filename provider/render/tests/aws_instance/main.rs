//! Bastion and egress proxy as goldens: `tests/golden_instance/<case>/graph.txt` and `user-data.yaml`. `UPDATE=1` rewrites them and
//! fails once. What Squid reads is judged by Squid.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cloud::{Graph, Setting};
use ipnet::IpNet;
use render::aws::images::{self, Packages};
use render::aws::instance::{self, Dns, DnsAddress, ElasticIp, FirstBoot, InstanceSpec, Key, Security};
use render::aws::squid::{self, SquidSpec};
use render::aws::user_data::LIMIT;
use render::aws::{bastion, egress_proxy};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc3Rpb24tb2YtdGhlLWRlbW8tY2x1c3RlcgAA me@example.net";

fn networks(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn proxy() -> SquidSpec {
    SquidSpec {
        name: "demo-proxy".into(),
        port: 3128,
        client_cidrs: networks(&["10.0.0.0/16", "10.0.128.0/20", "2001:db8:12::/56"]),
        allowed_domains: ["registry.k8s.io", ".pkg.dev", "us.pkg.dev", "dl.k8s.io"].map(str::to_owned).to_vec(),
        allowed_cidrs: networks(&["203.0.113.0/24", "2001:db8:99::/48"]),
    }
}

fn spec(name: &str, user_data: String) -> InstanceSpec {
    InstanceSpec {
        name: name.into(),
        full_name: instance::full_name("demo", name),
        image: "ami-0123456789abcdef0".into(),
        instance_type: "t4g.nano".into(),
        subnet: "subnet-0123456789abcdef0".into(),
        security: Security::Groups(Some(vec!["sg-0123456789abcdef0".into()])),
        key: Key::Public(Some(PUBLIC_KEY.into())),
        elastic_ip: ElasticIp::Own,
        ipv6: true,
        volume_gib: "8".into(),
        dns: None,
        user_data: FirstBoot::Known(user_data),
    }
}

fn dns(name: &str, address: DnsAddress) -> Option<Dns> {
    Some(Dns { zone_id: "Z0123456789ABCDEFGHIJ".into(), name: name.into(), address })
}

fn cases() -> BTreeMap<&'static str, InstanceSpec> {
    let ssh = networks(&["198.51.100.0/24", "2001:db8:77::/48"]);
    let debian = bastion::user_data(&["ssh-ed25519 BBBB colleague".to_owned()], Some(Packages::Apt));
    let own = |rules, description| Security::Own {
        vpc: "vpc-0123456789abcdef0".into(),
        rules: Some(rules),
        exclusive: Some(false),
        description,
    };
    let proxy = proxy();
    let squid = |packages| egress_proxy::user_data(&proxy, &[], packages);
    let ipv4_proxy = SquidSpec { allowed_cidrs: Vec::new(), client_cidrs: networks(&["10.0.0.0/16"]), ..proxy.clone() };
    BTreeMap::from([
        (
            "bastion-dual-stack",
            InstanceSpec { dns: dns("bastion.demo.example.net", DnsAddress::Public), ..spec("bastion", debian.clone()) },
        ),
        (
            "bastion-own-group",
            InstanceSpec { security: own(bastion::rules(&ssh, true), bastion::DESCRIPTION), ..spec("demo-bastion", debian) },
        ),
        (
            "bastion-of-what-exists",
            InstanceSpec {
                key: Key::Name("mine".into()),
                elastic_ip: ElasticIp::Existing("eipalloc-0123456789abcdef0".into()),
                ipv6: false,
                dns: dns("bastion.demo.example.net", DnsAddress::Public),
                ..spec("bastion", bastion::user_data(&[], Some(Packages::Dnf)))
            },
        ),
        (
            "bastion-unknown",
            InstanceSpec {
                image: Setting::Unknown,
                subnet: Setting::Unknown,
                security: Security::Groups(None),
                key: Key::Public(None),
                user_data: FirstBoot::Unknown,
                dns: Some(Dns { zone_id: Setting::Unknown, name: "b.example.net".into(), address: DnsAddress::Public }),
                ..spec("bastion", String::new())
            },
        ),
        (
            "proxy-dual-stack",
            InstanceSpec {
                security: own(egress_proxy::rules(&proxy, &ssh, true), egress_proxy::DESCRIPTION),
                dns: dns("proxy.demo.internal", DnsAddress::Private),
                ..spec("proxy", squid(Some(Packages::Apt)))
            },
        ),
        (
            "proxy-ipv4",
            InstanceSpec {
                security: own(egress_proxy::rules(&ipv4_proxy, &[], false), egress_proxy::DESCRIPTION),
                ipv6: false,
                ..spec("proxy", egress_proxy::user_data(&ipv4_proxy, &[], Some(Packages::Dnf)))
            },
        ),
    ])
}

/// User data stands in a file of its own.
fn text(graph: &Graph) -> String {
    let mut text = String::new();
    for object in graph.iter() {
        text.push_str(&format!("{}\n", object.key));
        for (key, setting) in object.settings.iter().filter(|(key, _)| *key != "user_data") {
            let value = setting.known().map_or("(known after apply)".to_owned(), |value| format!("= {value}"));
            text.push_str(format!("  {key} {value}").trim_end());
            text.push('\n');
        }
    }
    text
}

#[test]
fn graphs_and_user_data_are_as_reviewed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_instance");
    let mut expected: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (case, spec) in cases() {
        let graph = instance::graph(&spec);
        graph.check().unwrap();
        expected.insert(root.join(case).join("graph.txt"), text(&graph));
        if let FirstBoot::Known(text) = spec.user_data {
            expected.insert(root.join(case).join("user-data.yaml"), text);
        }
    }
    let mut stale: Vec<PathBuf> = files_below(&root).into_iter().filter(|path| !expected.contains_key(path)).collect();
    stale.extend(
        expected
            .iter()
            .filter(|(path, text)| std::fs::read_to_string(path).ok().as_ref() != Some(text))
            .map(|(path, _)| path.clone()),
    );
    if std::env::var_os("UPDATE").is_some() {
        for path in &stale {
            match expected.get(path) {
                Some(text) => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, text).unwrap();
                }
                None => std::fs::remove_file(path).unwrap(),
            }
        }
    }
    assert!(stale.is_empty(), "not as reviewed; UPDATE=1 rewrites them: {stale:?}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn user_data_is_yaml_that_fits() {
    for (case, spec) in cases() {
        let FirstBoot::Known(text) = spec.user_data else { continue };
        assert!(text.len() < LIMIT, "{case}");
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{case}: {error}\n{text}"));
        let files = read["write_files"].as_array().unwrap();
        assert!(files.iter().all(|file| file["content"].as_str().unwrap().ends_with('\n')), "{case}");
        let conf = files.iter().find(|file| file["path"] == squid::CONF);
        assert_eq!(conf.is_some(), case.starts_with("proxy"));
    }
}

#[test]
fn a_catalogue_entry_decides_what_updates_itself() {
    let entry = images::find("amazon-linux-2023").unwrap().unwrap();
    assert!(!bastion::user_data(&[], Some(entry.packages)).contains("unattended"));
}

/// What Squid says of a configuration, without what is about the machine that runs the test.
fn judged(spec: &SquidSpec) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (conf, domains) = (folder.path().join("squid.conf"), folder.path().join("domains"));
    std::fs::write(&domains, spec.render_domains()).unwrap();
    std::fs::write(&conf, spec.render_conf().replace(squid::DOMAINS, domains.to_str().unwrap())).unwrap();
    // Debian has it in /usr/sbin, which is not everybody's PATH.
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
    let output = Command::new("sh").env("PATH", path).args(["-c", "exec squid -k parse -f \"$0\""]).arg(&conf).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).to_string();
    assert!(said.contains("Processing Configuration File"), "squid must be installed for this test: {said}");
    assert!(output.status.success(), "{said}\n{}", spec.render_conf());
    let complaints = ["WARNING", "ERROR", "FATAL", "unrecognized", "UPGRADE", "empty ACL"];
    // `via off` is meant: the client's side is nobody's business.
    let meant = |line: &&str| !line.contains("HTTP requires the use of Via") && !line.contains("(2) No such file or directory");
    said.lines().filter(|line| complaints.iter().any(|word| line.contains(word))).filter(meant).collect::<Vec<_>>().join("\n")
}

#[test]
fn squid_accepts_its_configuration() {
    let all = proxy();
    let domains_alone = SquidSpec { allowed_cidrs: Vec::new(), ..all.clone() };
    let networks_alone = SquidSpec { allowed_domains: Vec::new(), ..all.clone() };
    let wide = SquidSpec { allowed_domains: vec!["www.example.net".into(), ".example.net".into()], ..all.clone() };
    for spec in [all, domains_alone, networks_alone, wide] {
        assert_eq!(judged(&spec), "", "{}", spec.render_conf());
    }
}
