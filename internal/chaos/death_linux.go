package chaos

import (
	"os/exec"
	"syscall"
)

// dieWithParent has a process killed when this one is, so that nothing of a broken test goes on.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
