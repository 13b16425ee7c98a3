package enrich

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// text and the like keep the databases of tests readable.
type (
	text   = mmdbtype.String
	number = mmdbtype.Uint32
	fields = mmdbtype.Map
)

// mmdb writes a database file with a record for each prefix.
func mmdb(tb testing.TB, options mmdbwriter.Options, records map[string]mmdbtype.DataType) []byte {
	tb.Helper()
	options.IncludeReservedNetworks = true
	options.Description = map[string]string{"en": "for a test"}
	options.BuildEpoch = 1_770_000_000
	if options.DatabaseType == "" {
		options.DatabaseType = "Test"
	}
	writer, err := mmdbwriter.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	for prefix, value := range records {
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			tb.Fatal(err)
		}
		if err := writer.Insert(network, value); err != nil {
			tb.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := writer.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func asnMMDB(tb testing.TB, asn uint32, name string) []byte {
	tb.Helper()
	return mmdb(tb, mmdbwriter.Options{DatabaseType: "GeoLite2-ASN"}, map[string]mmdbtype.DataType{
		"1.1.1.0/24": fields{"autonomous_system_number": number(asn), "autonomous_system_organization": text(name)},
		"8.8.8.0/24": fields{"autonomous_system_number": number(15169)},
	})
}

func countryMMDB(tb testing.TB, code string) []byte {
	tb.Helper()
	names := fields{"en": text("A country"), "fr": text("Un pays")}
	return mmdb(tb, mmdbwriter.Options{DatabaseType: "GeoLite2-Country"}, map[string]mmdbtype.DataType{
		"1.1.0.0/16": fields{
			"continent": fields{"code": text("EU"), "names": names},
			"country":   fields{"iso_code": text(code), "names": names, "geoname_id": number(1)},
		},
		"2606:4700::/32": fields{"country": fields{"iso_code": text(code)}},
	})
}

func TestDatabaseSchemas(t *testing.T) {
	geoLite2ASN := fields{"autonomous_system_number": number(13335), "autonomous_system_organization": text("Cloudflare, Inc.")}
	for _, c := range []struct {
		name    string
		options mmdbwriter.Options
		record  fields
		want    Info
	}{
		{"GeoLite2-ASN", mmdbwriter.Options{}, geoLite2ASN, Info{ASN: "AS13335", ASName: "Cloudflare, Inc."}},
		{"GeoLite2-ASN without a name", mmdbwriter.Options{}, fields{"autonomous_system_number": number(7018)}, Info{ASN: "AS7018"}},
		{"GeoLite2-Country", mmdbwriter.Options{}, fields{"country": fields{"iso_code": text("FR")}, "registered_country": fields{"iso_code": text("US")}}, Info{Country: "FR"}},
		{"GeoLite2-City", mmdbwriter.Options{RecordSize: 32}, fields{
			"city": fields{"names": fields{"en": text("Paris")}}, "country": fields{"iso_code": text("FR")},
			"location": fields{"latitude": mmdbtype.Float64(48.8)}, "subdivisions": mmdbtype.Slice{fields{"iso_code": text("75")}},
		}, Info{Country: "FR"}},
		{"IPinfo Lite", mmdbwriter.Options{RecordSize: 32}, fields{
			"asn": text("AS13335"), "as_name": text("Cloudflare, Inc."), "as_domain": text("cloudflare.com"),
			"country": text("Australia"), "country_code": text("AU"), "continent": text("Oceania"), "continent_code": text("OC"),
		}, Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "AU"}},
		{"IPinfo Lite without an AS", mmdbwriter.Options{}, fields{"country": text("China"), "country_code": text("CN")}, Info{Country: "CN"}},
		{"IPinfo country_asn", mmdbwriter.Options{}, fields{
			"asn": text("AS13335"), "as_name": text("Cloudflare, Inc."), "country": text("AU"), "country_name": text("Australia"),
		}, Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "AU"}},
		{"DB-IP ASN Lite", mmdbwriter.Options{RecordSize: 24}, geoLite2ASN, Info{ASN: "AS13335", ASName: "Cloudflare, Inc."}},
		{"DB-IP Country Lite", mmdbwriter.Options{RecordSize: 24}, fields{
			"continent": fields{"code": text("OC")}, "country": fields{"iso_code": text("AU"), "is_in_european_union": mmdbtype.Bool(false)},
		}, Info{Country: "AU"}},
		{"a repack with a bare code", mmdbwriter.Options{}, fields{"country_code": text("au")}, Info{Country: "AU"}},
		{"IPv4 only", mmdbwriter.Options{IPVersion: 4}, geoLite2ASN, Info{ASN: "AS13335", ASName: "Cloudflare, Inc."}},
		{"fields of odd types", mmdbwriter.Options{}, fields{
			"autonomous_system_number": text("13335"), "autonomous_system_organization": number(1), "country": mmdbtype.Slice{text("AU")}, "country_code": fields{}, "asn": mmdbtype.Bool(true),
		}, Info{ASN: "AS13335"}},
		{"a name without a number", mmdbwriter.Options{}, fields{"as_name": text("Nobody"), "country_code": text("AU")}, Info{Country: "AU"}},
		{"hostile names", mmdbwriter.Options{}, fields{"autonomous_system_number": number(1), "autonomous_system_organization": text("A\"\n} 1\nx{y=\"" + strings.Repeat("z", 5000))}, Info{
			ASN: "AS1", ASName: "A\" } 1 x{y=\"" + strings.Repeat("z", 128-12),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := mmdb(t, c.options, map[string]mmdbtype.DataType{"1.1.1.0/24": c.record})
			d, err := openDatabase(data)
			if err != nil {
				t.Fatal(err)
			}
			got, found, err := d.lookup(netip.MustParseAddr("1.1.1.1"))
			if got != c.want || !found || err != nil {
				t.Errorf("got %+v (found %t, error %v), want %+v", got, found, err, c.want)
			}
			checkInfo(t, got)
			for _, missing := range []string{"1.1.2.1", "2606:4700::1"} {
				if got, found, err := d.lookup(netip.MustParseAddr(missing)); got != (Info{}) || found || err != nil {
					t.Errorf("%s has %+v (found %t, error %v), want nothing", missing, got, found, err)
				}
			}
		})
	}
}

