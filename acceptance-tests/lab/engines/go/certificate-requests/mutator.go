package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
)

// Makes one request. What it does to it is noted in `said`.
type mutator struct {
	*mathrand.Rand
	keys keys
	node string
	said []string
}

func (m *mutator) say(format string, values ...any) {
	m.said = append(m.said, fmt.Sprintf(format, values...))
}

func pick[T any](m *mutator, values ...T) T { return values[m.IntN(len(values))] }

// One in a dozen is as a kubelet writes it; the others have one to three mutations, at any of the levels.
func (m *mutator) request() []byte {
	parts := m.parts()
	mutations := pick(m, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3)
	if m.IntN(12) == 0 {
		mutations = 0
	}
	var later []func([]byte) []byte
	var pems []func(string) string
	// From the meaning outwards: what changes the meaning counts on the form.
	levels := make([]int, mutations)
	for at := range levels {
		levels[at] = m.IntN(10)
	}
	slices.Sort(levels)
	for _, level := range levels {
		switch {
		case level < 3:
			m.mutateMeaning(parts)
		case level < 7:
			m.mutateElement(parts)
		case level < 8:
			later = append(later, m.mutateBytes())
		default:
			pems = append(pems, m.mutatePEM())
		}
	}
	der := parts.signed()
	for _, mutate := range later {
		der = mutate(der)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	for _, mutate := range pems {
		text = mutate(text)
	}
	return []byte(text)
}

// The parts of a request before it is signed.
type parts struct {
	version, subject, key *element
	// [0]
	attributes *element
	// Of the subject alternative names.
	names      *element
	extensions *element
	signer     crypto.Signer
	info       *element
	// Changes what surrounds the signature.
	around func(whole *element)
}

func (m *mutator) parts() *parts {
	names := sequence()
	for _, name := range []*element{
		primitive(0x82, []byte(m.node)...),
		primitive(0x87, 10, 77, 0, 16),
		primitive(0x87, 0xfd, 0x77, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x16),
	} {
		if m.IntN(4) > 0 || len(names.children) == 0 {
			names.children = append(names.children, name)
		}
	}
	extensions := sequence(extension(names))
	p := &parts{
		version:    primitive(2, 0),
		subject:    sequence(part(10, 0x13, "system:nodes"), part(3, 0x13, "system:node:"+m.node)),
		attributes: constructed(0xa0, extensionRequest(extensions)),
		names:      names,
		extensions: extensions,
		signer:     m.keys.ours,
	}
	p.key = publicKey(p.signer)
	p.info = sequence(p.version, p.subject, p.key, p.attributes)
	return p
}

func (p *parts) signed() []byte {
	info := p.info.bytes()
	algorithm, signature := sign(p.signer, info)
	whole := sequence(p.info, algorithm, primitive(3, append([]byte{0}, signature...)...))
	if p.around != nil {
		p.around(whole)
	}
	return whole.bytes()
}

func publicKey(signer crypto.Signer) *element {
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	must(err)
	// As it is written: a sequence of algorithm and key.
	return parsed(der)
}

// Takes DER apart, so that any part of it can be mutated.
func parsed(der []byte) *element {
	elements := parsedAll(der)
	return elements[0]
}

func parsedAll(der []byte) []*element {
	var result []*element
	for len(der) > 0 {
		length, header := int(der[1]), 2
		for length >= 128 {
			count := length - 128
			length = 0
			for _, digit := range der[2 : 2+count] {
				length = length<<8 | int(digit)
			}
			header += count
			break
		}
		e := &element{tag: []byte{der[0]}}
		content := der[header : header+length]
		if der[0]&0x20 != 0 {
			e.children = parsedAll(content)
		} else {
			e.content = content
		}
		result = append(result, e)
		der = der[header+length:]
	}
	return result
}

func part(attribute, kind byte, text string) *element {
	return set(sequence(oid(0x55, 4, attribute), primitive(kind, []byte(text)...)))
}

func extension(names *element) *element {
	return sequence(oid(0x55, 0x1d, 0x11), constructed(4, names))
}

func extensionRequest(lists ...*element) *element {
	return sequence(oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14), set(lists...))
}

