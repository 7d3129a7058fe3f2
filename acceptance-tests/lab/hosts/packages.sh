# shellcheck shell=bash
# Sourced. The Debian packages of the hosts.

# shellcheck disable=SC2034 # read by build.sh
{
  debian_suite=bookworm

  # What a fresh server image with SSH has, and what the Kubernetes documentation asks of a node.
  base_packages=(
    ca-certificates conntrack curl dbus ethtool ifupdown ipset iproute2 iptables iputils-ping jq kmod less libpam-systemd
    nftables openssh-server procps python3-minimal socat sudo systemd systemd-sysv udev
  )

  # What a user whose hosts have no package mirror bakes into the image: the load balancer's programs and some tools.
  # There is no container runtime here: that is the business of the provider.
  layer_packages=(busybox-static keepalived libnginx-mod-stream nginx-light openssl)

  # Services which the packages above enable and which an image for many purposes ships disabled.
  layer_disabled_services=(keepalived.service nginx.service)
}
