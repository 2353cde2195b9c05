package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/config"
)

// deliveryTime is how long the metrics of a job may take: the job itself is over.
const deliveryTime = 30 * time.Second

// Places take the metrics of a job at its end. It has no address that Prometheus could scrape.
type Places struct {
	Textfile    string // METRICS_TEXTFILE; "" for none
	Pushgateway string // PUSHGATEWAY_URL; "" for none
}

// Deliver looks at the journals of a job that has ended, and leaves their metrics at the places. The counters are the sums over the
// whole journal, so they go on from job to job. It is too late to change how the job ended: the caller only logs the error.
func Deliver(ctx context.Context, positions bucket.Bucket, tenant, version string, p Places) error {
	if p == (Places{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTime)
	defer cancel()
	o := observe.New(positions, observe.Options{Here: true})
	o.Round(ctx)
	registry := prometheus.NewRegistry() // without the metrics of Go itself: node_exporter has its own
	registry.MustRegister(NewCollector(o.Snapshot, version, time.Now))
	var failed error
	if p.Textfile != "" {
		if err := prometheus.WriteToTextfile(p.Textfile, registry); err != nil { // it replaces the file in one step
			failed = fmt.Errorf("write %sMETRICS_TEXTFILE=%s: %w: give this user the right to write into that folder",
				config.Prefix, p.Textfile, err)
		}
	}
	if p.Pushgateway != "" {
		err := push.New(p.Pushgateway, "houndtrail").Grouping("instance", tenant).Gatherer(registry).
			Client(&http.Client{Timeout: deliveryTime}).PushContext(ctx)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("push the metrics to %sPUSHGATEWAY_URL: %w: until a run can, Prometheus shows those of an "+
				"earlier run, and HoundtrailStale fires when they are too old", config.Prefix, err))
		}
	}
	return failed
}
