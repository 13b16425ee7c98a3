package demo

import "encoding/json"

// Networks are names for those of the demo's remotes that a company would name.
func Networks() map[string][]string {
	return map[string][]string{
		"code-hosting":     {"140.82.112.0/20"},
		"package-mirror":   {"151.101.0.0/16"},
		"log-service":      {"203.0.113.16/28"},
		"payment-provider": {"198.51.100.0/25"},
		"crawled-web":      {"104.16.0.0/13"},
	}
}

// AddressRanges returns a file with the shape of AWS's ip-ranges.json and those of its entries that hold the demo's remotes, so that the demo shows regions without a network.
func AddressRanges() ([]byte, error) {
	type prefix struct {
		IPPrefix string `json:"ip_prefix"`
		Region   string `json:"region"`
		Service  string `json:"service"`
	}
	return json.Marshal(map[string]any{
		"syncToken": "0",
		"prefixes": []prefix{
			{"52.95.154.0/23", "eu-west-3", "S3"},
			{"52.216.0.0/15", "us-east-1", "S3"},
			{"52.94.16.0/24", "eu-west-3", "DYNAMODB"},
			{"52.46.192.0/20", "eu-north-1", "AMAZON"},
			{"35.180.0.0/16", "eu-west-3", "EC2"},
			{"18.64.0.0/14", "GLOBAL", "CLOUDFRONT"},
		},
		"ipv6_prefixes": []prefix{},
	})
}
