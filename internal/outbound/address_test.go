package outbound

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	const public, private, never = "public", "private", "never"
	for addr, want := range map[string]string{
		"8.8.8.8": public, "1.1.1.1": public, "2606:4700::1111": public, "100.63.255.255": public, "100.128.0.1": public,
		"172.15.0.1": public, "172.32.0.1": public, "11.0.0.1": public, "::ffff:8.8.8.8": public, "64:ff9b::8.8.8.8": public,
		"2002:808:808::1": public, "192.0.1.1": public, "2a05:d018::1": public,

		"127.0.0.1": private, "127.255.255.254": private, "::1": private, "10.1.2.3": private, "172.16.0.1": private,
		"172.31.255.255": private, "192.168.1.1": private, "100.64.0.1": private, "100.127.255.255": private,
		"fc00::1": private, "fd12:3456::1": private, "fec0::1": private, "198.18.0.1": private, "192.0.2.1": private,
		"::ffff:127.0.0.1": private, "::ffff:10.0.0.1": private, "64:ff9b::10.0.0.1": private, "64:ff9b::7f00:1": private,
		"64:ff9b:1::8.8.8.8": private, "2002:a00:1::1": private, "2002:7f00:1::": private, "::127.0.0.1": private,
		"2001:0:808:808:0:0:f5ff:fffe": private, // teredo client 10.0.0.1
		"2001:0:7f00:1::f7f7:f7f7":     private, // teredo server 127.0.0.1
		"2607:f8b0::5efe:10.0.0.1":     private, // ISATAP
		"::ffff:0:10.0.0.1":            private, // SIIT

		"169.254.169.254": never, "169.254.170.2": never, "169.254.0.1": never, "fe80::1": never, "fe80::1%eth0": never,
		"fd00:ec2::254": never, "100.100.100.200": never, "168.63.129.16": never, "192.0.0.192": never, "fd20:ce::254": never,
		"::ffff:169.254.169.254": never, "64:ff9b::169.254.169.254": never, "64:ff9b:1::169.254.169.254": never,
		"2002:a9fe:a9fe::": never, "::169.254.169.254": never, "2001:0:a9fe:a9fe::1": never, "::ffff:0:169.254.169.254": never,
		"2001:0:808:808::5601:5601": never, // teredo client 169.254.169.254
		"0.0.0.0":                   never, "0.1.2.3": never, "::": never, "::ffff:0.0.0.0": never, "255.255.255.255": never, "240.0.0.1": never,
		"224.0.0.1": never, "239.1.1.1": never, "ff02::1": never, "100::1": never,
	} {
		got := public
		err := New(Options{}).check(netip.MustParseAddr(addr))
		var r *Refused
		if errors.As(err, &r) {
			if got = never; r.Allow {
				got = private
			}
			if !strings.Contains(err.Error(), r.Addr.String()) || strings.Contains(err.Error(), "--allow-network "+r.Addr.String()) != r.Allow {
				t.Errorf("%s: refused with %q", addr, err)
			}
		}
		if got != want {
			t.Errorf("%s is %s, want %s: %v", addr, got, want, err)
		}
	}
}

func TestAllowedNetworks(t *testing.T) {
	all := New(Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}})
	for _, a := range []string{"127.0.0.1", "10.0.0.1", "::1", "fd12::1", "64:ff9b::10.0.0.1", "100.64.0.1"} {
		if err := all.check(netip.MustParseAddr(a)); err != nil {
			t.Errorf("%s is allowed and refused: %v", a, err)
		}
	}
	for _, a := range []string{"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "fe80::1", "ff02::1"} {
		if err := all.check(netip.MustParseAddr(a)); err == nil {
			t.Errorf("%s can be allowed", a)
		}
	}
	one := New(Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("::ffff:192.168.7.0/120")}})
	for a, ok := range map[string]bool{
		"10.0.0.9": true, "::ffff:10.0.0.9": true, "64:ff9b::10.0.0.9": true, "192.168.7.1": true,
		"10.0.1.9": false, "127.0.0.1": false, "192.168.8.1": false,
	} {
		if err := one.check(netip.MustParseAddr(a)); (err == nil) != ok {
			t.Errorf("%s: %v", a, err)
		}
	}
}
