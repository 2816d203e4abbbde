package envtest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/env"
)

var diskTests = []test{
	{"FreshDiskIsEmpty", freshDiskIsEmpty},
	{"OpenOfAMissingFile", openOfAMissingFile},
	{"CreateMakesAnEmptyFileOrOpensIt", createMakesAnEmptyFileOrOpensIt},
	{"ExclusiveRefusesAnExistingFile", exclusiveRefusesAnExistingFile},
	{"OpenOfADirectoryFails", openOfADirectoryFails},
	{"ReadOnlyRefusesChanges", readOnlyRefusesChanges},
	{"MkdirMakesParents", mkdirMakesParents},
	{"MkdirOverAFileFails", mkdirOverAFileFails},
	{"RenameMovesAndReplaces", renameMovesAndReplaces},
	{"RenameOfAMissingFile", renameOfAMissingFile},
	{"RenameMovesDirectories", renameMovesDirectories},
	{"RenamedFileStaysOpen", renamedFileStaysOpen},
	{"RemoveDeletesFilesAndEmptyDirectories", removeDeletesFilesAndEmptyDirectories},
	{"RemovedFileStaysReadable", removedFileStaysReadable},
	{"ListIsSortedByName", listIsSortedByName},
	{"MissingDirectory", missingDirectory},
	{"PathsLeadNowhereElse", pathsLeadNowhereElse},
	{"TreeOperationsTakeEffectInOrder", treeOperationsTakeEffectInOrder},
	{"NodesHaveTheirOwnDisks", nodesHaveTheirOwnDisks},
	{"SyncedStateSurvivesACrash", syncedStateSurvivesACrash},
}

func freshDiskIsEmpty(s *suite) {
	s.play(0, func(s *script) {
		s.check(len(s.names(".")) == 0, "a fresh disk holds %v", s.names("."))
		s.must(s.syncDir("."), "sync of the root")
	})
}

// missing checks for fs.ErrNotExist.
func (s *script) missing(err error, what string) {
	s.Helper()
	s.check(errors.Is(err, fs.ErrNotExist), "%s: %v, want fs.ErrNotExist", what, err)
}

func openOfAMissingFile(s *suite) {
	s.play(0, func(s *script) {
		f, err := s.tryOpen("nothing", env.ReadWrite)
		s.missing(err, "open for writing")
		s.check(f == nil, "a failed open gave a file")
		_, err = s.tryOpen("nothing", env.ReadOnly)
		s.missing(err, "open for reading")
		_, err = s.tryOpen("no/dir", env.Create)
		s.missing(err, "create in a missing directory")
		s.check(len(s.names(".")) == 0, "failed opens left %v", s.names("."))
	})
}

func createMakesAnEmptyFileOrOpensIt(s *suite) {
	s.play(0, func(s *script) {
		f := s.openFile("file", env.Create)
		s.holds(f, "")
		s.put(f, 0, "content")
		again := s.openFile("file", env.Create)
		s.holds(again, "content")
		s.pathHolds("file", "content")
	})
}

func exclusiveRefusesAnExistingFile(s *suite) {
	s.play(0, func(s *script) {
		s.file("file", "content")
		_, err := s.tryOpen("file", env.Create|env.Exclusive)
		s.check(errors.Is(err, fs.ErrExist), "exclusive creation of an existing file: %v", err)
		s.pathHolds("file", "content")
	})
}

func openOfADirectoryFails(s *suite) {
	s.play(0, func(s *script) {
		s.must(s.mkdir("dir"), "mkdir")
		for _, mode := range []env.OpenMode{env.ReadWrite, env.ReadOnly, env.Create} {
			_, err := s.tryOpen("dir", mode)
			s.check(err != nil, "a directory was opened as a file, mode %d", mode)
		}
	})
}

func readOnlyRefusesChanges(s *suite) {
	s.play(0, func(s *script) {
		s.file("file", "content")
		f := s.openFile("file", env.ReadOnly)
		s.check(s.write(f, 0, "X") != nil, "write through a read-only file")
		s.check(s.truncate(f, 0) != nil, "truncation through a read-only file")
		s.holds(f, "content")
		s.pathHolds("file", "content")
	})
}

