package aggregator

import (
	"cmp"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"

	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// TestWorkloadsOfScenarios commits random scenarios in any order and asks for each client of each gateway: what its own interface's rows say is known, and nothing
// that is another's.
func TestWorkloadsOfScenarios(t *testing.T) {
	first := cmp.Or(*seed, rand.Uint64())
	t.Logf("seed %d", first)
	known, pods, named, unlogged := 0, 0, 0, 0
	for i := range uint64(*scenarios) {
		s := flowgen.Random(first+i, flowgen.Options{})
		r := newRun(s)
		journal := newMemoryJournal()
		r.open(t, journal)
		for _, f := range slices.Concat(s.Leading, s.Recut(first+i)) {
			if err := r.commit(f); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 3 {
			closed := round == 2
			if closed {
				for _, f := range s.Closing {
					if err := r.commit(f); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, c := range s.Clients {
				n := r.labelled(c.Gateway)
				if n == nil {
					continue // No flow log has it.
				}
				got, ok := r.a.workload(n.attributes.vpcID, n.place(), flowlog.AddrFrom(c.Addr))
				want, certain := wantWorkload(c, n)
				switch {
				case !ok && !certain:
					unlogged++
				case c.Heir != nil && closed:
					// The last rows of a scenario are those of all interfaces, of the former one too.
				case !ok || got != want:
					t.Fatalf("rerun with -seed=%d -scenarios=1: at %s, client of %s, got %t %+v, want %+v\n%s", first+i, c.Addr, c.Gateway, ok, got, want, s)
				default:
					known++
				}
				if ok && !c.Own() {
					pods++
				}
				if ok && sourceKey(SourceKinds(), got, "", "") != "" {
					named++
				}
			}
			checkResidents(t, r.a)
			// A restart forgets none of it.
			r.open(t, journal)
		}
	}
	if *seed == 0 && (known < 100 || pods < 5 || named < 20 || unlogged < 5) {
		t.Errorf("%d clients were known, of them %d pods and %d with a name, and %d unknown: too few to prove anything", known, pods, named, unlogged)
	}
}

// labelled returns the interface that is a gateway.
func (r *scenarioRun) labelled(gateway string) *netInterface {
	for name, n := range r.a.interfaces {
		if name.id == gateway {
			return n
		}
	}
	return nil
}

// wantWorkload returns what is known of a client if anything is, and whether that must be: not of one in another VPC than the gateway, of one that no flow
// log has, or of a pod that the format does not tell.
func wantWorkload(c flowgen.Client, gateway *netInterface) (want Workload, certain bool) {
	at, own := c.At, c.Own()
	if c.Heir != nil {
		at, own = c.Heir, true
	}
	log, row := flowgen.Identity(at)
	if log == nil {
		return Workload{}, false
	}
	certain = row.VPCID == c.VPC.ID && (own || log.Format.ShowsTranslation() && log.Format.Has("instance-id"))
	return loggedWorkload(log, row, gateway, own), certain
}

// loggedWorkload is what the rows of an interface in a flow log say.
func loggedWorkload(log *flowgen.FlowLog, row flowgen.Row, gateway *netInterface, own bool) Workload {
	has := func(field, value string) string {
		if log.Format.Has(field) {
			return value
		}
		return ""
	}
	text := func(field, value string) string {
		decoded, err := url.PathUnescape(has(field, value))
		if err != nil {
			panic(err) // The generator's tags are well-formed, and can be printed.
		}
		return decoded
	}
	w := Workload{
		InterfaceID: row.InterfaceID, InstanceID: has("instance-id", row.InstanceID), SubnetID: has("subnet-id", row.SubnetID), AZID: has("az-id", row.AZID),
	}
	if log.Account != gateway.name.account {
		w.AccountID = log.Account
	}
	if own {
		w.ECSCluster, w.ECSService = text("ecs-cluster-name", row.Task.ClusterName), text("ecs-service-name", row.Task.ServiceName)
		w.InstanceTag, w.InstanceTag2 = text("instance-tag", row.InstanceTag), text("instance-tag-2", row.InstanceTag2)
		w.InterfaceTag, w.ASGTag = text("interface-tag", row.InterfaceTag), text("asg-tag", row.ASGTag)
	}
	return w
}

// checkResidents holds what interfaces remember to the index, which is bounded.
func checkResidents(t *testing.T, a *Aggregator) {
	t.Helper()
	entries := 0
	for _, at := range a.workloads.scopes {
		entries += len(at)
	}
	if entries != a.workloads.len {
		t.Errorf("the index holds %d addresses and counts %d", entries, a.workloads.len)
	}
	for _, n := range a.interfaces {
		for address := range n.residents {
			if holder, _, ok := a.workloads.find(n.scope(), address); !ok || holder != n {
				t.Errorf("%s remembers %s, which is not at it", n.name.id, address)
			}
		}
	}
}
