//! Each kind of difference as a sentence, and as data and back.

use super::*;
use crate::{Digest, ObservedBinary, ObservedUnit};
use proptest::prelude::*;

fn manifest() -> Manifest {
    let lines = [
        ("/etc/a", format!("0644 root:root sha256:{}", Digest::of(b"a"))),
        ("/usr/local/bin/p", format!("binary sha256:{}", Digest::of(b"p"))),
        ("p.service", format!("running sha256:{}", Digest::of(b"s"))),
        ("module overlay", "loaded".to_string()),
        ("sysctl net.ipv4.ip_forward", "1".to_string()),
    ];
    let lines: std::collections::BTreeMap<_, _> = lines.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    Manifest::from_lines(lines).unwrap()
}

fn as_declared() -> Observed {
    let mut observed = Observed::default();
    let file = ObservedFile { mode: 0o644, owner: "root:root".into(), sha256: Digest::of(b"a") };
    observed.files.insert(HostPath::literal("/etc/a"), file);
    observed.binaries.insert(HostPath::literal("/usr/local/bin/p"), ObservedBinary { identity: Some(Digest::of(b"p")) });
    let unit = ObservedUnit { active_state: "active".into(), enabled: true, stamp: Some(Digest::of(b"s")), unread: false };
    observed.units.insert(UnitName::literal("p.service"), unit);
    observed.modules.insert("overlay".into());
    observed.sysctls.insert(Sysctl::literal("net.ipv4.ip_forward"), "1".into());
    observed
}

#[track_caller]
fn check(change: impl Fn(&mut Observed), expect: &[&str]) {
    let mut observed = as_declared();
    change(&mut observed);
    let actual: Vec<String> = differences(&manifest(), &observed).iter().map(ToString::to_string).collect();
    assert_eq!(actual, expect);
}

#[test]
fn each_kind_of_drift_is_one_sentence() {
    check(|_| {}, &[]);
    check(|o| o.files.clear(), &["/etc/a: missing"]);
    check(|o| o.files.values_mut().for_each(|f| f.sha256 = Digest::of(b"b")), &["/etc/a: content differs"]);
    check(
        |o| o.files.values_mut().for_each(|f| (f.mode, f.owner) = (0o600, "nobody:root".into())),
        &["/etc/a: mode 0600 instead of 0644, owner nobody:root instead of root:root"],
    );
    check(|o| o.binaries.values_mut().for_each(|b| b.identity = None), &["/usr/local/bin/p: not the program that was installed"]);
    check(|o| o.binaries.clear(), &["/usr/local/bin/p: not installed"]);
    check(|o| o.units.values_mut().for_each(|u| u.active_state = "failed".into()), &["p.service: failed, not running"]);
    check(|o| o.units.values_mut().for_each(|u| u.enabled = false), &["p.service: not enabled at boot"]);
    check(|o| o.units.values_mut().for_each(|u| u.stamp = None), &["p.service: not seen healthy with its configuration"]);
    let older = Digest::of(b"older");
    check(|o| o.units.values_mut().for_each(|u| u.stamp = Some(older.clone())), &["p.service: runs with an older configuration"]);
    check(|o| o.units.values_mut().for_each(|u| u.unread = true), &["p.service: not yet seen to read its new files"]);
    check(|o| o.modules.clear(), &["module overlay: not loaded"]);
    check(|o| o.sysctls.values_mut().for_each(|v| *v = "0".into()), &["sysctl net.ipv4.ip_forward: 0 instead of 1"]);
    check(
        |o| *o = Observed::default(),
        &[
            "/etc/a: missing",
            "/usr/local/bin/p: not installed",
            "module overlay: not loaded",
            "p.service: unknown to systemd",
            "sysctl net.ipv4.ip_forward: missing",
        ],
    );
}

fn finding(kind: &str, name: Option<&str>, problem: &str, values: Option<(&str, &str)>) -> Finding {
    let (found, declared) = values.map(|(found, declared)| (found.to_string(), declared.to_string())).unzip();
    Finding { kind: kind.into(), name: name.map(Into::into), problem: problem.into(), found, declared }
}

/// As programs read them: a word that changes here breaks policies, and needs an upgrade of states.
#[test]
fn findings_have_words_that_stay() {
    let change = |o: &mut Observed| {
        o.files.values_mut().for_each(|f| (f.mode, f.sha256) = (0o600, Digest::of(b"b")));
        o.units.values_mut().for_each(|u| u.active_state = "failed".into());
        o.sysctls.values_mut().for_each(|v| *v = "0".into());
    };
    let mut observed = as_declared();
    change(&mut observed);
    let found: Vec<Finding> = differences(&manifest(), &observed).iter().flat_map(Difference::findings).collect();
    let not_running = Finding { found: Some("failed".into()), ..finding("unit", Some("p.service"), "not_running", None) };
    let expect = [
        finding("file", Some("/etc/a"), "content", None),
        finding("file", Some("/etc/a"), "mode", Some(("0600", "0644"))),
        not_running,
        finding("sysctl", Some("net.ipv4.ip_forward"), "value", Some(("0", "1"))),
    ];
    assert_eq!(found, expect);
}

