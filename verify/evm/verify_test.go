package evm

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/settler-pay/settler/settlement"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	native := func(c *settlement.Claim) { c.Want.Token = "" }
	sendNative := func(s *scene) {
		s.setLogs()
		s.tx["to"], s.tx["value"] = bob.String(), "0x16e360"
	}
	tests := []struct {
		name   string
		change func(*scene)
		claim  func(*settlement.Claim)
		want   settlement.Code
		detail string
	}{
		{name: "the payment fits", want: settlement.Verified},

		// The claim itself.
		{name: "the price is zero", claim: func(c *settlement.Claim) { c.Want.Amount = settlement.Amount{} }, want: settlement.IntentInvalid},
		{name: "payer and payee are one", claim: func(c *settlement.Claim) { c.Payers = []settlement.Address{bob} }, want: settlement.IntentInvalid},
		{name: "the payer is nobody", claim: func(c *settlement.Claim) { c.Payers = []settlement.Address{settlement.Address(make([]byte, 20))} }, want: settlement.IntentInvalid},
		{name: "the payee has 32 bytes", claim: func(c *settlement.Claim) { c.Want.Payee = settlement.Address(hash("x")) }, want: settlement.IntentInvalid},
		{name: "the id has 20 bytes", claim: func(c *settlement.Claim) { c.TxID = c.TxID[:20] }, want: settlement.ProofMalformed},
		{name: "the id is a Solana signature", claim: func(c *settlement.Claim) { c.TxID += c.TxID }, want: settlement.ProofMalformed},
		{name: "the claim is about another chain", claim: func(c *settlement.Claim) { c.Chain = "eip155:1" }, want: settlement.ChainUnsupported},
		{name: "the token is not listed", claim: func(c *settlement.Claim) { c.Want.Token = euro }, want: settlement.TokenUnsupported},

		// Existence.
		{name: "nobody knows the transaction", change: func(s *scene) { s.null = []string{"eth_getTransactionReceipt", "eth_getTransactionByHash"} }, want: settlement.TxNotFound},
		{name: "the transaction waits in the pool", change: func(s *scene) {
			s.null = []string{"eth_getTransactionReceipt"}
			s.tx["blockHash"], s.tx["blockNumber"], s.tx["transactionIndex"] = nil, nil, nil
		}, want: settlement.TxPending},
		{name: "the index lags behind the block", change: func(s *scene) { s.null = []string{"eth_getTransactionReceipt"} }, want: settlement.RPCInconsistent},
		{name: "the pool's transaction is another", change: func(s *scene) {
			s.null = []string{"eth_getTransactionReceipt"}
			s.tx["hash"] = settlement.TxID(hash("other")).String()
		}, want: settlement.RPCInconsistent},

		// Finality and the canonical chain.
		{name: "the block is not final", change: func(s *scene) { s.finalized = 99 }, want: settlement.TxUnconfirmed},
		{name: "the block is just final", change: func(s *scene) { s.finalized = 100 }, want: settlement.Verified},
		{name: "a failed transaction is not final", change: func(s *scene) { s.finalized, s.receipt["status"] = 99, "0x0" }, want: settlement.TxUnconfirmed},
		{name: "a wrong amount is not final", change: func(s *scene) { s.finalized = 99; s.setLogs(s.transferLog(usd, alice, bob, 1)) }, want: settlement.TxUnconfirmed},
		{name: "a receipt is given out before its block", change: func(s *scene) {
			s.latest, s.finalized = 99, 80
			s.answer = answerNull("eth_getBlockByNumber", "0x64")
		}, want: settlement.TxUnconfirmed},
		{name: "a young block was replaced", change: func(s *scene) { s.finalized, s.block["hash"] = 99, settlement.BlockHash(hash("other")).String() }, want: settlement.TxUnconfirmed},
		{name: "the receipt is of a replaced block", change: func(s *scene) { s.block["hash"] = settlement.BlockHash(hash("other")).String() }, want: settlement.TxReorged},
		{name: "a final block is absent", change: func(s *scene) { s.answer = answerNull("eth_getBlockByNumber", "0x64") }, want: settlement.RPCInconsistent},
		{name: "another block is given", change: func(s *scene) { s.block["number"] = "0x65" }, want: settlement.RPCInconsistent},
		{name: "the chain has no such tag", change: func(s *scene) { s.answer = answerNull("eth_getBlockByNumber", "finalized") }, want: settlement.RPCMisconfigured},
		{name: "the header is of an odd chain", change: func(s *scene) {
			for _, name := range []string{"logsBloom", "parentHash", "transactions"} {
				delete(s.block, name)
			}
			s.keepBloom, s.receipt["logsBloom"] = true, bloomOf(s.receipt["logs"].([]any))
			s.block["step"], s.block["signature"] = 7, []any{}
		}, want: settlement.Verified},

		// Status.
		{name: "reverted", change: func(s *scene) { s.receipt["status"] = "0x0"; s.setLogs() }, want: settlement.TxFailed},
		{name: "failed with a fee log", change: func(s *scene) { s.receipt["status"] = "0x0" }, want: settlement.TxFailed},
		{name: "no status", change: func(s *scene) { delete(s.receipt, "status") }, want: settlement.TxStatusUnprovable},
		{name: "null status", change: func(s *scene) { s.receipt["status"] = nil }, want: settlement.TxStatusUnprovable},
		{name: "a status that means nothing", change: func(s *scene) { s.receipt["status"] = "0x2" }, want: settlement.RPCDecodeFailed},
		{name: "a status that is no text", change: func(s *scene) { s.receipt["status"] = true }, want: settlement.RPCDecodeFailed},

		// The funnel.
		{name: "nothing moved", change: func(s *scene) { s.setLogs() }, want: settlement.NoTransfer},
		{name: "another contract says so", change: func(s *scene) { s.setLogs(s.transferLog(euro, alice, bob, 1_500_000)) }, want: settlement.TokenMismatch},
		{name: "another payee", change: func(s *scene) { s.setLogs(s.transferLog(usd, alice, carol, 1_500_000)) }, want: settlement.PayeeMismatch},
		{name: "another payer", change: func(s *scene) { s.setLogs(s.transferLog(usd, carol, bob, 1_500_000)) }, want: settlement.PayerMismatch},
		{name: "minted", change: func(s *scene) { s.setLogs(s.transferLog(usd, settlement.Address(make([]byte, 20)), bob, 1_500_000)) }, want: settlement.PayerMismatch},
		{name: "one unit too little", change: func(s *scene) { s.setLogs(s.transferLog(usd, alice, bob, 1_499_999)) }, want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "one unit too much", change: func(s *scene) { s.setLogs(s.transferLog(usd, alice, bob, 1_500_001)) }, want: settlement.AmountMismatch, detail: settlement.Over},
		{name: "poisoned with zero", change: func(s *scene) { s.setLogs(s.transferLog(usd, alice, bob, 0)) }, want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "two halves", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, bob, 750_000), s.transferLog(usd, alice, bob, 750_000))
		}, want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "the fields are in different logs", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, carol, 1_500_000), s.transferLog(usd, carol, bob, 1_500_000))
		}, want: settlement.PayerMismatch},
		{name: "sent back in the same transaction", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, bob, 1_500_000), s.transferLog(usd, bob, alice, 1_500_000))
		}, want: settlement.AmountMismatch, detail: settlement.Returned},
		{name: "one of many", change: func(s *scene) {
			s.setLogs(s.transferLog(euro, alice, bob, 1_500_000), s.transferLog(usd, carol, bob, 1_500_000), s.transferLog(usd, alice, bob, 1_500_000))
		}, want: settlement.Verified},
		{name: "paid by a relayer's transaction", change: func(s *scene) { s.receipt["from"], s.tx["from"] = carol.String(), carol.String() }, want: settlement.Verified},
		{name: "used by another payment", claim: func(c *settlement.Claim) { c.Used = map[string]bool{"log/7": true} }, want: settlement.TransferAlreadyUsed},
		{name: "older than the intent", claim: func(c *settlement.Claim) { c.NotBefore = paidAt.Add(time.Second) }, want: settlement.PaymentStale},
		{name: "as old as the intent", claim: func(c *settlement.Claim) { c.NotBefore = paidAt }, want: settlement.Verified},
		{name: "not above the head at the intent", claim: func(c *settlement.Claim) { c.NotBeforeBlock = 100 }, want: settlement.PaymentStale},
		{name: "late", claim: func(c *settlement.Claim) { c.NotAfter = paidAt.Add(-time.Second) }, want: settlement.PaymentLate},

		// Logs that are no transfers.
		{name: "an ERC-721 transfer", change: func(s *scene) {
			s.log(0)["topics"] = append(s.log(0)["topics"].([]any), topicOf(carol))
			s.log(0)["data"] = "0x"
		}, want: settlement.NoTransfer},
		{name: "no indexed fields", change: func(s *scene) { s.log(0)["topics"] = []any{transferHash} }, want: settlement.NoTransfer},
		{name: "no topics", change: func(s *scene) { s.log(0)["topics"] = []any{} }, want: settlement.NoTransfer},
		{name: "dirty bytes above the payee", change: func(s *scene) {
			s.log(0)["topics"].([]any)[2] = "0x01" + topicOf(bob)[4:]
		}, want: settlement.NoTransfer},
		{name: "dirty bytes above the payer", change: func(s *scene) {
			s.log(0)["topics"].([]any)[1] = "0x01" + topicOf(alice)[4:]
		}, want: settlement.NoTransfer},
		{name: "31 bytes of data", change: func(s *scene) { s.log(0)["data"] = s.log(0)["data"].(string)[:64] }, want: settlement.NoTransfer},
		{name: "64 bytes of data", change: func(s *scene) { s.log(0)["data"] = s.log(0)["data"].(string) + strings.Repeat("00", 32) }, want: settlement.NoTransfer},
		{name: "an approval", change: func(s *scene) { s.log(0)["topics"].([]any)[0] = settlement.BlockHash(hash("Approval")).String() }, want: settlement.NoTransfer},

		// Native coin.
		{name: "native value", change: sendNative, claim: native, want: settlement.Verified},
		{name: "native value too little", change: func(s *scene) { sendNative(s); s.tx["value"] = "0x1" }, claim: native, want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "native value to somebody else", change: func(s *scene) { sendNative(s); s.tx["to"] = carol.String() }, claim: native, want: settlement.PayeeMismatch},
		{name: "native value from somebody else", change: func(s *scene) { sendNative(s); s.tx["from"], s.receipt["from"] = carol.String(), carol.String() }, claim: native, want: settlement.PayerMismatch},
		{name: "native value, reverted", change: func(s *scene) { sendNative(s); s.receipt["status"] = "0x0" }, claim: native, want: settlement.TxFailed},
		{name: "native value inside a contract call", change: func(s *scene) { sendNative(s); s.tx["to"], s.tx["value"] = carol.String(), "0x0" }, claim: native, want: settlement.NoTransfer},
		{name: "native wanted, token paid", claim: native, want: settlement.TokenMismatch},
		{name: "token wanted, native paid", change: sendNative, want: settlement.NoTransfer},
		{name: "a contract is created", change: func(s *scene) { sendNative(s); s.tx["to"] = nil }, claim: native, want: settlement.NoTransfer},
		{name: "the transaction is unknown beside its receipt", change: func(s *scene) { sendNative(s); s.null = []string{"eth_getTransactionByHash"} }, claim: native, want: settlement.RPCInconsistent},
		{name: "the transaction is in another block than its receipt", change: func(s *scene) { sendNative(s); s.tx["blockHash"] = settlement.BlockHash(hash("other")).String() }, claim: native, want: settlement.RPCInconsistent},
		{name: "the transaction is another", change: func(s *scene) { sendNative(s); s.tx["hash"] = settlement.TxID(hash("other")).String() }, claim: native, want: settlement.RPCInconsistent},
		{name: "the sender differs from the receipt's", change: func(s *scene) { sendNative(s); s.tx["from"] = carol.String() }, claim: native, want: settlement.RPCInconsistent},
		{name: "a transaction without a value", change: func(s *scene) { sendNative(s); delete(s.tx, "value") }, claim: native, want: settlement.RPCDecodeFailed},
		{name: "a value from nobody", change: func(s *scene) { sendNative(s); delete(s.tx, "from") }, claim: native, want: settlement.RPCDecodeFailed},
		{name: "a value of 65 digits", change: func(s *scene) { sendNative(s); s.tx["value"] = "0x1" + strings.Repeat("0", 64) }, claim: native, want: settlement.RPCDecodeFailed},

		// A receipt that contradicts itself.
		{name: "the receipt is of another transaction", change: func(s *scene) { s.receipt["transactionHash"] = settlement.TxID(hash("other")).String() }, want: settlement.RPCInconsistent},
		{name: "no block hash", change: func(s *scene) { s.receipt["blockHash"] = nil }, want: settlement.RPCInconsistent},
		{name: "a block hash of zeros", change: func(s *scene) { s.receipt["blockHash"] = "0x" + strings.Repeat("00", 32) }, want: settlement.RPCInconsistent},
		{name: "a block hash of zeros, and no logs", change: func(s *scene) { s.setLogs(); s.receipt["blockHash"] = "0x" + strings.Repeat("00", 32) }, want: settlement.RPCInconsistent},
		{name: "no block number", change: func(s *scene) { s.receipt["blockNumber"] = nil }, want: settlement.RPCInconsistent},
		{name: "block zero", change: func(s *scene) { s.receipt["blockNumber"] = "0x0" }, want: settlement.RPCInconsistent},
		{name: "a log of another block", change: func(s *scene) { s.log(0)["blockHash"] = settlement.BlockHash(hash("other")).String() }, want: settlement.RPCInconsistent},
		{name: "a log of another number", change: func(s *scene) { s.log(0)["blockNumber"] = "0x65" }, want: settlement.RPCInconsistent},
		{name: "a log of another transaction", change: func(s *scene) { s.log(0)["transactionHash"] = settlement.TxID(hash("other")).String() }, want: settlement.RPCInconsistent},
		{name: "a log of another transaction's place", change: func(s *scene) { s.log(0)["transactionIndex"] = "0x3" }, want: settlement.RPCInconsistent},
		{name: "a removed log", change: func(s *scene) { s.log(0)["removed"] = true }, want: settlement.RPCInconsistent},
		{name: "no removed field", change: func(s *scene) { delete(s.log(0), "removed") }, want: settlement.Verified},
		{name: "logs out of order", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, bob, 1_500_000), s.transferLog(usd, alice, carol, 1))
			s.log(0)["logIndex"] = "0x9"
		}, want: settlement.RPCInconsistent},
		{name: "a log that comes twice", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, bob, 1_500_000), s.transferLog(usd, alice, bob, 1_500_000))
			s.log(1)["logIndex"] = "0x7"
		}, want: settlement.RPCInconsistent},
		{name: "a log outside the bloom", change: func(s *scene) {
			s.rebloom()
			s.keepBloom = true
			s.setLogs(s.transferLog(usd, alice, bob, 1_500_000), s.transferLog(usd, carol, bob, 1_500_000))
		}, want: settlement.RPCInconsistent},
		{name: "logs were lost", change: func(s *scene) { s.rebloom(); s.keepBloom = true; s.setLogs() }, want: settlement.RPCInconsistent},
		{name: "one log was lost", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, bob, 1_500_000), s.transferLog(usd, bob, alice, 1_500_000), s.transferLog(euro, bob, carol, 1))
			s.rebloom()
			s.keepBloom = true
			s.setLogs(s.transferLog(usd, alice, bob, 1_500_000))
		}, want: settlement.RPCInconsistent},
		{name: "no bloom", change: func(s *scene) { s.keepBloom = true }, want: settlement.RPCDecodeFailed},
		{name: "the logs are no list", change: func(s *scene) { s.receipt["logs"] = fields{}; s.keepBloom = true }, want: settlement.RPCDecodeFailed},
		{name: "a topic of 31 bytes", change: func(s *scene) { s.log(0)["topics"].([]any)[1] = topicOf(alice)[:64] }, want: settlement.RPCDecodeFailed},
		{name: "a log without index", change: func(s *scene) { s.log(0)["logIndex"] = nil }, want: settlement.RPCDecodeFailed},
		{name: "the receipt is a sentence", change: func(s *scene) {
			s.answer = answerRaw("eth_getTransactionReceipt", 200, `{"jsonrpc":"2.0","id":ID,"result":"Max calls per sec rate limit reached"}`)
		}, want: settlement.RPCUnavailable},
		{name: "the receipt holds a name twice", change: func(s *scene) {
			s.answer = answerRaw("eth_getTransactionReceipt", 200, `{"jsonrpc":"2.0","id":ID,"result":{"status":"0x0","status":"0x1"}}`)
		}, want: settlement.RPCDecodeFailed},
		{name: "unknown fields everywhere", change: func(s *scene) {
			s.receipt["l1Fee"], s.log(0)["blockTimestamp"], s.receipt["depositNonce"] = "0x1", "0x2", nil
		}, want: settlement.Verified},
		{name: "another chain", change: func(s *scene) { s.chainID = "0x1" }, want: settlement.RPCMisconfigured},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			if test.change != nil {
				test.change(s)
			}
			claim := theClaim()
			if test.claim != nil {
				test.claim(&claim)
			}
			n := startNode(t, s)
			chain := startChain(t, func(c *Config) { c.Tokens = append(c.Tokens, nativeToken()) }, n)
			v, err := chain.Verify(t.Context(), claim)
			if got := outcome(v, err); got != test.want || v.Detail != test.detail {
				t.Fatalf("got %s %q (%v), want %s %q", got, v.Detail, err, test.want, test.detail)
			}
			if err != nil {
				if strings.Contains(err.Error(), "secret-key") || strings.Contains(err.Error(), n.URL) {
					t.Errorf("the error tells the URL: %v", err)
				}
				return
			}
			switch v.Code {
			case settlement.IntentInvalid, settlement.ProofMalformed, settlement.ChainUnsupported, settlement.TokenUnsupported,
				settlement.TxNotFound, settlement.TxPending:
				if v.Evidence != nil {
					t.Errorf("evidence %+v of a transaction that was not seen in a block", v.Evidence)
				}
			default:
				if v.Evidence == nil || v.Evidence.Block != 100 || v.Evidence.BlockHash != paidIn.String() {
					t.Errorf("evidence %+v, want block 100 %s", v.Evidence, paidIn)
				}
			}
		})
	}
}

