package flowgen

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
)

// The gateway of a Bulk, as its rows show it.
const (
	BulkGatewayENI  = "eni-0123456789abcdef0"
	BulkGatewayAddr = "10.0.0.220"
)

const (
	bulkClients = 200
	bulkBegin   = 1773480300 // A full minute, as the windows of flow logs are.
	bulkMinutes = 5
	bulkFlush   = 64 << 10
	// The rows of a conversation stand so many conversations apart, as in a file that is sorted by interface and time: further than the window of gzip.
	bulkShift = 97
	// So many remotes have an address of their own in 52.0.0.0/8.
	maxBulkRemotes = 1 << 24
)

// Bulk is a large file for measuring speed: 200 clients talk through one zonal NAT gateway with so many remotes, and each conversation is logged six times,
// by the gateway and by the client, over five minutes. Its numbers of bytes are drawn for each row. Equal values give equal bytes.
type Bulk struct {
	Format  Format
	Rows    int
	Remotes int // Remotes is from 1 to 2^24.
	File    int // File numbers the files of one flow log from 0. Each holds other rows, of the next five minutes.
}

// BulkFormat18 returns the format of 18 fields, some 147 bytes a record in a Bulk: version 2, the packets' addresses, direction and path.
func BulkFormat18() Format {
	return NewFormat(append(DefaultFields(), "pkt-srcaddr", "pkt-dstaddr", "flow-direction", "traffic-path")...)
}

// BulkFormat40 returns the format of all 40 fields of versions 2 to 8, in AWS's order of versions.
func BulkFormat40() Format { return NewFormat(FieldNames(8)...) }

// Bytes returns the text of the file.
func (b Bulk) Bytes() []byte {
	var text bytes.Buffer
	_, _ = b.Write(&text) // Writes to a bytes.Buffer do not fail.
	return text.Bytes()
}

// Write writes the text of the file and returns the bytes that the gateway forwards: those of the rows that are to be counted.
func (b Bulk) Write(w io.Writer) (natBytes uint64, err error) {
	if b.Remotes < 1 || b.Remotes > maxBulkRemotes {
		return 0, fmt.Errorf("make a flow log of %d remotes: want 1 to %d", b.Remotes, maxBulkRemotes)
	}
	rng := rand.New(rand.NewPCG(1+uint64(b.File), uint64(b.Remotes)))
	conversations := (b.Rows + bulkLegs - 1) / bulkLegs
	gateway := netip.MustParseAddr(BulkGatewayAddr)
	text := append([]byte(b.Format.Header()), '\n')
	for i := range b.Rows {
		remote, client := b.ends((i/bulkLegs + i%bulkLegs*bulkShift) % conversations)
		row := bulkRow(i, gateway, remote, client)
		row.SrcPort = 32768 + rng.IntN(20000)
		row.Packets, row.Bytes = int64(1+rng.IntN(2000)), int64(40+rng.IntN(3_000_000))
		row.Start = bulkBegin + int64(b.File*bulkMinutes+i*bulkMinutes/b.Rows)*60
		row.End = row.Start + 59
		if bulkForwards(i) {
			natBytes += uint64(row.Bytes)
		}
		text = append(b.Format.AppendRow(text, &row), '\n')
		if len(text) >= bulkFlush {
			if _, err := w.Write(text); err != nil {
				return 0, fmt.Errorf("write a flow log: %w", err)
			}
			text = text[:0]
		}
	}
	if _, err := w.Write(text); err != nil {
		return 0, fmt.Errorf("write a flow log: %w", err)
	}
	return natBytes, nil
}

// ends are the remote and the number of the client of a conversation. All of its rows name them, so that what a gateway shows of a remote on one leg is also
// on the others, by which it is recognised.
func (b Bulk) ends(conversation int) (remote netip.Addr, client int) {
	rng := rand.New(rand.NewPCG(uint64(b.File)<<32|uint64(b.Remotes), uint64(conversation)))
	n := rng.IntN(b.Remotes)
	return netip.AddrFrom4([4]byte{52, byte(n >> 16), byte(n >> 8), byte(n)}), 1 + rng.IntN(bulkClients)
}

// bulkLegs is how often a conversation is logged. Row i is leg i modulo bulkLegs: A, B, C and D at the gateway, E and F at the client.
const bulkLegs = 6

// bulkForwards says whether row i is one of the two legs that tell what the gateway forwards.
func bulkForwards(i int) bool { return i%bulkLegs == 0 || i%bulkLegs == 3 }

// bulkRow returns row i without what differs from conversation to conversation besides the addresses.
func bulkRow(i int, nat, remote netip.Addr, clientNumber int) Row {
	client := netip.AddrFrom4([4]byte{10, 0, 1, byte(clientNumber)})
	row := Row{
		AccountID: "123456789012", InterfaceID: BulkGatewayENI, DstPort: 443, Protocol: 6, Action: Accept, LogStatus: StatusOK,
		VPCID: "vpc-0123456789abcdef0", SubnetID: "subnet-0123456789abcdef0", Region: "eu-west-3", AZID: "euw3-az1", Type: "IPv4", TCPFlags: 19,
		FlowDirection: "ingress", TrafficPath: Missing, EncryptionStatus: Missing, InterfaceType: TypeNATGateway,
	}
	egress := func(path int) { row.FlowDirection, row.TrafficPath = "egress", path }
	addresses := func(src, dst, pktSrc, pktDst netip.Addr) {
		row.SrcAddr, row.DstAddr, row.PktSrcAddr, row.PktDstAddr = src, dst, pktSrc, pktDst
	}
	switch i % bulkLegs {
	case 0:
		addresses(client, nat, client, remote)
	case 1:
		addresses(nat, remote, nat, remote)
		egress(8)
	case 2:
		addresses(remote, nat, remote, nat)
	case 3:
		addresses(nat, client, remote, client)
		egress(1)
	case 4:
		addresses(client, remote, client, remote)
		egress(1)
	case 5:
		addresses(remote, client, remote, client)
	}
	if i%bulkLegs >= 4 {
		row.InterfaceType = ""
		row.InterfaceID, row.InstanceID = fmt.Sprintf("eni-0%016x", clientNumber), fmt.Sprintf("i-0%016x", clientNumber)
	}
	if row.PktDstAddr == remote {
		row.PktDstService = "S3"
	} else {
		row.PktSrcService = "S3"
	}
	return row
}
