package devnet

import "syscall"

// ownProgram is this program, also when its file is gone or lies where the child's user cannot reach it.
func ownProgram() (string, error) { return "/proc/self/exe", nil }

// signalOnDeath makes the kernel send the signal when the thread that starts the process has died.
func signalOnDeath(attributes *syscall.SysProcAttr, signal syscall.Signal) {
	attributes.Pdeathsig = signal
}
