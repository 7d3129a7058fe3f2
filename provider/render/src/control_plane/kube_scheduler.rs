//! The scheduler: one leader among all hosts.

use super::files::{KUBERNETES_PKI, Reader};
use super::{Context, binds, health_check};
use crate::component::SCHEDULER;
use crate::spec::RenderError;
use crate::systemd::{Flags, controller_unit};
use bundle::Bundle;

pub(super) fn render(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let mut reader = Reader::new(context, bundle);
    let kubeconfig = reader.local_kubeconfig(&SCHEDULER)?;
    let flags = Flags::new()
        .set("kubeconfig", &kubeconfig)
        .set("authentication-kubeconfig", &kubeconfig)
        .set("authorization-kubeconfig", &kubeconfig)
        .set("bind-address", context.loopback().to_string())
        // Without these two it looks the authorities up in the cluster, and does without them when a new one does not answer yet.
        .set("client-ca-file", reader.certificate(KUBERNETES_PKI, "cluster-ca", "cluster-ca")?)
        .set("requestheader-client-ca-file", reader.certificate(KUBERNETES_PKI, "front-proxy-ca", "front-proxy-ca")?)
        .set("requestheader-allowed-names", "front-proxy-client")
        .set("leader-elect", "true")
        .set("profiling", "false")
        .overridden_by(&context.spec.scheduler_flags);
    let command_line = flags.command_line(&reader.program(SCHEDULER.program));
    let unit_file = controller_unit(
        "Kubernetes scheduler",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/",
        &format!("ExecStart={command_line}\nRestart=always\nRestartSec=2"),
    );
    let reads = reader.reads;
    let checks = (health_check(&SCHEDULER, &flags), SCHEDULER.check(&flags, &[]));
    bundle.needs.listen(&SCHEDULER.unit(), binds(&SCHEDULER, &flags));
    SCHEDULER.add_with_checks(bundle, unit_file, reads, checks);
    Ok(())
}
