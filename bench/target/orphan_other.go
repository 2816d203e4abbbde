//go:build !linux

package target

import "syscall"

// ownProcess keeps a terminal's interrupt to the bench, which ends its brokers itself.
func ownProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
