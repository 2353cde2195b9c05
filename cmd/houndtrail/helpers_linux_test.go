package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// helpers run houndtrail without something that it needs. They are separate processes, so that their changes end with them,
// however a test ends.
//
//	on-full-disk DIR command...   DIR is on a disk without space
//	on-read-only DIR command...   DIR is on a disk that cannot be written
//	obey-modes command...         file modes count, even for root
var helpers = map[string]func(){
	"on-full-disk": func() { mounted("size=4k", 0) },
	"on-read-only": func() { mounted("size=4k", unix.MS_RDONLY) },
	"obey-modes":   obeyModes,
}

// abilities tells what this machine lets a test do.
var abilities = sync.OnceValue(func() map[string]bool {
	return map[string]bool{
		"small-disk": exec.Command("on-full-disk", os.TempDir(), "true").Run() == nil,
		"file-modes": exec.Command("obey-modes", "true").Run() == nil,
	}
})

// namespaceKey marks the process that is already in a mount namespace of its own.
const namespaceKey = "HELPER_IN_NAMESPACE"

// mounted puts a tiny file system over a directory, for one command only: the mount is in a namespace that ends with the
// command.
func mounted(size string, flags uintptr) {
	if os.Getenv(namespaceKey) == "" {
		os.Exit(inNamespace())
	}
	must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")) // the host must not see the next one
	must(unix.Mount("tmpfs", os.Args[1], "tmpfs", flags, size))
	must(os.Unsetenv(namespaceKey))
	execute(os.Args[2:])
}

// inNamespace runs this helper again, in a new mount namespace.
func inNamespace() int {
	self, err := os.Executable()
	must(err)
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), namespaceKey+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		must(err)
	}
	return cmd.ProcessState.ExitCode()
}

// obeyModes drops the capabilities by which root reads and writes any file.
func obeyModes() {
	runtime.LockOSThread() // capabilities belong to a thread, and exec takes those of the thread that calls it
	if os.Geteuid() == 0 {
		for _, capability := range []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH} {
			must(unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0))
		}
	}
	execute(os.Args[1:])
}

func execute(args []string) {
	path, err := exec.LookPath(args[0])
	must(err)
	must(syscall.Exec(path, args, os.Environ()))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "helper:", err)
		os.Exit(125)
	}
}
