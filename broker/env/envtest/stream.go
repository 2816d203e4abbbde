package envtest

import (
	"errors"
	"io"

	"odradek/broker/env"
)

var streamTests = []test{
	{"BytesArriveInOrderAndUnaltered", bytesArriveInOrderAndUnaltered},
	{"ReadDeliversAtLeastMin", readDeliversAtLeastMin},
	{"ReadLeavesTheRest", readLeavesTheRest},
	{"ReadOfNothingDoesNotWait", readOfNothingDoesNotWait},
	{"PingPong", pingPong},
	{"DirectionsAreIndependent", directionsAreIndependent},
	{"CloseIsTheEndOfTheStream", closeIsTheEndOfTheStream},
	{"EndOfStreamDeliversWhatIsThere", endOfStreamDeliversWhatIsThere},
	{"CloseWithUnreadBytesResets", closeWithUnreadBytesResets},
	{"NothingFiresAfterClose", nothingFiresAfterClose},
	{"CloseDropsWhatWasNotTaken", closeDropsWhatWasNotTaken},
	{"WriterFeelsASlowReader", writerFeelsASlowReader},
	{"OnDrainOfADrainedConnectionFires", onDrainOfADrainedConnectionFires},
	{"OnDrainReplacesThePendingOne", onDrainReplacesThePendingOne},
	{"WritesOfNothing", writesOfNothing},
	{"FileRegionsAreSent", fileRegionsAreSent},
	{"FileClosedAfterTheWriteIsSent", fileClosedAfterTheWriteIsSent},
	{"OneFileFeedsManyConnections", oneFileFeedsManyConnections},
	{"RegionThatCannotBeReadFailsTheConnection", regionThatCannotBeReadFailsTheConnection},
}

func bytesArriveInOrderAndUnaltered(s *suite) {
	chunk := patterned(10_007)
	const repeats = 100
	s.talk(func(s *script, c wire) {
		n, err := s.drain(c, chunk)
		s.check(err == io.EOF, "the stream ended with %v", err)
		s.check(n == repeats*int64(len(chunk)), "%d bytes arrived", n)
	}, func(s *script, c wire) {
		// In writes of many sizes and shapes.
		data := make([]byte, 0, repeats*len(chunk))
		for range repeats {
			data = append(data, chunk...)
		}
		for size := 1; len(data) > 0; size = size*3 + 1 {
			if size > 300_000 {
				size = 1
			}
			n := min(size, len(data))
			c.send(seg(data[:n/3]), seg(data[n/3:n/2]), seg(data[n/2:n]))
			data = data[n:]
			if size%5 == 0 {
				s.nap(0)
			}
		}
		s.drained(c)
		c.Close()
	})
}

func readDeliversAtLeastMin(s *suite) {
	s.talk(func(s *script, c wire) {
		buf := make([]byte, 10)
		n, err := s.tryRead(c, buf, 4)
		s.must(err, "read")
		s.check(n >= 4 && n <= 6, "%d bytes for a read of 4 to 10 of 6", n)
		if n < 6 {
			s.read(c, 6-n)
		}
		c.Close()
	}, func(s *script, c wire) {
		for _, b := range []string{"a", "bc", "d", "ef"} { // min is reached in the middle
			c.say(b)
			s.drained(c)
			s.nap(blink)
		}
		_, err := s.tryRead(c, make([]byte, 1), 1)
		s.check(err == io.EOF, "the server closed: %v", err)
	})
}

func readLeavesTheRest(s *suite) {
	s.talk(func(s *script, c wire) {
		s.expect(c, "one")
		s.nap(blink)
		s.expect(c, "two")
		s.expect(c, "three")
	}, func(_ *script, c wire) { c.say("onetwothree") })
}

// readOfNothingDoesNotWait is what a message without a body comes to.
func readOfNothingDoesNotWait(s *suite) {
	s.talk(func(s *script, c wire) {
		n, err := s.tryRead(c, nil, 0)
		s.check(n == 0 && err == nil, "a read of nothing got %d bytes and %v", n, err)
		c.say("go on")
		s.expect(c, "thanks")
	}, func(s *script, c wire) {
		s.expect(c, "go on")
		c.say("thanks")
	})
}

func pingPong(s *suite) {
	const rounds = 200
	s.talk(func(s *script, c wire) {
		for i := range rounds {
			c.send(seg(s.read(c, i+1)))
		}
	}, func(s *script, c wire) {
		for i := range rounds {
			ball := patterned(i + 1)
			c.send(seg(ball))
			s.expect(c, string(ball))
		}
	})
}

