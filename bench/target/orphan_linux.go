package target

import "syscall"

// ownProcess lets no broker outlive a bench that is killed, and keeps a terminal's interrupt
// to the bench, which ends them itself.
func ownProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
