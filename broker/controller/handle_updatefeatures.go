package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
)

// upgrade types of UpdateFeatures.
const (
	upgradeOnly     = 1
	safeDowngrade   = 2
	unsafeDowngrade = 3
)

// updateFeatures answers UpdateFeatures (57), versions 0 to 2 (KIP-584, KIP-1022): the
// levels of features change for the whole cluster, all of the request's or none.
//
// A level must lie in the range of every registered broker, and of this controller: the
// way of a rolling upgrade is to restart every node with the new version first and then
// to raise the levels. Afterwards a broker that cannot run with them is not registered
// any more. Lowering a level has to be asked for. metadata.version is never lowered: the
// log may hold records that the lower level does not know. (Kafka lowers it where the
// schemas are the same.)
func (c *Controller) updateFeatures(req *kmsg.UpdateFeaturesRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	var failed *refusal
	errs := make([]*refusal, len(req.FeatureUpdates))
	for i := range req.FeatureUpdates {
		u := &req.FeatureUpdates[i]
		errs[i] = c.checkUpdate(u, req.Version)
		if slices.ContainsFunc(req.FeatureUpdates[:i], func(o kmsg.UpdateFeaturesRequestFeatureUpdate) bool { return o.Feature == u.Feature }) {
			errs[i] = refusef(kerr.InvalidRequest, "feature %s is named twice", u.Feature)
		}
		if failed == nil {
			failed = errs[i]
		}
	}
	if failed == nil && !(req.ValidateOnly && req.Version >= 1) {
		for i := range req.FeatureUpdates {
			if u := &req.FeatureUpdates[i]; u.MaxVersionLevel != c.pending.FeatureLevel(u.Feature) {
				c.write(&metadata.FeatureLevelRecord{Name: u.Feature, Level: u.MaxVersionLevel})
			}
		}
	}
	if req.Version >= 2 {
		if failed != nil {
			resp.ErrorCode, resp.ErrorMessage = failed.code.Code, kmsg.StringPtr(failed.text)
		}
		return resp
	}
	for i := range req.FeatureUpdates {
		result := kmsg.NewUpdateFeaturesResponseResult()
		result.Feature = req.FeatureUpdates[i].Feature
		why := errs[i]
		if why == nil && failed != nil {
			why = refusef(kerr.FeatureUpdateFailed, "the update of another feature is refused: %s", failed.text)
		}
		if why != nil {
			result.ErrorCode, result.ErrorMessage = why.code.Code, kmsg.StringPtr(why.text)
		}
		resp.Results = append(resp.Results, result)
	}
	return resp
}

// checkUpdate returns why a feature cannot get the level asked for, or nil.
func (c *Controller) checkUpdate(u *kmsg.UpdateFeaturesRequestFeatureUpdate, version int16) *refusal {
	how := u.UpgradeType
	if version == 0 {
		how = upgradeOnly
		if u.AllowDowngrade {
			how = safeDowngrade
		}
	}
	if how < upgradeOnly || how > unsafeDowngrade {
		return refusef(kerr.InvalidRequest, "upgrade type %d of feature %s: want 1 (upgrade), 2 (safe downgrade) or 3 (unsafe downgrade)", how, u.Feature)
	}
	level, current := u.MaxVersionLevel, c.pending.FeatureLevel(u.Feature)
	if level < current {
		switch {
		case u.Feature == metadata.MetadataVersion:
			return refusef(kerr.InvalidUpdateVersion, "%s is at %d and cannot be lowered: the metadata log may hold records that level %d does not know", u.Feature, current, level)
		case how == upgradeOnly:
			return refusef(kerr.InvalidUpdateVersion, "feature %s is at %d; lowering it to %d needs a downgrade type", u.Feature, current, level)
		}
	}
	own := slices.IndexFunc(c.cfg.Supported, func(f metadata.FeatureRange) bool { return f.Name == u.Feature })
	if own < 0 {
		return refusef(kerr.InvalidUpdateVersion, "there is no feature %q", u.Feature)
	}
	if f := c.cfg.Supported[own]; level < f.Min || level > f.Max {
		return refusef(kerr.InvalidUpdateVersion, "the controller supports feature %s from %d to %d, not %d", u.Feature, f.Min, f.Max, level)
	}
	for _, b := range c.pending.Brokers() {
		var r metadata.FeatureRange // a broker that does not know it can go without only
		if i := slices.IndexFunc(b.Features, func(f metadata.FeatureRange) bool { return f.Name == u.Feature }); i >= 0 {
			r = b.Features[i]
		}
		if level < r.Min || level > r.Max {
			return refusef(kerr.InvalidUpdateVersion, "broker %d supports feature %s from %d to %d, not %d", b.ID, u.Feature, r.Min, r.Max, level)
		}
	}
	return nil
}
