package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

// maxConfigBytes bounds the configuration file, so that a wrong path (a device,
// a log file) is refused instead of being read into memory.
const maxConfigBytes = 1 << 20

// Config is the configuration file. The YAML keys are the contract with users;
// config.example.yaml explains each of them. Lists and maps may be shared by
// copies and are not changed after loading.
type Config struct {
	SQS           SQSConfig        `yaml:"sqs"`
	Workers       int              `yaml:"workers"` // 0 means one per CPU.
	ShutdownGrace time.Duration    `yaml:"shutdown_grace"`
	FlowLogs      FlowLogsConfig   `yaml:"flow_logs"`
	Top           TopConfig        `yaml:"top"`
	Limits        LimitsConfig     `yaml:"limits"`
	Enrichment    EnrichmentConfig `yaml:"enrichment"`
	Pricing       PricingConfig    `yaml:"pricing"`
	State         StateConfig      `yaml:"state"`
	Claim         ClaimConfig      `yaml:"claim"`
	Backfill      BackfillConfig   `yaml:"backfill"`
}

// SQSConfig says which queue is read and how its messages are treated.
type SQSConfig struct {
	QueueURL          string        `yaml:"queue_url"`
	VisibilityTimeout time.Duration `yaml:"visibility_timeout"` // Whole seconds, as SQS counts.
	MaxReceives       int           `yaml:"max_receives"`
}

// FlowLogsConfig says which files are wanted and how their records are read.
// Empty filters want everything.
type FlowLogsConfig struct {
	Accounts      []string           `yaml:"accounts"`
	Regions       []string           `yaml:"regions"`
	FlowLogIDs    []string           `yaml:"flow_log_ids"`
	InternalCIDRs []string           `yaml:"internal_cidrs"`
	NATGateways   []NATGatewayConfig `yaml:"nat_gateways"`
	NATVantage    string             `yaml:"nat_vantage"` // auto, gateway or client.
	MaxAge        time.Duration      `yaml:"max_age"`     // 0 accepts files of any age.
	// Format is the format of text files without a header line: field names
	// separated by single spaces, with or without ${}. It is never expanded from
	// the environment, since AWS writes field names the same way.
	Format       string `yaml:"format" config:"literal"`
	MaxFileBytes int64  `yaml:"max_file_bytes"` // After decompression.
}

// NATGatewayConfig names a NAT gateway, by its network interface, by its id, or
// by both. A regional gateway has no interface of its own and only an id.
type NATGatewayConfig struct {
	ENI  string `yaml:"eni,omitempty"`
	ID   string `yaml:"id,omitempty"`
	Name string `yaml:"name,omitempty"`
	// NATGB is this gateway's price in USD per GB. Nil means the price of its
	// region; 0 is a price (gateways with provisioned bandwidth).
	NATGB *float64 `yaml:"nat_gb,omitempty"`
}

// TopConfig bounds the series with addresses as labels.
type TopConfig struct {
	Destinations int           `yaml:"destinations"`
	Sources      int           `yaml:"sources"`
	Pairs        int           `yaml:"pairs"`
	Hold         time.Duration `yaml:"hold"`
	Idle         time.Duration `yaml:"idle"`
	// SourceKey is what a client is named by: the first of these that it has.
	SourceKey []aggregator.SourceKind `yaml:"source_key"`
}

// LimitsConfig bounds memory and the size of the metrics page.
type LimitsConfig struct {
	Series    int `yaml:"series"`
	DeltaKeys int `yaml:"delta_keys"`
}

// EnrichmentConfig says where names for addresses come from.
type EnrichmentConfig struct {
	MMDB []string `yaml:"mmdb"`
	// IPInfoTokenFile is a path; the token itself is never part of a Config.
	IPInfoTokenFile string              `yaml:"ipinfo_token_file"`
	IPRanges        string              `yaml:"ip_ranges"`
	Networks        map[string][]string `yaml:"networks"`
	CacheSize       int                 `yaml:"cache_size"`
}

