package client

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// UpdateFeature finalises a feature at a higher level (UpdateFeatures, KIP-584), such as
// "transaction.version" at 2 for the second protocol of transactions.
func (a *Admin) UpdateFeature(t *env.Task, name string, level int16) error {
	return a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 2,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrUpdateFeaturesRequest()
			req.TimeoutMillis = int32(wait / time.Millisecond)
			u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			u.Feature, u.MaxVersionLevel, u.UpgradeType = name, level, 1
			if level < a.FinalizedLevel(name) {
				u.UpgradeType = 2 // a downgrade, if it loses nothing
			}
			req.FeatureUpdates = append(req.FeatureUpdates, u)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.UpdateFeaturesResponse)
			if resp.ErrorCode == 0 && len(resp.Results) > 0 { // before version 2
				return resp.Results[0].ErrorCode, resp.Results[0].ErrorMessage
			}
			return resp.ErrorCode, resp.ErrorMessage
		},
	})
}

// FinalizedLevel is the level at which the cluster has finalised a feature, 0 if it has not
// or if no broker has answered yet: brokers tell it when a connection is made.
func (a *Admin) FinalizedLevel(name string) int16 { return a.net.features.levels[name] }
