# What is a node's share of the pod network: functions for awk programs, which set `pods` to the pod CIDRs of the cluster, each with the
# prefix length of a share: 172.18.0.0/16=24,fd00:18::/56=64.

# share_of(CIDR): the CIDR in the notation of the kernel if it is a subnet of that length, aligned, inside one of the pod CIDRs; or nothing.
function share_of(cidr,    parts, bits, count, i, all, net, bits_of_pods, pod_cidr) {
  if (split(cidr, parts, "/") != 2) return ""
  bits = address_bits(parts[1])
  count = split(pods, all, ",")
  for (i = 1; bits != "" && i <= count; i++) {
    split(all[i], pod_cidr, "=")
    split(pod_cidr[1], net, "/")
    bits_of_pods = address_bits(net[1])
    if (length(bits) == length(bits_of_pods) && (parts[2] "") == (pod_cidr[2] "") && substr(bits, 1, net[2]) == substr(bits_of_pods, 1, net[2]) && substr(bits, pod_cidr[2] + 1) !~ /1/)
      return notation(bits) "/" pod_cidr[2]
  }
  return ""
}

# address_bits(ADDRESS): its 32 or 128 binary digits; nothing for what is no address.
function address_bits(address,    parts, count, i, hex, back) {
  if (address !~ /:/) {
    if (split(address, parts, ".") != 4) return ""
    for (i = 1; i <= 4; i++) {
      if (parts[i] !~ /^(0|[1-9][0-9]?[0-9]?)$/ || parts[i] > 255) return ""
      hex = hex sprintf("%02x", parts[i])
    }
    return bits_of(hex)
  }
  count = split(address, parts, "::")
  if (count > 2) return ""
  hex = digits_of_groups(parts[1])
  back = count == 2 ? digits_of_groups(parts[2]) : ""
  if (hex back ~ /x/ || length(hex back) > 32 || (count == 1 && length(hex) != 32)) return ""
  while (length(hex) + length(back) < 32) hex = hex "0"
  return bits_of(hex back)
}

function digits_of_groups(text,    parts, count, i, digits) {
  if (text == "") return ""
  count = split(text, parts, ":")
  for (i = 1; i <= count; i++) {
    if (parts[i] !~ /^[0-9a-f]+$/ || length(parts[i]) > 4) return "x"
    digits = digits substr("0000" parts[i], length(parts[i]) + 1)
  }
  return digits
}

function bits_of(hex,    i, bits) {
  for (i = 1; i <= length(hex); i++) bits = bits substr("0000000100100011010001010110011110001001101010111100110111101111", 4 * index("123456789abcdef", substr(hex, i, 1)) + 1, 4)
  return bits
}

function number_of(bits,    i, number) {
  for (i = 1; i <= length(bits); i++) number = 2 * number + substr(bits, i, 1)
  return number + 0
}

# notation(BITS): the address as the kernel and Kubernetes write it (RFC 5952): of the longest runs of two zeros or more, the first is "::".
function notation(bits,    i, groups, run, longest, from, text) {
  if (length(bits) == 32) return number_of(substr(bits, 1, 8)) "." number_of(substr(bits, 9, 8)) "." number_of(substr(bits, 17, 8)) "." number_of(substr(bits, 25))
  longest = 1
  for (i = 1; i <= 8; i++) {
    groups[i] = sprintf("%x", number_of(substr(bits, 16 * i - 15, 16)))
    run = groups[i] == "0" ? run + 1 : 0
    if (run > longest) { longest = run; from = i - run + 1 }
  }
  for (i = 1; i <= 8; i++) {
    if (i == from) { text = text "::"; i += longest - 1; continue }
    text = text (text == "" || text ~ /:$/ ? "" : ":") groups[i]
  }
  return text
}