// --- the meaning: well-formed requests that ask for something else

func (m *mutator) mutateMeaning(p *parts) {
	switch m.IntN(8) {
	case 0, 1:
		name := m.otherName()
		at := m.IntN(len(p.names.children) + 1)
		p.names.children = append(p.names.children[:at:at], append([]*element{name}, p.names.children[at:]...)...)
	case 2:
		p.extensions.children = m.inserted(p.extensions.children, m.otherExtension())
	case 3, 4:
		p.attributes.children = m.inserted(p.attributes.children, m.otherAttribute())
	case 5, 6:
		m.mutateSubject(p)
	default:
		m.mutateKey(p)
	}
}

func (m *mutator) inserted(elements []*element, e *element) []*element {
	at := m.IntN(len(elements) + 1)
	return append(elements[:at:at], append([]*element{e}, elements[at:]...)...)
}

func (m *mutator) otherName() *element {
	switch m.IntN(8) {
	case 0, 1:
		name := pick(m, "cp-1", "kubernetes", strings.ToUpper(m.node), m.node+".", "*."+m.node, "*", "", " "+m.node, m.node+"\x00", m.node+"\x00.evil",
			"xn--"+m.node, "\u00fc"+m.node, m.node+"\n", m.node+",cp-1", m.node+" cp-1", "w-1", "10.77.0.16", strings.Repeat("a", 300))
		m.say("DNS name %q", name)
		return primitive(0x82, []byte(name)...)
	case 2, 3:
		address := pick(m, []byte{10, 77, 0, 11}, []byte{10, 77, 0}, []byte{10, 77, 0, 16, 0}, []byte{}, []byte{0, 0, 0, 0},
			[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 77, 0, 16}, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 77, 0, 11},
			[]byte{0xfd, 0x77, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, []byte{10, 77, 0, 16, 255, 255, 255, 255})
		m.say("address %x", address)
		return primitive(0x87, address...)
	case 4:
		m.say("email address")
		return primitive(0x81, []byte(pick(m, "root@"+m.node, m.node))...)
	case 5:
		m.say("URI")
		return primitive(0x86, []byte(pick(m, "spiffe://x", m.node, "https://"+m.node))...)
	case 6:
		m.say("directory name")
		return constructed(0xa4, sequence(part(3, 0x13, "system:node:"+m.node)))
	default:
		tag := pick(m, byte(0x80), 0xa0, 0x88, 0xa2, 0xa7, 0x02, 0x0c, 0x42, 0xc2, 0x8f)
		m.say("name of tag %x", tag)
		return primitive(tag, []byte(m.node)...)
	}
}

func evilNames() *element { return sequence(primitive(0x82, []byte("cp-1")...)) }

func (m *mutator) goodNames() *element { return sequence(primitive(0x82, []byte(m.node)...)) }

func (m *mutator) otherExtension() *element {
	switch m.IntN(6) {
	case 0:
		m.say("second names: of another")
		return extension(evilNames())
	case 1:
		m.say("second names: of the node")
		return extension(m.goodNames())
	case 2:
		m.say("extension: authority")
		return sequence(oid(0x55, 0x1d, 0x13), primitive(1, 0xff), constructed(4, sequence(primitive(1, 0xff))))
	case 3:
		m.say("extension: usages")
		return sequence(oid(0x55, 0x1d, 0x0f), constructed(4, primitive(3, 5, 0xff)))
	case 4:
		criticality := pick(m, byte(0xff), 0, 1)
		m.say("names are critical: %x", criticality)
		return sequence(oid(0x55, 0x1d, 0x11), primitive(1, criticality), constructed(4, pick(m, evilNames(), m.goodNames())))
	default:
		m.say("extension: unknown")
		return sequence(oid(0x2a, 3, 4), constructed(4, evilNames()))
	}
}

