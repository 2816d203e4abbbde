package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/controller"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// ApiVersions (key 18, versions 0-4). A version above ours is answered in version
// 0 with UNSUPPORTED_VERSION and the range of ApiVersions alone (dispatch.go). From version 3 on the
// client names its software (KIP-511); a name with other characters than letters,
// digits, '-' and '.' is INVALID_REQUEST, as in Kafka.
func handleApiVersions(n *Node, r *request) {
	req := r.msg.(*kmsg.ApiVersionsRequest)
	features, epoch := n.features()
	resp := n.advertisedVersions().ApiVersionsResponse(r.header.Version, features, epoch)
	if r.header.Version >= 3 {
		if !softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			resp.ApiKeys = nil
		} else if r.conn != nil {
			r.conn.software = req.ClientSoftwareName + " " + req.ClientSoftwareVersion
		}
	}
	r.reply(resp)
}

func softwareName(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		inner := (c == '-' || c == '.') && i > 0 && i < len(s)-1
		if !alnum && !inner {
			return false
		}
	}
	return s != ""
}

// features are the feature levels the cluster has finalised, and the metadata
// offset at which this node knows them.
func (n *Node) features() ([]wire.Feature, int64) {
	var fs []wire.Feature
	for _, f := range controller.SupportedFeatures() {
		fs = append(fs, wire.Feature{Name: f.Name, Min: f.Min, Max: f.Max, Finalized: n.image.FeatureLevel(f.Name)})
	}
	return fs, int64(n.applied) - 1
}

// advertisedVersions is the versions that clients are told of: of protocols that the cluster's
// feature levels turn off, none. What is served does not change with the levels, so
// that a client which was told before goes on.
//
// A node that has just started does not know the levels, and is asked all the same (an
// operator looks at a quorum that does not come about). For members of groups it tells
// what it can serve: they take the lack of their protocol for final, and would die of one
// broker's restart. Producers get by with the older protocol.
func (n *Node) advertisedVersions() *wire.Versions {
	var caps []wire.VersionCap
	upTo := func(key kmsg.Key, v int16) { caps = append(caps, wire.VersionCap{Key: key.Int16(), Max: v}) }
	if n.image.FeatureLevel(metadata.TransactionVersion) < 2 {
		upTo(kmsg.Produce, 11)
		upTo(kmsg.EndTxn, 4)
		upTo(kmsg.TxnOffsetCommit, 4)
	}
	if n.ready && n.image.FeatureLevel(metadata.GroupVersion) < 1 {
		upTo(kmsg.ConsumerGroupHeartbeat, -1)
		upTo(kmsg.ConsumerGroupDescribe, -1)
	}
	return n.versions.Capped(caps...)
}
