package target

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// startTimeout bounds what takes milliseconds, or seconds with Java, on an idle machine.
	startTimeout = 2 * time.Minute
	// probeEvery is how exactly a start is timed.
	probeEvery = 5 * time.Millisecond
)

// awaitBrokers returns when the broker at every address answers Metadata with all the brokers
// in want. ended, asked in between, says what makes waiting vain.
func awaitBrokers(addrs, want []string, timeout time.Duration, ended func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, addr := range addrs {
		if err := awaitBroker(ctx, addr, want, timeout, ended); err != nil {
			return err
		}
	}
	return nil
}

func awaitBroker(ctx context.Context, addr string, want []string, timeout time.Duration, ended func() error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DialTimeout(time.Second))
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		have, err := brokersOf(ctx, cl)
		if err == nil && !slices.ContainsFunc(want, func(a string) bool { return !slices.Contains(have, a) }) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("it knows the brokers %v, want %v", have, want)
		}
		if err := ended(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %v: %w", addr, timeout, err)
		case <-time.After(probeEvery):
		}
	}
}

// brokersOf asks a broker which brokers there are.
func brokersOf(ctx context.Context, cl *kgo.Client) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none; nil is all
	resp, err := cl.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return nil, err
	}
	var have []string
	for _, b := range resp.(*kmsg.MetadataResponse).Brokers {
		have = append(have, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
	}
	return have, nil
}
