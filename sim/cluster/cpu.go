package cluster

import (
	"time"

	"odradek/broker/env"
)

// Cost is the price of a kind of work.
type Cost struct {
	Each  time.Duration // per call
	PerKB time.Duration // per 1024 units
}

// CPUModel is what work costs on a machine.
type CPUModel struct {
	Op [env.NumOps]Cost
	// Workers is how many cores compute for env.CPU.Work, at least 1.
	Workers int
	// Slow multiplies all costs; 0 means 1.
	Slow int
}

// DefaultCPU is one core of a present server for the loop and two for the rest.
func DefaultCPU() CPUModel { panic("not yet") }
