package aggregator

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// workloadHeader is a format that names workloads. Rows begin with the times, so that tests can leave them out of sight.
const workloadHeader = "start end account-id vpc-id interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes"

const (
	workloadAccount = "123456789012"
	// The begin of the records of tests, on the hour.
	workloadStart = 1_773_478_800
)

var workloadPlace = place{workloadAccount, "eu-west-3"}

// textFile is a file of a test: its rows lie in one window, minutes after the start.
type textFile struct {
	header  string
	minutes int64
	rows    []string
	region  string // region is eu-west-3 where empty.
}

// commitText commits a file.
func commitText(t testing.TB, a *Aggregator, name string, f textFile) {
	t.Helper()
	header, region := f.header, f.region
	if header == "" {
		header = workloadHeader
	}
	if region == "" {
		region = workloadPlace.region
	}
	var text strings.Builder
	text.WriteString(header + "\n")
	for _, row := range f.rows {
		fmt.Fprintf(&text, "%d %d %s\n", workloadStart+60*f.minutes, workloadStart+60*f.minutes+59, row)
	}
	r := flowlog.NewReader(flowlog.Config{})
	d := NewDelta(classifier.NewNetworks(nil), 1000)
	if err := r.ResetText(strings.NewReader(text.String())); err != nil {
		t.Fatal(err)
	}
	var record flowlog.Record
	err := r.Read(&record)
	for ; err == nil; err = r.Read(&record) {
		d.Add(&record)
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if ok, err := a.Commit(File{Identity: name, AccountID: workloadAccount, Region: region, FlowLogID: "fl-1"}, d); err != nil || !ok {
		t.Fatalf("got %t and %v", ok, err)
	}
}

func workloadClock() time.Time { return time.Unix(workloadStart, 0).Add(48 * time.Hour) }

// at returns who is at an address for a gateway in a VPC, "" for nobody.
func (a *Aggregator) at(vpc, address string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	parsed, _ := flowlog.ParseAddr(address)
	w, ok := a.workload(vpc, workloadPlace, parsed)
	if !ok {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", w.InterfaceID, w.InstanceID, sourceKey(SourceKinds(), w, "", "")))
}

// TestWorkload commits files in random orders, restarts, and asks for addresses.
func TestWorkload(t *testing.T) {
	// talk are the rows of an interface with two remotes, both ways.
	talk := func(names, address string) []string {
		return []string{
			fmt.Sprintf("%[1]s %[2]s 203.0.113.5 %[2]s 203.0.113.5 100", names, address), fmt.Sprintf("%[1]s 203.0.113.6 %[2]s 203.0.113.6 %[2]s 100", names, address),
		}
	}
	const in = workloadAccount + " vpc-1 "
	for name, test := range map[string]struct {
		files []textFile
		want  map[string]string // want is by "VPC address".
	}{
		"an instance": {
			files: []textFile{{rows: talk(in+"eni-1 i-1", "10.0.1.5")}},
			want:  map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1", "vpc-1 10.0.1.6": "", "vpc-1 203.0.113.5": "", "vpc-2 10.0.1.5": ""},
		},
		"one without an instance, as of Lambda": {
			files: []textFile{{rows: talk(in+"eni-1 -", "10.0.1.5")}},
			want:  map[string]string{"vpc-1 10.0.1.5": "eni-1"},
		},
		"one whose own address is not clear yet": {
			files: []textFile{{rows: talk(in+"eni-1 -", "10.0.1.5")[:1]}},
			want:  map[string]string{"vpc-1 10.0.1.5": ""},
		},
		"an instance whose own address is not clear yet": {
			files: []textFile{{rows: talk(in+"eni-1 i-1", "10.0.1.5")[:1]}},
			want:  map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1"},
		},
		"equal addresses in two VPCs": {
			files: []textFile{{rows: talk(in+"eni-1 i-1", "10.0.1.5")}, {rows: talk(workloadAccount+" vpc-2 eni-2 i-2", "10.0.1.5")}},
			want:  map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1", "vpc-2 10.0.1.5": "eni-2 i-2", " 10.0.1.5": "", "vpc-3 10.0.1.5": ""},
		},
		"a gateway without vpc-id": {
			files: []textFile{{rows: talk(in+"eni-1 i-1", "10.0.1.5")}, {rows: talk(workloadAccount+" vpc-2 eni-2 i-2", "10.0.1.6")}},
			want:  map[string]string{" 10.0.1.5": "eni-1 i-1", " 10.0.1.6": "eni-2 i-2"},
		},
		"clients without vpc-id": {
			files: []textFile{{header: strings.Replace(workloadHeader, "vpc-id", "subnet-id", 1), rows: talk(workloadAccount+" subnet-1 eni-1 i-1", "10.0.1.5")}},
			want:  map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1", " 10.0.1.5": "eni-1 i-1"},
		},
		"a VPC that only later rows tell": {
			files: []textFile{
				{header: strings.Replace(workloadHeader, "vpc-id", "az-id", 1), rows: talk(workloadAccount+" - eni-1 i-1", "10.0.1.5")},
				{minutes: 5, rows: talk(in+"eni-1 i-1", "10.0.1.5")},
			},
			want: map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1", "vpc-2 10.0.1.5": "", " 10.0.1.5": "eni-1 i-1"},
		},
		"another region": {
			files: []textFile{{header: strings.Replace(workloadHeader, "vpc-id", "az-id", 1), region: "us-east-1", rows: talk(workloadAccount+" - eni-1 i-1", "10.0.1.5")}},
			want:  map[string]string{"vpc-1 10.0.1.5": "", " 10.0.1.5": ""},
		},
		"a VPC that accounts share": {
			files: []textFile{{header: workloadHeader + " ecs-cluster-name ecs-service-name", rows: []string{
				"210987654321 vpc-1 eni-1 - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100 main checkout",
			}}},
			want: map[string]string{"vpc-1 10.0.1.5": "eni-1  ecs:210987654321/main/checkout"},
		},
		"pods": {
			files: []textFile{{header: workloadHeader + " asg-tag", rows: []string{
				in + "eni-1 i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100 nodes",
				in + "eni-1 i-1 10.0.1.5 203.0.113.7 100.64.0.7 203.0.113.7 100 nodes",
				in + "eni-1 i-1 203.0.113.8 10.0.1.5 203.0.113.8 100.64.0.8 100 nodes",
			}}},
			// What the node is called, its pods are not.
			want: map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1 asg:nodes", "vpc-1 100.64.0.7": "eni-1 i-1", "vpc-1 100.64.0.8": "eni-1 i-1", "vpc-1 100.64.0.9": ""},
		},
		"secondary addresses that rows name": {
			files: []textFile{{rows: []string{
				in + "eni-1 i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100",
				in + "eni-1 i-1 10.0.1.9 203.0.113.5 10.0.1.9 203.0.113.5 100",
				in + "eni-1 i-1 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.9 100",
			}}},
			want: map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1", "vpc-1 10.0.1.9": "eni-1 i-1"},
		},
		"a pod that moves": {
			files: []textFile{
				{rows: append(talk(in+"eni-1 i-1", "10.0.1.5"), in+"eni-1 i-1 10.0.1.5 203.0.113.7 100.64.0.7 203.0.113.7 100")},
				{minutes: 5, rows: append(talk(in+"eni-2 i-2", "10.0.1.6"), in+"eni-2 i-2 10.0.1.6 203.0.113.7 100.64.0.7 203.0.113.7 100")},
				{minutes: 10, rows: talk(in+"eni-1 i-1", "10.0.1.5")},
			},
			want: map[string]string{"vpc-1 100.64.0.7": "eni-2 i-2", "vpc-1 10.0.1.5": "eni-1 i-1"},
		},
		"an address that moves": {
			files: []textFile{{rows: talk(in+"eni-1 i-1", "10.0.1.5")}, {minutes: 5, rows: talk(in+"eni-2 i-2", "10.0.1.5")}},
			want:  map[string]string{"vpc-1 10.0.1.5": "eni-2 i-2"},
		},
		"an instance's address that becomes a function's": {
			files: []textFile{{rows: talk(in+"eni-1 i-1", "10.0.1.5")}, {minutes: 20, rows: talk(in+"eni-2 -", "10.0.1.5")}},
			want:  map[string]string{"vpc-1 10.0.1.5": "eni-2"},
		},
		"an appliance that packets pass": {
			files: []textFile{
				{minutes: 5, rows: append(talk(in+"eni-9 i-9", "10.0.1.5"), talk(in+"eni-9 i-9", "10.0.1.6")...)},
				{rows: talk(in+"eni-1 -", "10.0.1.5")},
				{rows: talk(in+"eni-2 i-2", "10.0.1.6")},
			},
			want: map[string]string{"vpc-1 10.0.1.5": "eni-1", "vpc-1 10.0.1.6": "eni-2 i-2"},
		},
		"a NAT instance is not where its clients are": {
			files: []textFile{{rows: []string{
				in + "eni-9 i-9 10.0.1.5 10.0.0.9 10.0.1.5 203.0.113.5 100",
				in + "eni-9 i-9 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 100",
				in + "eni-9 i-9 10.0.0.9 10.0.1.5 203.0.113.5 10.0.1.5 100",
			}}},
			want: map[string]string{"vpc-1 10.0.1.5": "", "vpc-1 10.0.0.9": "eni-9 i-9"},
		},
		"a NAT gateway is another one's client": {
			files: []textFile{{rows: []string{
				in + "eni-9 - 10.0.1.5 10.0.0.9 10.0.1.5 203.0.113.5 100",
				in + "eni-9 - 10.0.0.9 203.0.113.5 10.0.0.9 203.0.113.5 100",
			}}},
			want: map[string]string{"vpc-1 10.0.1.5": "", "vpc-1 10.0.0.9": "eni-9"},
		},
		"a firewall's endpoint is not where its clients are": {
			files: []textFile{{header: workloadHeader + " interface-type", rows: []string{
				in + "eni-9 - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100 vpc_endpoint", in + "eni-9 - 203.0.113.6 10.0.1.5 203.0.113.6 10.0.1.5 100 vpc_endpoint",
			}}},
			want: map[string]string{"vpc-1 10.0.1.5": ""},
		},
		"a regional gateway is not where its clients are": {
			files: []textFile{{header: workloadHeader + " resource-id", rows: []string{
				in + "- - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100 nat-1", in + "- - 203.0.113.6 10.0.1.5 203.0.113.6 10.0.1.5 100 nat-1",
			}}},
			want: map[string]string{"vpc-1 10.0.1.5": ""},
		},
		"tags that change": {
			files: []textFile{
				{header: workloadHeader + " instance-tag", minutes: 5, rows: []string{in + "eni-1 i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100 new"}},
				{header: workloadHeader + " instance-tag", rows: []string{in + "eni-1 i-1 203.0.113.6 10.0.1.5 203.0.113.6 10.0.1.5 100 old"}},
				{header: workloadHeader + " instance-tag", minutes: 10, rows: []string{in + "eni-1 i-1 203.0.113.6 10.0.1.5 203.0.113.6 10.0.1.5 100 -"}},
			},
			want: map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1 instance:new"},
		},
		"two tags at a time": {
			files: []textFile{{header: workloadHeader + " asg-tag", rows: []string{
				in + "eni-1 i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100 a", in + "eni-1 i-1 203.0.113.6 10.0.1.5 203.0.113.6 10.0.1.5 100 b",
			}}},
			want: map[string]string{"vpc-1 10.0.1.5": "eni-1 i-1 asg:b"},
		},
		"IPv6": {
			files: []textFile{{rows: []string{
				in + "eni-1 i-1 2001:db8:1::5 64:ff9b::cb00:7105 2001:db8:1::5 64:ff9b::cb00:7105 100",
				in + "eni-1 i-1 64:ff9b::cb00:7106 2001:db8:1::5 64:ff9b::cb00:7106 2001:db8:1::5 100",
			}}},
			want: map[string]string{"vpc-1 2001:db8:1::5": "eni-1 i-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 6 {
				journal := newMemoryJournal()
				a := openWorkloads(t, journal)
				for _, i := range rand.Perm(len(test.files)) {
					commitText(t, a, strconv.Itoa(i), test.files[i])
				}
				for _, restarts := range []int{0, 1} {
					checkResidents(t, a)
					for where, want := range test.want {
						vpc, address, _ := strings.Cut(where, " ")
						if got := a.at(vpc, address); got != want {
							t.Errorf("after %d restarts: got %q at %q, want %q", restarts, got, where, want)
						}
					}
					a = openWorkloads(t, journal)
				}
			}
		})
	}
}

func openWorkloads(t *testing.T, journal Journal) *Aggregator {
	t.Helper()
	a, err := Open(DefaultConfig(), euroPrice{}, workloadClock, journal)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestWorkloadBounds lets a node have more pods than are remembered: the newest ones are, and after a day none.
func TestWorkloadBounds(t *testing.T) {
	journal := newMemoryJournal()
	a := openWorkloads(t, journal)
	pod := func(i int64) string { return fmt.Sprintf("100.64.%d.%d", i/250, 1+i%250) }
	const files, podsInFile = 30, 50
	for i := range int64(files) {
		rows := []string{workloadAccount + " vpc-1 eni-1 i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100"}
		for k := range int64(podsInFile) {
			rows = append(rows, fmt.Sprintf("%s vpc-1 eni-1 i-1 10.0.1.5 203.0.113.7 %s 203.0.113.7 100", workloadAccount, pod(podsInFile*i+k)))
		}
		commitText(t, a, strconv.FormatInt(i, 10), textFile{minutes: 5 * i, rows: rows})
	}
	n := a.interfaces[interfaceName{workloadAccount, "eu-west-3", "eni-1"}]
	if len(n.residents) > maxResidents || len(n.residents) < maxResidents/2 {
		t.Errorf("got %d addresses", len(n.residents))
	}
	for i, want := range map[int64]string{0: "", files*podsInFile - 1: "eni-1 i-1"} {
		if got := a.at("vpc-1", pod(i)); got != want {
			t.Errorf("got %q at the address of pod %d, want %q", got, i, want)
		}
	}
	if diff := diff(dump(a), journal.records); diff != "" {
		t.Errorf("memory differs from the journal:\n%s", diff)
	}

	quiet := textFile{minutes: 27 * 60, rows: []string{workloadAccount + " vpc-1 eni-1 i-1 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 100"}}
	commitText(t, a, "day", quiet)
	if got := a.at("vpc-1", "10.0.1.5"); len(n.residents) != 0 || a.workloads.len != 1 || got != "eni-1 i-1" {
		t.Errorf("got %d addresses, %d in the index, and %q", len(n.residents), a.workloads.len, got)
	}
	other := quiet
	other.minutes, other.rows = 40*60, []string{strings.NewReplacer("eni-1", "eni-2", "10.0.1.5", "10.0.1.6").Replace(quiet.rows[0])}
	quiet.minutes = 53 * 60
	quiet.rows = []string{strings.NewReplacer("eni-1", "eni-2", "10.0.1.5", "10.0.1.6").Replace(quiet.rows[0])}
	a.now = func() time.Time { return workloadClock().Add(24 * time.Hour) }
	commitText(t, a, "another", other)
	commitText(t, a, "another day", quiet)
	if got := a.at("vpc-1", "10.0.1.5"); got != "" || a.workloads.len != 1 || len(a.workloads.scopes) != 1 {
		t.Errorf("got %q and %d addresses in the index", got, a.workloads.len)
	}
	if diff := diff(dump(a), journal.records); diff != "" {
		t.Errorf("memory differs from the journal:\n%s", diff)
	}
}
