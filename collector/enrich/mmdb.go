package enrich

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/oschwald/maxminddb-golang/v2"
)

// maxDatabaseBytes bounds an MMDB file, which is held in memory.
const maxDatabaseBytes = 512 << 20

// A database is an MMDB file in memory. It is not mapped: a file that is overwritten in place would end the process. It is immutable, and stays usable
// for whoever holds it after another has taken its place.
type database struct {
	reader *maxminddb.Reader
}

// record holds the fields of all known databases. Their types are checked by hand, since the same name has different types in different ones.
type record struct {
	// GeoLite2-ASN and DB-IP.
	Number       any `maxminddb:"autonomous_system_number"`
	Organization any `maxminddb:"autonomous_system_organization"`
	// IPinfo.
	ASN         any `maxminddb:"asn"`
	ASName      any `maxminddb:"as_name"`
	CountryCode any `maxminddb:"country_code"`
	// A section with iso_code in GeoLite2 and DB-IP, a name in IPinfo Lite, a code in its older files.
	Country any `maxminddb:"country"`
}

func (r *record) info() Info {
	info := Info{ASN: asnOf(r.Number), ASName: nameOf(r.Organization), Country: countryOf(r.CountryCode)}
	if info.ASN == "" {
		info.ASN, info.ASName = asnOf(r.ASN), nameOf(r.ASName)
	}
	if info.ASN == "" {
		info.ASName = ""
	}
	if info.Country == "" {
		info.Country = countryOf(r.Country)
	}
	return info
}

func asnOf(value any) string {
	switch v := value.(type) {
	case uint64:
		return asnLabel(v)
	case string:
		return parseASN(v)
	default:
		return ""
	}
}

func nameOf(value any) string {
	text, _ := value.(string)
	return nameLabel(text)
}

func countryOf(value any) string {
	switch v := value.(type) {
	case string:
		return countryLabel(v)
	case map[string]any:
		code, _ := v["iso_code"].(string)
		return countryLabel(code)
	default:
		return ""
	}
}

// openDatabase reads an MMDB file, verifies all of it, and checks that its records hold something of use. It keeps data.
func openDatabase(data []byte) (d *database, err error) {
	defer noPanic(&err)
	// The cache of strings would hold parts of the database twice: answers are cached already.
	reader, err := maxminddb.OpenBytes(data, maxminddb.DisableStringCache())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := reader.Verify(); err != nil {
		return nil, fmt.Errorf("verify database: %w", err)
	}
	d = &database{reader}
	if err := d.recognise(); err != nil {
		return nil, err
	}
	return d, nil
}

// noPanic makes an error of a panic about what a file holds. The library promises none; a file from elsewhere is not worth the process.
func noPanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("read database: %v", r)
	}
}

// maxSamples bounds the networks that recognise looks at. The first record of a database of use has a field of use; networks without a record come
// before it.
const maxSamples = 20_000

// recognise looks for a record with a known field. Databases have no schema, and their names are not to be relied on.
func (d *database) recognise() error {
	var fields map[string]any
	starts := []netip.Addr{netip.IPv4Unspecified()}
	if d.reader.Metadata.IPVersion == 6 {
		starts = append(starts, netip.MustParseAddr("2000::"))
	}
	for _, addr := range starts {
		for range maxSamples {
			result := d.reader.Lookup(addr)
			if err := result.Err(); err != nil {
				return fmt.Errorf("search database: %w", err)
			}
			if result.Found() {
				info, _, err := d.decode(result)
				if err != nil || info != (Info{}) {
					return err
				}
				if fields == nil {
					_ = result.Decode(&fields) // For the message only: a record that is no section has no fields.
				}
			}
			next, ok := lastOf(result.Prefix()).next()
			if !ok || !result.Prefix().Contains(addr) || addr.Is4() && !next.is4() {
				break
			}
			addr = next.addr()
		}
	}
	return fmt.Errorf("recognise database of type %q: found no AS number and no country, but the fields %q", clip(d.kind()), firstOf(fields))
}

func firstOf(fields map[string]any) []string {
	names := slices.Sorted(maps.Keys(fields))
	names = names[:min(len(names), 20)]
	for i, name := range names {
		names[i] = clip(name)
	}
	return names
}

func (d *database) kind() string { return d.reader.Metadata.DatabaseType }

// lookup returns the autonomous system and the country, as far as the database has them.
func (d *database) lookup(addr netip.Addr) (info Info, found bool, err error) {
	defer noPanic(&err)
	if addr.Is6() && d.reader.Metadata.IPVersion == 4 {
		return Info{}, false, nil
	}
	return d.decode(d.reader.Lookup(addr))
}

func (d *database) decode(result maxminddb.Result) (Info, bool, error) {
	var r record
	if err := result.Decode(&r); err != nil {
		if _, ok := errors.AsType[maxminddb.UnmarshalTypeError](err); ok {
			return Info{}, false, nil // The record is no section, so it has no field of use.
		}
		return Info{}, false, fmt.Errorf("decode record: %w", err)
	}
	info := r.info()
	return info, info != (Info{}), nil
}

// askDatabases fills in the autonomous system and the country, each from the first database that has it, and says whether any had one.
func (e *Enricher) askDatabases(s *sources, addr netip.Addr, info *Info) bool {
	if len(s.databases) == 0 {
		return false
	}
	var failure error
	for _, d := range s.databases {
		found, _, err := d.lookup(addr)
		if err != nil {
			failure = err
			continue
		}
		switch {
		case info.ASN == "":
			info.ASN, info.ASName = found.ASN, found.ASName
		case info.ASN == found.ASN && info.ASName == "":
			info.ASName = found.ASName // Never the name of another number.
		}
		if info.Country == "" {
			info.Country = found.Country
		}
	}
	answered := info.ASN != "" || info.Country != ""
	if answered {
		failure = nil
	}
	e.metrics.mmdb.count(answered, failure)
	return answered
}
