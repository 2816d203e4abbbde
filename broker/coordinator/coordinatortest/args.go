package coordinatortest

import (
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"

	"odradek/broker/wire"
)

// Args is a directive with its arguments.
type Args struct {
	TB
	*datadriven.TestData
}

// Directive is one without values, for tests that are no transcripts.
func Directive(cmd string, args ...string) *datadriven.TestData {
	d := &datadriven.TestData{Cmd: cmd}
	for _, a := range args {
		d.CmdArgs = append(d.CmdArgs, datadriven.CmdArg{Key: a})
	}
	return d
}

// Bare are the keys of the arguments without a value.
func (a Args) Bare() []string {
	var keys []string
	for _, arg := range a.CmdArgs {
		if len(arg.Vals) == 0 {
			keys = append(keys, arg.Key)
		}
	}
	return keys
}

// Who is the first argument without a value: whom or what the directive is about, "" if
// there is none.
func (a Args) Who() string {
	if bare := a.Bare(); len(bare) > 0 {
		return bare[0]
	}
	return ""
}

// List are the values of an argument.
func (a Args) List(key string, otherwise ...string) []string {
	for _, arg := range a.CmdArgs {
		if arg.Key == key {
			return arg.Vals
		}
	}
	return otherwise
}

// Text is the value of an argument.
func (a Args) Text(key, otherwise string) string { return strings.Join(a.List(key, otherwise), ",") }

// Pointer is the value of an argument, nil if it is not there.
func (a Args) Pointer(key string) *string {
	if v := a.List(key); v != nil {
		return &v[0]
	}
	return nil
}

// Number is the value of an argument.
func Number[T ~int16 | ~int32 | ~int64 | ~int](a Args, key string, otherwise T) T {
	v := a.List(key)
	if v == nil {
		return otherwise
	}
	return T(a.ParseNumber(v[0]))
}

// ParseNumber reads a number.
func (a Args) ParseNumber(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		a.TB.Fatal(err)
	}
	return n
}

// Duration is the value of an argument.
func (a Args) Duration(key, otherwise string) time.Duration {
	return a.ParseDuration(a.Text(key, otherwise))
}

// ParseDuration reads a duration.
func (a Args) ParseDuration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		a.TB.Fatal(err)
	}
	return d
}

// Millis is the value of an argument that is a duration, in ms.
func (a Args) Millis(key, otherwise string) int32 {
	return int32(a.Duration(key, otherwise) / time.Millisecond)
}

// Partitions are the arguments like t-0.
func (a Args) Partitions() []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, key := range a.Bare() {
		if tp, ok := partition(key); ok {
			tps = append(tps, tp)
		}
	}
	return tps
}

// ParsePartition reads "t-0".
func (a Args) ParsePartition(s string) wire.TopicPartition {
	tp, ok := partition(s)
	if !ok {
		a.TB.Fatalf("%q is no partition", s)
	}
	return tp
}

func partition(s string) (tp wire.TopicPartition, ok bool) {
	i := strings.LastIndex(s, "-")
	n, err := strconv.ParseInt(s[i+1:], 10, 32)
	if i < 0 || err != nil {
		return tp, false
	}
	return wire.TopicPartition{Topic: s[:i], Partition: int32(n)}, true
}