func mkdirMakesParents(s *suite) {
	s.play(0, func(s *script) {
		s.must(s.mkdir("a/b/c"), "mkdir")
		s.must(s.mkdir("a/b/c"), "mkdir of what exists")
		s.must(s.mkdir("a/b/d"), "mkdir beside what exists")
		s.must(s.mkdir("."), "mkdir of the root")
		if d := cmp.Diff([]string{"c/", "d/"}, s.names("a/b")); d != "" {
			s.fatalf("a/b (-want +got):\n%s", d)
		}
		s.file("a/b/c/file", "content")
		s.pathHolds("a/b/c/file", "content")
	})
}

func mkdirOverAFileFails(s *suite) {
	s.play(0, func(s *script) {
		s.file("file", "content")
		s.check(s.mkdir("file") != nil, "mkdir of a file's name")
		s.check(s.mkdir("file/below") != nil, "mkdir below a file")
		s.pathHolds("file", "content")
	})
}

func renameMovesAndReplaces(s *suite) {
	s.play(0, func(s *script) {
		s.file("old", "old")
		s.file("new", "something longer that must go")
		s.must(s.rename("old", "new"), "rename")
		s.pathHolds("new", "old")
		s.must(s.mkdir("dir"), "mkdir")
		s.must(s.rename("new", "dir/newer"), "rename into a directory")
		s.pathHolds("dir/newer", "old")
		if d := cmp.Diff([]string{"dir/"}, s.names(".")); d != "" {
			s.fatalf("left behind (-want +got):\n%s", d)
		}
	})
}

func renameOfAMissingFile(s *suite) {
	s.play(0, func(s *script) {
		s.file("here", "content")
		s.missing(s.rename("nothing", "here"), "rename of a missing file")
		s.missing(s.rename("here", "no/where"), "rename into a missing directory")
		s.pathHolds("here", "content")
	})
}

func renameMovesDirectories(s *suite) {
	s.play(0, func(s *script) {
		s.must(s.mkdir("from/sub"), "mkdir")
		s.file("from/sub/file", "content")
		s.must(s.rename("from", "to"), "rename")
		s.pathHolds("to/sub/file", "content")
		_, err := s.list("from")
		s.missing(err, "list of the old name")
	})
}

func renamedFileStaysOpen(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("old")
		s.put(f, 0, "one")
		s.must(s.rename("old", "new"), "rename")
		s.put(f, 3, "two")
		s.must(s.sync(f), "sync")
		s.holds(f, "onetwo")
		s.pathHolds("new", "onetwo")
	})
}

func removeDeletesFilesAndEmptyDirectories(s *suite) {
	s.play(0, func(s *script) {
		s.must(s.mkdir("dir"), "mkdir")
		s.file("dir/file", "content")
		s.check(s.remove("dir") != nil, "a directory with a file in it was removed")
		s.pathHolds("dir/file", "content")
		s.must(s.remove("dir/file"), "remove of a file")
		s.missing(s.remove("dir/file"), "remove of a removed file")
		s.must(s.remove("dir"), "remove of an empty directory")
		s.missing(s.remove("dir"), "remove of a removed directory")
		s.check(len(s.names(".")) == 0, "left behind: %v", s.names("."))
	})
}

func removedFileStaysReadable(s *suite) {
	s.play(0, func(s *script) {
		f := s.create("file")
		s.put(f, 0, "content")
		s.must(s.remove("file"), "remove")
		s.holds(f, "content")
		s.put(f, 7, ", more")
		s.holds(f, "content, more")
		s.file("file", "another") // its name is free
		s.holds(f, "content, more")
		s.pathHolds("file", "another")
		f.Close()
	})
}

func listIsSortedByName(s *suite) {
	s.play(0, func(s *script) {
		for i, name := range []string{"b", "a", "c.log", "B", "aa", "00010", "00009"} {
			s.file(name, string(patterned(i)))
		}
		s.must(s.mkdir("ab"), "mkdir")
		got, err := s.list(".")
		s.must(err, "list")
		want := []env.DirEntry{
			{Name: "00009", Size: 6}, {Name: "00010", Size: 5}, {Name: "B", Size: 3}, {Name: "a", Size: 1},
			{Name: "aa", Size: 4}, {Name: "ab", Dir: true}, {Name: "b", Size: 0}, {Name: "c.log", Size: 2},
		}
		if d := cmp.Diff(want, got); d != "" {
			s.fatalf("list (-want +got):\n%s", d)
		}
	})
}

