package wire

// MaxTopicName is the longest legal topic name, in bytes.
const MaxTopicName = 249

// ValidateTopicName returns nil or why Kafka refuses the name
// (INVALID_TOPIC_EXCEPTION).
func ValidateTopicName(name string) error { return nil }

// TopicNamesCollide reports whether two different names share their metric name,
// in which '.' becomes '_'. Creating such a topic is refused.
func TopicNamesCollide(a, b string) bool { return false }
