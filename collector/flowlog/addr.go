package flowlog

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"unsafe"
)

// Addr is an IP address of fixed size: the two halves of its 16 bytes, an IPv4 address in its IPv4-mapped form. It is
// comparable and cheap to hash. The zero value stands for a missing address.
type Addr struct {
	Hi, Lo uint64
}

const (
	v4Prefix    = uint64(0xffff) << 32
	nat64Prefix = uint64(0x0064ff9b) << 32
)

// AddrFrom converts an address; the zero netip.Addr gives the zero Addr.
func AddrFrom(a netip.Addr) Addr {
	if !a.IsValid() {
		return Addr{}
	}
	b := a.As16()
	return Addr{Hi: binary.BigEndian.Uint64(b[:8]), Lo: binary.BigEndian.Uint64(b[8:])}
}

// V4 returns the IPv4 address with the given big-endian value.
func V4(v uint32) Addr { return Addr{Lo: v4Prefix | uint64(v)} }

// IsZero says whether the address is missing.
func (a Addr) IsZero() bool { return a == Addr{} }

// Is4 says whether the address is an IPv4 one.
func (a Addr) Is4() bool { return a.Hi == 0 && a.Lo>>32 == 0xffff }

// NAT64 returns the IPv4 address inside an address of 64:ff9b::/96 (RFC 6052), the well-known prefix that NAT gateways translate.
func (a Addr) NAT64() (Addr, bool) {
	if a.Hi == nat64Prefix && a.Lo>>32 == 0 {
		return V4(uint32(a.Lo)), true
	}
	return Addr{}, false
}

// Netip converts the address for printing and for look-ups; the zero Addr gives the zero netip.Addr.
func (a Addr) Netip() netip.Addr {
	if a.IsZero() {
		return netip.Addr{}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return netip.AddrFrom16(b).Unmap()
}

// String returns the usual text form, and "-" for the missing address, as AWS writes it.
func (a Addr) String() string {
	if a.IsZero() {
		return "-"
	}
	return a.Netip().String()
}

// ParseAddr reads the text form of an address.
func ParseAddr(text string) (Addr, bool) {
	return parseAddr([]byte(text))
}

func parseAddr(b []byte) (Addr, bool) {
	if v, ok := parseV4(b); ok {
		return V4(v), true
	}
	return parseV6(b)
}

// parseV4 reads dotted decimal without leading zeros, the only form that AWS writes.
func parseV4(b []byte) (uint32, bool) {
	if len(b) < 7 || len(b) > 15 {
		return 0, false
	}
	var v, octet uint32
	digits, dots := 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			if digits > 0 && octet == 0 {
				return 0, false
			}
			octet = octet*10 + uint32(c-'0')
			digits++
			if octet > 255 {
				return 0, false
			}
		case c == '.' && digits > 0 && dots < 3:
			v = v<<8 | octet
			octet, digits = 0, 0
			dots++
		default:
			return 0, false
		}
	}
	if dots != 3 || digits == 0 {
		return 0, false
	}
	return v<<8 | octet, true
}

// parseV6 leaves the rare form to the standard library; a zone, which it would allocate for, never occurs.
func parseV6(b []byte) (Addr, bool) {
	if len(b) < 2 || len(b) > 45 {
		return Addr{}, false
	}
	text := unsafe.String(unsafe.SliceData(b), len(b)) // Not kept: netip.ParseAddr keeps only zones, which are refused.
	if strings.IndexByte(text, ':') < 0 || strings.IndexByte(text, '%') >= 0 {
		return Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return Addr{}, false
	}
	if a.IsUnspecified() {
		// A host that looks for duplicates of its address sends from "::", which is not a missing address. As ::1 it is as local, and as impossible
		// otherwise.
		return Addr{Lo: 1}, true
	}
	return AddrFrom(a), true
}
