// shell is /bin/sh of the image busybox. Debian's busybox drops what its environment has under names that are no names of variables,
// which tests of configuration in the environment look for; bash keeps them. All else is busybox, whose words other tests expect.
package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func main() {
	shell := "/bin/busybox"
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); !variable.MatchString(name) {
			shell = "/bin/bash"
		}
	}
	err := syscall.Exec(shell, os.Args, os.Environ()) // the name stays: busybox chooses its part by it
	fmt.Fprintln(os.Stderr, shell, err)
	os.Exit(127)
}
