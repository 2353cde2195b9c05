// Package page is the status page: what the journals tell, in words and pictures, for people. It is one HTML document without any
// other request than for itself. A strict policy lets the browser run and fetch nothing else. Everything that others wrote is
// escaped. It changes nothing, and works without its script, except that it does not renew itself then.
//
// It says no more than the journals tell. Time after a stream's position is not read yet, and no zero. A stream is well only if its
// state says so, and facts that are old are called old. Names of hosts, of buckets and of people, and the texts of errors, come only
// with a request from the machine itself, unless the options say that everyone may see them.
package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/web"
)

// Refresh is how often the page renews itself.
const Refresh = 30 * time.Second

var (
	//go:embed status.tmpl
	source string
	//go:embed status.css
	style string
	//go:embed status.js
	script string
)

// Options say what the page may show.
type Options struct {
	Names   bool   // to everyone, and not only to the machine itself
	Server  string // the command that serves it
	Version string
	Log     *zap.Logger
	Now     func() time.Time // our own clock; nil for this machine's
}

// Handler serves the page of what snapshot returns. With ?tenant=NAME, it is the page of that tenant.
func Handler(snapshot func(context.Context) observe.Snapshot, o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	document := parse()
	policy := "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script) +
		"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := build(snapshot(r.Context()), o, r.URL.Query().Get("tenant"), o.Names || web.Local(r), o.Now())
		var b bytes.Buffer
		if err := document.Execute(&b, v); err != nil {
			o.Log.Error("the status page could not be made", zap.Error(err))
			http.Error(w, "the status page could not be made; the log says why", http.StatusInternalServerError)
			return
		}
		for name, value := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Vary": "Accept",
		} {
			w.Header().Set(name, value)
		}
		_, _ = w.Write(withoutBlankLines(b.Bytes()))
	})
}

func parse() *template.Template {
	return template.Must(template.New("status").Funcs(template.FuncMap{
		"style":  func() template.CSS { return template.CSS(style) }, //nolint:gosec // a constant of this package
		"script": func() template.JS { return template.JS(script) },  //nolint:gosec // a constant of this package
		"add":    func(a, b int) int { return a + b },
	}).Parse(source))
}

// hash is the source of a policy that allows exactly this text.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("sha256-%s", base64.StdEncoding.EncodeToString(sum[:]))
}

// withoutBlankLines drops the lines that the template's actions leave. No text of the page has a line break of its own.
func withoutBlankLines(page []byte) []byte {
	head, body, _ := strings.Cut(string(page), "</style>")
	var b strings.Builder
	b.WriteString(head + "</style>")
	body, tail, _ := strings.Cut(body, "<script>")
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
	}
	b.WriteString("<script>" + tail)
	return []byte(b.String())
}
