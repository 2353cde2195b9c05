// Package doctor examines a whole set-up. Each part that a run needs has a check, and each check tells what it saw and the next
// step.
//
// The checks use the clients of a run, with the same proxies, authorities, credentials and addresses. So a check sees the same as a
// run. They send each server few requests. They write one probe into each store, and no other object. They remove the probe again.
// If the store keeps it, they name it.
//
// A check is ok only if it looked. If another check must succeed first and did not, the check is skipped, and says so. Checks that
// do not wait for each other run at the same time, and each one has a time limit.
package doctor

import (
	"context"
	"strings"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// The groups of the checks that each set-up has.
const (
	settingsGroup = "settings"
	sourceGroup   = "bloodhound"
)

// Options say what to examine.
type Options struct {
	Environ  []string // in the form of os.Environ
	Process  stream.Process
	SendTest bool // post a test event to the webhook
}

// Examine runs every check that applies to the set-up. It returns their rows in the order of a run: the first one that fails is the
// cause of the later ones.
func Examine(ctx context.Context, o Options) ([]Row, error) {
	p := admit(o)
	nodes := bind(settingsGroup, "", p, settingsChecks())
	var places []*store
	if p.config != nil {
		places = stores(p)
		nodes = append(nodes, p.nodes(places)...)
	}
	rows := examine(ctx, nodes)
	for _, s := range places { // only after all checks: one place may be inside another
		s.tidy()
	}
	return rows, ctx.Err()
}

func (p *patient) nodes(places []*store) (nodes []*node) {
	s := newSource(p)
	nodes = append(nodes, bind(sourceGroup, string(p.config.BloodHound.URL), s, sourceChecks())...)
	for _, s := range places {
		nodes = append(nodes, bind(s.group, string(s.at), s, storeChecks())...)
	}
	set := p.set()
	for _, name := range set.Names() {
		j := &journal{patient: p, name: name, set: p.set()}
		nodes = append(nodes, bind(groupOf(name), "", j, journalChecks(p.config.Archive.URL != ""))...)
	}
	if p.config.Webhook.URL.IsSet() || p.unusable("WEBHOOK_URL") != "" {
		nodes = append(nodes, bind(webhookGroup, p.config.Webhook.URL.String(), newReceiver(p), receiverChecks())...)
	}
	for _, t := range timetables(p) {
		nodes = append(nodes, bind(scheduleGroup, "", t, timetableChecks(t.name))...)
	}
	return append(nodes, bind(machineGroup, "", newMachine(), machineChecks())...)
}

// A Description says which property a check looks at.
type Description struct{ Group, Check, About string }

// Descriptions returns the descriptions of the checks, in the order of their rows, for the documents.
func Descriptions() (all []Description) {
	all = append(all, described(settingsGroup, settingsChecks())...)
	all = append(all, described(sourceGroup, sourceChecks())...)
	all = append(all, described(strings.Join([]string{archiveStore, journalStore, anchorStore}, ", "), storeChecks())...)
	all = append(all, described("each stream", journalChecks(true))...)
	all = append(all, described(webhookGroup, receiverChecks())...)
	all = append(all, described(scheduleGroup, timetableChecks("each one"))...)
	return append(all, described(machineGroup, machineChecks())...)
}

func described[Subject any](group string, checks []check[Subject]) (all []Description) {
	for _, c := range checks {
		all = append(all, Description{group, c.name, c.about})
	}
	return all
}
