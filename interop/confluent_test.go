package interop

import "testing"

var confluentKind = kind{start: startConfluent, codecs: allCodecs}

func TestConfluentKafkaPython(t *testing.T) { runSuite(t, confluentKind) }

func TestConfluentKafkaPythonWhileNodesDie(t *testing.T) { runRestarts(t, confluentKind) }

// startConfluent runs confluent-kafka for Python, which has a current librdkafka in it.
func startConfluent(t *testing.T, bootstrap string) client {
	return startPython(t, bootstrap, "confluent.py", "confluent_kafka")
}

func startPython(t *testing.T, bootstrap, script, module string) client {
	need(t, "python/bin/python", "python/lib/python*/site-packages/"+module)
	return startProgram(t, bootstrap, cache+"/python/bin/python", "clients/python/"+script)
}

func TestConfluentKafkaPythonGroup(t *testing.T) {
	for _, assignor := range []string{"range", "roundrobin", "cooperative-sticky"} {
		t.Run(assignor, func(t *testing.T) { runJob(t, job{task: consumes, assignor: assignor}, confluentWorker) })
	}
	t.Run("kip-848", func(t *testing.T) { runJob(t, job{task: consumes, nextGeneration: true}, confluentWorker) })
}

func TestConfluentKafkaPythonTransactions(t *testing.T) {
	runJob(t, job{task: transacts}, confluentWorker)
}

func TestConfluentKafkaPythonTransforms(t *testing.T) {
	t.Run("range", func(t *testing.T) { runJob(t, job{task: transforms, assignor: "range"}, confluentWorker) })
	t.Run("kip-848", func(t *testing.T) { runJob(t, job{task: transforms, nextGeneration: true}, confluentWorker) })
}

var confluentWorker = pythonWorker("confluent.py", "confluent_kafka")

func pythonWorker(script, module string) worker {
	w := programWorker(func(bootstrap string) (*program, error) {
		return openProgram(bootstrap, cache+"/python/bin/python", "clients/python/"+script)
	}, false)
	w.needs = func(t *testing.T) { need(t, "python/bin/python", "python/lib/python*/site-packages/"+module) }
	return w
}
