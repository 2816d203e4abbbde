package envtest

import (
	"errors"
	"io"
	"slices"

	"odradek/broker/env"
)

var fileTests = []test{
	{"WritesExtendAndOverwrite", writesExtendAndOverwrite},
	{"WriteOfManyBuffers", writeOfManyBuffers},
	{"GapsReadAsZeroes", gapsReadAsZeroes},
	{"ReadAtTheEndOfTheFile", readAtTheEndOfTheFile},
	{"TruncateCutsAndExtends", truncateCutsAndExtends},
	{"SizeCountsWhatIsSubmitted", sizeCountsWhatIsSubmitted},
	{"ChangesCompleteInOrder", changesCompleteInOrder},
	{"ChangesTakeEffectInOrder", changesTakeEffectInOrder},
	{"ReadSeesCompletedWrites", readSeesCompletedWrites},
	{"HandlesShareTheFile", handlesShareTheFile},
	{"CloseWaitsForWhatIsSubmitted", closeWaitsForWhatIsSubmitted},
	{"ClosedFileRefusesEverything", closedFileRefusesEverything},
	{"ManyFilesAtOnce", manyFilesAtOnce},
}

func writesExtendAndOverwrite(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 0, "hello")
		s.put(f, 5, " world")
		s.holds(f, "hello world")
		s.put(f, 6, "W")
		s.holds(f, "hello World")
		s.must(s.sync(f), "sync")
		s.must(s.sync(f), "sync of what is synced")
		s.holds(f, "hello World")
	})
}

func writeOfManyBuffers(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 0, "one", "", "two", "three")
		s.holds(f, "onetwothree")
		s.must(s.write(f, 3), "a write of nothing")
		s.must(s.write(f, 100, ""), "a write of an empty buffer")
		s.holds(f, "onetwothree") // an empty write extends nothing
		// More buffers than one system call takes.
		bufs, want := make([]string, 3000), ""
		for i := range bufs {
			bufs[i] = string(patterned(i % 7))
			want += bufs[i]
		}
		s.put(f, 0, bufs...)
		s.holds(f, want)
	})
}

func gapsReadAsZeroes(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 5, "x")
		s.holds(f, "\x00\x00\x00\x00\x00x")
	})
}

func readAtTheEndOfTheFile(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 0, "12345")
		for _, c := range []struct {
			off  int64
			n    int
			want string
			err  error
		}{
			{0, 5, "12345", nil}, // all, and no further: not the end
			{0, 6, "12345", io.EOF},
			{3, 10, "45", io.EOF},
			{4, 1, "5", nil},
			{5, 1, "", io.EOF},
			{100, 1, "", io.EOF},
		} {
			got, err := s.tryReadAt(f, c.off, c.n)
			s.check(got == c.want && err == c.err, "read of %d bytes at %d: %q and %v, want %q and %v", c.n, c.off, got, err, c.want, c.err)
		}
	})
}

func truncateCutsAndExtends(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 0, "hello world")
		s.must(s.truncate(f, 5), "truncate")
		s.holds(f, "hello")
		s.must(s.truncate(f, 8), "extend")
		s.holds(f, "hello\x00\x00\x00") // not what was there before
		s.must(s.truncate(f, 0), "truncate to nothing")
		s.holds(f, "")
		s.put(f, 0, "again")
		s.must(s.sync(f), "sync")
		s.pathHolds("file", "again")
	})
}

func sizeCountsWhatIsSubmitted(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.check(f.Size() == 0, "a new file has %d bytes", f.Size())
		left := 4
		done := func(err error) {
			if err != nil {
				s.Errorf("operation: %v", err)
			}
			left--
		}
		f.WriteAt([][]byte{make([]byte, 10), make([]byte, 5)}, 0, done)
		s.check(f.Size() == 15, "size %d with 15 bytes submitted", f.Size())
		f.WriteAt([][]byte{make([]byte, 3)}, 5, done)
		s.check(f.Size() == 15, "size %d after overwriting", f.Size())
		f.Truncate(7, done)
		s.check(f.Size() == 7, "size %d after a truncation to 7", f.Size())
		f.WriteAt([][]byte{make([]byte, 1)}, 20, done)
		s.check(f.Size() == 21, "size %d after a write at 20", f.Size())
		s.until(func() bool { return left == 0 })
		s.check(f.Size() == 21, "size %d when all is done", f.Size())
		f.Close()
		s.check(s.openFile("file", env.ReadOnly).Size() == 21, "another size when opened again")
	})
}

