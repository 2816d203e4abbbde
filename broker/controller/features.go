package controller

import "odradek/broker/metadata"

// SupportedFeatures are the feature levels that this version can run with, broker and
// controller alike.
//
// metadata.version 25 is Kafka's 4.0-IV3: the schemas of records that we write.
func SupportedFeatures() []metadata.FeatureRange {
	return []metadata.FeatureRange{
		{Name: metadata.MetadataVersion, Min: 1, Max: 25},
		{Name: metadata.ELRVersion, Min: 0, Max: 1},
		{Name: metadata.GroupVersion, Min: 0, Max: 1},
		{Name: metadata.TransactionVersion, Min: 0, Max: 2},
	}
}

// DefaultFeatures are the levels that a new cluster starts with.
func DefaultFeatures() []metadata.FeatureLevel {
	return []metadata.FeatureLevel{
		{Name: metadata.MetadataVersion, Level: 25},
		{Name: metadata.ELRVersion, Level: 1},
		{Name: metadata.GroupVersion, Level: 1},
		{Name: metadata.TransactionVersion, Level: 2},
	}
}

// bootstrapFeatures finalises the features of an empty log. metadata.version goes
// first: it says how to read what follows.
func (c *Controller) bootstrapFeatures() {
	if c.pending.FeatureLevel(metadata.MetadataVersion) > 0 {
		return
	}
	for _, first := range []bool{true, false} {
		for _, f := range c.cfg.Features {
			if (f.Name == metadata.MetadataVersion) == first {
				c.write(&metadata.FeatureLevelRecord{Name: f.Name, Level: f.Level})
			}
		}
	}
}