func TestVerifyTellsWhatItSaw(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_900, 0).UTC()
	n := startNode(t, newScene())
	chain := startChain(t, func(c *Config) { c.Now = func() time.Time { return at } }, n)
	v, err := chain.Verify(t.Context(), theClaim())
	if err != nil {
		t.Fatal(err)
	}
	want := settlement.Verdict{
		Code:     settlement.Verified,
		Transfer: &settlement.Transfer{Token: usd, Payer: alice, Payee: bob, Amount: price, Position: "log/7", Index: 0},
		Evidence: &settlement.Evidence{
			Chain: testChain, TxID: payment.String(), Block: 100, BlockHash: paidIn.String(), BlockTime: paidAt, Finality: "finalized",
			Head: 110, Trust: "single", TxSender: FormatAddress(alice), Endpoints: []string{"a"}, LookedAt: at,
		},
	}
	same := cmp.Options{
		cmpopts.IgnoreFields(settlement.Evidence{}, "Digests"),
		cmp.Comparer(func(a, b settlement.Amount) bool { return a.Cmp(b) == 0 }),
	}
	if diff := cmp.Diff(want, v, same); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if len(v.Evidence.Digests) != 3 { // receipt, final block, block
		t.Errorf("%d digests, want 3", len(v.Evidence.Digests))
	}
	if got, want := n.asked(), []string{"eth_getTransactionReceipt", "eth_getBlockByNumber", "eth_getBlockByNumber"}; !cmp.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}

	// Young: the transfer that will pay, and where it is, so that it can be recorded as seen.
	n.change(func(s *scene) {
		s.finalized = 111
		s.receipt["blockNumber"] = "0x70"
		s.latest = 200
		s.setLogs(s.transferLog(usd, alice, bob, 1_500_000))
	})
	n.change(func(s *scene) {
		block := maps.Clone(s.block)
		block["number"] = "0x70"
		s.answer = answerResult("eth_getBlockByNumber", "0x70", block)
	})
	v, err = chain.Verify(t.Context(), theClaim())
	if err != nil {
		t.Fatal(err)
	}
	if v.Code != settlement.TxUnconfirmed || v.Transfer == nil || v.Transfer.Position != "log/7" || v.Evidence.Block != 112 ||
		!v.Evidence.BlockTime.Equal(paidAt) {
		t.Errorf("got %+v %+v, want the transfer in block 112", v, v.Evidence)
	}
}

