package broker_test

import (
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// names are strings where mistakes live.
var names = []string{"", "victim", "other", "__cluster_metadata", "__consumer_offsets", "a b", "..", "retention.ms", "cleanup.policy", "-1", "1", "PLAINTEXT", strings.Repeat("x", 300)}

// twist decodes a frame, changes the meaning of its fields and encodes it again, so that
// it gets past the decoder; nil if it cannot be decoded.
func twist(r *rand.Rand, frame []byte) []byte {
	_, req, err := wire.DecodeRequest(frame[wire.FramePrefix:], wire.ServedVersions(wire.SupportedKeys()...))
	if err != nil {
		return nil
	}
	v := reflect.ValueOf(req).Elem()
	for range 1 + r.IntN(3) {
		twistField(r, v)
	}
	return wire.AppendRequest(nil, 1, "twist", req)
}

// twistField changes one field somewhere in a structure.
func twistField(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() || v.NumField() == 0 {
			return
		}
		for range 5 {
			i := r.IntN(v.NumField())
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" {
				twistField(r, v.Field(i))
				return
			}
		}
	case reflect.Pointer:
		switch {
		case v.IsNil():
			v.Set(reflect.New(v.Type().Elem()))
			twistField(r, v.Elem())
		case r.IntN(3) == 0:
			v.SetZero()
		default:
			twistField(r, v.Elem())
		}
	case reflect.Slice:
		twistSlice(r, v)
	case reflect.Array:
		twistField(r, v.Index(r.IntN(v.Len())))
	case reflect.String:
		v.SetString(names[r.IntN(len(names))])
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := int64(interesting[r.IntN(len(interesting))])
		if r.IntN(3) == 0 {
			n = v.Int() + int64(r.IntN(7)) - 3
		}
		v.SetInt(n << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(interesting[r.IntN(len(interesting))] & (1<<v.Type().Bits() - 1))
	}
}

func twistSlice(r *rand.Rand, v reflect.Value) {
	switch n := v.Len(); {
	case n == 0 || r.IntN(8) == 0:
		v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
	case r.IntN(8) == 0:
		v.SetLen(n - 1)
	case r.IntN(8) == 0:
		for range 1 + r.IntN(50) {
			v.Set(reflect.Append(v, v.Index(0)))
		}
	default:
		twistField(r, v.Index(r.IntN(n)))
	}
}
