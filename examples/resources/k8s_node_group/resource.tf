resource "k8s_node_group" "workers" {
  name    = "workers"
  cluster = k8s_hardway_cluster.main.join
  hosts = {
    "worker-1" = { address = "192.0.2.21", secondary_address = "2001:db8::21" }
    "worker-2" = {
      address           = "192.0.2.22"
      secondary_address = "2001:db8::22"

      # What this node has of its own.
      labels         = { "node.example/gpu" = "l4" }
      annotations    = { "node.example/rack" = "row 2, rack 7" }
      taints         = [{ key = "node.example/gpu", effect = "NoSchedule" }]
      kubelet_config = jsonencode({ maxPods = 50 })
    }
  }

  labels          = { "node.example/pool" = "general", "node-role.kubernetes.io/batch" = "" }
  annotations     = { "node.example/site" = "berlin" }
  kubelet_config  = jsonencode({ maxPods = 200 })
  max_unavailable = 2
}