func TestOpenDatabaseErrors(t *testing.T) {
	good := asnMMDB(t, 13335, "Cloudflare, Inc.")
	damaged := func(change func(data []byte)) []byte {
		data := bytes.Clone(good)
		change(data)
		return data
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "open database: ", nil},
		{"text", "open database: ", []byte("404 Not Found\n")},
		{"cut short", "open database: ", good[:len(good)/2]},
		{"without its head", "", good[len(good)/4:]},
		{"a tree that leads nowhere", "verify database: ", damaged(func(data []byte) {
			for i := range 64 {
				data[i] = 0xff
			}
		})},
		{"a tree that is a circle", "verify database: ", damaged(func(data []byte) { clear(data[:64]) })},
		{
			"data of another kind", "recognise database of type \"GeoIP2-Anonymous-IP\": found no AS number and no country, but the fields [\"is_anonymous\" \"is_tor\"]",
			mmdb(t, mmdbwriter.Options{DatabaseType: "GeoIP2-Anonymous-IP"}, map[string]mmdbtype.DataType{
				"1.1.1.0/24": fields{"is_tor": mmdbtype.Bool(true), "is_anonymous": mmdbtype.Bool(true)},
			}),
		},
		{"records that are no sections", "recognise database of type \"Test\"", mmdb(t, mmdbwriter.Options{}, map[string]mmdbtype.DataType{"1.1.1.0/24": text("FR")})},
		{"no records", "recognise database of type \"Test\"", mmdb(t, mmdbwriter.Options{}, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := openDatabase(c.data)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v and the error %v, want one with %q", d, err, c.want)
			}
		})
	}
}

// TestRecogniseLateRecord has its only useful record behind many without a field of use, and in IPv6 alone.
func TestRecogniseLateRecord(t *testing.T) {
	records := map[string]mmdbtype.DataType{"2a05:d000::/25": fields{"country_code": text("IE")}}
	for i := range 200 {
		records[netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(i), 0, 0}), 16).String()] = fields{"nothing": text("of use")}
	}
	if _, err := openDatabase(mmdb(t, mmdbwriter.Options{}, records)); err != nil {
		t.Error(err)
	}
}

