package client

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/workloads/client/attempt"
)

// versionRange is what a broker advertised for one API.
type versionRange struct{ min, max int16 }

// apiVersionsMax is the highest version of ApiVersions that is asked with. A broker
// that does not know it answers in version 0 with UNSUPPORTED_VERSION and its ranges
// (KIP-511).
const apiVersionsMax int16 = 4

// pick chooses the highest version that the broker serves and in which the request
// says all it has to.
func pick(theirs map[int16]versionRange, req *attempt.Request) (int16, bool) {
	r, ok := theirs[req.Msg.Key()]
	if !ok {
		return 0, false
	}
	v := min(r.max, req.MaxVersion, req.Msg.MaxVersion())
	return v, v >= max(r.min, req.MinVersion)
}

func rangesOf(resp *kmsg.ApiVersionsResponse) map[int16]versionRange {
	ranges := make(map[int16]versionRange, len(resp.ApiKeys))
	for _, k := range resp.ApiKeys {
		ranges[k.ApiKey] = versionRange{min: k.MinVersion, max: k.MaxVersion}
	}
	return ranges
}
