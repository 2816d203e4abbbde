package interop

import "testing"

var kafkajsKind = kind{start: startKafkajs, codecs: allCodecs}

func TestKafkajs(t *testing.T) { runSuite(t, kafkajsKind) }

func TestKafkajsWhileNodesDie(t *testing.T) { runRestarts(t, kafkajsKind) }

func startKafkajs(t *testing.T, bootstrap string) client {
	needCommand(t, "node")
	need(t, "node/node_modules/kafkajs", "node/node_modules/kafkajs-lz4", "node/node_modules/kafkajs-snappy",
		"node/node_modules/@bokuweb/zstd-wasm")
	return startProgram(t, bootstrap, "node", "clients/node/kafkajs.js")
}

func TestKafkajsGroup(t *testing.T) { runJob(t, job{task: consumes}, kafkajsWorker) }

func TestKafkajsTransactions(t *testing.T) { runJob(t, job{task: transacts}, kafkajsWorker) }

// It sends offsets without saying which generation of the group it is in, and reads them
// without waiting for open transactions (it is older than KIP-447): with a second member
// there is no exactly-once.
func TestKafkajsTransforms(t *testing.T) {
	runJob(t, job{task: transforms, lonely: true}, kafkajsWorker)
}

var kafkajsWorker = func() worker {
	w := programWorker(func(bootstrap string) (*program, error) {
		return openProgram(bootstrap, "node", "clients/node/kafkajs.js")
	}, true)
	w.needs = func(t *testing.T) {
		needCommand(t, "node")
		need(t, "node/node_modules/kafkajs")
	}
	return w
}()
