package kafka

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// ErrNotInstalled is what Open's error wraps when Java or Maven is missing or too old.
var ErrNotInstalled = errors.New("not installed")

// leastJava is the oldest major version of Java that Kafka's broker runs on.
const leastJava = 17

var (
	//go:embed pom.xml
	pom []byte
	//go:embed log4j2.properties
	logConfig []byte

	brokerVersion = regexp.MustCompile(`<artifactId>kafka_2\.13</artifactId><version>([^<]+)</version>`)
	javaVersion   = regexp.MustCompile(`version "(\d+)`)
)

// Version is that of the Kafka that is run.
func Version() string { return string(brokerVersion.FindSubmatch(pom)[1]) }

// Installation is Kafka ready to run.
type Installation struct {
	java string
	jars string // the folder
	logs string // the configuration of log4j
}

// Open finds Java, and Kafka's jars in the cache directory. Maven brings them there if they are
// not, which takes a minute and needs its repositories.
func Open(cacheDir string) (*Installation, error) {
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Join(cacheDir, "kafka-"+Version()))
	if err != nil {
		return nil, err
	}
	i := &Installation{java: java, jars: filepath.Join(dir, "jars"), logs: filepath.Join(dir, "log4j2.properties")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(i.logs, logConfig, 0o644); err != nil {
		return nil, err
	}
	if _, err := os.Stat(i.jars); err == nil {
		return i, nil
	}
	return i, download(dir, i.jars)
}

// findJava is JAVA_HOME's, or else that on the path.
func findJava() (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(java)
	if err != nil {
		return "", fmt.Errorf("java is %w: Kafka's broker needs Java %d or later", ErrNotInstalled, leastJava)
	}
	out, err := exec.Command(path, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w\n%s", path, err, out)
	}
	if major := majorVersion(out); major < leastJava {
		return "", fmt.Errorf("java is %w in a version that does: Kafka's broker needs Java %d or later, %s is\n%s", ErrNotInstalled, leastJava, path, out)
	}
	return path, nil
}

// majorVersion reads what "java -version" prints, 0 if it cannot.
func majorVersion(out []byte) int {
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1])) // digits; too many of them are no version
	return n
}

// download fills the folder of jars. It gets its name when it is whole: nobody takes it for
// what an interrupted download has left.
func download(dir, jars string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("mvn (Maven) is %w: it brings Kafka's jars into %s", ErrNotInstalled, jars)
	}
	work, err := os.MkdirTemp(dir, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	parts := filepath.Join(work, "jars")
	c := exec.Command(mvn, "-q", "-B", "-f", file, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+parts)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn: %w\n%s", err, out)
	}
	if err := os.Rename(parts, jars); err != nil {
		if _, there := os.Stat(jars); there == nil {
			return nil // somebody else was faster
		}
		return err
	}
	return nil
}

// command runs a class of Kafka's.
func (i *Installation) command(options []string, class string, args ...string) *exec.Cmd {
	all := append([]string{"-cp", filepath.Join(i.jars, "*"), "-Dlog4j2.configurationFile=" + i.logs}, options...)
	return exec.Command(i.java, append(append(all, class), args...)...)
}

// clusterID is of every cluster that is started here: none of them ever meets another.
const clusterID = "b2RyYWRlay1iZW5jaC1rIQ"

// Format prepares the storage that a properties file names, which a broker needs before its
// first start.
func (i *Installation) Format(properties string) error {
	c := i.command([]string{"-XX:TieredStopAtLevel=1"}, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", clusterID, "-c", properties)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return fmt.Errorf("kafka-storage format: %w\n%s", err, out.Bytes())
	}
	return nil
}

// Broker is the command that runs a broker, with the options of Java that Kafka's own scripts
// give it, but for the log of the garbage collector. heap is as in -Xmx; "" is Kafka's own.
func (i *Installation) Broker(properties, heap string) *exec.Cmd {
	if heap == "" {
		heap = "1G"
	}
	return i.command([]string{
		"-Xmx" + heap, "-Xms" + heap, "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
		"-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true",
	}, "kafka.Kafka", properties)
}
