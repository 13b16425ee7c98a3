package aggregator

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// duplicates remembers which files have been committed, the most recent ones, as 16-byte hashes. It is not safe for concurrent use by itself.
type duplicates struct {
	files *lru.Cache[[16]byte, struct{}]
}

func newDuplicates(size int) *duplicates {
	files, err := lru.New[[16]byte, struct{}](max(size, 1))
	if err != nil {
		panic(err) // Only a size below 1 is refused.
	}
	return &duplicates{files: files}
}

func (d *duplicates) has(identity string) bool { return d.files.Contains(hash(identity)) }

// add remembers a file and says whether it is new.
func (d *duplicates) add(identity string) bool {
	known, _ := d.files.ContainsOrAdd(hash(identity), struct{}{})
	return !known
}

func hash(identity string) [16]byte {
	sum := sha256.Sum256([]byte(identity))
	return [16]byte(sum[:16])
}
