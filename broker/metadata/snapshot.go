package metadata

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
// its image by a snapshot. The images must not be changed afterwards through
// anything but the delta.
func Diff(before, after *Image) *Delta {
	d := NewDelta(after)
	for _, b := range before.brokers {
		d.noteBroker(b.ID, b)
	}
	for _, b := range after.brokers {
		d.noteBroker(b.ID, nil)
	}
	for _, t := range before.topics {
		if after.byID[t.ID] == nil {
			d.noteTopicDeleted(t)
		}
		for _, p := range t.Partitions {
			d.notePartition(p.TopicIDPartition(), p)
		}
	}
	for _, t := range after.topics {
		if before.byID[t.ID] == nil {
			d.noteTopicCreated(t)
		}
		for _, p := range t.Partitions {
			d.notePartition(p.TopicIDPartition(), nil)
		}
	}
	for _, r := range before.ConfigResources() {
		d.noteConfig(r)
	}
	for _, r := range after.ConfigResources() {
		d.noteConfig(r)
	}
	d.noteFeatures()
	return d
}
