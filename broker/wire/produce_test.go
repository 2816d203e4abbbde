package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestProduceResponsesAreThoseOfKmsg(t *testing.T) {
	for version := int16(0); version <= 13; version++ {
		for what, change := range map[string]func(*kmsg.ProduceResponse, *kmsg.ProduceResponseTopicPartition){
			"plain": func(*kmsg.ProduceResponse, *kmsg.ProduceResponseTopicPartition) {},
			"refused": func(_ *kmsg.ProduceResponse, p *kmsg.ProduceResponseTopicPartition) {
				p.ErrorCode, p.BaseOffset = 7, -1
			},
			"in words": func(_ *kmsg.ProduceResponse, p *kmsg.ProduceResponseTopicPartition) {
				p.ErrorMessage = kmsg.StringPtr("no")
			},
			"records": func(_ *kmsg.ProduceResponse, p *kmsg.ProduceResponseTopicPartition) {
				p.ErrorRecords = append(p.ErrorRecords, kmsg.NewProduceResponseTopicPartitionErrorRecord())
			},
			"leader": func(_ *kmsg.ProduceResponse, p *kmsg.ProduceResponseTopicPartition) { p.CurrentLeader.LeaderID = 2 },
			"epoch":  func(_ *kmsg.ProduceResponse, p *kmsg.ProduceResponseTopicPartition) { p.CurrentLeader.LeaderEpoch = 2 },
			"brokers": func(r *kmsg.ProduceResponse, _ *kmsg.ProduceResponseTopicPartition) {
				r.Brokers = append(r.Brokers, kmsg.NewProduceResponseBroker())
			},
			"throttled": func(r *kmsg.ProduceResponse, _ *kmsg.ProduceResponseTopicPartition) { r.ThrottleMillis = 7 },
			"tags": func(r *kmsg.ProduceResponse, p *kmsg.ProduceResponseTopicPartition) {
				p.UnknownTags.Set(9, []byte("x"))
			},
			"nothing": func(r *kmsg.ProduceResponse, _ *kmsg.ProduceResponseTopicPartition) { r.Topics = nil },
		} {
			resp := kmsg.NewPtrProduceResponse()
			resp.Version = version
			for _, name := range []string{"a", "another"} {
				topic := kmsg.NewProduceResponseTopic()
				topic.Topic = name
				for i := range int32(2) {
					p := kmsg.NewProduceResponseTopicPartition()
					p.Partition, p.BaseOffset, p.LogAppendTime, p.LogStartOffset = i, 1<<40, 5, 6
					topic.Partitions = append(topic.Partitions, p)
				}
				resp.Topics = append(resp.Topics, topic)
			}
			change(resp, &resp.Topics[1].Partitions[1])
			got, want := AppendProduceResponse([]byte("x"), 42, resp), AppendResponse([]byte("x"), 42, resp)
			if !bytes.Equal(got, want) {
				t.Errorf("version %d, %s:\n%x\nkmsg\n%x", version, what, got, want)
			}
		}
	}
}
