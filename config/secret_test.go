package config_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/config"
)

const planted = "pl4nted-s3cret"

// secretive is an environment with the planted text in every place for a secret.
func secretive() []string {
	return with(minimal(), "BLOODHOUND_TOKEN_KEY="+planted, "WEBHOOK_URL=https://siem.example/"+planted+"?k="+planted,
		"WEBHOOK_AUTHORIZATION=Bearer "+planted, "WEBHOOK_HEADERS=X-Key: "+planted)
}

// TestSecretsAreNotPrinted tries every way to print a tree, a part of it or one secret.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := load(t, secretive())
	core, logs := observer.New(zapcore.DebugLevel)
	var printed strings.Builder
	jsonLines := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	encoder := zapcore.NewCore(jsonLines, zapcore.AddSync(&printed), zapcore.DebugLevel)
	logger := zap.New(zapcore.NewTee(core, encoder))
	for _, v := range []any{
		c, *c, c.BloodHound, c.BloodHound.TokenID, c.BloodHound.TokenKey, &c.BloodHound.TokenKey, c.Webhook, c.Webhook.URL,
		&c.Webhook.URL, c.Webhook.Authorization, c.Webhook.Headers,
		[]any{c.Webhook.Headers},
		map[string]config.Secret{"a": c.BloodHound.TokenKey},
		struct{ S config.Secret }{c.BloodHound.TokenKey},
		fmt.Errorf("wrapped: %v", c.BloodHound.TokenKey),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3v"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(text)
		logger.Info("config", zap.Any("value", v), zap.Reflect("reflected", v))
	}
	logger.Sugar().Infof("%v %+v", c, c.Webhook)
	for _, entry := range logs.All() {
		fmt.Fprintln(&printed, entry.Message, entry.ContextMap())
	}
	got := printed.String()
	for _, leak := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted)} {
		if i := strings.Index(got, leak); i >= 0 {
			t.Errorf("a secret is printed: ...%s", got[max(0, i-100):i+len(leak)])
		}
	}
	if !strings.Contains(got, "[redacted]") || !strings.Contains(got, "https://siem.example/[redacted]") {
		t.Errorf("nothing tells that there is a secret:\n%s", got)
	}
	if got := fmt.Sprintf("%v%s%#v", config.Secret{}, config.WebhookURL{}, config.Headers{}); got != "" {
		t.Errorf("secrets that are not set print as %q", got)
	}
}

