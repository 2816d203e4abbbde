package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestJava3(t *testing.T) { runSuite(t, javaKind("clients-3")) }

func TestJava4(t *testing.T) { runSuite(t, javaKind("clients-4")) }

func TestJava3WhileNodesDie(t *testing.T) { runRestarts(t, javaKind("clients-3")) }

func TestJava4WhileNodesDie(t *testing.T) { runRestarts(t, javaKind("clients-4")) }

// javaKind is Kafka's own client, as in one of the folders of jars that setup fills.
func javaKind(jars string) kind {
	return kind{codecs: allCodecs, start: func(t *testing.T, bootstrap string) client {
		needCommand(t, "javac")
		need(t, filepath.Join("java", jars, "kafka-clients-*.jar"))
		classes := filepath.Join(cache, "java", jars, "*") + string(os.PathListSeparator) + javaClasses(t, jars)
		return startProgram(t, bootstrap, "java", "-cp", classes, "-XX:TieredStopAtLevel=1", "-Xmx512m",
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "Interop")
	}}
}

var (
	javaMu       sync.Mutex
	javaCompiled = map[string]string{} // by folder of jars
)

// javaClasses compiles the program against the jars, once.
func javaClasses(t *testing.T, jars string) string {
	t.Helper()
	javaMu.Lock()
	defer javaMu.Unlock()
	if dir, done := javaCompiled[jars]; done {
		return dir
	}
	dir := filepath.Join(cache, "java", jars+".classes")
	javac := exec.Command("javac", "-d", dir, "-cp", filepath.Join(cache, "java", jars, "*"), "clients/java/Interop.java")
	if out, err := javac.CombinedOutput(); err != nil {
		t.Fatalf("compiling the Java client: %v\n%s", err, out)
	}
	javaCompiled[jars] = dir
	return dir
}
