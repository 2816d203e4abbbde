package controller

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Records, answers and images in words.

// errorName is the protocol's name of an error code.
func errorName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return strings.SplitN(kerr.ErrorForCode(code).Error(), ":", 2)[0]
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return ": " + *s
}

// replies writes one line per answer.
func (s *story) replies(b *strings.Builder, replies []Reply) {
	for _, r := range replies {
		for _, line := range answer(r.Response) {
			fmt.Fprintf(b, "< %s\n", line)
		}
	}
}

func answer(resp kmsg.Response) []string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch r := resp.(type) {
	case *kmsg.BrokerRegistrationResponse:
		say("%s, broker epoch %d", errorName(r.ErrorCode), r.BrokerEpoch)
	case *kmsg.BrokerHeartbeatResponse:
		say("%s, caught up %t, fenced %t, stop %t", errorName(r.ErrorCode), r.IsCaughtUp, r.IsFenced, r.ShouldShutdown)
	case *kmsg.UnregisterBrokerResponse:
		say("%s", errorName(r.ErrorCode))
	case *kmsg.CreateTopicsResponse:
		for _, t := range r.Topics {
			say("%s: %s%s", t.Topic, errorName(t.ErrorCode), text(t.ErrorMessage))
			for _, e := range t.Configs {
				if e.Source != 5 {
					say("%s: %s=%s from source %d", t.Topic, e.Name, *e.Value, e.Source)
				}
			}
		}
	case *kmsg.DeleteTopicsResponse:
		for _, t := range r.Topics {
			say("%s%s", errorName(t.ErrorCode), text(t.ErrorMessage))
		}
	case *kmsg.CreatePartitionsResponse:
		for _, t := range r.Topics {
			say("%s: %s%s", t.Topic, errorName(t.ErrorCode), text(t.ErrorMessage))
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, t := range r.Resources {
			say("%s%s", errorName(t.ErrorCode), text(t.ErrorMessage))
		}
	case *kmsg.AlterPartitionResponse:
		if r.ErrorCode != 0 {
			say("%s", errorName(r.ErrorCode))
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					say("partition %d: %s", p.Partition, errorName(p.ErrorCode))
					continue
				}
				say("partition %d: ok, leader %d isr %v epochs %d/%d", p.Partition, p.LeaderID, p.ISR, p.LeaderEpoch, p.PartitionEpoch)
			}
		}
	case *kmsg.ElectLeadersResponse:
		if r.ErrorCode != 0 {
			say("%s", errorName(r.ErrorCode))
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				say("%s-%d: %s", t.Topic, p.Partition, errorName(p.ErrorCode))
			}
		}
	case *kmsg.AllocateProducerIDsResponse:
		say("%s, %d ids from %d", errorName(r.ErrorCode), r.ProducerIDLen, r.ProducerIDStart)
	case *kmsg.ListPartitionReassignmentsResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				say("%s-%d: replicas %v, adding %v, removing %v", t.Topic, p.Partition, p.Replicas, p.AddingReplicas, p.RemovingReplicas)
			}
		}
	case *kmsg.AlterPartitionAssignmentsResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				say("%s-%d: %s%s", t.Topic, p.Partition, errorName(p.ErrorCode), text(p.ErrorMessage))
			}
		}
	case *kmsg.UpdateFeaturesResponse:
		if r.Version >= 2 {
			say("%s%s", errorName(r.ErrorCode), text(r.ErrorMessage))
		}
		for _, f := range r.Results {
			say("%s: %s%s", f.Feature, errorName(f.ErrorCode), text(f.ErrorMessage))
		}
	default:
		say("%T", resp)
	}
	return lines
}

