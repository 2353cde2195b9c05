package bloodhoundtest

import (
	"encoding/json"
	"net/http"
	"time"
)

// failure is an error as the API words it.
type failure struct {
	status           int
	context, message string
}

func (f *failure) Error() string { return f.message }

// What the servers say when the database did not answer as it should.
var (
	errInternal = &failure{
		status:  http.StatusInternalServerError,
		message: "an internal error has occurred that is preventing the service from servicing this request",
	}
	errTimeout      = &failure{status: http.StatusInternalServerError, message: "request timed out"}
	errForbidden    = &failure{status: http.StatusForbidden, message: "not authorized"}
	errUnauthorized = &failure{status: http.StatusUnauthorized, message: "not authenticated"}
	errBearer       = &failure{status: http.StatusUnauthorized, message: "Token Authorization failed."}
)

type errorBody struct {
	Status    int           `json:"http_status"`
	Timestamp time.Time     `json:"timestamp"`
	RequestID string        `json:"request_id"`
	Errors    []errorDetail `json:"errors"`
}

type errorDetail struct {
	Context string `json:"context"`
	Message string `json:"message"`
}

// write sends the failure; the request id is the one that the response header already has.
func (f *failure) write(w http.ResponseWriter, now time.Time) {
	writeJSON(w, f.status, errorBody{
		Status:    f.status,
		Timestamp: now.UTC(),
		RequestID: w.Header().Get(requestIDHeader),
		Errors:    []errorDetail{{Context: f.context, Message: f.message}},
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, _ := json.Marshal(body) // own types, all of which marshal
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// writeNothing is an answer without a body, and without a type for it to be guessed.
func writeNothing(w http.ResponseWriter) {
	w.Header()["Content-Type"] = nil
	w.WriteHeader(http.StatusOK)
}
