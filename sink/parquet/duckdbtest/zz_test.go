package duckdbtest
import ("testing";"os";"strings";"fmt";"houndtrail/sink/sinktest";"houndtrail/exporter/bloodhound")
func TestZZ(t *testing.T) {
	data, _ := os.ReadFile("/tmp/exp/logs.ndjson")
	var recs []bloodhound.Record
	for i, l := range strings.Split(strings.TrimSpace(string(data)), "\n") { if i == 50000 { break }; recs = append(recs, sinktest.Parse(t, l)) }
	p := write(t, recs)
	db := open(t)
	st, _ := os.Stat(p); fmt.Println("ours", float64(st.Size())/50000)
	for _, o := range []string{"", ", PARQUET_VERSION v2"} {
	exec(t, db, "COPY (SELECT * FROM read_parquet('"+p+"')) TO '/tmp/exp/o.parquet' (FORMAT parquet, COMPRESSION zstd"+o+")")
	st, _ = os.Stat("/tmp/exp/o.parquet"); fmt.Println("duckdb", o, float64(st.Size())/50000) }
	for _, f := range []string{p, "/tmp/exp/o.parquet"} {
	for _, r := range query(t, db, "SELECT path_in_schema, encodings, total_compressed_size/50000.0, total_uncompressed_size/50000.0 FROM parquet_metadata(?)", f) { fmt.Println(r) } }
}
