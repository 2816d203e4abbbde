package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

var everything = ServedVersions(SupportedKeys()...)

// fill sets every exported field of a kmsg structure to something random.
func fill(t *rapid.T, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			if depth < 3 && rapid.IntRange(0, 9).Draw(t, "tags") == 0 {
				tags := v.Addr().Interface().(*kmsg.Tags)
				tags.Set(rapid.Uint32Range(100, 1<<20).Draw(t, "tag"), rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "tag value"))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Name != "Version" {
				fill(t, v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), depth+1)
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "null") {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), depth+1)
	case reflect.String:
		v.SetString(rapid.StringN(0, 6, 12).Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int8(rapid.Byte().Draw(t, "int"))))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(rapid.Byte().Draw(t, "uint")))
	case reflect.Float64:
		v.SetFloat(1.5)
	default:
		t.Fatalf("cannot fill %v", v.Type())
	}
}

// genRequest draws a request of any served API and version.
func genRequest(t *rapid.T) kmsg.Request {
	r := rapid.SampledFrom(everything.Ranges()).Draw(t, "api")
	req := kmsg.RequestForKey(r.Key)
	low := r.Min
	if r.Key == keyProduce {
		low = lowestProduce
	}
	req.SetVersion(rapid.Int16Range(low, r.Max).Draw(t, "version"))
	fill(t, reflect.ValueOf(req).Elem(), 0)
	return req
}

func frameOf(req kmsg.Request) []byte { return AppendRequest(nil, 77, "me", req)[FramePrefix:] }

func ptr[T any](v T) *T { return &v }

func fault(err error) FrameFault {
	var fe *FrameError
	if errors.As(err, &fe) {
		return fe.Fault
	}
	return 0
}

func TestShapesAgreeWithKmsg(t *testing.T) {
	covered := make(map[[2]int16]bool)
	rapid.Check(t, func(t *rapid.T) {
		for range 10 {
			req := genRequest(t)
			covered[[2]int16{req.Key(), req.GetVersion()}] = true
			frame := frameOf(req)
			h, got, err := DecodeRequest(frame, everything)
			if err != nil {
				t.Fatalf("%T version %d: %v", req, req.GetVersion(), err)
			}
			if h.CorrelationID != 77 || h.ClientID == nil || *h.ClientID != "me" || h.Key != req.Key() || h.Version != req.GetVersion() {
				t.Fatalf("header %+v", h)
			}
			if again := frameOf(got); !bytes.Equal(frame, again) {
				t.Fatalf("%T version %d decoded to something else", req, req.GetVersion())
			}
			// One byte more or less is noticed, wherever the frame is cut.
			if _, _, err := DecodeRequest(append(bytes.Clone(frame), 0), everything); fault(err) != TrailingBytes {
				t.Fatalf("%T version %d with a byte more: %v", req, req.GetVersion(), err)
			}
			cut := rapid.IntRange(0, len(frame)-1).Draw(t, "cut")
			if _, _, err := DecodeRequest(frame[:cut:cut], everything); fault(err) != Incomplete {
				t.Fatalf("%T version %d cut at %d of %d: %v", req, req.GetVersion(), cut, len(frame), err)
			}
		}
	})
}

