//! Routes from a control-plane host to pods, so that the API server reaches aggregated servers and webhooks also where no
//! kubelet runs. The script is the one of nodes; where the host is a node too, both keep the same routes.

use super::{Context, KUBE_PROXY_KUBECONFIG, KUBECTL};
use crate::component::{POD_NETWORK, POD_ROUTES};
use crate::node::{POD_NETWORK_SCRIPT, SHARES_FUNCTIONS, flush_routes, shares};
use bundle::{Bundle, File, HostPath};

const SCRIPT_PATH: &str = "/usr/local/lib/k8s-hardway/pod-routes";
/// Also read by the publisher of routes.
pub(super) const FUNCTIONS_PATH: &str = "/usr/local/lib/k8s-hardway/pod-routes.awk";

pub(super) fn render(context: &Context, bundle: &mut Bundle) {
    bundle.files.insert(HostPath::literal(SCRIPT_PATH), File::executable(POD_NETWORK_SCRIPT));
    bundle.files.insert(HostPath::literal(FUNCTIONS_PATH), File::public(SHARES_FUNCTIONS));
    let unit_file = format!(
        "[Unit]
Description=Routes to the pods of every node
After=network-online.target kube-apiserver.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={SCRIPT_PATH} {} {KUBECTL} {KUBE_PROXY_KUBECONFIG} {} {FUNCTIONS_PATH}
Restart=always
RestartSec=2
RuntimeDirectory=k8s-pod-routes
RuntimeDirectoryMode=0700
MemoryMax=256M
TasksMax=64
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes
CapabilityBoundingSet=CAP_NET_ADMIN

[Install]
WantedBy=multi-user.target
",
        context.name,
        shares(&context.spec.network)
    );
    let reads = [SCRIPT_PATH, FUNCTIONS_PATH, KUBECTL, KUBE_PROXY_KUBECONFIG].map(HostPath::literal);
    POD_ROUTES.add(bundle, unit_file, reads);
    clean_up(bundle);
    bundle.packages.insert("ip".into(), "iproute2".into());
}

const CLEANUP: &str = "pod-routes";

fn clean_up(bundle: &mut Bundle) {
    bundle.clean_up(CLEANUP, flush_routes(&POD_NETWORK) + "; true");
}

/// Where something in the cluster connects pods, those that are there go.
pub(super) fn retire(bundle: &mut Bundle) {
    clean_up(bundle);
    bundle.retired.insert(CLEANUP, POD_ROUTES.unit());
}
