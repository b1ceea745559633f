package jsonrpc

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// ParseQuorum reads "single" or "quorum:K"; K is how many operators must agree, at least 2.
func ParseQuorum(text string) (operators int, err error) {
	if text == "single" {
		return 1, nil
	}
	count, ok := strings.CutPrefix(text, "quorum:")
	k, err := strconv.ParseUint(count, 10, 8)
	if !ok || err != nil || k < 2 {
		return 0, fmt.Errorf("%q is not single or quorum:K with K operators, at least 2", text)
	}
	return int(k), nil
}

// Answer is what one operator said.
type Answer struct {
	Endpoint, Operator string
	Digest             string          // SHA-256 of the facts in it that decide, hex
	JSON               json.RawMessage // as it came; nil where several calls make the answer
}

// Disagreement is in the chain of an RPC_INCONSISTENT error when two operators contradict each other. One of them is wrong,
// and nothing but a person can say which.
type Disagreement struct {
	About   string
	Answers [2]Answer
}

func (d *Disagreement) Error() string {
	a, b := d.Answers[0], d.Answers[1]
	return fmt.Sprintf("endpoints %s (%.16s) and %s (%.16s) disagree about %s", a.Endpoint, a.Digest, b.Endpoint, b.Digest, d.About)
}

// Vote is what one session found, in a form that can be compared.
type Vote struct {
	Endpoint *Endpoint
	Facts    string // SHA-256, hex
	JSON     json.RawMessage
}

// Disagree makes the error, and an alarm that Alarms shows.
func (c *Client) Disagree(about string, a, b Vote) error {
	d := &Disagreement{About: about}
	for i, v := range []Vote{a, b} {
		d.Answers[i] = Answer{Endpoint: v.Endpoint.Name, Operator: v.Endpoint.Operator, Digest: v.Facts, JSON: v.JSON}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alarm, c.alarmedAt = d, c.now()
	return &settlement.LookError{Code: settlement.RPCInconsistent, Err: d}
}

// Agreed returns an error when two of the votes contradict each other.
func (c *Client) Agreed(about string, votes []Vote) error {
	for _, v := range votes[min(1, len(votes)):] {
		if v.Facts != votes[0].Facts {
			return c.Disagree(about, votes[0], v)
		}
	}
	return nil
}

// Facts hashes facts, each with its length, so that no two lists of facts look the same.
type Facts struct{ list []byte }

// Bytes adds texts or bytes.
func (f *Facts) Bytes(parts ...string) {
	for _, part := range parts {
		f.list = binary.AppendUvarint(f.list, uint64(len(part)))
		f.list = append(f.list, part...)
	}
}

// Number adds numbers.
func (f *Facts) Number(numbers ...uint64) {
	for _, n := range numbers {
		f.list = binary.BigEndian.AppendUint64(f.list, n)
	}
}

// Sum is the SHA-256 of all, hex.
func (f *Facts) Sum() string {
	sum := sha256.Sum256(f.list)
	return hex.EncodeToString(sum[:])
}

// Alarm is a condition that a person should know of. None of them is a verdict about a payment.
type Alarm struct {
	Kind   AlarmKind
	Detail string
}

// AlarmKind is a stable, machine-readable kind of alarm.
type AlarmKind string

// Kinds of alarms.
const (
	// FinalityStalled: what is final has not moved for long. Payments wait, none is lost.
	FinalityStalled AlarmKind = "finality_stalled"
	// OperatorsDisagree: two operators contradicted each other within the last ten minutes.
	OperatorsDisagree AlarmKind = "operators_disagree"
	// EndpointWrongChain: an endpoint serves another chain.
	EndpointWrongChain AlarmKind = "endpoint_wrong_chain"
	// QuorumUnreachable: fewer operators than must agree have an endpoint that is not down, throttled or wrong.
	QuorumUnreachable AlarmKind = "quorum_unreachable"
)

// alarmLasts is how long a disagreement stays an alarm.
const alarmLasts = 10 * time.Minute

// Status is how the endpoints do, and what of it is an alarm where so many operators must agree.
func (c *Client) Status(operators int) (statuses []Status, alarms []Alarm) {
	now := c.now()
	c.mu.Lock()
	if c.alarm != nil && now.Sub(c.alarmedAt) < alarmLasts {
		alarms = append(alarms, Alarm{OperatorsDisagree, c.alarm.Error()})
	}
	c.mu.Unlock()
	usable := make(map[string]bool)
	for _, e := range c.Endpoints {
		s := e.status(now)
		switch s.State {
		case WrongChain:
			alarms = append(alarms, Alarm{EndpointWrongChain, fmt.Sprintf("endpoint %s: %s", s.Name, s.LastError)})
		case Healthy, Behind, Pruned:
			usable[e.Operator] = true
		case Down, Throttled:
		}
		statuses = append(statuses, s)
	}
	if len(usable) < operators {
		alarms = append(alarms, Alarm{QuorumUnreachable, fmt.Sprintf(
			"%d operator(s) can be asked, and %d must agree", len(usable), operators)})
	}
	return statuses, alarms
}