// What librdkafka 2.16 sends to list all topics: four zero bytes for a null list.
func TestWideNullOfLibrdkafka(t *testing.T) {
	frame := []byte("\x00\x03\x00\x0d\x00\x00\x00\x03\x00\x07rdkafka\x00" + "\x00\x00\x00\x00" + "\x01\x00\x00")
	_, got, err := DecodeRequest(frame, everything)
	if err != nil {
		t.Fatal(err)
	}
	if m := got.(*kmsg.MetadataRequest); m.Topics != nil || !m.AllowAutoTopicCreation || m.IncludeTopicAuthorizedOperations {
		t.Errorf("%+v", m)
	}
	// Nothing else is let through.
	for _, bad := range []string{"\x00\x00\x00\x00\x01\x00\x00\x00", "\x00\x00\x00\x00\x01\x00", "\x00\x00\x00\x01\x01\x00\x00"} {
		if _, _, err := DecodeRequest(append(frame[:18:18], bad...), everything); fault(err) != TrailingBytes {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

func TestEveryServedVersionHasAShape(t *testing.T) {
	for _, r := range everything.Ranges() {
		req := kmsg.RequestForKey(r.Key)
		if req == nil || req.MaxVersion() < r.Max {
			t.Fatalf("kmsg does not know key %d version %d", r.Key, r.Max)
		}
		for version := r.Min; version <= r.Max; version++ {
			if !everything.Serves(r.Key, version) {
				continue
			}
			req := kmsg.RequestForKey(r.Key)
			req.SetVersion(version)
			// The defaults: arrays empty or null, everything else zero.
			_, got, err := DecodeRequest(frameOf(req), everything)
			if err != nil {
				t.Errorf("%T version %d: %v", req, version, err)
				continue
			}
			if got.GetVersion() != version {
				t.Errorf("%T version %d decoded as %d", req, version, got.GetVersion())
			}
		}
	}
}

func TestFaultsAreToldApart(t *testing.T) {
	produce := kmsg.NewPtrProduceRequest()
	produce.Version = 9
	frame := frameOf(produce)
	with := func(at int, v int16) []byte {
		c := bytes.Clone(frame)
		binary.BigEndian.PutUint16(c[at:], uint16(v))
		return c
	}
	nullTopics := kmsg.NewPtrCreateTopicsRequest()
	nullTopics.Version = 5
	null := frameOf(nullTopics)
	null[len(null)-4-1-1-1] = 0 // the count of topics, before timeout, flag and tags

	for _, c := range []struct {
		name  string
		frame []byte
		want  FrameFault
	}{
		{"key 999", with(0, 999), UnknownKey},
		{"key -1", with(0, -1), UnknownKey},
		{"a key without handler", with(0, 76), UnknownKey},
		{"version 99", with(2, 99), UnsupportedVersion},
		{"version -1", with(2, -1), UnsupportedVersion},
		{"produce 2, advertised but refused", with(2, 2), UnsupportedVersion},
		{"empty", nil, Incomplete},
		{"half a header", frame[:6], Incomplete},
		{"client id cut off", frame[:11], Incomplete},
		{"null array", null, Malformed},
	} {
		h, _, err := DecodeRequest(c.frame, everything)
		if fault(err) != c.want {
			t.Errorf("%s: %v, want fault %d", c.name, err, c.want)
		}
		if len(c.frame) >= 8 && h.CorrelationID != 77 {
			t.Errorf("%s: correlation id %d", c.name, h.CorrelationID)
		}
	}
}

func TestFrameSizes(t *testing.T) {
	prefix := func(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	for _, n := range []int32{-1, 0, 7, 1001, 1<<31 - 1} {
		if _, err := ReadFrameSize(prefix(n), 1000); fault(err) == 0 {
			t.Errorf("a frame of %d bytes was accepted", n)
		}
	}
	if n, err := ReadFrameSize(prefix(1000), 1000); n != 1000 || err != nil {
		t.Error(n, err)
	}
}

// rawHeader is a request header without client id and tags.
func rawHeader(key, version int16, flexible bool) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 77, 0xff, 0xff) // no client id
	if flexible {
		b = append(b, 0)
	}
	return b
}

func TestTagsBeyondTheFrameAreNotRead(t *testing.T) {
	// An ApiVersions request whose body ends in four thousand million tags. kmsg
	// alone would insert that many.
	frame := append(rawHeader(18, 3, true), 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f)
	if _, _, err := DecodeRequest(frame, everything); fault(err) != Incomplete {
		t.Fatal(err)
	}
	inHeader := append(rawHeader(18, 3, false), 0xff, 0xff, 0xff, 0xff, 0x0f)
	if _, _, err := DecodeRequest(inHeader, everything); fault(err) != Incomplete {
		t.Fatal(err)
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// claimingFrames are frames of 16 KiB in which some array claims as many elements
// as there are bytes left.
func claimingFrames() [][]byte {
	const size = 16 << 10
	var frames [][]byte
	for _, r := range everything.Ranges() {
		req := kmsg.RequestForKey(r.Key)
		req.SetVersion(r.Max)
		for zeros := range 24 { // the array's count comes after that many bytes
			b := append(rawHeader(r.Key, r.Max, req.IsFlexible()), make([]byte, zeros)...)
			n := size - len(b) - 4
			if req.IsFlexible() {
				b = binary.AppendUvarint(b, uint64(n))
			} else {
				b = binary.BigEndian.AppendUint32(b, uint32(n))
			}
			frames = append(frames, append(b, bytes.Repeat([]byte{1}, n)...))
		}
	}
	return frames
}

func TestClaimsOfLargeArraysCostNothing(t *testing.T) {
	var most, kmsgAlone uint64
	for _, frame := range claimingFrames() {
		var err error
		took := allocated(func() { _, _, err = DecodeRequest(frame, everything) })
		if err != nil {
			most = max(most, took)
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame)))
		req.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
		kmsgAlone = max(kmsgAlone, allocated(func() { _ = req.ReadFrom(frame[11:]) }))
	}
	t.Logf("most memory for a refused frame of 16 KiB: %d bytes; kmsg alone takes %d", most, kmsgAlone)
	if most > 8<<10 {
		t.Errorf("%d bytes allocated to refuse a frame", most)
	}
}

func TestSmallestElementsAreCountedInFull(t *testing.T) {
	// Well-formed requests that consist of thousands of empty elements.
	var worst float64
	var worstName string
	for _, r := range everything.Ranges() {
		typ := reflect.TypeOf(kmsg.RequestForKey(r.Key)).Elem()
		for i := range typ.NumField() {
			if typ.Field(i).Type.Kind() != reflect.Slice {
				continue
			}
			req := kmsg.RequestForKey(r.Key)
			req.SetVersion(r.Max)
			f := reflect.ValueOf(req).Elem().Field(i)
			f.Set(reflect.MakeSlice(f.Type(), 5000, 5000))
			body := req.AppendTo(nil)
			w := shapeWalk{rest: body, version: r.Max, flexible: req.IsFlexible()}
			if !w.structure(ptr(shapes[r.Key])) {
				t.Fatal(w.detail)
			}
			into := kmsg.RequestForKey(r.Key)
			into.SetVersion(r.Max)
			took := allocated(func() { _ = into.ReadFrom(body) })
			// Twice, because with the race detector the compiler makes a temporary
			// copy of each array.
			if took > uint64(w.memory)*9/4+4096 {
				t.Errorf("%v.%s: estimated %d bytes, took %d", typ, typ.Field(i).Name, w.memory, took)
			}
			if x := float64(took) / float64(len(body)); x > worst {
				worst, worstName = x, typ.String()+"."+typ.Field(i).Name
			}
		}
	}
	t.Logf("worst amplification: %.0fx, %s", worst, worstName)

	// Beyond the bound the frame is refused before anything is allocated.
	n := 4 << 20
	frame := append(rawHeader(0, 9, true), 0, 0, 1, 0, 0, 0, 0)
	frame = binary.AppendUvarint(frame, uint64(n))
	frame = append(frame, bytes.Repeat([]byte{1, 1, 0}, n)...) // topics "", no partitions, no tags
	var err error
	took := allocated(func() { _, _, err = DecodeRequest(frame, everything) })
	if fault(err) != TooMuchMemory || took > 4<<10 {
		t.Fatalf("%d bytes taken: %v", took, err)
	}
}

// TestMemoryEstimateCoversWhatDecodingTakes holds the walk's estimate against
// what kmsg really allocates for random requests.
func TestMemoryEstimateCoversWhatDecodingTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := genRequest(t)
		body := req.AppendTo(nil)
		w := shapeWalk{rest: body, version: req.GetVersion(), flexible: req.IsFlexible()}
		if !w.structure(ptr(shapes[req.Key()])) {
			t.Fatal(w.detail)
		}
		into := kmsg.RequestForKey(req.Key())
		into.SetVersion(req.GetVersion())
		took := allocated(func() {
			if err := into.ReadFrom(body); err != nil {
				t.Fatal(err)
			}
		})
		// Small allocations are rounded up, the race detector doubles them, and the
		// runtime adds noise.
		if took > 4*uint64(w.memory)+4096 {
			t.Fatalf("%T: estimated %d bytes, took %d", req, w.memory, took)
		}
	})
}

