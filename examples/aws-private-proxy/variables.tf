variable "region" {
  description = "Region."
  type        = string
  default     = "us-east-1"
}

variable "aws_endpoint" {
  description = "URL in place of AWS's own endpoints, such as an emulator's; null for AWS."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  default     = "demo"
}

variable "cidr" {
  description = "CIDR of the VPC."
  type        = string
  default     = "192.168.0.0/16"
}

variable "zones" {
  description = "Availability zones by name; null takes the first two of the region."
  type        = set(string)
  default     = null
}

variable "domain" {
  description = "Domain of the instances, and of the names in the private zone."
  type        = string
  default     = "demo.internal"
}

variable "private_zone_id" {
  description = "Private hosted zone of the VPC for names of the proxy and of the API servers; null creates none."
  type        = string
  default     = null
}

variable "admin_cidrs" {
  description = "Networks that come in by SSH."
  type        = set(string)
  default     = ["198.51.100.0/24"]
}

variable "public_key" {
  description = "Public key of the proxy, Ed25519 or RSA."
  type        = string
}

variable "image" {
  description = "Image of the proxy: amazon-linux-2023, debian-12 or ubuntu-24.04. Debian has none in China."
  type        = string
  default     = "amazon-linux-2023"
}

variable "allowed_domains" {
  description = "What nodes reach through the proxy; a dot in front means all names below. Images of registry.k8s.io come from .pkg.dev."
  type        = list(string)
  default = [
    "dl.k8s.io",
    "cdn.dl.k8s.io",
    "registry.k8s.io",
    ".pkg.dev",
    "github.com",
    "release-assets.githubusercontent.com",
  ]
}

variable "service_cidrs" {
  description = "Service CIDRs of the cluster."
  type        = list(string)
  default     = ["10.96.0.0/16"]
}

variable "pod_cidrs" {
  description = "Pod CIDRs of the cluster."
  type        = list(string)
  default     = ["172.18.0.0/16"]
}

variable "api_servers" {
  description = "Addresses of the control-plane hosts."
  type        = list(string)
  default     = []
}
