//! `kubectl` of the cluster's own version, in the lab's network.

use crate::command::{Output, run};
use crate::lab::Lab;
use crate::{eventually, source_folder};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const IN_MIRROR: &str = "dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubectl";

pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub fn new(lab: &Lab, folder: &Path, kubeconfig: &str) -> Kubectl {
        let kubectl = Kubectl { program: folder.join("kubectl"), kubeconfig: folder.join("kubeconfig") };
        let install = || {
            std::fs::copy(Path::new(&lab.variable("LAB_MIRROR_DIR")).join(IN_MIRROR), &kubectl.program)?;
            std::fs::set_permissions(&kubectl.program, PermissionsExt::from_mode(0o755))?;
            std::fs::write(&kubectl.kubeconfig, kubeconfig)
        };
        install().unwrap_or_else(|error| panic!("kubectl: {error}"));
        kubectl
    }

    pub fn run(&self, lab: &Lab, arguments: &[&str]) -> Output {
        run(lab
            .command(120, &self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--request-timeout=30s")
            .args(arguments))
    }

    #[track_caller]
    pub fn get(&self, lab: &Lab, arguments: &[&str]) -> Value {
        self.run(lab, &[&["get", "-o", "json"], arguments].concat()).json()
    }

    /// Applies a file of `manifests/` and waits until what it names is ready.
    #[track_caller]
    pub fn deploy(&self, lab: &Lab, manifest: &str, ready: &[&str]) {
        let path = source_folder().join("manifests").join(manifest);
        self.run(lab, &["apply", "-f", &path.to_string_lossy()]).success();
        self.run(lab, &[&["rollout", "status", "--timeout=90s"], ready].concat()).success();
    }

    /// The names of the nodes that are Ready.
    pub fn ready_nodes(&self, lab: &Lab) -> Vec<String> {
        let output = self.run(
            lab,
            &[
                "get",
                "nodes",
                "-o",
                r#"jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#,
            ],
        );
        output.stdout.lines().filter_map(|line| line.strip_suffix(" True")).map(str::to_string).collect()
    }

    #[track_caller]
    pub fn wait_until_ready(&self, lab: &Lab, nodes: &[&str]) {
        eventually(&format!("{nodes:?} are Ready"), Duration::from_secs(120), || (self.ready_nodes(lab) == nodes).then_some(()));
    }
}