func TestElementSizesCoverKmsgs(t *testing.T) {
	for key, shape := range shapes {
		req := kmsg.RequestForKey(key)
		checkElements(t, reflect.TypeOf(req).Elem(), shape)
	}
}

// checkElements pairs the arrays of structures in a shape with those in kmsg's
// type. Tagged fields, which shapes leave out, hold none in requests.
func checkElements(t *testing.T, typ reflect.Type, sh shape) {
	var slices []reflect.Type
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
			slices = append(slices, f.Type.Elem())
		}
	}
	for i := range sh.fields {
		f := &sh.fields[i]
		if f.kind != kindArray || f.element != nil {
			continue
		}
		if len(slices) == 0 {
			t.Errorf("%v: more arrays in the shape than in kmsg", typ)
			return
		}
		if size := int(slices[0].Size()); size > f.memory {
			t.Errorf("%v: %d bytes, estimated %d", slices[0], size, f.memory)
		}
		checkElements(t, slices[0], f.inner)
		slices = slices[1:]
	}
	if len(slices) > 0 {
		t.Errorf("%v: %v is not in the shape", typ, slices)
	}
}

func TestLargeProduceStaysLegal(t *testing.T) {
	req := kmsg.NewPtrProduceRequest()
	req.Version = 9
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "t"
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = make([]byte, 90<<20)
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	frame := frameOf(req)
	var got kmsg.Request
	took := allocated(func() { _, got, _ = DecodeRequest(frame, everything) })
	if got == nil || len(got.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records) != 90<<20 || took > 4<<10 {
		t.Fatalf("%T, %d bytes allocated", got, took)
	}
}

