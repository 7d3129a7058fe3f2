output "endpoint" {
  description = "URL of the API servers behind the virtual address."
  value       = local.endpoint
}

output "nodes" {
  description = "Names of the nodes."
  value       = keys(k8s_node_group.nodes.hosts)
}

output "dns_address" {
  description = "Address of the cluster DNS in the first service CIDR."
  value       = provider::k8s::service_address(k8s_pki.main.service_cidrs[0], 10)
}

output "kubeconfig" {
  description = "Kubeconfig of the administrator."
  sensitive   = true
  value = provider::k8s::kubeconfig(
    k8s_hardway_cluster.main.join,
    "admin",
    k8s_pki.main.certificates["admin"],
    k8s_pki.main.bundle.private_keys["admin"],
  )
}
