//! Publishes the routes to the pods of every node, on every control-plane host: hosts follow that one object (`node/pod-network.sh`). Who gets
//! which route stands in `pod-shares.sh`. It has the user of the approver of serving certificates, and like that one acts for nodes by what
//! was declared for them; its permissions are in `objects/rbac.rs`.

use super::files::Reader;
use super::pod_routes::FUNCTIONS_PATH;
use super::script_unit::ScriptUnit;
use super::{Context, KUBECTL};
use crate::component::{CSR_APPROVER, POD_SHARES};
use crate::node::{SHARES_FUNCTIONS, shares};
use crate::spec::RenderError;
use bundle::{Bundle, File};

const SCRIPT: &str = include_str!("pod-shares.sh");
const SCRIPT_PATH: &str = "/usr/local/lib/k8s-hardway/pod-shares";

pub(super) fn render(context: &Context, bundle: &mut Bundle) -> Result<(), RenderError> {
    let mut reader = Reader::new(context, bundle);
    let kubectl = reader.program(KUBECTL);
    let kubeconfig = reader.local_kubeconfig(&CSR_APPROVER)?;
    let script = reader.file(SCRIPT_PATH, File::executable(SCRIPT));
    let functions = reader.file(FUNCTIONS_PATH, File::public(SHARES_FUNCTIONS));
    let shares = shares(&context.spec.network);
    let unit = ScriptUnit {
        description: "Publication of the routes to the pods of every node",
        runtime_directory: "k8s-pod-shares",
        // kubectl needs 150 MB for a list of 1,000 nodes.
        memory_max: "1G",
        command_line: format!("{script} {kubectl} {kubeconfig} {shares} {functions}"),
    };
    let reads = reader.reads;
    POD_SHARES.add(bundle, unit.file(), reads);
    Ok(())
}
