//! Calico: what of it follows the families of a cluster, its settings and what a user adds.

use super::*;

const NODE: &str = "DaemonSet.apps/kube-system/calico-node";
const CONFIG: &str = "ConfigMap/kube-system/calico-config";
const POOL: [&str; 2] = ["IPPool.crd.projectcalico.org/default-ipv4-ippool", "IPPool.crd.projectcalico.org/default-ipv6-ippool"];

fn calico(pod_cidrs: &[&str]) -> Sample {
    Sample { facts: facts(pod_cidrs), ..Sample::of("calico", "3.32.1") }
}

fn variable(sample: &Sample, name: &str) -> String {
    let mut object = sample.object(NODE);
    let path = format!(".spec.template.spec.containers[name=\"calico-node\"].env[name=\"{name}\"].value");
    find(&mut object, &path).unwrap().as_str().unwrap().to_string()
}

fn addresses(sample: &Sample) -> (Value, Value) {
    let text = sample.object(CONFIG)["data"]["cni_network_config"].as_str().unwrap().to_string();
    let ipam = serde_json::from_str::<Value>(&text).unwrap()["plugins"][0]["ipam"].clone();
    (ipam["assign_ipv4"].clone(), ipam["assign_ipv6"].clone())
}

#[track_caller]
fn check_families(pod_cidrs: &[&str], networks: [Option<&str>; 2]) {
    let sample = calico(pod_cidrs);
    let objects = sample.objects();
    for (pool, network) in POOL.iter().zip(networks) {
        let found = objects.get(&pool.parse().unwrap()).map(|declared| declared.object["spec"]["cidr"].clone());
        assert_eq!(found, network.map(|network| json!(network)), "{pool}");
    }
    let assigned = networks.map(|network| json!(network.is_some().to_string()));
    assert_eq!(addresses(&sample), (assigned[0].clone(), assigned[1].clone()));
    let searched = networks.map(|network| if network.is_some() { "autodetect" } else { "none" });
    assert_eq!([variable(&sample, "IP"), variable(&sample, "IP6")], searched);
    assert_eq!(variable(&sample, "FELIX_IPV6SUPPORT"), networks[1].is_some().to_string());
}

#[test]
fn pools_and_addresses_are_those_of_the_families_of_the_cluster() {
    check_families(&[IPV4, IPV6], [Some(IPV4), Some(IPV6)]);
    check_families(&[IPV6, IPV4], [Some(IPV4), Some(IPV6)]);
    check_families(&[IPV4], [Some(IPV4), None]);
    check_families(&[IPV6], [None, Some(IPV6)]);
}

#[test]
fn a_pool_of_a_family_that_is_not_known_leaves_open_which_objects_there_are() {
    let sample = Sample { facts: Facts::default(), ..calico(&[IPV4]) };
    assert!(matches!(sample.render(), Ok(Rendered::Open)));
}

#[test]
fn its_settings_go_to_their_places() {
    let settings =
        json!({ "encapsulation": "vxlan-cross-subnet", "ipv6_nat_outgoing": false, "mtu": 1400, "nftables": "enabled" });
    let sample = calico(&[IPV4, IPV6]).with(settings);
    let of = |pool: &str, field: &str| sample.object(pool)["spec"][field].clone();
    assert_eq!(POOL.map(|pool| of(pool, "vxlanMode")), [json!("CrossSubnet"), json!("CrossSubnet")]);
    assert_eq!(POOL.map(|pool| of(pool, "natOutgoing")), [json!(true), json!(false)]);
    assert_eq!(["FELIX_VXLANMTU", "FELIX_VXLANMTUV6"].map(|name| variable(&sample, name)), ["1400", "1400"]);
    assert_eq!(variable(&sample, "FELIX_NFTABLESMODE"), "Enabled");
}

#[test]
fn a_pool_of_a_family_that_is_not_there_cannot_be_patched() {
    let patched = calico(&[IPV4]).patched(POOL[1], json!({ "spec": { "blockSize": 120 } }));
    patched.is_refused(Subject::Patch(POOL[1].into()), "has no object", POOL[0]);
}

/// The project's definitions are merged into ours, whose versions are a list by name.
#[test]
fn the_schema_of_a_definition_comes_by_a_patch() {
    let key = "CustomResourceDefinition.apiextensions.k8s.io/tiers.crd.projectcalico.org";
    let schema = json!({ "type": "object", "properties": { "spec": { "type": "object", "properties": { "order": { "type": "number" } } } } });
    let versions = json!([{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }]);
    let object =
        calico(&[IPV4]).patched(key, json!({ "spec": { "group": "crd.projectcalico.org", "versions": versions } })).object(key);
    let found = &object["spec"]["versions"];
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    assert_eq!(found[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["order"]["type"], "number");
}

#[test]
fn beside_another_network_it_is_said_what_to_do_first() {
    let routed = Facts { pod_network: Some("routed".into()), ..facts(&[IPV4]) };
    let [calico, flannel] = ["calico", "flannel"].map(|name| addon(name).unwrap().unwrap());
    let said = |addon: &Addon| advice(addon, &routed).unwrap().remedy;
    let beside = calico.beside.as_ref().unwrap();
    assert!(said(&calico).ends_with(beside), "{}", said(&calico));
    assert!(flannel.beside.is_none() && !said(&flannel).contains(beside));
}
