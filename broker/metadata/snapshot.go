package metadata

import "slices"

// Records lists the records that rebuild the image from an empty one: feature
// levels first (metadata.version leading, as in Kafka's snapshots), then brokers
// by id, topics by name with their partitions by index, configs by resource and
// name, and the next producer id.
func (m *Image) Records() []Record {
	records := make([]Record, 0, len(m.features)+len(m.brokers)+len(m.topics)+m.partitions+len(m.configs)+1)
	if level := m.FeatureLevel(MetadataVersion); level > 0 {
		records = append(records, &FeatureLevelRecord{Name: MetadataVersion, Level: level})
	}
	for _, f := range m.Features() {
		if f.Name != MetadataVersion {
			records = append(records, &FeatureLevelRecord{Name: f.Name, Level: f.Level})
		}
	}
	for _, b := range m.brokers {
		records = append(records, b.Record())
	}
	for _, t := range m.topics {
		records = append(records, &TopicRecord{Name: t.Name, TopicID: t.ID})
		for _, p := range t.Partitions {
			records = append(records, p.Record())
		}
	}
	for _, r := range m.ConfigResources() {
		for _, e := range m.Configs(r) {
			records = append(records, &ConfigRecord{Resource: r, Name: e.Name, Value: &e.Value})
		}
	}
	if m.nextProducerID > 0 {
		records = append(records, &ProducerIDsRecord{
			BrokerID: m.producerIDsBy, BrokerEpoch: m.producerEpoch, NextProducerID: m.nextProducerID,
		})
	}
	return records
}

// Record states the registration in full.
func (b *Broker) Record() *RegisterBrokerRecord {
	return &RegisterBrokerRecord{
		BrokerID: b.ID, BrokerEpoch: b.Epoch, IncarnationID: b.Incarnation,
		Endpoints: b.Endpoints, Features: b.Features, Rack: b.Rack,
		Fenced: b.Fenced, InControlledShutdown: b.InControlledShutdown, LogDirs: b.LogDirs,
	}
}

// Diff returns the delta that turns before into after, for a node that replaces
// its image by a snapshot. What is the same in both is not in it, although it is
// not the same value. Neither image may be changed afterwards, but for after
// through the delta.
func Diff(before, after *Image) *Delta {
	d := NewDelta(after)
	for _, old := range before.brokers {
		if now := after.Broker(old.ID); now == nil || !now.same(old) {
			d.noteBroker(old.ID, old)
		}
	}
	for _, now := range after.brokers {
		if before.Broker(now.ID) == nil {
			d.noteBroker(now.ID, nil)
		}
	}
	for _, t := range before.topics {
		if after.byID[t.ID] == nil {
			d.noteTopicDeleted(t)
		}
		for _, old := range t.Partitions {
			// The partition epoch changes with everything else in a partition.
			if now := after.PartitionByID(old.TopicID, old.Index); now == nil || now.Epoch != old.Epoch {
				d.notePartition(old.TopicIDPartition(), old)
			}
		}
	}
	for _, t := range after.topics {
		if before.byID[t.ID] == nil {
			d.noteTopicCreated(t)
		}
		for _, now := range t.Partitions {
			if before.PartitionByID(now.TopicID, now.Index) == nil {
				d.notePartition(now.TopicIDPartition(), nil)
			}
		}
	}
	for _, r := range slices.Concat(before.ConfigResources(), after.ConfigResources()) {
		if !slices.Equal(before.Configs(r), after.Configs(r)) {
			d.noteConfig(r)
		}
	}
	if !slices.Equal(before.Features(), after.Features()) {
		d.noteFeatures()
	}
	return d
}

// same compares what can change; an epoch fixes the incarnation, but a process may
// amend its registration under the same epoch.
func (b *Broker) same(o *Broker) bool {
	return b.Epoch == o.Epoch && b.Incarnation == o.Incarnation && b.Rack == o.Rack && b.Fenced == o.Fenced &&
		b.InControlledShutdown == o.InControlledShutdown && slices.Equal(b.Endpoints, o.Endpoints) &&
		slices.Equal(b.Features, o.Features) && slices.Equal(b.LogDirs, o.LogDirs)
}
