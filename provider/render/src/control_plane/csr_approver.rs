//! Approves the serving certificates of kubelets on every control-plane host, also when no apply runs: kubelets renew theirs
//! every few months. What it checks stands in `csr-approver.sh` and `certificate-request.awk`, what it may do in `objects/rbac.rs`.

use super::files::Reader;
use super::{Context, KUBECTL};
use crate::component::CSR_APPROVER;
use crate::spec::RenderError;
use crate::systemd::SANDBOX;
use bundle::{Bundle, File};

const SCRIPT: &str = include_str!("csr-approver.sh");
const SCRIPT_PATH: &str = "/usr/local/lib/k8s-hardway/csr-approver";
/// What a request must look like.
const READER: &str = include_str!("certificate-request.awk");
const READER_PATH: &str = "/usr/local/lib/k8s-hardway/certificate-request.awk";

pub(super) fn render(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let mut reader = Reader::new(context, bundle);
    let kubectl = reader.program(KUBECTL);
    let kubeconfig = reader.local_kubeconfig(&CSR_APPROVER)?;
    let script = reader.file(SCRIPT_PATH, File::executable(SCRIPT));
    let request_reader = reader.file(READER_PATH, File::public(READER));
    let unit_file = unit_file(&format!("{script} {kubectl} {kubeconfig} {request_reader}"));
    let reads = reader.reads;
    CSR_APPROVER.add(bundle, unit_file, reads);
    bundle.packages.insert("openssl".into(), "openssl".into());
    Ok(())
}

fn unit_file(command_line: &str) -> String {
    format!(
        "[Unit]
Description=Approval of the serving certificates of kubelets
After=network-online.target kube-apiserver.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={command_line}
Restart=always
RestartSec=2
RuntimeDirectory=k8s-csr-approver
RuntimeDirectoryMode=0700
MemoryMax=256M
TasksMax=64
CapabilityBoundingSet=
{SANDBOX}
[Install]
WantedBy=multi-user.target
"
    )
}
