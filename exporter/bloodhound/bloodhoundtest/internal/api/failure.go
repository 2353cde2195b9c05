package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// An Error is an error in the API's words.
type Error struct {
	Status           int
	Context, Message string
}

// Error is the message alone.
func (f *Error) Error() string { return f.Message }

// RequestIDHeader is Go's form of the header name that the server declares as RequestID.
const RequestIDHeader = "Requestid"

// Answers of the servers after a failure of the database, and to requests without permission or credentials.
var (
	ErrInternal = &Error{
		Status:  http.StatusInternalServerError,
		Message: "an internal error has occurred that is preventing the service from servicing this request",
	}
	ErrTimeout      = &Error{Status: http.StatusInternalServerError, Message: "request timed out"}
	ErrForbidden    = &Error{Status: http.StatusForbidden, Message: "not authorized"}
	ErrUnauthorized = &Error{Status: http.StatusUnauthorized, Message: "not authenticated"}
	ErrBearer       = &Error{Status: http.StatusUnauthorized, Message: "Token Authorization failed."}
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

// Write sends the failure; the request id is the one that the response header already has.
func (f *Error) Write(w http.ResponseWriter, now time.Time) {
	WriteJSON(w, f.Status, errorBody{
		Status:    f.Status,
		Timestamp: now.UTC(),
		RequestID: w.Header().Get(RequestIDHeader),
		Errors:    []errorDetail{{Context: f.Context, Message: f.Message}},
	})
}

// WriteJSON answers with a value of our own.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	text, _ := json.Marshal(body) // own types, all of which marshal
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// WriteNothing is an answer without a body. It also keeps net/http from guessing a content type.
func WriteNothing(w http.ResponseWriter) {
	w.Header()["Content-Type"] = nil
	w.WriteHeader(http.StatusOK)
}

// RequestsPerSecond is how many requests a client address may send to one route in a second.
const RequestsPerSecond = 55

// WriteLimitExceeded is the plain text that the newer servers send; a zero reset leaves the headers out.
func WriteLimitExceeded(w http.ResponseWriter, most int, reset time.Time) {
	if !reset.IsZero() {
		w.Header().Set("X-RateLimit-Limit", strconv.Itoa(most))
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, "Limit exceeded\n")
}
