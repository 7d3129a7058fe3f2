output "vpc_id" {
  description = "Id of the VPC."
  value       = k8s_vpc.main.vpc_id
}

output "ipv6_cidr" {
  description = "IPv6 block that Amazon gave the VPC."
  value       = k8s_vpc.main.ipv6_cidr
}

output "subnet_cidrs" {
  description = "IPv4 CIDR of each subnet by name."
  value       = k8s_vpc.main.subnet_cidrs
}

output "private_subnet_ids" {
  description = "Subnets of the nodes."
  value       = k8s_vpc.main.private_subnet_ids
}

output "bastion" {
  description = "Where SSH goes, for `ssh -J`; the user is null with an image of your own."
  value       = { host = k8s_bastion.main.ssh_host, user = k8s_bastion.main.ssh_user }
}

output "api_endpoint" {
  description = "URL of the API servers."
  value       = "https://${k8s_lb_nlb.api.endpoint}:6443"
}

output "api_endpoint_names" {
  description = "Names for the certificates of the API servers, as `k8s_pki.endpoints` takes them."
  value       = k8s_lb_nlb.api.endpoint_names
}
