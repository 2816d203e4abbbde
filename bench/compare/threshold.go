package compare

import (
	"fmt"
	"strconv"
	"strings"
)

// Threshold is by how much a measure may become worse.
type Threshold struct {
	// Key of the measure or counter, "" is all that have no threshold of their own.
	Key   string
	Share float64 // 0.05 is 5 %
}

// ParseThreshold reads "5%", or "ack_p99=10%" for one measure. The % may be left out.
func ParseThreshold(text string) (Threshold, error) {
	key, percent, named := strings.Cut(text, "=")
	if !named {
		key, percent = "", text
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(percent, "%"), 64)
	if err != nil || !(v >= 0) || named && key == "" {
		return Threshold{}, fmt.Errorf("%q: want a percentage such as 5%%, or one of a measure such as ack_p99=10%%", text)
	}
	return Threshold{Key: key, Share: v / 100}, nil
}

// Beyond are the changes for the worse, beyond doubt and beyond their thresholds. Without
// any for a measure, it may become as bad as it likes.
func (c *Comparison) Beyond(thresholds []Threshold) []Change {
	var found []Change
	for _, change := range c.Changes {
		share, bound := shareOf(thresholds, change.Key)
		if bound && change.Verdict == Worse && change.loss() > share {
			found = append(found, change)
		}
	}
	return found
}

// Unknown are keys of thresholds for which nothing was compared: they bind nothing, which
// nobody means.
func (c *Comparison) Unknown(thresholds []Threshold) []string {
	var keys []string
	for _, t := range thresholds {
		known := t.Key == ""
		for i := range c.Changes {
			known = known || c.Changes[i].Key == t.Key
		}
		if !known {
			keys = append(keys, t.Key)
		}
	}
	return keys
}

func shareOf(thresholds []Threshold, key string) (share float64, bound bool) {
	for _, t := range thresholds {
		if t.Key == key {
			return t.Share, true
		}
		if t.Key == "" {
			share, bound = t.Share, true
		}
	}
	return share, bound
}

// loss is the share by which it became worse; of what was 0 it is more than any.
func (c *Change) loss() float64 {
	if c.Before.Median == 0 {
		return 1e9
	}
	return max(c.Ratio-1, 1-c.Ratio)
}
