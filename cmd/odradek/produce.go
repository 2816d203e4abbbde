package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/term"
)

type produceFlags struct {
	clientFlags
	separator, acks, compression string
	partition, batchBytes        int32
	asJSON                       bool
}

func produceCommand() *cobra.Command {
	var f produceFlags
	c := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Send lines of standard input to a topic",
		Long: `Send every line of standard input as a record, until its end or an interrupt; what has
been read is delivered either way. A summary goes to standard error.

A missing topic is created if the broker's auto.create.topics.enable says so. With
--key-separator, what stands before the first separator of a line is the record's key;
a line without one has no key.`,
		Example: `  seq 1000 | odradek produce numbers
  echo 'alice:signed in' | odradek produce logins --key-separator :
  odradek produce big --acks 1 --compression zstd < words.txt`,
		Args: exactlyOne("topic"),
		RunE: func(c *cobra.Command, args []string) error { return produce(c, args[0], f) },
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVarP(&f.separator, "key-separator", "K", "", `separates key and value in a line (\t and \n are understood)`)
	fl.StringVar(&f.acks, "acks", "all", "who must have the record before it counts as sent: 0 nobody, 1 the leader, all in-sync replicas")
	fl.StringVar(&f.compression, "compression", "none", "none, gzip, snappy, lz4 or zstd")
	fl.Int32VarP(&f.partition, "partition", "p", -1, "partition to send to (default: by key, else any)")
	fl.Int32Var(&f.batchBytes, "max-message-bytes", 1_000_012, "largest batch to send; the topic's max.message.bytes must allow it")
	fl.BoolVar(&f.asJSON, "json", false, "the summary as JSON on standard output, instead")
	return c
}

func (f *produceFlags) options(topic string) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation(),
		kgo.RecordDeliveryTimeout(max(f.timeout, time.Second)), kgo.ProducerBatchMaxBytes(f.batchBytes),
		// Rather than wait for ever for a broker that is gone, say that the outcome is
		// unknown. Nothing is sent again after that.
		kgo.AllowIdempotentProduceCancellation(),
	}
	switch f.acks {
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "all", "-1":
	default:
		return nil, fmt.Errorf("--acks %s: want 0, 1 or all", f.acks)
	}
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[f.compression]
	if !ok {
		return nil, fmt.Errorf("--compression %s: want none, gzip, snappy, lz4 or zstd", f.compression)
	}
	opts = append(opts, kgo.ProducerBatchCompression(codec))
	if f.partition >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	} else if f.partition != -1 {
		return nil, fmt.Errorf("--partition %d: want 0 or more", f.partition)
	}
	if f.batchBytes < 1<<10 || f.batchBytes > 100<<20 {
		return nil, fmt.Errorf("--max-message-bytes %d: want 1024 to %d", f.batchBytes, 100<<20)
	}
	return opts, nil
}

func produce(c *cobra.Command, topic string, f produceFlags) error {
	separator, err := unescape("--key-separator", f.separator)
	if err != nil {
		return err
	}
	opts, err := f.options(topic)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	cl, err := f.connect(ctx, opts...)
	if err != nil {
		return err
	}
	defer cl.Close()

	d := &delivery{started: time.Now()}
	lines := &lineReader{in: bufio.NewReaderSize(c.InOrStdin(), 256<<10), separator: []byte(separator), partition: max(f.partition, 0)}
	failed, abandon := context.WithCancelCause(context.Background())
	defer abandon(nil)
	read := make(chan error, 1)
	go func() {
		read <- lines.each(func(r *kgo.Record) bool {
			d.sending(r)
			// Blocks while too much is on its way.
			cl.Produce(failed, r, func(r *kgo.Record, err error) {
				if err != nil {
					abandon(err)
				}
				d.sent(r, err)
			})
			return failed.Err() == nil
		})
	}()
	hide := d.show(os.Stderr)
	select {
	case err = <-read:
	case <-ctx.Done(): // the reader may wait for a line for ever
	case <-failed.Done():
	}
	if failed.Err() == nil {
		// The deadline is each record's own; an interrupt here stops waiting.
		flushing, done := interruptible()
		_ = cl.Flush(flushing)
		done()
	}
	hide()
	if reportErr := d.report(c, f.asJSON); err == nil {
		err = reportErr
	}
	if why := context.Cause(failed); why != nil {
		return explain("producing to "+topic, why, "")
	}
	return err
}

