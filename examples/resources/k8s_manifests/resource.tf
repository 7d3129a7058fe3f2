variable "database_password" {
  description = "Kept in no state."
  type        = string
  ephemeral   = true
}

resource "k8s_manifests" "shop" {
  name    = "shop"
  cluster = k8s_hardway_cluster.main.join

  # One name for each file, by which plans and errors know it.
  yaml = { for file in fileset(path.module, "shop/*.yaml") : file => file("${path.module}/${file}") }

  # What depends on other resources is written in HCL.
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = "shop" } },
    { apiVersion = "v1", kind = "Secret", metadata = { name = "db", namespace = "shop" }, type = "Opaque" },
    {
      apiVersion = "v1"
      kind       = "ConfigMap"
      metadata   = { name = "endpoint", namespace = "shop" }
      data       = { url = k8s_hardway_cluster.main.endpoint }
    },
  ]

  secrets         = { "shop/db" = { password = var.database_password } }
  secrets_version = 1

  depends_on = [k8s_node_group.nodes]
}
