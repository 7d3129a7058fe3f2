# The defaults are the hosts that `make demo` starts. Set them to your own: `terraform apply -var-file=mine.tfvars`.

variable "load_balancers" {
  description = "Two hosts that share the virtual addresses."
  type        = map(object({ address = string, secondary_address = optional(string) }))
  default = {
    lb-1 = { address = "10.77.0.11", secondary_address = "fd77:0:0:1::11" }
    lb-2 = { address = "10.77.0.12", secondary_address = "fd77:0:0:1::12" }
  }
}

variable "control_plane" {
  description = "Three hosts with etcd and the control plane; they are workers as well."
  type        = map(object({ address = string, secondary_address = optional(string), labels = optional(map(string)), taints = optional(list(object({ key = string, value = optional(string), effect = string }))), kubelet_config = optional(string) }))
  default = {
    cp-1 = { address = "10.77.0.13", secondary_address = "fd77:0:0:1::13" }
    cp-2 = { address = "10.77.0.14", secondary_address = "fd77:0:0:1::14" }
    cp-3 = { address = "10.77.0.15", secondary_address = "fd77:0:0:1::15" }
  }
}

variable "workers" {
  description = "Hosts that are workers only."
  type        = map(object({ address = string, secondary_address = optional(string), labels = optional(map(string)), taints = optional(list(object({ key = string, value = optional(string), effect = string }))), kubelet_config = optional(string) }))
  default     = {}
}

variable "virtual_addresses" {
  description = "Addresses that move between the load balancers, with the prefix length of their network."
  type        = list(string)
  default     = ["10.77.0.100/24", "fd77:0:0:1::100/64"]
}

variable "api_server_flags" {
  description = "More flags for kube-apiserver."
  type        = map(string)
  default     = {}
}

variable "private_key_file" {
  description = "Private key for SSH to the hosts."
  type        = string
  default     = "~/.ssh/id_ed25519"
}

variable "known_hosts_file" {
  description = "Host keys of the hosts."
  type        = string
  default     = "~/.ssh/known_hosts"
}

variable "mirror" {
  description = "Base URL of a download mirror; null fetches from the origins."
  type        = string
  default     = null
}

variable "registry_mirrors" {
  description = "Image registries and the mirrors that containerd asks in their place."
  type        = map(string)
  default     = {}
}

variable "kubelet_config" {
  description = "Settings in JSON that are merged into the KubeletConfiguration; null for none."
  type        = string
  default     = null
}

variable "progress_file" {
  description = "Where a long apply writes what it is doing."
  type        = string
  default     = "progress.log"
}
