//! Where secrets must not be seen: what the engine and the provider wrote, and what hosts show to others than root.

use super::QuickStart;
use acceptance_tests::lab::{CONTROL_PLANE, HOSTS};
use acceptance_tests::secrets::Secrets;

pub fn no_secret_is_seen_in_logs_plans_progress_or_errors(QuickStart(cluster): &mut QuickStart) {
    let workspace = &cluster.workspace;
    let secrets = Secrets::of(&workspace.attribute("k8s_pki.main", "bundle"));
    // It finds them where they are: in the state, and encoded in the kubeconfig.
    assert!(secrets.found_in(&workspace.read("terraform.tfstate")).len() > 20);
    assert_eq!(secrets.found_in(&workspace.read("kubeconfig")), ["private_keys.admin"]);
    assert_eq!(secrets.found_below(&workspace.folder.join("logs"), &[".out", ".trace"]), Vec::<String>::new());
    assert_eq!(secrets.found_below(&workspace.folder, &["progress.log"]), Vec::<String>::new());
    for resource in ["k8s_hardway_cluster.main", "k8s_node_group.nodes", "k8s_lb_vrrp.api"] {
        let state = workspace.state()["resources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| resource == format!("{}.{}", r["type"].as_str().unwrap(), r["name"].as_str().unwrap()))
            .unwrap()
            .to_string();
        assert_eq!(secrets.found_in(&state), Vec::<String>::new(), "{resource}");
    }
    assert_eq!(secrets.found_in(&cluster.plan().open_values()), Vec::<String>::new());
}

/// Files below these folders are the provider's, or of what it installed. Its own records have what files held before.
const FILES_OPEN_TO_OTHERS: &str = "find /etc/etcd /etc/kubernetes /etc/k8s-lb /run /tmp /var/lib/etcd /var/lib/k8s-hardway /var/lib/kubelet \
     /var/log /var/tmp -xdev -type f -perm /044 -size -4096k -exec cat {} + 2>/dev/null";

pub fn no_secret_is_seen_on_hosts_by_others_than_root(QuickStart(cluster): &mut QuickStart) {
    let secrets = Secrets::of(&cluster.workspace.attribute("k8s_pki.main", "bundle"));
    assert!(secrets.found_in(&cluster.on("cp-1", "cat /etc/kubernetes/pki/*.key")).len() > 4, "nothing is found where it is");
    for host in HOSTS {
        for (place, command) in [
            ("journal", "journalctl --no-pager -q -o cat"),
            ("command lines", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"),
            ("files", FILES_OPEN_TO_OTHERS),
        ] {
            let text = cluster.on(host, &format!("{command}; true"));
            let found = secrets.found_in(&text);
            assert_eq!(found, Vec::<String>::new(), "in {place} of {host}");
        }
    }
    for host in CONTROL_PLANE {
        let units = "etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy";
        let limits = cluster.on(host, &format!("systemctl show --value -p LimitCORE {units} | grep -v '^$' | sort -u"));
        assert_eq!(limits.trim(), "0", "core dumps of {host}");
    }
}
