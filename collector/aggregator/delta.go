package aggregator

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"

	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// A File is what the name and place of a flow log file say about all of its records.
type File struct {
	Identity  string // Identity is equal for two deliveries of the same file.
	AccountID string // AccountID and the two below are "" where the key does not tell.
	Region    string
	FlowLogID string
	Time      time.Time // Time is the one in the name, zero if there is none.

	CompressedBytes, InflatedBytes int64
}

// Counts are sums over records.
type Counts struct {
	Records, Bytes, Packets uint64
}

// add adds up. Only a hostile log reaches the end of 64 bits; a counter that stays there is better than one that begins anew.
func (c *Counts) add(d Counts) {
	c.Records = sum(c.Records, d.Records)
	c.Bytes = sum(c.Bytes, d.Bytes)
	c.Packets = sum(c.Packets, d.Packets)
}

func sum(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	return s | -carry
}

// A Delta is what one file says: sums by interface, shape, AWS service and remote, and by interface, shape and client, never by both. It belongs to one
// worker until it is committed, knows nothing of other files, and leaves no trace when it is dropped.
type Delta struct {
	networks *classifier.Networks
	maxKeys  int

	interfaces []deltaInterface
	byName     map[string]uint32
	name       []byte                  // name is the scratch space of an interface's name.
	recent     [1 << recentBits]uint32 // recent are the indexes, from 1, of interfaces that records have named lately.

	groups       []group // groups are numbered from 1.
	groupIDs     idTable
	clientGroups []clientGroup // clientGroups are numbered from 1.
	clientIDs    idTable
	remotes      keyTable // remotes are the remotes of groups.
	clients      keyTable // clients are the clients of clientGroups.
	pairs        pairTable
	watch        *Watch
	table        Services // table knows the services that the format does not name, nil if there is none.
	pending      [pendingRows]pendingRow
	numPending   int

	services  []string
	byService map[string]uint16
	names     bool // names: the format of the current record has names.
	texts     fileTexts
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
	bare       addressSample // bare are remotes of client views, which have no place in the table of remotes.
	first      int64
	last       int64
	rows       int64 // rows is the number of accepted data rows.
	columns    int   // columns is how many columns of its rows' format are read.
	overflow   bool  // overflow: it stands for all interfaces beyond the limit, so its rows prove nothing.
	names      fileNames
}

// A group is what rows have in common besides their addresses.
type group struct {
	iface   uint32
	clients uint32 // clients is the clientGroup of the same interface and shape.
	shape   classifier.Shape
	service uint16
	bare    bool   // bare: the rows show their remotes bare (classifier.SightBare).
	pairs   bool   // pairs: the rows are summed by client and remote too.
	sum     Counts // sum is over the rows that are not in the table of remotes.
}

type clientGroup struct {
	iface uint32
	shape classifier.Shape
}

// Indexes of the services that are no AWS services.
const (
	serviceUnknown uint16 = iota
	serviceNone
	// The format has the destination's service but not the source's, which is the remote if the row turns out to be a leg D, and not if it is internal traffic.
	serviceOpen
	numNoServices
)

// noServices are the label values of the first services; that of serviceOpen depends on the class of the rows.
var noServices = [numNoServices]string{serviceUnknown: unknownLabel, serviceNone: noneLabel}

// NewDelta returns an empty delta that holds at most about maxKeys keys in each of its tables; what comes beyond is summed without its remote or client.
func NewDelta(networks *classifier.Networks, maxKeys int) *Delta {
	return &Delta{
		networks: networks, maxKeys: maxKeys, watch: &Watch{},
		byName:    make(map[string]uint32),
		services:  slices.Clone(noServices[:]),
		byService: make(map[string]uint16),
	}
}

