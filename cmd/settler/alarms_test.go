package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/verify/evm"
)

// Each change is one line, whatever lasts is none.
func TestAlarmsAreLoggedOncePerChange(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	logger, err := newLogger(LogConfig{Level: "info", Format: "json"}, &log)
	if err != nil {
		t.Fatal(err)
	}
	a := newAlarmLog(logger)
	status := func(state evm.State, kinds ...evm.AlarmKind) {
		s := chainStatus{chain: "eip155:1", endpoints: []endpointStatus{{name: "alpha", state: string(state), lastError: "refused"}}}
		for _, kind := range kinds {
			s.alarms = append(s.alarms, alarm{string(kind), "why"})
		}
		a.note(t.Context(), s)
	}
	status(evm.Healthy)
	status(evm.Down, evm.QuorumUnreachable)
	status(evm.Down, evm.QuorumUnreachable, evm.QuorumUnreachable)
	status(evm.Throttled, evm.QuorumUnreachable, evm.FinalityStalled)
	status(evm.Healthy, evm.FinalityStalled)
	status(evm.Healthy)
	status(evm.Healthy, evm.FinalityStalled)
	a.note(t.Context(), chainStatus{chain: "eip155:10"}) // says nothing about the other chain

	var got []string
	for line := range strings.Lines(log.String()) {
		var entry struct{ Level, Msg, Chain, Kind, Endpoint, State, Err string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join(strings.Fields(strings.Join([]string{
			entry.Level, entry.Msg, entry.Kind, entry.Endpoint, entry.State, entry.Err,
		}, " ")), " "))
	}
	want := []string{
		"ERROR alarm raised quorum_unreachable", "WARN endpoint changed alpha down refused",
		"ERROR alarm raised finality_stalled", "WARN endpoint changed alpha throttled refused",
		"INFO alarm ended quorum_unreachable", "INFO endpoint changed alpha healthy",
		"INFO alarm ended finality_stalled",
		"ERROR alarm raised finality_stalled",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
