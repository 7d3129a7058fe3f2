terraform {
  required_version = ">= 1.11"
  required_providers {
    k8s = { source = "k8s-hardway/k8s" }
  }
}

provider "k8s" {
  ssh = {
    user             = "root"
    private_key_file = "~/.ssh/id_ed25519"
  }
  progress_file = "progress.log"
}
