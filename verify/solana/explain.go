package solana

import (
	"fmt"
	"strconv"

	"github.com/settler-pay/settler/settlement"
)

// Check is one check of a look, for people.
type Check struct {
	Endpoint string // whose answers it is about
	Name     string // "found", "coherent", the finality, "succeeded", then the fields of the funnel
	Found    string
}

// explain tells whoever wants to know what a check came to.
func (s *session) explain(name, format string, args ...any) {
	if s.chain.explained != nil {
		s.chain.explained(Check{Endpoint: s.Endpoint.Name, Name: name, Found: fmt.Sprintf(format, args...)})
	}
}

// explainFunnel tells which steps of the funnel left a transfer and which one left none.
func (s *session) explainFunnel(v settlement.Verdict, transfers int) {
	s.explain("read", "%d transfers", transfers)
	for _, step := range settlement.Funnel {
		for _, code := range step.Codes {
			if v.Code == code {
				s.explain(step.Name, "no: %s %s", code, v.Detail)
				return
			}
		}
		s.explain(step.Name, "fits")
	}
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// versionText is the version as the answer writes it.
func (m *message) versionText() string {
	if m.version == legacy {
		return "legacy"
	}
	return strconv.Itoa(m.version)
}
