package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func noEnv(string) (string, bool) { return "", false }

// testEnv is the environment of the files in testdata/config.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"QUEUE_URL": "https://sqs.eu-west-3.amazonaws.com/123456789012/flow-logs",
		"ACCOUNT":   "012345678901",
		"WORKERS":   "4",
		"PRICE":     "0.041",
		"WAIT":      "90s",
		"WORD":      "five",
		"EMPTY":     "",
		"NESTED":    "${ACCOUNT}",
		"INJECTION": "a\nworkers: 7",
		"BRACES":    "{eni: eni-1}",
	}[name]
	return value, ok
}

func TestLoadConfigRejects(t *testing.T) {
	cases := []struct {
		file string
		want []string // Each behind the file's path.
	}{
		{"empty", []string{": config file is empty"}},
		{"comments_only", []string{": config file is empty"}},
		{"null_document", []string{": config file is empty"}},
		{"syntax", []string{":3: mapping values are not allowed in this context"}},
		{"indentation", []string{":4: did not find expected key"}},
		{"open_list", []string{":3: did not find expected ',' or ']'"}},
		{"first_line", []string{":1: did not find expected node content"}},
		{"unknown_anchor", []string{": unknown anchor 'list' referenced"}},
		{"tab", []string{":2: found character that cannot start any token"}},
		{"second_document", []string{":4: a second YAML document is not allowed"}},
		{"not_a_section", []string{":1: must be a section, the config file itself, got a list"}},
		{"unknown_key", []string{`:3: unknown key "worker", did you mean "workers"?`}},
		{"unknown_key_in_section", []string{`:2: unknown key "queue-url", did you mean "queue_url"?`}},
		{"unknown_key_in_item", []string{`:4: unknown key "nat_gbs", did you mean "nat_gb"?`}},
		{"unknown_key_far", []string{`:3: unknown key "colour", known keys are series, delta_keys`}},
		{"unknown_key_prefix", []string{`:2: unknown key "visibility", did you mean "visibility_timeout"?`}},
		{"unknown_price_item", []string{`:6: unknown key "nat_bg", did you mean "nat_gb"?`}},
		{"duplicate_key", []string{":5: workers: already set in line 1"}},
		{"merge_key", []string{":5: flow_logs.nat_gateways[1]: merging sections with << is not supported"}},
		{"key_not_a_name", []string{":2: a key must be a name"}},
		{"null_list_item", []string{":5: flow_logs.accounts[1]: list item is empty"}},
		{"null_map_value", []string{":4: pricing.overrides.eu-west-3: value is empty"}},
		{"duration_word", []string{`:4: sqs.visibility_timeout: cannot parse "five" as a duration`}},
		{"duration_number", []string{`:2: shutdown_grace: cannot parse "20" as a duration, did you mean "20s"?`}},
		{"duration_days", []string{`:3: flow_logs.max_age: cannot parse "7d" as a duration, did you mean "168h"?`}},
		{"fraction", []string{`:2: workers: cannot parse "4.5" as a whole number`}},
		{"number_word", []string{`:4: pricing.bytes_per_gb: cannot parse "GiB" as a number`}},
		{"too_large", []string{`:3: flow_logs.max_file_bytes: cannot parse "99999999999999999999" as a whole number`}},
		{"text_for_list", []string{`:3: flow_logs.accounts: must be a list, got "123456789012"`}},
		{"section_for_text", []string{":3: sqs.queue_url: must be a text, got a section"}},
		{"list_for_section", []string{":2: top: must be a section, got a list"}},
		{"tag", []string{":2: state.path: the tag !secret is not supported"}},
		{"unprintable", []string{`:2: state.path: "/var\x00lib" must not contain unprintable characters`}},
		{"unset_variable", []string{`:2: sqs.queue_url: environment variable "NO_SUCH_QUEUE" is not set`}},
		{"bad_variable", []string{`:2: state.path: cannot expand "${STATE:-/tmp}", write ${NAME}`}},
		{"variable_not_a_number", []string{`:2: workers: cannot parse "five" as a whole number`}},
		{"variable_injection", []string{`:2: state.path: "a\nworkers: 7" must not contain unprintable characters`}},
		{"variable_as_section", []string{`:4: flow_logs.nat_gateways[0]: must be a section, got "${BRACES}"`}},
		{"missing_queue_url", []string{":1: sqs.queue_url: must be set to the URL of the queue that is notified of flow log files"}},
		{"missing_sqs", []string{": sqs.queue_url: must be set to the URL of the queue that is notified of flow log files"}},
		{"queue_url", []string{`:2: sqs.queue_url: must be an http or https URL, got "vpc-flow-logs"`}},
		{"url_password", []string{`:2: sqs.queue_url: must not hold a user name or password, got "https://me:xxxxx@sqs.example/1/q"`}},
		{"sqs_bounds", []string{
			":3: sqs.visibility_timeout: must be between 10s and 12h, got 5s",
			":4: sqs.max_receives: must be between 1 and 1000, got 0",
		}},
		{"visibility_fraction", []string{":3: sqs.visibility_timeout: must be whole seconds, got 10.5s"}},
		{"top_level_bounds", []string{
			":3: workers: must be between 0 and 1024, got 1025",
			":4: shutdown_grace: must be at least 0s, got -1s",
		}},
		{"filters", []string{
			`:4: flow_logs.accounts[1]: must be 12 digits, got "12345678901"`,
			`:5: flow_logs.regions[0]: must be a region such as eu-west-3, got "eu-west-3a"`,
			`:6: flow_logs.flow_log_ids[0]: must be an id such as fl-0123456789abcdef0, got "flowlog"`,
		}},
		{"cidrs", []string{
			`:4: flow_logs.internal_cidrs[0]: must be a CIDR such as 10.0.0.0/8, got "10.0.0.1"`,
			`:5: flow_logs.internal_cidrs[1]: must be a CIDR without host bits such as 10.0.0.0/8, got "10.1.0.0/8"`,
			`:6: flow_logs.internal_cidrs[2]: must be a CIDR such as 10.0.0.0/8, got "::ffff:10.0.0.0/104"`,
		}},
		{"nat_gateways", []string{
			":4: flow_logs.nat_gateways[0]: must have an eni or an id, got neither",
			`:5: flow_logs.nat_gateways[1].eni: must be an id such as eni-0123456789abcdef0, got "nat-0a"`,
			`:8: flow_logs.nat_gateways[3].eni: must be unique, got "eni-0b" of flow_logs.nat_gateways[2].eni again`,
			`:8: flow_logs.nat_gateways[3].id: must be an id such as nat-0123456789abcdef0, got "eni-0c"`,
			":9: flow_logs.nat_gateways[3].nat_gb: must be at least 0, got -0.01",
		}},
		{"flow_log_values", []string{
			`:3: flow_logs.nat_vantage: must be one of auto, gateway, client, got "both"`,
			":4: flow_logs.max_age: must be at least 0s, got -1h",
			":5: flow_logs.max_file_bytes: must be between 1048576 and 1099511627776, got 1024",
		}},
		{"format", []string{
			`:3: flow_logs.format: must be field names separated by spaces such as ${srcaddr} ${dstaddr}, got "${dstaddr"`,
			`:3: flow_logs.format: must be field names separated by spaces such as ${srcaddr} ${dstaddr}, got "BYTES"`,
			`:3: flow_logs.format: must name each field once, got "srcaddr" again`,
		}},
		{"top_bounds", []string{
			":3: top.destinations: must be between 0 and 10000, got 10001",
			":4: top.sources: must be between 0 and 10000, got -1",
			":5: top.hold: must be between 0s and 1h, got 2h",
			":6: top.idle: must be between 1m and 8760h, got 0s",
		}},
		{"source_key", []string{
			`:3: top.source_key[0]: must be one of ecs_service, asg_tag, asg_tag_2, instance_tag, instance_tag_2, interface_tag, interface_tag_2, ` +
				`network, address, got "ecs_services", did you mean "ecs_service"?`,
			`:3: top.source_key[1]: must be one of ecs_service, asg_tag, asg_tag_2, instance_tag, instance_tag_2, interface_tag, interface_tag_2, ` +
				`network, address, got "team"`,
			`:3: top.source_key[3]: must name each kind once, got "asg_tag" again`,
			`:3: top.source_key[5]: must stand before address, which every client has, got "network" behind it`,
		}},
		{"limits_bounds", []string{
			":3: limits.series: must be between 100 and 1000000, got 1",
			":4: limits.delta_keys: must be between 1000 and 100000000, got 0",
		}},
		{"enrichment", []string{
			`:3: enrichment.mmdb[0]: must be the path of a file, got ""`,
			`:4: enrichment.ip_ranges: must be an http or https URL or the path of a file, got "ftp://example.com/ranges"`,
			`:6: enrichment.networks.office[1]: must be a CIDR such as 10.0.0.0/8, got "home"`,
			":7: enrichment.networks.empty: must hold at least one CIDR, got none",
			`:8: enrichment.networks.: must have a name, got ""`,
			":9: enrichment.cache_size: must be between 1 and 10000000, got 0",
		}},
		{"networks", []string{`:4: enrichment.networks.partner[1]: must have one name, got 198.51.100.0/24 in "office" and in "partner"`}},
		{"pricing", []string{
			":3: pricing.bytes_per_gb: must be above 0, got 0",
			`:5: pricing.overrides.Paris: must be a region such as eu-west-3, got "Paris"`,
			":7: pricing.overrides.eu-west-3.nat_gb: must be at least 0, got -0.05",
			":8: pricing.overrides.eu-west-3.nat_hour: must be at least 0, got NaN",
			":9: pricing.overrides.eu-west-3.cross_az_gb: must be at least 0, got +Inf",
		}},
		{"refresh", []string{`:2: pricing.refresh: cannot parse "daily" as true or false`}},
		{"discounts", []string{
			":3: pricing.discount.nat: must be a share from 0 to below 1 such as 0.08 for 8 %, got 8",
			`:4: unknown key "nta", did you mean "nat"?`,
			":5: pricing.discount.cross_az: must be a share from 0 to below 1 such as 0.08 for 8 %, got NaN",
			`:7: pricing.account_discounts.12345: must be 12 digits, got "12345"`,
			`:9: unknown key "internet_egres", did you mean "internet_egress"?`,
			":10: pricing.account_discounts.123456789012.interface_endpoint: must be a share from 0 to below 1 such as 0.08 for 8 %, got 1",
		}},
		{"buckets", []string{
			`:2: claim.prefix: needs claim.bucket, got "claims/" alone`,
			`:3: backfill.bucket: must be the name of a bucket alone, without s3:// and key, got "s3://logs/prefix"`,
		}},
		{"claim", []string{
			`:1: claim.bucket: needs state.path, got "claims" alone: only a state that survives can tell what was counted under a claim`,
		}},
		{"several", []string{
			`:2: sqs.max_receives: cannot parse "many" as a whole number`,
			`:3: unknown key "queue", did you mean "queue_url"?`,
			`:4: unknown key "worker", did you mean "workers"?`,
			`:5: top: must be a section, got "high"`,
		}},
	}
	tested := make(map[string]bool)
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			path := filepath.Join("testdata", "config", c.file+".bad.yaml")
			tested[path] = true
			_, err := LoadConfig(path, LoadOptions{LookupEnv: testEnv, NeedQueueURL: strings.HasPrefix(c.file, "missing_")})
			if err == nil {
				t.Fatal("accepted")
			}
			want := path + strings.Join(c.want, "\n"+path)
			if err.Error() != want {
				t.Errorf("got\n%s\nwant\n%s", err, want)
			}
		})
	}
	files, err := filepath.Glob("testdata/config/*.bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !tested[file] {
			t.Errorf("%s has no expected message", file)
		}
	}
}