func directionsAreIndependent(s *suite) {
	chunk := patterned(64 << 10)
	talked := false
	s.talk(func(s *script, c wire) {
		// Nobody reads from the server's side until the chat is over.
		for range 10 {
			c.say("pong")
			s.nap(blink / 4)
		}
		s.until(func() bool { return talked })
		n, err := s.drain(c, chunk)
		s.check(err == io.EOF && n == 256*int64(len(chunk)), "%d bytes and then %v", n, err)
	}, func(s *script, c wire) {
		c.repeat(chunk, 256) // 16 MiB fit into no buffer on the way
		for range 10 {
			s.expect(c, "pong")
		}
		s.check(c.Buffered() > 0, "the world took 16 MiB that nobody reads")
		talked = true
		s.drained(c)
		c.Close()
	})
}

func closeIsTheEndOfTheStream(s *suite) {
	s.talk(func(s *script, c wire) {
		s.expect(c, "bye")
		for range 3 { // and stays the end
			n, err := s.tryRead(c, make([]byte, 1), 1)
			s.check(n == 0 && err == io.EOF, "at the end %d bytes and %v", n, err)
		}
	}, func(s *script, c wire) {
		c.say("bye")
		s.drained(c)
		c.Close()
		c.Close()
	})
}

func endOfStreamDeliversWhatIsThere(s *suite) {
	s.talk(func(s *script, c wire) {
		buf := make([]byte, 10)
		n, err := s.tryRead(c, buf, 10)
		s.check(err == io.EOF, "a stream of 7 bytes ended a read of 10 with %v", err)
		s.check(string(buf[:n]) == "7 bytes", "a read cut short by the end got %q", buf[:n])
	}, func(s *script, c wire) {
		c.say("7 bytes")
		s.drained(c)
		c.Close()
	})
}

func closeWithUnreadBytesResets(s *suite) {
	stuffed := false
	s.talk(func(s *script, c wire) {
		s.read(c, 1)
		s.until(func() bool { return stuffed })
		c.Close()
	}, func(s *script, c wire) {
		c.repeat(patterned(64<<10), 256)
		s.nap(blink)
		stuffed = true
		n, err := s.tryRead(c, make([]byte, 1), 1)
		s.check(n == 0 && errors.Is(err, env.ErrReset), "the peer closed without reading: %d bytes and %v", n, err)
	})
}

func nothingFiresAfterClose(s *suite) {
	s.talk(func(s *script, c wire) {
		c.say("unread")
		_, err := s.tryRead(c, make([]byte, 1), 1)
		s.check(err != nil, "read something from a peer that wrote nothing")
	}, func(s *script, c wire) {
		closed := false
		never := func(what string) {
			if closed {
				s.Errorf("%s fired after Close", what)
			}
		}
		s.until(func() bool { return c.Buffered() == 0 })
		c.OnDrain(0, func() { never("OnDrain") })
		c.Read(make([]byte, 100), 1, func(int, error) { never("Read") })
		c.Close()
		closed = true
		s.nap(while)
	})
}

func closeDropsWhatWasNotTaken(s *suite) {
	chunk := patterned(64 << 10)
	closed := false
	s.talk(func(s *script, c wire) {
		s.until(func() bool { return closed })
		n, _ := s.drain(c, chunk) // fails if anything is missing in between
		s.check(n < 256*int64(len(chunk)), "bytes arrived that nobody could have taken")
	}, func(s *script, c wire) {
		c.repeat(chunk, 256)
		s.nap(blink)
		s.check(c.Buffered() > 0, "the world took 16 MiB that nobody reads")
		c.Close()
		closed = true
	})
}

func writerFeelsASlowReader(s *suite) {
	chunk := patterned(64 << 10)
	const low = 1 << 20
	drained, reading := false, false
	s.talk(func(s *script, c wire) {
		s.until(func() bool { return reading })
		n, err := s.drain(c, chunk)
		s.check(err == io.EOF && n == 256*int64(len(chunk)), "%d bytes and then %v", n, err)
	}, func(s *script, c wire) {
		before := c.Buffered()
		c.repeat(chunk, 256)
		s.check(before == 0 && c.Buffered() <= 256*len(chunk), "%d bytes buffered", c.Buffered())
		c.OnDrain(low, func() {
			drained = true
			if !reading {
				s.Errorf("drained although nobody read")
			}
			if c.Buffered() > low {
				s.Errorf("OnDrain(%d) with %d bytes buffered", low, c.Buffered())
			}
		})
		s.nap(while)
		stuck := c.Buffered()
		s.check(stuck > low, "%d bytes buffered of 16 MiB that nobody reads", stuck)
		reading = true
		s.until(func() bool { return drained })
		s.check(c.Buffered() <= low, "%d bytes buffered after OnDrain(%d)", c.Buffered(), low)
		s.drained(c)
		s.check(c.Buffered() == 0, "%d bytes buffered after OnDrain(0)", c.Buffered())
		c.Close()
	})
}

