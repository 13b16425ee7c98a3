package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// Remotes of the tests: one in the ranges of S3, one in those of DynamoDB, and one that is none of AWS's.
const (
	s3Remote     = "52.95.154.16"
	dynamoRemote = "52.94.17.4"
	otherRemote  = "203.0.113.5"

	testRanges = `{"syncToken": "1", "prefixes": [
		{"ip_prefix": "52.95.154.0/23", "region": "eu-west-3", "service": "AMAZON"}, {"ip_prefix": "52.95.154.0/23", "region": "eu-west-3", "service": "S3"},
		{"ip_prefix": "52.94.17.0/24", "region": "eu-west-3", "service": "DYNAMODB"}], "ipv6_prefixes": []}`
)

// plainFile is a file in a format of version 3, which names no services: legs A to D of bytes that each remote gets, and twice as many that it sends.
func plainFile(bytes map[string]int) []byte {
	text := "version account-id interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr packets bytes start end action log-status\n"
	for remote, n := range bytes {
		row := func(src, dst, pktSrc, pktDst string, bytes int) {
			text += fmt.Sprintf("3 %s %s - %s %s %s %s 10 %d %d %d ACCEPT OK\n", testAccount, natENI, src, dst, pktSrc, pktDst, bytes, window.Unix(), window.Unix()+59)
		}
		row("10.0.1.5", "10.0.0.220", "10.0.1.5", remote, n)
		row("10.0.0.220", remote, "10.0.0.220", remote, n)
		row(remote, "10.0.0.220", remote, "10.0.0.220", 2*n)
		row("10.0.0.220", "10.0.1.5", remote, "10.0.1.5", 2*n)
	}
	return flowgen.Gzip([]byte(text))
}

func serviceSeries(direction, service string) string {
	return fmt.Sprintf(`vpcflow_nat_bytes_total{account_id=%q,aws_service=%q,direction=%q,nat_gateway=%q,region=%q}`, testAccount, service, direction, natENI, testRegion)
}

