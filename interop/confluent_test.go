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
