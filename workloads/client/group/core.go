package group

import (
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// Core decides everything that a group's member does besides reading records.
type Core struct {
	cfg Config
}

// Request is a request that the core wants sent.
type Request struct {
	attempt.Request
	// Timeout is longer than the ordinary one for a join, which waits for other
	// members; 0 for the ordinary one.
	Timeout time.Duration
}

// New returns the core of a member that subscribes to nothing. rng gives jitter and the
// member id of the consumer protocol.
func New(cfg Config, meta *cluster.Metadata, rng *rand.Rand) *Core { return &Core{cfg: cfg} }

// Subscribe replaces the topics.
func (c *Core) Subscribe(now int64, topics []string) { panic("not yet") }

// Polling says whether the script is polling from now on. While it is, changes of the
// assignment can be made; while it is not, max.poll.interval.ms runs.
func (c *Core) Polling(now int64, polling bool) { panic("not yet") }

// Change is what the script has to hear of, nil if there is nothing. After it has,
// Changed must be called, and before that it stays the same.
func (c *Core) Change() *Change { panic("not yet") }

// Changed says that the script has heard of the change, and the consumer has made it.
func (c *Core) Changed(now int64) { panic("not yet") }

// Owned are the partitions that the script holds, sorted.
func (c *Core) Owned() []wire.TopicPartition { panic("not yet") }

// Member is who the member is at the moment.
func (c *Core) Member() Member { panic("not yet") }

// Commit begins to commit. Its result comes from Commits. With retry it is attempted
// until Config.Timeout, else once.
func (c *Core) Commit(now int64, offsets Offsets, retry bool) CommitID { panic("not yet") }

// Commits takes the results of commits.
func (c *Core) Commits() []Commit { panic("not yet") }

// Fetch begins to read committed offsets. The result comes from Fetches.
func (c *Core) Fetch(now int64, tps []wire.TopicPartition) FetchID { panic("not yet") }

// Fetches takes the results of reading committed offsets.
func (c *Core) Fetches() []Fetched { panic("not yet") }

// Leave begins to leave the group for good: partitions are revoked (Change), then the
// coordinator is told. A static member of a classic group only stops.
func (c *Core) Leave(now int64) { panic("not yet") }

// Over tells whether the member has left for good, or failed.
func (c *Core) Over() bool { panic("not yet") }

// Err is why the member has failed for good, else nil.
func (c *Core) Err() error { panic("not yet") }

// Events takes what has happened since the last call.
func (c *Core) Events() []Event { panic("not yet") }

// Poll moves time forward and gives the requests to send now.
func (c *Core) Poll(now int64) []Request { panic("not yet") }

// Deadline is when Poll must be called next if nothing is put in before, in ns.
func (c *Core) Deadline() int64 { panic("not yet") }

// OnResponse takes the answer to a request of this core.
func (c *Core) OnResponse(now int64, id attempt.ID, resp kmsg.Response) { panic("not yet") }

// OnFailure tells that a request ended without a usable answer; err is one of package
// attempt's.
func (c *Core) OnFailure(now int64, id attempt.ID, err error) { panic("not yet") }
