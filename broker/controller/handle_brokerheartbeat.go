package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// heartbeat answers BrokerHeartbeat (63), versions 0 to 1. Offline directories are
// ignored. States of a broker and what a heartbeat makes of them:
//
//	fenced   --wants shutdown------------------------------> stopped (told to stop)
//	fenced   --wants no fence, replayed its registration---> unfenced
//	unfenced --wants fence---------------------------------> fenced
//	unfenced --wants shutdown, leads nothing---------------> stopped
//	unfenced --wants shutdown, leads something-------------> stopping (leaders move away)
//	stopping --leads nothing, the others know--------------> stopped
//
// "Stopped" is a fenced broker in the image. Why "the others know": a broker must
// not go while clients may still be sent to it by brokers with older metadata.
func (c *Controller) heartbeat(req *kmsg.BrokerHeartbeatRequest) kmsg.Response {
	b, code := c.registered(req.BrokerID, req.BrokerEpoch)
	if code != nil {
		return refuse(req, code)
	}
	s := c.sessions.of(b.ID)
	s.lastContact, s.over = c.moment.Now, false
	s.replayed = max(s.replayed, wire.Offset(req.CurrentMetadataOffset))
	caughtUp := s.replayed >= s.registeredAt

	stop := false
	switch {
	case b.Fenced && req.WantShutdown:
		stop = true
	case b.Fenced:
		if !req.WantFence && caughtUp {
			c.unfence(b)
		}
	case b.InControlledShutdown:
		stop = c.advanceShutdown(b, s)
	case req.WantFence:
		c.fence(b)
		stop = req.WantShutdown
	case req.WantShutdown:
		if !c.leads(b.ID) {
			c.fence(b)
			stop = true
			break
		}
		c.removeFromISRs(b.ID)
		c.write(&metadata.BrokerRegistrationChangeRecord{
			BrokerID: b.ID, BrokerEpoch: b.Epoch, InControlledShutdown: metadata.SetTrue,
		})
		s.shutdownAt = c.nextRecordOffset() - 1
	}
	// The process will exit: its successor need not wait for the session to end.
	s.over = stop

	resp := req.ResponseKind().(*kmsg.BrokerHeartbeatResponse)
	resp.IsCaughtUp = caughtUp
	resp.IsFenced = c.pending.Broker(b.ID).Fenced
	resp.ShouldShutdown = stop
	return resp
}

// advanceShutdown takes a broker in controlled shutdown further, and reports
// whether it may stop.
func (c *Controller) advanceShutdown(b *metadata.Broker, s *session) bool {
	c.removeFromISRs(b.ID)
	if len(c.batch) > 0 {
		s.shutdownAt = c.nextRecordOffset() - 1
	}
	if c.leads(b.ID) || c.sessions.lowestReplayed(c.pending) < s.shutdownAt {
		return false
	}
	c.fence(b)
	return true
}

// registered finds a broker by a request's id and epoch.
func (c *Controller) registered(id int32, epoch int64) (*metadata.Broker, *kerr.Error) {
	b := c.pending.Broker(wire.NodeID(id))
	if b == nil || b.Epoch != wire.BrokerEpoch(epoch) {
		return nil, kerr.StaleBrokerEpoch
	}
	return b, nil
}
