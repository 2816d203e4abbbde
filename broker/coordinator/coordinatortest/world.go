package coordinatortest

import (
	"odradek/broker/config"
	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Configure changes a config of the broker while it runs.
func (s *Story) Configure(name, value string) {
	s.configs[name] = value
	layers := config.Layers{Static: s.configs}
	b, err := layers.BrokerConfig()
	if err != nil {
		s.Fatal(err)
	}
	*s.Broker = *b
}

// Apply changes the metadata; the shard hears of it with MetadataChanged.
func (s *Story) Apply(r metadata.Record) {
	if err := s.Image.Apply(r); err != nil {
		s.Fatal(err)
	}
}

// MetadataChanged tells the shard of the metadata.
func (s *Story) MetadataChanged() { s.Take(s.Shard.MetadataChanged(s.Moment())) }

// CreateTopic applies a topic of four partitions. Its id is the number of topics until then.
func (s *Story) CreateTopic(name string) {
	s.topics++
	s.Apply(&metadata.TopicRecord{Name: name, TopicID: wire.UUID{15: byte(s.topics)}})
	for range 4 {
		s.GrowTopic(name)
	}
}

// GrowTopic applies one more partition of a topic.
func (s *Story) GrowTopic(name string) {
	topic := s.Image.Topic(name)
	s.Apply(&metadata.PartitionRecord{TopicID: topic.ID, PartitionID: int32(len(topic.Partitions)), Replicas: []wire.NodeID{1}, ISR: []wire.NodeID{1}, Leader: 1})
}

// DropTopic applies that a topic is deleted.
func (s *Story) DropTopic(name string) {
	s.Apply(&metadata.RemoveTopicRecord{TopicID: s.Image.Topic(name).ID})
}

// Do carries out a directive about the world, false if it is none:
//
//	pass 5s
//	hold, release              stop committing; commit everything held
//	drop-topic t, create-topic t, replace-topic t, grow-topic t
//	config name=value, fail name [value]
func (s *Story) Do(a Args) bool {
	switch a.Cmd {
	case "pass":
		s.Pass(a.ParseDuration(a.Who()))
	case "hold":
		s.Held = true
	case "release":
		s.Held = false
		s.Commit()
	case "drop-topic":
		s.DropTopic(a.Who())
		s.MetadataChanged()
	case "create-topic":
		s.CreateTopic(a.Who())
		s.MetadataChanged()
	case "replace-topic":
		s.DropTopic(a.Who())
		s.CreateTopic(a.Who())
		s.MetadataChanged()
	case "grow-topic":
		s.GrowTopic(a.Who())
		s.MetadataChanged()
	case "config":
		for _, c := range a.CmdArgs {
			s.Configure(c.Key, c.Vals[0])
		}
	case "fail":
		terms := "return"
		if bare := a.Bare(); len(bare) > 1 {
			terms = `return("` + bare[1] + `")`
		}
		if err := s.Fail.Arm(failpoint.Name(a.Who()), terms); err != nil {
			s.Fatal(err)
		}
	default:
		return false
	}
	return true
}
