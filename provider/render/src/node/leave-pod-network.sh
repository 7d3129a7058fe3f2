# Where something in the cluster connects pods now: cni0 may be its own. Ours is one beside our configuration, which an add-on may have renamed, and
# which no pod may get any more. It gets another name before any pod is made again, which may need that one: flannel's bridge has it too.
ours=
for file in "$configuration"* "$former"* "$leaving"; do [ ! -e "$file" ] || ours=yes; done
if [ -n "$ours" ]; then
  [ -e "$leaving" ] || : >"$leaving"
  rm -f "$configuration"* "$former"*
  # So long containerd, which looks at the folder, has at most to read what is there now.
  sleep 1
  if [ ! -s "$leaving" ]; then
    if ! has_link "$bridge" && has_link cni0; then ip link set cni0 down && ip link set cni0 name "$bridge" || exit; fi
    delete_ports
    echo "$bridge" >"$leaving"
  fi
  disconnect_pods
  ip link delete "$bridge" 2>/dev/null
  rm -rf /var/lib/cni/networks/k8s-hardway /var/lib/cni/results/k8s-hardway-*
  rm -f "$leaving"
fi
flush_routes
true
