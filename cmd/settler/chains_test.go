package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
)

// `settler chains` lists what is configured and how each endpoint does; a rule that cannot be kept is exit 1.
func TestChainsCommand(t *testing.T) {
	t.Parallel()
	node, err := devnet.StartChain(devnet.ChainConfig{ChainID: 31337})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	for range 5 {
		node.Commit()
	}
	proxy := chaintest.NewProxy(t, node.URL())
	text := goodConfig[:strings.Index(goodConfig, "chains:")] + fmt.Sprintf(`chains:
  - id: eip155:31337
    aliases: [dev]
    endpoints:
      - {name: first, url: "%s/hunter2-hunter2", operator: one, headers: ["X-Key: hunter2-key"]}
      - {name: second, url: "%s", operator: two}
    finality: {depth: 2}
    trust: quorum:2
    tiers: [{token: ETH, up_to: 0.5, trust: single, finality: {depth: 1}}]
    tokens: [{symbol: ETH, native: true, decimals: 18}]
`, proxy.URL(), node.URL())
	path := writeConfig(t, text)
	code, out, errOut := runSettler(t, "chains", "-c", path)
	for _, part := range []string{
		"eip155:31337 dev", "trust quorum:2, finality depth 2", "block 5, final 3", "up to 0.5 ETH: depth 1, single",
		"first", "healthy, of one", "second", "healthy, of two",
	} {
		if code != 0 || !strings.Contains(out, part) {
			t.Errorf("exit code %d, lacks %q: %s%s", code, part, out, errOut)
		}
	}

	proxy.Handle(func(string) chaintest.Answer {
		return chaintest.Answer{Status: 503, Body: "hunter2-hunter2 is over its limit"}
	})
	code, out, errOut = runSettler(t, "chains", "-c", path, "-o", "json")
	var views []chainView
	if err := json.Unmarshal([]byte(out), &views); err != nil {
		t.Fatalf("%v: %s%s", err, out, errOut)
	}
	if code != 1 || len(views) != 1 || views[0].Problem == "" || views[0].Endpoints[0].State != "down" || views[0].Endpoints[1].State != "healthy" ||
		len(views[0].Alarms) != 1 || !strings.HasPrefix(views[0].Alarms[0], "quorum_unreachable") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if strings.Contains(out+errOut, "hunter2") {
		t.Errorf("a key is told: %s%s", out, errOut)
	}
}