func TestLoadConfigAccepts(t *testing.T) {
	nothing, everything := 0.0, 0.041
	cases := []struct {
		name   string
		yaml   string
		change func(*Config)
	}{
		{"one key", "workers: 3", func(c *Config) { c.Workers = 3 }},
		{"no keys", "{}", func(*Config) {}},
		{"keys without values keep their defaults", "sqs:\nworkers: ~\ntop:\n  idle:\nflow_logs:\n  accounts:\nenrichment:\n  networks: null", func(*Config) {}},
		{"empty lists and sections", "flow_logs: {accounts: [], nat_gateways: []}\npricing: {overrides: {}}", func(*Config) {}},
		{"byte order mark and CRLF", "\uFEFFworkers: 3\r\ntop:\r\n  pairs: 1\r\n", func(c *Config) { c.Workers, c.Top.Pairs = 3, 1 }},
		{"end markers", "---\nworkers: 3\n...\n", func(c *Config) { c.Workers = 3 }},
		{"unquoted account ids keep their zeros", "flow_logs:\n  accounts: [012345678901, 100000000000]", func(c *Config) {
			c.FlowLogs.Accounts = []string{"012345678901", "100000000000"}
		}},
		{"regions of all partitions", "flow_logs: {regions: [us-gov-west-1, cn-north-1, eusc-de-east-1, us-iso-east-1, ap-southeast-7]}", func(c *Config) {
			c.FlowLogs.Regions = []string{"us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1", "ap-southeast-7"}
		}},
		{"variables", "sqs: {queue_url: \"${QUEUE_URL}\", visibility_timeout: \"${WAIT}\"}\nworkers: ${WORKERS}\nflow_logs:\n  accounts: [\"${ACCOUNT}\"]\npricing: {overrides: {eu-west-3: {nat_gb: \"${PRICE}\"}}}", func(c *Config) {
			c.SQS.QueueURL, _ = testEnv("QUEUE_URL")
			c.SQS.VisibilityTimeout = 90 * time.Second
			c.Workers = 4
			c.FlowLogs.Accounts = []string{"012345678901"}
			c.Pricing.Overrides = map[string]map[string]float64{"eu-west-3": {"nat_gb": 0.041}}
		}},
		{"variables within a value, empty ones too", "state: {path: \"/a/${ACCOUNT}/${EMPTY}/${WORKERS}\"}", func(c *Config) {
			c.State.Path = "/a/012345678901//4"
		}},
		{"a variable's value is not expanded", "state: {path: \"${NESTED}\"}", func(c *Config) { c.State.Path = "${ACCOUNT}" }},
		{"other dollar signs stay", "state: {path: $HOME/$$/a$}", func(c *Config) { c.State.Path = "$HOME/$$/a$" }},
		{"no variables in keys and comments", "# ${NO_SUCH}\nenrichment: {networks: {\"${NO_SUCH}\": [192.0.2.0/24]}}", func(c *Config) {
			c.Enrichment.Networks = map[string][]string{"${NO_SUCH}": {"192.0.2.0/24"}}
		}},
		{"a format is literal and may be folded", "flow_logs:\n  format: >\n    ${version} ${srcaddr}\n    dstaddr  pkt-src-aws-service\n", func(c *Config) {
			c.FlowLogs.Format = "${version} ${srcaddr} dstaddr pkt-src-aws-service"
		}},
		{"gateways", "flow_logs:\n  nat_gateways:\n  - {eni: eni-0a, id: nat-0a, name: prod a, nat_gb: 0}\n  - {id: nat-0b, nat_gb: 0.041}\n  - eni: eni-0c", func(c *Config) {
			c.FlowLogs.NATGateways = []NATGatewayConfig{
				{ENI: "eni-0a", ID: "nat-0a", Name: "prod a", NATGB: &nothing},
				{ID: "nat-0b", NATGB: &everything},
				{ENI: "eni-0c"},
			}
		}},
		{"anchors", "pricing:\n  overrides:\n    eu-west-3: &list {nat_gb: 0.041}\n    eu-west-1: *list", func(c *Config) {
			c.Pricing.Overrides = map[string]map[string]float64{"eu-west-3": {"nat_gb": 0.041}, "eu-west-1": {"nat_gb": 0.041}}
		}},
		{"features that are turned off", "flow_logs: {max_age: 0s}\ntop: {destinations: 0, sources: 0, pairs: 0, hold: 0s}\nshutdown_grace: 0\nenrichment: {ip_ranges: \"\"}\nbackfill: {output: \"\", cache: \"\"}", func(c *Config) {
			c.FlowLogs.MaxAge, c.Top, c.ShutdownGrace = 0, TopConfig{Idle: 24 * time.Hour, SourceKey: c.Top.SourceKey}, 0
			c.Enrichment.IPRanges, c.Backfill.Output, c.Backfill.Cache = "", "", ""
		}},
		{"networks within each other, and ranges from a file", "enrichment: {networks: {office: [192.0.2.0/24], lab: [192.0.2.0/25, 192.0.2.0/26]}, ip_ranges: /etc/ip-ranges.json}", func(c *Config) {
			c.Enrichment.Networks = map[string][]string{"office": {"192.0.2.0/24"}, "lab": {"192.0.2.0/25", "192.0.2.0/26"}}
			c.Enrichment.IPRanges = "/etc/ip-ranges.json"
		}},
		{"networks and buckets", "enrichment: {networks: {office: [192.0.2.0/24, 2001:db8::/32]}}\nstate: {path: /state}\nclaim: {bucket: claims, prefix: a/}\nbackfill: {bucket: \"arn:aws:s3:eu-west-3:123456789012:accesspoint/logs\"}", func(c *Config) {
			c.Enrichment.Networks = map[string][]string{"office": {"192.0.2.0/24", "2001:db8::/32"}}
			c.State.Path = "/state"
			c.Claim = ClaimConfig{Bucket: "claims", Prefix: "a/"}
			c.Backfill.Bucket = "arn:aws:s3:eu-west-3:123456789012:accesspoint/logs"
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseConfig("config.yaml", []byte(c.yaml), LoadOptions{LookupEnv: testEnv})
			if err != nil {
				t.Fatal(err)
			}
			want := DefaultConfig()
			c.change(&want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, want)
			}
		})
	}
}

