//! What is issued again, and why: by a table of changes, and by a property over requests.

use crate::{NOW, RENEW_BEFORE_HOURS, addresses, issue_all, issued, plan_at, request};
use credentials::Credentials;
use pki::{KeyAlgorithm, Plan, Reason, Request, certificate_specs, expiry, issue, plan_issue};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use time::{Duration, OffsetDateTime};

/// The plan after everything was issued for `request()`, and then the request became this and the time that.
fn plan_after(change: fn(&mut Request), now: OffsetDateTime) -> BTreeMap<String, Reason> {
    let mut request = request();
    change(&mut request);
    full_plan_after(&request, now).issue
}

fn full_plan_after(request: &Request, now: OffsetDateTime) -> Plan {
    plan_at(&certificate_specs(request).unwrap(), &issued().1.known_certificates(), now, RENEW_BEFORE_HOURS)
}

#[track_caller]
fn check(change: fn(&mut Request), expected: &[(&str, &str)]) {
    let plan: Vec<(String, String)> =
        plan_after(change, NOW).into_iter().map(|(name, reason)| (name, reason.to_string())).collect();
    let expected: Vec<(String, String)> = expected.iter().map(|(name, why)| ((*name).into(), (*why).into())).collect();
    assert_eq!(plan, expected);
}

#[test]
fn nothing_changed_issues_nothing() {
    check(|_| {}, &[]);
    check(|request| request.certificate_validity_hours = 24, &[]);
    check(|request| request.endpoints.reverse(), &[]);
}

#[test]
fn a_new_host_gets_its_leaves_and_no_other_changes() {
    let why = "does not exist yet";
    check(
        |request| drop(request.hosts.insert("cp-3".into(), addresses(&["10.0.3.4"]))),
        &[("apiserver/cp-3", why), ("controller-manager/cp-3", why), ("etcd-peer/cp-3", why), ("etcd-server/cp-3", why)],
    );
}

#[test]
fn a_host_that_moved_gets_its_leaves() {
    let why = "gains 10.0.1.5, loses 10.0.1.4";
    check(
        |request| drop(request.hosts.insert("cp-1".into(), addresses(&["10.0.1.5", "2001:db8:1::4"]))),
        &[("apiserver/cp-1", why), ("controller-manager/cp-1", why), ("etcd-peer/cp-1", why), ("etcd-server/cp-1", why)],
    );
}

#[test]
fn a_host_that_is_gone_changes_nothing_else() {
    check(|request| drop(request.hosts.remove("cp-2")), &[]);
}

#[test]
fn endpoints_domain_and_service_cidrs_concern_the_api_servers_only() {
    let both = |why| [("apiserver/cp-1", why), ("apiserver/cp-2", why)];
    check(|request| request.endpoints.push("203.0.113.9".into()), &both("gains 203.0.113.9"));
    check(|request| drop(request.endpoints.remove(0)), &both("loses api.demo.internal"));
    check(|request| request.service_cidrs.truncate(1), &both("loses fd00:96::1"));
    let domain = "gains kubernetes.default.svc.c.test, loses kubernetes.default.svc.cluster.local";
    check(|request| request.cluster_domain = "c.test".into(), &both(domain));
}

#[test]
fn a_leaf_of_the_users_own_changes_alone() {
    fn own(request: &mut Request) -> &mut pki::LeafSpec {
        request.additional.get_mut("prometheus").unwrap()
    }
    check(|request| drop(own(request).organizations.pop_last()), &[("prometheus", "gets another subject")]);
    check(|request| own(request).common_name = "other".into(), &[("prometheus", "gets another subject")]);
    check(|request| own(request).dns_names = ["a.b".into()].into(), &[("prometheus", "gains a.b")]);
    let moved = &[("prometheus", "gets a new authority etcd-ca")];
    check(|request| own(request).authority = "etcd-ca".into(), moved);
    let server = |request: &mut Request| {
        own(request).usages.insert(pki::Usage::ServerAuth);
        own(request).dns_names.insert("a.b".into());
    };
    check(server, &[("prometheus", "gets other usages")]);
}

/// The names of the table's authorities, and what each of them is refused for.
#[track_caller]
fn refused(plan: &Plan, reason: &Reason) {
    let authorities: BTreeSet<&str> = pki::table::AUTHORITIES.iter().map(|authority| authority.name).collect();
    assert_eq!(plan.refused.keys().map(String::as_str).collect::<BTreeSet<_>>(), authorities);
    assert!(plan.refused.values().all(|found| found == reason), "{:?}", plan.refused);
    assert!(plan.issue.keys().all(|name| !authorities.contains(name.as_str())), "an authority is issued again");
}