func changesCompleteInOrder(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		var order []int
		next := 0
		done := func() func(error) {
			i := next
			next++
			return func(err error) {
				if err != nil {
					s.Errorf("operation %d: %v", i, err)
				}
				order = append(order, i)
			}
		}
		big := patterned(1 << 20)
		for range 10 {
			f.WriteAt([][]byte{big}, 0, done())
			f.Sync(done())
			f.WriteAt([][]byte{big[:1]}, 0, done())
			f.Truncate(1<<19, done())
			f.Sync(done())
			f.Sync(done())
		}
		s.until(func() bool { return len(order) == next })
		s.check(slices.IsSorted(order), "completed in the order %v", order)
	})
}

func changesTakeEffectInOrder(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		left := 0
		done := func(error) { left-- }
		for i := range 100 {
			left += 2
			f.WriteAt([][]byte{{byte(i)}, {byte(i)}}, 0, done)
			f.Truncate(int64(i%2), done)
		}
		left++
		f.WriteAt([][]byte{bytesOf("x")}, 2, done)
		s.until(func() bool { return left == 0 })
		s.holds(f, "\x63\x00x")
	})
}

func readSeesCompletedWrites(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		left := 50
		for i := range left {
			want := patterned(100 + i)
			off := int64(i * 1000)
			f.WriteAt([][]byte{want}, off, func(err error) {
				// Submitted now, while later writes are under way.
				got := make([]byte, len(want))
				f.ReadAt(got, off, func(n int, err error) {
					if err != nil || !slices.Equal(got, want) {
						s.Errorf("a read after write %d got %d bytes, %v, or others", i, n, err)
					}
					left--
				})
			})
		}
		s.until(func() bool { return left == 0 })
	})
}

func handlesShareTheFile(s *suite) {
	s.play(0, func(s *script) {
		a := s.create("file")
		b := s.openFile("file", env.ReadOnly)
		s.put(a, 0, "from a")
		got, err := s.tryReadAt(b, 0, 6)
		s.must(err, "read")
		s.check(got == "from a", "the other handle reads %q", got)
		s.check(b.Size() == 6, "the other handle has size %d", b.Size())
		a.Close()
		got, err = s.tryReadAt(b, 5, 10)
		s.check(got == "a" && err == io.EOF, "after one handle closed the other reads %q, %v", got, err)
	})
}

func closeWaitsForWhatIsSubmitted(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		content := patterned(1 << 20)
		var results []error
		done := func(err error) { results = append(results, err) }
		f.WriteAt([][]byte{content}, 0, done)
		f.Sync(done)
		f.WriteAt([][]byte{bytesOf("tail")}, int64(len(content)), done)
		buf := make([]byte, 1)
		f.ReadAt(buf, 0, func(_ int, err error) {
			if err != io.EOF { // it need not see the write
				done(err)
			} else {
				done(nil)
			}
		})
		f.Close()
		s.until(func() bool { return len(results) == 4 })
		for _, err := range results {
			s.must(err, "an operation submitted before Close")
		}
		s.pathHolds("file", string(content)+"tail")
	})
}

func closedFileRefusesEverything(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 0, "content")
		f.Close()
		f.Close() // twice is allowed
		refused := func(what string, err error) {
			s.check(errors.Is(err, env.ErrClosed), "%s of a closed file: %v", what, err)
		}
		_, err := s.tryReadAt(f, 0, 1)
		refused("read", err)
		refused("write", s.write(f, 0, "X"))
		refused("sync", s.sync(f))
		refused("truncate", s.truncate(f, 0))
		s.pathHolds("file", "content")
	})
}

func manyFilesAtOnce(s *suite) {
	s.play(0, func(s *script) {
		const files = 30
		left := files
		for i := range files {
			name := string(rune('A'+i%26)) + string(rune('a'+i/26))
			s.Tasks.Go(func(t *env.Task) {
				s := &script{suite: s.suite, Task: t, Env: s.Env, node: s.node}
				f := s.create(name)
				for j := range 10 {
					s.put(f, int64(j), "x")
				}
				s.must(s.sync(f), "sync")
				s.holds(f, "xxxxxxxxxx")
				f.Close()
				left--
			})
		}
		s.until(func() bool { return left == 0 })
		s.check(len(s.names(".")) == files, "%d names", len(s.names(".")))
	})
}
