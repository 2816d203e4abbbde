package broker

import (
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

// The metadata log's name and id on the wire (KIP-595, KIP-516).
const metadataTopic = "__cluster_metadata"

var (
	metadataTopicID   = wire.UUID{15: 1}
	metadataPartition = wire.TopicPartition{Topic: metadataTopic, Partition: 0}
)

// Versions in which nodes speak to each other.
const (
	versionVote             = 2
	versionBeginQuorumEpoch = 1
	versionEndQuorumEpoch   = 1
	versionQuorumFetch      = 18
	versionFetchSnapshot    = 1
)

// quorumRequest translates a decider's request to Kafka's message.
func (n *Node) quorumRequest(req raft.Request) (kmsg.Request, lane, time.Duration) {
	timeout := n.requestTimeout()
	switch m := req.(type) {
	case raft.VoteRequest:
		out := kmsg.NewPtrVoteRequest()
		out.Version, out.ClusterID, out.VoterID = versionVote, &n.clusterID, int32(m.VoterID)
		p := kmsg.NewVoteRequestTopicPartition()
		p.CandidateEpoch, p.CandidateID = int32(m.CandidateEpoch), int32(m.CandidateID)
		p.CandidateDirectoryID = n.directoryID
		p.LastOffsetEpoch, p.LastOffset, p.PreVote = int32(m.LastOffsetEpoch), int64(m.LastOffset), m.PreVote
		out.Topics = []kmsg.VoteRequestTopic{{Topic: metadataTopic, Partitions: []kmsg.VoteRequestTopicPartition{p}}}
		return out, laneControl, timeout
	case raft.BeginQuorumEpochRequest:
		out := kmsg.NewPtrBeginQuorumEpochRequest()
		out.Version, out.ClusterID, out.VoterID = versionBeginQuorumEpoch, &n.clusterID, int32(m.VoterID)
		p := kmsg.NewBeginQuorumEpochRequestTopicPartition()
		p.LeaderID, p.LeaderEpoch = int32(m.LeaderID), int32(m.LeaderEpoch)
		out.Topics = []kmsg.BeginQuorumEpochRequestTopic{{Topic: metadataTopic, Partitions: []kmsg.BeginQuorumEpochRequestTopicPartition{p}}}
		return out, laneControl, timeout
	case raft.EndQuorumEpochRequest:
		out := kmsg.NewPtrEndQuorumEpochRequest()
		out.Version, out.ClusterID = versionEndQuorumEpoch, &n.clusterID
		p := kmsg.NewEndQuorumEpochRequestTopicPartition()
		p.LeaderID, p.LeaderEpoch = int32(m.LeaderID), int32(m.LeaderEpoch)
		for _, id := range m.PreferredSuccessors {
			c := kmsg.NewEndQuorumEpochRequestTopicPartitionPreferredCandidate()
			c.CandidateID = int32(id)
			p.PreferredCandidates = append(p.PreferredCandidates, c)
		}
		out.Topics = []kmsg.EndQuorumEpochRequestTopic{{Topic: metadataTopic, Partitions: []kmsg.EndQuorumEpochRequestTopicPartition{p}}}
		return out, laneControl, timeout
	case raft.FetchRequest:
		out := kmsg.NewPtrFetchRequest()
		out.Version, out.ClusterID = versionQuorumFetch, &n.clusterID
		out.ReplicaState.ID, out.ReplicaState.Epoch = int32(m.ReplicaID), -1
		out.MaxWaitMillis, out.MaxBytes = int32(m.MaxWait/time.Millisecond), m.MaxBytes
		out.SessionEpoch = -1
		p := kmsg.NewFetchRequestTopicPartition()
		p.CurrentLeaderEpoch, p.FetchOffset = int32(m.CurrentLeaderEpoch), int64(m.FetchOffset)
		p.LastFetchedEpoch, p.PartitionMaxBytes = int32(m.LastFetchedEpoch), m.MaxBytes
		p.HighWatermark = int64(m.HighWatermark)
		p.ReplicaDirectoryID = n.directoryID
		out.Topics = []kmsg.FetchRequestTopic{{TopicID: metadataTopicID, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
		return out, laneQuorumFetch, timeout
	case raft.FetchSnapshotRequest:
		out := kmsg.NewPtrFetchSnapshotRequest()
		out.Version, out.ClusterID = versionFetchSnapshot, &n.clusterID
		out.ReplicaID, out.MaxBytes = int32(m.ReplicaID), m.MaxBytes
		p := kmsg.NewFetchSnapshotRequestTopicPartition()
		p.CurrentLeaderEpoch, p.Position = int32(m.CurrentLeaderEpoch), m.Position
		p.SnapshotID.EndOffset, p.SnapshotID.Epoch = int64(m.SnapshotID.Offset), int32(m.SnapshotID.Epoch)
		out.Topics = []kmsg.FetchSnapshotRequestTopic{{Topic: metadataTopic, Partitions: []kmsg.FetchSnapshotRequestTopicPartition{p}}}
		return out, laneQuorumFetch, timeout
	}
	panic(fmt.Sprintf("broker: quorum request %T", req))
}

// quorumResponse translates another node's answer for the decider. An error means
// that the answer is unusable, as if it had been lost.
func quorumResponse(resp kmsg.Response) (raft.Response, error) {
	header := func(code int16, leader, epoch int32) raft.ResponseHeader {
		return raft.ResponseHeader{ErrorCode: raft.ErrorCode(code),
			LeaderAndEpoch: raft.LeaderAndEpoch{LeaderID: wire.NodeID(leader), LeaderEpoch: wire.LeaderEpoch(epoch)}}
	}
	whole := func(code int16, topics int) error {
		if err := kerr.ErrorForCode(code); err != nil {
			return err
		}
		if topics != 1 {
			return fmt.Errorf("answer about %d topics", topics)
		}
		return nil
	}
	switch m := resp.(type) {
	case *kmsg.VoteResponse:
		if err := whole(m.ErrorCode, len(m.Topics)); err != nil || len(m.Topics[0].Partitions) != 1 {
			return nil, fmt.Errorf("vote: %w", err)
		}
		p := m.Topics[0].Partitions[0]
		return raft.VoteResponse{ResponseHeader: header(p.ErrorCode, p.LeaderID, p.LeaderEpoch), VoteGranted: p.VoteGranted}, nil
	case *kmsg.BeginQuorumEpochResponse:
		if err := whole(m.ErrorCode, len(m.Topics)); err != nil || len(m.Topics[0].Partitions) != 1 {
			return nil, fmt.Errorf("begin quorum epoch: %w", err)
		}
		p := m.Topics[0].Partitions[0]
		return raft.BeginQuorumEpochResponse{ResponseHeader: header(p.ErrorCode, p.LeaderID, p.LeaderEpoch)}, nil
	case *kmsg.EndQuorumEpochResponse:
		if err := whole(m.ErrorCode, len(m.Topics)); err != nil || len(m.Topics[0].Partitions) != 1 {
			return nil, fmt.Errorf("end quorum epoch: %w", err)
		}
		p := m.Topics[0].Partitions[0]
		return raft.EndQuorumEpochResponse{ResponseHeader: header(p.ErrorCode, p.LeaderID, p.LeaderEpoch)}, nil
	case *kmsg.FetchResponse:
		if err := whole(m.ErrorCode, len(m.Topics)); err != nil || len(m.Topics[0].Partitions) != 1 {
			return nil, fmt.Errorf("quorum fetch: %w", err)
		}
		p := &m.Topics[0].Partitions[0]
		out := raft.FetchResponse{
			ResponseHeader: header(p.ErrorCode, p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch),
			HighWatermark:  wire.Offset(p.HighWatermark), LogStartOffset: wire.Offset(p.LogStartOffset),
			DivergingEpoch: raft.OffsetAndEpoch{Offset: wire.Offset(p.DivergingEpoch.EndOffset), Epoch: wire.LeaderEpoch(p.DivergingEpoch.Epoch)},
			SnapshotID:     raft.OffsetAndEpoch{Offset: wire.Offset(p.SnapshotID.EndOffset), Epoch: wire.LeaderEpoch(p.SnapshotID.Epoch)},
			Records:        p.RecordBatches,
		}
		var bad error
		for h, b := range wire.Batches(p.RecordBatches, wire.Truncated(false), &bad) {
			if !wire.CheckCRC(b) {
				return nil, fmt.Errorf("quorum fetch: batch at offset %d fails its CRC", h.BaseOffset)
			}
			out.Batches = append(out.Batches, raft.Batch{BaseOffset: h.BaseOffset, LastOffset: h.LastOffset(), Epoch: h.LeaderEpoch})
		}
		if bad != nil {
			return nil, fmt.Errorf("quorum fetch: %w", bad)
		}
		return out, nil
	case *kmsg.FetchSnapshotResponse:
		if err := whole(m.ErrorCode, len(m.Topics)); err != nil || len(m.Topics[0].Partitions) != 1 {
			return nil, fmt.Errorf("fetch snapshot: %w", err)
		}
		p := &m.Topics[0].Partitions[0]
		return raft.FetchSnapshotResponse{
			ResponseHeader: header(p.ErrorCode, p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch),
			SnapshotID:     raft.OffsetAndEpoch{Offset: wire.Offset(p.SnapshotID.EndOffset), Epoch: wire.LeaderEpoch(p.SnapshotID.Epoch)},
			Size:           p.Size, Position: p.Position, Bytes: p.Bytes,
		}, nil
	}
	panic(fmt.Sprintf("broker: quorum response %T", resp))
}

// wrongCluster refuses a request that names another cluster.
func (n *Node) wrongCluster(id *string) bool { return id != nil && *id != n.clusterID }

// absurdEpoch refuses an epoch that no number of elections leads to. Whoever believed in
// one could not go beyond it any more: the next election would have no epoch left.
func absurdEpoch(epoch int32) bool { return epoch > math.MaxInt32/2 }

// quorumRefusal is the code for a quorum request that is not about this cluster, or
// not sound: about the metadata log alone, in an epoch that can be.
func (n *Node) quorumRefusal(clusterID *string, sound bool) int16 {
	switch {
	case n.wrongCluster(clusterID):
		return kerr.InconsistentClusterID.Code
	case !sound:
		return kerr.InvalidRequest.Code
	}
	return 0
}

// Vote (key 52, versions 0-2; KIP-595, KIP-996).
func handleVote(n *Node, r *request) {
	req := r.msg.(*kmsg.VoteRequest)
	resp := kmsg.NewPtrVoteResponse()
	sound := len(req.Topics) == 1 && req.Topics[0].Topic == metadataTopic && len(req.Topics[0].Partitions) == 1 &&
		!absurdEpoch(req.Topics[0].Partitions[0].CandidateEpoch)
	if resp.ErrorCode = n.quorumRefusal(req.ClusterID, sound); resp.ErrorCode != 0 {
		r.reply(resp)
		return
	}
	p := req.Topics[0].Partitions[0]
	vote := raft.VoteRequest{
		VoterID:     wire.NodeID(req.VoterID),
		CandidateID: wire.NodeID(p.CandidateID), CandidateEpoch: wire.LeaderEpoch(p.CandidateEpoch),
		LastOffsetEpoch: wire.LeaderEpoch(p.LastOffsetEpoch), LastOffset: wire.Offset(p.LastOffset), PreVote: p.PreVote,
	}
	n.quorum.request(vote, func(answer raft.Response, _ answerBytes) {
		m := answer.(raft.VoteResponse)
		n.quorum.probeVote(vote, m)
		out := kmsg.NewVoteResponseTopicPartition()
		out.ErrorCode, out.LeaderID, out.LeaderEpoch = int16(m.ErrorCode), int32(m.LeaderID), int32(m.LeaderEpoch)
		out.VoteGranted = m.VoteGranted
		resp.Topics = []kmsg.VoteResponseTopic{{Topic: metadataTopic, Partitions: []kmsg.VoteResponseTopicPartition{out}}}
		r.reply(resp)
	})
}

// BeginQuorumEpoch (key 53, versions 0-1; KIP-595).
func handleBeginQuorumEpoch(n *Node, r *request) {
	req := r.msg.(*kmsg.BeginQuorumEpochRequest)
	resp := kmsg.NewPtrBeginQuorumEpochResponse()
	sound := len(req.Topics) == 1 && req.Topics[0].Topic == metadataTopic && len(req.Topics[0].Partitions) == 1 &&
		!absurdEpoch(req.Topics[0].Partitions[0].LeaderEpoch)
	if resp.ErrorCode = n.quorumRefusal(req.ClusterID, sound); resp.ErrorCode != 0 {
		r.reply(resp)
		return
	}
	p := req.Topics[0].Partitions[0]
	voter := wire.NodeID(req.VoterID)
	if r.header.Version < 1 {
		voter = wire.NoNode
	}
	n.quorum.request(raft.BeginQuorumEpochRequest{
		VoterID: voter, LeaderID: wire.NodeID(p.LeaderID), LeaderEpoch: wire.LeaderEpoch(p.LeaderEpoch),
	}, func(answer raft.Response, _ answerBytes) {
		m := answer.(raft.BeginQuorumEpochResponse)
		out := kmsg.NewBeginQuorumEpochResponseTopicPartition()
		out.ErrorCode, out.LeaderID, out.LeaderEpoch = int16(m.ErrorCode), int32(m.LeaderID), int32(m.LeaderEpoch)
		resp.Topics = []kmsg.BeginQuorumEpochResponseTopic{{Topic: metadataTopic, Partitions: []kmsg.BeginQuorumEpochResponseTopicPartition{out}}}
		r.reply(resp)
	})
}

// EndQuorumEpoch (key 54, versions 0-1; KIP-595).
func handleEndQuorumEpoch(n *Node, r *request) {
	req := r.msg.(*kmsg.EndQuorumEpochRequest)
	resp := kmsg.NewPtrEndQuorumEpochResponse()
	sound := len(req.Topics) == 1 && req.Topics[0].Topic == metadataTopic && len(req.Topics[0].Partitions) == 1 &&
		!absurdEpoch(req.Topics[0].Partitions[0].LeaderEpoch)
	if resp.ErrorCode = n.quorumRefusal(req.ClusterID, sound); resp.ErrorCode != 0 {
		r.reply(resp)
		return
	}
	p := req.Topics[0].Partitions[0]
	m := raft.EndQuorumEpochRequest{LeaderID: wire.NodeID(p.LeaderID), LeaderEpoch: wire.LeaderEpoch(p.LeaderEpoch)}
	for _, id := range p.PreferredSuccessors { // version 0
		m.PreferredSuccessors = append(m.PreferredSuccessors, wire.NodeID(id))
	}
	for _, c := range p.PreferredCandidates { // version 1
		m.PreferredSuccessors = append(m.PreferredSuccessors, wire.NodeID(c.CandidateID))
	}
	n.quorum.request(m, func(answer raft.Response, _ answerBytes) {
		m := answer.(raft.EndQuorumEpochResponse)
		out := kmsg.NewEndQuorumEpochResponseTopicPartition()
		out.ErrorCode, out.LeaderID, out.LeaderEpoch = int16(m.ErrorCode), int32(m.LeaderID), int32(m.LeaderEpoch)
		resp.Topics = []kmsg.EndQuorumEpochResponseTopic{{Topic: metadataTopic, Partitions: []kmsg.EndQuorumEpochResponseTopicPartition{out}}}
		r.reply(resp)
	})
}

// isQuorumFetch reports whether a Fetch is for the metadata log.
func isQuorumFetch(version int16, req *kmsg.FetchRequest) bool {
	return len(req.Topics) == 1 && len(req.Topics[0].Partitions) == 1 &&
		(version >= 13 && req.Topics[0].TopicID == metadataTopicID || version < 13 && req.Topics[0].Topic == metadataTopic)
}

// handleQuorumFetch is Fetch (key 1) of the metadata log, from version 12 on, where
// fetches carry the epoch of the last record.
func handleQuorumFetch(n *Node, r *request) {
	req := r.msg.(*kmsg.FetchRequest)
	resp := kmsg.NewPtrFetchResponse()
	if n.wrongCluster(req.ClusterID) {
		resp.ErrorCode = kerr.InconsistentClusterID.Code
		r.reply(resp)
		return
	}
	if r.header.Version < 12 {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		r.reply(resp)
		return
	}
	p := req.Topics[0].Partitions[0]
	replica := wire.NodeID(req.ReplicaState.ID)
	if r.header.Version < 15 {
		replica = wire.NodeID(req.ReplicaID)
	}
	hw := wire.Offset(p.HighWatermark)
	if r.header.Version < 18 {
		hw = math.MaxInt64
	}
	n.quorum.request(raft.FetchRequest{
		ReplicaID: replica, CurrentLeaderEpoch: wire.LeaderEpoch(p.CurrentLeaderEpoch),
		FetchOffset: wire.Offset(p.FetchOffset), LastFetchedEpoch: wire.LeaderEpoch(p.LastFetchedEpoch),
		HighWatermark: hw, MaxWait: min(time.Duration(max(req.MaxWaitMillis, 0))*time.Millisecond, n.requestTimeout()),
		MaxBytes: min(req.MaxBytes, p.PartitionMaxBytes),
	}, func(answer raft.Response, records answerBytes) {
		m := answer.(raft.FetchResponse)
		out := kmsg.NewFetchResponseTopicPartition()
		out.ErrorCode, out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = int16(m.ErrorCode), int32(m.LeaderID), int32(m.LeaderEpoch)
		out.HighWatermark, out.LogStartOffset, out.LastStableOffset = int64(m.HighWatermark), int64(m.LogStartOffset), int64(m.HighWatermark)
		out.DivergingEpoch.Epoch, out.DivergingEpoch.EndOffset = int32(m.DivergingEpoch.Epoch), int64(m.DivergingEpoch.Offset)
		out.SnapshotID.Epoch, out.SnapshotID.EndOffset = int32(m.SnapshotID.Epoch), int64(m.SnapshotID.Offset)
		resp.Topics = []kmsg.FetchResponseTopic{{Topic: metadataTopic, TopicID: metadataTopicID, Partitions: []kmsg.FetchResponseTopicPartition{out}}}
		r.replyFetch(resp, []recordSet{{size: records.size, segs: records.segs}}, nil)
	})
}

// maxSnapshotPiece bounds what one FetchSnapshot takes into memory, in bytes.
const maxSnapshotPiece = 8 << 20

// FetchSnapshot (key 59, versions 0-1; KIP-630).
func handleFetchSnapshot(n *Node, r *request) {
	req := r.msg.(*kmsg.FetchSnapshotRequest)
	resp := kmsg.NewPtrFetchSnapshotResponse()
	if resp.ErrorCode = n.quorumRefusal(req.ClusterID, len(req.Topics) == 1 && req.Topics[0].Topic == metadataTopic && len(req.Topics[0].Partitions) == 1); resp.ErrorCode != 0 {
		r.reply(resp)
		return
	}
	p := req.Topics[0].Partitions[0]
	n.quorum.request(raft.FetchSnapshotRequest{
		ReplicaID: wire.NodeID(req.ReplicaID), CurrentLeaderEpoch: wire.LeaderEpoch(p.CurrentLeaderEpoch),
		SnapshotID: raft.OffsetAndEpoch{Offset: wire.Offset(p.SnapshotID.EndOffset), Epoch: wire.LeaderEpoch(p.SnapshotID.Epoch)},
		Position:   p.Position, MaxBytes: min(req.MaxBytes, maxSnapshotPiece),
	}, func(answer raft.Response, _ answerBytes) {
		m := answer.(raft.FetchSnapshotResponse)
		out := kmsg.NewFetchSnapshotResponseTopicPartition()
		out.ErrorCode, out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = int16(m.ErrorCode), int32(m.LeaderID), int32(m.LeaderEpoch)
		out.SnapshotID.EndOffset, out.SnapshotID.Epoch = int64(m.SnapshotID.Offset), int32(m.SnapshotID.Epoch)
		out.Size, out.Position, out.Bytes = m.Size, m.Position, m.Bytes
		resp.Topics = []kmsg.FetchSnapshotResponseTopic{{Topic: metadataTopic, Partitions: []kmsg.FetchSnapshotResponseTopicPartition{out}}}
		r.reply(resp)
	})
}
