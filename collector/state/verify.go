package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

// The file is read as bytes before bbolt opens it, because bbolt believes what it finds: a page that points to one above it, or out of the file, ends the process
// without an error to catch. The layout of pages is that of bbolt's file version 2, in the byte order of the machine:
//
//	meta     page header, magic, version, page size, flags, root, sequence, free list, high water mark, transaction, checksum
//	branch   page header, elements {position of the key, its size, page}, keys
//	leaf     page header, elements {flags, position of key and value, their sizes}, keys and values
//
// A bucket is a value in a leaf of the root: the page of its own root and a sequence or, if that page is 0, a leaf behind them.
const (
	pageHeaderBytes   = 16
	elementBytes      = 16
	bucketHeaderBytes = 16
	metaBytes         = 64

	metaMagic   = 0xed0cdaed
	metaVersion = 2

	branchFlag = 0x01
	leafFlag   = 0x02
	bucketFlag = 0x01

	minPageBytes = 512
	maxPageBytes = 1 << 24
	// A tree of this depth has more keys than a file has bytes.
	maxDepth = 32
)

var (
	errNew        = errors.New("the file is new")        // Nothing was ever written to it but what bbolt begins with.
	errUnfinished = errors.New("the file is unfinished") // Not even that.
)

var order = binary.NativeEndian

// A verifier walks through a file.
type verifier struct {
	file     io.ReaderAt
	size     int64
	pageSize int64
	high     uint64            // high is the number of pages that are or were in use.
	seen     []bool            // seen are the pages that are in use.
	digests  map[string]digest // digests are those of the records.
	stored   map[string]digest // stored are those that the file says.

	hasSchema bool
}

// meta is one of the two headers.
type meta struct {
	pageSize    uint32
	root        uint64
	high        uint64
	transaction uint64
}

// verify reads a whole file and returns nil if it is as it was written, errNew, errUnfinished, or what is wrong with it.
func verify(file io.ReaderAt, size int64) error {
	m, err := newestMeta(file, size)
	if err != nil {
		return err
	}
	v := &verifier{
		file: file, size: size, pageSize: int64(m.pageSize), high: m.high, seen: make([]bool, m.high),
		digests: make(map[string]digest), stored: make(map[string]digest),
	}
	if m.transaction <= 1 {
		return errNew
	}
	err = v.walk(m.root, nil, nil, 0, func(e element) error {
		// What the others hold depends on the schema version, which the first one says.
		if !v.hasSchema && string(e.key) != aboutBucket {
			return damagedf("it has no schema version")
		}
		return v.bucket(e)
	})
	if err != nil {
		return err
	}
	if !v.hasSchema {
		return damagedf("it has no schema version")
	}
	return v.compare()
}

// newestMeta reads both headers. One alone is the state of a commit earlier, which must not pass for the last one.
func newestMeta(file io.ReaderAt, size int64) (meta, error) {
	first, err := readMeta(file, 0)
	if err != nil {
		return meta{}, damagedf("header 0: %v", err)
	}
	pageSize := int64(first.pageSize)
	if first.transaction == 0 && size < 4*pageSize {
		return meta{}, errUnfinished
	}
	second, err := readMeta(file, pageSize)
	if err != nil {
		return meta{}, damagedf("header 1: %v", err)
	}
	newest := first
	if second.transaction > first.transaction {
		newest = second
	}
	distance := first.transaction - second.transaction
	if distance != 1 && distance != ^uint64(0) || first.pageSize != second.pageSize {
		return meta{}, damagedf("its two headers do not belong together")
	}
	if newest.high > uint64(size/pageSize) {
		return meta{}, damagedf("it has %d bytes and lacks pages up to %d", size, newest.high)
	}
	return newest, nil
}

func readMeta(file io.ReaderAt, at int64) (meta, error) {
	var b [pageHeaderBytes + metaBytes]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		return meta{}, err
	}
	body := b[pageHeaderBytes:]
	sum := fnv.New64a()
	sum.Write(body[:metaBytes-8])
	m := meta{pageSize: order.Uint32(body[8:]), root: order.Uint64(body[16:]), high: order.Uint64(body[40:]), transaction: order.Uint64(body[48:])}
	switch {
	case order.Uint32(body) != metaMagic:
		return m, errors.New("it is no state file")
	case order.Uint64(body[metaBytes-8:]) != sum.Sum64():
		return m, errors.New("wrong checksum")
	case order.Uint32(body[4:]) != metaVersion:
		return m, fmt.Errorf("file version %d is unknown", order.Uint32(body[4:]))
	case m.pageSize < minPageBytes || m.pageSize > maxPageBytes:
		return m, fmt.Errorf("pages of %d bytes", m.pageSize)
	}
	return m, nil
}

// An element of a leaf.
type element struct {
	flags      uint32
	key, value []byte
}

// page reads a page with those that overflow it. Each page may be part of the tree once.
func (v *verifier) page(id uint64) ([]byte, error) {
	if id < 2 || id >= v.high {
		return nil, damagedf("page %d is outside of the file", id)
	}
	var header [pageHeaderBytes]byte
	if _, err := v.file.ReadAt(header[:], int64(id)*v.pageSize); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	overflow := uint64(order.Uint32(header[12:]))
	if order.Uint64(header[:]) != id || overflow >= v.high-id {
		return nil, damagedf("page %d is not in its place", id)
	}
	for i := id; i <= id+overflow; i++ {
		if v.seen[i] {
			return nil, damagedf("page %d is in two places", i)
		}
		v.seen[i] = true
	}
	page := make([]byte, int64(overflow+1)*v.pageSize)
	if _, err := v.file.ReadAt(page, int64(id)*v.pageSize); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return page, nil
}

