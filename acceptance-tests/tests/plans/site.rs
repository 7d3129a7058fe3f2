//! Where scenarios plan: one initialised folder for each engine, into which each writes its configuration, and what all need: digests of
//! downloads, and a PKI that was really issued.

use super::said::{self, Said};
use acceptance_tests::command::run;
use acceptance_tests::suite::Shared;
use acceptance_tests::{Engine, Plan, Workspace, lab};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub const HEAD: &str = "terraform {\n  required_providers {\n    k8s = { source = \"k8s-hardway/k8s\" }\n  }\n}\n";

/// Nobody listens there: a plan that asks somebody shows it.
const NOBODY: &str = "http://127.0.0.1:9";

/// The provider, and the control plane of which most scenarios are made. `pki` is what a first apply of `k8s_pki` gave.
pub const CLUSTER: &str = r#"
provider "k8s" {
  mirror = "http://127.0.0.1:9"
}

variable "pki" {
  type      = any
  ephemeral = true
  sensitive = true
}

variable "checksums" {
  type    = map(string)
  default = null
}

variable "control_plane" {
  type    = map(string)
  default = { "cp-1" = "192.0.2.11", "cp-2" = "192.0.2.12", "cp-3" = "192.0.2.13" }
}

resource "k8s_hardway_cluster" "main" {
  name               = "plans"
  kubernetes_version = "1.36.3"
  pki                = var.pki
  endpoint           = "https://192.0.2.100:6443"
  hosts              = { for name, address in var.control_plane : name => { address = address } }
  network            = { pod_cidrs = ["172.18.0.0/16"], service_cidrs = ["10.96.0.0/16"] }
  checksums          = var.checksums
}
"#;

pub const NODES: &str = r#"
variable "workers" {
  type    = map(string)
  default = { "worker-1" = "192.0.2.21", "worker-2" = "192.0.2.22" }
}

resource "k8s_node_group" "main" {
  cluster   = k8s_hardway_cluster.main.join
  hosts     = { for name, address in var.workers : name => { address = address } }
  checksums = var.checksums
}
"#;

const PKI: &str = r#"
variable "key_algorithm" {
  type    = string
  default = null
}

resource "k8s_pki" "main" {
  cluster_name  = "plans"
  endpoints     = ["192.0.2.100"]
  service_cidrs = ["10.96.0.0/16"]
  hosts         = { for number in range(1, 4) : "cp-${number}" => { address = "192.0.2.1${number}" } }
  key_algorithm = var.key_algorithm
}

output "pki" {
  value     = k8s_pki.main.bundle
  sensitive = true
}
"#;

pub struct Plans {
    sites: Vec<Site>,
    /// `pki` and `checksums`.
    variables: Value,
}

/// The folder of one engine.
pub struct Site {
    workspace: Workspace,
    /// The configuration whose first day is in the state.
    settled: RefCell<String>,
}

impl Shared for Plans {
    fn begin() -> Self {
        let source = source();
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("main.tf"), HEAD).unwrap();
        let site = |engine: &Engine| Site {
            workspace: Workspace::new(engine, &source, &format!("plans-{}", engine.name)),
            settled: RefCell::default(),
        };
        let sites: Vec<Site> = Engine::all().iter().map(site).collect();
        let pki = sites[0].issue(None);
        let checksums = sites[0].downloads(&pki);
        Plans { sites, variables: json!({ "pki": pki, "checksums": checksums }) }
    }
}

impl Drop for Plans {
    fn drop(&mut self) {
        if !lab::kept() {
            self.sites.iter().for_each(|site| site.workspace.remove());
            std::fs::remove_dir_all(source()).unwrap();
        }
    }
}

/// What every site starts as.
fn source() -> PathBuf {
    lab::folder().join("plans-source")
}

impl Plans {
    /// Runs a scenario under every engine at once, each in its folder with only this configuration.
    pub fn with(&mut self, configuration: &[&str], scenario: impl Fn(&Site) + Sync) {
        let text = configuration.concat();
        self.under_every_engine(|site, _| {
            site.fill(&text);
            scenario(site);
        });
    }