// Reset empties the delta for the next file and keeps its memory.
func (d *Delta) Reset(networks *classifier.Networks) {
	d.networks = networks
	clear(d.byName)
	clear(d.byService)
	clear(d.formats)
	d.recent, d.numPending = [1 << recentBits]uint32{}, 0
	d.interfaces, d.services, d.formats = d.interfaces[:0], d.services[:numNoServices], d.formats[:0]
	d.groups, d.clientGroups = d.groups[:0], d.clientGroups[:0]
	d.groupIDs.reset()
	d.clientIDs.reset()
	d.remotes.reset()
	d.clients.reset()
	d.pairs.reset()
	d.texts.reset()
	d.folds, d.lastRecord = 0, 0
	d.dispositions = [classifier.NumDispositions]Counts{}
}

// Watch makes an empty delta watch for what an aggregator wants to know besides sums.
func (d *Delta) Watch(w *Watch) {
	d.watch, d.table = w, nil
	if w.services != nil {
		d.table = w.services()
	}
}

// Malformed counts a line that could not be read.
func (d *Delta) Malformed() { d.dispositions[classifier.Malformed].Records++ }

// Add counts a record. It keeps nothing of it and allocates only for keys that the file has not had before.
func (d *Delta) Add(r *flowlog.Record) {
	if len(d.formats) == 0 || d.formats[len(d.formats)-1] != r.Format {
		d.addFormat(r.Format)
	}
	i := d.interfaceOf(r)
	in := &d.interfaces[i]
	if d.names && !in.overflow {
		in.names.fill(&d.texts, r)
	}
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
	if !in.overflow {
		in.evidence.observe(r)
	}
	if r.Rejected {
		d.dispositions[classifier.Rejected].add(counts)
		return
	}
	var o classifier.Observation
	d.networks.Read(r, &o)
	in.rows++
	if !in.overflow {
		in.columns = max(in.columns, r.Format.ReadColumns())
		in.own.observe(r)
	}
	g := d.group(i, o.Shape, d.service(r, &o))
	group := &d.groups[g-1]
	row := &d.pending[d.numPending]
	row.counts, row.client, row.remote, row.pair = counts, d.clients.key(group.clients, o.Ends.Client), 0, group.pairs
	if d.keepsRemote(in, group) {
		row.remote = d.remotes.key(g, o.Ends.Remote)
	} else {
		group.sum.add(counts)
		if group.bare {
			in.bare.add(o.Ends.Remote)
		}
	}
	if d.numPending++; d.numPending == pendingRows {
		d.flush()
	}
}

// A pendingRow waits to be added to the tables. Rows are added in batches, so that the processor looks for several keys at once: in a table beyond its caches it
// waits for most of them.
type pendingRow struct {
	remote uint64 // remote is the key in the table of remotes, 0 for a row that has no place there.
	client uint64
	counts Counts
	pair   bool
}

const pendingRows = 64

// flush adds the rows that wait.
func (d *Delta) flush() {
	rows := d.pending[:d.numPending]
	d.numPending = 0
	for i := range rows {
		if row := &rows[i]; row.remote != 0 {
			d.addRemote(row.remote, row.counts)
		}
	}
	for i := range rows {
		d.addClient(rows[i].client, rows[i].counts)
	}
	for i := range rows {
		if row := &rows[i]; row.pair && row.remote != 0 {
			d.addPair(row.remote, row.client, row.counts.Bytes)
		}
	}
}

// keepsRemote says whether rows have a place in the table of remotes. Those whose service has to be looked up need it even where their remotes have no series,
// unless they can never count: what an interface is seen to do before a row depends on how the rows were cut into files, and the row's service must not.
func (d *Delta) keepsRemote(in *deltaInterface, g *group) bool {
	return d.watch.clientViews || !in.sees(g.shape) || d.table != nil && g.service == serviceUnknown && !in.evidence.isNAT()
}