// writeFile writes a file of the test.
func writeFile(t *testing.T, name string, data []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// asnDatabase is an MMDB file like GeoLite2-ASN, which knows one network.
func asnDatabase(t *testing.T, cidr, organisation string) []byte {
	t.Helper()
	writer, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", IncludeReservedNetworks: true, BuildEpoch: 1_770_000_000, Description: map[string]string{"en": "for a test"}})
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR(cidr)
	if err != nil {
		t.Fatal(err)
	}
	record := mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(64500), "autonomous_system_organization": mmdbtype.String(organisation)}
	if err := writer.Insert(network, record); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := writer.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestServicesFromRanges reads a log without services: AWS's ranges name them, in the totals and in the series of destinations, and none where they know no service.
func TestServicesFromRanges(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.Top.Hold = 0
	s.config.Enrichment.IPRanges = writeFile(t, "ip-ranges.json", []byte(testRanges))
	d := s.start()
	s.waitForLog("Loaded address ranges of AWS")
	file := plainFile(map[string]int{s3Remote: 1000, dynamoRemote: 200, otherRemote: 30})
	s.deliver(logKey("aaaa"), file)
	d.await(processed, 1)
	s.deliver(logKey("bbbb"), file)
	p := d.await(processed, 2)
	p.check(t, map[string]float64{
		serviceSeries("egress", "S3"): 2000, serviceSeries("ingress", "S3"): 4000,
		serviceSeries("egress", "DYNAMODB"): 400, serviceSeries("ingress", "DYNAMODB"): 800,
		serviceSeries("egress", "none"): 60, serviceSeries("ingress", "none"): 120,
		serviceSeries("egress", "unknown"): 0, serviceSeries("ingress", "unknown"): 0,
	})
	for remote, want := range map[string]struct {
		service string
		bytes   float64
	}{s3Remote: {"S3", 3000}, dynamoRemote: {"DYNAMODB", 600}, otherRemote: {"none", 90}} {
		if got := p.sum("vpcflow_destination_bytes_total", "destination", remote, "aws_service", want.service); got != want.bytes {
			t.Errorf("destination %s: got %v bytes with service %s, want %v", remote, got, want.service, want.bytes)
		}
	}
	for _, service := range []string{"S3", "DYNAMODB", "none"} {
		if got, want := p.sum("vpcflow_destination_bytes_total", "aws_service", service), p.sum("vpcflow_nat_bytes_total", "aws_service", service); got != want {
			t.Errorf("service %s: destinations have %v bytes, the gateway %v", service, got, want)
		}
	}
	if got := p.values[fmt.Sprintf(`vpcflow_destination_info{as_name="",asn="",aws_region="eu-west-3",country="",destination=%q,network=""}`, s3Remote)]; got != 1 {
		t.Errorf("the destination in S3 has no region; the page is\n%s", p.own())
	}
}

// TestRecordsNameTheirServices reads a log that names services: what it says counts, whatever the ranges know.
func TestRecordsNameTheirServices(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.Enrichment.IPRanges = writeFile(t, "ip-ranges.json", []byte(strings.ReplaceAll(testRanges, "52.95.154.0/23", "203.0.113.0/24")))
	d := s.start()
	s.waitForLog("Loaded address ranges of AWS")
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	d.await(processed, 1).check(t, natTotals(1000, 2000))
}

// TestDestinationNames names a destination from a database with a hostile name and from the configuration, reloads other names, and refuses a reload that names a broken file: the
// names and the counting stay.
func TestDestinationNames(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	database := asnDatabase(t, "203.0.113.0/24", "Exam\nple\x00 \"Inc\"")
	good, broken := writeFile(t, "asn.mmdb", database), writeFile(t, "broken.mmdb", database[:len(database)/2])
	config := func(mmdb, network string) string {
		return fmt.Sprintf("top: {hold: 0s}\nenrichment:\n  ip_ranges: \"\"\n  mmdb: [%q]\n  networks: {%s: [203.0.113.0/28]}\n", mmdb, network)
	}
	path := s.configured(config(good, "lab"))
	d := s.start("--config.file=" + path)
	info := func(network string) string {
		return fmt.Sprintf(`vpcflow_destination_info{as_name="Exam ple_ \"Inc\"",asn="AS64500",aws_region="",country="",destination=%q,network=%q}`, otherRemote, network)
	}
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	p := d.await(info("lab"), 1)
	p.check(t, map[string]float64{`vpcflow_destination_info{as_name="",asn="",aws_region="",country="",destination="other",network=""}`: 1})
	if n := p.sum("vpcflow_destination_info", "destination", otherRemote); n != 1 {
		t.Errorf("got %v descriptions of one destination", n)
	}
	if p.sum("vpcflow_enrichment_lookups_total", "source", "mmdb", "result", "hit") == 0 {
		t.Errorf("no look-up was counted; the page is\n%s", p.own())
	}

	s.writeConfig(path, config(broken, "other-lab"))
	status, body := d.request(http.MethodPost, "/-/reload")
	if status != http.StatusInternalServerError || !strings.Contains(body, "enrichment.mmdb[0]") || !strings.Contains(body, broken) {
		t.Errorf("reload with a broken database: got %d %q", status, body)
	}
	s.deliver(logKey("bbbb"), natFile(1, 2))
	d.await(processed, 2).check(t, map[string]float64{
		info("lab"): 1, info("other-lab"): 0, "vpcflow_config_last_reload_successful": 0,
		natSeries("vpcflow_nat_bytes_total", "egress"): 1001,
	})

	s.writeConfig(path, config(good, "other-lab"))
	if status, body := d.request(http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatalf("reload: got %d %s", status, body)
	}
	d.await(info("other-lab"), 1).check(t, map[string]float64{info("lab"): 0})
}

// TestRangesServerDown counts while the server of the ranges fails: services are unknown, and the answer about a destination is not final.
func TestRangesServerDown(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }))
	defer server.Close()
	s := newStand(t, 5)
	s.config.Enrichment.IPRanges = server.URL + "/ip-ranges.json"
	d := s.start()
	s.waitForLog("Refused address ranges of AWS")
	s.deliver(logKey("aaaa"), plainFile(map[string]int{s3Remote: 1000}))
	p := d.await(processed, 1)
	p.check(t, map[string]float64{serviceSeries("egress", "unknown"): 1000, serviceSeries("ingress", "unknown"): 2000})
	if p.sum("vpcflow_enrichment_lookups_total", "source", "ip_ranges", "result", "error") == 0 {
		t.Error("the failure was not counted")
	}
	if p.sum("vpcflow_destination_info", "destination", s3Remote) != 0 {
		t.Error("a destination is described before the ranges were read")
	}
}