#[test]
fn what_is_no_finding_is_refused() {
    let path = Some("/etc/a");
    for wrong in [
        finding("", path, "missing", None),
        finding("file", Some("etc"), "missing", None),
        finding("file", None, "missing", None),
        finding("node", path, "missing", None),
        finding("file", path, "eaten", None),
        finding("file", path, "mode", None),
        finding("unit", Some("p.service"), "not_running", None),
        finding("taint", Some("a"), "missing", None),
    ] {
        assert_eq!(Finding::differences([&wrong]), None, "{wrong:?}");
    }
}

fn instead(value: &'static str) -> impl Strategy<Value = Instead> {
    (value, value).prop_map(|(found, declared)| Instead { found, declared })
}

fn any_difference() -> impl Strategy<Value = Difference> {
    let path = "(/[a-z0-9._@%+-]{1,8}){1,4}".prop_filter_map("a path", |text| HostPath::parse(text).ok());
    let difference = |(item, what)| Difference { item, what };
    let mode = prop::option::of(instead("0[0-7]{3}"));
    let of_file = (any::<bool>(), mode, prop::option::of(instead("[a-z]{1,8}:[a-z]{1,8}")))
        .prop_filter_map("nothing differs", |(content, mode, owner)| {
            (content || mode.is_some() || owner.is_some()).then_some(What::File { content, mode, owner })
        });
    let of_unit = prop_oneof![
        Just(What::UnknownToSystemd),
        Just(What::NotEnabled),
        Just(What::OlderConfiguration),
        Just(What::Unproven),
        Just(What::Unread),
        "[a-z-]{0,12}".prop_map(What::NotRunning),
    ];
    let of_sysctl = prop_oneof![Just(What::Missing), instead("[0-9]{1,8}(\t[0-9]{1,8}){0,2}").prop_map(What::Value)];
    let of_node = prop_oneof![Just(What::Missing), Just(What::NoLongerDeclared), Just(What::OtherValue)];
    let key = "([a-z]{1,5}[.][a-z]{2,3}/)?[a-zA-Z0-9]{1,8}";
    let effect = prop::sample::select(vec!["NoSchedule", "PreferNoSchedule", "NoExecute"]);
    let taint = (key, effect).prop_map(|(key, effect)| TaintKey { key, effect: effect.into() });
    prop_oneof![
        Just(difference((Item::Node, What::NotRegistered))),
        Just(difference((Item::Node, What::LeftCordoned))),
        instead("1[.][0-9]{1,2}[.][0-9]{1,2}").prop_map(move |instead| difference((Item::Kubelet, What::Value(instead)))),
        (key.prop_map(Item::Label), of_node.clone()).prop_map(difference),
        (key.prop_map(Item::Annotation), of_node.clone()).prop_map(difference),
        (taint.prop_map(Item::Taint), of_node).prop_map(difference),
        prop_oneof![Just(What::Missing), Just(What::OtherValue)].prop_map(move |what| difference((Item::ProviderId, what))),
        (path.clone().prop_map(Item::File), prop_oneof![Just(What::Missing), of_file]).prop_map(difference),
        (path.prop_map(Item::Binary), prop_oneof![Just(What::NotInstalled), Just(What::Replaced)]).prop_map(difference),
        ("[a-z0-9@-]{1,12}".prop_map(|name| Item::Unit(UnitName::literal(&format!("{name}.service")))), of_unit)
            .prop_map(difference),
        ("[a-z0-9_]{1,12}".prop_map(Item::Module), Just(What::NotLoaded)).prop_map(difference),
        ("[a-z0-9_]{1,5}[.][a-z0-9_.-]{1,9}".prop_map(|key| Item::Sysctl(Sysctl::literal(&key))), of_sysctl).prop_map(difference),
    ]
}

proptest! {
    #[test]
    fn findings_read_back_the_same(all in prop::collection::vec(any_difference(), 0..6)) {
        let mut all: Vec<Difference> = all;
        let mut seen = std::collections::HashSet::new();
        all.retain(|difference| seen.insert(difference.item.clone()));
        let findings: Vec<Finding> = all.iter().flat_map(Difference::findings).collect();
        prop_assert_eq!(Finding::differences(&findings), Some(all));
    }
}
