package s3event

import (
	"strings"
	"testing"
	"time"
)

var parsedName = Name{
	Account: "123456789012", Region: "eu-west-3", FlowLogID: "fl-0abc1234def567890",
	Time: time.Date(2025, 12, 1, 0, 5, 0, 0, time.UTC), Hash: "fe123456", Ext: ".log.gz",
}

func TestParseName(t *testing.T) {
	parquet := parsedName
	parquet.Ext = ".log.parquet"
	gov := parsedName
	gov.Region, gov.FlowLogID = "us-gov-west-1", "fl-1234abcd"
	sovereign := parsedName
	sovereign.Region = "eusc-de-east-1"

	tests := []struct {
		key  string
		want Name
	}{
		{awsName, parsedName},
		{"AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/12/01/" + awsName, parsedName},
		{"AWSLogs/123456789012/vpcflowlogs/eu-west-3/2025/12/01/00/" + awsName, parsedName},
		{hiveKey, parsedName},
		{strings.Replace(hiveKey, "day=01/", "day=01/hour=00/", 1), parsedName},
		{"my/own_prefix/AWSLogs/" + awsName, parsedName},
		{"/" + awsName, parsedName},
		{strings.Replace(awsName, ".log.gz", ".log.parquet", 1), parquet},
		{"123456789012_vpcflowlogs_us-gov-west-1_fl-1234abcd_20251201T0005Z_fe123456.log.gz", gov},
		{strings.Replace(awsName, "eu-west-3", "eusc-de-east-1", 1), sovereign},
	}
	for _, test := range tests {
		got, ok := ParseName(test.key)
		if !ok || got != test.want {
			t.Errorf("name of %q is %+v, %v, want %+v", test.key, got, ok, test.want)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	replace := func(old, replacement string) string { return strings.Replace(awsName, old, replacement, 1) }
	keys := []string{
		"", "/", awsName + "/", "x" + awsName, awsName + ".tmp", strings.ToUpper(awsName),
		replace("123456789012", "12345678901"),
		replace("123456789012", "1234567890123"),
		replace("123456789012", "12345678901a"),
		replace("123456789012", "١23456789012"),
		replace("_vpcflowlogs_", "_CloudTrail_"),
		replace("eu-west-3", "eu_west_3"),
		replace("eu-west-3", "eu-west"),
		replace("eu-west-3", "EU-WEST-3"),
		replace("eu-west-3", ""),
		replace("fl-", "tgw-"),
		replace("fl-0abc1234def567890", "fl-"),
		replace("fl-0abc1234def567890", "fl-xyz"),
		replace("fl-0abc1234def567890", "fl-"+strings.Repeat("0", 33)),
		replace("20251201T0005Z", "20251301T0005Z"),
		replace("20251201T0005Z", "20251201T2405Z"),
		replace("20251201T0005Z", "20251201T0005"),
		replace("20251201T0005Z", "2025-12-01T00:05Z"),
		replace("20251201T0005Z", "20251201T000500Z"),
		replace("fe123456", ""),
		replace("fe123456", "fe_123456"),
		replace("fe123456", "fe.123456"),
		replace("fe123456", "fe123456\n"),
		replace(".log.gz", ".gz"),
		replace(".log.gz", ".log"),
		replace(".log.gz", ".parquet"),
		replace(".log.gz", ".log.gz.log.gz"),
		replace("_fl-", "__fl-"),
	}
	for _, key := range keys {
		if got, ok := ParseName(key); ok || got != (Name{}) {
			t.Errorf("name of %q is %+v, %v, want none", key, got, ok)
		}
	}
}

// FuzzParseName holds that a name that is read is written the same way, and that
// the three functions that look at keys agree.
func FuzzParseName(f *testing.F) {
	f.Add(awsName)
	f.Add(hiveKey)
	f.Add("AWSLogs/o-a1b2c3d4e5/123456789012/CloudTrail/eu-west-3/x.json.gz")
	f.Add("AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=eu-west-3/part-0.parquet")
	f.Add("AWSLogs/AWSLogs/o-/123456789012//")
	f.Fuzz(func(t *testing.T, key string) {
		name, named := ParseName(key)
		if named && name.String() != key[len(key)-len(name.String()):] {
			t.Fatalf("name of %q is written as %q", key, name)
		}
		origin := ParseOrigin(key)
		if named && origin != (Origin{name.Account, name.Region, name.FlowLogID, name.Time}) {
			t.Fatalf("origin of %q is %+v, but its name is %+v", key, origin, name)
		}
		if origin.Account != "" && !accountPattern.MatchString(origin.Account) || origin.Region != "" && !isRegion(origin.Region) {
			t.Fatalf("origin of %q is %+v", key, origin)
		}
		wanted, why := Wanted(key)
		if named && !wanted || wanted != (why == "") {
			t.Fatalf("%q is wanted: %v, %q", key, wanted, why)
		}
	})
}
