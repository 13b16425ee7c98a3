package enrich

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
)

const (
	maxRangesBytes    = 32 << 20 // The file has 3 MB.
	maxRangesPrefixes = 200_000  // In each of its lists; the longer one has 11,000.
)

// Ranges are AWS's published address ranges: which service and region an address belongs to. They are immutable, and so safe for concurrent use; the
// nil Ranges know no address.
type Ranges struct {
	table     *table
	owners    []rangeOwner // By value; the first stands for none.
	prefixes  int
	syncToken string
}

type rangeOwner struct{ service, region string }

// rangesFile is ip-ranges.json. AWS adds fields now and then, so unknown ones are no error; pointers tell a missing list from an empty one.
type rangesFile struct {
	SyncToken    string      `json:"syncToken"`
	Prefixes     *rangesList `json:"prefixes"`
	IPv6Prefixes *rangesList `json:"ipv6_prefixes"`
}

// rangesList is decoded item by item, so that a file of millions of empty ones is refused before it has grown to a hundred times its size.
type rangesList []rangesItem

type rangesItem struct {
	IPPrefix   string `json:"ip_prefix"`
	IPv6Prefix string `json:"ipv6_prefix"`
	Region     string `json:"region"`
	Service    string `json:"service"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *rangesList) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return errors.New("want a list of prefixes")
	}
	for decoder.More() {
		if len(*l) == maxRangesPrefixes {
			return fmt.Errorf("more than %d prefixes", maxRangesPrefixes)
		}
		var item rangesItem
		if err := decoder.Decode(&item); err != nil {
			return err
		}
		*l = append(*l, item)
	}
	return nil
}

// ParseRanges reads ip-ranges.json whole. A file that was cut short, or that has another shape than the one known, is an error: names from half of it
// would look like those from all of it.
func ParseRanges(data []byte) (*Ranges, error) {
	if len(data) > maxRangesBytes {
		return nil, fmt.Errorf("read ip-ranges: larger than %d bytes", maxRangesBytes)
	}
	var file rangesFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("decode ip-ranges: %w", err)
	}
	if file.SyncToken == "" || file.Prefixes == nil || file.IPv6Prefixes == nil {
		return nil, errors.New("decode ip-ranges: want an object with syncToken, prefixes and ipv6_prefixes")
	}
	if len(*file.Prefixes) == 0 {
		return nil, errors.New("decode ip-ranges: prefixes is empty")
	}
	b := rangesBuilder{owners: make(map[netip.Prefix]rangeOwner)}
	for i, item := range *file.Prefixes {
		if err := b.add(item.IPPrefix, item, true); err != nil {
			return nil, fmt.Errorf("decode ip-ranges: prefixes[%d]: %w", i, err)
		}
	}
	for i, item := range *file.IPv6Prefixes {
		if err := b.add(item.IPv6Prefix, item, false); err != nil {
			return nil, fmt.Errorf("decode ip-ranges: ipv6_prefixes[%d]: %w", i, err)
		}
	}
	r, err := b.build()
	if err != nil {
		return nil, err
	}
	r.syncToken = idLabel(file.SyncToken)
	return r, nil
}

type rangesBuilder struct {
	owners map[netip.Prefix]rangeOwner
}

func (b *rangesBuilder) add(text string, item rangesItem, is4 bool) error {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return fmt.Errorf("parse prefix %q: want a CIDR", clip(text))
	case prefix.Addr().Is4() != is4 || prefix.Addr().Is4In6() || prefix != prefix.Masked():
		return fmt.Errorf("parse prefix %q: want a CIDR of that family without host bits", clip(text))
	case item.Service == "" || item.Region == "":
		return fmt.Errorf("prefix %q: has no service or no region", clip(text))
	}
	next := rangeOwner{idLabel(item.Service), idLabel(item.Region)}
	if known, ok := b.owners[prefix]; !ok || next.before(known) {
		b.owners[prefix] = next
	}
	return nil
}

// before orders the owners of one prefix: AWS lists it under each service that the owner builds on as well. Where several specific ones share it, the
// alphabet decides, which puts CLOUDFRONT before CLOUDFRONT_ORIGIN_FACING.
func (o rangeOwner) before(other rangeOwner) bool {
	return cmp.Or(cmp.Compare(serviceRank(o.service), serviceRank(other.service)),
		cmp.Compare(o.service, other.service), cmp.Compare(o.region, other.region)) < 0
}

func serviceRank(service string) int {
	switch service {
	case "AMAZON":
		return 2
	case "EC2":
		return 1
	default:
		return 0
	}
}

func (b *rangesBuilder) build() (*Ranges, error) {
	r := &Ranges{owners: []rangeOwner{{}}, prefixes: len(b.owners)}
	values := make(map[rangeOwner]uint16)
	prefixes := make([]prefixValue, 0, len(b.owners))
	for prefix, owner := range b.owners {
		value, known := values[owner]
		if !known {
			if len(r.owners) > math.MaxUint16 {
				return nil, fmt.Errorf("decode ip-ranges: more than %d pairs of service and region", math.MaxUint16)
			}
			value = uint16(len(r.owners))
			values[owner] = value
			r.owners = append(r.owners, owner)
		}
		prefixes = append(prefixes, prefixValue{prefix, value})
	}
	r.table = newTable(prefixes)
	return r, nil
}

// Lookup returns the service, as flow logs write it, and the region of an address, which is given as the two halves of its 16 bytes; an IPv4 address is
// IPv4-mapped. The longest prefix decides; of several services with that prefix the specific one comes before EC2, and EC2 before AMAZON. It does not
// allocate.
func (r *Ranges) Lookup(hi, lo uint64) (service, region string, ok bool) {
	if r == nil {
		return "", "", false
	}
	value := r.table.lookup(hi, lo)
	owner := &r.owners[value]
	return owner.service, owner.region, value != 0
}

// clip keeps a foreign text short enough for a message.
func clip(text string) string {
	const limit = 100
	if len(text) <= limit {
		return text
	}
	return text[:limit] + "..."
}
