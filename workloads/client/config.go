package client

import (
	"time"

	"odradek/workloads/client/attempt"
)

// Config is what all clients have in common. Start from [DefaultConfig].
type Config struct {
	// ClientID is sent with every request and names the client's random streams,
	// so it should be unique within an env.
	ClientID string
	// Bootstrap are addresses ("host:port") to learn the cluster from, at first and
	// whenever no known broker answers.
	Bootstrap []string
	// DialTimeout bounds connection establishment
	// (socket.connection.setup.timeout.ms).
	DialTimeout time.Duration
	// RequestTimeout is how long an answer may take before the connection is given
	// up (request.timeout.ms). Producers have their own.
	RequestTimeout time.Duration
	// Reconnect is the back-off between attempts to connect to one broker.
	Reconnect attempt.Backoff
	// Retry is the back-off of metadata and admin requests.
	Retry attempt.Backoff
	// MetadataMaxAge forces a refresh (metadata.max.age.ms).
	MetadataMaxAge time.Duration
	// Observer sees every request and its end; nil for none.
	Observer Observer
}

// DefaultConfig is what Java clients have by default.
func DefaultConfig(clientID string, bootstrap ...string) Config {
	return Config{
		ClientID:       clientID,
		Bootstrap:      bootstrap,
		DialTimeout:    10 * time.Second,
		RequestTimeout: 30 * time.Second,
		Reconnect:      attempt.Backoff{Initial: 50 * time.Millisecond, Max: time.Second},
		Retry:          attempt.Backoff{Initial: 100 * time.Millisecond, Max: time.Second},
		MetadataMaxAge: 5 * time.Minute,
	}
}
