# The same by terraform-provider-tls: an authority, and for each of 333 keys a request and a certificate, 1,001 resources in all.

terraform {
  required_providers {
    tls = { source = "hashicorp/tls" }
  }
}

resource "tls_private_key" "authority" {
  algorithm   = "ECDSA"
  ecdsa_curve = "P256"
}

resource "tls_self_signed_cert" "authority" {
  private_key_pem       = tls_private_key.authority.private_key_pem
  is_ca_certificate     = true
  validity_period_hours = 87600
  allowed_uses          = ["cert_signing"]
  subject {
    common_name = "authority"
  }
}

resource "tls_private_key" "user" {
  count       = 333
  algorithm   = "ECDSA"
  ecdsa_curve = "P256"
}

resource "tls_cert_request" "user" {
  count           = 333
  private_key_pem = tls_private_key.user[count.index].private_key_pem
  subject {
    common_name = "user-${count.index}"
  }
}

resource "tls_locally_signed_cert" "user" {
  count                 = 333
  cert_request_pem      = tls_cert_request.user[count.index].cert_request_pem
  ca_private_key_pem    = tls_private_key.authority.private_key_pem
  ca_cert_pem           = tls_self_signed_cert.authority.cert_pem
  validity_period_hours = 8760
  allowed_uses          = ["client_auth"]
}
