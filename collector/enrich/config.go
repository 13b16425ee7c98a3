package enrich

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Config says where names come from. It is not changed, and neither may be what it points to. A number or duration that is zero or less has its default.
type Config struct {
	// MMDB are the paths of database files, in the order in which they are asked.
	MMDB []string
	// IPRanges is the URL of ip-ranges.json, or the path of a copy; empty means none.
	IPRanges string
	// IPRangesCopy is the path where the last good file from a URL is kept for the next start; empty means nowhere.
	IPRangesCopy string
	// RangesInterval is how often a URL is asked whether the ranges have changed.
	RangesInterval time.Duration
	// PollInterval is how often files are looked at. A file is read once it has not changed for so long.
	PollInterval time.Duration
	// Networks are the operator's names for networks.
	Networks map[string][]netip.Prefix
	// Internal are networks that are private though their addresses are public. Nobody is asked about them.
	Internal []netip.Prefix
	// CacheSize is how many addresses are remembered. It should be above the number of addresses that are looked up again and again, since an
	// address that was forgotten has to wait for IPinfo anew.
	CacheSize int
	// IPInfo is the last to be asked.
	IPInfo IPInfoConfig
}

// IPInfoConfig says how IPinfo's Lite API is asked. Without a token it is not.
type IPInfoConfig struct {
	// TokenFile is the path of a file that holds the token and is read again when it changes.
	TokenFile string
	// Token is the token itself, if there is no file.
	Token Secret
	// URL is where the API is; an address is appended to it.
	URL string
	// Interval is the least time between two requests.
	Interval time.Duration
	// Timeout bounds one request.
	Timeout time.Duration
	// FoundFor and NotFoundFor are how long an answer is good for. After that IPinfo is asked again, and the old answer stays meanwhile.
	FoundFor, NotFoundFor time.Duration
}

// DefaultConfig returns the configuration with AWS's own URL and without databases, networks and token.
func DefaultConfig() Config {
	return Config{
		IPRanges:       "https://ip-ranges.amazonaws.com/ip-ranges.json",
		RangesInterval: 12 * time.Hour,
		PollInterval:   30 * time.Second,
		CacheSize:      10_000,
		IPInfo: IPInfoConfig{
			URL:         "https://api.ipinfo.io/lite/",
			Interval:    100 * time.Millisecond,
			Timeout:     5 * time.Second,
			FoundFor:    7 * 24 * time.Hour,
			NotFoundFor: 24 * time.Hour,
		},
	}
}

func (c Config) withDefaults() Config {
	def := DefaultConfig()
	positive(&c.RangesInterval, def.RangesInterval)
	positive(&c.PollInterval, def.PollInterval)
	positive(&c.CacheSize, def.CacheSize)
	positive(&c.IPInfo.Interval, def.IPInfo.Interval)
	positive(&c.IPInfo.Timeout, def.IPInfo.Timeout)
	positive(&c.IPInfo.FoundFor, def.IPInfo.FoundFor)
	positive(&c.IPInfo.NotFoundFor, def.IPInfo.NotFoundFor)
	if c.IPInfo.URL == "" {
		c.IPInfo.URL = def.IPInfo.URL
	}
	return c
}

func positive[T int | time.Duration](value *T, def T) {
	if *value <= 0 {
		*value = def
	}
}

// Validate checks what can be checked without reading files. Each error names the key.
func (c Config) Validate() error {
	_, _, err := c.tables()
	return err
}

func (c Config) tables() (networks *Networks, internal *table, err error) {
	if networks, err = NewNetworks(c.Networks); err != nil {
		return nil, nil, err
	}
	seen := make(map[netip.Prefix]bool)
	var prefixes []prefixValue
	for i, p := range c.Internal {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			return nil, nil, fmt.Errorf("flow_logs.internal_cidrs[%d]: must be a CIDR without host bits, got %q", i, p)
		}
		if !seen[p] {
			seen[p] = true
			prefixes = append(prefixes, prefixValue{p, 1})
		}
	}
	return networks, newTable(prefixes), nil
}

// isURL tells a URL from a path.
func isURL(location string) bool {
	return strings.HasPrefix(location, "http://") || strings.HasPrefix(location, "https://")
}

// Secret is a text that is never printed.
type Secret string

const hidden = "<secret>"

// String implements fmt.Stringer.
func (s Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return hidden }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// ParseToken reads a token as a file or the environment holds it. The error does not quote it.
func ParseToken(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", errors.New("token is empty")
	case len(text) > 1024:
		return "", errors.New("token is longer than 1024 bytes")
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", errors.New("token holds characters that no token has")
	}
	return Secret(text), nil
}