func (m *mutator) otherAttribute() *element {
	evil, good := sequence(extension(evilNames())), sequence(extension(m.goodNames()))
	switch m.IntN(8) {
	case 0:
		m.say("attribute: extensions of another")
		return extensionRequest(evil)
	case 1:
		m.say("attribute: extensions again")
		return extensionRequest(good)
	case 2:
		m.say("attribute: two lists")
		return extensionRequest(good, evil)
	case 3:
		m.say("attribute: unknown, with names")
		return sequence(oid(0x2a, 3, 4), set(pick(m, evil, good)))
	case 4:
		m.say("attribute: unknown, cut off")
		return sequence(oid(0x2a, 3, 4), set(good, &element{content: []byte{0x30, 0x7f, 1}, form: -1}))
	case 5:
		m.say("attribute: extensions by Microsoft's identifier")
		return sequence(oid(0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, 14), set(evil))
	case 6:
		m.say("attribute: no value")
		return extensionRequest()
	default:
		m.say("attribute: password")
		return sequence(oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7), set(primitive(0x13, []byte("secret")...)))
	}
}

func (m *mutator) mutateSubject(p *parts) {
	wide := func(text string, bytes int) string {
		var result strings.Builder
		for _, letter := range text {
			result.WriteString(strings.Repeat("\x00", bytes-1) + string(letter))
		}
		return result.String()
	}
	if len(p.subject.children) < 2 {
		return
	}
	name := "system:node:" + m.node
	switch m.IntN(9) {
	case 0:
		kind := pick(m, byte(0x0c), 0x16, 0x14, 0x12, 0x1a, 0x1b, 0x04)
		m.say("subject: string of type %x", kind)
		p.subject.children[1] = part(3, kind, name)
	case 1:
		m.say("subject: wide string")
		p.subject.children[1] = pick(m, part(3, 0x1e, wide(name, 2)), part(3, 0x1c, wide(name, 4)))
	case 2:
		m.say("subject: other order")
		p.subject.children[0], p.subject.children[1] = p.subject.children[1], p.subject.children[0]
	case 3:
		group := pick(m, "system:masters", "system:nodes", "")
		m.say("subject: second organization %q", group)
		p.subject.children = m.inserted(p.subject.children, part(10, 0x13, group))
	case 4:
		common := pick(m, name, "system:node:cp-1", "admin", "")
		m.say("subject: second name %q", common)
		p.subject.children = m.inserted(p.subject.children, part(3, 0x13, common))
	case 5:
		m.say("subject: one part of two values")
		p.subject.children = []*element{set(append(p.subject.children[0].children, p.subject.children[1].children...)...)}
	case 6:
		common := pick(m, "system:node:cp-1", name+"\x00", "system:node:"+strings.ToUpper(m.node), name+" ", " "+name, name+",O=system:masters", "system:node:", "\u0455ystem:node:"+m.node)
		m.say("subject: name %q", common)
		p.subject.children[1] = part(3, pick(m, byte(0x13), 0x0c), common)
	case 7:
		attribute := pick(m, byte(5), 6, 11, 7, 9)
		m.say("subject: attribute %d", attribute)
		p.subject.children = m.inserted(p.subject.children, part(attribute, 0x13, "XX"))
	default:
		m.say("subject: part is gone")
		at := m.IntN(2)
		p.subject.children = p.subject.children[at : at+1]
	}
}

func (m *mutator) mutateKey(p *parts) {
	switch m.IntN(6) {
	case 0:
		m.say("key: P-384")
		p.signer = m.keys.p384
		*p.key = *publicKey(p.signer)
	case 1:
		m.say("key: RSA")
		p.signer = m.keys.rsa
		*p.key = *publicKey(p.signer)
	case 2:
		m.say("key: Ed25519")
		p.signer = m.keys.ed25519
		*p.key = *publicKey(p.signer)
	case 3:
		m.say("key of another")
		p.signer = m.keys.other
	case 4:
		m.say("key: point is compressed")
		point := p.key.children[1].content
		if len(point) < 34 {
			return
		}
		p.key.children[1].content = append([]byte{0, 2 + point[len(point)-1]&1}, point[2:34]...)
	default:
		unused := pick(m, byte(1), 4, 8)
		m.say("signature: %d unused bits", unused)
		p.around = func(whole *element) { whole.children[2].content[0] = unused }
	}
}

