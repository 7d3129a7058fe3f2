//! What the scenarios declare in YAML and HCL.

use acceptance_tests::Cluster;

/// What is declared, as far as scenarios change it.
pub struct Shop {
    pub replicas: u32,
    pub image: &'static str,
    pub has_settings: bool,
    pub argument: &'static str,
    pub strategy: &'static str,
    pub more: &'static str,
}

impl Default for Shop {
    fn default() -> Self {
        Shop { replicas: 2, image: "lab.local/echo:1", has_settings: true, argument: "localhost", strategy: "", more: "" }
    }
}

impl Shop {
    pub fn declare(&self, cluster: &Cluster) {
        let settings = if self.has_settings {
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings, namespace: shop, labels: { tier: web } }\ndata: { colour: blue, note: kept }\n"
        } else {
            ""
        };
        let yaml = format!(
            "# The custom resource comes before its definition: the order is the provider's.
apiVersion: example.com/v1
kind: Team
metadata: {{ name: red, namespace: shop }}
spec: {{ size: 3 }}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{ name: teams.example.com }}
spec:
  group: example.com
  scope: Namespaced
  names: {{ kind: Team, plural: teams, singular: team, listKind: TeamList }}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{ openAPIV3Schema: {{ type: object, properties: {{ spec: {{ type: object, properties: {{ size: {{ type: integer }} }} }} }} }} }}
---
apiVersion: v1
kind: Namespace
metadata: {{ name: shop }}
{settings}---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web, namespace: shop }}
spec:
  replicas: {}
{}
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {}
        ports: [{{ containerPort: 8080 }}]
        resources: {{ requests: {{ memory: 0.02Gi, cpu: 1m }} }}
        readinessProbe: {{ httpGet: {{ path: /, port: 8080 }}, periodSeconds: 1 }}
---
apiVersion: batch/v1
kind: Job
metadata: {{ name: migrate, namespace: shop }}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{{ name: migrate, image: lab.local/echo:1, command: [/bin/echo-http, dig, {}] }}]
",
            self.replicas, self.strategy, self.image, self.argument
        );
        cluster.workspace.write("shop.yaml", &yaml);
        let hcl = format!(
            "resource \"k8s_manifests\" \"shop\" {{
  name       = \"shop\"
  cluster    = k8s_hardway_cluster.main.join
  yaml       = {{ shop = file(\"${{path.module}}/shop.yaml\") }}
  depends_on = [k8s_node_group.nodes]
  {}
}}
",
            self.more
        );
        cluster.workspace.write("shop.tf", &hcl);
    }
}
