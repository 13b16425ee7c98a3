package enrich

import (
	"errors"
	"fmt"
	"slices"
)

// checkFiles reads the files that a configuration names and an older one did not, so that a change which points to a broken one is refused. Files that were there before are
// reported when they are read: that they are broken now is no reason to refuse another change. Errors name key and file, and are joined.
func (c Config) checkFiles(old Config) error {
	var errs []error
	check := func(key, path string, limit int64, parse func([]byte) error) {
		data, _, err := readFile(path, limit)
		if err == nil {
			err = parse(data)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: use %q: %w", key, path, err))
		}
	}
	for i, path := range c.MMDB {
		if !slices.Contains(old.MMDB, path) {
			check(fmt.Sprintf("enrichment.mmdb[%d]", i), path, maxDatabaseBytes, func(data []byte) error {
				_, err := openDatabase(data)
				return err
			})
		}
	}
	if c.IPRanges != "" && c.IPRanges != old.IPRanges && !isURL(c.IPRanges) {
		check("enrichment.ip_ranges", c.IPRanges, maxRangesBytes, func(data []byte) error {
			_, err := ParseRanges(data)
			return err
		})
	}
	if path := c.IPInfo.TokenFile; path != "" && path != old.IPInfo.TokenFile {
		check("enrichment.ipinfo_token_file", path, maxTokenBytes, func(data []byte) error {
			_, err := ParseToken(string(data))
			return err
		})
	}
	return errors.Join(errs...)
}
