//! The whole catalogue: each part of it fits the others, and what it gives for each family is as reviewed, `tests/golden/<add-on>-<family>.txt`.
//! `UPDATE=1` rewrites those and fails once.

use crate::catalogue::{Addon, OfCluster, Version, addon, names};
use crate::place::{Target, find};
use crate::{Choice, Facts, Fault, Refusal, Rendered, Subject, advice, images, render};
use objects::{Declared, ObjectKey, UNKNOWN, is_unknown};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

mod calico;
mod texts;

fn all() -> Vec<Addon> {
    names().into_iter().map(|name| addon(name).unwrap().unwrap()).collect()
}

fn facts(pod_cidrs: &[&str]) -> Facts {
    let texts = |all: &[&str]| Some(all.iter().map(ToString::to_string).collect());
    Facts {
        kubernetes_version: Some("1.36.3".into()),
        pod_network: Some("none".into()),
        pod_cidrs: texts(pod_cidrs),
        service_cidrs: texts(&["10.96.0.0/16", "fd00:96::/112"]),
        cluster_domain: Some("cluster.local".into()),
    }
}

const IPV4: &str = "172.18.0.0/16";
const IPV6: &str = "fd00:18::/56";

/// A choice that tests change.
struct Sample {
    addon: Addon,
    version: &'static str,
    settings: Map<String, Value>,
    patches: BTreeMap<String, Value>,
    facts: Facts,
}

impl Sample {
    fn of(name: &str, version: &'static str) -> Sample {
        let addon = addon(name).unwrap().unwrap();
        Sample { addon, version, settings: Map::new(), patches: BTreeMap::new(), facts: facts(&[IPV4, IPV6]) }
    }

    fn with(mut self, settings: Value) -> Sample {
        self.settings = settings.as_object().unwrap().clone();
        self
    }

    fn patched(mut self, key: &str, patch: Value) -> Sample {
        self.patches.insert(key.into(), patch);
        self
    }

    fn render(&self) -> Result<Rendered, Refusal> {
        let version = &self.addon.versions[self.version];
        let images = images(version, &BTreeMap::new()).unwrap();
        let choice = Choice {
            addon: &self.addon,
            version,
            settings: &self.settings,
            images: &images,
            patches: &self.patches,
            facts: &self.facts,
        };
        render(&choice)
    }

