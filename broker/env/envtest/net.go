package envtest

import (
	"errors"
	"io"
	"strings"
	"time"

	"odradek/broker/env"
)

var netTests = []test{
	{"ListenPicksFreePorts", listenPicksFreePorts},
	{"ListenRefusesATakenAddress", listenRefusesATakenAddress},
	{"ClosedListenerRefusesAndFreesItsAddress", closedListenerRefusesAndFreesItsAddress},
	{"ClosedListenerKeepsItsConnections", closedListenerKeepsItsConnections},
	{"DialOfNobodyIsRefused", dialOfNobodyIsRefused},
	{"DialOfSilenceTimesOut", dialOfSilenceTimesOut},
	{"BothEndsAgreeOnAddresses", bothEndsAgreeOnAddresses},
	{"EveryDialIsAcceptedOnce", everyDialIsAcceptedOnce},
	{"NodeReachesItself", nodeReachesItself},
	{"CrashEndsConnections", crashEndsConnections},
	{"CrashFreesTheAddress", crashFreesTheAddress},
}

func listenPicksFreePorts(s *suite) {
	s.play(0, func(s *script) {
		a, b := s.listen(func(env.Conn) {}), s.listen(func(env.Conn) {})
		s.check(a.Addr() != b.Addr(), "two listeners at %s", a.Addr())
		host := strings.TrimSuffix(s.Addr(0), "0")
		for _, l := range []env.Listener{a, b} {
			s.check(strings.HasPrefix(l.Addr(), host), "listener at %s, asked for %s", l.Addr(), s.Addr(0))
			s.check(l.Addr() != s.Addr(0), "the port is still 0")
		}
	})
}

func listenRefusesATakenAddress(s *suite) {
	s.play(0, func(s *script) {
		l := s.listen(func(env.Conn) {})
		_, err := s.Net.Listen(l.Addr(), func(env.Conn) {})
		s.check(err != nil, "two listeners at %s", l.Addr())
	})
}

func closedListenerRefusesAndFreesItsAddress(s *suite) {
	s.play(0, func(s *script) {
		l := s.listen(func(env.Conn) { s.Errorf("a closed listener accepted") })
		l.Close()
		l.Close() // twice is allowed
		_, err := s.tryDial(l.Addr())
		s.check(errors.Is(err, env.ErrRefused), "dial of a closed listener: %v", err)
		again, err := s.Net.Listen(l.Addr(), func(env.Conn) {})
		s.must(err, "listen at a freed address")
		s.check(again.Addr() == l.Addr(), "listening at %s, not at %s", again.Addr(), l.Addr())
		s.dial(l.Addr())
	})
}

func closedListenerKeepsItsConnections(s *suite) {
	s.talk(func(s *script, c wire) { // talk closes the listener before this
		s.expect(c, "still here")
		c.say("me too")
	}, func(s *script, c wire) {
		s.nap(blink)
		c.say("still here")
		s.expect(c, "me too")
	})
}

func dialOfNobodyIsRefused(s *suite) {
	s.play(0, func(s *script) {
		l := s.listen(func(env.Conn) {})
		l.Close()
		c, err := s.tryDial(l.Addr())
		s.check(errors.Is(err, env.ErrRefused), "dial of nobody: %v", err)
		s.check(c == nil, "a failed dial gave a connection")
	})
}

func dialOfSilenceTimesOut(s *suite) {
	s.play(0, func(s *script) {
		addr := s.Silent()
		if addr == "" {
			return
		}
		start := s.Clock.Now()
		_, err := env.Await2(s.Task, func(done func(env.Conn, error)) { s.Net.Dial(addr, while, done) })
		s.check(errors.Is(err, env.ErrTimeout), "dial of silence: %v", err)
		took := s.Clock.Now().Sub(start)
		s.check(took >= while, "a time-out of %v after %v", while, took)
		s.check(took < while+10*time.Second, "a time-out of %v after %v", while, took)
	})
}

func bothEndsAgreeOnAddresses(s *suite) {
	var serverLocal, serverRemote string
	s.talk(func(s *script, c wire) {
		serverLocal, serverRemote = c.LocalAddr(), c.RemoteAddr()
		s.expect(c, ".")
	}, func(s *script, c wire) {
		c.say(".")
		s.until(func() bool { return serverLocal != "" })
		s.check(c.RemoteAddr() == serverLocal, "client's peer is %s, server is %s", c.RemoteAddr(), serverLocal)
		s.check(c.LocalAddr() == serverRemote, "client is %s, server's peer is %s", c.LocalAddr(), serverRemote)
	})
}

func everyDialIsAcceptedOnce(s *suite) {
	const dials = 20
	var addr string
	accepted := map[string]int{}
	s.play(1, func(s *script) {
		addr = s.listen(func(c env.Conn) { accepted[c.RemoteAddr()]++ }).Addr()
	})
	s.play(0, func(s *script) {
		for range dials / 2 {
			c := s.dial(addr)
			s.until(func() bool { return accepted[c.LocalAddr()] == 1 })
		}
		var conns []env.Conn
		for range dials / 2 {
			s.Net.Dial(addr, patience, func(c env.Conn, err error) {
				if err != nil {
					s.Errorf("dial: %v", err)
				}
				conns = append(conns, c)
			})
		}
		s.until(func() bool { return len(conns) == dials/2 && len(accepted) == dials })
	})
}

func nodeReachesItself(s *suite) {
	s.play(0, func(s *script) {
		a, b := s.pair(0)
		a.say("to b")
		b.say("to a")
		s.expect(b, "to b")
		s.expect(a, "to a")
	})
}

func crashEndsConnections(s *suite) {
	var addr string
	s.play(1, func(s *script) {
		addr = s.listen(func(c env.Conn) { c.Write([]env.Segment{seg(bytesOf("hi"))}) }).Addr()
	})
	var end error
	s.start(0, func(s *script) {
		c := s.dial(addr)
		s.expect(c, "hi")
		addr = ""
		_, end = s.tryRead(c, make([]byte, 1), 1)
	})
	s.eventually("the connection", func() bool { return addr == "" || s.Failed() })
	s.Restart(1)
	s.finish()
	if !errors.Is(end, io.EOF) && !errors.Is(end, env.ErrReset) {
		s.Errorf("the peer's process crashed, and the read ended with %v", end)
	}
}

func crashFreesTheAddress(s *suite) {
	var addr string
	s.play(0, func(s *script) { addr = s.listen(func(env.Conn) {}).Addr() })
	s.Restart(0)
	s.play(0, func(s *script) {
		_, err := s.tryDial(addr)
		s.check(errors.Is(err, env.ErrRefused), "dial of a listener whose process crashed: %v", err)
		_, err = s.Net.Listen(addr, func(env.Conn) {})
		s.must(err, "listen at the address of the former life")
	})
}
