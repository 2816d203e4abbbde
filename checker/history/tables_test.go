package history

import (
	"strings"
	"testing"

	"odradek/broker/wire"
)

func TestPlantedAnomaliesOfTables(t *testing.T) {
	compact := Guarantees{Compaction: true}
	keep := Guarantees{Compaction: true, DeleteRetention: 1000}
	left := func(s *script, end wire.Offset, records ...Record) {
		s.Return(s.Invoke(s.event(Event{Func: Final, Process: "final"})), s.event(Event{Outcome: OK, End: end, Records: records}))
	}
	// rows writes keys, those with a minus as tombstones, with values from first on, each of which
	// is at the offset before its number.
	rows := func(s *script, first uint64, keys ...string) {
		for i, key := range keys {
			row := keyed(key)
			if name, deleted := strings.CutPrefix(key, "-"); deleted {
				row = tombstone(name)
			}
			value := first + uint64(i)
			s.send("p", value, AcksAll, OK, wire.Offset(value-1), row)
		}
	}
	judged(t, []planted{
		{"older values are removed", compact, func(s *script) {
			rows(s, 1, "k", "l", "k")
			s.read("c", []Record{{0, 1}, {1, 2}})
			left(s, 3, Record{1, 2}, Record{2, 3})
		}, nil},
		{"another topic is compacted", Guarantees{Compacted: []string{"u"}}, func(s *script) {
			rows(s, 1, "k", "k")
			left(s, 2, Record{1, 2})
		}, []string{"violation lost-write"}},
		{"this topic is compacted", Guarantees{Compacted: []string{"t"}}, func(s *script) {
			rows(s, 1, "k", "k")
			left(s, 2, Record{1, 2})
		}, nil},
		{"the newest value is removed", compact, func(s *script) {
			rows(s, 1, "k", "k")
			left(s, 2, Record{0, 1})
		}, []string{"violation lost-key"}},
		{"all values are removed", compact, func(s *script) {
			rows(s, 1, "k")
			left(s, 2)
		}, []string{"violation lost-key"}},
		{"all values are lost with the power", Guarantees{Compaction: true, Excuses: power.Excuses}, func(s *script) {
			rows(s, 1, "k")
			left(s, 2)
		}, []string{"allowed lost-key"}},
		{"deleted by a tombstone of unknown outcome", compact, func(s *script) {
			rows(s, 1, "k")
			s.send("p", 2, AcksAll, Unknown, 0, tombstone("k"))
			left(s, 2)
		}, nil},
		{"a tombstone that was refused deletes nothing", compact, func(s *script) {
			rows(s, 1, "k")
			s.send("p", 2, AcksAll, Failed, 0, tombstone("k"))
			left(s, 2)
		}, []string{"violation lost-key"}},
		{"a value of unknown outcome is the newest", compact, func(s *script) {
			rows(s, 1, "k")
			s.send("p", 2, AcksAll, Unknown, 0, keyed("k"))
			left(s, 2, Record{1, 2})
		}, nil},
		{"a value that was only read is removed", compact, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0, keyed("k"))
			s.read("c", []Record{{0, 1}})
			left(s, 2)
		}, []string{"violation lost-key"}},
		{"a tombstone that was only read goes after its time", compact, func(s *script) {
			s.send("p", 1, AcksAll, "", 0, tombstone("k"))
			s.read("c", []Record{{0, 1}})
			left(s, 2)
		}, nil},
		{"tombstones go after their time", compact, func(s *script) {
			rows(s, 1, "k", "-k")
			left(s, 2)
		}, nil},
		{"a tombstone goes before its time", keep, func(s *script) {
			rows(s, 1, "k", "-k")
			left(s, 2)
		}, []string{"violation lost-tombstone"}},
		{"a tombstone goes before what it deletes", compact, func(s *script) {
			rows(s, 1, "k", "-k")
			left(s, 2, Record{0, 1})
		}, []string{"violation lost-key"}},
		{"an aborted value replaces nothing", compact, func(s *script) {
			s.send("q", 1, AcksAll, OK, 0, keyed("k"))
			a := s.begin("p", 0)
			s.send("p", 2, AcksAll, OK, 1, keyed("k"), inTxn(a))
			s.ends("p", a, false, OK)
			left(s, 3, Record{1, 2})
		}, []string{"violation lost-key"}},
		{"an aborted value may be removed", compact, func(s *script) {
			s.send("q", 1, AcksAll, OK, 0, keyed("k"))
			a := s.begin("p", 0)
			s.send("p", 2, AcksAll, OK, 1, keyed("k"), inTxn(a))
			s.ends("p", a, false, OK)
			s.read("c", []Record{{0, 1}, {1, 2}})
			left(s, 3, Record{0, 1})
		}, []string{"allowed aborted-read"}},
		{"a reader passes what has always been there", compact, func(s *script) {
			rows(s, 1, "k", "l", "m", "m")
			s.read("c", []Record{{0, 1}, {2, 3}})
			left(s, 4, Record{0, 1}, Record{1, 2}, Record{3, 4})
		}, []string{"violation poll-skip"}},
		{"a reader passes the newest value of a key", compact, func(s *script) {
			rows(s, 1, "k", "l", "l", "m")
			s.read("c", []Record{{0, 1}, {3, 4}})
			left(s, 4, Record{0, 1}, Record{1, 2}, Record{2, 3}, Record{3, 4})
		}, []string{"violation poll-skip"}},
		{"a reader passes what was replaced, which another replica still has", compact, func(s *script) {
			rows(s, 1, "k", "l", "l")
			s.read("c", []Record{{0, 1}, {2, 3}})
			left(s, 3, Record{0, 1}, Record{1, 2}, Record{2, 3})
		}, nil},
		{"a reader passes what was replaced only later", compact, func(s *script) {
			rows(s, 1, "k", "l", "m")
			s.read("c", []Record{{0, 1}, {2, 3}})
			rows(s, 4, "l")
			left(s, 4, Record{0, 1}, Record{1, 2}, Record{2, 3}, Record{3, 4})
		}, []string{"violation poll-skip"}},
		{"a reader from the start has a key that was deleted", keep, func(s *script) {
			rows(s, 1, "k")
			s.seek("c", 0)
			s.read("c", []Record{{0, 1}})
			rows(s, 2, "-k", "l")
			s.read("c", []Record{{2, 3}})
			left(s, 3, Record{2, 3})
		}, []string{"violation lost-tombstone", "violation stale-table"}},
		{"a reader that is too slow", compact, func(s *script) {
			rows(s, 1, "k")
			s.seek("c", 0)
			s.read("c", []Record{{0, 1}})
			rows(s, 2, "-k", "l")
			s.read("c", []Record{{2, 3}})
			left(s, 3, Record{2, 3})
		}, []string{"allowed stale-table"}},
		{"a reader that sees the tombstone", keep, func(s *script) {
			rows(s, 1, "k")
			s.seek("c", 0)
			s.read("c", []Record{{0, 1}})
			rows(s, 2, "-k")
			s.read("c", []Record{{1, 2}})
			left(s, 3, Record{1, 2})
		}, nil},
	})
}