// lineReader makes records of lines.
type lineReader struct {
	in        *bufio.Reader
	separator []byte
	partition int32
}

// each hands over a record for every line, until use says no.
func (l *lineReader) each(use func(*kgo.Record) bool) error {
	for {
		line, err := l.in.ReadBytes('\n')
		if len(line) > 0 && !use(l.record(bytes.TrimSuffix(line, []byte{'\n'}))) {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading standard input: %w", err)
		}
	}
}

func (l *lineReader) record(line []byte) *kgo.Record {
	r := &kgo.Record{Value: line, Partition: l.partition}
	if len(l.separator) > 0 {
		if key, value, found := bytes.Cut(line, l.separator); found {
			r.Key, r.Value = key, value
		}
	}
	return r
}

// delivery counts what was sent. The callbacks of the client update it.
type delivery struct {
	started                 time.Time
	offered, records, bytes atomic.Int64
	failed                  atomic.Int64
}

func (d *delivery) sending(*kgo.Record) { d.offered.Add(1) }

func (d *delivery) sent(r *kgo.Record, err error) {
	if err != nil {
		d.failed.Add(1)
		return
	}
	d.records.Add(1)
	d.bytes.Add(int64(len(r.Key) + len(r.Value)))
}

// show updates a line on a terminal until the returned function clears it. Elsewhere it
// does nothing.
func (d *delivery) show(w *os.File) (hide func()) {
	if !term.IsTerminal(int(w.Fd())) {
		return func() {}
	}
	end, shown := make(chan struct{}), sync.WaitGroup{}
	shown.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(w, "\r\033[K%d records, %s", d.records.Load(), byteCount(d.bytes.Load()))
			case <-end:
				fmt.Fprint(w, "\r\033[K")
				return
			}
		}
	})
	return func() {
		close(end)
		shown.Wait()
	}
}

func (d *delivery) report(c *cobra.Command, asJSON bool) error {
	took := time.Since(d.started)
	records, size, failed := d.records.Load(), d.bytes.Load(), d.offered.Load()-d.records.Load()
	if asJSON {
		return printJSON(c.OutOrStdout(), struct {
			Records int64   `json:"records"`
			Bytes   int64   `json:"bytes"`
			Failed  int64   `json:"failed"`
			Seconds float64 `json:"seconds"`
		}{records, size, failed, math.Round(took.Seconds()*1e6) / 1e6})
	}
	perSecond := 1 / max(took.Seconds(), 1e-6)
	text := fmt.Sprintf("%s, %s in %.2f s (%.0f/s, %s/s)", counted(int(records), "record"), byteCount(size), took.Seconds(),
		float64(records)*perSecond, byteCount(int64(float64(size)*perSecond)))
	if failed > 0 {
		text += fmt.Sprintf("; %d not delivered", failed)
	}
	fmt.Fprintln(c.ErrOrStderr(), text)
	return nil
}

// byteCount prints a number of bytes for people.
func byteCount(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// unescape understands Go's escapes in a flag, since not every shell has a way to type a
// tab.
func unescape(flag, s string) (string, error) {
	out, err := strconv.Unquote(`"` + string(bytes.ReplaceAll([]byte(s), []byte{'"'}, []byte(`\"`))) + `"`)
	if err != nil {
		return "", fmt.Errorf(`%s %s: a bad escape; a backslash is \\`, flag, s)
	}
	return out, nil
}
