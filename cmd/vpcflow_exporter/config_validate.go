package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/enrich"
	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// Shapes of AWS identifiers. Regions have two to four letters before the first
// dash: us, cn, eusc.
var (
	accountPattern   = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern    = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	flowLogPattern   = regexp.MustCompile(`^fl-[0-9a-f]+$`)
	eniPattern       = regexp.MustCompile(`^eni-[0-9a-f]+$`)
	natPattern       = regexp.MustCompile(`^nat-[0-9a-f]+$`)
	fieldNamePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
)

// natVantages and priceItems are the words that nat_vantage and the sections of
// pricing.overrides know.
var (
	natVantages = []string{"auto", "gateway", "client"}
	priceItems  = []string{
		"nat_gb", "nat_hour", "internet_egress_gb", "cross_az_gb",
		"interface_endpoint_hour", "interface_endpoint_gb",
	}
)

// validator collects what is wrong with the values of a Config.
type validator struct{ problems []problem }

func (v *validator) failf(path, format string, args ...any) {
	v.problems = append(v.problems, problem{path: path, text: path + ": " + fmt.Sprintf(format, args...)})
}

// validate returns every value that is out of bounds, in the order of the keys.
func (c *Config) validate(needQueueURL bool) []problem {
	v := &validator{}
	c.SQS.validate(v, needQueueURL)
	between(v, "workers", c.Workers, 0, 1024)
	atLeastZero(v, "shutdown_grace", c.ShutdownGrace)
	c.FlowLogs.validate(v)
	c.Top.validate(v)
	between(v, "limits.series", c.Limits.Series, 100, 1_000_000)
	between(v, "limits.delta_keys", c.Limits.DeltaKeys, 1000, 100_000_000)
	c.Enrichment.validate(v)
	c.Pricing.validate(v)
	v.bucket("claim.bucket", c.Claim.Bucket)
	if c.Claim.Bucket == "" && c.Claim.Prefix != "" {
		v.failf("claim.prefix", "needs claim.bucket, got %s alone", quote(c.Claim.Prefix))
	}
	if c.Claim.Bucket != "" && c.State.Path == "" {
		v.failf("claim.bucket", "needs state.path, got %s alone: only a state that survives can tell what was counted under a claim", quote(c.Claim.Bucket))
	}
	v.bucket("backfill.bucket", c.Backfill.Bucket)
	return v.problems
}

func (c *SQSConfig) validate(v *validator, needURL bool) {
	switch {
	case c.QueueURL != "":
		v.url("sqs.queue_url", c.QueueURL)
	case needURL:
		v.failf("sqs.queue_url", "must be set to the URL of the queue that is notified of flow log files")
	}
	durationBetween(v, "sqs.visibility_timeout", c.VisibilityTimeout, 10*time.Second, 12*time.Hour)
	if c.VisibilityTimeout%time.Second != 0 {
		v.failf("sqs.visibility_timeout", "must be whole seconds, got %s", formatDuration(c.VisibilityTimeout))
	}
	between(v, "sqs.max_receives", c.MaxReceives, 1, 1000)
}

func (c *FlowLogsConfig) validate(v *validator) {
	v.matchAll("flow_logs.accounts", c.Accounts, accountPattern, "12 digits")
	v.matchAll("flow_logs.regions", c.Regions, regionPattern, "a region such as eu-west-3")
	v.matchAll("flow_logs.flow_log_ids", c.FlowLogIDs, flowLogPattern, "an id such as fl-0123456789abcdef0")
	v.cidrs("flow_logs.internal_cidrs", c.InternalCIDRs)
	v.gateways("flow_logs.nat_gateways", c.NATGateways)
	if !slices.Contains(natVantages, c.NATVantage) {
		v.failf("flow_logs.nat_vantage", "must be one of %s, got %s", strings.Join(natVantages, ", "), quote(c.NATVantage))
	}
	atLeastZero(v, "flow_logs.max_age", c.MaxAge)
	v.format("flow_logs.format", c.Format)
	between(v, "flow_logs.max_file_bytes", c.MaxFileBytes, 1<<20, 1<<40)
}

func (c *TopConfig) validate(v *validator) {
	between(v, "top.destinations", c.Destinations, 0, 10_000)
	between(v, "top.sources", c.Sources, 0, 10_000)
	between(v, "top.pairs", c.Pairs, 0, 10_000)
	durationBetween(v, "top.hold", c.Hold, 0, time.Hour)
	durationBetween(v, "top.idle", c.Idle, time.Minute, 365*24*time.Hour)
	v.sourceKey("top.source_key", c.SourceKey)
}

