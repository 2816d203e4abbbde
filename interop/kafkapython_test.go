package interop

import "testing"

var kafkaPythonKind = kind{start: startKafkaPython, codecs: allCodecs}

func TestKafkaPython(t *testing.T) { runSuite(t, kafkaPythonKind) }

func TestKafkaPythonWhileNodesDie(t *testing.T) { runRestarts(t, kafkaPythonKind) }

func startKafkaPython(t *testing.T, bootstrap string) client {
	return startPython(t, bootstrap, "kafkapython.py", "kafka")
}