// record writes a record in words. Topic ids are told as names.
func (s *story) record(r metadata.Record) string {
	topic := func(id wire.UUID) string {
		for _, old := range s.log {
			if t, ok := old.(*metadata.TopicRecord); ok && t.TopicID == id {
				return t.Name
			}
		}
		return "new topic"
	}
	switch r := r.(type) {
	case *metadata.FeatureLevelRecord:
		return fmt.Sprintf("feature %s at level %d", r.Name, r.Level)
	case *metadata.RegisterBrokerRecord:
		return fmt.Sprintf("broker %d registered, epoch %d, fenced %t", r.BrokerID, r.BrokerEpoch, r.Fenced)
	case *metadata.UnregisterBrokerRecord:
		return fmt.Sprintf("broker %d unregistered", r.BrokerID)
	case *metadata.BrokerRegistrationChangeRecord:
		switch {
		case r.InControlledShutdown == metadata.SetTrue:
			return fmt.Sprintf("broker %d in controlled shutdown", r.BrokerID)
		case r.Fenced == metadata.SetTrue:
			return fmt.Sprintf("broker %d fenced", r.BrokerID)
		}
		return fmt.Sprintf("broker %d unfenced", r.BrokerID)
	case *metadata.TopicRecord:
		return fmt.Sprintf("topic %s", r.Name)
	case *metadata.RemoveTopicRecord:
		return fmt.Sprintf("topic %s removed", topic(r.TopicID))
	case *metadata.PartitionRecord:
		return fmt.Sprintf("%s-%d: replicas %v, isr %v, leader %d", topic(r.TopicID), r.PartitionID, r.Replicas, r.ISR, r.Leader)
	case *metadata.PartitionChangeRecord:
		var parts []string
		add := func(name string, ids []wire.NodeID) {
			if ids != nil {
				parts = append(parts, fmt.Sprintf("%s %v", name, ids))
			}
		}
		if r.Leader != metadata.NoLeaderChange {
			parts = append(parts, fmt.Sprintf("leader %d", r.Leader))
		}
		add("isr", r.ISR)
		add("elr", r.ELR)
		add("last known", r.LastKnownELR)
		add("replicas", r.Replicas)
		add("adding", r.AddingReplicas)
		add("removing", r.RemovingReplicas)
		if r.LeaderRecoveryState != metadata.NoRecoveryChange {
			parts = append(parts, r.LeaderRecoveryState.String())
		}
		if r.Empty() {
			parts = append(parts, "new partition epoch")
		}
		return fmt.Sprintf("%s-%d: %s", topic(r.TopicID), r.PartitionID, strings.Join(parts, ", "))
	case *metadata.ConfigRecord:
		if r.Value == nil {
			return fmt.Sprintf("config %s %q: %s deleted", r.Resource.Type, r.Resource.Name, r.Name)
		}
		return fmt.Sprintf("config %s %q: %s=%s", r.Resource.Type, r.Resource.Name, r.Name, *r.Value)
	case *metadata.ProducerIDsRecord:
		return fmt.Sprintf("next producer id %d", r.NextProducerID)
	case *metadata.NoOpRecord:
		return "nothing"
	}
	return fmt.Sprintf("%T", r)
}

func (s *story) show(m *metadata.Image) string {
	var b strings.Builder
	for _, br := range m.Brokers() {
		state := "live"
		switch {
		case br.Fenced:
			state = "fenced"
		case br.InControlledShutdown:
			state = "stopping"
		}
		fmt.Fprintf(&b, "broker %d: epoch %d, %s\n", br.ID, br.Epoch, state)
	}
	for _, t := range m.Topics() {
		for _, p := range t.Partitions {
			fmt.Fprintf(&b, "%s-%d: leader %d, isr %v", t.Name, p.Index, p.Leader, p.ISR)
			for _, l := range []struct {
				name string
				ids  []wire.NodeID
			}{{"replicas", p.Replicas}, {"elr", p.ELR}, {"last known", p.LastKnownELR}, {"adding", p.Adding}, {"removing", p.Removing}} {
				if len(l.ids) > 0 {
					fmt.Fprintf(&b, ", %s %v", l.name, l.ids)
				}
			}
			if p.RecoveryState != metadata.Recovered {
				fmt.Fprintf(&b, ", %s", p.RecoveryState)
			}
			fmt.Fprintf(&b, ", epochs %d/%d\n", p.LeaderEpoch, p.Epoch)
		}
	}
	return b.String()
}
