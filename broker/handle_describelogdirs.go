package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs (key 35, versions 1-4; KIP-113, KIP-827): what the replicas on this
// broker take up, of all partitions or of those named. The lag is the high watermark
// that the replica knows less its log end, as Kafka tells it.
//
// Deviations: there is one directory, as the seam has one disk, and its total and usable
// bytes are -1, unknown. The metadata log is not listed; Kafka's is neither.
func handleDescribeLogDirs(n *Node, r *request) {
	req := r.msg.(*kmsg.DescribeLogDirsRequest)
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir, dir.TotalBytes, dir.UsableBytes = n.cfg.LogDirs[0], -1, -1
	for _, p := range n.replicas.list {
		if p.log == nil || !logDirNames(req, p) {
			continue
		}
		if k := len(dir.Topics); k == 0 || dir.Topics[k-1].Topic != p.tp.Topic {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = p.tp.Topic
			dir.Topics = append(dir.Topics, t)
		}
		t := &dir.Topics[len(dir.Topics)-1]
		part := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		part.Partition, part.Size = p.tp.Partition, p.log.Size()
		part.OffsetLag = int64(max(p.highWatermark()-p.log.LogEndOffset(), 0))
		t.Partitions = append(t.Partitions, part)
	}
	resp.Dirs = append(resp.Dirs, dir)
	r.reply(resp)
}

// logDirNames reports whether the request asks about the partition.
func logDirNames(req *kmsg.DescribeLogDirsRequest, p *partition) bool {
	return req.Topics == nil || slices.ContainsFunc(req.Topics, func(t kmsg.DescribeLogDirsRequestTopic) bool {
		return t.Topic == p.tp.Topic && slices.Contains(t.Partitions, p.tp.Partition)
	})
}
