package metadata

import (
	"errors"
	"fmt"
	"slices"

	"odradek/broker/wire"
)

// ErrInconsistent is wrapped by [Image.Apply] for a record that does not fit what
// came before it: the log is damaged, or the image was fed out of order.
var ErrInconsistent = errors.New("metadata record does not fit the image")

// Apply replays one record. After an error the image is unchanged.
func (m *Image) Apply(r Record) error { return m.apply(r, nil) }

// apply replays one record and notes in d, if not nil, what it replaced.
func (m *Image) apply(r Record, d *Delta) error {
	switch r := r.(type) {
	case *RegisterBrokerRecord:
		if r.BrokerID < 0 {
			return fmt.Errorf("%w: register broker %d", ErrInconsistent, r.BrokerID)
		}
		m.setBroker(d, &Broker{
			ID: r.BrokerID, Epoch: r.BrokerEpoch, Incarnation: r.IncarnationID,
			Endpoints: r.Endpoints, Features: r.Features, Rack: r.Rack,
			Fenced: r.Fenced, InControlledShutdown: r.InControlledShutdown, LogDirs: r.LogDirs,
		})
	case *UnregisterBrokerRecord:
		b, err := m.registered(r.BrokerID, r.BrokerEpoch)
		if err != nil {
			return err
		}
		d.noteBroker(b.ID, b)
		i, _ := m.brokerIndex(b.ID)
		m.brokers = slices.Delete(m.brokers, i, i+1)
	case *FenceBrokerRecord:
		return m.changeBroker(d, r.BrokerID, r.BrokerEpoch, func(b *Broker) { b.Fenced = true })
	case *UnfenceBrokerRecord:
		return m.changeBroker(d, r.BrokerID, r.BrokerEpoch, func(b *Broker) { b.Fenced = false })
	case *BrokerRegistrationChangeRecord:
		return m.applyRegistrationChange(r, d)
	case *TopicRecord:
		return m.applyTopic(r, d)
	case *RemoveTopicRecord:
		return m.applyRemoveTopic(r, d)
	case *PartitionRecord:
		return m.applyPartition(r, d)
	case *PartitionChangeRecord:
		return m.applyPartitionChange(r, d)
	case *ConfigRecord:
		m.applyConfig(r, d)
	case *FeatureLevelRecord:
		if r.Level < 0 {
			return fmt.Errorf("%w: feature %q at level %d", ErrInconsistent, r.Name, r.Level)
		}
		d.noteFeatures()
		if r.Level == 0 {
			delete(m.features, r.Name)
		} else {
			m.features[r.Name] = r.Level
		}
	case *ProducerIDsRecord:
		if r.NextProducerID < m.nextProducerID {
			return fmt.Errorf("%w: next producer id %d after %d", ErrInconsistent, r.NextProducerID, m.nextProducerID)
		}
		m.nextProducerID, m.producerIDsBy, m.producerEpoch = r.NextProducerID, r.BrokerID, r.BrokerEpoch
	case *NoOpRecord:
	default:
		return fmt.Errorf("%w: type %d", ErrUnknownRecord, r.Type())
	}
	return nil
}

// registered returns the broker if its current registration has this epoch.
func (m *Image) registered(id wire.NodeID, epoch wire.BrokerEpoch) (*Broker, error) {
	b := m.Broker(id)
	if b == nil {
		return nil, fmt.Errorf("%w: broker %d is not registered", ErrInconsistent, id)
	}
	if b.Epoch != epoch {
		return nil, fmt.Errorf("%w: broker %d has epoch %d, not %d", ErrInconsistent, id, b.Epoch, epoch)
	}
	return b, nil
}

func (m *Image) setBroker(d *Delta, b *Broker) {
	i, ok := m.brokerIndex(b.ID)
	if ok {
		d.noteBroker(b.ID, m.brokers[i])
		m.brokers[i] = b
		return
	}
	d.noteBroker(b.ID, nil)
	m.brokers = slices.Insert(m.brokers, i, b)
}

func (m *Image) changeBroker(d *Delta, id wire.NodeID, epoch wire.BrokerEpoch, change func(*Broker)) error {
	b, err := m.registered(id, epoch)
	if err != nil {
		return err
	}
	c := *b
	change(&c)
	m.setBroker(d, &c)
	return nil
}

func (m *Image) applyRegistrationChange(r *BrokerRegistrationChangeRecord, d *Delta) error {
	if r.Fenced < SetFalse || r.Fenced > SetTrue || r.InControlledShutdown < NoChange || r.InControlledShutdown > SetTrue {
		return fmt.Errorf("%w: change of broker %d with fenced %d and inControlledShutdown %d",
			ErrInconsistent, r.BrokerID, r.Fenced, r.InControlledShutdown)
	}
	return m.changeBroker(d, r.BrokerID, r.BrokerEpoch, func(b *Broker) {
		if r.Fenced != NoChange {
			b.Fenced = r.Fenced == SetTrue
		}
		if r.InControlledShutdown == SetTrue {
			b.InControlledShutdown = true
		}
		if len(r.LogDirs) > 0 {
			b.LogDirs = r.LogDirs
		}
	})
}

