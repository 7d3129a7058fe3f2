package main

// A value in DER, or in what is nearly that: its tag and its length may be written in any way.
type element struct {
	tag      []byte
	children []*element
	// When there are no children.
	content []byte
	// Written behind the content, inside the element.
	trailing []byte
	form     form
	// Added to the length that is written.
	offBy int
}

type form int

const (
	shortest form = iota
	// One byte more than is needed.
	longer
	// Four bytes.
	longest
	// Ended by two zeros, as BER has it.
	indefinite
)

func (e *element) bytes() []byte {
	content := append([]byte{}, e.content...)
	for _, child := range e.children {
		content = append(content, child.bytes()...)
	}
	content = append(content, e.trailing...)
	result := append([]byte{}, e.tag...)
	length := max(0, len(content)+e.offBy)
	switch {
	case e.form == indefinite:
		return append(append(append(result, 0x80), content...), 0, 0)
	case e.form == longest:
		result = append(result, 0x84, byte(length>>24), byte(length>>16), byte(length>>8), byte(length))
	case e.form == longer && length < 128:
		result = append(result, 0x81, byte(length))
	case e.form == longer:
		result = append(result, 0x83, byte(length>>16), byte(length>>8), byte(length))
	case length < 128:
		result = append(result, byte(length))
	case length < 256:
		result = append(result, 0x81, byte(length))
	default:
		result = append(result, 0x82, byte(length>>8), byte(length))
	}
	return append(result, content...)
}

// The element and all below it.
func (e *element) all() []*element {
	result := []*element{e}
	for _, child := range e.children {
		result = append(result, child.all()...)
	}
	return result
}

func (e *element) copy() *element {
	result := *e
	result.children = nil
	for _, child := range e.children {
		result.children = append(result.children, child.copy())
	}
	return &result
}

func constructed(tag byte, children ...*element) *element {
	return &element{tag: []byte{tag}, children: children}
}

func sequence(children ...*element) *element { return constructed(0x30, children...) }

func set(children ...*element) *element { return constructed(0x31, children...) }

func primitive(tag byte, content ...byte) *element {
	return &element{tag: []byte{tag}, content: content}
}

func oid(content ...byte) *element { return primitive(6, content...) }
