package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// VersionRange is the versions of one API that are advertised.
type VersionRange struct {
	Key, Min, Max int16
}

// Versions is a table of served APIs.
type Versions struct{}

// ServedVersions returns the table for the given API keys: a node passes those it
// has handlers for. A key that this package knows no range for is a bug.
func ServedVersions(keys ...int16) *Versions { return nil }

// Lookup is the advertised range of a key.
func (v *Versions) Lookup(key int16) (VersionRange, bool) { return VersionRange{}, false }

// Serves reports whether requests of that version are decoded and handled. That
// is the advertised range, except that Produce 0 to 2 are advertised but refused.
func (v *Versions) Serves(key, version int16) bool { return false }

// Max returns the highest version of key that both sides serve, given the
// other's advertised range; false if there is none.
func (v *Versions) Max(key, otherMin, otherMax int16) (int16, bool) { return 0, false }

// Feature is a feature level that ApiVersions reports (KIP-584).
type Feature struct {
	Name      string
	Min, Max  int16 // supported
	Finalized int16 // in effect; 0 is none
}

// ApiVersionsResponse builds the answer to an ApiVersions request of the given
// version. A version above ours is answered in version 0 with error 35 and the
// ranges (KIP-511). finalizedEpoch is the metadata offset of the features, -1 if
// unknown.
func (v *Versions) ApiVersionsResponse(version int16, features []Feature, finalizedEpoch int64) *kmsg.ApiVersionsResponse {
	return nil
}
