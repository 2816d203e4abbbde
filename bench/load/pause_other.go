//go:build !linux

package load

import "time"

// alarm lets a goroutine sleep.
type alarm struct{}

func newAlarm() (*alarm, error) { return &alarm{}, nil }

func (a *alarm) sleep(d time.Duration) error {
	time.Sleep(d)
	return nil
}

func (a *alarm) close() {}