// TestRotation: if a file is replaced in any way, the new secret counts from the next use on.
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "key")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(name, "one\n")
	c := load(t, with(minimal(), "BLOODHOUND_TOKEN_KEY", "BLOODHOUND_TOKEN_KEY_FILE="+name))
	copied := c.BloodHound.TokenKey // like a copy that a client keeps
	expect := func(want string) {
		t.Helper()
		if got := reveal(copied); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("one")
	write(name, "two\r\n") // in place, with the same size, less the line end
	expect("two")
	same := time.Now().Add(-time.Hour)
	must(os.Chtimes(name, same, same))
	expect("two")
	write(name, "2nd\r\n") // with the same size and, below, the same time
	must(os.Chtimes(name, same, same))
	expect("2nd")
	write(name+".new", "three\n\n")
	must(os.Rename(name+".new", name))
	expect("three")

	// As in Kubernetes: the name is a link to ..data/key, and ..data is a link. Another link then replaces ..data.
	must(os.Remove(name))
	for i, text := range []string{" four ", "five"} {
		version := filepath.Join(dir, fmt.Sprint("version", i))
		must(os.Mkdir(version, 0o700))
		write(filepath.Join(version, "key"), text)
		must(os.Symlink(version, filepath.Join(dir, "..new")))
		must(os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
		if i == 0 {
			must(os.Symlink(filepath.Join("..data", "key"), name))
		}
		expect(text)
	}

	write(name, "\n")
	expect("error: file " + name + " is empty; write the secret into it")
	write(name, planted+"\n"+planted)
	expect("error: file " + name + " has a line break or another control character inside; give the bare value")
	write(name, strings.Repeat("x", 64<<10+1))
	expect("error: file " + name + " has 65537 bytes, more than the 65536 expected at most; is it the right one?")
	must(os.Remove(name))
	expect("error: cannot read the file: stat " + name + ": no such file or directory")
	if !copied.IsSet() {
		t.Error("a secret whose file is gone is still set")
	}
}

func TestHeadersFile(t *testing.T) {
	t.Parallel()
	name := writeFile(t, "X-Key: a, b\nX-Site: hq\n")
	c := load(t, with(minimal(), "WEBHOOK_URL=https://siem.example", "WEBHOOK_HEADERS_FILE="+name))
	header, err := c.Webhook.Headers.Value()
	if err != nil || header.Get("X-Key") != "a, b" || header.Get("X-Site") != "hq" {
		t.Errorf("got %v, %v", header, err)
	}
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	name := writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	c := load(t, with(minimal(), "BLOODHOUND_CA_FILE="+name))
	pool, err := c.BloodHound.CA.Pool()
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := config.CAFile(name).Pool(); pool == nil || !pool.Equal(want) {
		t.Error("the pool has not the file's certificate")
	}
	system, err := x509.SystemCertPool()
	if err != nil || !system.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})) {
		t.Fatal(err)
	}
	if !pool.Equal(system) {
		t.Error("the system's authorities are not trusted any more")
	}
	if pool, err := config.CAFile("").Pool(); pool != nil || err != nil {
		t.Errorf("no file gives %v, %v; want nil for the system's", pool, err)
	}
	bad := writeFile(t, "no certificate")
	want := "HOUNDTRAIL_BLOODHOUND_CA_FILE: file " + bad + ": it holds no PEM certificate (BEGIN CERTIFICATE)"
	if got := problems(t, with(minimal(), "BLOODHOUND_CA_FILE="+bad), config.NeedExport); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzLoad: no environment makes Load panic, show a secret or break a problem over lines. The fuzzer chooses the name and the
// value. The planted secret is in every secret variable. It is also in the fuzzer's value, after a text that looks like a user's
// name.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"BLOODHOUND_URL=https://u:", "WEBHOOK_URL=https://u:", "S3_ENDPOINT=http://x?",
		"ARCHIVE_URL=s3://k:", "SCHEDULE=CRON_TZ=",
		"SCHEDULE=TZ=\t", "WEBHOOK_HEADERS=a,", "BLOODHOUND_TOKEN_KEY=\n",
		"BLOODHOUND_TOKEN_KEY_FILE=/\n", "X\n=", "TOKEN=", "BLOODHOUND_JWT_FILE=",
	} {
		name, value, _ := strings.Cut(seed, "=")
		f.Add(name, value, uint8(config.NeedExport))
	}
	f.Fuzz(func(t *testing.T, name, value string, need uint8) {
		suffix := ""
		if name == "WEBHOOK_HEADERS" || name == "WEBHOOK_AUTHORIZATION" || strings.HasSuffix(name, "_KEY") || name == "BLOODHOUND_JWT" {
			suffix = planted
		} else if name == "WEBHOOK_URL" {
			suffix = "/x/" + planted // after only a scheme it would be the host, and errors show the host
		} else if strings.HasSuffix(name, "_URL") || name == "S3_ENDPOINT" {
			suffix = ":" + planted + "@host"
		}
		environ := with(secretive(), "TENANT=a")
		environ = append([]string{config.Prefix + name + "=" + value + suffix}, environ...)
		c, err := config.Load(environ, config.Need(need))
		if err == nil {
			if text := fmt.Sprintf("%+v %#v %q", c, c, c.Warnings()); strings.Contains(text, planted) {
				t.Errorf("the config prints a secret: %s", text)
			}
			return
		}
		bad, ok := err.(*config.Error) //nolint:errorlint // Load promises the type itself
		if !ok || len(bad.Problems) != strings.Count(bad.Error(), "\n")+1 {
			t.Errorf("%T with problems that are not a line each: %v", err, err)
		}
		if strings.Contains(err.Error(), planted) {
			t.Errorf("a secret is in the error: %v", err)
		}
	})
}