    #[track_caller]
    fn objects(&self) -> BTreeMap<ObjectKey, Declared> {
        match self.render() {
            Ok(Rendered::Known(objects)) => objects,
            Ok(Rendered::Open) => panic!("it is not known which objects there are"),
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    #[track_caller]
    fn object(&self, key: &str) -> Value {
        self.objects()[&key.parse().unwrap()].object.clone()
    }

    #[track_caller]
    fn is_refused(&self, subject: Subject, rule: &str, remedy: &str) {
        let Err(Refusal::Faults(faults)) = self.render() else { panic!("it is not refused") };
        let says_it = |fault: &&Fault| fault.subject == subject && fault.rule.contains(rule) && fault.remedy.contains(remedy);
        assert!(faults.iter().any(|fault| says_it(&fault)), "{faults:#?}");
    }
}

fn metrics_server() -> Sample {
    Sample::of("metrics-server", "0.9.0")
}

fn flannel() -> Sample {
    Sample::of("flannel", "0.28.10")
}

fn documents(addon: &Addon, version: &Version) -> BTreeMap<ObjectKey, Value> {
    let texts = addon.objects(version).unwrap().into_iter();
    let all: Vec<Value> = texts.flat_map(|text| objects::documents(text).unwrap()).collect();
    let count = all.len();
    let by_key: BTreeMap<ObjectKey, Value> = all.into_iter().map(|object| (ObjectKey::of(&object).unwrap(), object)).collect();
    assert_eq!(by_key.len(), count, "{} declares an object twice", addon.name);
    by_key
}

/// Each version of each add-on, with its objects as they stand in the catalogue.
fn each(mut look: impl FnMut(&Addon, &Version, &BTreeMap<ObjectKey, Value>)) {
    for addon in all() {
        assert!(!addon.versions.is_empty(), "{} has no version", addon.name);
        for version in addon.versions.values() {
            look(&addon, version, &documents(&addon, version));
        }
    }
}

/// Of another kind than the built-in ones it is known to its definition.
fn is_namespaced(key: &ObjectKey, documents: &BTreeMap<ObjectKey, Value>) -> Option<bool> {
    let defines = |of: &Value| of["spec"]["group"] == *key.group && of["spec"]["names"]["kind"] == *key.kind;
    let definition = || documents.iter().find(|(other, of)| other.is_definition() && defines(of));
    objects::is_namespaced(key).or_else(|| definition().map(|(_, of)| of["spec"]["scope"] == "Namespaced"))
}

#[test]
fn every_object_is_one_that_can_be_declared_and_names_its_namespace() {
    each(|addon, _, documents| {
        for (key, object) in documents {
            assert!(objects::read([object.clone()]).is_ok(), "{}: {key}", addon.name);
            assert_eq!(is_namespaced(key, documents), Some(key.namespace.is_some()), "{}: {key}", addon.name);
        }
        let namespaces: BTreeSet<&str> = documents.keys().filter(|key| key.is_namespace()).map(|key| key.name.as_str()).collect();
        let is_there =
            |key: &ObjectKey| key.namespace.as_deref().is_none_or(|name| name == "kube-system" || namespaces.contains(name));
        assert!(documents.keys().all(is_there), "{} has objects in a namespace that it does not make", addon.name);
    });
}

/// `is_set`: something goes there always, so it has to be there already.
#[track_caller]
fn check_target(target: &Target, documents: &BTreeMap<ObjectKey, Value>, is_set: bool) {
    let key: ObjectKey = target.object.parse().unwrap();
    let mut object = documents.get(&key).unwrap_or_else(|| panic!("there is no {key}")).clone();
    let field = find(&mut object, &target.field).unwrap_or_else(|| panic!("{key} has no {}", target.field));
    assert!(!target.text || target.texts.is_empty(), "{key}: {} has two ways", target.field);
    if let Some(within) = &target.within {
        let mut inner: Value = serde_json::from_str(field.as_str().unwrap()).unwrap();
        assert!(find(&mut inner, within).is_some() || !is_set, "{key}: {} has no {within}", target.field);
    }
    if let Some(argument) = &target.argument {
        let begin = format!("--{argument}=");
        let is_there = field.as_array().unwrap().iter().any(|other| other.as_str().unwrap().starts_with(&begin));
        assert_eq!(is_there, is_set, "{key}: {begin}");
    }
}

#[test]
fn every_place_to_which_something_goes_is_there() {
    each(|addon, _, documents| {
        for (name, setting) in &addon.settings {
            assert!(!(setting.targets.is_empty() && setting.only.is_empty()), "{}: {name} does nothing", addon.name);
            setting.targets.iter().for_each(|target| check_target(target, documents, setting.default.is_some()));
            assert!(setting.only.iter().all(|key| documents.contains_key(&key.parse().unwrap())), "{}: {name}", addon.name);
        }
        for OfCluster { targets, only, fact } in &addon.cluster {
            assert!(!(targets.is_empty() && only.is_empty()), "{}: {fact:?} does nothing", addon.name);
            targets.iter().for_each(|target| check_target(target, documents, true));
            assert!(only.iter().all(|key| documents.contains_key(&key.parse().unwrap())), "{}: {fact:?}", addon.name);
        }
        for stamp in &addon.stamps {
            assert!(documents.contains_key(&stamp.of.parse().unwrap()), "{}: {}", addon.name, stamp.of);
            let mut object = documents[&stamp.object.parse().unwrap()].clone();
            let place = stamp.field.rsplit_once("[\"").unwrap().0;
            assert!(find(&mut object, place).is_some_and(|place| place.is_object()), "{}: {}", addon.name, stamp.field);
        }
    });
}

#[test]
fn every_setting_has_a_default_in_range_and_needs_what_there_is() {
    for addon in all() {
        for (name, setting) in &addon.settings {
            setting.default.iter().for_each(|default| assert_eq!(setting.rule.check(default), Ok(()), "{}: {name}", addon.name));
            for (other, wanted) in &setting.needs {
                assert_eq!(addon.settings[other].rule.check(wanted), Ok(()), "{}: {name} needs {other}", addon.name);
            }
            assert!(setting.default.is_none() || setting.needs.is_empty(), "{}: {name} would never be left out", addon.name);
            assert!(setting.description.ends_with('.'), "{}: {name}", addon.name);
        }
    }
}

fn images_of(object: &Value) -> Vec<String> {
    let pod = &object["spec"]["template"]["spec"];
    let lists = [&pod["initContainers"], &pod["containers"]];
    let containers = lists.into_iter().filter_map(Value::as_array).flatten();
    containers.map(|container| container["image"].as_str().unwrap().to_string()).collect()
}

#[test]
fn every_image_has_a_reference_with_a_tag_and_every_reference_is_used() {
    each(|addon, version, documents| {
        let used: BTreeSet<String> = documents.values().flat_map(images_of).collect();
        assert_eq!(used, version.images.keys().cloned().collect(), "{}", addon.name);
        let overrides = version.images.iter().map(|(name, reference)| (name.clone(), json!(reference))).collect();
        assert!(images(version, &overrides).is_ok(), "{}: {:?}", addon.name, version.images);
    });
}

#[test]
fn every_version_works_with_a_kubernetes_that_there_is() {
    let known = ::render::catalogue::versions().unwrap();
    each(|addon, version, _| {
        let bounds = &version.kubernetes;
        assert!(known.iter().any(|known| bounds.takes(known)), "{}: {bounds}", addon.name);
        assert!(bounds.takes(&format!("{}.0", bounds.from)), "{}: {bounds}", addon.name);
        assert!(bounds.to.as_ref().is_none_or(|to| bounds.takes(&format!("{to}.9"))), "{}: {bounds}", addon.name);
        assert!(bounds.source.starts_with("https://") && addon.source.starts_with("https://"), "{}", addon.name);
        assert!(addon.versions.keys().all(|version| version.split('.').all(|part| part.parse::<u32>().is_ok())));
    });
}

#[test]
fn what_is_applied_is_as_reviewed_for_each_family() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut differing = Vec::new();
    for addon in all() {
        for (family, pod_cidrs) in [("ipv4", vec![IPV4]), ("ipv6", vec![IPV6]), ("dual-stack", vec![IPV4, IPV6])] {
            let newest: &'static str = addon.known_versions().last().unwrap().to_string().leak();
            let sample = Sample { facts: facts(&pod_cidrs), ..Sample::of(&addon.name, newest) };
            let shown = |objects: BTreeMap<ObjectKey, Declared>| -> String {
                let lines = |(key, declared): (ObjectKey, Declared)| {
                    let lines =
                        declared.fields().into_iter().map(|(path, text)| format!("  {path} = {}\n", text.escape_default()));
                    format!("{key}\n{}", lines.collect::<String>())
                };
                objects.into_iter().map(lines).collect()
            };
            let text = shown(sample.objects());
            assert_eq!(text, shown(sample.objects()), "{}: {family}", addon.name);
            let path = folder.join(format!("{}-{family}.txt", addon.name));
            if std::fs::read_to_string(&path).unwrap_or_default() != text {
                if std::env::var_os("UPDATE").is_some() {
                    std::fs::create_dir_all(&folder).unwrap();
                    std::fs::write(&path, text).unwrap();
                }
                differing.push(path.display().to_string());
            }
        }
    }
    assert!(differing.is_empty(), "not as reviewed; UPDATE=1 rewrites them:\n{}", differing.join("\n"));
}

const SERVER: &str = "Deployment.apps/kube-system/metrics-server";
const SETTINGS_OF_FLANNEL: &str = "ConfigMap/kube-flannel/kube-flannel-cfg";
const FLANNELD: &str = "DaemonSet.apps/kube-flannel/kube-flannel-ds";

#[test]
fn settings_go_to_their_places() {
    let selector = json!({ "node.example/pool": "infra" });
    let object = metrics_server()
        .with(json!({ "replicas": 3, "resolution_seconds": 30, "node_selector": selector, "tolerations": null }))
        .object(SERVER);
    let pod = &object["spec"]["template"]["spec"];
    assert_eq!((&object["spec"]["replicas"], &pod["nodeSelector"]), (&json!(3), &selector));
    assert_eq!(pod["tolerations"].as_array().map(Vec::len), Some(2), "null is what nobody has given");
    let arguments = pod["containers"][0]["args"].to_string();
    assert!(arguments.contains("--metric-resolution=30s") && !arguments.contains("15s"), "{arguments}");
    let has_budget = |sample: Sample| sample.objects().keys().any(|key| key.kind == "PodDisruptionBudget");
    assert!(has_budget(metrics_server()) && !has_budget(metrics_server().with(json!({ "disruption_budget": false }))));
}

#[test]
fn pods_are_made_again_when_what_they_have_read_changes() {
    let stamp = |sample: &Sample| sample.object(FLANNELD)["spec"]["template"]["metadata"]["annotations"].clone();
    let (before, after) = (flannel(), flannel().with(json!({ "mtu": 1400 })));
    assert_ne!(stamp(&before), stamp(&after));
    let patched = flannel().patched(SETTINGS_OF_FLANNEL, json!({ "data": { "cni-conf.json": "{}" } }));
    assert_ne!(stamp(&before), stamp(&patched));
    assert_eq!(stamp(&before), stamp(&flannel().with(json!({ "resources": {} }))));
}

#[test]
fn what_is_not_known_leaves_the_rest_known() {
    let open = |sample: Sample| -> Vec<String> {
        let objects = sample.objects().into_values().filter(|declared| !declared.is_known());
        objects.map(|declared| declared.key.to_string()).collect()
    };
    assert_eq!(open(metrics_server().with(json!({ "replicas": UNKNOWN }))), [SERVER]);
    assert_eq!(open(metrics_server().patched(SERVER, json!(UNKNOWN))), [SERVER]);
    assert_eq!(open(Sample { facts: Facts::default(), ..flannel() }), [SETTINGS_OF_FLANNEL, FLANNELD]);
    assert_eq!(open(Sample { facts: Facts::default(), ..metrics_server() }), [""; 0]);
    assert!(matches!(metrics_server().with(json!({ "disruption_budget": UNKNOWN })).render(), Ok(Rendered::Open)));
}

#[test]
fn a_patch_changes_its_object_and_nothing_else() {
    let pool = json!({ "spec": { "template": { "spec": { "nodeSelector": { "pool": "infra", "kubernetes.io/os": null } } } } });
    let patched = metrics_server().patched(SERVER, pool).objects();
    let pod = &patched[&SERVER.parse().unwrap()].object["spec"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"], json!({ "pool": "infra" }));
    let plain = metrics_server().objects();
    let differing = patched.iter().filter(|(key, object)| plain[*key] != **object);
    assert_eq!(differing.map(|(key, _)| key.to_string()).collect::<Vec<_>>(), [SERVER]);
}

#[test]
fn what_cannot_be_meant_is_said_with_what_would_do() {
    let setting = |name: &str| Subject::Setting(name.into());
    let patch = |key: &str| Subject::Patch(key.into());
    metrics_server().with(json!({ "replica": 2 })).is_refused(setting("replica"), "no setting \"replica\"", "replicas");
    metrics_server().with(json!({ "replicas": 0 })).is_refused(setting("replicas"), "0 is out of range", "from 1 to 10");
    flannel().with(json!({ "backend": "udp" })).is_refused(setting("backend"), "\"udp\"", "\"vxlan\", \"host-gw\"");
    let both = flannel().with(json!({ "backend": "host-gw", "mtu": 1400 }));
    both.is_refused(setting("mtu"), "mtu works with backend = \"vxlan\"", "Leave it out");
    let other = metrics_server().patched("Deployment.apps/kube-system/other", json!({}));
    other.is_refused(patch("Deployment.apps/kube-system/other"), "has no object", SERVER);
    metrics_server().patched(SERVER, json!([])).is_refused(patch(SERVER), "is no object", "yamlencode");
    let renamed = metrics_server().patched(SERVER, json!({ "metadata": { "name": "other" } }));
    renamed.is_refused(patch(SERVER), "makes another object", "stay as they are");
    let labelled = metrics_server().patched(SERVER, json!({ "metadata": { "labels": { "a": 1 } } }));
    labelled.is_refused(patch(SERVER), "metadata.labels", "texts");
    let old = Facts { kubernetes_version: Some("1.33.9".into()), ..facts(&[IPV4]) };
    Sample { facts: old, ..metrics_server() }.is_refused(Subject::Cluster, "Kubernetes 1.33.9", "1.34 or newer");
    let routed = Facts { pod_network: Some("routed".into()), ..facts(&[IPV4]) };
    let network = addon("flannel").unwrap().unwrap();
    let said = advice(&network, &routed).unwrap();
    assert_eq!((said.subject, said.rule.contains("and the cluster has \"routed\"")), (Subject::Cluster, true));
    assert_eq!(advice(&network, &facts(&[IPV4])), None);
}

#[test]
fn an_image_takes_the_place_of_one_that_there_is() {
    let addon = addon("metrics-server").unwrap().unwrap();
    let with = |name: &str, reference: Value| images(&addon.versions["0.9.0"], &BTreeMap::from([(name.to_string(), reference)]));
    for good in ["registry.example.net/a/b:v1", "localhost/a@sha256:0", "10.0.0.1:5000/a:1"] {
        assert_eq!(with("metrics-server", json!(good)).unwrap()["metrics-server"], good);
    }
    assert!(is_unknown(&with("metrics-server", json!(UNKNOWN)).unwrap()["metrics-server"]));
    for bad in ["metrics-server:v1", "library/a:1", "registry.example.net/a", "registry.example.net/A:1", "https://a.b/c:1", ""] {
        assert!(with("metrics-server", json!(bad)).is_err(), "{bad}");
    }
    assert!(with("other", json!("registry.example.net/a:1")).unwrap_err()[0].remedy.contains("metrics-server"));
}
