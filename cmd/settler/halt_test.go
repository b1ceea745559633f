package main

import (
	"strings"
	"testing"
)

func TestHaltAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := writeConfig(t, w.config)
	cfg, err := loadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := cfg.Chains[0].ID
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"resume", "--reason", "x"}, 1, "settler: all chains: nothing was halted\n"},
		{[]string{"resume"}, 64, "missing flags: --reason"},
		{[]string{"halt"}, 64, "missing flags: --reason"},
		{[]string{"halt", "--reason", " "}, 1, "settler: --reason is empty\n"},
		{[]string{"halt", "--reason", "x", "--chain", "nowhere"}, 1, "settler: chain \"nowhere\" is not in the configuration\n"},
		{[]string{"halt", "--reason", "x", "--chain="}, 1, "settler: chain \"\" is not in the configuration\n"},
		{[]string{"halt", "--reason", "a key is missing"}, 0, "halted: all chains\n"},
		{[]string{"halt", "--reason", "fork", "--chain", id}, 0, "halted: " + id + "\n"},
		{[]string{"resume", "--reason", "found"}, 0, "resumed: all chains\n  still halted since "},
		{[]string{"resume", "--reason", "found"}, 1, ": " + id + " (fork)\n"},
		{[]string{"resume", "--reason", "over", "--chain", id}, 0, "resumed: " + id + "\n"},
	} {
		code, out, errOut := runSettler(t, append(step.args, "-c", path)...)
		if code != step.code || !strings.Contains(out+errOut, step.want) {
			t.Errorf("%v: exit code %d\n%s%s\nwant %d with %q", step.args, code, out, errOut, step.code, step.want)
		}
	}
}
