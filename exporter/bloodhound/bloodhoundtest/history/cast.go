package history

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// person is a user with an account, who comes from the same address every day.
type person struct {
	id, name, email string
	first, last     string
	source          string
}

// cast has all persons, the busiest first.
type cast struct {
	people []person
	zipf   *rand.Zipf
}

var names = []string{
	"Dana Whitfield", "Marek Dvořák", "Priya Raman", "Joana Álvares", "Tom O'Rourke", "Søren Mikkelsen", "Aiko 田中",
	"Lena Großmann", "Yusuf Şahin", "Chloé Lefèvre", "Ivan Петров", "Grace Okafor", "Miguel Núñez", "Hanna Lindqvist",
	"Wei 张", "Paul Ashdown", "Rosa Bianchi", "Omar Haddad", "Katja Mäkinen", "Neil Bhatt", "Eva Kovács", "Sam Tully",
	"Noor de Vries", "Björk Jónsdóttir",
}

func newCast(r *rand.Rand) *cast {
	c := &cast{}
	for i, full := range names {
		first, last, _ := strings.Cut(full, " ")
		p := person{id: api.NewUUID(r), first: first, last: last, name: strings.ToLower(first[:1] + last)}
		p.email = fmt.Sprintf("%s@example.com", p.name)
		p.source = fmt.Sprintf("10.20.%d.%d", r.IntN(4), 10+i)
		if i%5 == 4 { // from outside, through a proxy that adds the client's address
			p.source = fmt.Sprintf("198.51.100.%d, 10.0.0.5,10.0.0.7", 20+i)
		}
		c.people = append(c.people, p)
	}
	const spread, flatten = 1.4, 2.5
	c.zipf = rand.NewZipf(r, spread, flatten, uint64(len(c.people)-1))
	return c
}

func (c *cast) pick() *person { return &c.people[c.zipf.Uint64()] }
