# What containerd and the CNI plugins mounted at run time. What is below the data directories is the removal's own.
# Other users of CNI have network namespaces with such names too: ours are those that containerd's records of pods name.
namespaces=$(grep -aoh '/run/netns/cni-[0-9a-f-]*' /run/containerd/io.containerd.runtime.v2.task/k8s.io/*/config.json \
  /var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db 2>/dev/null | sort -u)
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
