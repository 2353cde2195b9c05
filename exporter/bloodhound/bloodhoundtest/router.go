package bloodhoundtest

import (
	"net/http"
	"path"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// route is an endpoint; there is one method to each path.
type route struct {
	method    string
	protected bool // credentials are needed
	audit     bool // and the permission to read the audit log
	perSecond int
	handle    func(*Server, http.ResponseWriter, *http.Request, *call)
}

const auditPath = "/api/v2/audit"

var routes = map[string]route{
	auditPath:       {http.MethodGet, true, true, api.RequestsPerSecond, (*Server).audit},
	"/api/v2/login": {http.MethodPost, false, false, loginsPerSecond, (*Server).login},
	"/api/version":  {http.MethodGet, true, false, api.RequestsPerSecond, (*Server).version},
	"/api/v2/self":  {http.MethodGet, false, false, api.RequestsPerSecond, (*Server).self},
	"/api/v2/spec":  {http.MethodGet, false, false, api.RequestsPerSecond, (*Server).spec},
	"/health":       {http.MethodGet, false, false, api.RequestsPerSecond, (*Server).health},
}

// find returns the route of a request, or answers a request that has none: a path with a double slash or a dot in it
// is sent to its clean form, the root to the user interface, and OPTIONS are granted on every route.
func find(w http.ResponseWriter, r *http.Request) (route, bool) {
	if clean := cleanPath(r.URL.Path); clean != r.URL.Path {
		to := *r.URL
		to.Path, to.RawPath = clean, ""
		w.Header().Set("Location", to.RequestURI())
		w.WriteHeader(http.StatusMovedPermanently)
		return route{}, false
	}
	rt, ok := routes[r.URL.Path]
	switch {
	case r.URL.Path == "/":
		http.Redirect(w, r, "/ui", http.StatusMovedPermanently)
	case !ok:
		http.NotFound(w, r)
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusOK)
	case r.Method != rt.method:
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		return rt, true
	}
	return route{}, false
}

// cleanPath keeps a slash at the end, which makes another path of it.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
