package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt maps its file into memory and believes what it says: a page beyond the end kills the
// process, one that is its own ancestor fills the memory, one that is both used and free is
// overwritten later. So all pages are read here before bbolt may, and have to fit together exactly
// as it writes them. Its format has been the same since 2014: a page has a header of 16 bytes, then
// as many elements of 16 bytes as that says, then without a gap their keys and values. Numbers are
// in the machine's byte order.

const (
	branchPage   = 0x01
	leafPage     = 0x02
	headerPage   = 0x04
	freelistPage = 0x10

	pageHeader  = 16
	elementSize = 16
	bucketSize  = 16 // of a bucket's own part of an element's value

	noFreelist = ^uint64(0)
)

// header is what bbolt calls meta. Pages 0 and 1 hold one each, written in turn; the one of the
// later transaction counts.
type header struct {
	Magic, Version, PageSize, Flags                        uint32
	Root, Sequence, Freelist, Pages, Transaction, Checksum uint64
}

// readHeader reads the header of page 0 or 1, and reports whether it is intact.
func readHeader(file io.ReaderAt, page uint64, pageSize int) (h header, ok bool) {
	raw := make([]byte, pageHeader+binary.Size(h))
	if _, err := file.ReadAt(raw, int64(page)*int64(pageSize)); err != nil {
		return h, false
	}
	id, kind, raw := binary.NativeEndian.Uint64(raw), binary.NativeEndian.Uint16(raw[8:]), raw[pageHeader:]
	_, err := binary.Decode(raw, binary.NativeEndian, &h)
	sum := fnv.New64a()
	_, _ = sum.Write(raw[:len(raw)-8]) // a hash never fails
	return h, err == nil && h.Magic == 0xED0CDAED && h.Version == 2 && h.Checksum == sum.Sum64() &&
		id == page && kind == headerPage && h.Transaction%2 == page
}

// examination is what is known so far of a file's pages.
type examination struct {
	file     io.ReaderAt
	pageSize uint64
	taken    []bool // by number: the page has its place
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errDamaged, fmt.Errorf(format, args...))
}

// examine reads a file of bbolt and returns errDamaged unless all is sound but, perhaps, values.
// One lost header is damage too, although bbolt would go on with the other: that may be the older
// one, and nothing in the file would say that its values are not the last ones.
func examine(file io.ReaderAt, size int64, pageSize int) error {
	h, ok0 := readHeader(file, 0, pageSize)
	h1, ok1 := readHeader(file, 1, pageSize)
	switch {
	case !ok0 || !ok1:
		return damaged("a header is lost, intact: first %t, second %t", ok0, ok1)
	case h1.Transaction == h.Transaction+1:
		h = h1
	case h.Transaction != h1.Transaction+1:
		return damaged("headers of transactions %d and %d", h.Transaction, h1.Transaction)
	}
	if there := uint64(size) / uint64(pageSize); h.Pages > there {
		return damaged("%d pages of %d are there", there, h.Pages)
	}
	e := &examination{file, uint64(pageSize), make([]bool, h.Pages)}
	var last []byte
	if err := e.tree(h.Root, nil, &last); err != nil {
		return err
	}
	if h.Freelist == noFreelist { // another program may leave it out
		return nil
	}
	if err := e.freelist(h.Freelist); err != nil {
		return err
	}
	for id := 2; id < len(e.taken); id++ {
		if !e.taken[id] {
			return damaged("page %d is neither used nor free", id)
		}
	}
	return nil
}

// take puts n pages, from id on, to their place.
func (e *examination) take(id, n uint64) error {
	pages := uint64(len(e.taken))
	if id < 2 || id >= pages || n > pages-id {
		return damaged("pages %d+%d are not among %d", id, n, pages)
	}
	for i := id; i < id+n; i++ {
		if e.taken[i] {
			return damaged("page %d has two places", i)
		}
		e.taken[i] = true
	}
	return nil
}