    /// The same with the values of `pki` and `checksums`.
    pub fn with_cluster(&mut self, configuration: &[&str], scenario: impl Fn(&Site) + Sync) {
        let text = configuration.concat();
        self.under_every_engine(|site, variables| {
            site.fill(&text);
            site.set(variables);
            scenario(site);
        });
    }

    /// The same, and it is the second day: the state says that the first plan, in which nothing is unknown, was applied, and the next
    /// one is empty. Scenarios leave both as they are, so that those with one configuration share its first day.
    pub fn on_second_day(&mut self, configuration: &[&str], scenario: impl Fn(&Site) + Sync) {
        let text = configuration.concat();
        self.under_every_engine(|site, variables| {
            if *site.settled.borrow() != text {
                site.fill(&text);
                site.set(variables);
                site.first_day();
                site.settled.replace(text.clone());
            }
            scenario(site);
        });
    }

    /// What panics is reported under the name of its engine.
    fn under_every_engine(&mut self, scenario: impl Fn(&Site, &Value) + Sync) {
        let (variables, scenario) = (&self.variables, &scenario);
        std::thread::scope(|scope| {
            for site in &mut self.sites {
                let thread = std::thread::Builder::new().name(site.name().to_string());
                thread.spawn_scoped(scope, move || scenario(site, variables)).unwrap();
            }
        });
    }

    /// Another PKI for the hosts of `CLUSTER`.
    pub fn issue(&self, key_algorithm: &str) -> Value {
        self.sites[0].issue(Some(key_algorithm))
    }

    pub fn variables(&self) -> &Value {
        &self.variables
    }
}

