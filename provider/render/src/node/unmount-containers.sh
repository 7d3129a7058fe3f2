# What containerd and the CNI plugins mounted at run time. What is below the data directories is the removal's own.
# Other users of CNI have network namespaces with such names too: ours are those of containerd's pods. Also of one whose container is gone:
# its plugins' results name its id.
namespaces=$(
  for file in /run/containerd/io.containerd.runtime.v2.task/k8s.io/*/config.json; do
    [ ! -f "$file" ] || awk "$named_namespaces" "$file"
  done
  for pod in /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*; do
    for file in /var/lib/cni/results/*-"${pod##*/}"-*; do
      [ ! -f "$file" ] || awk "$named_namespaces" "$file"
    done
  done
)
namespaces=$(printf '%s\n' "$namespaces" | sed -nE 's|^(/var)?(/run/netns/cni-[0-9a-f-]+)$|\2|p' | sort -u)
# As a plugin deletes them, with the host's ends: a connection of a killed pod that nobody answers, or a shell that somebody opened there,
# keeps a namespace without a name for minutes, and its links with it.
for namespace in $namespaces; do
  [ ! "$namespace" -ef /proc/self/ns/net ] || continue
  nsenter --net="$namespace" ip -oneline link show type veth 2>/dev/null | while IFS=' :@' read -r _ link _; do
    nsenter --net="$namespace" ip link delete "$link"
  done
done
points() {
  while read -r _ _ _ _ point _; do
    case $point in
    /run/containerd/*) printf '%b\n' "$point" ;;
    /run/netns/cni-*) printf '%s\n' "$namespaces" | grep -Fx -- "$point" ;;
    esac
  done </proc/self/mountinfo | tac
}
for _ in 1 2 3; do
  points | while IFS= read -r point; do umount -l -- "$point" 2>/dev/null; done
done
# One that is mounted still is not removed by rm, being busy.
for namespace in $namespaces; do rm -f "$namespace" 2>/dev/null; done
[ -n "$(points)" ] || rm -rf --one-file-system /run/containerd
rm -rf --one-file-system /run/k8s-kubelet
