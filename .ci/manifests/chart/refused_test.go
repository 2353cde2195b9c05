package chart

import (
	"strings"
	"testing"
)

// TestRefused: Helm refuses values that are mistakes, and says which one. Each line is the mistake, and a part of the complaint.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"kind=DaemonSet", "/kind"},
		{"knid=CronJob", "knid"},
		{"schedule=soon", "/schedule"},
		{"schedule=CRON_TZ=UTC 1 * * * *", "/schedule"},
		{"schedule=@every 5m", "/schedule"},
		{"settings.ARCHIVE_URI=s3://b/p", "ARCHIVE_URI"},
		{"settings.ARCHIVE_URL=gs://b/p", "/settings/ARCHIVE_URL"},
		{"settings.S3_SSE=des", "/settings/S3_SSE"},
		{"settings.SETTLE=2 minutes", "/settings/SETTLE"},
		{"settings.BLOODHOUND_PAGE_SIZE=50001", "/settings/BLOODHOUND_PAGE_SIZE"},
		{"settings.BLOODHOUND_TOKEN_KEY=secret", "BLOODHOUND_TOKEN_KEY"},
		{"settings.STOP_GRACE=5m", "STOP_GRACE"},
		{"settings.LISTEN=:9090", "LISTEN"},
		{"settings.SCHEDULE=@hourly", "SCHEDULE"},
		{"settings.TENANT=acme", "/settings"},
		{"secretKeys.BLOODHOUND_TOKEN=token", "BLOODHOUND_TOKEN"},
		{"tenants[0].name=Acme", "/tenants/0/name"},
		{"tenants[0].name=a-name-that-is-too-long-for-it", "/tenants/0/name"},
		{"tenants[0].url=tenant.example", "/tenants/0/url"},
		{"tenants[0].existingSecret=null", "/tenants/0"},
		{"tenants[0].externalSecret.key=x", "/tenants/0"},
		{"tenants[0].secret=x", "secret"},
		{"resources.limits.memory=0.5Gi", "/resources/limits/memory"},
		{"image.tag=latest", "/image/tag"},
		{"image.digest=sha256:beef", "/image/digest"},
		{"terminationGracePeriodSeconds=5", "/terminationGracePeriodSeconds"},
		{"cronJob.startingDeadlineSeconds=5", "/cronJob/startingDeadlineSeconds"},
		{"port=80", "/port"},
		{"openshift=maybe", "/openshift"},
		{"networkPolicy.cidrs[0]=192.0.2.1", "/networkPolicy/cidrs/0"},
		{"networkPolicy.bloodhound.namespace=bloodhound", "port"},
		{"persistence.accessModes[0]=ReadOnlyMany", "/persistence/accessModes/0"},

		{"tenants=null", "set tenants"},
		{"tenants[0].name=watch", "the name watch is taken"},
		{"no archive,settings.S3_REGION=eu-central-1", "has no destination"},
		{"no archive,settings.WEBHOOK_URL=https://siem.example", "no place for its journal"},
		{"settings.ARCHIVE_URL=file:///data", "the pod has no volume"},
		{"watch.enabled=true,persistence.enabled=true,settings.ARCHIVE_URL=file:///data", "watch.enabled needs journals"},
		{
			"no archive,watch.enabled=true,tenants[0].settings.WEBHOOK_URL=https://siem.example,tenants[0].settings.CHECKPOINT_URL=s3://b/j",
			"watch.enabled needs a place",
		},
		{"tenants[1].name=acme,tenants[1].url=https://a.example,tenants[1].existingSecret=a", "is there twice"},
		{
			"tenants[1].name=b,tenants[1].url=https://a.example,tenants[1].existingSecret=a," +
				"tenants[1].settings.CHECKPOINT_URL=s3://example-bucket/houndtrail/checkpoints/acme", "have the same CHECKPOINT_URL",
		},
	} {
		t.Run(c.set, func(t *testing.T) {
			t.Parallel()
			good := "tenants[0].name=acme,tenants[0].url=https://tenant.example,tenants[0].existingSecret=bh-acme"
			mistake, bare := strings.CutPrefix(c.set, "no archive,")
			if !bare {
				good += ",settings.ARCHIVE_URL=s3://example-bucket/houndtrail"
			}
			if _, complaint := helm(t, "template", "--set", good, "--set", mistake); !strings.Contains(complaint, c.want) {
				t.Errorf("the complaint has no %q:\n%s", c.want, complaint)
			}
		})
	}
}
