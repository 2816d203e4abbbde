package realtest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestConsoleShowsAndEndsTransactions(t *testing.T) {
	t.Parallel()
	addr := start(t).Addr
	b := "--bootstrap=" + addr
	succeed(t, "", "topic", "create", "t", b)
	if out := succeed(t, "", "txn", "list", b); out != "" {
		t.Errorf("transactions of a new cluster:\n%s", out)
	}
	producer := client(t, addr, kgo.TransactionalID("billing-1"), kgo.DefaultProduceTopic("t"))
	send := func(values ...string) {
		t.Helper()
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if err := producer.ProduceSync(patience(t), kgo.StringRecord(v)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := func(how kgo.TransactionEndTry) {
		t.Helper()
		if err := producer.EndTransaction(patience(t), how); err != nil {
			t.Fatal(err)
		}
	}
	send("one", "two")
	end(kgo.TryCommit)
	send("never")
	end(kgo.TryAbort)
	send("open")

	if out := succeed(t, "", "txn", "list", b); !strings.Contains(out, "billing-1") || !strings.Contains(out, "Ongoing") {
		t.Errorf("list:\n%s", out)
	}
	var d struct {
		State      string
		Partitions []string
		Started    string
	}
	if err := json.Unmarshal([]byte(succeed(t, "", "txn", "describe", "billing-1", "--json", b)), &d); err != nil {
		t.Fatal(err)
	}
	if d.State != "Ongoing" || fmt.Sprint(d.Partitions) != "[t-0]" || d.Started == "" {
		t.Errorf("described %+v", d)
	}
	if got := succeed(t, "", "consume", "t", "--exit-at-end", "--isolation", "read_committed", b); got != "one\ntwo\n" {
		t.Errorf("committed are %q", got)
	}
	if got := succeed(t, "", "consume", "t", "--exit-at-end", b); got != "one\ntwo\nnever\nopen\n" {
		t.Errorf("there are %q", got)
	}
	// Its coordinator knows it, so that it does not hang.
	if out := succeed(t, "", "txn", "find-hanging", "--older-than", "0s", b); out != "" {
		t.Errorf("hanging:\n%s", out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"describe", "nobody"}, "there is no transactional id nobody"},
		{[]string{"abort", "--topic", "t", "--partition", "0", "--start-offset", "0"}, "no open transaction that starts at 0"},
		{[]string{"abort", "--topic", "t"}, "partition"},
	} {
		if _, errs, code := console(t, "", append(append([]string{"txn"}, c.args...), b)...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("txn %v: exit code %d, %q", c.args, code, errs)
		}
	}
	// one, two, marker, never, marker: the open one starts at 5.
	succeed(t, "", "txn", "abort", "--topic", "t", "--partition", "0", "--start-offset", "5", b)
	succeed(t, "plain\n", "produce", "t", b)
	if got := succeed(t, "", "consume", "t", "--exit-at-end", "--isolation", "read_committed", b); got != "one\ntwo\nplain\n" {
		t.Errorf("after the abort, committed are %q", got)
	}
}