// walk calls back for the elements below a page in the order of their keys, which are from least on and below limit; nil is no bound.
func (v *verifier) walk(id uint64, least, limit []byte, depth int, each func(element) error) error {
	if depth > maxDepth {
		return damagedf("its tree is too deep")
	}
	page, err := v.page(id)
	if err != nil {
		return err
	}
	switch order.Uint16(page[8:]) {
	case leafFlag:
		return walkLeaf(page, least, limit, each)
	case branchFlag:
		return v.walkBranch(page, least, limit, depth, each)
	default:
		return damagedf("page %d is of no known kind", id)
	}
}

func (v *verifier) walkBranch(page, least, limit []byte, depth int, each func(element) error) error {
	count := int(order.Uint16(page[10:]))
	keys, children := make([][]byte, count), make([]uint64, count)
	for i := range count {
		e, at, ok := elementAt(page, i)
		if !ok {
			return damagedf("a branch is too short")
		}
		children[i] = order.Uint64(e[8:])
		if keys[i], ok = span(page, at, order.Uint32(e), order.Uint32(e[4:])); !ok {
			return damagedf("a key is outside of its page")
		}
	}
	if count == 0 {
		return damagedf("a branch is empty")
	}
	var previous []byte
	for i, key := range keys {
		if !inOrder(key, least, previous, limit) {
			return damagedf("keys are out of order")
		}
		end := limit
		if i+1 < count {
			end = keys[i+1]
		}
		if err := v.walk(children[i], key, end, depth+1, each); err != nil {
			return err
		}
		previous = key
	}
	return nil
}

func walkLeaf(page, least, limit []byte, each func(element) error) error {
	var previous []byte
	for i := range int(order.Uint16(page[10:])) {
		e, at, ok := elementAt(page, i)
		if !ok {
			return damagedf("a leaf is too short")
		}
		keySize, valueSize := order.Uint32(e[8:]), order.Uint32(e[12:])
		key, ok := span(page, at, order.Uint32(e[4:]), keySize)
		if !ok {
			return damagedf("a key is outside of its page")
		}
		value, ok := span(page, at+int64(keySize), order.Uint32(e[4:]), valueSize)
		if !ok {
			return damagedf("a value is outside of its page")
		}
		if !inOrder(key, least, previous, limit) {
			return damagedf("keys are out of order")
		}
		if err := each(element{order.Uint32(e), key, value}); err != nil {
			return err
		}
		previous = key
	}
	return nil
}

// elementAt returns the header of an element and its place.
func elementAt(page []byte, i int) (header []byte, at int64, ok bool) {
	begin := pageHeaderBytes + i*elementBytes
	if begin+elementBytes > len(page) {
		return nil, 0, false
	}
	return page[begin : begin+elementBytes], int64(begin), true
}

// span returns bytes at a position that counts from an element.
func span(page []byte, at int64, position, size uint32) ([]byte, bool) {
	begin := at + int64(position)
	end := begin + int64(size)
	if end > int64(len(page)) {
		return nil, false
	}
	return page[begin:end:end], true
}

// inOrder says whether a key is behind the previous one, which is nil for the first, and within the bounds of its page.
func inOrder(key, least, previous, limit []byte) bool {
	return bytes.Compare(key, least) >= 0 && (previous == nil || bytes.Compare(key, previous) > 0) && (limit == nil || bytes.Compare(key, limit) < 0)
}

// bucket walks through the records of a bucket.
func (v *verifier) bucket(e element) error {
	name := string(e.key)
	return v.records(e, func(r element) error {
		value, sum, err := unseal(name, r.key, r.value)
		if err != nil {
			return err
		}
		d := v.digests[name]
		d.add(sum)
		v.digests[name] = d
		switch name {
		case aboutBucket:
			return v.about(r.key, value)
		case digestsBucket:
		default:
			return nil
		}
		stored, ok := decodeDigest(value)
		if !ok {
			return damagedf("digest of %q has %d bytes", r.key, len(value))
		}
		v.stored[string(r.key)] = stored
		return nil
	})
}

func (v *verifier) records(e element, each func(element) error) error {
	if e.flags != bucketFlag || len(e.value) < bucketHeaderBytes {
		return damagedf("%q is no bucket", e.key)
	}
	plain := func(r element) error {
		if r.flags != 0 {
			return damagedf("%q in %q is no record", r.key, e.key)
		}
		return each(r)
	}
	if root := order.Uint64(e.value); root != 0 {
		return v.walk(root, nil, nil, 1, plain)
	}
	page := e.value[bucketHeaderBytes:]
	if len(page) < pageHeaderBytes || order.Uint16(page[8:]) != leafFlag {
		return damagedf("%q is no bucket", e.key)
	}
	return walkLeaf(page, nil, nil, plain)
}

// about takes what the file says of itself.
func (v *verifier) about(key, value []byte) error {
	if string(key) == ownerKey && len(value) == ownerBytes {
		return nil
	}
	if string(key) != schemaKey || len(value) != 1 {
		return damagedf("%q is unknown in %q", key, aboutBucket)
	}
	v.hasSchema = true
	if value[0] != aggregator.SchemaVersion {
		return fmt.Errorf("it has schema version %d, and this version of vpcflow_exporter reads %d: run the one that wrote it, or move the file away to begin anew",
			value[0], aggregator.SchemaVersion)
	}
	return nil
}

// compare holds the digests of the records against those that were written with them.
func (v *verifier) compare() error {
	delete(v.digests, digestsBucket)
	for name, d := range v.stored {
		if v.digests[name] != d {
			return damagedf("%q has lost records: %d of %d are left", name, v.digests[name].records, d.records)
		}
	}
	for name := range v.digests {
		if _, ok := v.stored[name]; !ok {
			return damagedf("%q has no digest", name)
		}
	}
	return nil
}
