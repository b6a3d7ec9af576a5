package state

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
)

// The marks of a page that holds the names of our buckets: the text is part of every summary, and
// in version 1 the value of the version was followed by the name of the next bucket.
const (
	mark  = "aliyun_vulscan_exporter state"
	mark1 = versionKey + "1" + serverBucket
)

// isOurs reports whether a file that cannot be read is a damaged state file, and not something else
// that --state.file names by mistake. bbolt's magic number does not tell: other programs use bbolt,
// and the page with the number may be the damaged one. What tells is one intact page that only this
// package writes. It has to be in its own place, so that an archive with a state file inside is not
// taken for one. A file of which less is left is not ours to rename, but for one that bbolt just
// began and that no transaction has written to.
func isOurs(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	pageSize := os.Getpagesize() // as bbolt chooses
	if h, ok := readHeader(file, 0, pageSize); ok && 1<<10 <= h.PageSize && h.PageSize <= 1<<24 {
		pageSize = int(h.PageSize)
	}
	h0, ok0 := readHeader(file, 0, pageSize)
	h1, ok1 := readHeader(file, 1, pageSize)
	if ok0 && ok1 && h0.Transaction == 0 && h1.Transaction == 1 {
		return true
	}
	page := make([]byte, pageSize)
	for id := uint64(2); ; id++ {
		n, err := file.ReadAt(page, int64(id)*int64(pageSize))
		if err != nil && err != io.EOF {
			return false
		}
		if isOurPage(page[:n], id) {
			return true
		}
		if err == io.EOF {
			return false
		}
	}
}

// isOurPage looks for a mark, or for a server's key as the page's first one.
func isOurPage(page []byte, id uint64) bool {
	if len(page) < pageHeader+elementSize || binary.NativeEndian.Uint64(page) != id || binary.NativeEndian.Uint16(page[8:]) != leafPage {
		return false
	}
	if bytes.Contains(page, []byte(mark)) || bytes.Contains(page, []byte(mark1)) {
		return true
	}
	at := pageHeader + uint64(binary.NativeEndian.Uint32(page[pageHeader+4:]))
	end := at + uint64(binary.NativeEndian.Uint32(page[pageHeader+8:]))
	if end > uint64(len(page)) {
		return false
	}
	_, ok := decodeKey(page[at:end])
	return ok
}