// page takes and reads a page with those that continue it.
func (e *examination) page(id uint64) (page []byte, kind uint16, count int, err error) {
	head := make([]byte, pageHeader)
	if _, err := e.file.ReadAt(head, int64(id*e.pageSize)); err != nil || binary.NativeEndian.Uint64(head) != id {
		return nil, 0, 0, damaged("page %d is another one: %v", id, err)
	}
	n := 1 + uint64(binary.NativeEndian.Uint32(head[12:]))
	if err := e.take(id, n); err != nil {
		return nil, 0, 0, err
	}
	page = make([]byte, n*e.pageSize)
	if _, err := e.file.ReadAt(page, int64(id*e.pageSize)); err != nil {
		return nil, 0, 0, damaged("page %d: %w", id, err)
	}
	return page, binary.NativeEndian.Uint16(head[8:]), int(binary.NativeEndian.Uint16(head[10:])), nil
}

// tree examines a page and all below it. first is the key that has to be its first one, nil: any.
// last is the bucket's greatest key so far.
func (e *examination) tree(id uint64, first []byte, last *[]byte) error {
	page, kind, count, err := e.page(id)
	if err == nil {
		err = e.elements(page, kind, count, first, last)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements examines what a page of a tree holds. Only a bucket's first page may be empty, and then
// has nothing but zeros.
func (e *examination) elements(page []byte, kind uint16, count int, first []byte, last *[]byte) error {
	if kind == leafPage && count == 0 && first == nil && len(bytes.TrimLeft(page[pageHeader:], "\x00")) == 0 {
		return nil
	}
	end := pageHeader + elementSize*count // of what was examined
	if kind != leafPage && kind != branchPage || count == 0 || end > len(page) {
		return damaged("kind %d with %d elements", kind, count)
	}
	for i := range count {
		at := pageHeader + elementSize*i
		word := func(n int) int { return int(binary.NativeEndian.Uint32(page[at+4*n:])) }
		flags, pos, keySize, valueSize := word(0), word(1), word(2), word(3)
		if kind == branchPage {
			flags, pos, keySize, valueSize = 0, word(0), word(1), 0
		}
		if flags > 1 || at+pos != end || keySize == 0 || keySize > len(page)-end || valueSize > len(page)-end-keySize {
			return damaged("element %d does not fit", i)
		}
		key, value := page[end:end+keySize], page[end+keySize:end+keySize+valueSize]
		end += keySize + valueSize
		var err error
		switch {
		case i == 0 && first != nil && !bytes.Equal(key, first):
			err = damaged("begins with another key than its parent says")
		case kind == branchPage:
			err = e.tree(binary.NativeEndian.Uint64(page[at+8:]), key, last)
		case *last != nil && bytes.Compare(key, *last) <= 0:
			err = damaged("element %d is out of order", i)
		default:
			*last = key
			if flags == 1 {
				err = e.bucket(value)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket examines a bucket: the number of its first page, or 0 and then that page itself, cut
// short.
func (e *examination) bucket(value []byte) error {
	var last []byte
	if len(value) >= bucketSize {
		if root := binary.NativeEndian.Uint64(value); root != 0 {
			return e.tree(root, nil, &last)
		}
	}
	if len(value) < bucketSize+pageHeader {
		return damaged("a bucket of %d bytes", len(value))
	}
	page := value[bucketSize:]
	return e.elements(page, binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:])), nil, &last)
}

// freelist takes the pages that are free, and those of the list itself.
func (e *examination) freelist(id uint64) error {
	page, kind, count, err := e.page(id)
	if err != nil {
		return err
	}
	n, ids := uint64(count), page[pageHeader:]
	if count == 0xFFFF { // or more: the number comes first
		n, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if kind != freelistPage || n > uint64(len(ids)/8) {
		return damaged("page %d is no list of %d free pages", id, n)
	}
	for i := range n {
		if err := e.take(binary.NativeEndian.Uint64(ids[8*i:]), 1); err != nil {
			return err
		}
	}
	return nil
}
