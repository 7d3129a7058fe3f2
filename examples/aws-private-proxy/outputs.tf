output "vpc_id" {
  description = "Id of the VPC."
  value       = k8s_vpc.main.vpc_id
}

output "private_subnet_ids" {
  description = "Subnets of the nodes."
  value       = k8s_vpc.main.private_subnet_ids
}

output "proxy_environment" {
  description = "Environment of services on nodes that have to reach the Internet, such as containerd."
  value       = k8s_egress_proxy.main.proxy_environment
}

output "proxy" {
  description = "Where SSH to the proxy goes, which leads on to the nodes."
  value       = { host = k8s_egress_proxy.main.ssh_host, user = k8s_egress_proxy.main.ssh_user }
}

output "api_endpoint" {
  description = "URL of the API servers."
  value       = "https://${k8s_lb_nlb.api.endpoint}:6443"
}
