# shellcheck shell=bash
# Sourced. The programs of the mirror and how they are built from Go modules, one function per release.
# The versions are those of go/*/go.mod. Each function prints the folder with its programs. Needs cache.sh and go-build.sh.

# read by build.sh
# shellcheck disable=SC2034
{
  kubernetes_version=v1.36.3
  etcd_version=v3.6.16
  containerd_version=2.3.7
  runc_version=1.4.3
  cni_version=v1.9.1
  coredns_version=v1.15.0
  metrics_server_version=v0.9.0
  flannel_version=v0.28.10
  cloud_controller_version=v1.36.2
  flannel_cni_tag=v1.9.1-flannel3 # of the image which flannel's own manifest names beside that version
}

modules=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/go

# What `kubectl version` and the nodes of a cluster show.
kubernetes_stamps() {
  local package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    printf 'X=%s.%s ' \
      "$package" "gitVersion=$kubernetes_version" "$package" gitMajor=1 "$package" gitMinor=36 \
      "$package" gitTreeState=clean "$package" gitCommit=built-from-modules "$package" buildDate=1970-01-01T00:00:00Z
  done
}

programs_kubernetes() {
  go_programs kubernetes "$modules/kubernetes" "$(kubernetes_stamps)" \
    k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl}
}

# Kubernetes' own tests with what runs them, and the program of most of their images.
programs_conformance() {
  go_programs conformance "$modules/conformance" "$(kubernetes_stamps)" github.com/onsi/ginkgo/v2/ginkgo k8s.io/kubernetes/test/images/agnhost
}

programs_conformance_tests() {
  go_programs conformance-tests "$modules/conformance" "tests $(kubernetes_stamps)" k8s.io/kubernetes/test/e2e
}

programs_shell() {
  go_programs shell "$modules/shell" '' lab.local/shell
}

# Says as whom it runs; the image sets the bit with which it runs as its owner.
programs_nonewprivs() {
  go_programs nonewprivs "$modules/conformance" '' k8s.io/kubernetes/test/images/nonewprivs
}

# Of the version which the tests' image of it has.
programs_sample_apiserver() {
  go_programs sample-apiserver "$modules/sample-apiserver" '' k8s.io/sample-apiserver
}

# For comparisons only, so not in the usual mirror.
programs_kubeadm() {
  go_programs kubeadm "$modules/kubernetes" "$(kubernetes_stamps)" k8s.io/kubernetes/cmd/kubeadm
}

programs_etcd() {
  go_programs etcd "$modules/etcd" X=go.etcd.io/etcd/api/v3/version.GitSHA=built-from-modules \
    etcd=go.etcd.io/etcd/server/v3 go.etcd.io/etcd/etcdctl/v3 go.etcd.io/etcd/etcdutl/v3
}

programs_containerd() {
  local module=github.com/containerd/containerd/v2
  go_programs containerd "$modules/containerd" \
    "tags=no_btrfs,no_zfs,no_devmapper X=$module/version.Version=v$containerd_version" \
    $module/cmd/{containerd,containerd-shim-runc-v2,ctr}
}

programs_runc() {
  go_programs runc "$modules/runc" "cgo static tags=netgo,osusergo,seccomp X=main.version=$runc_version" github.com/opencontainers/runc
}

programs_cni() {
  local module=github.com/containernetworking/plugins
  go_programs cni "$modules/cni" "X=$module/pkg/utils/buildversion.BuildVersion=$cni_version" \
    $module/plugins/main/{bridge,dummy,host-device,ipvlan,loopback,macvlan,ptp,tap,vlan} \
    $module/plugins/ipam/{dhcp,host-local,static} \
    $module/plugins/meta/{bandwidth,firewall,portmap,sbr,tuning,vrf}
}

programs_coredns() {
  go_programs coredns "$modules/coredns" X=github.com/coredns/coredns/coremain.GitCommit=built-from-modules github.com/coredns/coredns
}

programs_metrics_server() {
  go_programs metrics-server "$modules/metrics-server" X=k8s.io/client-go/pkg/version.gitVersion=$metrics_server_version \
    sigs.k8s.io/metrics-server/cmd/metrics-server
}

# With C for one of its backends, as upstream's.
programs_flannel() {
  local module=github.com/flannel-io/flannel
  go_programs flannel "$modules/flannel" "cgo static tags=netgo,osusergo X=$module/pkg/version.Version=$flannel_version" \
    flanneld=$module install-conf=$module/cmd/install_conf
}

# The module of today's plugin cannot be had. This is the last release from before it moved to a repository of its own: the same
# settings, both address families, CNI specification 0.4.0 and older (the add-on's configuration says 0.3.1).
programs_flannel_cni() {
  go_programs flannel-cni "$modules/flannel-cni" '' github.com/containernetworking/plugins/plugins/meta/flannel
}

# The cloud controller manager of AWS.
programs_cloud_controller() {
  go_programs cloud-controller "$modules/cloud-controller" "X=k8s.io/component-base/version.gitVersion=$cloud_controller_version" \
    k8s.io/cloud-provider-aws/cmd/aws-cloud-controller-manager
}

programs_pause() {
  go_programs pause "$modules/pause" '' lab.local/pause
}

programs_echo() {
  go_programs echo "$modules/echo" '' lab.local/echo
}