// sees says whether rows of a shape are, at this interface, an outer view of traffic that a gateway forwards: what a client sees of it, or legs B and C. Whatever they
// will count as, it is not by their remotes, of which there may be as many in the table again as the private legs have.
func (in *deltaInterface) sees(s classifier.Shape) bool {
	if in.overflow {
		return false
	}
	e := &in.evidence
	if e.isRegional() {
		return s.OuterLeg() && !s.OneEndPrivate() // What is private is a client.
	}
	return s.ShowsClientView() || e.view && s.PlainIngress() || s.OuterLeg() && (e.translated && in.attributes.instanceID == "" || e.isNAT())
}

// keyMark makes no key 0. An interface has an index below maxFileInterfaces, so there is room for it.
const keyMark = 1 << 63

func groupKey(iface uint32, s classifier.Shape, service uint16) uint64 {
	return keyMark | uint64(iface)<<32 | uint64(s)<<16 | uint64(service)
}

// group returns the number of a group.
func (d *Delta) group(iface uint32, s classifier.Shape, service uint16) uint32 {
	g, added := d.groupIDs.id(groupKey(iface, s, service))
	if added {
		c, added := d.clientIDs.id(keyMark | uint64(iface)<<16 | uint64(s))
		if added {
			d.clientGroups = append(d.clientGroups, clientGroup{iface, s})
		}
		d.groups = append(d.groups, group{iface: iface, clients: c, shape: s, service: service, bare: s.Sight() == classifier.SightBare})
		in := &d.interfaces[iface]
		d.groups[g-1].pairs = d.mayBeForwarded(in, s)
		if !in.overflow {
			in.evidence.shape(s)
		}
	}
	return g
}

// addFormat remembers which formats the file has; members of a gzip file may each bring one.
func (d *Delta) addFormat(f *flowlog.Format) {
	d.names = f.HasNames()
	if i := slices.Index(d.formats, f); i >= 0 {
		d.formats = append(slices.Delete(d.formats, i, i+1), f)
		return
	}
	if len(d.formats) == maxFormats {
		d.formats = d.formats[:maxFormats-1]
	}
	d.formats = append(d.formats, f)
}

func (d *Delta) addRemote(key uint64, c Counts) {
	counts, at := d.remotes.find(key)
	if counts == nil {
		if d.remotes.used >= d.maxKeys && d.foldable(key) {
			d.folds++
			g, remote := d.remotes.split(key)
			if d.table != nil {
				g = d.resolvedGroup(g, remote)
			}
			d.addRemote(d.remotes.key(g, flowlog.Addr{}), c)
			return
		}
		counts = d.remotes.add(key, at)
	}
	counts.add(c)
}

// foldable says whether rows may lose their remote. An interface's own address tells the direction of its rows.
func (d *Delta) foldable(key uint64) bool {
	g, remote := d.remotes.split(key)
	return !remote.IsZero() && !d.interfaces[d.groups[g-1].iface].own.mayBe(remote)
}

func (d *Delta) addClient(key uint64, c Counts) {
	counts, at := d.clients.find(key)
	if counts == nil {
		if g, client := d.clients.split(key); d.clients.used >= d.maxKeys && !client.IsZero() {
			d.addClient(d.clients.key(g, flowlog.Addr{}), c)
			return
		}
		counts = d.clients.add(key, at)
	}
	counts.add(c)
}

