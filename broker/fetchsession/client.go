package fetchsession

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Client is a client's half of its session with one broker. At most one request may
// be under way.
type Client struct {
	id    int32
	epoch int32
	// sent is what the server takes to be in the session, or was last asked in full,
	// in the order in which it was added.
	sent  map[Key]sent
	order []Key
	round int64 // counts the requests built
}

type sent struct {
	Partition
	round int64 // the last request that wanted it
}

// NewClient has no session yet.
func NewClient() *Client { return &Client{sent: make(map[Key]sent)} }

// ClientRequest is what to put into a Fetch request.
type ClientRequest struct {
	SessionID  int32
	Epoch      int32
	Partitions []Partition
	Forgotten  []Key
}

// Build makes the next request, to fetch exactly want, which names no partition twice:
// all of it if there is no session, else what differs from the last request. A topic that got a new id is
// another topic: its old one is forgotten.
func (c *Client) Build(want []Partition) ClientRequest {
	r := ClientRequest{SessionID: c.id, Epoch: c.epoch}
	if c.epoch == NewSession {
		clear(c.sent)
		c.order = c.order[:0]
	}
	c.round++
	for _, p := range want {
		old, known := c.sent[p.Key]
		c.sent[p.Key] = sent{p, c.round}
		if !known {
			c.order = append(c.order, p.Key)
		}
		if !known || old.Partition != p {
			r.Partitions = append(r.Partitions, p)
		}
	}
	if len(want) < len(c.sent) {
		c.order = slices.DeleteFunc(c.order, func(k Key) bool {
			if c.sent[k].round == c.round {
				return false
			}
			delete(c.sent, k)
			r.Forgotten = append(r.Forgotten, k)
			return true
		})
	}
	return r
}

// OnResponse takes a response: its session id and error, and the partitions in it. It
// reports whether the response may be used; if not, the next request is a full one.
func (c *Client) OnResponse(sessionID int32, err *kerr.Error, got []Key) bool {
	switch {
	case err == kerr.FetchSessionIDNotFound:
		c.id, c.epoch = 0, NewSession
		return false
	case err != nil || !c.answers(got):
		c.Forget()
		return false
	case sessionID == 0: // no slot for us, or the session became empty
		c.id, c.epoch = 0, NewSession
	case c.epoch != NewSession && sessionID != c.id:
		c.Forget()
		return false
	default:
		c.id, c.epoch = sessionID, nextEpoch(c.epoch)
	}
	return true
}

// answers reports whether the partitions are what was asked for: all of it if in full,
// else any part of the session.
func (c *Client) answers(got []Key) bool {
	for _, k := range got {
		if _, ok := c.sent[k]; !ok {
			return false
		}
	}
	return c.epoch != NewSession || len(got) == len(c.sent)
}

// Forget makes the next request a full one, which closes the session that we have: call
// it when no response came, or when a partition in it was not used.
func (c *Client) Forget() { c.epoch = NewSession }

// SessionID is the session's id, or 0.
func (c *Client) SessionID() int32 { return c.id }

// Close makes a request that ends the session and fetches nothing, and forgets it;
// false if there is none to end.
func (c *Client) Close() (ClientRequest, bool) {
	r := ClientRequest{SessionID: c.id, Epoch: NoSession}
	had := c.id != 0
	c.id, c.epoch = 0, NewSession
	return r, had
}
