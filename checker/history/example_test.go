package history_test

import (
	"fmt"

	"odradek/checker/history"
)

// A producer gets an acknowledgement with acks=all, a consumer never sees the
// record, and no fault explains it.
func ExampleCheck() {
	r := history.NewRecorder(nil)

	send := r.Invoke(history.Event{Time: 10, Func: history.Append, Process: "producer-1", Topic: "orders", Value: 1, Acks: history.AcksAll, Idempotent: true, InFlight: 5})
	request := r.Invoke(history.Event{Time: 11, Func: history.Request, Process: "producer-1", Topic: "orders", Of: []int64{send}})
	r.Return(request, history.Event{Time: 19, Outcome: history.OK})
	r.Return(send, history.Event{Time: 20, Outcome: history.OK, Offset: 0})

	final := r.Invoke(history.Event{Time: 90, Func: history.Final, Process: "reader", Topic: "orders"})
	r.Return(final, history.Event{Time: 99, Outcome: history.OK, Start: 0, End: 0})

	report, err := history.Check(r.Events(), history.Guarantees{})
	if err != nil {
		panic(err)
	}
	for _, a := range report.Violations() {
		fmt.Println(a.Name, "-", a.Sentence, "-", a.Because, a.Seqs)
	}
	// Output: unseen - value 1 was acknowledged at 0, but the log ends at 0 - rule 5: acks=all [1 4]
}
