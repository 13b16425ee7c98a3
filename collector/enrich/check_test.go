package enrich

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReconfigureRefusesFiles changes to files that cannot be used: each is refused with its key and path, and changes nothing. A file that was named before is no reason
// to refuse.
func TestReconfigureRefusesFiles(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := asnMMDB(t, 13335, "Cloudflare, Inc.")
	ranges := rangesJSON(t, rangesEntry{"3.5.140.0/22", "ap-northeast-2", "S3"})
	good := write("good.mmdb", database)
	cut := write("cut.mmdb", database[:len(database)/2])
	cutRanges := write("cut.json", ranges[:len(ranges)/2])
	missing := filepath.Join(folder, "missing")
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string // want are parts of the error; none is no error.
	}{
		{"a good database", func(c *Config) { c.MMDB = []string{good} }, nil},
		{"a database cut short behind a good one", func(c *Config) { c.MMDB = []string{good, cut} }, []string{"enrichment.mmdb[1]: ", cut}},
		{"a missing database", func(c *Config) { c.MMDB = []string{missing} }, []string{"enrichment.mmdb[0]: ", missing}},
		{"good ranges", func(c *Config) { c.IPRanges = write("good.json", ranges) }, nil},
		{"ranges cut short", func(c *Config) { c.IPRanges = cutRanges }, []string{"enrichment.ip_ranges: ", cutRanges}},
		{"a URL is not asked", func(c *Config) { c.IPRanges = "http://127.0.0.1:1/ip-ranges.json" }, nil},
		{"a token file without a token", func(c *Config) { c.IPInfo.TokenFile = write("token", []byte("\n")) }, []string{"enrichment.ipinfo_token_file: ", "token is empty"}},
		{"all at once", func(c *Config) { c.MMDB, c.IPRanges = []string{cut}, cutRanges }, []string{"enrichment.mmdb[0]: ", "enrichment.ip_ranges: "}},
		{"one that was missing before", func(c *Config) { c.MMDB = []string{filepath.Join(folder, "known")} }, nil},
	} {
		e := newBench(t, Config{MMDB: []string{filepath.Join(folder, "known")}}, nil).e
		config := e.configuration()
		c.change(&config)
		err := e.Reconfigure(config)
		if (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: got the error %v", c.name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %q, want it to contain %q", c.name, err, part)
			}
		}
		if now := e.configuration(); err != nil && (now.IPRanges != "" || len(now.MMDB) != 1 || now.IPInfo.TokenFile != "") {
			t.Errorf("%s: the refused configuration is in effect", c.name)
		}
	}
}
