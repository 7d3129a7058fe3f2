//! The kubeconfig against a golden, and as a YAML reader sees it.

use base64::prelude::*;
use credentials::Secret;
use render::kubeconfig::{Identity, Kubeconfig, Trust, render_kubeconfig};
use serde_json::Value;

fn client<'a>(key: &'a Secret) -> Kubeconfig<'a> {
    Kubeconfig {
        cluster_name: "demo",
        server: "https://[2001:db8::100]:6443",
        trust: Trust::Embedded { pem: "AUTHORITY\n" },
        user: "system:kube-scheduler",
        identity: Identity::ClientCertificate { certificate: "CERTIFICATE\n", private_key: key },
    }
}

fn text(kubeconfig: &Kubeconfig<'_>) -> String {
    render_kubeconfig(kubeconfig).reveal().to_string()
}

#[test]
fn the_kubeconfig_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kubernetes/kubeconfig.yaml");
    let rendered = text(&client(&Secret::new("KEY\n")));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &rendered).unwrap();
        panic!("{path} is written; run again without UPDATE");
    }
    assert_eq!(rendered, std::fs::read_to_string(path).unwrap());
}

#[test]
fn a_yaml_reader_finds_every_field_of_a_client() {
    let yaml: Value = serde_saphyr::from_str(&text(&client(&Secret::new("KEY\n")))).unwrap();
    assert_eq!(yaml["apiVersion"], "v1");
    assert_eq!(yaml["kind"], "Config");
    assert_eq!(yaml["clusters"][0]["name"], "demo");
    assert_eq!(yaml["clusters"][0]["cluster"]["server"], "https://[2001:db8::100]:6443");
    assert_eq!(decoded(&yaml["clusters"][0]["cluster"]["certificate-authority-data"]), "AUTHORITY\n");
    assert_eq!(decoded(&yaml["users"][0]["user"]["client-certificate-data"]), "CERTIFICATE\n");
    assert_eq!(decoded(&yaml["users"][0]["user"]["client-key-data"]), "KEY\n");
    assert_eq!(yaml["current-context"], yaml["contexts"][0]["name"]);
    assert_eq!(yaml["contexts"][0]["context"]["cluster"], yaml["clusters"][0]["name"]);
    assert_eq!(yaml["contexts"][0]["context"]["user"], yaml["users"][0]["name"]);
}

#[test]
fn a_token_stands_in_place_of_the_client_certificate() {
    let token = Secret::new("07401b.f395accd246ae52d");
    let key = Secret::new("");
    let config = Kubeconfig { identity: Identity::Token(&token), ..client(&key) };
    let yaml: Value = serde_saphyr::from_str(&text(&config)).unwrap();
    assert_eq!(yaml["users"][0]["user"], serde_json::json!({ "token": "07401b.f395accd246ae52d" }));
}

#[test]
fn names_that_mean_something_in_yaml_stay_text() {
    let key = Secret::new("");
    for name in ["no", "1e3", "a: b", "\"quoted\" # text", "früh", "line\nbreak"] {
        let config = Kubeconfig { cluster_name: name, user: name, ..client(&key) };
        let yaml: Value = serde_saphyr::from_str(&text(&config)).unwrap();
        assert_eq!(yaml["clusters"][0]["name"], name);
        assert_eq!(yaml["contexts"][0]["context"]["user"], name);
    }
}

fn decoded(value: &Value) -> String {
    String::from_utf8(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap()
}