func missingDirectory(s *suite) {
	s.play(0, func(s *script) {
		_, err := s.list("nothing")
		s.missing(err, "list of a missing directory")
		s.missing(s.syncDir("nothing"), "sync of a missing directory")
		s.missing(s.remove("nothing/file"), "remove from a missing directory")
		s.file("file", "")
		_, err = s.list("file")
		s.check(err != nil, "a file was listed")
	})
}

func pathsLeadNowhereElse(s *suite) {
	s.play(0, func(s *script) {
		s.must(s.mkdir("dir"), "mkdir")
		for _, path := range []string{"../outside", "/absolute", "dir/../../outside", "dir/", "dir//file", ""} {
			_, err := s.tryOpen(path, env.Create)
			s.check(err != nil, "the file %q was created", path)
		}
		s.check(s.remove(".") != nil, "the root was removed")
		if d := cmp.Diff([]string{"dir/"}, s.names(".")); d != "" {
			s.fatalf("the root (-want +got):\n%s", d)
		}
	})
}

func treeOperationsTakeEffectInOrder(s *suite) {
	s.play(0, func(s *script) {
		var order []string
		step := func(what string, want error) func(error) {
			return func(err error) {
				if !errors.Is(err, want) {
					s.Errorf("%s: %v, want %v", what, err, want)
				}
				order = append(order, what)
			}
		}
		// Submitted at once, each depends on the one before.
		s.Disk.Mkdir("d", step("1 mkdir", nil))
		created := step("2 create", nil)
		s.Disk.Open("d/a", env.Create|env.Exclusive, func(_ env.File, err error) { created(err) })
		s.Disk.Rename("d/a", "d/b", step("3 rename", nil))
		s.Disk.SyncDir("d", step("4 sync", nil))
		gone := step("5 open", fs.ErrNotExist)
		s.Disk.Open("d/a", env.ReadOnly, func(_ env.File, err error) { gone(err) })
		listed := step("6 list", nil)
		s.Disk.List("d", func(list []env.DirEntry, err error) {
			listed(err)
			if d := cmp.Diff([]env.DirEntry{{Name: "b"}}, list); d != "" {
				s.Errorf("list (-want +got):\n%s", d)
			}
		})
		s.Disk.Remove("d/b", step("7 remove", nil))
		s.Disk.Remove("d", step("8 remove", nil))
		s.until(func() bool { return len(order) == 8 })
		s.check(len(s.names(".")) == 0, "left behind: %v", s.names("."))
	})
}

func nodesHaveTheirOwnDisks(s *suite) {
	for i := range s.Nodes() {
		s.play(i, func(s *script) {
			s.check(len(s.names(".")) == 0, "node %d sees %v of another", i, s.names("."))
			s.file(fmt.Sprintf("of-%d", i), "content")
		})
	}
}

func syncedStateSurvivesACrash(s *suite) {
	content := string(patterned(100_000))
	s.play(0, func(s *script) {
		s.must(s.mkdir("dir/sub"), "mkdir")
		for _, dir := range []string{".", "dir", "dir/sub"} {
			s.must(s.syncDir(dir), "sync of %s", dir)
		}
		f := s.create("dir/sub/file")
		s.put(f, 0, content)
		s.must(s.sync(f), "sync")
		s.file("dir/sub/tmp", "checkpoint")
		g := s.openFile("dir/sub/tmp", env.ReadWrite)
		s.must(s.sync(g), "sync")
		s.must(s.rename("dir/sub/tmp", "dir/sub/checkpoint"), "rename")
		s.file("dir/sub/gone", "")
		s.must(s.remove("dir/sub/gone"), "remove")
		s.must(s.syncDir("dir/sub"), "sync of the directory")
		// Left open, and with an operation under way.
		f.WriteAt([][]byte{patterned(10)}, int64(len(content)), func(error) {})
	})
	for range 2 {
		s.Restart(0)
		s.play(0, func(s *script) {
			if names := s.names("dir/sub"); !slices.Equal(names, []string{"checkpoint", "file"}) {
				s.fatalf("after the crash there is %v", names)
			}
			f := s.openFile("dir/sub/file", env.ReadOnly)
			got, err := s.tryReadAt(f, 0, len(content))
			s.must(err, "read")
			s.check(got == content, "the synced content changed")
			s.pathHolds("dir/sub/checkpoint", "checkpoint")
		})
	}
}
