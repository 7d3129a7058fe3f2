//! Flags of the user: how they are written, which ones contradict what the provider does itself, and which ones of a cluster that exists
//! may not change because its data depends on them. Pure.

use crate::resources::attributes;
use schema::{AttributePath, Diagnostic, Diagnostics, Value, ValueAt};

const COMPONENTS: [&str; 4] = ["etcd", "api_server", "controller_manager", "scheduler"];

/// Flags that are refused, and what to do instead.
const REFUSED: [(&str, &str, &str); 10] = [
    (
        "etcd",
        "config-file",
        "With a file, etcd ignores all flags, also those that say where its data is and who its members are.",
    ),
    ("etcd", "force-new-cluster", REMOVES_MEMBERS),
    ("etcd", "initial-cluster", FORMED_BY_HOSTS),
    ("etcd", "initial-cluster-state", FORMED_BY_HOSTS),
    ("etcd", "initial-cluster-token", FORMED_BY_HOSTS),
    ("etcd", "name", "The member has the name of its host."),
    ("controller_manager", "cluster-cidr", "Set network.pod_cidrs instead: hosts route to the networks of nodes by it."),
    (
        "controller_manager",
        "node-cidr-mask-size",
        "Set network.node_mask_ipv4 instead: hosts route to the networks of nodes by it.",
    ),
    (
        "controller_manager",
        "node-cidr-mask-size-ipv4",
        "Set network.node_mask_ipv4 instead: hosts route to the networks of nodes by it.",
    ),
    (
        "controller_manager",
        "node-cidr-mask-size-ipv6",
        "Set network.node_mask_ipv6 instead: hosts route to the networks of nodes by it.",
    ),
];
/// <https://etcd.io/docs/v3.6/op-guide/configuration/>, among the unsafe ones.
const REMOVES_MEMBERS: &str = "Each member would remove all others and form a cluster of its own at each start. A cluster that lost its \
     quorum is restored from a snapshot.";
const FORMED_BY_HOSTS: &str = "The cluster of etcd is formed of hosts.";

/// Flags that a cluster keeps as it was created with them, and what another value does.
const KEPT: [(&str, &str, &str); 13] = [
    ("etcd", "data-dir", ANOTHER_DATABASE),
    ("etcd", "wal-dir", ANOTHER_DATABASE),
    ("api_server", "etcd-servers", ANOTHER_DATABASE),
    ("api_server", "etcd-servers-overrides", ANOTHER_DATABASE),
    ("api_server", "etcd-prefix", ANOTHER_DATABASE),
    (
        "api_server",
        "encryption-provider-config",
        "What is encrypted with keys that another file does not have is unreadable, for good.",
    ),
    ("api_server", "service-account-key-file", OTHER_TOKENS),
    ("api_server", "service-account-signing-key-file", OTHER_TOKENS),
    ("api_server", "service-cluster-ip-range", OTHER_SERVICES),
    ("controller_manager", "service-account-private-key-file", OTHER_TOKENS),
    ("controller_manager", "service-cluster-ip-range", OTHER_SERVICES),
    ("controller_manager", "cluster-signing-cert-file", OTHER_AUTHORITY),
    ("controller_manager", "cluster-signing-key-file", OTHER_AUTHORITY),
];
const ANOTHER_DATABASE: &str = "Everything that is stored would be left behind in the database that is used now.";
const OTHER_TOKENS: &str = "With another service account key, the token of every pod is refused.";
const OTHER_SERVICES: &str = "Services keep addresses that would no longer be routed.";
const OTHER_AUTHORITY: &str =
    "API servers do not know certificates that another authority signs: kubelets could not join, nor renew theirs.";

pub fn validate(config: &ValueAt<'_>, found: &mut Diagnostics) {
    for component in COMPONENTS {
        for (name, flag) in config.get(component).get("flags").entries() {
            attributes::validate_flag(name, &flag, found);
            let refused = REFUSED.iter().find(|(of, refused, _)| (*of, *refused) == (component, name));
            if let Some((.., way_out)) = refused {
                found.push(flag.error(format!("{component} does not take the flag {name:?}"), *way_out));
            }
        }
    }
}

/// `prior` is the state of a cluster that stays.
pub fn refuse_change(prior: &Value, config: &Value) -> Result<(), Diagnostic> {
    for (component, flag, consequence) in KEPT {
        let path = AttributePath::attribute(component).then("flags").key(flag);
        // States from before flags had one spelling may have the other.
        let underscores = AttributePath::attribute(component).then("flags").key(flag.replace('-', "_"));
        let before = if prior.at(&path).is_null() { prior.at(&underscores) } else { prior.at(&path) };
        let after = config.at(&path);
        if before != after && !after.is_unknown() {
            let was = before.as_str().map_or("without it".to_string(), |before| format!("with {before:?}"));
            return Err(Diagnostic::error(format!("{component} of a cluster that exists keeps the flag {flag:?}"))
                .detail(format!("{consequence} The cluster was created {was}. Another value needs another cluster."))
                .at(path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(component: &str, flag: &str, value: Value) -> Value {
        Value::object([(component, Value::object([("flags", Value::object([(flag, value)]))]))])
    }

    fn said(component: &str, flag: &str, value: &str) -> Vec<String> {
        let (config, mut found) = (with(component, flag, value.into()), Diagnostics::default());
        validate(&ValueAt::of(&config), &mut found);
        found.iter().map(|said| format!("{}: {}", said.path.as_ref().unwrap(), said.summary)).collect()
    }

    #[test]
    fn flags_are_written_as_help_shows_them() {
        assert_eq!(said("api_server", "v", "4"), Vec::<String>::new());
        assert_eq!(said("scheduler", "--v", "4"), [r#"scheduler.flags["--v"]: flag "--v" is written with its dashes"#]);
        let underscores = r#"api_server.flags["etcd_prefix"]: flag "etcd_prefix" is written with underscores"#;
        assert_eq!(said("api_server", "etcd_prefix", "/x"), [underscores]);
        assert_eq!(said("api_server", "a b", "4"), [r#"api_server.flags["a b"]: "a b" is not the name of a flag"#]);
        let broken = r#"api_server.flags["v"]: the value of flag "v" has a line break"#;
        assert_eq!(said("api_server", "v", "4\nExecStart=x"), [broken]);
    }

    #[test]
    fn what_contradicts_the_provider_is_refused() {
        for (component, flag, _) in REFUSED {
            let refused = format!("{component}.flags[{flag:?}]: {component} does not take the flag {flag:?}");
            assert_eq!(said(component, flag, "1"), [refused]);
        }
    }

    #[test]
    fn what_data_depends_on_stays_as_it_is() {
        for (component, flag, _) in KEPT {
            let (without, one, other) = (Value::Null, with(component, flag, "/a".into()), with(component, flag, "/b".into()));
            for (before, after, is_refused) in [
                (&without, &without, false),
                (&one, &one, false),
                (&without, &one, true),
                (&one, &other, true),
                (&one, &without, true),
                (&one, &with(component, flag, Value::Unknown), false),
                (&one, &Value::object([(component, Value::Unknown)]), false),
            ] {
                assert_eq!(refuse_change(before, after).is_err(), is_refused, "{component} {flag}: {before:?} {after:?}");
            }
            let older = with(component, &flag.replace('-', "_"), "/a".into());
            assert_eq!([&one, &other].map(|after| refuse_change(&older, after).is_err()), [false, true], "{component} {flag}");
        }
    }
}