impl Site {
    fn fill(&self, configuration: &str) {
        self.settled.replace(String::new());
        for entry in std::fs::read_dir(&self.workspace.folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true if ![".engine", ".terraform", "logs"].contains(&name.as_str()) => std::fs::remove_dir_all(path).unwrap(),
                false if name != ".terraform.lock.hcl" => std::fs::remove_file(path).unwrap(),
                _ => {}
            }
        }
        self.write("main.tf", &format!("{HEAD}{configuration}"));
    }

    pub fn name(&self) -> &'static str {
        self.workspace.engine.name
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::create_dir_all(self.workspace.folder.join(file).parent().unwrap()).unwrap();
        self.workspace.write(file, text);
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.workspace.folder.join(file)).unwrap()
    }

    /// Takes modules in.
    pub fn init(&self) {
        self.success("init", &["-input=false"]);
    }

    pub fn set(&self, variables: &Value) {
        self.write("site.auto.tfvars.json", &variables.to_string());
    }

    #[track_caller]
    pub fn success(&self, subcommand: &str, arguments: &[&str]) -> String {
        run(&mut self.command(subcommand, arguments)).success().stdout
    }

    fn command(&self, subcommand: &str, arguments: &[&str]) -> std::process::Command {
        let mut command = self.workspace.command(None, subcommand);
        command.args(arguments).arg("-no-color");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.envs([("AWS_ENDPOINT_URL", NOBODY), ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_REGION", "us-east-1")]);
        command
    }

    /// What is said of the configuration alone, while variables are unknown.
    pub fn validate(&self) -> Said {
        let output = run(&mut self.command("validate", &["-json"]));
        let answer: Value = serde_json::from_str(&output.stdout).unwrap();
        let event = |diagnostic: &Value| json!({ "type": "diagnostic", "diagnostic": diagnostic }).to_string() + "\n";
        let stdout = answer["diagnostics"].as_array().unwrap().iter().map(event).collect();
        Said::by(self.name(), &acceptance_tests::command::Output { stdout, ..output }, None)
    }

    pub fn plan(&self, arguments: &[&str]) -> Said {
        let output = run(&mut self.command("plan", &[&["-json", "-input=false", "-out=plan.bin"], arguments].concat()));
        let show = || Plan::new(serde_json::from_str(&self.success("show", &["-json", "plan.bin"])).unwrap(), String::new());
        let plan = output.is_success().then(show);
        Said::by(self.name(), &output, plan)
    }

    /// From the state alone: no host is asked.
    pub fn plan_of_second_day(&self, arguments: &[&str]) -> Said {
        self.plan(&[&["-refresh=false"], arguments].concat())
    }

    #[track_caller]
    pub fn apply(&self, arguments: &[&str]) {
        self.success("apply", &[&["-auto-approve", "-input=false"], arguments].concat());
    }

    #[track_caller]
    fn first_day(&self) {
        let first = self.plan(&[]);
        self.write("terraform.tfstate", &state_of(first.planned()).to_string());
        self.plan_of_second_day(&[]).planned().is_empty();
    }

    /// Issues a PKI for the hosts of `CLUSTER`.
    fn issue(&self, key_algorithm: Option<&str>) -> Value {
        self.fill(PKI);
        let variable = key_algorithm.map(|name| format!("-var=key_algorithm={name}"));
        self.apply(&variable.iter().map(String::as_str).collect::<Vec<_>>());
        serde_json::from_str(&self.success("output", &["-json", "pki"])).unwrap()
    }

    /// A digest for every URL of which a plan shows that somebody would have to be asked: first of the control plane, then of nodes,
    /// which know their downloads once the cluster is known.
    fn downloads(&self, pki: &Value) -> BTreeMap<String, String> {
        let mut checksums: BTreeMap<String, String> = BTreeMap::new();
        let nodes = NODES.replace("= var.checksums", "= null");
        self.fill(&[CLUSTER, &nodes].concat());
        for address in ["k8s_hardway_cluster.main", "k8s_node_group.main"] {
            let given = if checksums.is_empty() { Value::Null } else { json!(checksums) };
            self.set(&json!({ "pki": pki, "checksums": given }));
            let said = self.plan(&[]);
            let open = said::change(said.planned(), address)["after_unknown"]["checksums"].clone();
            let urls = open.as_object().unwrap_or_else(|| panic!("the downloads of {address} are not shown: {open}"));
            checksums.extend(urls.keys().map(|url| (url.clone(), "0".repeat(64))));
        }
        checksums
    }
}

/// As if what a plan shows had been applied and nothing had drifted. Good for what a plan says; an apply from it proves nothing.
fn state_of(plan: &Plan) -> Value {
    let mut resources = Vec::new();
    resources_of(&plan.json["planned_values"]["root_module"], &mut resources);
    json!({
        "version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "11111111-2222-3333-4444-555555555555",
        "outputs": {}, "resources": resources, "check_results": null,
    })
}

fn resources_of(module: &Value, resources: &mut Vec<Value>) {
    let managed = module["resources"].as_array().into_iter().flatten().filter(|resource| resource["mode"] == "managed");
    resources.extend(managed.map(|resource| {
        let mut instance = json!({
            "schema_version": resource["schema_version"],
            "attributes": with_uid(&resource["values"]),
            "sensitive_attributes": sensitive(&resource["sensitive_values"]),
        });
        if let Some(key) = resource.get("index") {
            instance["index_key"] = key.clone();
        }
        json!({
            "mode": "managed", "type": resource["type"], "name": resource["name"],
            "provider": format!("provider[{}]", resource["provider_name"]), "instances": [instance],
        })
    }));
}

/// What only an apply draws, so that a plan has no value for it.
fn with_uid(values: &Value) -> Value {
    const NIL: &str = "00000000-0000-0000-0000-000000000000";
    let mut values = values.clone();
    if values.get("host_contents").is_some() {
        ["uid", "holder"].into_iter().for_each(|id| values[id] = json!(NIL));
    }
    for join in ["join", "cluster"] {
        if values[join].is_object() {
            values[join]["cluster_uid"] = json!(NIL);
        }
    }
    values
}

/// Attributes that are marked as a whole.
fn sensitive(marks: &Value) -> Vec<Value> {
    let marked = marks.as_object().into_iter().flatten().filter(|(_, mark)| **mark == Value::Bool(true));
    marked.map(|(name, _)| json!([{ "type": "get_attr", "value": name }])).collect()
}
