# The newest Amazon Linux 2023 for Arm, by the parameter that AWS keeps up to date.
data "k8s_aws_image" "amazon_linux" {
  parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

# The newest Debian 13 of Debian's own account, by name.
data "k8s_aws_image" "debian" {
  owners       = ["136693071363"]
  image_name   = "debian-13-arm64-*"
  architecture = "arm64"
}

output "images" {
  value = [data.k8s_aws_image.amazon_linux.id, data.k8s_aws_image.debian.id]
}