func onDrainOfADrainedConnectionFires(s *suite) {
	s.talk(func(s *script, c wire) {
		s.drained(c)
		s.drained(c) // and again
		c.OnDrain(1000, func() { c.say("drained") })
		_, err := s.tryRead(c, make([]byte, 1), 1)
		s.check(err == io.EOF, "the client closed: %v", err)
	}, func(s *script, c wire) {
		s.expect(c, "drained")
		c.Close()
	})
}

func onDrainReplacesThePendingOne(s *suite) {
	s.talk(func(s *script, c wire) {
		fired := 0
		c.OnDrain(0, func() { s.Errorf("a replaced OnDrain fired") })
		c.OnDrain(0, func() { fired++ })
		s.nap(while)
		s.check(fired == 1, "OnDrain fired %d times", fired)
		c.Close()
	}, func(s *script, c wire) {
		_, err := s.tryRead(c, make([]byte, 1), 1)
		s.check(err == io.EOF, "the server closed: %v", err)
	})
}

func writesOfNothing(s *suite) {
	s.talk(func(s *script, c wire) {
		s.expect(c, "something")
	}, func(s *script, c wire) {
		f := s.create("file")
		c.send()
		c.send(seg(nil), seg([]byte{}))
		c.send(env.Segment{File: f, Off: 0, Len: 0})
		c.send(seg(bytesOf("some")), seg(nil), seg(bytesOf("thing")))
		s.drained(c)
	})
}

func fileRegionsAreSent(s *suite) {
	const size = 3<<20 + 17
	s.talk(func(s *script, c wire) {
		s.expect(c, "head")
		if i := firstDifference(s.read(c, size), 0); i >= 0 {
			s.fatalf("the whole file differs at byte %d", i)
		}
		s.expect(c, "middle")
		if i := firstDifference(s.read(c, 100_000), 1_000_001); i >= 0 {
			s.fatalf("the region differs at byte %d", i)
		}
		if i := firstDifference(s.read(c, 1), size-1); i >= 0 {
			s.fatalf("the last byte is wrong")
		}
		s.expect(c, "tail")
	}, func(s *script, c wire) {
		f := s.create("file")
		s.put(f, 0, string(patterned(size)))
		c.send(seg(bytesOf("head")), env.Segment{File: f, Len: size}, seg(bytesOf("middle")))
		c.send(env.Segment{File: f, Off: 1_000_001, Len: 100_000})
		c.send(env.Segment{File: f, Off: size - 1, Len: 1}, seg(bytesOf("tail")))
		s.drained(c)
	})
}

func fileClosedAfterTheWriteIsSent(s *suite) {
	const size = 16 << 20 // more than fits into buffers on the way
	closed := false
	s.talk(func(s *script, c wire) {
		s.until(func() bool { return closed })
		if i := firstDifference(s.read(c, size), 0); i >= 0 {
			s.fatalf("the file differs at byte %d", i)
		}
	}, func(s *script, c wire) {
		f := s.create("file")
		s.put(f, 0, string(patterned(size)))
		c.send(env.Segment{File: f, Len: size})
		f.Close()
		s.must(s.remove("file"), "remove")
		s.nap(blink)
		s.check(c.Buffered() > 0, "a region of 16 MiB that nobody reads is not buffered")
		closed = true
		s.drained(c)
	})
}

func oneFileFeedsManyConnections(s *suite) {
	const size = 1 << 20
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 0, string(patterned(size)))
		var readers []wire
		for range 4 {
			client, server := s.pair(0)
			readers = append(readers, client)
			server.send(env.Segment{File: f, Off: 0, Len: size / 2})
			server.send(env.Segment{File: f, Off: size / 2, Len: size / 2})
		}
		for i, c := range readers {
			if at := firstDifference(s.read(c, size), 0); at >= 0 {
				s.fatalf("connection %d differs at byte %d", i, at)
			}
		}
	})
}

func regionThatCannotBeReadFailsTheConnection(s *suite) {
	s.talk(func(s *script, c wire) {
		buf := make([]byte, 100)
		n, err := s.tryRead(c, buf, 100)
		s.check(err != nil && n < 100, "a region of 100 bytes of a file of 50 delivered %d", n)
		s.check(err != io.EOF, "a message cut short looks like a clean end of the stream")
	}, func(s *script, c wire) {
		f := s.create("file")
		s.put(f, 0, string(patterned(50)))
		c.send(env.Segment{File: f, Len: 100})
		_, err := s.tryRead(c, make([]byte, 1), 1)
		s.check(err != nil && err != io.EOF, "the writer's read ended with %v", err)
	})
}
