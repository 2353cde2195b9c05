package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const pageSize = 5000

// A usage is the cost of one run.
type usage struct {
	wall, cpu float64 // seconds
	rss       float64 // MiB, at the peak
	stats     stats
}

// stats counts the requests to the server during the run.
type stats struct {
	Requests, Rows, Skipped int64
}

func wall(u usage) float64 { return u.wall }
func cpu(u usage) float64  { return u.cpu }
func rss(u usage) float64  { return u.rss }

func median(runs []usage, of func(usage) float64) float64 {
	values := make([]float64, len(runs))
	for i, u := range runs {
		values[i] = of(u)
	}
	return middle(values)
}

// ratio is the median of each round's own ratio: runs in the same few seconds share the state of the machine.
func ratio(runs, yardsticks []usage, of func(usage) float64) float64 {
	values := make([]float64, len(runs))
	for i := range runs {
		values[i] = of(runs[i]) / of(yardsticks[i])
	}
	return middle(values)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// A server is a running bhserve.
//
// For each order that a query asks for, it answers newest first, like BloodHound before March 2024. On such a server, Houndtrail
// finds the oldest record only to 30 days. The figures would then include the empty windows before it, and their number depends on
// the day of the month. So bench tells each export when to start.
type server struct {
	url     string
	records int
	first   time.Time // the time when the oldest record was created
	cmd     *exec.Cmd
}

// serve makes a history and serves it with 5 ms of thinking for each request.
func (b *bench) serve(records int, gap string) (*server, error) {
	file := filepath.Join(b.dir, "logs.ndjson")
	if out, err := exec.Command(filepath.Join(b.dir, "gen"), "-n", strconv.Itoa(records), "-gap", gap, "-o", file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gen: %w\n%s", err, out)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	first, err := firstOf(file)
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + address, records: records, first: first}
	s.cmd = exec.Command(filepath.Join(b.dir, "bhserve"), "-i", file, "-a", address, "-delay", "5ms")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "ready") {
		s.stop()
		return nil, fmt.Errorf("bhserve is not ready: %q %w", line, err)
	}
	for range 100 { // it prints its address a moment before it listens
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return s, conn.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("bhserve does not listen on %s", address)
}

// firstOf returns the time when the first record of a file was created.
func firstOf(file string) (time.Time, error) {
	f, err := os.Open(file)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	var record struct {
		CreatedAt time.Time `json:"created_at"`
	}
	err = json.NewDecoder(f).Decode(&record)
	return record.CreatedAt, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) asked() (st stats, err error) {
	res, err := http.Get(s.url + "/stats")
	if err != nil {
		return st, err
	}
	defer res.Body.Close()
	return st, json.NewDecoder(res.Body).Decode(&st)
}

// measure runs a program to its end.
func measure(s *server, env []string, name string, args ...string) (usage, error) {
	if _, err := s.asked(); err != nil { // so that the count starts from zero
		return usage{}, err
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return usage{}, fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	u := usage{
		wall: took.Seconds(),
		cpu:  (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(),
		rss:  float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024,
	}
	u.stats, err = s.asked()
	return u, err
}

func (b *bench) reference(s *server, kind string) (usage, error) {
	return measure(s, nil, filepath.Join(b.dir, "reference"), "-kind", kind, "-u", s.url, "-limit", strconv.Itoa(pageSize),
		"-o", filepath.Join(b.dir, "reference.parquet"))
}

// The destinations.
const (
	archive = "parquet" // the archive, in this format
	lines   = "ndjson"
	webhook = "webhook" // NDJSON, gzip
)

// export runs a first export of everything. Each export has a folder of its own: some file systems take long to reuse space that
// was just freed.
func (b *bench) export(s *server, to string) (usage, error) {
	b.exports++
	return b.again(s, to)
}

// again runs the next cycle.
func (b *bench) again(s *server, to string) (usage, error) {
	settings := append(fast(), b.checkpoints())
	switch to {
	case archive, lines:
		settings = append(settings, b.archive(), "HOUNDTRAIL_ARCHIVE_FORMAT="+to)
	case webhook:
		receiver := takesAll()
		defer receiver.Close()
		settings = append(settings, "HOUNDTRAIL_WEBHOOK_URL="+receiver.URL)
	}
	return b.once(s, settings...)
}

// fast returns settings with which only the server's pace holds up an export.
func fast() []string {
	return []string{"HOUNDTRAIL_BLOODHOUND_RATE=1000", "HOUNDTRAIL_BLOODHOUND_PAGE_SIZE=" + strconv.Itoa(pageSize)}
}

// takesAll is a receiver that reads each batch, answers 200, and keeps nothing.
func takesAll() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
}

// folder is the folder of the newest export so far.
func (b *bench) folder() string { return filepath.Join(b.dir, strconv.Itoa(b.exports)) }

func (b *bench) archive() string {
	return "HOUNDTRAIL_ARCHIVE_URL=file://" + filepath.Join(b.folder(), "archive")
}

func (b *bench) checkpoints() string {
	return "HOUNDTRAIL_CHECKPOINT_URL=file://" + filepath.Join(b.folder(), "checkpoints")
}

// once runs a cycle with these settings. If one variable has two values, the last one counts.
func (b *bench) once(s *server, settings ...string) (usage, error) {
	env := []string{
		"HOUNDTRAIL_BLOODHOUND_URL=" + s.url, "HOUNDTRAIL_BLOODHOUND_JWT=none", "HOUNDTRAIL_START=" + s.first.Format(time.RFC3339Nano),
		"HOUNDTRAIL_LOG_LEVEL=error",
	}
	return measure(s, append(env, settings...), filepath.Join(b.dir, "houndtrail"), "run", "--once")
}
