package outbound

import (
	"net/netip"
)

// Refused is the cause of an error about an address that may not be reached.
type Refused struct {
	Addr   netip.Addr
	Reason string // "is a cloud metadata service", …
	Allow  bool   // --allow-network could allow it
}

// Error names the address and what would allow it.
func (r *Refused) Error() string {
	text := "address " + r.Addr.String() + " " + r.Reason
	if !r.Addr.IsValid() {
		text = r.Reason
	}
	if r.Allow {
		return text + ": an operator can allow it with --allow-network " + netip.PrefixFrom(r.Addr, r.Addr.BitLen()).String()
	}
	return text + " and is always refused"
}

// class is a kind of addresses that are not plainly public.
type class struct {
	nets   []netip.Prefix
	reason string
	allow  bool
}

// classes are looked through in order: what is always refused comes first.
var classes = []class{
	{prefixes("169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "100.100.100.200/32", "168.63.129.16/32",
		"192.0.0.192/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"), "is a cloud metadata service", false},
	{prefixes("169.254.0.0/16", "fe80::/10"), "is link-local", false},
	{prefixes("224.0.0.0/4", "ff00::/8"), "is a multicast address", false},
	{prefixes("0.0.0.0/8", "::/128"), "is unspecified", false},
	{prefixes("255.255.255.255/32"), "is the broadcast address", false},
	{prefixes("240.0.0.0/4", "100::/64"), "is reserved", false},

	{prefixes("127.0.0.0/8", "::1/128"), "is this machine itself", true},
	{prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"), "is in a private network", true},
	{prefixes("100.64.0.0/10"), "is in a carrier's shared network", true},
	{prefixes("192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32",
		"3fff::/20", "2001:2::/48", "64:ff9b:1::/48", "5f00::/16"), "is in a special-purpose network", true},
}

func prefixes(all ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(all))
	for i, s := range all {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// check decides on an address and on every IPv4 address embedded in it.
func (g *Guard) check(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	var refused *Refused
	for _, a := range append([]netip.Addr{addr}, embedded(addr)...) {
		c := classOf(a)
		switch {
		case c == nil:
		case !c.allow:
			return &Refused{Addr: a, Reason: c.reason}
		case refused == nil && !contains(g.opts.AllowNetworks, a) && !contains(g.opts.AllowNetworks, addr):
			refused = &Refused{Addr: a, Reason: c.reason, Allow: true}
		}
	}
	if refused == nil {
		return nil // not the nil pointer
	}
	return refused
}

func classOf(a netip.Addr) *class {
	for i := range classes {
		if contains(classes[i].nets, a) {
			return &classes[i]
		}
	}
	return nil
}

func contains(nets []netip.Prefix, a netip.Addr) bool {
	for _, n := range nets {
		// An allowed network may itself be written v4-in-v6.
		if n.Addr().Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		if n.Contains(a) {
			return true
		}
	}
	return false
}

var (
	compatible = netip.MustParsePrefix("::/96")           // v4-compatible, of old
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // SIIT
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	teredo     = netip.MustParsePrefix("2001::/32")
)

// embedded returns the IPv4 addresses that a packet to an IPv6 address may be
// carried on to by a translator or a tunnel.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	four := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i : i+4])) }
	switch {
	case a == netip.IPv6Unspecified() || a == netip.IPv6Loopback():
		return nil
	case compatible.Contains(a), translated.Contains(a), nat64.Contains(a), localNAT64.Contains(a):
		return []netip.Addr{four(12)}
	case sixToFour.Contains(a):
		return []netip.Addr{four(2)}
	case teredo.Contains(a):
		client := [4]byte{^b[12], ^b[13], ^b[14], ^b[15]}
		return []netip.Addr{four(4), netip.AddrFrom4(client)}
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP
		return []netip.Addr{four(12)}
	}
	return nil
}
