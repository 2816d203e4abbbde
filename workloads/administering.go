package workloads

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

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
	e := history.Event{Time: a.site.now(), Outcome: history.OK, Offset: wire.NoOffset, Doubtful: a.doubtful}
	if err != nil {
		e.Outcome, e.Doubtful, e.Code, e.Detail = history.Unknown, false, codeOf(err), detailOf(err)
		if failed := (*client.AdminError)(nil); errors.As(err, &failed) {
			e.Outcome = outcomeOf(failed.Outcome)
		}
	}
	return e
}

// nobody stands for who acts on a group without being in it.
func nobody(group string) *history.Member { return &history.Member{Group: group, Generation: -1} }

// committed records the reading of a group's committed offsets; ask reads them. with has what
// the history is to say besides.
func (a *administered) committed(f history.Func, id string, tps []wire.TopicPartition, with history.Event, ask func() (group.Offsets, error)) (group.Offsets, error) {
	who := nobody(id)
	ops := make([]int64, len(tps))
	for i, tp := range tps {
		e := with
		e.Time, e.Func, e.Process, e.Member = a.site.now(), f, a.process, who
		e.Topic, e.Partition, e.Offset = tp.Topic, tp.Partition, wire.NoOffset
		ops[i] = a.site.Recorder.Invoke(e)
	}
	got, err := ask()
	for i, tp := range tps {
		e := with
		e.Time, e.Outcome, e.Offset = a.site.now(), history.OK, wire.NoOffset
		if o, ok := got[tp]; ok {
			e.Offset = o.Offset
		}
		if err != nil {
			e.Outcome, e.Offset, e.Code, e.Detail = history.Failed, wire.NoOffset, codeOf(err), detailOf(err)
		}
		a.site.Recorder.Return(ops[i], e)
	}
	return got, err
}

// commit records the setting of committed offsets, as an administrator may while a group has
// no members; ask sets them.
func (a *administered) commit(id string, offsets group.Offsets, ask func() error) error {
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
	err := ask()
	for i, tp := range tps {
		e := a.returned(err)
		e.Offset = offsets[tp].Offset
		a.site.Recorder.Return(ops[i], e)
	}
	return err
}
