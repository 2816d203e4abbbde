package workloads

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/group"
)

// administered records operations of an administrator. It observes the client that they are
// made with.
type administered struct {
	client.NopObserver
	site    *Site
	process string
	// doubtful: a request of the operation under way was lost or ended in a way that says
	// nothing. It may have done, or may yet do, what the operation, tried again, has
	// succeeded with.
	doubtful bool
}

// Response implements client.Observer.
func (a *administered) Response(info client.ResponseInfo) {
	outcome := attempt.OutcomeOf(info.Err)
	switch resp := info.Response.(type) {
	case *kmsg.OffsetCommitResponse:
		for _, code := range group.ReadOffsetCommit(resp) { //odradek:unordered whether there is one
			a.doubtful = a.doubtful || group.Classify(code).Outcome == attempt.Unknown
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, r := range resp.Resources {
			a.doubtful = a.doubtful || attempt.ClassifyAdmin(r.ErrorCode).Outcome == attempt.Unknown
		}
	}
	a.doubtful = a.doubtful || info.Err != nil && outcome == attempt.Unknown
}

// returned is the end of an operation that changes something.
func (a *administered) returned(err error) history.Event {
	e := a.site.changed(err)
	e.Doubtful = a.doubtful && err == nil
	return e
}

// nobody stands for who acts on a group without being in it.
func nobody(group string) *history.Member { return &history.Member{Group: group, Generation: -1} }

// committed reads a group's committed offsets and records it. with has what the history is to
// say besides.
func (a *administered) committed(t *env.Task, admin *client.Admin, f history.Func, id string, tps []wire.TopicPartition, stable bool, with history.Event) (group.Offsets, error) {
	who := nobody(id)
	ops := make([]int64, len(tps))
	for i, tp := range tps {
		e := with
		e.Time, e.Func, e.Process, e.Member = a.site.now(), f, a.process, who
		e.Topic, e.Partition, e.Offset = tp.Topic, tp.Partition, wire.NoOffset
		ops[i] = a.site.Recorder.Invoke(e)
	}
	got, err := admin.ListConsumerGroupOffsets(t, id, tps, stable)
	for i, tp := range tps {
		e := a.site.answered(err)
		e.Stable, e.Which, e.Isolation = with.Stable, with.Which, with.Isolation
		if o, ok := got[tp]; ok && err == nil {
			e.Offset = o.Offset
		}
		a.site.Recorder.Return(ops[i], e)
	}
	return got, err
}

// commit sets committed offsets, as an administrator may while a group has no members, and
// records it.
func (a *administered) commit(t *env.Task, admin *client.Admin, id string, offsets group.Offsets) {
	who := nobody(id)
	tps := sortedPartitions(offsets)
	ops := make([]int64, len(tps))
	for i, tp := range tps {
		ops[i] = a.site.Recorder.Invoke(history.Event{
			Time: a.site.now(), Func: history.Commit, Process: a.process, Member: who,
			Topic: tp.Topic, Partition: tp.Partition, Offset: offsets[tp].Offset,
		})
	}
	a.doubtful = false
	err := admin.AlterConsumerGroupOffsets(t, id, offsets)
	for i, tp := range tps {
		e := a.returned(err)
		e.Offset = offsets[tp].Offset
		a.site.Recorder.Return(ops[i], e)
	}
}
