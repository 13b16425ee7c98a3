package state

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"go.etcd.io/bbolt"
)

const (
	ownerKey   = "owner"
	ownerBytes = 16
)

// Owner returns the name under which whoever has this state claims files: 32 random hexadecimal digits, made once and durable when Owner returns. A state that
// was lost is followed by one with another owner. It must be called like the methods of aggregator.Journal, one at a time.
func (s *State) Owner() (string, error) {
	owner, err := s.readOwner()
	if err == nil && owner == nil {
		owner = make([]byte, ownerBytes)
		_, _ = rand.Read(owner) // It never fails.
		err = s.update(func(w *writer) error { return w.put(aboutBucket, []byte(ownerKey), owner) })
	}
	if err != nil {
		return "", fmt.Errorf("name owner of state %q: %w", s.path, err)
	}
	return hex.EncodeToString(owner), nil
}

// readOwner returns nil where there is none yet.
func (s *State) readOwner() (owner []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		about := tx.Bucket([]byte(aboutBucket))
		if about == nil {
			return nil
		}
		sealed := about.Get([]byte(ownerKey))
		if sealed == nil {
			return nil
		}
		value, _, err := unseal(aboutBucket, []byte(ownerKey), sealed)
		owner = append([]byte(nil), value...)
		return err
	})
	return owner, err
}