func TestLargeFetchStaysLegal(t *testing.T) {
	req := kmsg.NewPtrFetchRequest()
	req.Version = 17
	topic := kmsg.NewFetchRequestTopic()
	topic.Partitions = make([]kmsg.FetchRequestTopicPartition, 100_000) // with both tags
	req.Topics = append(req.Topics, topic)
	if _, _, err := DecodeRequest(frameOf(req), everything); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsAreEncodedForTheirVersion(t *testing.T) {
	req := kmsg.NewPtrVoteRequest()
	req.Version = 2
	frame := AppendRequest([]byte("before"), 5, "node-1", req)[len("before"):]
	if n, err := ReadFrameSize(frame, MaxFrame); err != nil || n != len(frame)-FramePrefix {
		t.Fatal(n, err)
	}
	h, got, err := DecodeRequest(frame[FramePrefix:], ServedVersions(52))
	if err != nil || h.CorrelationID != 5 || *h.ClientID != "node-1" {
		t.Fatal(h, err)
	}
	if _, ok := got.(*kmsg.VoteRequest); !ok {
		t.Fatalf("%T", got)
	}
	if d := cmp.Diff(frameOf(req), frameOf(got)); d != "" {
		t.Fatal(d)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for name := range clientCodecs {
		f.Add(fixture(f, name))
	}
	for _, r := range everything.Ranges() {
		req := kmsg.RequestForKey(r.Key)
		req.SetVersion(r.Max)
		f.Add(frameOf(req))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		_, req, err := DecodeRequest(frame, everything)
		if err != nil {
			fe, ok := err.(*FrameError)
			if !ok {
				t.Fatalf("untyped error %v", err)
			}
			// The walk is at least as strict as kmsg, so kmsg never adds an error.
			if fe.Fault == Malformed && fe.Detail == "response did not contain enough data to be valid" {
				t.Fatalf("kmsg refused what the walk let through: %v", fe)
			}
			return
		}
		AppendRequest(nil, 1, "", req)
	})
}
