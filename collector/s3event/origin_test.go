package s3event

import "testing"

func TestParseOrigin(t *testing.T) {
	fromName := Origin{parsedName.Account, parsedName.Region, parsedName.FlowLogID, parsedName.Time}
	fromPath := Origin{Account: "210987654321", Region: "us-east-1"}

	tests := []struct {
		key  string
		want Origin
	}{
		{awsName, fromName},
		{hiveKey, fromName},
		// The name is what AWS wrote; folders may be the copier's.
		{"AWSLogs/210987654321/vpcflowlogs/us-east-1/" + awsName, fromName},
		{"AWSLogs/210987654321/vpcflowlogs/us-east-1/merged.log.gz", fromPath},
		{"AWSLogs/210987654321/vpcflowlogs/us-east-1/2025/12/01/merged.parquet", fromPath},
		{"own/prefix/AWSLogs/210987654321/vpcflowlogs/us-east-1/x", fromPath},
		{"AWSLogs/o-a1b2c3d4e5/210987654321/vpcflowlogs/us-east-1/x.gz", fromPath},
		{"AWSLogs/aws-account-id=210987654321/aws-service=vpcflowlogs/aws-region=us-east-1/year=2025/x.gz", fromPath},
		{"p/AWSLogs/aws-account-id=210987654321/aws-service=vpcflowlogs/aws-region=us-east-1/x.gz", fromPath},
		{"AWSLogs/copy/AWSLogs/210987654321/vpcflowlogs/us-east-1/x.gz", fromPath},
		{"AWSLogs/210987654321/vpcflowlogs/x.gz", Origin{Account: "210987654321"}},
		{"AWSLogs/210987654321/vpcflowlogs/2025/x.gz", Origin{Account: "210987654321"}},
		{"AWSLogs/210987654321/CloudTrail/us-east-1/x.gz", Origin{}},
		{"AWSLogs/2109876543210/vpcflowlogs/us-east-1/x.gz", Origin{}},
		{"AWSLogs/aws-account-id=210987654321/vpcflowlogs/us-east-1/x.gz", Origin{}},
		{"AWSLogs/210987654321/aws-service=vpcflowlogs/us-east-1/x.gz", Origin{}},
		{"MyAWSLogs/210987654321/vpcflowlogs/us-east-1/x.gz", Origin{}},
		{"210987654321/vpcflowlogs/us-east-1/x.gz", Origin{}},
		{"AWSLogs/210987654321/vpcflowlogs", Origin{}},
		{"AWSLogs", Origin{}},
		{"x.gz", Origin{}},
		{"", Origin{}},
	}
	for _, test := range tests {
		if got := ParseOrigin(test.key); got != test.want {
			t.Errorf("origin of %q is %+v, want %+v", test.key, got, test.want)
		}
	}
}

func TestWanted(t *testing.T) {
	tests := []struct {
		key  string
		want Unwanted
	}{
		{awsName, ""},
		{hiveKey, ""},
		{"AWSLogs/123456789012/CloudTrail/eu-west-3/2025/12/01/" + awsName, ""},
		{"AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/12/01/merged.gz", ""},
		{"AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/12/01/merged.parquet", ""},
		{"flow/part-00000.log.parquet", ""},
		{"flow/part-00000.log.gz", ""},
		{"x.gz", ""},
		{"AWSLogs/own-layout/x.gz", ""},

		{"", UnwantedFolder},
		{"AWSLogs/", UnwantedFolder},
		{"AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/", UnwantedFolder},
		{"AWSLogs/aws-programmatic-access-test-object", UnwantedTestObject},
		{"aws-programmatic-access-test-object", UnwantedTestObject},
		{"AWSLogs/123456789012/CloudTrail/eu-west-3/2025/12/01/123456789012_CloudTrail_eu-west-3_20251201T0005Z_a.json.gz", UnwantedService},
		{"AWSLogs/o-a1b2c3d4e5/123456789012/CloudTrail-Digest/eu-west-3/2025/12/01/d.json.gz", UnwantedService},
		{"p/AWSLogs/123456789012/elasticloadbalancing/eu-west-3/2025/12/01/lb.log.gz", UnwantedService},
		{"AWSLogs/123456789012/Config/ConfigWritabilityCheckFile", UnwantedService},
		{"AWSLogs/123456789012/vpcdnsquerylogs/vpc-1/2025/12/01/q.log.gz", UnwantedService},
		{"AWSLogs/aws-account-id=123456789012/aws-service=vpcendpointlogs/aws-region=eu-west-3/x.log.parquet", UnwantedService},
		{"AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/12/01/x.txt", UnwantedSuffix},
		{"athena/results.csv", UnwantedSuffix},
		{"x.gz.tmp", UnwantedSuffix},
		{"x.GZ", UnwantedSuffix},
	}
	for _, test := range tests {
		wanted, why := Wanted(test.key)
		if wanted != (test.want == "") || why != test.want {
			t.Errorf("%q is wanted: %v, %q, want %q", test.key, wanted, why, test.want)
		}
	}
}