#[test]
fn another_key_algorithm_or_cluster_name_is_refused_for_every_authority() {
    let plan = full_plan_after(&Request { key_algorithm: KeyAlgorithm::EcdsaP384, ..request() }, NOW);
    refused(&plan, &Reason::KeyAlgorithmChanged(KeyAlgorithm::EcdsaP384));
    let plan = full_plan_after(&Request { cluster_name: "other".into(), ..request() }, NOW);
    refused(&plan, &Reason::SubjectChanged);
}

#[test]
fn an_authority_that_is_lost_or_unreadable_is_refused_and_one_that_never_was_is_issued() {
    let (specs, credentials) = issued();
    let plan = |certificates: &BTreeMap<String, String>| plan_at(specs, certificates, NOW, RENEW_BEFORE_HOURS);
    let mut certificates = credentials.known_certificates();
    certificates.insert("etcd-ca".into(), "not PEM".into());
    certificates.remove("cluster-ca");
    let expected = [("cluster-ca", Reason::Lost), ("etcd-ca", Reason::Unreadable)].map(|(name, why)| (name.to_owned(), why));
    assert_eq!(plan(&certificates).refused, BTreeMap::from(expected));

    // As before a version of this crate whose table has one more authority.
    let mut older = credentials.clone();
    older.authorities.remove("front-proxy-ca");
    older.certificates.remove("front-proxy-client");
    let found = plan(&older.known_certificates());
    assert_eq!(found.refused, BTreeMap::new());
    assert_eq!(found.issue.keys().collect::<Vec<_>>(), ["front-proxy-ca", "front-proxy-client"]);
    let issued = issue(specs, &older, &found.issue, NOW).ok().unwrap();
    assert_eq!(plan(&issued.known_certificates()), Plan::default());
}

#[test]
fn leaves_are_renewed_before_they_expire() {
    let due = NOW + Duration::hours(8_760 - 720);
    assert_eq!(plan_after(|_| {}, due - Duration::seconds(1)), BTreeMap::new());
    let plan = plan_after(|_| {}, due);
    let leaves = issued().0.iter().filter(|(_, spec)| spec.authority.is_some()).map(|(name, _)| name);
    assert_eq!(plan.keys().collect::<Vec<_>>(), leaves.collect::<Vec<_>>());
    assert_eq!(plan["admin"], Reason::Expires(NOW + Duration::hours(8_760)));
    assert_eq!(plan["admin"].to_string(), "expires at 2027-03-01T12:00:00Z");
}

#[test]
fn an_authority_that_ends_is_kept_and_reported() {
    let end = NOW + Duration::hours(87_600);
    let ending = |now| full_plan_after(&request(), now).ending;
    assert_eq!(ending(end - pki::AUTHORITY_NOTICE - Duration::seconds(1)), BTreeMap::new());
    for now in [end - pki::AUTHORITY_NOTICE, end + Duration::hours(1)] {
        assert_eq!(ending(now).len(), pki::table::AUTHORITIES.len());
        assert!(ending(now).values().all(|at| *at == end));
    }
}

#[test]
fn leaves_end_with_their_authority_and_are_not_renewed_for_nothing() {
    let (specs, credentials) = issued();
    let end = NOW + Duration::hours(87_600);
    let plan = |credentials: &Credentials, now| plan_at(specs, &credentials.known_certificates(), now, RENEW_BEFORE_HOURS);
    let late = end - Duration::hours(24);
    let renewed = issue(specs, credentials, &plan(credentials, late).issue, late).ok().unwrap();
    assert_eq!(expiry(&renewed.known_certificates()["admin"]).unwrap(), end);
    let after = plan(&renewed, end - Duration::hours(1));
    assert_eq!((after.issue, after.refused), (BTreeMap::new(), BTreeMap::new()));
    // With the authority at its end, a new leaf would be worth nothing.
    let too_late = plan(credentials, end);
    assert_eq!(too_late.refused["cluster-ca"], Reason::Expires(end));
}

#[test]
fn leaves_whose_authority_was_replaced_without_them_are_found() {
    let (specs, credentials) = issued();
    let first_step = BTreeMap::from([("front-proxy-ca".to_owned(), Reason::Missing)]);
    let half = issue(specs, credentials, &first_step, NOW).ok().unwrap();
    assert_eq!(half.known_certificates()["front-proxy-client"], credentials.known_certificates()["front-proxy-client"]);

    let second_step = plan_at(specs, &half.known_certificates(), NOW, RENEW_BEFORE_HOURS).issue;
    assert_eq!(second_step, BTreeMap::from([("front-proxy-client".into(), Reason::AuthorityReplaced("front-proxy-ca".into()))]));
    let whole = issue(specs, &half, &second_step, NOW).ok().unwrap();
    assert_eq!(plan_at(specs, &whole.known_certificates(), NOW, RENEW_BEFORE_HOURS), Plan::default());
}