// --- the form: elements that are written in another way, or stand elsewhere

func (m *mutator) mutateElement(p *parts) {
	if m.IntN(6) == 0 {
		kind := m.IntN(4)
		m.say("around the signature: %d", kind)
		p.around = func(whole *element) { m.mutateOne(whole, pick(m, whole.all()...)) }
		return
	}
	m.mutateOne(p.info, pick(m, p.info.all()...))
}

func (m *mutator) mutateOne(root, e *element) {
	switch m.IntN(14) {
	case 0:
		tag := pick(m, byte(0x30), 0x31, 0xa0, 0x80, 0x04, 0x24, 0x0c, 0x13, 0x02, 0x06, 0x00, 0x82, 0x87, 0x81, 0xff, byte(m.IntN(256)))
		m.say("tag %x instead of %x", tag, e.tag)
		e.tag = []byte{tag}
	case 1:
		m.say("tag %x in two bytes", e.tag)
		if len(e.tag) > 0 {
			e.tag = []byte{e.tag[0] | 0x1f, e.tag[0] & 0x1f}
		}
	case 2, 3:
		e.form = pick(m, longer, longest)
		m.say("length of %x in form %d", e.tag, e.form)
	case 4:
		m.say("indefinite length of %x", e.tag)
		e.form = indefinite
	case 5:
		e.offBy = pick(m, -1, 1, -2, 2, 3, 16)
		m.say("length of %x off by %d", e.tag, e.offBy)
	case 6:
		e.trailing = pick(m, []byte{0}, []byte{0, 0}, []byte{5, 0}, []byte("x"), evilNames().bytes(), extension(evilNames()).bytes())
		m.say("trailing %x in %x", e.trailing, e.tag)
	case 7, 8, 9:
		m.mutateChildren(root, e)
	default:
		m.mutateContent(e)
	}
}

func (m *mutator) mutateChildren(root, e *element) {
	if len(e.children) == 0 {
		m.mutateContent(e)
		return
	}
	at := m.IntN(len(e.children))
	switch m.IntN(5) {
	case 0:
		m.say("child %d of %x twice", at, e.tag)
		e.children = append(e.children, e.children[at].copy())
	case 1:
		m.say("child %d of %x is gone", at, e.tag)
		e.children = append(e.children[:at:at], e.children[at+1:]...)
	case 2:
		other := m.IntN(len(e.children))
		m.say("children %d and %d of %x change places", at, other, e.tag)
		e.children[at], e.children[other] = e.children[other], e.children[at]
	case 3:
		m.say("child %d of %x in a sequence of its own", at, e.tag)
		e.children[at] = sequence(e.children[at])
	default:
		all := root.all()
		m.say("a part from elsewhere in %x", e.tag)
		e.children = m.inserted(e.children, pick(m, all...).copy())
	}
}

func (m *mutator) mutateContent(e *element) {
	content := e.content
	if len(content) == 0 {
		if len(e.children) > 0 {
			m.mutateContent(e.children[m.IntN(len(e.children))])
			return
		}
		e.content = []byte{byte(m.IntN(256))}
		m.say("content of %x is %x", e.tag, e.content)
		return
	}
	at := m.IntN(len(content))
	content = bytes.Clone(content)
	switch m.IntN(6) {
	case 0:
		content[at] ^= 1 << m.IntN(8)
	case 1:
		content = append(content[:at:at], content[at+1:]...)
	case 2:
		content = append(content[:at:at], append([]byte{pick(m, byte(0), 0x80, 0xff, '.', '\n', ' ')}, content[at:]...)...)
	case 3:
		content = bytes.ToUpper(content)
	case 4:
		content = append([]byte{pick(m, byte(0), 0x80, 0xff)}, content...)
	default:
		content = nil
	}
	m.say("content of %x is %x", e.tag, content)
	e.content = content
}

// --- bytes of what is signed

