package demo

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// remotes returns n hosts of a range from its first usable address on, step addresses apart.
func remotes(first, service string, n, step int) []flowgen.Remote {
	a := netip.MustParseAddr(first).As4()
	hosts := make([]flowgen.Remote, n)
	for i := range hosts {
		b := a
		offset := int(a[1])<<16 + int(a[2])<<8 + int(a[3]) + i*step
		b[1], b[2], b[3] = byte(offset>>16), byte(offset>>8), byte(offset)
		hosts[i] = flowgen.Remote{Addr: netip.AddrFrom4(b), Service: service}
	}
	return hosts
}

// world are the remotes of the demo, in ranges that belong to who is meant, or in those for documentation.
type world struct {
	s3, s3Elsewhere, dynamo, registry, compute, cdn []flowgen.Remote
	github, packages, logs, payments, web           []flowgen.Remote
	s3Second                                        []flowgen.Remote
}

func newWorld() world {
	return world{
		s3:          remotes("52.95.154.16", "S3", 6, 8),
		s3Elsewhere: remotes("52.216.8.40", "S3", 3, 64),
		s3Second:    remotes("52.217.4.10", "S3", 4, 32),
		dynamo:      remotes("52.94.16.4", "DYNAMODB", 3, 12),
		registry:    remotes("52.46.200.8", "AMAZON", 3, 5),
		compute:     remotes("35.180.12.7", "EC2", 4, 1021),
		cdn:         remotes("18.64.79.10", "CLOUDFRONT", 4, 21),
		github:      remotes("140.82.112.3", "", 3, 1),
		packages:    remotes("151.101.1.194", "", 3, 64),
		logs:        remotes("203.0.113.20", "", 2, 1),
		payments:    remotes("198.51.100.11", "", 2, 1),
		web:         remotes("104.16.0.9", "", 2000, 131),
	}
}

// populateMain sets up the main region: about 170 MB/s through NAT gateways at an average hour, most of it to S3, which a gateway endpoint would
// make free.
func (t *traffic) populateMain() {
	s, w := t.network.main, newWorld()
	t.frontends(s, w)
	t.workers(s, w)
	t.tools(s, w)
	t.tasks(s, w)

	bastion := s.instance("bastion", 0)
	t.direct(bastion, flowgen.TrafficPathInternetGateway, slices.Concat(w.packages, w.github), 6, 20*kilobyte, 150*kilobyte)
	t.scanned = append(t.scanned, bastion)

	backup := s.instance("backup", 2)
	t.direct(backup, flowgen.TrafficPathGatewayEndpoint, w.s3, 6, 18*megabyte, 200*kilobyte)
	t.idle = append(t.idle, s.instance("standby", 1))
}

func (t *traffic) frontends(s *site, w world) {
	db := [2]*flowgen.Instance{s.instance("db primary", 0), s.instance("db replica", 1)}
	t.internal(db[0], db[1], 3*megabyte, 40*kilobyte)
	monitoring := s.instance("monitoring", 1)
	t.nat(monitoring, s.zonal[1], w.compute, 4, 90*kilobyte, 40*kilobyte)
	for i := range 3 {
		web := s.instance(fmt.Sprintf("web %d", i+1), i)
		t.nat(web, s.zonal[i], w.cdn, 4, 300*kilobyte, 1.2*megabyte)
		t.nat(web, s.zonal[i], w.payments, 2, 120*kilobyte, 90*kilobyte)
		t.internal(monitoring, web, 2*kilobyte, 30*kilobyte)
	}
	for i := range 4 {
		api := s.instance(fmt.Sprintf("api %d", i+1), i%3)
		t.nat(api, s.zonal[i%3], w.dynamo, 3, 1.4*megabyte, 2.2*megabyte)
		t.nat(api, s.zonal[i%3], w.payments, 2, 80*kilobyte, 60*kilobyte)
		t.internal(api, db[0], 400*kilobyte, 1.6*megabyte)
		t.internal(monitoring, api, 2*kilobyte, 30*kilobyte)
	}
}

func (t *traffic) workers(s *site, w world) {
	for i := range 4 {
		worker := s.instance(fmt.Sprintf("worker %d", i+1), i%3)
		t.nat(worker, s.zonal[i%3], w.s3, 6, 3*megabyte, 9*megabyte)
		t.nat(worker, s.zonal[i%3], w.dynamo, 3, 200*kilobyte, 500*kilobyte)
	}
	// These leave through another zone's gateway, which costs the transfer between zones as well.
	for i := range 2 {
		etl := s.instance(fmt.Sprintf("etl %d", i+1), 1+i)
		t.nat(etl, s.zonal[0], w.s3, 6, 5*megabyte, 7*megabyte)
		t.nat(etl, s.zonal[0], w.s3Elsewhere, 3, 500*kilobyte, 6*megabyte)
	}
	training := s.instance("ml training", 2)
	t.nat(training, s.zonal[2], w.s3, 6, 400*kilobyte, 14*megabyte)
	t.nat(training, s.zonal[2], w.cdn, 4, 30*kilobyte, 1.5*megabyte)

	reindex := s.instance("nightly reindex", 1)
	t.nat(reindex, s.zonal[1], w.dynamo, 3, 20*kilobyte, 60*kilobyte)
	t.nat(reindex, s.zonal[1], w.s3, 6, 2*megabyte, 160*megabyte)
	t.streams[len(t.streams)-1].runaway = true
}

func (t *traffic) tools(s *site, w world) {
	for i := range 3 {
		runner := s.instance(fmt.Sprintf("ci runner %d", i+1), i)
		t.nat(runner, s.zonal[i], w.registry, 3, 200*kilobyte, 4*megabyte)
		t.nat(runner, s.zonal[i], w.github, 3, 60*kilobyte, 700*kilobyte)
		t.nat(runner, s.zonal[i], w.packages, 3, 20*kilobyte, 1.1*megabyte)
	}
	shipper := s.instance("log shipper", 0)
	t.nat(shipper, s.zonal[0], w.logs, 2, 6*megabyte, 60*kilobyte)
	crawler := s.instance("crawler", 2)
	t.nat(crawler, s.zonal[2], w.web, 40, 90*kilobyte, 2*megabyte)
}

// tasks run in ECS and leave through the regional gateway.
func (t *traffic) tasks(s *site, w world) {
	for i := range 3 {
		checkout := s.task("shop", "checkout", i)
		t.nat(checkout, s.regional, w.dynamo, 3, 500*kilobyte, 900*kilobyte)
		t.nat(checkout, s.regional, w.payments, 2, 200*kilobyte, 150*kilobyte)
		search := s.task("shop", "search", i)
		t.nat(search, s.regional, w.s3, 6, 300*kilobyte, 4*megabyte)
		t.nat(search, s.regional, w.compute, 4, 150*kilobyte, 250*kilobyte)
		t.internal(checkout, search, 100*kilobyte, 300*kilobyte)
	}
}

// populateSecond sets up the second region: a tenth of the main one.
func (t *traffic) populateSecond() {
	s, w := t.network.second, newWorld()
	for i := range 2 {
		api := s.instance(fmt.Sprintf("api us %d", i+1), 0)
		t.nat(api, s.zonal[0], w.payments, 2, 90*kilobyte, 60*kilobyte)
		t.nat(api, s.zonal[0], w.cdn, 4, 60*kilobyte, 300*kilobyte)
	}
	worker := s.instance("worker us", 0)
	t.nat(worker, s.zonal[0], w.s3Second, 4, 1*megabyte, 5*megabyte)
	t.nat(worker, s.zonal[0], w.s3, 6, 2*megabyte, 300*kilobyte)
}
