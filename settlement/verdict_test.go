package settlement_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/settler-pay/settler/settlement"
)

func TestCodesBelongToOneClass(t *testing.T) {
	t.Parallel()
	// The closed set of verification codes; true where money may still have reached the payee.
	want := map[settlement.Outcome]map[settlement.Code]bool{
		settlement.Confirmed: {"VERIFIED": false},
		settlement.Pending:   {"TX_NOT_FOUND": false, "TX_PENDING": false, "TX_UNCONFIRMED": false, "TX_REORGED": false},
		settlement.Rejected: {
			"INTENT_INVALID": false, "PROOF_MALFORMED": false, "CHAIN_UNSUPPORTED": false, "TOKEN_UNSUPPORTED": false,
			"WRONG_CHAIN": false, "TX_FAILED": false, "TX_STATUS_UNPROVABLE": false, "NO_TRANSFER": false,
			"TOKEN_MISMATCH": false, "PAYEE_MISMATCH": false, "PAYER_MISMATCH": true, "AMOUNT_MISMATCH": true,
			"DESTINATION_CLOSED": true, "TRANSFER_AMBIGUOUS": true, "REFERENCE_MISMATCH": true, "PAYMENT_STALE": true,
			"PAYMENT_LATE": true, "TRANSFER_ALREADY_USED": true, "PROOF_EXPIRED": false,
		},
		"": {
			"RPC_UNAVAILABLE": false, "RPC_RATE_LIMITED": false, "RPC_INCONSISTENT": false, "RPC_MISCONFIGURED": false,
			"RPC_HISTORY_UNAVAILABLE": false, "RPC_DECODE_FAILED": false, "UNHEARD_OF": false,
		},
	}
	for outcome, codes := range want {
		for code, moved := range codes {
			if got := (settlement.Verdict{Code: code}).Outcome(); got != outcome {
				t.Errorf("%s: outcome %q, want %q", code, got, outcome)
			}
			if code.MoneyMoved() != moved {
				t.Errorf("%s: money moved is %v", code, code.MoneyMoved())
			}
		}
	}
}

func TestLookCode(t *testing.T) {
	t.Parallel()
	cause := errors.New("429")
	err := fmt.Errorf("look: %w", &settlement.LookError{Code: settlement.RPCRateLimited, Err: cause})
	if got := settlement.LookCode(err); got != settlement.RPCRateLimited {
		t.Errorf("got %s", got)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if got := settlement.LookCode(cause); got != settlement.RPCUnavailable {
		t.Errorf("any other error: got %s", got)
	}
}
