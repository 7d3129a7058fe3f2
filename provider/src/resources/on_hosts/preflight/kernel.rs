//! What the kernel has and how it is set up.

use super::{Finding, Look, Rule, each};
use schema::Severity::{Error, Warning};

/// `TmpfsNoswapSupportKernelVersion` of the kubelet
/// (https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/util/kernel/constants.go).
const TMPFS_NOSWAP: (u32, u32) = (6, 4);

pub static RULES: [Rule; 6] = [
    Rule {
        says: "The kernel is new enough for kube-proxy: 5.13 for its nftables mode.",
        hosts: "nodes",
        severity: Error,
        check: version,
    },
    Rule {
        says: "The kernel has the modules of the node: `br_netfilter`, `overlay`, and those of IPVS in that mode.",
        hosts: "nodes",
        severity: Error,
        check: modules,
    },
    Rule { says: "Swap is off if `kubelet_config` sets `failSwapOn`.", hosts: "nodes", severity: Error, check: swap },
    Rule {
        says: "Swap is off where the kernel is older than 6.4, which keeps Secrets in memory out of it.",
        hosts: "nodes",
        severity: Warning,
        check: secrets_in_swap,
    },
    Rule {
        says: "Control groups are version 2 if `kubelet_config` sets `failCgroupV1`.",
        hosts: "nodes",
        severity: Error,
        check: cgroups,
    },
    Rule { says: "SELinux is not enforcing.", hosts: "nodes", severity: Warning, check: selinux },
];

/// What each component wants and where that stands is in crate `render`.
fn version(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let wanted = new.bundle.needs.kernel.as_ref()?;
        let (found, oldest) = (new.facts.kernel_version()?, (wanted.major, wanted.minor));
        let detail = format!(
            "{} needs {}.{} or newer and does not start with less. Boot a newer kernel, or set proxy_mode = \"iptables\".",
            wanted.wanted_by, oldest.0, oldest.1
        );
        (found < oldest).then(|| (format!("kernel {} is too old", new.facts.kernel), detail))
    })
}

fn modules(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let missing = new.facts.missing_modules.iter().cloned().collect::<Vec<_>>().join(", ");
        let detail = "They are neither loaded, nor built in, nor loadable. Install the package of the distribution that has the kernel's \
                      further modules (such as linux-modules-extra or kernel-modules-extra), or boot another kernel.";
        (!missing.is_empty()).then(|| (format!("no kernel module {missing}"), detail.into()))
    })
}

/// `failSwapOn` of KubeletConfiguration (https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/).
fn swap(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let detail = "kubelet_config says failSwapOn, so the kubelet does not start. Switch swap off (swapoff -a, and its lines out of \
                      /etc/fstab), or leave failSwapOn out: pods get no swap all the same.";
        (new.facts.swap_on && new.bundle.needs.no_swap).then(|| ("swap is switched on".into(), detail.into()))
    })
}

/// https://kubernetes.io/docs/concepts/security/linux-security/
fn secrets_in_swap(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let is_old = new.facts.kernel_version().is_some_and(|version| version < TMPFS_NOSWAP);
        let detail = format!(
            "Kernel {} knows no tmpfs without swap (6.4 does, and some distributions' before it), so Secrets and other volumes in memory may \
             be written to the disk of the swap. Switch swap off, or encrypt it.",
            new.facts.kernel
        );
        let is_found = new.facts.swap_on && is_old && new.bundle.needs.runs_containers && !new.bundle.needs.no_swap;
        is_found.then(|| ("swap is switched on".into(), detail))
    })
}

/// `failCgroupV1`, true by default since 1.35 and false here: https://kubernetes.io/docs/concepts/architecture/cgroups/
fn cgroups(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let detail = "kubelet_config says failCgroupV1, so the kubelet does not start. Boot with systemd.unified_cgroup_hierarchy=1, or leave \
                      failCgroupV1 out.";
        let is_old = new.facts.cgroup_version < 2;
        (is_old && new.bundle.needs.cgroup_v2).then(|| ("control groups of version 1".into(), detail.into()))
    })
}

/// https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/ asks for permissive mode, in which containers may
/// use the file system of the host.
fn selinux(look: &Look) -> Vec<Finding> {
    each(look, |new| {
        let detail = "containerd is set up without SELinux: pods are not confined by it, and what they may not do in the file system of the \
                      host shows as denials (ausearch -m avc). If pods fail for that, make it permissive (setenforce 0 and SELINUX=permissive \
                      in /etc/selinux/config).";
        (new.facts.selinux_enforcing && new.bundle.needs.runs_containers).then(|| ("SELinux is enforcing".into(), detail.into()))
    })
}
