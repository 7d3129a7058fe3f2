//! Approves the serving certificates of kubelets on every control-plane host, also when no apply runs: kubelets renew theirs
//! every few months. What it checks stands in `csr-approver.sh` and `certificate-request.awk`, what it may do in `objects/rbac.rs`.

use super::files::Reader;
use super::script_unit::ScriptUnit;
use super::{Context, KUBECTL};
use crate::component::CSR_APPROVER;
use crate::spec::RenderError;
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
    let unit = ScriptUnit {
        description: "Approval of the serving certificates of kubelets",
        runtime_directory: "k8s-csr-approver",
        memory_max: "256M",
        command_line: format!("{script} {kubectl} {kubeconfig} {request_reader}"),
    };
    let reads = reader.reads;
    CSR_APPROVER.add(bundle, unit.file(), reads);
    bundle.packages.insert("openssl".into(), "openssl".into());
    Ok(())
}
