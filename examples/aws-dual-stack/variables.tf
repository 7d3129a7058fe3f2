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
  description = "IPv4 CIDR of the VPC. The IPv6 block comes from Amazon."
  type        = string
  default     = "10.0.0.0/16"
}

variable "zones" {
  description = "Availability zones by name; null takes the first ones of the region."
  type        = set(string)
  default     = null
}

variable "zone_count" {
  description = "How many zones, when they are not named."
  type        = number
  default     = 2

  validation {
    condition     = var.zone_count >= 2 && var.zone_count <= 4
    error_message = "Two to four zones."
  }
}

variable "nat_mode" {
  description = "NAT gateways for IPv4: per_zone, single or none."
  type        = string
  default     = "per_zone"
}

variable "admin_cidrs" {
  description = "Networks that reach the bastion by SSH, of both families."
  type        = set(string)
  default     = ["198.51.100.0/24", "2001:db8:77::/48"]
}

variable "public_key" {
  description = "Public key of the bastion, Ed25519 or RSA."
  type        = string
}

variable "image" {
  description = "Image of the bastion: amazon-linux-2023, debian-12 or ubuntu-24.04."
  type        = string
  default     = "amazon-linux-2023"
}

variable "api_servers" {
  description = "IPv4 addresses of the control-plane hosts."
  type        = list(string)
  default     = []
}

variable "route53_zone_id" {
  description = "Hosted zone for names of the bastion and of the API servers, public or private; null creates none."
  type        = string
  default     = null
}

variable "domain" {
  description = "Domain of these names, within the hosted zone."
  type        = string
  default     = "demo.example.net"
}