func (m *Image) applyTopic(r *TopicRecord, d *Delta) error {
	if m.byName[r.Name] != nil || m.byID[r.TopicID] != nil {
		return fmt.Errorf("%w: topic %q (%s) exists", ErrInconsistent, r.Name, r.TopicID)
	}
	t := &Topic{Name: r.Name, ID: r.TopicID}
	i, _ := m.topicIndex(r.Name)
	m.topics = slices.Insert(m.topics, i, t)
	m.byName[t.Name], m.byID[t.ID] = t, t
	d.noteTopicCreated(t)
	return nil
}

func (m *Image) applyRemoveTopic(r *RemoveTopicRecord, d *Delta) error {
	t := m.byID[r.TopicID]
	if t == nil {
		return fmt.Errorf("%w: no topic %s to remove", ErrInconsistent, r.TopicID)
	}
	for _, p := range t.Partitions {
		d.notePartition(p.TopicIDPartition(), p)
	}
	d.noteTopicDeleted(t)
	i, _ := m.topicIndex(t.Name)
	m.topics = slices.Delete(m.topics, i, i+1)
	delete(m.byName, t.Name)
	delete(m.byID, t.ID)
	m.partitions -= len(t.Partitions)
	res := Resource{TopicResource, t.Name}
	if _, ok := m.configs[res]; ok {
		d.noteConfig(res)
		delete(m.configs, res)
	}
	return nil
}

func (m *Image) applyPartition(r *PartitionRecord, d *Delta) error {
	t := m.byID[r.TopicID]
	if t == nil {
		return fmt.Errorf("%w: partition %d of unknown topic %s", ErrInconsistent, r.PartitionID, r.TopicID)
	}
	// Indexes come in order; refusing gaps keeps a damaged record from making us
	// allocate two billion partitions.
	if r.PartitionID < 0 || int(r.PartitionID) > len(t.Partitions) {
		return fmt.Errorf("%w: partition %d of topic %q, which has %d", ErrInconsistent, r.PartitionID, t.Name, len(t.Partitions))
	}
	p := newPartition(t.Name, r)
	if err := p.check(); err != nil {
		return err
	}
	if int(r.PartitionID) == len(t.Partitions) {
		d.notePartition(p.TopicIDPartition(), nil)
		t.Partitions = append(t.Partitions, p)
		m.partitions++
		return nil
	}
	d.notePartition(p.TopicIDPartition(), t.Partitions[r.PartitionID])
	t.Partitions[r.PartitionID] = p
	return nil
}

func (m *Image) applyPartitionChange(r *PartitionChangeRecord, d *Delta) error {
	old := m.PartitionByID(r.TopicID, r.PartitionID)
	if old == nil {
		return fmt.Errorf("%w: change of unknown partition %s-%d", ErrInconsistent, r.TopicID, r.PartitionID)
	}
	p := old.with(r)
	if err := p.check(); err != nil {
		return err
	}
	d.notePartition(p.TopicIDPartition(), old)
	m.byID[r.TopicID].Partitions[r.PartitionID] = p
	return nil
}

// check refuses a partition that breaks the rules every reader relies on.
func (p *Partition) check() error {
	bad := ""
	switch {
	case len(p.Replicas) == 0:
		bad = "no replicas"
	case p.Leader < wire.NoNode:
		bad = fmt.Sprintf("leader %d", p.Leader)
	case p.Leader != wire.NoNode && !p.InISR(p.Leader):
		bad = fmt.Sprintf("leader %d outside the ISR %v", p.Leader, p.ISR)
	case !subset(p.ISR, p.Replicas) || !subset(p.ELR, p.Replicas):
		bad = fmt.Sprintf("ISR %v or ELR %v outside the replicas %v", p.ISR, p.ELR, p.Replicas)
	case len(p.Directories) != 0 && len(p.Directories) != len(p.Replicas):
		bad = fmt.Sprintf("%d directories for %d replicas", len(p.Directories), len(p.Replicas))
	case p.RecoveryState != Recovered && p.RecoveryState != Recovering:
		bad = fmt.Sprintf("leader recovery state %d", p.RecoveryState)
	}
	if bad == "" {
		return nil
	}
	return fmt.Errorf("%w: partition %s-%d with %s", ErrInconsistent, p.Topic, p.Index, bad)
}

func subset(of, all []wire.NodeID) bool {
	for _, id := range of {
		if !slices.Contains(all, id) {
			return false
		}
	}
	return true
}

func (m *Image) applyConfig(r *ConfigRecord, d *Delta) {
	d.noteConfig(r.Resource)
	set := m.configs[r.Resource]
	if r.Value == nil {
		delete(set, r.Name)
		if len(set) == 0 {
			delete(m.configs, r.Resource)
		}
		return
	}
	if set == nil {
		set = make(map[string]string)
		m.configs[r.Resource] = set
	}
	set[r.Name] = *r.Value
}
