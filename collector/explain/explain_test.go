package explain_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/explain"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
	"github.com/vpcflow/vpcflow_exporter/internal/flowparquet"
)

var seed = flag.Uint64("seed", 0, "seed of the first scenario; 0 takes a random one")

func config(gateways ...aggregator.Gateway) explain.Config {
	c := explain.Config{Aggregator: aggregator.DefaultConfig(), Networks: classifier.NewNetworks(nil), DeltaKeys: 1_000_000}
	c.Aggregator.NATGateways = gateways
	return c
}

const conversation = `interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes log-status
eni-nat - 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1000 OK
eni-nat - 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5 1000 OK

eni-nat - 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220 50000 OK
eni-nat - 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5 50000 OK
eni-client i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 1000 OK
eni-client i-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 50000 OK
eni-client i-1 - - - - - NODATA
eni-client i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 many OK
`

func TestText(t *testing.T) {
	var out bytes.Buffer
	if err := explain.Explain(config(), []explain.File{{Name: "nat.log", Data: []byte(conversation)}}, explain.NewText(&out)); err != nil {
		t.Fatal(err)
	}
	const want = `nat.log
line  leg  disposition     direction  path  bytes  interface   client      remote       why
2     A    counted         egress     nat   1000   eni-nat     10.0.1.5    203.0.113.5  from a client to its NAT gateway
3     B    nat_public_leg  -          -     1000   eni-nat     10.0.0.220  203.0.113.5  from a NAT gateway to the remote; leg A counts these bytes
5     C    nat_public_leg  -          -     50000  eni-nat     10.0.0.220  203.0.113.5  from the remote to a NAT gateway; leg D counts what the gateway forwards of these bytes
6     D    counted         ingress    nat   50000  eni-nat     10.0.1.5    203.0.113.5  from a NAT gateway to its client
7     E    client_view     -          -     1000   eni-client  10.0.1.5    203.0.113.5  the client's own view of leg A, which a logged NAT gateway counts
8     F    client_view     -          -     50000  eni-client  10.0.1.5    203.0.113.5  the client's own view of leg D, which a logged NAT gateway counts
9     -    no_data         -          -     0      eni-client  -           -            no traffic in the interval
10    -    malformed       -          -     0      -           -           -            read line 10: bytes "many": not a number of bytes or packets

disposition     records  bytes
counted         2        51000
nat_public_leg  2        51000
client_view     2        51000
no_data         1        0
malformed       1        0

NAT gateway  kind   recognised by
eni-nat      zonal  learned
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	for name, test := range map[string]struct{ data, want string }{
		"no header":  {"hello world\n", "read x.log: read first line \"hello world\": no header, and 2 fields instead of the 14 of flow_logs.format: unsupported flow log format"},
		"cut short":  {string(flowgen.Gzip([]byte(conversation))[:60]), "read x.log: inflate file: compressed stream is cut short: unexpected EOF"},
		"empty file": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := explain.Explain(config(), []explain.File{{Name: "x.log", Data: []byte(test.data)}}, explain.NewJSON(&out))
			if got := fmt.Sprint(err); got != test.want && (err != nil || test.want != "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if err == nil && !json.Valid(out.Bytes()) {
				t.Errorf("got %s", out.Bytes())
			}
		})
	}
}

// TestParquetTwin explains the same rows from Parquet: only their numbers differ, as there is no header and no empty line.
func TestParquetTwin(t *testing.T) {
	file, err := flowparquet.FromText([]byte(conversation), flowparquet.Options{Types: flowparquet.Strings})
	if err != nil {
		t.Fatal(err)
	}
	lines := func(f explain.File) []explain.Line {
		var out bytes.Buffer
		if err := explain.Explain(config(), []explain.File{f}, explain.NewJSON(&out)); err != nil {
			t.Fatal(err)
		}
		var got struct{ Lines []explain.Line }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return got.Lines
	}
	got, want := lines(explain.File{Name: "nat", Data: file}), lines(explain.File{Name: "nat", Data: []byte(conversation)})
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d", len(got), len(want))
	}
	for i := range want {
		want[i].Line = int64(i) + 1
		want[i].Why = strings.Replace(want[i].Why, "read line 10", "read row 8", 1)
		if got[i] != want[i] {
			t.Errorf("got %+v\nwant %+v", got[i], want[i])
		}
	}
}

// TestLinesAddUp explains random scenarios: the lines add up to the totals that the exporter counts, which the ledger knows.
func TestLinesAddUp(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64()
	}
	t.Logf("rerun with -seed=%d", first)
	for i := range uint64(40) {
		s := flowgen.Random(first+i, flowgen.Options{})
		var gateways []aggregator.Gateway
		for _, g := range s.NATGateways {
			gateways = append(gateways, aggregator.Gateway{ENI: g.ENI, ID: g.ID, Name: g.Name})
		}
		c := config(gateways...)
		var files []explain.File
		for _, f := range s.Files {
			files = append(files, explain.File{Name: path.Base(f.Key), Data: f.Gzip()})
		}
		var out bytes.Buffer
		if err := explain.Explain(c, files, explain.NewJSON(&out)); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Lines  []explain.Line
			Totals []explain.Total
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		sums := map[string]explain.Total{}
		for _, l := range got.Lines {
			sum := sums[l.Disposition]
			sums[l.Disposition] = explain.Total{Disposition: l.Disposition, Records: sum.Records + 1, Bytes: sum.Bytes + l.Bytes}
		}
		for _, total := range got.Totals {
			if sums[total.Disposition] != total && total.Disposition != "malformed" {
				t.Errorf("seed %d: lines of disposition %s add up to %+v, the total is %+v\n%s", first+i, total.Disposition, sums[total.Disposition], total, s)
			}
			delete(sums, total.Disposition)
		}
		if len(sums) > 0 {
			t.Errorf("seed %d: no total for %+v", first+i, sums)
		}
		if strings.Contains(out.String(), `"why":""`) {
			t.Errorf("seed %d: a line without a reason", first+i)
		}
	}
}
