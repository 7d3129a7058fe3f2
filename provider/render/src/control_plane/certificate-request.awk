# Reads one certificate request of a kubelet: standard input is one line, the base64 of its PEM. Succeeds when it is in the one form
# in which Go writes the request of a kubelet (client-go/util/certificate: key P-256; x509.CreateCertificateRequest), when its subject is
# that of node NODE, and each of its names and addresses is among the words of DECLARED. It then prints those words, in the order of the
# request, and the PEM goes to the file PEM. Otherwise it prints what is wrong; 1: with the request, 3: some name is not declared.
# Nothing is skipped and nothing is optional but what is said to be, so that no other program can read another request in the same bytes.
# NODE, DECLARED and PEM are environment variables: awk changes backslashes in other variables.

function refuse(why, status) { print why; refused = status ? status : 1; exit refused }

# --- PEM: what a request is wrapped in

function decoded_base64(text,    i, value, bits, hex, held) {
  if (length(text) % 4 != 0 || text !~ /^[A-Za-z0-9+\/]+=?=?$/) refuse("it is not base64")
  sub(/=+$/, "", text)
  for (i = 1; i <= length(text); i++) {
    held = held * 64 + index(alphabet, substr(text, i, 1)) - 1
    bits += 6
    if (bits >= 8) {
      bits -= 8
      value = int(held / 2 ^ bits)
      held -= value * 2 ^ bits
      hex = hex hex_of[value]
    }
  }
  if (held != 0) refuse("it is not base64")
  return hex
}

# One block, its lines of 64 characters, and nothing else: headers, other blocks and text around it are read in different ways.
function request_in(pem,    lines, count, i, text) {
  count = split(pem, lines, "\n")
  if (count < 4 || lines[1] != "-----BEGIN CERTIFICATE REQUEST-----" || lines[count - 1] != "-----END CERTIFICATE REQUEST-----" || lines[count] != "")
    refuse(other_text)
  for (i = 2; i < count - 1; i++) {
    if (length(lines[i]) != 64 && (i < count - 2 || length(lines[i]) > 64)) refuse(other_text)
    text = text lines[i]
  }
  return decoded_base64(text)
}

# --- DER: `der` is the request in hexadecimal digits, `at` the next of them

function byte(from) { return byte_of[substr(der, from, 2)] }

# Enters the element at `at`, which must have this tag and end at or before `limit`; returns where it ends.
function enter(tag, limit,    first, count, total) {
  if (at + 4 > limit || substr(der, at, 2) != tag) refuse(other_form)
  first = byte(at + 2)
  at += 4
  total = first
  if (first >= 128) {
    # The shortest form: one byte from 128 on, two from 256 on. More is longer than any request.
    count = first - 128
    if (count < 1 || count > 2 || at + 2 * count > limit) refuse(other_form)
    total = count == 1 ? byte(at) : 256 * byte(at) + byte(at + 2)
    if (total < (count == 1 ? 128 : 256)) refuse(other_form)
    at += 2 * count
  }
  if (at + 2 * total > limit) refuse(other_form)
  return at + 2 * total
}

# Enters an element with which the one around it ends.
function enter_last(tag, limit) { if (enter(tag, limit) != limit) refuse(other_form) }

function expect(digits) {
  if (substr(der, at, length(digits)) != digits) refuse(other_form)
  at += length(digits)
}

function element(tag, content,    size) {
  size = length(content) / 2
  return tag (size < 128 ? "" : size < 256 ? "81" : "82" hex_of[int(size / 256)]) hex_of[size % 256] content
}

function hex_text(text,    i, hex) {
  for (i = 1; i <= length(text); i++) hex = hex hex_of[code_of[substr(text, i, 1)]]
  return hex
}

function part_of_name(identifier, kind, text) { return element("31", element("30", "0603" identifier element(kind, hex_text(text)))) }

# O=system:nodes and CN=system:node:NODE in either order, each as PrintableString (Go) or as UTF8String (openssl).
function expect_subject(node,    i, organization, name, digits) {
  for (i = 0; i < 8; i++) {
    organization = part_of_name("55040A", i % 2 ? "0C" : "13", "system:nodes")
    name = part_of_name("550403", int(i / 2) % 2 ? "0C" : "13", "system:node:" node)
    digits = element("30", i < 4 ? organization name : name organization)
    if (substr(der, at, length(digits)) == digits) { at += length(digits); return }
  }
  refuse("its subject is not that of node " node)
}

