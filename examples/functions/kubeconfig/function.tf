output "kubeconfig" {
  sensitive = true
  value = provider::k8s::kubeconfig(
    k8s_hardway_cluster.main.join,
    "admin",
    k8s_pki.main.certificates["admin"],
    k8s_pki.main.bundle.private_keys["admin"],
  )
}
