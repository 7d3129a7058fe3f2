# Prints the network namespaces that a JSON document names where only containerd or a CNI plugin writes: in the specification of a container
# linux.namespaces[].path (runtime-spec, config-linux.md), in the results of plugins that libcni keeps netns and result.interfaces[].sandbox
# (libcni/api.go, cachedInfo). What pods say of themselves stands elsewhere in both.
# Between quotation marks that no odd number of backslashes precedes there is a string; the rest is structure.
{ text = text $0 }
END {
  count = split(text, part, "\"")
  for (i = 1; i <= count; i++) {
    if (!inside) {
      read_structure(part[i])
      inside = 1
      string = ""
      continue
    }
    string = string part[i]
    match(part[i], /\\*$/)
    if (RLENGTH % 2) { string = string "\""; continue }
    inside = 0
    if (part[i + 1] ~ /^[ \t]*:/) key[depth] = string
    else if (depth == 1 && key[1] == "netns") print string
    else if (depth == 4 && (place() == "linux namespaces path" || place() == "result interfaces sandbox")) print string
  }
}

# The names on the way to what is read, without those of lists, which have none.
function place() { return key[1] " " key[2] " " key[4] }

function read_structure(marks,    i, mark) {
  for (i = 1; i <= length(marks); i++) {
    mark = substr(marks, i, 1)
    if (mark == "{" || mark == "[") key[++depth] = ""
    else if (mark == "}" || mark == "]") depth--
  }
}
