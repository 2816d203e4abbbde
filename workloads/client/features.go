package client

import "github.com/twmb/franz-go/pkg/kmsg"

// features are the levels that the cluster has finalised (KIP-584), as the latest of its
// brokers has told: each tells those it knows of in its answer to ApiVersions.
type features struct {
	epoch  int64
	levels map[string]int16
}

// learn takes an answer to ApiVersions unless a later one is known.
func (f *features) learn(resp *kmsg.ApiVersionsResponse) {
	if resp.Version < 3 || resp.FinalizedFeaturesEpoch < f.epoch {
		return
	}
	f.epoch = resp.FinalizedFeaturesEpoch
	f.levels = make(map[string]int16, len(resp.FinalizedFeatures))
	for _, l := range resp.FinalizedFeatures {
		f.levels[l.Name] = l.MaxVersionLevel
	}
}

// transactions tells whether the second protocol of transactions is used (KIP-890).
func (f *features) transactions() bool { return f.levels["transaction.version"] >= 2 }
