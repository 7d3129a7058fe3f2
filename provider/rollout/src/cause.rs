//! Why a unit starts, restarts or reloads.

use bundle::{HostPath, Instead};
use std::fmt;

/// Why a step is planned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A file or program that the unit reads.
    Changed(HostPath),
    /// What it reads is in place, and it was started before: an apply was cut off in between.
    OlderConfiguration,
    /// The same, and it was never seen healthy with it.
    Unproven,
    NotEnabled,
    /// Its start with an older configuration does not end.
    DoesNotComeUp,
    /// It ran before and does not now; systemd's `ActiveState`.
    Down(String),
    /// A kubelet that runs, and whose node the API server does not know.
    NotRegistered,
    /// A kubelet that can no longer identify itself.
    CertificateExpired,
    /// A kubelet of another minor version.
    OtherMinor(Instead),
    /// A node on which another network than the declared one connects pods.
    OtherPodNetwork,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Changed(path) => write!(f, "{path} changed"),
            Cause::OlderConfiguration => f.write_str("runs with an older configuration"),
            Cause::Unproven => f.write_str("not seen healthy with its configuration"),
            Cause::NotEnabled => f.write_str("not enabled at boot"),
            Cause::DoesNotComeUp => f.write_str("does not come up"),
            Cause::Down(active_state) => f.write_str(active_state),
            Cause::NotRegistered => f.write_str("its node is not registered"),
            Cause::OtherMinor(version) => write!(f, "kubelet {version}"),
            Cause::OtherPodNetwork => f.write_str("another pod network"),
            Cause::CertificateExpired => f.write_str("its client certificate has expired"),
        }
    }
}
