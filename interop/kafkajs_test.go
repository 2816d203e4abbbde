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
