// certificate-requests SEED COUNT: prints COUNT certificate requests of kubelets, most of them mutated, one JSON object a line, each with
// what Go reads in it. Go's reading is the signer's: kube-controller-manager runs the same functions (ParseCSR in
// pkg/apis/certificates/v1/helpers.go, CheckSignature in pkg/controller/certificates/authority/authority.go of Kubernetes).
// The same seed gives the same mutations; keys and signatures differ.
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strconv"
)

// One line of the output.
type line struct {
	Name      string   `json:"name"`
	Node      string   `json:"node"`
	Declared  string   `json:"declared"`
	Mutations []string `json:"mutations"`
	// Base64 of the PEM, as an object of the API has it.
	Request string   `json:"request"`
	Read    *reading `json:"read"`
	Error   string   `json:"error"`
}

// What the signer would put into a certificate.
type reading struct {
	Organization []string `json:"organization"`
	CommonName   string   `json:"common_name"`
	// All parts of the subject's name.
	Parts  int      `json:"parts"`
	Names  []string `json:"dns_names"`
	IPs    []string `json:"ip_addresses"`
	Emails []string `json:"email_addresses"`
	URIs   []string `json:"uris"`
}

func main() {
	seed, err := strconv.ParseUint(os.Args[1], 10, 64)
	must(err)
	count, err := strconv.Atoi(os.Args[2])
	must(err)
	keys := newKeys()
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	encoder := json.NewEncoder(output)
	for number := range count {
		must(encoder.Encode(request(seed, uint64(number), keys)))
	}
}

// Each request has a random sequence of its own, so that one can be looked at without those before it.
func request(seed, number uint64, keys keys) line {
	m := &mutator{Rand: mathrand.New(mathrand.NewPCG(seed, number)), keys: keys, node: fmt.Sprintf("w-%d", number)}
	text := m.request()
	result := line{
		Name:      fmt.Sprintf("r-%d", number),
		Node:      m.node,
		Declared:  m.node + " 10.77.0.16 fd77:0:0:1::16",
		Mutations: m.said,
		Request:   base64.StdEncoding.EncodeToString(text),
	}
	read, err := read(text)
	if err != nil {
		result.Error = err.Error()
	} else {
		result.Read = read
	}
	return result
}

func read(text []byte) (*reading, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if err := parsed.CheckSignature(); err != nil {
		return nil, err
	}
	result := &reading{
		Organization: parsed.Subject.Organization,
		CommonName:   parsed.Subject.CommonName,
		Parts:        len(parsed.Subject.Names),
		Names:        parsed.DNSNames,
		Emails:       parsed.EmailAddresses,
	}
	for _, ip := range parsed.IPAddresses {
		result.IPs = append(result.IPs, ip.String())
	}
	for _, uri := range parsed.URIs {
		result.URIs = append(result.URIs, uri.String())
	}
	return result, nil
}

type keys struct {
	ours, other *ecdsa.PrivateKey
	p384        *ecdsa.PrivateKey
	rsa         *rsa.PrivateKey
	ed25519     ed25519.PrivateKey
}

func newKeys() keys {
	var result keys
	var err error
	result.ours, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	result.other, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	result.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	result.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	_, result.ed25519, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return result
}

// Signs what a request holds; returns the algorithm and the signature.
func sign(key crypto.Signer, info []byte) (*element, []byte) {
	var digest []byte
	var options crypto.SignerOpts
	var algorithm *element
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P384() {
			sum := sha512.Sum384(info)
			digest, options, algorithm = sum[:], crypto.SHA384, sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3))
		} else {
			sum := sha256.Sum256(info)
			digest, options, algorithm = sum[:], crypto.SHA256, sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2))
		}
	case *rsa.PrivateKey:
		sum := sha256.Sum256(info)
		null := &element{tag: []byte{5}}
		digest, options, algorithm = sum[:], crypto.SHA256, sequence(oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11), null)
	default:
		digest, options, algorithm = info, crypto.Hash(0), sequence(oid(0x2b, 0x65, 0x70))
	}
	signature, err := key.Sign(rand.Reader, digest, options)
	must(err)
	return algorithm, signature
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "certificate-requests:", err)
		os.Exit(1)
	}
}
