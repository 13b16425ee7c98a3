package enrich

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
)

// Networks are the operator's own names for networks. They are immutable, and so safe for concurrent use; the nil Networks know no name.
type Networks struct {
	table *table
	names []string // By value; the first stands for none.
}

// A NetworkError says what is wrong with one prefix of a network.
type NetworkError struct {
	Name  string // Of the network.
	Index int    // Of the prefix, in the network's list.
	Err   error
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("enrichment.networks.%s[%d]: %v", e.Name, e.Index, e.Err)
}

func (e *NetworkError) Unwrap() error { return e.Err }

// NewNetworks takes the prefixes of each network by its name. Prefixes may lie within each other: the longest one that holds an address names it. So
// one prefix under two names is an error. Errors are *NetworkError, joined, in the order of the names.
func NewNetworks(networks map[string][]netip.Prefix) (*Networks, error) {
	n := &Networks{names: []string{""}}
	if len(networks) > math.MaxUint16 {
		return nil, fmt.Errorf("enrichment.networks: got %d networks, want at most %d", len(networks), math.MaxUint16)
	}
	var prefixes []prefixValue
	var errs []error
	owners := make(map[netip.Prefix]string)
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		value := uint16(len(n.names))
		n.names = append(n.names, nameLabel(name))
		for i, prefix := range networks[name] {
			owner, known := owners[prefix]
			switch {
			case !prefix.IsValid() || prefix != prefix.Masked() || prefix.Addr().Is4In6():
				errs = append(errs, &NetworkError{name, i, fmt.Errorf("must be a CIDR without host bits, got %q", prefix)})
			case known && owner != name:
				errs = append(errs, &NetworkError{name, i, fmt.Errorf("must have one name, got %s in %q and in %q", prefix, owner, name)})
			case !known:
				owners[prefix] = name
				prefixes = append(prefixes, prefixValue{prefix, value})
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	n.table = newTable(prefixes)
	return n, nil
}

func (n *Networks) empty() bool { return n == nil || len(n.names) == 1 }

// Lookup returns the name of the network that holds an address, which is given as the two halves of its 16 bytes; an IPv4 address is IPv4-mapped. It
// does not allocate.
func (n *Networks) Lookup(hi, lo uint64) (name string, ok bool) {
	if n == nil {
		return "", false
	}
	value := n.table.lookup(hi, lo)
	return n.names[value], value != 0
}