#[test]
fn what_cannot_be_read_back_is_issued_again() {
    let (specs, credentials) = issued();
    let mut certificates = credentials.known_certificates();
    for (name, pem) in [("admin", ""), ("scheduler", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
        certificates.insert(name.into(), pem.into());
    }
    // A key where a certificate should stand.
    certificates.insert("kube-proxy".into(), credentials.private_keys["kube-proxy"].as_ref().known().unwrap().reveal().into());
    let plan = plan_at(specs, &certificates, NOW, RENEW_BEFORE_HOURS).issue;
    let expected = ["admin", "kube-proxy", "scheduler"].map(|name| (name.to_owned(), Reason::Unreadable));
    assert_eq!(plan, BTreeMap::from(expected));
}

#[test]
fn the_plan_of_a_new_cluster_names_everything() {
    let specs = certificate_specs(&request()).unwrap();
    let plan = plan_at(&specs, &Credentials::default().known_certificates(), NOW, RENEW_BEFORE_HOURS).issue;
    assert!(plan.len() == specs.len() && plan.values().all(|reason| *reason == Reason::Missing));
}

fn any_request() -> impl Strategy<Value = Request> {
    let hosts = proptest::collection::btree_map("[a-z]([a-z0-9-]{0,8}[a-z0-9])?", any_addresses(), 0..3);
    let endpoint = prop_oneof!["[a-z]{1,8}\\.[a-z]{2,5}", any::<std::net::IpAddr>().prop_map(|address| address.to_string())];
    let endpoints = proptest::collection::vec(endpoint, 0..4);
    (hosts, endpoints, 1..10_000u64, 0..10_000u64).prop_map(|(hosts, endpoints, certificate_hours, more_hours)| Request {
        hosts,
        endpoints,
        certificate_validity_hours: certificate_hours,
        authority_validity_hours: certificate_hours + more_hours,
        ..request()
    })
}

fn any_addresses() -> impl Strategy<Value = Vec<std::net::IpAddr>> {
    proptest::collection::vec(any::<std::net::IpAddr>(), 0..4)
}

#[test]
fn a_leaf_whose_names_are_undecided_is_issued_for_a_reason_that_they_do_not_change() {
    let (specs, credentials) = (certificate_specs(&Request { endpoints: vec![], ..request() }).unwrap(), &issued().1);
    let api_servers: BTreeSet<String> = specs.keys().filter(|name| name.starts_with("apiserver/")).cloned().collect();
    let plan = |due: &BTreeSet<String>, undecided: &BTreeSet<String>| {
        plan_issue(&specs, &credentials.known_certificates(), NOW, due, undecided).issue
    };
    let none = BTreeSet::new();
    assert!(plan(&none, &none).keys().eq(&api_servers));
    assert_eq!(plan(&none, &api_servers), BTreeMap::new());
    for undecided in [&none, &api_servers] {
        let renewed = plan(&api_servers, undecided);
        assert!(
            renewed.keys().eq(&api_servers) && renewed.values().all(|reason| matches!(reason, Reason::Expires(_))),
            "{renewed:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Also when validities are shorter than the time of renewal, and when a leaf is cut off at its authority's end.
    #[test]
    fn the_plan_after_issue_is_empty(request in any_request(), renew_before in 0..20_000u64, hours_later in 0..20_000i64) {
        let (specs, mut credentials) = issue_all(&request);
        let later = NOW + Duration::hours(hours_later);
        for now in [NOW, later] {
            let plan = plan_at(&specs, &credentials.known_certificates(), now, renew_before);
            if !plan.refused.is_empty() {
                // An authority has ended, which nothing that is issued mends.
                prop_assert!(now > NOW && plan.ending.keys().any(|name| plan.refused.contains_key(name)));
                break;
            }
            credentials = issue(&specs, &credentials, &plan.issue, now).ok().unwrap();
            prop_assert_eq!(plan_at(&specs, &credentials.known_certificates(), now, renew_before).issue, BTreeMap::new());
            for (name, spec) in &specs {
                if let Some(authority) = &spec.authority {
                    let ends = |name: &String| expiry(&credentials.known_certificates()[name]).unwrap();
                    prop_assert!(ends(name) <= ends(authority), "{} outlives {}", name, authority);
                }
            }
        }
    }
}
