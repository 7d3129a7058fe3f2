data "k8s_kubeconfig" "admin" {
  cluster            = k8s_hardway_cluster.main.join
  client_certificate = k8s_pki.main.certificates["admin"]
  client_key         = k8s_pki.main.bundle.private_keys["admin"]
}

output "kubeconfig" {
  value     = data.k8s_kubeconfig.admin.kubeconfig
  sensitive = true
}
