package kafka

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionIsThePoms(t *testing.T) {
	if v := Version(); !strings.HasPrefix(v, "4.") {
		t.Errorf("version %q, want a 4.x", v)
	}
}

func TestJavasVersionIsReadFromWhatItPrints(t *testing.T) {
	for text, want := range map[string]int{
		"openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment":        17,
		"java version \"1.8.0_401\"\n":                                               1,
		"openjdk version \"25\" 2025-09-16\n":                                        25,
		"Picked up JAVA_TOOL_OPTIONS: -Xmx1G\nopenjdk version \"21.0.2\" 2024-01-16": 21,
		"command not understood":                                                     0,
	} {
		if got := majorVersion([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// fakeJava makes a java that says it is of a version the only program there is.
func fakeJava(t *testing.T, version string) {
	t.Helper()
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho 'openjdk version \"" + version + "\"' >&2\n"
	if err := os.WriteFile(filepath.Join(bin, "java"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAVA_HOME", home)
	t.Setenv("PATH", t.TempDir())
}

func TestWhatIsNotInstalledIsSaid(t *testing.T) {
	check := func(t *testing.T, want string) {
		t.Helper()
		_, err := Open(t.TempDir())
		if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want that %s is not installed", err, want)
		}
	}
	t.Run("no java", func(t *testing.T) {
		t.Setenv("JAVA_HOME", "")
		t.Setenv("PATH", t.TempDir())
		check(t, "java")
	})
	t.Run("old java", func(t *testing.T) {
		fakeJava(t, "11.0.2")
		check(t, "11.0.2")
	})
	t.Run("no maven", func(t *testing.T) {
		fakeJava(t, "17.0.2")
		check(t, "mvn")
	})
}

// With the jars in the cache, Maven is not needed.
func TestJarsInTheCacheAreUsed(t *testing.T) {
	fakeJava(t, "17.0.2")
	cache := t.TempDir()
	if err := os.MkdirAll(filepath.Join(cache, "kafka-"+Version(), "jars"), 0o755); err != nil {
		t.Fatal(err)
	}
	i, err := Open(cache)
	if err != nil {
		t.Fatal(err)
	}
	for heap, want := range map[string]string{"": "-Xmx1G", "4G": "-Xmx4G"} {
		if line := strings.Join(i.Broker("some.properties", heap).Args, " "); !strings.Contains(line, want) || !strings.HasSuffix(line, "kafka.Kafka some.properties") {
			t.Errorf("heap %q: %s", heap, line)
		}
	}
	if text, err := os.ReadFile(i.logs); err != nil || len(text) == 0 {
		t.Errorf("configuration of the logs: %q, %v", text, err)
	}
}
