package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func featureCommand() *cobra.Command {
	return family(&cobra.Command{
		Use:   "feature",
		Short: "See and change the cluster's feature levels",
		Long: `See and change the feature levels that the cluster has agreed on (KIP-584). A new version
of the broker runs with the levels of the old one until they are raised: restart every
node with it, then upgrade. Once raised, old versions cannot come back.`,
	}, featureListCommand(), featureChangeCommand("upgrade", 1), featureChangeCommand("downgrade", 2))
}

// featureLevel is a feature on one line.
type featureLevel struct {
	Name  string `json:"name"`
	Level int16  `json:"level"`
	// Min and Max are what all brokers support.
	Min int16 `json:"min"`
	Max int16 `json:"max"`
}

var featureTable = table[featureLevel]{"FEATURE\tLEVEL\tSUPPORTED", func(l featureLevel) []any {
	return []any{l.Name, l.Level, fmt.Sprintf("%d-%d", l.Min, l.Max)}
}}

func featureListCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:     "list",
		Short:   "List features with their levels, and those that all brokers support",
		Example: "  odradek feature list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				all, err := adm.ApiVersions(ctx)
				if err != nil {
					return explain("asking for features", err, "")
				}
				features, err := featuresOf(all)
				if err != nil {
					return err
				}
				return featureTable.show(c, f.asJSON, features, "no features")
			})
		},
	}
	f.add(c)
	return c
}

// featuresOf is what all brokers together support, with the levels as the one knows them
// that has seen the latest change.
func featuresOf(all kadm.BrokersApiVersions) ([]featureLevel, error) {
	var newest *kmsg.ApiVersionsResponse
	supported := make(map[string]featureLevel)
	brokers := make(map[string]int)
	answered := 0
	for _, b := range all.Sorted() {
		if b.Err != nil {
			return nil, explain(fmt.Sprintf("broker %d", b.NodeID), b.Err, "")
		}
		answered++
		raw := b.Raw()
		if newest == nil || raw.FinalizedFeaturesEpoch > newest.FinalizedFeaturesEpoch {
			newest = raw
		}
		for _, s := range raw.SupportedFeatures {
			l, known := supported[s.Name]
			if !known {
				l = featureLevel{Name: s.Name, Min: s.MinVersion, Max: s.MaxVersion}
			}
			l.Min, l.Max = max(l.Min, s.MinVersion), min(l.Max, s.MaxVersion)
			supported[s.Name] = l
			brokers[s.Name]++
		}
	}
	var features []featureLevel
	for _, name := range sortedKeys(supported) {
		l := supported[name]
		if brokers[name] < answered {
			l.Min, l.Max = 0, 0 // a broker that does not know it goes without only
		}
		if i := slices.IndexFunc(newest.FinalizedFeatures, func(z kmsg.ApiVersionsResponseFinalizedFeature) bool { return z.Name == name }); i >= 0 {
			l.Level = newest.FinalizedFeatures[i].MaxVersionLevel
		}
		features = append(features, l)
	}
	return features, nil
}

func featureChangeCommand(verb string, how int8) *cobra.Command {
	var f clientFlags
	var dryRun bool
	c := &cobra.Command{
		Use:     verb + " NAME=LEVEL...",
		Short:   strings.ToUpper(verb[:1]) + verb[1:] + " features, all of them or none",
		Example: "  odradek feature " + verb + " transaction.version=1",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			req := kmsg.NewPtrUpdateFeaturesRequest()
			req.TimeoutMillis, req.ValidateOnly = int32(f.timeout.Milliseconds()), dryRun
			for _, a := range args {
				name, text, _ := strings.Cut(a, "=")
				level, err := strconv.ParseInt(text, 10, 16)
				if err != nil || name == "" || level < 0 {
					return fmt.Errorf("%s: want NAME=LEVEL, such as transaction.version=2", a)
				}
				u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
				u.Feature, u.MaxVersionLevel, u.UpgradeType, u.AllowDowngrade = name, int16(level), how, how > 1
				req.FeatureUpdates = append(req.FeatureUpdates, u)
			}
			// Not by the admin client, which drops what the broker says of a refusal.
			err := f.request(func(ctx context.Context, cl *kgo.Client) error {
				resp, err := req.RequestWith(ctx, cl)
				if err != nil {
					return explain("changing features", err, "")
				}
				code, message := resp.ErrorCode, resp.ErrorMessage
				for _, r := range resp.Results { // before version 2
					if code == 0 {
						code, message = r.ErrorCode, r.ErrorMessage
					}
				}
				return explain("changing features", kerr.ErrorForCode(code), said(message))
			})
			if err != nil {
				return err
			}
			if dryRun {
				fmt.Fprintln(c.OutOrStdout(), "this would be accepted")
				return nil
			}
			for _, u := range req.FeatureUpdates {
				fmt.Fprintf(c.OutOrStdout(), "%s is at level %d\n", u.Feature, u.MaxVersionLevel)
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only ask whether it would be accepted")
	return c
}