func TestMergeDatabases(t *testing.T) {
	open := func(data []byte) *database {
		d, err := openDatabase(data)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	nameless := open(mmdb(t, mmdbwriter.Options{}, map[string]mmdbtype.DataType{"1.1.1.0/24": fields{"autonomous_system_number": number(13335)}}))
	cloudflare, other := open(asnMMDB(t, 13335, "Cloudflare")), open(asnMMDB(t, 64500, "Other"))
	australia := open(countryMMDB(t, "AU"))
	lite := open(mmdb(t, mmdbwriter.Options{}, map[string]mmdbtype.DataType{"1.1.1.0/24": fields{"asn": text("AS13335"), "as_name": text("Cloudflare, Inc."), "country_code": text("US")}}))
	for _, c := range []struct {
		name      string
		databases []*database
		want      Info
	}{
		{"fields of two", []*database{cloudflare, australia}, Info{ASN: "AS13335", ASName: "Cloudflare", Country: "AU"}},
		{"the first of two", []*database{other, cloudflare}, Info{ASN: "AS64500", ASName: "Other"}},
		{"the order is that of the configuration", []*database{lite, australia}, Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "US"}},
		{"and in the other order", []*database{australia, lite}, Info{ASN: "AS13335", ASName: "Cloudflare, Inc.", Country: "AU"}},
		{"the name of the same number", []*database{nameless, other, cloudflare}, Info{ASN: "AS13335", ASName: "Cloudflare"}},
		{"never the name of another number", []*database{nameless, other}, Info{ASN: "AS13335"}},
	} {
		e := newBench(t, Config{}, nil).e
		var got Info
		if answered := e.askDatabases(&sources{databases: c.databases}, netip.MustParseAddr("1.1.1.1"), &got); got != c.want || !answered {
			t.Errorf("%s: got %+v (%t), want %+v", c.name, got, answered, c.want)
		}
	}
}

// FuzzOpenDatabase reads foreign bytes as a database: it is refused, or answers the same way each time, with labels that are safe.
func FuzzOpenDatabase(f *testing.F) {
	f.Add(asnMMDB(f, 13335, "Cloudflare, Inc."))
	f.Add(countryMMDB(f, "FR"))
	f.Add(mmdb(f, mmdbwriter.Options{IPVersion: 4, RecordSize: 24}, map[string]mmdbtype.DataType{"1.0.0.0/8": fields{"asn": text("AS1"), "as_name": text("é"), "country": text("FR")}}))
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := openDatabase(data)
		if err != nil {
			return
		}
		for _, addr := range []string{"0.0.0.0", "1.1.1.1", "8.8.8.8", "255.255.255.255", "::", "2606:4700::1", "ffff::"} {
			info, found, err := d.lookup(netip.MustParseAddr(addr))
			checkInfo(t, info)
			if found != (info != Info{}) || err != nil && found {
				t.Errorf("%s: found %t, info %+v, error %v", addr, found, info, err)
			}
			if again, _, _ := d.lookup(netip.MustParseAddr(addr)); again != info {
				t.Errorf("%s has %+v first and %+v then", addr, info, again)
			}
		}
	})
}

// FuzzParseRanges reads foreign bytes as ip-ranges.json: they are refused, or make a file that cannot be cut short, with labels that are safe.
func FuzzParseRanges(f *testing.F) {
	f.Add(rangesJSON(f, rangesEntry{"3.5.140.0/22", "eu-west-1", "S3"}, rangesEntry{"3.5.140.0/24", "eu-west-1", "AMAZON"}, rangesEntry{"2600:1f00::/24", "GLOBAL", "EC2"}))
	f.Add([]byte(`{"syncToken":"1","prefixes":[{"ip_prefix":"0.0.0.0/0","region":"r","service":"s"}],"ipv6_prefixes":[{"ipv6_prefix":"::/0","region":"r","service":"s"}]}`))
	f.Add([]byte(`{"syncToken":"1","prefixes":null,"ipv6_prefixes":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		ranges, err := ParseRanges(data)
		if err != nil {
			return
		}
		whole := bytes.TrimRight(data, " \t\r\n")
		if _, err := ParseRanges(whole[:len(whole)-1]); err == nil {
			t.Errorf("%q is accepted without its last byte", data)
		}
		known := 0
		for _, r := range ranges.table.v4 {
			service, region, ok := ranges.Lookup(0, v4Mapped|uint64(r.start))
			checkOwner(t, service, region, ok)
			if ok {
				known++
			}
		}
		for _, r := range ranges.table.v6 {
			service, region, ok := ranges.Lookup(r.start.hi, r.start.lo)
			checkOwner(t, service, region, ok)
			if ok {
				known++
			}
		}
		if known == 0 {
			t.Errorf("%q gives no range", data)
		}
	})
}

func checkOwner(t *testing.T, service, region string, ok bool) {
	t.Helper()
	if ok == (service == "") || ok == (region == "") || service != idLabel(service) || region != idLabel(region) {
		t.Errorf("got the service %q and the region %q (%t)", service, region, ok)
	}
}

// mmdbWithout returns a database that has records, but none for a prefix of use to the test.
func mmdbWithout(tb testing.TB, prefix string) []byte {
	tb.Helper()
	return mmdb(tb, mmdbwriter.Options{}, map[string]mmdbtype.DataType{
		prefix:       fields{"nothing": text("of use")},
		"5.0.0.0/24": fields{"country_code": text("DE")},
	})
}