// PricingConfig corrects the built-in list prices.
type PricingConfig struct {
	BytesPerGB float64 `yaml:"bytes_per_gb"`
	Refresh    bool    `yaml:"refresh"` // From the AWS Price List API, daily.
	// Overrides are USD by region and item (nat_gb, nat_hour and so on).
	Overrides map[string]map[string]float64 `yaml:"overrides"`
	// Discount are shares off the list prices by group of items (nat, cross_az
	// and so on), AccountDiscounts those that single accounts have instead.
	Discount         map[string]float64            `yaml:"discount"`
	AccountDiscounts map[string]map[string]float64 `yaml:"account_discounts"`
}

// StateConfig says where totals survive a restart. An empty path means nowhere.
type StateConfig struct {
	Path string `yaml:"path"`
}

// ClaimConfig names the place where replicas claim files. An empty bucket means
// that replicas do not coordinate.
type ClaimConfig struct {
	Bucket string `yaml:"bucket"`
	Prefix string `yaml:"prefix"`
}

// BackfillConfig says where --backfill reads and what it leaves behind.
type BackfillConfig struct {
	Bucket      string `yaml:"bucket"`
	Prefix      string `yaml:"prefix"`
	Output      string `yaml:"output"`
	OpenMetrics string `yaml:"openmetrics"`
	Cache       string `yaml:"cache"`
}

// DefaultConfig returns the values of all keys that a configuration file leaves
// out. It lacks only sqs.queue_url, which has no default.
func DefaultConfig() Config {
	return Config{
		SQS: SQSConfig{
			VisibilityTimeout: 5 * time.Minute,
			MaxReceives:       5,
		},
		ShutdownGrace: 20 * time.Second,
		FlowLogs: FlowLogsConfig{
			NATVantage:   "auto",
			MaxAge:       7 * 24 * time.Hour,
			MaxFileBytes: 16 << 30,
		},
		Top: TopConfig{
			Destinations: 100,
			Sources:      50,
			Pairs:        100,
			Hold:         2 * time.Minute,
			Idle:         24 * time.Hour,
			SourceKey:    aggregator.DefaultSourceKey(),
		},
		Limits: LimitsConfig{Series: 50_000, DeltaKeys: 1_000_000},
		Enrichment: EnrichmentConfig{
			IPRanges:  "https://ip-ranges.amazonaws.com/ip-ranges.json",
			CacheSize: 10_000,
		},
		Pricing:  PricingConfig{BytesPerGB: 1 << 30},
		Backfill: BackfillConfig{Output: "result.json", Cache: ".cache"},
	}
}

// LoadOptions says what LoadConfig takes from its surroundings.
type LoadOptions struct {
	// LookupEnv answers ${NAME} in values; os.LookupEnv in the program.
	LookupEnv func(name string) (string, bool)
	// NeedQueueURL makes a missing sqs.queue_url an error: the daemon needs a
	// queue, backfill and the demo do not.
	NeedQueueURL bool
}

// LoadConfig reads the file over the defaults, strictly, and validates the
// result. The error has one line per problem, in the order of the file, each
// with the path as given, the line where it is known, and the key.
func LoadConfig(path string, opts LoadOptions) (Config, error) {
	data, err := readLimited(path, maxConfigBytes)
	if err != nil {
		return Config{}, fmt.Errorf("read config file: %w", err)
	}
	return parseConfig(path, data, opts)
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes, is it the right file?", path, limit)
	}
	return data, nil
}

// parseConfig is LoadConfig for bytes; name stands for the file in messages.
func parseConfig(name string, data []byte, opts LoadOptions) (Config, error) {
	config := DefaultConfig()
	root, err := parseDocument(data)
	if err != nil {
		return Config{}, fmt.Errorf("%s%w", name, err)
	}
	d := newDecoder(opts.LookupEnv)
	d.decode(root, &config)
	problems := d.problems
	if len(problems) == 0 {
		problems = locate(config.validate(opts.NeedQueueURL), d.lines)
	}
	if len(problems) > 0 {
		return Config{}, problemsError(name, problems)
	}
	return config, nil
}
