package receivers

import "net/http"

// These are the codes of HEC that the rules here name.
const (
	codeDisabled     = 1
	codeNoToken      = 2
	codeBadHeader    = 3
	codeUnknownToken = 4
	codeNoData       = 5
	codeFormat       = 6
	codeIndex        = 7
	codeInternal     = 8
	codeNoChannel    = 10
	codeBadChannel   = 11
	codeNoEvent      = 12
	codeBlankEvent   = 13
	codeAcksOff      = 14
	codeFields       = 15
	codeQueryToken   = 16
	codeHealthy      = 17
	codeQueueNear    = 24
	codeAcksNear     = 25
	codeCloudChannel = 28
)

// codes has the statuses and texts of HEC's codes. Documented: 0 to 27. Measured: 28, of Splunk Cloud. In no published test has a
// real server answered 18 to 27.
var codes = map[int]struct {
	status int
	text   string
}{
	0:                {http.StatusOK, "Success"},
	codeDisabled:     {http.StatusForbidden, "Token disabled"},
	codeNoToken:      {http.StatusUnauthorized, "Token is required"},
	codeBadHeader:    {http.StatusUnauthorized, "Invalid authorization"},
	codeUnknownToken: {http.StatusForbidden, "Invalid token"},
	codeNoData:       {http.StatusBadRequest, "No data"},
	codeFormat:       {http.StatusBadRequest, "Invalid data format"},
	codeIndex:        {http.StatusBadRequest, "Incorrect index"},
	codeInternal:     {http.StatusInternalServerError, "Internal server error"},
	9:                {http.StatusServiceUnavailable, "Server is busy"},
	codeNoChannel:    {http.StatusBadRequest, "Data channel is missing"},
	codeBadChannel:   {http.StatusBadRequest, "Invalid data channel"},
	codeNoEvent:      {http.StatusBadRequest, "Event field is required"},
	codeBlankEvent:   {http.StatusBadRequest, "Event field cannot be blank"},
	codeAcksOff:      {http.StatusBadRequest, "ACK is disabled"},
	codeFields:       {http.StatusBadRequest, "Error in handling indexed fields"},
	codeQueryToken:   {http.StatusBadRequest, "Query string authorization is not enabled"},
	codeHealthy:      {http.StatusOK, "HEC is healthy"},
	18:               {http.StatusServiceUnavailable, "HEC is unhealthy, queues are full"},
	19:               {http.StatusServiceUnavailable, "HEC is unhealthy, ack service unavailable"},
	20:               {http.StatusServiceUnavailable, "HEC is unhealthy, queues are full, ack service unavailable"},
	21:               {http.StatusBadRequest, "Invalid token"},
	22:               {http.StatusBadRequest, "Token disabled"},
	23:               {http.StatusServiceUnavailable, "Server is shutting down"},
	codeQueueNear:    {http.StatusOK, "Success, queue is approaching its capacity"},
	codeAcksNear:     {http.StatusOK, "Success, acknowledgments are approaching their capacity"},
	26:               {http.StatusTooManyRequests, "Queue is at capacity"},
	27:               {http.StatusTooManyRequests, "Acknowledgments are at capacity"},
	codeCloudChannel: {http.StatusBadRequest, "Data channel is missing"},
}