# P-256, an uncompressed point. Whether it is on the curve is left to whoever verifies the signature.
function expect_key(    ends) {
  ends = at + 182
  expect("3059301306072A8648CE3D020106082A8648CE3D03010703420004")
  at = ends
}

# Of the attributes one, the requested extensions; of these one, the names.
function names_in(limit,    names_end, found) {
  if (at == limit) refuse("it has no names and addresses")
  enter_last("A0", limit)
  enter_last("30", limit)
  expect("06092A864886F70D01090E")
  enter_last("31", limit)
  enter_last("30", limit)
  enter_last("30", limit)
  expect("0603551D11")
  # No BOOLEAN here: names are critical only where the subject is empty.
  enter_last("04", limit)
  enter_last("30", limit)
  while (at < limit) found = found (found == "" ? "" : " ") next_name(limit)
  if (found == "") refuse("it has no names and addresses")
  return found
}

function next_name(limit,    tag, ends, name) {
  tag = substr(der, at, 2)
  if (tag != "82" && tag != "87") refuse("it asks for something else than DNS names and addresses")
  ends = enter(tag, limit)
  if (tag == "82") name = "dns " dns_name(ends)
  else if (ends - at == 8 || ends - at == 32) name = "ip " substr(der, at, ends - at)
  else refuse("an address of it is none")
  at = ends
  if (!(name in known)) refuse("the node was not declared with " name, 3)
  return known[name]
}

function dns_name(ends,    i, name) {
  if (at == ends) refuse("a DNS name of it is empty")
  for (i = at; i < ends; i += 2) {
    if (!(substr(der, i, 2) in name_character)) refuse("a DNS name of it holds a character that no name of a host has")
    name = name name_character[substr(der, i, 2)]
  }
  return name
}

# --- what is declared

# The form in which a word is compared: "dns <name>" or "ip <hexadecimal digits>".
function canonical(word,    parts, count, i, halves, front, back, digits) {
  if (word ~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/) {
    split(word, parts, ".")
    for (i = 1; i <= 4; i++) digits = digits hex_of[parts[i] + 0]
    return "ip " digits
  }
  if (word !~ /:/) return "dns " tolower(word)
  count = split(word, halves, "::")
  front = groups(halves[1])
  back = count > 1 ? groups(halves[2]) : ""
  while (length(front) + length(back) < 32) front = front "0"
  return "ip " front back
}
function groups(text,    parts, count, i, digits) {
  if (text == "") return ""
  count = split(toupper(text), parts, ":")
  for (i = 1; i <= count; i++) digits = digits substr("0000" parts[i], length(parts[i]) + 1)
  return digits
}

function text_of(hex,    i, text) {
  for (i = 1; i < length(hex); i += 2) {
    if (!(substr(hex, i, 2) in character)) refuse(other_text)
    text = text character[substr(hex, i, 2)]
  }
  return text
}

# P-256 with SHA-256; whether the signature holds is left to whoever verifies it.
function expect_signature(limit) {
  expect("300A06082A8648CE3D040302")
  enter_last("03", limit)
  expect("00")
  enter_last("30", limit)
  at = enter("02", limit)
  enter_last("02", limit)
}

BEGIN {
  other_text = "it is not one certificate request in PEM and nothing else"
  other_form = "it is not in the form in which a kubelet writes a request"
  alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for (i = 0; i < 256; i++) {
    digits = sprintf("%02X", i)
    hex_of[i] = digits
    byte_of[digits] = i
    if (i < 127 && (i > 31 || i == 10)) { character[digits] = sprintf("%c", i); code_of[sprintf("%c", i)] = i }
    if (sprintf("%c", i) ~ /^[a-z0-9.-]$/ && i < 127) name_character[digits] = sprintf("%c", i)
  }
  count = split(ENVIRON["DECLARED"], words, " ")
  for (i = 1; i <= count; i++) known[canonical(words[i])] = words[i]
}

NR == 1 {
  pem = text_of(decoded_base64($0))
  der = request_in(pem)
  at = 1
  whole = length(der) + 1
  enter_last("30", whole)
  info_end = enter("30", whole)
  expect("020100")
  expect_subject(ENVIRON["NODE"])
  expect_key()
  names = names_in(info_end)
  expect_signature(whole)
}

END {
  if (refused) exit refused
  if (NR != 1) refuse("it is not base64")
  printf "%s", pem >ENVIRON["PEM"]
  print names
}