func (m *mutator) mutateBytes() func([]byte) []byte {
	kind, where, bit := m.IntN(5), m.Float64(), byte(1)<<m.IntN(8)
	m.say("bytes: %d at %.2f", kind, where)
	return func(der []byte) []byte {
		at := int(where * float64(len(der)))
		switch kind {
		case 0:
			der[at] ^= bit
		case 1:
			return append(der, 0)
		case 2:
			return append(der, der...)
		case 3:
			return append([]byte{0}, der...)
		default:
			return der[:at]
		}
		return der
	}
}

// --- PEM

func (m *mutator) mutatePEM() func(string) string {
	const begin, end = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"
	evil := m.evilPEM()
	mutations := []func(string) string{
		func(text string) string { return text + evil },
		func(text string) string { return evil + text },
		func(text string) string { return "hello\n" + text },
		func(text string) string { return text + "hello\n" },
		func(text string) string {
			return strings.Replace(text, begin+"\n", begin+"\nProc-Type: 4,ENCRYPTED\n\n", 1)
		},
		func(text string) string { return strings.Replace(text, begin+"\n", begin+"\na: b\n", 1) },
		func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") },
		func(text string) string { return strings.ReplaceAll(text, "\n", " \n") },
		func(text string) string { return strings.ReplaceAll(text, "\n", "\n\n") },
		func(text string) string { return strings.TrimSuffix(text, "\n") },
		func(text string) string { return text + "\n" },
		func(text string) string { return "\n" + text },
		func(text string) string { return " " + text },
		func(text string) string { return "\ufeff" + text },
		func(text string) string { return text + "\x00" },
		func(text string) string { return text + "\x00" + evil },
		func(text string) string {
			return strings.ReplaceAll(text, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
		},
		func(text string) string { return strings.ReplaceAll(text, "CERTIFICATE REQUEST", "CERTIFICATE") },
		func(text string) string { return strings.Replace(text, end, "-----END CERTIFICATE-----", 1) },
		func(text string) string { return strings.Replace(text, end, strings.ToLower(end), 1) },
		func(text string) string { return strings.Replace(text, end+"\n", "", 1) },
		func(text string) string { return strings.Replace(text, begin, begin+"x", 1) },
		func(text string) string { return strings.Replace(text, begin, begin+" ", 1) },
		func(text string) string { return "-----BEGIN CERTIFICATE REQUEST-----\nnot base64!\n" + text },
		func(text string) string { return begin + "\n" + end + "\n" + text },
		func(text string) string { return rewrapped(text, 76) },
		func(text string) string { return rewrapped(text, 48) },
		func(text string) string { return rewrapped(text, 1) },
		func(text string) string { return rewrapped(text, 100000) },
		func(text string) string { return strings.Replace(text, "=\n-----END", "\n-----END", 1) },
		func(text string) string { return strings.Replace(text, "\n-----END", "=\n-----END", 1) },
		func(text string) string { return strings.Replace(text, "\n-----END", "AAAA\n-----END", 1) },
		func(text string) string { return strings.Replace(text, "=\n-----END", "=\nAAAA\n-----END", 1) },
		func(text string) string { return strings.Replace(text, "A", "a", 1) },
		func(text string) string { return strings.NewReplacer("+", "-", "/", "_").Replace(text) },
		func(text string) string { return strings.Replace(text, "\n", "\n\t", 2) },
	}
	kind := m.IntN(len(mutations))
	m.say("PEM: %d", kind)
	return mutations[kind]
}

func rewrapped(text string, width int) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return text
	}
	digits := base64.StdEncoding.EncodeToString(block.Bytes)
	var lines strings.Builder
	for len(digits) > 0 {
		length := min(width, len(digits))
		lines.WriteString(digits[:length] + "\n")
		digits = digits[length:]
	}
	return "-----BEGIN CERTIFICATE REQUEST-----\n" + lines.String() + "-----END CERTIFICATE REQUEST-----\n"
}

// A request of the same node for the name of another.
func (m *mutator) evilPEM() string {
	other := m.parts()
	other.names.children = evilNames().children
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: other.signed()}))
}
