package reference

import (
	"odradek/bench"
	"odradek/bench/target"
)

// taken is what servers and this process have taken of the machine so far.
type taken struct{ server, client bench.Usage }

// look finds out. Servers in this process are unknown: theirs is part of the client's.
func look(servers []int) (t taken, err error) {
	t.client, t.server = target.SelfUsage(), bench.Unknown
	for i, pid := range servers {
		u, err := target.ProcessUsage(pid)
		if err != nil {
			return t, err
		}
		if i == 0 {
			t.server = u
			continue
		}
		t.server.CPUSeconds += u.CPUSeconds
		t.server.RSSBytes += u.RSSBytes
		t.server.BytesWritten += u.BytesWritten
	}
	return t, nil
}

// since is what was taken between two looks. Resident is what is so at the second.
func since(before, after bench.Usage) bench.Usage {
	if before.CPUSeconds >= 0 {
		after.CPUSeconds -= before.CPUSeconds
	}
	if before.BytesWritten >= 0 {
		after.BytesWritten -= before.BytesWritten
	}
	return after
}
