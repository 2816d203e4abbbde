package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clientFlags say which cluster a console command talks to.
type clientFlags struct {
	bootstrap []string
	timeout   time.Duration
}

func (f *clientFlags) add(c *cobra.Command) {
	c.Flags().StringSliceVarP(&f.bootstrap, "bootstrap", "b", []string{"127.0.0.1:9092"}, "brokers to ask first, as host:port,...")
	c.Flags().DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for an answer of the cluster")
}

// connect makes a client, once a broker has answered.
func (f *clientFlags) connect(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	if f.timeout <= 0 {
		return nil, fmt.Errorf("--timeout %v: want more than nothing", f.timeout)
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(f.bootstrap...),
		kgo.ClientID("odradek-console"),
		kgo.DialTimeout(f.timeout),
		kgo.RetryTimeout(f.timeout),
		// A topic that was created just now is not known everywhere yet.
		kgo.MetadataMinAge(50 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("no broker answers at %s: %w; is one running (odradek serve), or is --bootstrap elsewhere?",
			strings.Join(f.bootstrap, ", "), cause(err))
	}
	return cl, nil
}

// ask connects and has fn ask the cluster, until it is answered, interrupted or too late.
func (f *clientFlags) ask(fn func(ctx context.Context, adm *kadm.Client) error) error {
	return f.request(func(ctx context.Context, cl *kgo.Client) error {
		adm := kadm.NewClient(cl)
		adm.SetTimeoutMillis(int32(f.timeout.Milliseconds()))
		return fn(ctx, adm)
	})
}

// request is ask for what has no comfortable form.
func (f *clientFlags) request(fn func(ctx context.Context, cl *kgo.Client) error) error {
	ctx, stop := interruptible()
	defer stop()
	cl, err := f.connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := f.within(ctx)
	defer cancel()
	return fn(ctx, cl)
}

// within bounds one question to the cluster.
func (f *clientFlags) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 2*f.timeout)
}

// persist asks again as long as the answer is one that time mends: a coordinator's topic
// that is being made, a leader that has just changed. A topic that is not there will not
// come.
func persist(ctx context.Context, ask func() error) error {
	var before error
	for {
		err := ask()
		switch {
		case before != nil && ctx.Err() != nil:
			return before // which tells more than that there was no time left
		case err == nil || !kerr.IsRetriable(err) || errors.Is(err, kerr.UnknownTopicOrPartition):
			return err
		}
		before = err
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// cause strips a client's account of how it tried from the error that made it fail.
func cause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("timed out")
	}
	var sys syscall.Errno
	if errors.As(err, &sys) {
		return sys
	}
	return err
}

// explain turns a cluster's error about something into a sentence with a way out. The
// message is what the broker said, if it said anything.
func explain(what string, err error, message string) error {
	if err == nil {
		return nil
	}
	said := message
	var kafka *kerr.Error
	switch {
	case errors.As(err, &kafka) && said == "":
		said = kafka.Description
	case said == "":
		said = cause(err).Error()
	}
	hint := ""
	switch {
	case errors.Is(err, kgo.ErrRecordTimeout):
		return fmt.Errorf("%s: no answer for as long as --timeout allows; what was under way may have arrived or not", what)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("%s: there is no such topic or partition; odradek topic list shows what there is", what)
	case errors.Is(err, kerr.TopicAlreadyExists):
		hint = "--if-not-exists accepts that"
	case errors.Is(err, kerr.InvalidReplicationFactor):
		hint = "--replication-factor may be at most the number of live brokers"
	case errors.Is(err, kerr.NotEnoughReplicas), errors.Is(err, kerr.NotEnoughReplicasAfterAppend):
		hint = "fewer replicas are in sync than min.insync.replicas asks for; odradek topic describe shows them"
	case errors.Is(err, kerr.OffsetOutOfRange):
		hint = "the log does not have that offset (any more); try --from beginning"
	case errors.Is(err, kerr.MessageTooLarge):
		hint = "the topic's max.message.bytes is smaller"
	case errors.Is(err, kerr.LeaderNotAvailable), errors.Is(err, kerr.NotLeaderForPartition):
		hint = "the partition has no leader at present; odradek topic describe shows its replicas"
	case errors.Is(err, kerr.CoordinatorNotAvailable):
		hint = "__consumer_offsets or __transaction_state has no leader for it, or wants more brokers than are up; odradek topic list --internal shows them"
	case errors.Is(err, kerr.NotController):
		hint = "the cluster has no controller at present; try again"
	}
	if hint != "" {
		return fmt.Errorf("%s: %s (%s)", what, strings.TrimSuffix(said, "."), hint)
	}
	return fmt.Errorf("%s: %s", what, said)
}

// interruptible is a context that ends with SIGINT or SIGTERM. Writing to a pipe that
// nobody reads any more becomes an error instead of the end of the process, so that
// clients are closed in good order. A second signal ends the process.
func interruptible() (context.Context, func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, cancel) // gives the next signal its usual effect
	return ctx, func() {
		cancel()
		signal.Stop(pipe)
	}
}

// printJSON prints a value as JSON on a line of its own.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
