package wire

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// VersionRange is the versions of one API that are advertised.
type VersionRange struct {
	Key, Min, Max int16
}

// supported has the range of every API that this package can decode. What a node
// advertises is the part of it that the node has handlers for.
//
// The ranges are not free: librdkafka before 2.11.1 looks for exact versions
// (Produce 3 and 7, Fetch 4 and 10, FindCoordinator 0, JoinGroup 0, ListOffsets 1,
// OffsetFetch 1, OffsetCommit 2, InitProducerId 0), later ones want
// OffsetForLeaderEpoch 2 and, to log in, SaslHandshake 0.
//
// EndTxn 5, TxnOffsetCommit 5 and Produce 12 are the second transaction protocol
// (KIP-890). Clients use it only if the feature transaction.version is finalised at 2,
// except that franz-go takes EndTxn 5 for the sign: while the feature is lower, it must
// not be advertised (see Capped).
var supported = []VersionRange{
	{Key: 0, Min: 0, Max: 12}, // Produce; see refusedProduce
	{Key: 1, Min: 4, Max: 18}, // Fetch
	{Key: 2, Min: 1, Max: 10}, // ListOffsets
	{Key: 3, Min: 0, Max: 13}, // Metadata
	{Key: 8, Min: 2, Max: 9},  // OffsetCommit
	{Key: 9, Min: 1, Max: 9},  // OffsetFetch
	{Key: 10, Min: 0, Max: 6}, // FindCoordinator
	{Key: 11, Min: 0, Max: 9}, // JoinGroup
	{Key: 12, Min: 0, Max: 4}, // Heartbeat
	{Key: 13, Min: 0, Max: 5}, // LeaveGroup
	{Key: 14, Min: 0, Max: 5}, // SyncGroup
	{Key: 15, Min: 0, Max: 6}, // DescribeGroups
	{Key: 16, Min: 0, Max: 5}, // ListGroups
	{Key: 17, Min: 0, Max: 1}, // SaslHandshake
	{Key: 18, Min: 0, Max: 4}, // ApiVersions
	{Key: 19, Min: 2, Max: 7}, // CreateTopics
	{Key: 20, Min: 1, Max: 6}, // DeleteTopics
	{Key: 21, Min: 0, Max: 2}, // DeleteRecords
	{Key: 22, Min: 0, Max: 5}, // InitProducerId
	{Key: 23, Min: 2, Max: 4}, // OffsetForLeaderEpoch
	{Key: 24, Min: 0, Max: 5}, // AddPartitionsToTxn
	{Key: 25, Min: 0, Max: 4}, // AddOffsetsToTxn
	{Key: 26, Min: 0, Max: 5}, // EndTxn
	{Key: 27, Min: 1, Max: 2}, // WriteTxnMarkers
	{Key: 28, Min: 0, Max: 5}, // TxnOffsetCommit
	{Key: 29, Min: 1, Max: 3}, // DescribeAcls
	{Key: 30, Min: 1, Max: 3}, // CreateAcls
	{Key: 31, Min: 1, Max: 3}, // DeleteAcls
	{Key: 32, Min: 1, Max: 4}, // DescribeConfigs
	{Key: 33, Min: 0, Max: 2}, // AlterConfigs
	{Key: 34, Min: 1, Max: 2}, // AlterReplicaLogDirs
	{Key: 35, Min: 1, Max: 4}, // DescribeLogDirs
	{Key: 36, Min: 0, Max: 2}, // SaslAuthenticate
	{Key: 37, Min: 0, Max: 3}, // CreatePartitions
	{Key: 42, Min: 0, Max: 2}, // DeleteGroups
	{Key: 43, Min: 0, Max: 2}, // ElectLeaders
	{Key: 44, Min: 0, Max: 1}, // IncrementalAlterConfigs
	{Key: 45, Min: 0, Max: 1}, // AlterPartitionReassignments
	{Key: 46, Min: 0, Max: 0}, // ListPartitionReassignments
	{Key: 47, Min: 0, Max: 0}, // OffsetDelete
	{Key: 48, Min: 0, Max: 1}, // DescribeClientQuotas
	{Key: 49, Min: 0, Max: 1}, // AlterClientQuotas
	{Key: 50, Min: 0, Max: 0}, // DescribeUserScramCredentials
	{Key: 51, Min: 0, Max: 0}, // AlterUserScramCredentials
	{Key: 52, Min: 0, Max: 2}, // Vote
	{Key: 53, Min: 0, Max: 1}, // BeginQuorumEpoch
	{Key: 54, Min: 0, Max: 1}, // EndQuorumEpoch
	{Key: 55, Min: 0, Max: 2}, // DescribeQuorum
	{Key: 56, Min: 2, Max: 3}, // AlterPartition
	{Key: 57, Min: 0, Max: 2}, // UpdateFeatures
	{Key: 58, Min: 0, Max: 0}, // Envelope
	{Key: 59, Min: 0, Max: 1}, // FetchSnapshot
	{Key: 60, Min: 0, Max: 2}, // DescribeCluster
	{Key: 61, Min: 0, Max: 0}, // DescribeProducers
	{Key: 62, Min: 0, Max: 4}, // BrokerRegistration
	{Key: 63, Min: 0, Max: 1}, // BrokerHeartbeat
	{Key: 64, Min: 0, Max: 0}, // UnregisterBroker
	{Key: 65, Min: 0, Max: 0}, // DescribeTransactions
	{Key: 66, Min: 0, Max: 2}, // ListTransactions
	{Key: 67, Min: 0, Max: 0}, // AllocateProducerIds
	{Key: 68, Min: 0, Max: 1}, // ConsumerGroupHeartbeat
	{Key: 69, Min: 0, Max: 1}, // ConsumerGroupDescribe
	{Key: 74, Min: 0, Max: 1}, // ListConfigResources
	{Key: 75, Min: 0, Max: 0}, // DescribeTopicPartitions
}

