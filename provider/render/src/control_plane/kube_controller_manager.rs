//! The controller manager: signs certificates with cluster-ca, hands out pod CIDRs, one leader among all hosts.

use super::files::{KUBERNETES_PKI, Reader};
use super::{Context, binds, health_check, joined, listens_at};
use crate::component::{CONTROLLER_MANAGER, shown_at};
use crate::spec::RenderError;
use crate::systemd::{Flags, controller_unit};
use bundle::{Bundle, Unit};
use std::net::IpAddr;

pub(super) fn render(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let mut reader = Reader::new(context, bundle);
    let certificate = format!("controller-manager/{}", context.name);
    let kubeconfig = reader.local_kubeconfig(&CONTROLLER_MANAGER)?;
    let flags = Flags::new()
        .set("kubeconfig", &kubeconfig)
        .set("authentication-kubeconfig", &kubeconfig)
        .set("authorization-kubeconfig", &kubeconfig)
        .set("bind-address", context.loopback().to_string())
        .set("tls-cert-file", reader.certificate(KUBERNETES_PKI, "controller-manager", &certificate)?)
        .set("tls-private-key-file", reader.private_key(KUBERNETES_PKI, "controller-manager", &certificate)?)
        // Without these two it looks the authorities up in the cluster, and stops when a new one does not answer yet.
        .set("client-ca-file", reader.certificate(KUBERNETES_PKI, "cluster-ca", "cluster-ca")?)
        .set("requestheader-client-ca-file", reader.certificate(KUBERNETES_PKI, "front-proxy-ca", "front-proxy-ca")?)
        .set("requestheader-allowed-names", "front-proxy-client")
        // It takes exactly one certificate: not the file that trusts two while cluster-ca is rotated.
        .set("cluster-signing-cert-file", reader.signing_certificate(KUBERNETES_PKI, "cluster-ca-signing", "cluster-ca")?)
        .set("cluster-signing-key-file", reader.private_key(KUBERNETES_PKI, "cluster-ca", "cluster-ca")?)
        .set("root-ca-file", reader.certificate(KUBERNETES_PKI, "apiserver-ca", "apiserver-ca")?)
        .set("service-account-private-key-file", reader.private_key(KUBERNETES_PKI, "service-account", "service-account")?)
        .set("use-service-account-credentials", "true")
        .set("controllers", "*,bootstrapsigner,tokencleaner")
        .set("leader-elect", "true")
        .set("profiling", "false")
        // It makes the directory, and the default is below /usr.
        .set("flex-volume-plugin-dir", "/run/kube-controller-manager/flexvolume")
        .set("cluster-name", &context.spec.name);
    let flags = flags.set_if("cloud-provider", context.spec.cloud_provider.flag());
    let flags = network_flags(context, flags).overridden_by(&context.spec.controller_manager_flags);
    let command_line = flags.command_line(&reader.program(CONTROLLER_MANAGER.program));
    let unit_file = controller_unit(
        "Kubernetes controller manager",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/",
        &format!("ExecStart={command_line}\nRestart=always\nRestartSec=2\nRuntimeDirectory=kube-controller-manager"),
    );
    let reads = reader.reads;
    let shown = listens_at(&CONTROLLER_MANAGER, &flags).map(|address| shown_at(address, None));
    let unit = CONTROLLER_MANAGER.describe_with_flags(reads, &flags, &[("tls-cert-file", shown)]);
    let health_check = health_check(&CONTROLLER_MANAGER, &flags);
    bundle.needs.listen(&CONTROLLER_MANAGER.unit(), binds(&CONTROLLER_MANAGER, &flags));
    CONTROLLER_MANAGER.add_unit(bundle, unit_file, Unit { health_check, check: CONTROLLER_MANAGER.check(&flags, &[]), ..unit });
    Ok(())
}

fn network_flags(context: &Context, flags: Flags) -> Flags {
    let network = &context.spec.network;
    let mut flags = flags
        .set("allocate-node-cidrs", "true")
        .set("cluster-cidr", joined(&network.pod_cidrs))
        .set("service-cluster-ip-range", joined(&network.service_cidrs));
    // The mask of a family that the cluster does not have is an error (setNodeCIDRMaskSizes in cmd/kube-controller-manager).
    for cidr in &network.pod_cidrs {
        flags = match cidr.addr() {
            IpAddr::V4(_) => flags.set("node-cidr-mask-size-ipv4", network.node_mask_ipv4.to_string()),
            IpAddr::V6(_) => flags.set("node-cidr-mask-size-ipv6", network.node_mask_ipv6.to_string()),
        };
    }
    flags
}
