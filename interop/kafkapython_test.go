package interop

import "testing"

var kafkaPythonKind = kind{start: startKafkaPython, codecs: allCodecs}

func TestKafkaPython(t *testing.T) { runSuite(t, kafkaPythonKind) }

func TestKafkaPythonWhileNodesDie(t *testing.T) { runRestarts(t, kafkaPythonKind) }

func startKafkaPython(t *testing.T, bootstrap string) client {
	return startPython(t, bootstrap, "kafkapython.py", "kafka")
}

var kafkaPythonWorker = pythonWorker("kafkapython.py", "kafka")

func TestKafkaPythonGroup(t *testing.T) {
	for _, assignor := range []string{"range", "roundrobin"} {
		t.Run(assignor, func(t *testing.T) { runJob(t, job{task: consumes, assignor: assignor}, kafkaPythonWorker) })
	}
}

func TestKafkaPythonTransactions(t *testing.T) { runJob(t, job{task: transacts}, kafkaPythonWorker) }

func TestKafkaPythonTransforms(t *testing.T) {
	runJob(t, job{task: transforms, assignor: "range"}, kafkaPythonWorker)
}
