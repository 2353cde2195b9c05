package schema

import (
	"net/netip"
	"strings"
)

// mostAddresses is how many elements of a chain Houndtrail reads, from its end on. A client can send a chain of any length.
const mostAddresses = 64

// A chain has the addresses of a request. source_ip_address is the header X-Forwarded-For as the client sent it, a comma, and the
// peer.
type chain struct {
	source netip.Addr                // zero if the element of the source is no address
	all    [mostAddresses]netip.Addr // each once, in the order of the text
	n      int                       // the number of addresses in all
}

// read reads the text. trusted is how many proxies at the end of the text are the user's own: the source is the element before
// them. If the chain is shorter than that, the source is the first element, since one of these proxies has seen it.
func (c *chain) read(text string, trusted int) {
	end := len(text)
	for range mostAddresses {
		start := strings.LastIndexByte(text[:end], ',') + 1
		a := address(text[start:end])
		if trusted == 0 || start == 0 && trusted > 0 {
			c.source = a
		}
		trusted--
		if a.IsValid() {
			c.n++
			c.all[mostAddresses-c.n] = a
		}
		if start == 0 {
			break
		}
		end = start - 1
	}
	c.compact()
}

// compact moves the addresses to the front, and drops repeated ones.
func (c *chain) compact() {
	found := c.all[mostAddresses-c.n:]
	c.n = 0
	for _, a := range found {
		if !c.has(a) {
			c.all[c.n] = a
			c.n++
		}
	}
}

func (c *chain) has(a netip.Addr) bool {
	for i := range c.n {
		if c.all[i] == a {
			return true
		}
	}
	return false
}

// others returns the addresses without the source's.
func (c *chain) others() []netip.Addr {
	n := 0
	for _, a := range c.all[:c.n] {
		if a != c.source {
			c.all[n] = a
			n++
		}
	}
	return c.all[:n]
}

// address reads one element: an address, with or without a port and brackets. For any other text it returns the zero address. A
// zone has a meaning on one machine only, so address leaves it out.
func address(text string) netip.Addr {
	text = strings.Trim(text, " \t")
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		a = with.Addr()
	}
	return a.WithZone("").Unmap()
}
