//go:build !linux || goroutines

package realenv

import "time"

// poller is what the loop sleeps in where connections have goroutines of their own.
type poller struct {
	token chan struct{} // room for one; one without need costs a turn
	alarm *time.Timer
	until time.Time
}

func (p *poller) open() error {
	p.token, p.alarm = make(chan struct{}, 1), time.NewTimer(time.Hour)
	p.alarm.Stop()
	return nil
}

func (p *poller) close() { p.alarm.Stop() }

// wake ends the wait, from any goroutine.
func (p *poller) wake() {
	select {
	case p.token <- struct{}{}:
	default:
	}
}

// prepare sets when the next wait ends at the latest; the zero time is never.
func (p *poller) prepare(until time.Time) { p.until = until }

// wait returns when it is woken, or the time of prepare has come.
func (p *poller) wait() {
	if p.until.IsZero() {
		<-p.token
		return
	}
	p.alarm.Reset(time.Until(p.until))
	select {
	case <-p.token:
		p.alarm.Stop()
	case <-p.alarm.C:
	}
}

func (p *poller) look()         {}
func (p *poller) pending() bool { return false }
func (p *poller) turn(*loop)    {}
func (p *poller) flush()        {}
