package enrich

import "net/netip"

// canonical returns the address that names are known for: IPv4 where it is IPv4 inside IPv6, without a zone.
func canonical(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if !a.Is6() {
		return a
	}
	if b := bitsOf(a); b.hi == nat64Prefix && b.lo>>32 == 0 {
		return bits128{0, v4Mapped | b.lo}.addr()
	}
	return a
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate says whether an address is nobody's on the internet.
func isPrivate(a netip.Addr) bool {
	return !a.IsGlobalUnicast() || a.IsPrivate() || sharedSpace.Contains(a)
}

// notPublic are ranges that IPinfo knows nothing of: IANA's special-purpose registries, and old ways to wrap IPv4 in IPv6, which may hold a private
// address.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

var globalIPv6 = netip.MustParsePrefix("2000::/3")

// isPublic says whether an address may be sent to IPinfo.
func isPublic(a netip.Addr) bool {
	if isPrivate(a) || a.Is6() && !globalIPv6.Contains(a) {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