func (c *EnrichmentConfig) validate(v *validator) {
	for i, path := range c.MMDB {
		if path == "" {
			v.failf(itemPath("enrichment.mmdb", i), "must be the path of a file, got %s", quote(path))
		}
	}
	v.location("enrichment.ip_ranges", c.IPRanges)
	known := len(v.problems)
	for _, name := range slices.Sorted(maps.Keys(c.Networks)) {
		path := childPath("enrichment.networks", name)
		if name == "" {
			v.failf(path, "must have a name, got %s", quote(name))
		}
		if len(c.Networks[name]) == 0 {
			v.failf(path, "must hold at least one CIDR, got none")
		}
		v.cidrs(path, c.Networks[name])
	}
	if len(v.problems) == known {
		v.networks(c.Networks)
	}
	between(v, "enrichment.cache_size", c.CacheSize, 1, 10_000_000)
}

func (c *PricingConfig) validate(v *validator) {
	if !(c.BytesPerGB > 0) || math.IsInf(c.BytesPerGB, 0) {
		v.failf("pricing.bytes_per_gb", "must be above 0, got %s", formatFloat(c.BytesPerGB))
	}
	for _, region := range slices.Sorted(maps.Keys(c.Overrides)) {
		path := childPath("pricing.overrides", region)
		if !regionPattern.MatchString(region) {
			v.failf(path, "must be a region such as eu-west-3, got %s", quote(region))
		}
		for _, item := range slices.Sorted(maps.Keys(c.Overrides[region])) {
			if !slices.Contains(priceItems, item) {
				v.problems = append(v.problems, problem{path: childPath(path, item), text: unknownKey(item, priceItems)})
				continue
			}
			v.price(childPath(path, item), c.Overrides[region][item])
		}
	}
	v.discounts("pricing.discount", c.Discount)
	for _, account := range slices.Sorted(maps.Keys(c.AccountDiscounts)) {
		path := childPath("pricing.account_discounts", account)
		v.match(path, account, accountPattern, "12 digits")
		v.discounts(path, c.AccountDiscounts[account])
	}
}

// discounts wants shares: 8 is more likely meant as 8 % than as a price of -7.
func (v *validator) discounts(path string, got map[string]float64) {
	groups := pricing.DiscountGroups()
	for _, group := range slices.Sorted(maps.Keys(got)) {
		item := childPath(path, group)
		switch share := got[group]; {
		case !slices.Contains(groups, group):
			v.problems = append(v.problems, problem{path: item, text: unknownKey(group, groups)})
		case !(share >= 0 && share < 1):
			v.failf(item, "must be a share from 0 to below 1 such as 0.08 for 8 %%, got %s", formatFloat(share))
		}
	}
}

func between[T cmp.Ordered](v *validator, path string, got, low, high T) {
	if got < low || got > high {
		v.failf(path, "must be between %v and %v, got %v", low, high, got)
	}
}

func durationBetween(v *validator, path string, got, low, high time.Duration) {
	if got < low || got > high {
		v.failf(path, "must be between %s and %s, got %s", formatDuration(low), formatDuration(high), formatDuration(got))
	}
}

func atLeastZero(v *validator, path string, got time.Duration) {
	if got < 0 {
		v.failf(path, "must be at least 0s, got %s", formatDuration(got))
	}
}

func (v *validator) matchAll(path string, got []string, pattern *regexp.Regexp, want string) {
	for i, item := range got {
		v.match(itemPath(path, i), item, pattern, want)
	}
}

func (v *validator) match(path, got string, pattern *regexp.Regexp, want string) {
	if !pattern.MatchString(got) {
		v.failf(path, "must be %s, got %s", want, quote(got))
	}
}

// url accepts http and https. A password in a URL would show up in logs and on
// the config page, so it is refused and kept out of the message.
func (v *validator) url(path, got string) {
	parsed, err := url.Parse(got)
	switch {
	case err == nil && parsed.User != nil:
		v.failf(path, "must not hold a user name or password, got %s", quote(parsed.Redacted()))
	case err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "":
		v.failf(path, "must be an http or https URL, got %s", quote(got))
	}
}

// location accepts a URL, the path of a file, and nothing.
func (v *validator) location(path, got string) {
	switch {
	case strings.HasPrefix(got, "http://"), strings.HasPrefix(got, "https://"):
		v.url(path, got)
	case strings.Contains(got, "://"):
		v.failf(path, "must be an http or https URL or the path of a file, got %s", quote(got))
	}
}