// service interns the AWS service of the remote. Where nothing tells which end is the remote, the one that has a service is.
func (d *Delta) service(r *flowlog.Record, o *classifier.Observation) uint16 {
	service := o.Service
	if !r.Format.Has(o.ServiceField) {
		if o.Shape.Private() && r.Format.Has(flowlog.FieldPktDstAWSService) {
			return serviceOpen
		}
		return serviceUnknown
	}
	if service == nil && (!o.Shape.HasPkt() || o.Shape.DirectionOpen()) {
		service = r.PktSrcAWSService
	}
	if service == nil {
		return serviceNone
	}
	service = service[:min(len(service), maxLabelBytes)]
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

const recentBits = 10

// interfaceOf returns the index of the record's interface.
func (d *Delta) interfaceOf(r *flowlog.Record) uint32 {
	id := interfaceID(r)
	recent := &d.recent[recentSlot(id)]
	if *recent > 0 && d.interfaces[*recent-1].named(r.AccountID, id) {
		return d.describe(*recent-1, r)
	}
	i := d.lookUpInterface(r)
	if len(id) > 0 {
		*recent = i + 1
	}
	return d.describe(i, r)
}

// named says whether an id that is not empty, and no longer than one may be, is the interface's.
func (in *deltaInterface) named(account, id []byte) bool {
	return in.name.id == string(id) && in.name.account == string(account)
}

// recentSlot spreads ids by their last bytes, in which they differ.
func recentSlot(id []byte) uint64 {
	if len(id) < 8 {
		return uint64(len(id))
	}
	return binary.LittleEndian.Uint64(id[len(id)-8:]) * fibonacci >> (64 - recentBits)
}

// describe takes over what a record says of its interface.
func (d *Delta) describe(i uint32, r *flowlog.Record) uint32 {
	if in := &d.interfaces[i]; !in.overflow {
		in.attributes.fill(r)
	}
	return i
}

func (d *Delta) lookUpInterface(r *flowlog.Record) uint32 {
	d.name = append(append(append(d.name[:0], clip(r.AccountID)...), ' '), clip(interfaceID(r))...)
	if len(interfaceID(r)) == 0 {
		d.name = append(append(d.name, '-'), clip(r.VPCID)...)
	}
	if i, ok := d.byName[string(d.name)]; ok {
		return i
	}
	return d.newInterface(r)
}

// interfaceID returns the id by which a record names its interface: a regional NAT gateway's own, else the interface's, else none.
func interfaceID(r *flowlog.Record) []byte {
	if isRegional(r) {
		return r.ResourceID
	}
	return r.InterfaceID
}

// maxFileInterfaces bounds the interfaces of one file; a flow log covers a VPC, which has some thousands.
const maxFileInterfaces = 100_000

// newInterface adds the interface that d.name names. Whatever is beyond the limit is one interface for all.
func (d *Delta) newInterface(r *flowlog.Record) uint32 {
	account, id, _ := bytes.Cut(d.name, []byte{' '})
	in := deltaInterface{name: interfaceName{account: string(account), region: string(clip(r.Region)), id: string(id)}}
	name := string(d.name)
	if len(d.interfaces) >= maxFileInterfaces {
		in = deltaInterface{name: interfaceName{id: otherLabel}, overflow: true}
		name = otherLabel
	}
	if i, ok := d.byName[name]; ok {
		return i
	}
	i := uint32(len(d.interfaces))
	if len(d.interfaces) < cap(d.interfaces) {
		in.bare.sorted = d.interfaces[:i+1][i].bare.sorted[:0] // The memory of an interface of an earlier file.
	}
	d.interfaces = append(d.interfaces, in)
	d.byName[name] = i
	return i
}

// clip bounds text that is kept; what is longer is no id of AWS's, and is not made into a label either.
func clip(b []byte) []byte { return b[:min(len(b), maxLabelBytes+1)] }

func (in *deltaInterface) seen(start, end int64) {
	if start > 0 && (in.first == 0 || start < in.first) {
		in.first = start
	}
	in.last = max(in.last, end)
}

// believe makes no time later than the newest end that can be believed.
func (in *deltaInterface) believe() { in.first = min(in.first, in.last) }

// isRegional says whether the record names a regional NAT gateway (version 9).
func isRegional(r *flowlog.Record) bool { return bytes.HasPrefix(r.ResourceID, []byte("nat-")) }

// LastRecord returns the newest end of a record, in Unix seconds, 0 if there is none.
func (d *Delta) LastRecord() int64 { return d.lastRecord }

// MalformedLines returns the number of lines that could not be read.
func (d *Delta) MalformedLines() uint64 { return d.dispositions[classifier.Malformed].Records }
