package transcript

import (
	"strconv"
	"strings"
	"time"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// Partition reads "a-0".
func Partition(s string) wire.TopicPartition {
	i := strings.LastIndexByte(s, '-')
	n, err := strconv.ParseInt(s[i+1:], 10, 32)
	if i < 0 || err != nil {
		panic("no partition: " + s)
	}
	return wire.TopicPartition{Topic: s[:i], Partition: int32(n)}
}

// Partitions reads "a-0,a-1"; "none" is none.
func Partitions(s string) []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, word := range strings.Split(s, ",") {
		if word != "" && word != "none" {
			tps = append(tps, Partition(word))
		}
	}
	return tps
}

// Code reads Kafka's name of an error; nothing is none.
func Code(name string) int16 {
	if name == "" {
		return 0
	}
	for code := int16(-1); code < 150; code++ {
		if attempt.CodeName(code) == name {
			return code
		}
	}
	panic("no error code " + name)
}

// Number reads a number.
func Number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// Duration reads "1.5s", in ns.
func Duration(s string) int64 {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return int64(d)
}
