//go:build linux

package tabletest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// trinoServer is a Trino over an S3 server, with the connectors for Hive and Iceberg.
type trinoServer struct {
	url       string
	metastore string // the folder of the Hive catalog's metastore
}

// startTrino starts a Trino with a heap of 4 GiB. The test ends it.
func startTrino(t *testing.T, s3 servers.S3) trinoServer {
	t.Helper()
	folder := t.TempDir()
	port := freePort(t)
	s := trinoServer{url: "http://127.0.0.1:" + port, metastore: filepath.Join(folder, "local", "metastore")}
	store := "fs.native-local.enabled=true\nlocal.location=" + filepath.Join(folder, "local") + "\nfs.native-s3.enabled=true\n" +
		"s3.endpoint=" + s3.Endpoint + "\ns3.region=" + s3.Region + "\ns3.path-style-access=true\n" +
		"s3.aws-access-key=" + s3.AccessKey + "\ns3.aws-secret-key=" + s3.SecretKey + "\n"
	for path, text := range map[string]string{
		"etc/config.properties": "coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port=" + port +
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
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive the test
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

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// await returns when the server takes queries.
func (s trinoServer) await(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	deadline := time.After(10 * time.Minute) // on a busy machine
	for {
		var info struct {
			Starting bool `json:"starting"`
		}
		answer, err := http.Get(s.url + "/v1/info")
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

// trino is an engine: a catalog and a schema of the server.
type trino struct {
	trinoServer

	catalog, schema string
}

// stats are the numbers of a query that do not depend on the machine.
type stats struct {
	Splits int64 `json:"totalSplits"`
	Rows   int64 `json:"processedRows"`
}

func (e trino) Exec(tb testing.TB, sql string) { tb.Helper(); e.run(tb, sql) }

func (e trino) Query(tb testing.TB, sql string) [][]any {
	tb.Helper()
	rows, _ := e.run(tb, sql)
	return rows
}

// run follows the pages of an answer.
func (e trino) run(tb testing.TB, sql string) (rows [][]any, s stats) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, e.url+"/v1/statement", strings.NewReader(sql))
	if err != nil {
		tb.Fatal(err)
	}
	for {
		for key, value := range map[string]string{"User": "test", "Catalog": e.catalog, "Schema": e.schema, "Time-Zone": "UTC"} {
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
			Stats stats   `json:"stats"`
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

// register puts a table into the metastore of the Hive catalog, as Glue would hold it.
func (s trinoServer) register(tb testing.TB, schema, name string, t glueTable) {
	tb.Helper()
	type column struct {
		Name       string            `json:"name"`
		Type       string            `json:"type"`
		Comment    string            `json:"comment,omitempty"`
		Properties map[string]string `json:"properties"`
	}
	columns := func(all []glueColumn) (out []column) {
		for _, c := range all {
			out = append(out, column{c.Name, c.Type, c.Comment, map[string]string{}})
		}
		return out
	}
	t.Parameters["EXTERNAL"] = "TRUE"
	body, err := json.Marshal(map[string]any{
		"writerVersion": "476", "owner": "test", "tableType": "EXTERNAL_TABLE", "parameters": t.Parameters,
		"dataColumns": columns(t.Columns), "partitionColumns": columns(t.Partitions), "storageFormat": t.format,
		"serdeParameters": map[string]string{}, "externalLocation": t.Location, "columnStatistics": map[string]any{},
	})
	if err != nil {
		tb.Fatal(err)
	}
	folder := filepath.Join(s.metastore, schema, name)
	if err := os.MkdirAll(filepath.Join(folder, ".trinoPermissions"), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".trinoSchema"), body, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// A glueTable is a table as Glue holds it.
type glueTable struct {
	Columns, Partitions []glueColumn
	Parameters          map[string]string
	Location, format    string
}

type glueColumn struct {
	Name    string `json:"Name"`
	Type    string `json:"Type"`
	Comment string `json:"Comment"`
}