func TestLoadConfigReadErrors(t *testing.T) {
	_, err := LoadConfig("testdata/config/no_such_file.yaml", LoadOptions{LookupEnv: noEnv})
	if want := "read config file: open testdata/config/no_such_file.yaml: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	path := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(path, bytes.Repeat([]byte("#"), maxConfigBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = LoadConfig(path, LoadOptions{LookupEnv: noEnv})
	if want := "read config file: " + path + ": larger than 1048576 bytes, is it the right file?"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestErrorsSpeakYAML holds the promise that no message lets a Go type through,
// whatever is put in place of any key.
func TestErrorsSpeakYAML(t *testing.T) {
	substitutes := []string{"[[x]]", "{a: {b: c}}", "x y", "!!binary aGk=", "[~]", "{~: 1}", "1e999", "*none"}
	eachKey("", reflect.TypeFor[Config](), func(path string, _ reflect.StructField) {
		for _, substitute := range substitutes {
			keys := strings.Split(path, ".")
			text := strings.Join(keys, ": {") + ": " + substitute + strings.Repeat("}", len(keys)-1)
			_, err := parseConfig("config.yaml", []byte(text), LoadOptions{LookupEnv: noEnv})
			if err == nil {
				continue // "x y" is a fine path.
			}
			for _, word := range []string{"main.", "reflect", "time.Duration", "yaml", "float64", "int64", "[]", "map[", "!!int", "%!"} {
				if strings.Contains(strings.ReplaceAll(err.Error(), "config.yaml:", ""), word) {
					t.Errorf("%s: the message says %q: %v", text, word, err)
				}
			}
		}
	})
}

func TestDefaultConfigIsValid(t *testing.T) {
	config := DefaultConfig()
	if problems := config.validate(false); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
	if problems := config.validate(true); len(problems) != 1 || problems[0].path != "sqs.queue_url" {
		t.Errorf("got %v, want sqs.queue_url alone", problems)
	}
}

func TestConfigYAML(t *testing.T) {
	text := "flow_logs:\n  nat_gateways: [{eni: eni-0a, nat_gb: 0}]\n  accounts: [012345678901]\n  max_age: 36h30m\n" +
		"state: {path: \"true\"}\npricing: {overrides: {eu-west-3: {nat_gb: 1e-7}}}\n"
	config, err := parseConfig("config.yaml", []byte(text), LoadOptions{LookupEnv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/config/rendered.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("rendered config differs from testdata/config/rendered.yaml, got:\n%s", got)
	}
}

func TestFormatDuration(t *testing.T) {
	for text, want := range map[string]string{
		"0s": "0s", "20s": "20s", "5m": "5m", "10m": "10m", "1h": "1h", "10h": "10h", "168h": "168h",
		"1h0m30s": "1h0m30s", "1h10m": "1h10m", "90s": "1m30s", "1500ms": "1.5s", "-1h": "-1h", "100ms": "100ms",
	} {
		duration, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := formatDuration(duration); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestFormatFloat(t *testing.T) {
	for _, number := range []float64{0, 1 << 30, 0.041, 1e-7, 1e300, math.MaxFloat64, 5e-324, 1e15, 123456789.25} {
		v := reflect.New(reflect.TypeFor[float64]()).Elem()
		if text := formatFloat(number); !parseScalar(text, v) || v.Float() != number {
			t.Errorf("%g was written as %s and read as %g", number, text, v.Float())
		}
	}
	if got := formatFloat(1 << 30); got != "1073741824" {
		t.Errorf("got %s, want 1073741824", got)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"worker", "workers", 1},
		{"kitten", "sitting", 3},
		{"queue-url", "queue_url", 1},
		{"ab", "ba", 2},
		{"same", "same", 0},
	} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := editDistance(c.b, c.a); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func FuzzLoadConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, examplePath) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	// A fixed environment whose values are not references themselves: a rendered
	// config shows values, and ${ in one of those would be expanded again.
	lookup := func(name string) (string, bool) {
		return strconv.Itoa(len(name)), len(name)%2 == 0
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16<<10 {
			return
		}
		config, err := parseConfig("config.yaml", data, LoadOptions{LookupEnv: lookup})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "config.yaml:") {
				t.Errorf("the message does not name the file: %v", err)
			}
			return
		}
		rendered, err := config.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig("config.yaml", rendered, LoadOptions{LookupEnv: noEnv})
		if err != nil {
			t.Fatalf("rendered config is refused: %v\n%s", err, rendered)
		}
		if !reflect.DeepEqual(again, config) {
			t.Errorf("rendered config differs:\n got %+v\nwant %+v\n%s", again, config, rendered)
		}
	})
}
