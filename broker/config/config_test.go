package config

import "testing"

func TestDefaultsParse(t *testing.T) {
	l := Layers{Static: Values{"node.id": "1", "process.roles": "broker"}}
	_, err := l.BrokerConfig()
	if err != nil {
		t.Fatal(err)
	}
}
