package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// value is a parsed config: exactly one field is meaningful, by the key's type.
type value struct {
	num  int64 // Int, Short, Long; Double in parts per million; Boolean as 0 or 1
	text string
	list []string
}

// parse reads and checks a config's text.
func (k *Key) parse(text string) (value, error) {
	trimmed := strings.TrimSpace(text)
	var v value
	switch k.Type {
	case Boolean:
		switch strings.ToLower(trimmed) {
		case "true":
			v.num = 1
		case "false":
		default:
			return v, invalidValue(k.Name, text, "Expected value to be either true or false")
		}
	case Int, Short, Long:
		n, err := strconv.ParseInt(trimmed, 10, k.Type.bits())
		if err != nil {
			return v, invalidValue(k.Name, text, "Not a number of type "+k.Type.String())
		}
		v.num = n
	case Double:
		n, ok := parsePPM(trimmed)
		if !ok {
			return v, invalidValue(k.Name, text, "Not a number of type "+k.Type.String())
		}
		v.num = n
	case List:
		if trimmed != "" {
			for item := range strings.SplitSeq(trimmed, ",") {
				v.list = append(v.list, strings.TrimSpace(item))
			}
		}
	default:
		v.text = trimmed
	}
	if k.check != nil {
		if why := k.check(v); why != "" {
			return v, invalidValue(k.Name, text, why)
		}
	}
	return v, nil
}

// bits is the width of an integer type.
func (t Type) bits() int {
	switch t {
	case Short:
		return 16
	case Int:
		return 32
	}
	return 64
}

// parsePPM reads a plain decimal number of up to six places as parts per million.
func parsePPM(s string) (int64, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) > 6 || whole == "" && frac == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+frac+strings.Repeat("0", 6-len(frac)), 10, 63)
	return int64(n), err == nil
}

// assign stores a parsed value where an accessor points.
func assign(dst any, v value) {
	switch p := dst.(type) {
	case *bool:
		*p = v.num != 0
	case *int:
		*p = int(v.num)
	case *int32:
		*p = int32(v.num)
	case *int16:
		*p = int16(v.num)
	case *int64:
		*p = v.num
	case *string:
		*p = v.text
	case *[]string:
		*p = v.list
	default:
		panic(fmt.Sprintf("config: no field of type %T can be assigned", dst))
	}
}

// check returns why a value is refused, or "". The wordings are Kafka's.
type check func(value) string

func atLeast(low int64) check {
	return func(v value) string {
		if v.num < low {
			return fmt.Sprintf("Value must be at least %d", low)
		}
		return ""
	}
}

func between(low, high int64) check {
	return func(v value) string {
		if v.num > high {
			return fmt.Sprintf("Value must be no more than %d", high)
		}
		return atLeast(low)(v)
	}
}

// ratio accepts 0 to 1 in parts per million.
func ratio(v value) string {
	if v.num > 1_000_000 {
		return "Value must be no more than 1"
	}
	return ""
}

func oneOf(allowed ...string) check {
	return func(v value) string {
		if !slices.Contains(allowed, v.text) {
			return "String must be one of: " + strings.Join(allowed, ", ")
		}
		return ""
	}
}

func listOf(allowed ...string) check {
	return func(v value) string {
		for _, item := range v.list {
			if !slices.Contains(allowed, item) {
				return "String must be one of: " + strings.Join(allowed, ", ")
			}
		}
		return ""
	}
}

func nonEmptyListOf(allowed ...string) check {
	return func(v value) string {
		if len(v.list) == 0 {
			return "List must not be empty"
		}
		return listOf(allowed...)(v)
	}
}

func orEqual(exception int64, c check) check {
	return func(v value) string {
		if v.num == exception {
			return ""
		}
		if why := c(v); why != "" {
			return fmt.Sprintf("%s, or be equal to %d", why, exception)
		}
		return ""
	}
}

// throttledReplicas accepts what Kafka does: "*", or partition:broker pairs.
func throttledReplicas(v value) string {
	for _, item := range v.list {
		partition, broker, ok := strings.Cut(item, ":")
		_, errP := strconv.ParseUint(partition, 10, 31)
		_, errB := strconv.ParseUint(broker, 10, 31)
		if item != "*" && (!ok || errP != nil || errB != nil) || item == "*" && len(v.list) > 1 {
			return "must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
		}
	}
	return ""
}

// scale converts the text of a synonym to the unit of the topic config, saturating.
// Negative values mean "no limit" in every unit.
func scale(text string, factor int64) string {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || factor == 1 {
		return text
	}
	if n < 0 {
		return "-1"
	}
	if n > math.MaxInt64/factor {
		return strconv.FormatInt(math.MaxInt64, 10)
	}
	return strconv.FormatInt(n*factor, 10)
}