// networks says which CIDR has two names, of networks that are valid each by itself.
func (v *validator) networks(got map[string][]string) {
	networks, err := parseNetworks(got)
	if err == nil {
		_, err = enrich.NewNetworks(networks)
	}
	if e, ok := errors.AsType[*enrich.NetworkError](err); ok {
		v.failf(itemPath(childPath("enrichment.networks", e.Name), e.Index), "%v", e.Err)
	} else if err != nil {
		v.failf("enrichment.networks", "%v", err)
	}
}

// cidrs wants networks without host bits: 10.0.0.1/8 is more likely a slip in
// the prefix length than meant.
func (v *validator) cidrs(path string, got []string) {
	for i, text := range got {
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil || prefix.Addr().Is4In6():
			v.failf(itemPath(path, i), "must be a CIDR such as 10.0.0.0/8, got %s", quote(text))
		case prefix != prefix.Masked():
			v.failf(itemPath(path, i), "must be a CIDR without host bits such as %s, got %s", prefix.Masked(), quote(text))
		}
	}
}

func (v *validator) gateways(path string, got []NATGatewayConfig) {
	first := make(map[string]string)
	unique := func(path, id string) {
		if earlier, seen := first[id]; seen {
			v.failf(path, "must be unique, got %s of %s again", quote(id), earlier)
			return
		}
		first[id] = path
	}
	for i, gateway := range got {
		item := itemPath(path, i)
		if gateway.ENI == "" && gateway.ID == "" {
			v.failf(item, "must have an eni or an id, got neither")
		}
		if gateway.ENI != "" {
			v.match(childPath(item, "eni"), gateway.ENI, eniPattern, "an id such as eni-0123456789abcdef0")
			unique(childPath(item, "eni"), gateway.ENI)
		}
		if gateway.ID != "" {
			v.match(childPath(item, "id"), gateway.ID, natPattern, "an id such as nat-0123456789abcdef0")
			unique(childPath(item, "id"), gateway.ID)
		}
		if gateway.NATGB != nil {
			v.price(childPath(item, "nat_gb"), *gateway.NATGB)
		}
	}
}

// format checks the shape of the field names only: AWS adds fields, and what a
// format must hold is the reader's business.
func (v *validator) format(path, got string) {
	seen := make(map[string]bool)
	for field := range strings.FieldsSeq(got) {
		name, braced := strings.CutPrefix(field, "${")
		if braced {
			name = strings.TrimSuffix(name, "}")
		}
		switch {
		case !fieldNamePattern.MatchString(name) || braced != strings.HasSuffix(field, "}"):
			v.failf(path, "must be field names separated by spaces such as ${srcaddr} ${dstaddr}, got %s", quote(field))
		case seen[name]:
			v.failf(path, "must name each field once, got %s again", quote(name))
		}
		seen[name] = true
	}
}

// sourceKey accepts any kinds in any order. What stands behind the address would
// never be looked at, since every client has one.
func (v *validator) sourceKey(path string, got []aggregator.SourceKind) {
	var known []string
	for _, kind := range aggregator.SourceKinds() {
		known = append(known, string(kind))
	}
	for i, kind := range got {
		item, name := itemPath(path, i), string(kind)
		nearest, near := nearestKey(name, known)
		switch {
		case slices.Contains(got[:i], kind):
			v.failf(item, "must name each kind once, got %s again", quote(name))
		case i > 0 && got[i-1] == aggregator.SourceAddress:
			v.failf(item, "must stand before address, which every client has, got %s behind it", quote(name))
		case slices.Contains(known, name):
		case near:
			v.failf(item, "must be one of %s, got %s, did you mean %s?", strings.Join(known, ", "), quote(name), quote(nearest))
		default:
			v.failf(item, "must be one of %s, got %s", strings.Join(known, ", "), quote(name))
		}
	}
}

func (v *validator) price(path string, got float64) {
	if !(got >= 0) || math.IsInf(got, 0) {
		v.failf(path, "must be at least 0, got %s", formatFloat(got))
	}
}

// bucket catches what people put in place of a bucket's name. The names
// themselves are left to S3, which knows several kinds.
func (v *validator) bucket(path, got string) {
	if strings.ContainsAny(got, "/ ") && !strings.HasPrefix(got, "arn:") {
		v.failf(path, "must be the name of a bucket alone, without s3:// and key, got %s", quote(got))
	}
}
