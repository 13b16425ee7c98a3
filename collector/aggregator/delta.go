package aggregator

import (
	"bytes"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// A File is what the name and place of a flow log file say about all of its records.
type File struct {
	Identity  string // Identity is equal for two deliveries of the same file.
	AccountID string // AccountID and the two below are "" where the key does not tell.
	Region    string
	FlowLogID string

	CompressedBytes, InflatedBytes int64
}

// Counts are sums over records.
type Counts struct {
	Records, Bytes, Packets uint64
}

func (c *Counts) add(d Counts) {
	c.Records += d.Records
	c.Bytes += d.Bytes
	c.Packets += d.Packets
}

// A Delta is what one file says: sums by interface, shape, AWS service and remote, and by interface, shape and client, never by both. It belongs to one
// worker until it is committed, knows nothing of other files, and leaves no trace when it is dropped.
type Delta struct {
	networks *classifier.Networks
	maxKeys  int

	interfaces []deltaInterface
	byName     map[string]uint32
	name       []byte // name is the scratch space of an interface's name; last is the one looked up before.
	last       []byte
	lastIndex  uint32

	remotes   map[deltaRemote]int32
	clients   map[deltaClient]int32
	counts    []Counts
	services  []string
	byService map[string]uint16
	folds     uint64

	dispositions [classifier.NumDispositions]Counts
	formats      []*flowlog.Format
	lastRecord   int64 // lastRecord is the newest end of a record.
}

// deltaInterface is an interface as one file shows it.
type deltaInterface struct {
	name       interfaceName
	attributes attributes
	own        ownAddress
	evidence   evidence
	first      int64
	last       int64
}

type deltaRemote struct {
	remote  flowlog.Addr
	iface   uint32
	shape   classifier.Shape
	service uint16
}

type deltaClient struct {
	client flowlog.Addr
	iface  uint32
	shape  classifier.Shape
}

// Indexes of the services that are no AWS services.
const (
	serviceUnknown uint16 = iota
	serviceNone
)

// NewDelta returns an empty delta that holds at most about maxKeys keys; what comes beyond is summed without its remote and client.
func NewDelta(networks *classifier.Networks, maxKeys int) *Delta {
	return &Delta{
		networks: networks, maxKeys: maxKeys,
		byName:    make(map[string]uint32),
		remotes:   make(map[deltaRemote]int32),
		clients:   make(map[deltaClient]int32),
		services:  []string{"unknown", "none"},
		byService: make(map[string]uint16),
	}
}

// Reset empties the delta for the next file and keeps its memory.
func (d *Delta) Reset(networks *classifier.Networks) {
	d.networks = networks
	clear(d.byName)
	clear(d.remotes)
	clear(d.clients)
	clear(d.byService)
	clear(d.interfaces)
	clear(d.formats)
	d.interfaces, d.counts, d.services, d.formats = d.interfaces[:0], d.counts[:0], d.services[:2], d.formats[:0]
	d.last = d.last[:0]
	d.folds, d.lastRecord = 0, 0
	d.dispositions = [classifier.NumDispositions]Counts{}
}

// Malformed counts a line that could not be read.
func (d *Delta) Malformed() { d.dispositions[classifier.Malformed].Records++ }

// Add counts a record. It keeps nothing of it and allocates only for keys that the file has not had before.
func (d *Delta) Add(r *flowlog.Record) {
	if len(d.formats) == 0 || d.formats[len(d.formats)-1] != r.Format {
		d.formats = append(d.formats, r.Format)
	}
	i := d.interfaceOf(r)
	in := &d.interfaces[i]
	in.seen(r.Start, r.End)
	d.lastRecord = max(d.lastRecord, r.End)
	counts := Counts{Records: 1, Bytes: r.Bytes, Packets: r.Packets}
	switch r.Status {
	case flowlog.StatusNoData:
		d.dispositions[classifier.NoData].add(counts)
		return
	case flowlog.StatusSkipData:
		d.dispositions[classifier.SkipData].add(counts)
		return
	case flowlog.StatusOK:
	}
	in.evidence.observe(r)
	if r.Rejected {
		d.dispositions[classifier.Rejected].add(counts)
		return
	}
	o := d.networks.Read(r)
	in.own.observe(r.SrcAddr, r.DstAddr)
	in.evidence.shape(o.Shape)
	d.addRemote(deltaRemote{iface: i, shape: o.Shape, service: d.service(r, o), remote: o.Ends.Remote}, counts)
	d.addClient(deltaClient{iface: i, shape: o.Shape, client: o.Ends.Client}, counts)
}

func (d *Delta) addRemote(key deltaRemote, c Counts) {
	i, ok := d.remotes[key]
	if !ok {
		if len(d.counts) >= d.maxKeys && !key.remote.IsZero() {
			d.folds++
			key.remote = flowlog.Addr{}
			d.addRemote(key, c)
			return
		}
		i = d.newCounts()
		d.remotes[key] = i
	}
	d.counts[i].add(c)
}

func (d *Delta) addClient(key deltaClient, c Counts) {
	i, ok := d.clients[key]
	if !ok {
		if len(d.counts) >= d.maxKeys && !key.client.IsZero() {
			key.client = flowlog.Addr{}
			d.addClient(key, c)
			return
		}
		i = d.newCounts()
		d.clients[key] = i
	}
	d.counts[i].add(c)
}

func (d *Delta) newCounts() int32 {
	d.counts = append(d.counts, Counts{})
	return int32(len(d.counts) - 1)
}

// service interns the AWS service of the remote. Where a format has services but no pkt-addresses, the leg does not say which end is the remote, and the
// one that has a service is.
func (d *Delta) service(r *flowlog.Record, o classifier.Observation) uint16 {
	service := o.Service
	if !r.Format.Has(o.ServiceField) {
		return serviceUnknown
	}
	if service == nil && !o.Shape.HasPkt() {
		service = r.PktSrcAWSService
	}
	if service == nil {
		return serviceNone
	}
	if i, ok := d.byService[string(service)]; ok {
		return i
	}
	return d.newService(string(service))
}

// maxServices bounds the services of one file: AWS has 26 of them.
const maxServices = 1000

func (d *Delta) newService(raw string) uint16 {
	if len(d.services) >= maxServices {
		raw = otherLabel
	}
	if i, ok := d.byService[raw]; ok {
		return i
	}
	i := uint16(len(d.services))
	d.services = append(d.services, serviceLabel(raw))
	d.byService[raw] = i
	return i
}

// interfaceOf returns the index of the record's interface. Records of one interface often follow each other.
func (d *Delta) interfaceOf(r *flowlog.Record) uint32 {
	name := append(d.name[:0], r.AccountID...)
	name = append(name, ' ')
	switch {
	case isRegional(r):
		name = append(name, r.ResourceID...)
	case len(r.InterfaceID) > 0:
		name = append(name, r.InterfaceID...)
	default:
		name = append(append(name, '-'), r.VPCID...)
	}
	d.name = name
	if bytes.Equal(name, d.last) && len(d.interfaces) > 0 {
		return d.lastIndex
	}
	i, ok := d.byName[string(name)]
	if !ok {
		i = d.newInterface(string(name), r)
	}
	d.last, d.lastIndex = append(d.last[:0], name...), i
	d.interfaces[i].attributes.fill(r)
	return i
}

func (d *Delta) newInterface(name string, r *flowlog.Record) uint32 {
	i := uint32(len(d.interfaces))
	d.interfaces = append(d.interfaces, deltaInterface{name: nameOf(r)})
	d.byName[name] = i
	return i
}

func (in *deltaInterface) seen(start, end int64) {
	if start > 0 && (in.first == 0 || start < in.first) {
		in.first = start
	}
	in.last = max(in.last, end)
}

// isRegional says whether the record names a regional NAT gateway (version 9).
func isRegional(r *flowlog.Record) bool { return bytes.HasPrefix(r.ResourceID, []byte("nat-")) }

// LastRecord returns the newest end of a record, in Unix seconds, 0 if there is none.
func (d *Delta) LastRecord() int64 { return d.lastRecord }

// MalformedLines returns the number of lines that could not be read.
func (d *Delta) MalformedLines() uint64 { return d.dispositions[classifier.Malformed].Records }
