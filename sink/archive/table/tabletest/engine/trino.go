package engine

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// A TrinoServer is a Trino over an S3 server, with the connectors for Hive and Iceberg.
type TrinoServer struct {
	url       string
	metastore string // the folder of the Hive catalog's metastore
}

// StartTrino starts a Trino with a heap of 4 GiB. The server ends with the test. If the flag is missing, the test is skipped.
func StartTrino(t *testing.T, s3 servers.S3) TrinoServer {
	t.Helper()
	NeedTrino(t)
	folder := t.TempDir()
	addr, err := servers.FreeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := TrinoServer{url: "http://" + addr, metastore: filepath.Join(folder, "local", "metastore")}
	store := "fs.native-local.enabled=true\nlocal.location=" + filepath.Join(folder, "local") + "\nfs.native-s3.enabled=true\n" +
		"s3.endpoint=" + s3.Endpoint + "\ns3.region=" + s3.Region + "\ns3.path-style-access=true\n" +
		"s3.aws-access-key=" + s3.AccessKey + "\ns3.aws-secret-key=" + s3.SecretKey + "\n"
	for path, text := range map[string]string{
		"etc/config.properties": "coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port=" + strings.TrimPrefix(addr, "127.0.0.1:") +
			"\ndiscovery.uri=" + s.url + "\nnode.internal-address=127.0.0.1\nquery.max-memory=2GB\nquery.max-memory-per-node=2GB\n",
		"etc/log.properties": "io.trino=WARN\n",
		"etc/catalog/hive.properties": "connector.name=hive\nhive.metastore=file\nhive.metastore.catalog.dir=local:///metastore\n" +
			"hive.partition-projection-enabled=true\n" + store,
		"etc/catalog/iceberg.properties": "connector.name=iceberg\niceberg.catalog.type=TESTING_FILE_METASTORE\n" +
			"hive.metastore.catalog.dir=local:///iceberg\n" + store,
		"local/metastore/.keep": "", "local/iceberg/.keep": "",
	} {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), *java, "-Xmx4G", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-Duser.timezone=UTC",
		"-Djdk.attach.allowAttachSelf=true", "--add-modules=jdk.incubator.vector", "-Dnode.environment=test", "-Dnode.id=houndtrail",
		"-Dnode.bind-ip=127.0.0.1", "-Dnode.internal-address=127.0.0.1", "-Dnode.data-dir="+filepath.Join(folder, "data"),
		"-Dconfig="+filepath.Join(folder, "etc/config.properties"), "-Dlog.levels-file="+filepath.Join(folder, "etc/log.properties"),
		"-Dcatalog.config-dir="+filepath.Join(folder, "etc/catalog"), "-Dplugin.dir="+filepath.Join(*trinoDir, "plugin"),
		"-cp", filepath.Join(*trinoDir, "lib", "*"), "io.trino.server.TrinoServer")
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = folder, log, log, servers.DieWithTest()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start Trino: %v", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if body, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("log of Trino:\n%.5000s", body)
		}
		_ = log.Close()
	})
	s.await(t, ended)
	return s
}

// await returns when the server accepts queries.
func (s TrinoServer) await(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	deadline := time.After(10 * time.Minute) // long enough for a busy machine
	for {
		var info struct {
			Starting bool `json:"starting"`
		}
		var answer *http.Response
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/info", http.NoBody)
		if err == nil {
			answer, err = http.DefaultClient.Do(request)
		}
		if err == nil {
			err = json.NewDecoder(answer.Body).Decode(&info)
			_ = answer.Body.Close()
		}
		if err == nil && !info.Starting {
			return
		}
		select {
		case <-ended:
			t.Fatal("Trino ended")
		case <-deadline:
			t.Fatalf("Trino does not start: %v", err)
		case <-time.After(time.Second):
		}
	}
}

// Trino is an engine: a catalog and a schema of the server.
type Trino struct {
	TrinoServer

	Catalog, Schema string
}

// Hive returns a schema of the catalog for Hive. If the schema is not there, Hive makes it.
func (s TrinoServer) Hive(tb testing.TB, schema string) Trino {
	tb.Helper()
	Trino{s, "hive", "default"}.Exec(tb, "CREATE SCHEMA IF NOT EXISTS "+schema)
	return Trino{s, "hive", schema}
}

// Stats are the costs of a query. Splits and rows do not depend on the machine.
type Stats struct {
	Splits    int64 `json:"totalSplits"`
	Rows      int64 `json:"processedRows"`
	CPUMillis int64 `json:"cpuTimeMillis"`
}

// Exec runs one statement.
func (e Trino) Exec(tb testing.TB, sql string) { tb.Helper(); e.Run(tb, sql) }

// Query returns the rows.
func (e Trino) Query(tb testing.TB, sql string) [][]any {
	tb.Helper()
	rows, _ := e.Run(tb, sql)
	return rows
}

// Run runs one statement, and returns its rows and its costs.
func (e Trino) Run(tb testing.TB, sql string) (rows [][]any, s Stats) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, e.url+"/v1/statement", strings.NewReader(sql))
	if err != nil {
		tb.Fatal(err)
	}
	for {
		for key, value := range map[string]string{"User": "test", "Catalog": e.Catalog, "Schema": e.Schema, "Time-Zone": "UTC"} {
			request.Header.Set("X-Trino-"+key, value)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			tb.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			tb.Fatal(err)
		}
		var page struct {
			Next  string  `json:"nextUri"`
			Data  [][]any `json:"data"`
			Stats Stats   `json:"stats"`
			Error *struct {
				Message string `json:"message"`
			} `json:"error"`
			Columns []struct {
				Type string `json:"type"`
			} `json:"columns"`
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&page); err != nil {
			tb.Fatalf("Trino answers %s: %.500s", answer.Status, body)
		}
		if page.Error != nil {
			tb.Fatalf("%s\n%s", sql, page.Error.Message)
		}
		for _, row := range page.Data {
			for i, value := range row {
				if number, ok := value.(json.Number); ok && page.Columns[i].Type == "double" {
					if row[i], err = number.Float64(); err != nil {
						tb.Fatal(err)
					}
				}
			}
			rows = append(rows, row)
		}
		if s = page.Stats; page.Next == "" {
			return rows, s
		}
		if request, err = http.NewRequestWithContext(tb.Context(), http.MethodGet, page.Next, nil); err != nil {
			tb.Fatal(err)
		}
	}
}
