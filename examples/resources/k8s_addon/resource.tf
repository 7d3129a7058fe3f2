resource "k8s_addon" "metrics_server" {
  name    = "metrics-server"
  version = "0.9.0"
  cluster = k8s_hardway_cluster.main.join

  settings = {
    replicas           = 2
    resolution_seconds = 15
    node_selector      = { "node.example/pool" = "general" }
  }

  # What no setting covers is merged into the object.
  patches = {
    "Deployment.apps/kube-system/metrics-server" = yamlencode({
      spec = { template = { metadata = { annotations = { "example.com/team" = "platform" } } } }
    })
  }

  # A registry of your own, where nodes reach no other.
  image_overrides = { metrics-server = "registry.example.net/metrics-server/metrics-server:v0.9.0" }

  depends_on = [k8s_node_group.workers]
}
