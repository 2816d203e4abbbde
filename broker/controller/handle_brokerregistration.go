package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// registerBroker answers BrokerRegistration (62), versions 0 to 4.
//
// A new incarnation (process) of a broker gets a new broker epoch, the offset of
// its registration record, and starts fenced. It is refused while another
// incarnation of the same id has a live session, unless that one is known to be
// dead (succeeds; Kafka always waits for the session to end, up to 9 s in which a
// restarted broker serves nobody). PreviousBrokerEpoch proves that
// the previous incarnation stopped cleanly, with everything on disk; without the
// proof its replicas leave every ISR and ELR, because they may lack records that
// they once had (KIP-966). Leaving also raises leader epochs, without which a
// broker that restarted within its session would resume an old leadership
// (KAFKA-18106). The same incarnation may register again to amend its details.
func (c *Controller) registerBroker(req *kmsg.BrokerRegistrationRequest) kmsg.Response {
	if code := c.checkRegistration(req); code != nil {
		return refuse(req, code)
	}
	id := wire.NodeID(req.BrokerID)
	existing := c.pending.Broker(id)
	record := registrationRecord(req)
	if existing != nil && existing.Incarnation == record.IncarnationID {
		record.BrokerEpoch = existing.Epoch
		record.Fenced, record.InControlledShutdown = existing.Fenced, existing.InControlledShutdown
		c.sessions.of(id).lastContact = c.moment.Now
		c.sessions.of(id).registeredAt = c.nextRecordOffset()
	} else {
		clean := existing != nil && wire.BrokerEpoch(req.PreviousBrokerEpoch) == existing.Epoch
		if clean || c.cfg.Fail.On(failpoint.ZooLastReplicaStanding) {
			c.removeFromISRs(id)
		} else {
			c.removeLostReplicas(id)
		}
		record.BrokerEpoch = wire.BrokerEpoch(c.nextRecordOffset())
		record.Fenced = true
		c.sessions.start(id, c.moment.Now, c.nextRecordOffset())
	}
	c.write(record)
	resp := req.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	resp.BrokerEpoch = int64(record.BrokerEpoch)
	return resp
}

// checkRegistration returns why a registration is refused, or nil.
func (c *Controller) checkRegistration(req *kmsg.BrokerRegistrationRequest) *kerr.Error {
	id := wire.NodeID(req.BrokerID)
	if req.ClusterID != c.cfg.ClusterID {
		return kerr.InconsistentClusterID
	}
	if id < 0 || len(req.Listeners) == 0 || len(req.LogDirs) == 0 {
		return kerr.InvalidRegistration
	}
	if existing := c.pending.Broker(id); existing != nil &&
		existing.Incarnation != req.IncarnationID && c.sessions.valid(id, c.moment.Now) &&
		!existing.InControlledShutdown && !succeeds(req, existing) {
		return kerr.DuplicateBrokerRegistration
	}
	for i, dir := range req.LogDirs {
		if reserved(dir) || slices.Contains(req.LogDirs[:i], dir) {
			return kerr.InvalidRegistration
		}
		for _, b := range c.pending.Brokers() {
			if b.ID != id && slices.Contains(b.LogDirs, wire.UUID(dir)) {
				return kerr.InvalidRegistration
			}
		}
	}
	for _, finalised := range c.pending.Features() {
		supported := slices.ContainsFunc(req.Features, func(f kmsg.BrokerRegistrationRequestFeature) bool {
			return f.Name == finalised.Name && f.MinSupportedVersion <= finalised.Level && finalised.Level <= f.MaxSupportedVersion
		})
		if !supported {
			return kerr.UnsupportedVersion
		}
	}
	return nil
}

// succeeds reports whether a registration shows that the incarnation before it is
// dead, however recently that one was heard of:
//
//   - It names the epoch of that incarnation, which is written at the very end of a
//     clean stop.
//   - It has the same log directories. A process holds a lock on each for as long as
//     it lives, so the one before has let go.
//
// What the second says of nothing but a process is all that is needed: what the
// broker may have lost is decided by the epoch alone, and requests of the previous
// incarnation are fenced by their epoch. If a registration that was long on its way
// overtakes a newer one, the newer finds its epoch stale and registers again. Two
// machines that run copies of one directory would do so to each other for ever.
func succeeds(req *kmsg.BrokerRegistrationRequest, existing *metadata.Broker) bool {
	if wire.BrokerEpoch(req.PreviousBrokerEpoch) == existing.Epoch {
		return true
	}
	for _, dir := range existing.LogDirs {
		if !slices.Contains(req.LogDirs, [16]byte(dir)) {
			return false
		}
	}
	return len(existing.LogDirs) > 0
}

// reserved tells the first hundred ids, which Kafka keeps for special meanings.
func reserved(dir wire.UUID) bool {
	return dir[15] < 100 && wire.UUID(dir) == wire.UUID{15: dir[15]}
}

func registrationRecord(req *kmsg.BrokerRegistrationRequest) *metadata.RegisterBrokerRecord {
	record := &metadata.RegisterBrokerRecord{
		BrokerID:      wire.NodeID(req.BrokerID),
		IncarnationID: req.IncarnationID,
	}
	if req.Rack != nil {
		record.Rack = *req.Rack
	}
	for _, l := range req.Listeners {
		record.Endpoints = append(record.Endpoints, metadata.Endpoint{
			Listener: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: l.SecurityProtocol,
		})
	}
	for _, f := range req.Features {
		record.Features = append(record.Features, metadata.FeatureRange{
			Name: f.Name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion,
		})
	}
	for _, dir := range req.LogDirs {
		record.LogDirs = append(record.LogDirs, dir)
	}
	return record
}

// unregisterBroker answers UnregisterBroker (64), version 0: the cluster forgets a
// broker for good. What its replicas hold no longer counts.
func (c *Controller) unregisterBroker(req *kmsg.UnregisterBrokerRequest) kmsg.Response {
	b := c.pending.Broker(wire.NodeID(req.BrokerID))
	if b == nil {
		return refuse(req, kerr.BrokerIDNotRegistered)
	}
	c.removeLostReplicas(b.ID)
	c.write(&metadata.UnregisterBrokerRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch})
	c.sessions.end(b.ID)
	return req.ResponseKind()
}
