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
		needJava(t, jars)
		return startProgram(t, bootstrap, javaCommand(jars)...)
	}}
}

func needJava(t *testing.T, jars string) {
	t.Helper()
	needCommand(t, "javac")
	need(t, filepath.Join("java", jars, "kafka-clients-*.jar"))
	javaClasses(t, jars)
}

func javaCommand(jars string) []string {
	path := filepath.Join(cache, "java", jars, "*") + string(os.PathListSeparator) + filepath.Join(cache, "java", jars+".classes")
	return []string{"java", "-cp", path, "-XX:TieredStopAtLevel=1", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "Interop"}
}

func TestJava3Group(t *testing.T) {
	for _, assignor := range []string{"range", "cooperative-sticky"} {
		t.Run(assignor, func(t *testing.T) { runJob(t, job{task: consumes, assignor: assignor}, javaWorker("clients-3")) })
	}
}

func TestJava4Group(t *testing.T) {
	for _, assignor := range []string{"range", "roundrobin", "sticky", "cooperative-sticky"} {
		t.Run(assignor, func(t *testing.T) { runJob(t, job{task: consumes, assignor: assignor}, javaWorker("clients-4")) })
	}
	t.Run("kip-848", func(t *testing.T) { runJob(t, job{task: consumes, nextGeneration: true}, javaWorker("clients-4")) })
	t.Run("to-kip-848", func(t *testing.T) {
		runJob(t, job{task: consumes, assignor: "cooperative-sticky", upgrade: true}, javaWorker("clients-4"))
	})
}

func TestJava3Transactions(t *testing.T) { runJob(t, job{task: transacts}, javaWorker("clients-3")) }

func TestJava4Transactions(t *testing.T) { runJob(t, job{task: transacts}, javaWorker("clients-4")) }

func TestJava3Transforms(t *testing.T) {
	runJob(t, job{task: transforms, assignor: "cooperative-sticky"}, javaWorker("clients-3"))
}

func TestJava4Transforms(t *testing.T) {
	t.Run("classic", func(t *testing.T) {
		runJob(t, job{task: transforms, assignor: "cooperative-sticky"}, javaWorker("clients-4"))
	})
	t.Run("kip-848", func(t *testing.T) { runJob(t, job{task: transforms, nextGeneration: true}, javaWorker("clients-4")) })
}

func javaWorker(jars string) worker {
	w := programWorker(func(bootstrap string) (*program, error) { return openProgram(bootstrap, javaCommand(jars)...) }, false)
	w.needs = func(t *testing.T) { needJava(t, jars) }
	return w
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
	javac := exec.Command("javac", "-d", dir, "-cp", filepath.Join(cache, "java", jars, "*"), "-sourcepath", "clients/java", "clients/java/Interop.java")
	if out, err := javac.CombinedOutput(); err != nil {
		t.Fatalf("compiling the Java client: %v\n%s", err, out)
	}
	javaCompiled[jars] = dir
	return dir
}