func TestVerifyIsSteady(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.setLogs(s.transferLog(usd, alice, bob, 1_500_000), s.transferLog(euro, alice, bob, 1_500_000), s.transferLog(usd, alice, bob, 1_500_000))
	chain := startChain(t, nil, startNode(t, s))
	for _, test := range []struct {
		used     map[string]bool
		want     settlement.Code
		position string
	}{
		{nil, settlement.Verified, "log/7"},
		{map[string]bool{"log/7": true}, settlement.Verified, "log/9"},
		{map[string]bool{"log/7": true, "log/9": true}, settlement.TransferAlreadyUsed, "log/7"},
	} {
		for range 10 {
			claim := theClaim()
			claim.Used = test.used
			v, err := chain.Verify(t.Context(), claim)
			if got := outcome(v, err); got != test.want || v.Transfer.Position != test.position {
				t.Fatalf("used %v: got %s at %+v, want %s at %s", test.used, got, v.Transfer, test.want, test.position)
			}
		}
	}
}

func TestFinalityByDepth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		latest, depth uint64
		want          settlement.Code
		final         uint64
	}{
		{latest: 111, depth: 12, want: settlement.TxUnconfirmed, final: 99},
		{latest: 112, depth: 12, want: settlement.Verified, final: 100},
		{latest: 113, depth: 12, want: settlement.Verified, final: 101},
		{latest: 101, depth: 1, want: settlement.Verified, final: 100},
		{latest: 100, depth: 1, want: settlement.TxUnconfirmed, final: 99},
		{latest: 100, depth: 500, want: settlement.TxUnconfirmed},
	} {
		s := newScene()
		s.latest = test.latest
		chain := startChain(t, func(c *Config) { c.Finality = Finality{Depth: test.depth} }, startNode(t, s))
		v, err := chain.Verify(t.Context(), theClaim())
		if got := outcome(v, err); got != test.want {
			t.Errorf("latest %d, depth %d: got %s (%v), want %s", test.latest, test.depth, got, err, test.want)
		}
		head, err := chain.Head(t.Context())
		if want := (settlement.Head{Latest: test.latest, Final: test.final}); err != nil || head != want {
			t.Errorf("latest %d, depth %d: head %+v (%v), want %+v", test.latest, test.depth, head, err, want)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	n := startNode(t, newScene())
	chain := startChain(t, nil, n)
	head, err := chain.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.Latest != 120 || head.Final != 110 || head.FinalHash.String() != n.scene.head(110)["hash"] {
		t.Errorf("head %+v, want 120 and 110 with its hash", head)
	}
	n.change(func(s *scene) { s.finalized = 109 }) // an old answer out of a cache
	if _, err := chain.Head(t.Context()); settlement.LookCode(err) != settlement.RPCInconsistent {
		t.Errorf("final block went back: got %v, want RPC_INCONSISTENT", err)
	}
	n.change(func(s *scene) { s.finalized = 121 })
	if _, err := chain.Head(t.Context()); settlement.LookCode(err) != settlement.RPCInconsistent {
		t.Errorf("final above latest: got %v, want RPC_INCONSISTENT", err)
	}
}
