// Package clean is under cmd, where none of this is forbidden.
package clean

import (
	"sync"
	"time"
)

var mu sync.Mutex

func run(m map[string]float64) {
	for _, v := range m {
		go func() { time.Sleep(time.Duration(v * 2)) }()
	}
	mu.Lock()
}