const (
	keyProduce     = 0
	keyMetadata    = 3
	keyApiVersions = 18
	// lowestProduce is the first version of Produce with record batches. Lower
	// ones are advertised all the same: with 3 as the minimum, librdkafka 2.0
	// silently stops compressing (KAFKA-18659). They are refused.
	lowestProduce = 3
)

// Versions is a table of served APIs.
type Versions struct {
	ranges []VersionRange // by key
}

// ServedVersions returns the table for the given API keys: a node passes those it
// has handlers for. A key that this package knows no range for is a bug.
func ServedVersions(keys ...int16) *Versions {
	v := &Versions{}
	for _, key := range keys {
		i, ok := searchRange(supported, key)
		if _, shaped := shapes[key]; !ok || !shaped {
			panic(fmt.Sprintf("wire: no versions, or no shape, of API key %d are known", key))
		}
		v.ranges = append(v.ranges, supported[i])
	}
	slices.SortFunc(v.ranges, func(a, b VersionRange) int { return cmp.Compare(a.Key, b.Key) })
	v.ranges = slices.Compact(v.ranges)
	return v
}

// SupportedKeys lists the API keys that [ServedVersions] accepts, ascending.
func SupportedKeys() []int16 {
	keys := make([]int16, len(supported))
	for i, r := range supported {
		keys[i] = r.Key
	}
	return keys
}

func searchRange(rs []VersionRange, key int16) (int, bool) {
	return slices.BinarySearchFunc(rs, key, func(r VersionRange, key int16) int { return cmp.Compare(r.Key, key) })
}

// Ranges is the advertised table, by key. It must not be modified.
func (v *Versions) Ranges() []VersionRange { return v.ranges }

// Lookup is the advertised range of a key.
func (v *Versions) Lookup(key int16) (VersionRange, bool) {
	i, ok := searchRange(v.ranges, key)
	if !ok {
		return VersionRange{}, false
	}
	return v.ranges[i], true
}

// Serves reports whether requests of that version are decoded and handled. That
// is the advertised range, except that Produce 0 to 2 are advertised but refused.
func (v *Versions) Serves(key, version int16) bool {
	r, ok := v.Lookup(key)
	if key == keyProduce && version < lowestProduce {
		return false
	}
	return ok && r.Min <= version && version <= r.Max
}

// Max returns the highest version of key that both sides serve, given the
// other's advertised range; false if there is none.
func (v *Versions) Max(key, otherMin, otherMax int16) (int16, bool) {
	r, ok := v.Lookup(key)
	version := min(r.Max, otherMax)
	if !ok || version < otherMin || !v.Serves(key, version) {
		return 0, false
	}
	return version, true
}

// Capped is the table with lower highest versions of some keys, for what is advertised
// while a feature is off. A maximum below the lowest version takes the key out.
func (v *Versions) Capped(caps ...VersionCap) *Versions {
	capped := &Versions{ranges: slices.Clone(v.ranges)}
	for _, c := range caps {
		if i, ok := searchRange(capped.ranges, c.Key); ok {
			if r := &capped.ranges[i]; c.Max < r.Min {
				capped.ranges = slices.Delete(capped.ranges, i, i+1)
			} else {
				r.Max = min(r.Max, c.Max)
			}
		}
	}
	return capped
}

// VersionCap is the highest version of an API that may be advertised.
type VersionCap struct {
	Key, Max int16
}

// Feature is a feature level that ApiVersions reports (KIP-584).
type Feature struct {
	Name      string
	Min, Max  int16 // supported
	Finalized int16 // in effect; 0 is none
}

// ApiVersionsResponse builds the answer to an ApiVersions request of the given
// version. A version above ours is answered in version 0 with error 35 and the range
// of ApiVersions alone (KIP-511), so that the client tries again with one of these: given
// all ranges, franz-go would do with them and never learn of the features, without which it
// knows neither new transactions nor the group protocol of KIP-848. finalizedEpoch is
// the metadata offset of the features, -1 if unknown.
//
// Features whose lowest level is 0 are left out below version 4, as clients of
// that age take 0 for corrupt (KAFKA-17011).
func (v *Versions) ApiVersionsResponse(version int16, features []Feature, finalizedEpoch int64) *kmsg.ApiVersionsResponse {
	resp := kmsg.NewPtrApiVersionsResponse()
	own, _ := searchRange(supported, keyApiVersions)
	ranges := v.ranges
	if version < supported[own].Min || version > supported[own].Max {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		version = 0
		ranges = supported[own : own+1]
	}
	resp.SetVersion(version)
	resp.ApiKeys = make([]kmsg.ApiVersionsResponseApiKey, 0, len(ranges))
	for _, r := range ranges {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = r.Key, r.Min, r.Max
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	if version < 3 {
		return resp
	}
	resp.FinalizedFeaturesEpoch = finalizedEpoch
	for _, f := range features {
		if f.Min > 0 || version >= 4 {
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.Name, f.Min, f.Max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
		if f.Finalized > 0 {
			z := kmsg.NewApiVersionsResponseFinalizedFeature()
			z.Name, z.MinVersionLevel, z.MaxVersionLevel = f.Name, f.Finalized, f.Finalized
			resp.FinalizedFeatures = append(resp.FinalizedFeatures, z)
		}
	}
	return resp
}