// TestURLsHideSecrets puts a password and a query into addresses of every form, valid or not.
func TestURLsHideSecrets(t *testing.T) {
	t.Parallel()
	piece := rapid.StringOfN(rapid.RuneFrom([]rune("ab:/?#@%. []\n")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		schemes := []string{"http://", "https://", "s3://", "file://", "ftp://", "", "//", "http:"}
		scheme := rapid.SampledFrom(schemes).Draw(t, "scheme")
		address := scheme + piece.Draw(t, "user") + ":" + planted + piece.Draw(t, "rest") + "@" + piece.Draw(t, "host")
		if rapid.Bool().Draw(t, "query") {
			address = scheme + piece.Draw(t, "host") + "?" + planted + piece.Draw(t, "more")
		}
		names := []string{"BLOODHOUND_URL", "WEBHOOK_URL", "S3_ENDPOINT", "ARCHIVE_URL", "CHECKPOINT_URL"}
		name := rapid.SampledFrom(names).Draw(t, "name")
		_, err := config.Load(with(minimal(), name+"="+address), config.NeedExport)
		if err != nil && strings.Contains(err.Error(), planted) {
			t.Fatalf("%s=%q: %v", name, address, err)
		}
	})
}

// TestSecretAsEditorsLeaveIt: Load reports a byte order mark at the beginning of a file, and a header in the place of a token. It
// does so before Houndtrail sends anything.
func TestSecretAsEditorsLeaveIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\uFEFFkey\r\n":        "begins with a byte order mark",
		"\xff\xfek\x00e\x00":   "begins with a byte order mark",
		"\xfe\xff\x00k\x00e":   "begins with a byte order mark",
		"Bearer a.b.c\n":       `begins with "Bearer"`,
		"Authorization: a.b.c": "",
		"bearer":               "",
	} {
		file := writeFile(t, text)
		got := problems(t, with(minimal(), "BLOODHOUND_TOKEN_ID", "BLOODHOUND_TOKEN_KEY", "BLOODHOUND_JWT_FILE="+file), config.NeedExport)
		if (got == "") != (want == "") || !strings.Contains(got, want) || want != "" && !strings.Contains(got, "JWT_FILE: file "+file) {
			t.Errorf("%q: %s\nwant %q", text, got, want)
		}
	}
	key := writeFile(t, "Bearer of a key")
	load(t, with(minimal(), "BLOODHOUND_TOKEN_KEY", "BLOODHOUND_TOKEN_KEY_FILE="+key))
}

// TestAddressFile: a webhook's address comes from a file as well. Only a command that delivers looks whether the file is good.
func TestAddressFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "address")
	environ := with(minimal(), "WEBHOOK_URL_FILE="+name)
	for text, want := range map[string]string{
		"https://siem.example/" + planted + "?k=" + planted + "\n": "",
		"siem.example/" + planted:                                  "not an address to post to (not shown, since it may carry a token)",
		"https://user:" + planted + "@siem.example/":               "not an address to post to (not shown, since it may carry a token)",
		"https://siem.example/a\nhttps://siem.example":             "line break",
		"": "is empty",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(environ, config.NeedExport)
		if want == "" {
			if err != nil {
				t.Fatal(err)
			}
			value, err := c.Webhook.URL.Value()
			if err != nil || value != strings.TrimSpace(text) || c.Webhook.URL.String() != "https://siem.example/[redacted]" {
				t.Errorf("%q, %v, printed as %s", value, err, c.Webhook.URL)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "HOUNDTRAIL_WEBHOOK_URL_FILE: ") || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), name) || strings.Contains(err.Error(), planted) {
			t.Errorf("the file %q is refused with\n%v\nwant %s", text, err, want)
		}
		if c, err = config.Load(environ, config.NeedLook); err != nil || !c.Webhook.URL.IsSet() || c.Webhook.URL.String() != "[redacted]" {
			t.Errorf("a look with the file %q: %v", text, err)
		}
	}
}
