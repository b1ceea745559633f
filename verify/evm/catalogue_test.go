package evm

import (
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// event is a log of a contract that is no transfer.
func event(contract settlement.Address, signature string, topics ...string) fields {
	list := []any{settlement.BlockHash(hash(signature)).String()}
	for _, topic := range topics {
		list = append(list, topic)
	}
	return fields{"address": contract.String(), "topics": list, "data": "0x" + strings.Repeat("00", 31) + "01"}
}

// authorized is EIP-3009's event, which stands directly before the transfer that it allowed.
func authorized(token, payer settlement.Address, nonce string) fields {
	l := event(token, "AuthorizationUsed(address,bytes32)", topicOf(payer), settlement.BlockHash(nonce).String())
	l["data"] = "0x"
	return l
}

// The rows of the catalogue in section 5 of the verification rules, each with the code that it names. docs/verification.md
// points here.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	safe, entryPoint, router, nft, weth := account("safe"), account("entry point"), account("router"), account("nft"), account("weth")
	zero := settlement.Address(make([]byte, 20))
	lookalike := settlement.Address(string(bob[:4]) + strings.Repeat("\x00", 12) + string(bob[16:]))
	native := func(c *settlement.Claim) { c.Want.Token = "" }
	amount := func(text string) func(*settlement.Claim) {
		return func(c *settlement.Claim) {
			if err := c.Want.Amount.UnmarshalText([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	used := func(positions ...string) func(*settlement.Claim) {
		return func(c *settlement.Claim) {
			c.Used = make(map[string]bool)
			for _, p := range positions {
				c.Used[p] = true
			}
		}
	}
	nonce := func(name string) func(*settlement.Claim) {
		return func(c *settlement.Claim) { c.Want.Authorization = hash(name) }
	}
	policy := func(p settlement.Policy) func(*Config) {
		return func(c *Config) { c.Tokens[0].Policy = p }
	}
	logs := func(make func(*scene) []fields) func(*scene) {
		return func(s *scene) { s.setLogs(make(s)...) }
	}
	pay := func(s *scene, from, to settlement.Address, units uint64) fields {
		return s.transferLog(usd, from, to, units)
	}
	sends := func(s *scene) { s.setLogs(); s.tx["to"], s.tx["value"] = bob.String(), "0x16e360" }
	notFound := func(s *scene) { s.null = []string{"eth_getTransactionReceipt", "eth_getTransactionByHash"} }
	for _, test := range []struct {
		name   string
		change func(*scene)
		second func(*scene) // of a second endpoint, which has the payment
		claim  func(*settlement.Claim)
		config func(*Config)
		want   settlement.Code
		detail string
	}{
		{name: "E-01 reverted", change: func(s *scene) { s.receipt["status"] = "0x0"; s.setLogs() }, want: settlement.TxFailed},
		{name: "E-01 reverted, with value to the payee", change: func(s *scene) { sends(s); s.receipt["status"] = "0x0" }, claim: native, want: settlement.TxFailed},
		{name: "E-02 failed with the chain's own fee log", change: func(s *scene) {
			s.receipt["status"] = "0x0"
			s.setLogs(event(settlement.Address(strings.Repeat("\x00", 18)+"\x10\x10"), "LogFeeTransfer(address,address,address,uint256,uint256,uint256,uint256,uint256)", topicOf(alice), topicOf(bob)))
		}, want: settlement.TxFailed},
		{name: "E-02 failed with a transfer in its logs", change: func(s *scene) { s.receipt["status"] = "0x0" }, want: settlement.TxFailed},
		{name: "E-03 a Safe whose call failed", change: logs(func(*scene) []fields {
			return []fields{event(safe, "ExecutionFailure(bytes32,uint256)")}
		}), want: settlement.NoTransfer},
		{name: "E-03 a user operation that failed", change: logs(func(*scene) []fields {
			return []fields{event(entryPoint, "UserOperationEvent(bytes32,address,address,uint256,bool,uint256,uint256)", topicOf(alice), topicOf(alice), topicOf(zero))}
		}), want: settlement.NoTransfer},
		{name: "E-04 no status", change: func(s *scene) { delete(s.receipt, "status") }, want: settlement.TxStatusUnprovable},
		{name: "E-04 a state root in its place", change: func(s *scene) {
			delete(s.receipt, "status")
			s.receipt["root"] = settlement.BlockHash(hash("root")).String()
		}, want: settlement.TxStatusUnprovable},
		{name: "E-05 the token returned false", change: logs(func(*scene) []fields { return nil }), want: settlement.NoTransfer},
		{name: "E-06 the token returns nothing", change: func(s *scene) { s.tx["input"] = "0xa9059cbb" }, want: settlement.Verified},
		{name: "E-07 in the pool", change: func(s *scene) {
			s.null = []string{"eth_getTransactionReceipt"}
			s.tx["blockHash"], s.tx["blockNumber"], s.tx["transactionIndex"], s.tx["nonce"] = nil, nil, nil, "0x5"
		}, want: settlement.TxPending},
		{name: "E-08 gone, its nonce is free", change: func(s *scene) { notFound(s); s.count = "0x5" }, claim: func(c *settlement.Claim) { c.Slot = &settlement.Slot{Sender: alice, Nonce: 5} }, want: settlement.TxNotFound},
		{name: "E-08 gone, another one has its nonce", change: func(s *scene) { notFound(s); s.count = "0x6" }, claim: func(c *settlement.Claim) { c.Slot = &settlement.Slot{Sender: alice, Nonce: 5} }, want: settlement.ProofExpired, detail: settlement.Replaced},
		{name: "E-08 gone, the endpoint keeps no old nonces", change: func(s *scene) {
			notFound(s)
			s.answer = answerRaw("eth_getTransactionCount", 200, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"missing trie node"}}`)
		}, claim: func(c *settlement.Claim) { c.Slot = &settlement.Slot{Sender: alice, Nonce: 5} }, want: settlement.TxNotFound},
		{name: "E-08 gone, never seen before", change: func(s *scene) { notFound(s); s.count = "0x6" }, want: settlement.TxNotFound},
		{name: "E-08 it landed after all", change: func(s *scene) { s.count = "0x6" }, claim: func(c *settlement.Claim) { c.Slot = &settlement.Slot{Sender: alice, Nonce: 5} }, want: settlement.Verified},
		{name: "E-09 one endpoint has it not", change: notFound, second: func(*scene) {}, want: settlement.Verified},
		{name: "E-09 neither has it", change: notFound, second: notFound, want: settlement.TxNotFound},
		{name: "E-10 no receipt while the block is exchanged", change: func(s *scene) { notFound(s); s.block["hash"] = settlement.BlockHash(hash("new")).String() }, want: settlement.TxNotFound},
		{name: "E-11 its block was replaced", change: func(s *scene) { s.block["hash"] = settlement.BlockHash(hash("new")).String() }, want: settlement.TxReorged},
		{name: "E-12 a receipt ahead of its block", change: func(s *scene) {
			s.latest, s.finalized = 99, 80
			s.answer = answerNull("eth_getBlockByNumber", "0x64")
		}, want: settlement.TxUnconfirmed},
		{name: "E-13 the tag is missing", change: func(s *scene) { s.answer = answerNull("eth_getBlockByNumber", "finalized") }, want: settlement.RPCMisconfigured},
		{name: "E-14 finality stalls", change: func(s *scene) { s.finalized, s.latest = 99, 5000 }, want: settlement.TxUnconfirmed},

		{name: "E-20 another contract's event", change: logs(func(s *scene) []fields { return []fields{s.transferLog(euro, alice, bob, 1_500_000)} }), want: settlement.TokenMismatch},
		{name: "E-21 an event that moves nothing", change: logs(func(s *scene) []fields {
			return []fields{s.transferLog(account("liar"), alice, bob, 1_500_000), s.transferLog(account("liar"), bob, alice, 0)}
		}), want: settlement.TokenMismatch},
		{name: "E-22 the bridged token of the same symbol", change: logs(func(s *scene) []fields { return []fields{s.transferLog(account("usd.e"), alice, bob, 1_500_000)} }), want: settlement.TokenMismatch},
		{name: "E-23 logged by two contracts, the listed one", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), s.transferLog(euro, alice, bob, 1_500_000)}
		}), want: settlement.Verified},
		{name: "E-23 logged by two contracts, used once", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), s.transferLog(euro, alice, bob, 1_500_000)}
		}), claim: used("log/7"), want: settlement.TransferAlreadyUsed},
		{name: "E-24 native coin mirrored as a log, the log's claim", change: func(s *scene) { sends(s); s.setLogs(s.transferLog(euro, alice, bob, 1_500_000)) }, claim: func(c *settlement.Claim) { c.Want.Token = euro }, want: settlement.TokenUnsupported},
		{name: "E-24 native coin mirrored as a log, the coin's claim", change: func(s *scene) { sends(s); s.setLogs(s.transferLog(euro, alice, bob, 1_500_000)) }, claim: native, want: settlement.Verified},
		{name: "E-25 an ERC-721 transfer", change: logs(func(s *scene) []fields {
			l := s.transferLog(nft, alice, bob, 0)
			l["topics"], l["data"] = append(l["topics"].([]any), topicOf(carol)), "0x"
			return []fields{l}
		}), want: settlement.NoTransfer},
		{name: "E-26 a transfer without indexed fields", change: logs(func(s *scene) []fields {
			l := pay(s, alice, bob, 1_500_000)
			l["data"] = topicOf(alice) + topicOf(bob)[2:] + l["data"].(string)[2:]
			l["topics"] = l["topics"].([]any)[:1]
			return []fields{l}
		}), want: settlement.NoTransfer},
		{name: "E-27 something before the payee's address", change: func(s *scene) { s.log(0)["topics"].([]any)[2] = "0x01" + topicOf(bob)[4:] }, want: settlement.NoTransfer},
		{name: "E-27 31 bytes of data", change: func(s *scene) { s.log(0)["data"] = s.log(0)["data"].(string)[:64] }, want: settlement.NoTransfer},
		{name: "E-27 33 bytes of data", change: func(s *scene) { s.log(0)["data"] = s.log(0)["data"].(string) + "00" }, want: settlement.NoTransfer},
		{name: "E-27 64 bytes of data", change: func(s *scene) { s.log(0)["data"] = s.log(0)["data"].(string) + strings.Repeat("00", 32) }, want: settlement.NoTransfer},
		{name: "E-28 other events that move value", change: logs(func(s *scene) []fields {
			return []fields{
				event(usd, "Sent(address,address,address,uint256,bytes,bytes)", topicOf(alice), topicOf(alice), topicOf(bob)),
				event(weth, "Deposit(address,uint256)", topicOf(bob)),
				event(nft, "TransferSingle(address,address,address,uint256,uint256)", topicOf(alice), topicOf(alice), topicOf(bob)),
			}
		}), want: settlement.NoTransfer},
		{name: "E-28 an ERC-777 token logs twice, used once", change: logs(func(s *scene) []fields {
			return []fields{event(usd, "Sent(address,address,address,uint256,bytes,bytes)", topicOf(alice), topicOf(alice), topicOf(bob)), pay(s, alice, bob, 1_500_000)}
		}), claim: used("log/8"), want: settlement.TransferAlreadyUsed},
		{name: "E-29 poisoned with zero", change: logs(func(s *scene) []fields { return []fields{pay(s, alice, bob, 0)} }), want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "E-29 a price of zero", change: logs(func(s *scene) []fields { return []fields{pay(s, alice, bob, 0)} }), claim: amount("0"), want: settlement.IntentInvalid},
		{name: "E-29 a payee that looks alike", change: logs(func(s *scene) []fields { return []fields{pay(s, alice, lookalike, 1_500_000)} }), want: settlement.PayeeMismatch},
		{name: "E-29 a payee that is a system address", claim: func(c *settlement.Claim) { c.Want.Payee = settlement.Address(strings.Repeat("\x00", 18) + "\x10\x10") }, want: settlement.IntentInvalid},
		{name: "E-30 minted", change: logs(func(s *scene) []fields { return []fields{pay(s, zero, bob, 1_500_000)} }), want: settlement.PayerMismatch},
		{name: "E-30 nobody as payer", change: logs(func(s *scene) []fields { return []fields{pay(s, zero, bob, 1_500_000)} }), claim: func(c *settlement.Claim) { c.Payers = []settlement.Address{zero} }, want: settlement.IntentInvalid},
		{name: "E-31 switched off", config: policy(settlement.Policy{Kind: settlement.Refuse}), want: settlement.TokenUnsupported},
		{name: "E-32 paused after the transfer", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), event(usd, "Paused(address)"), event(usd, "Blacklisted(address)", topicOf(bob))}
		}), want: settlement.Verified},
		{name: "E-33 a removed log", change: func(s *scene) { s.log(0)["removed"] = true }, want: settlement.RPCInconsistent},
		{name: "E-34 payer of one log, payee of another", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, carol, 1_500_000), pay(s, carol, bob, 1_500_000)}
		}), want: settlement.PayerMismatch},
		{name: "E-34 amount of one log, parties of another", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1), pay(s, carol, bob, 1_500_000)}
		}), want: settlement.AmountMismatch, detail: settlement.Under},

		{name: "E-40 a fee withheld, in its logs", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_425_000), pay(s, alice, carol, 75_000)}
		}), config: policy(settlement.Policy{Kind: settlement.Fee, Received: true}), want: settlement.AmountMismatch, detail: settlement.FeeWithheld},
		{name: "E-40 a fee paid on top", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), pay(s, alice, carol, 75_000)}
		}), config: policy(settlement.Policy{Kind: settlement.Fee, Received: true}), want: settlement.Verified},
		{name: "E-40 a token with a fee, by default", config: policy(settlement.Policy{Kind: settlement.Fee}), want: settlement.TokenUnsupported},
		{name: "E-41 rebasing, by default", config: policy(settlement.Policy{Kind: settlement.Rebasing}), want: settlement.TokenUnsupported},
		{name: "E-41 rebasing, by its log", config: policy(settlement.Policy{Kind: settlement.Rebasing, Received: true}), want: settlement.Verified},
		{name: "E-42 whole units", claim: amount("1"), want: settlement.AmountMismatch, detail: settlement.Over},
		{name: "E-42 18 decimals for 6", claim: amount("1500000000000000000"), want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "E-43 all 256 bits", change: func(s *scene) { s.log(0)["data"] = "0x" + strings.Repeat("f", 64) }, claim: amount("115792089237316195423570985008687907853269984665640564039457584007913129639935"), want: settlement.Verified},
		{name: "E-43 one bit of 256 less", change: func(s *scene) { s.log(0)["data"] = "0x" + strings.Repeat("f", 63) + "e" }, claim: amount("115792089237316195423570985008687907853269984665640564039457584007913129639935"), want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "E-44 a rounded amount", claim: amount("1500001"), want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "E-45 too much", claim: amount("1499999"), want: settlement.AmountMismatch, detail: settlement.Over},
		{name: "E-45 too much, accepted", claim: amount("1499999"), config: policy(settlement.Policy{AtLeast: true}), want: settlement.Verified, detail: settlement.Over},
		{name: "E-46 two halves", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 750_000), pay(s, alice, bob, 750_000)}
		}), want: settlement.AmountMismatch, detail: settlement.Under},
		{name: "E-46 two halves, added up", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 750_000), pay(s, alice, bob, 750_000)}
		}), config: policy(settlement.Policy{Sum: true}), want: settlement.Verified},
		{name: "E-47 equal logs, the first order", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), pay(s, alice, bob, 1_500_000)}
		}), want: settlement.Verified},
		{name: "E-47 equal logs, the second order", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), pay(s, alice, bob, 1_500_000)}
		}), claim: used("log/7"), want: settlement.Verified},
		{name: "E-47 equal logs, a third order", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), pay(s, alice, bob, 1_500_000)}
		}), claim: used("log/7", "log/8"), want: settlement.TransferAlreadyUsed},
		{name: "E-47 equal logs, by a policy of one", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), pay(s, alice, bob, 1_500_000)}
		}), config: policy(settlement.Policy{OneFit: true}), want: settlement.TransferAmbiguous},
		{name: "E-48 sent back", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), pay(s, bob, alice, 1_500_000)}
		}), want: settlement.AmountMismatch, detail: settlement.Returned},
		{name: "E-48 a part sent back", change: logs(func(s *scene) []fields {
			return []fields{pay(s, alice, bob, 1_500_000), pay(s, bob, alice, 1)}
		}), want: settlement.AmountMismatch, detail: settlement.Returned},

		{name: "E-50 by a relayer's transaction", change: func(s *scene) {
			s.receipt["from"], s.tx["from"] = carol.String(), carol.String()
			s.setLogs(authorized(usd, alice, hash("any")), pay(s, alice, bob, 1_500_000))
		}, want: settlement.Verified},
		{name: "E-51 the facilitator's own transaction failed", change: func(s *scene) { s.receipt["status"] = "0x0"; s.setLogs() }, claim: nonce("order 1"), want: settlement.TxFailed},
		{name: "E-51 the front-runner's transaction", change: func(s *scene) {
			s.receipt["from"], s.tx["from"] = account("front-runner").String(), account("front-runner").String()
			s.setLogs(authorized(usd, alice, hash("order 1")), pay(s, alice, bob, 1_500_000))
		}, claim: nonce("order 1"), want: settlement.Verified},
		{name: "E-52 a batch, each nonce its transfer", change: logs(func(s *scene) []fields {
			return []fields{authorized(usd, alice, hash("order 1")), pay(s, alice, bob, 1_500_000), authorized(usd, alice, hash("order 2")), pay(s, alice, bob, 1_500_000)}
		}), claim: func(c *settlement.Claim) { nonce("order 2")(c); used("log/8")(c) }, want: settlement.Verified},
		{name: "E-52 a batch, the nonce's transfer is used", change: logs(func(s *scene) []fields {
			return []fields{authorized(usd, alice, hash("order 1")), pay(s, alice, bob, 1_500_000), authorized(usd, alice, hash("order 2")), pay(s, alice, bob, 1_500_000)}
		}), claim: func(c *settlement.Claim) { nonce("order 2")(c); used("log/10")(c) }, want: settlement.TransferAlreadyUsed},
		{name: "E-52 another nonce", change: logs(func(s *scene) []fields {
			return []fields{authorized(usd, alice, hash("order 1")), pay(s, alice, bob, 1_500_000)}
		}), claim: nonce("order 2"), want: settlement.ReferenceMismatch},
		{name: "E-52 an authorisation without its transfer", change: logs(func(s *scene) []fields {
			return []fields{authorized(usd, alice, hash("order 1")), pay(s, alice, carol, 1), pay(s, alice, bob, 1_500_000)}
		}), claim: nonce("order 1"), want: settlement.ReferenceMismatch},
		{name: "E-52 a log between the two that the endpoint left out", change: func(s *scene) {
			s.setLogs(authorized(usd, alice, hash("order 1")), pay(s, alice, bob, 1_500_000))
			s.log(1)["logIndex"] = "0x9"
		}, claim: nonce("order 1"), want: settlement.ReferenceMismatch},
		{name: "E-52 another contract's authorisation", change: logs(func(s *scene) []fields {
			return []fields{authorized(euro, alice, hash("order 1")), pay(s, alice, bob, 1_500_000)}
		}), claim: nonce("order 1"), want: settlement.ReferenceMismatch},
		{name: "E-52 somebody else's authorisation", change: logs(func(s *scene) []fields {
			return []fields{authorized(usd, carol, hash("order 1")), pay(s, alice, bob, 1_500_000)}
		}), claim: nonce("order 1"), want: settlement.ReferenceMismatch},
		{name: "E-52 a nonce of 31 bytes", claim: func(c *settlement.Claim) { c.Want.Authorization = hash("x")[:31] }, want: settlement.IntentInvalid},
		{name: "E-53 a bundle of user operations", change: func(s *scene) {
			s.receipt["from"], s.receipt["to"] = account("bundler").String(), entryPoint.String()
			s.tx["from"], s.tx["to"] = account("bundler").String(), entryPoint.String()
			s.setLogs(pay(s, carol, bob, 1_500_000), event(entryPoint, "UserOperationEvent(bytes32,address,address,uint256,bool,uint256,uint256)", topicOf(carol), topicOf(carol), topicOf(zero)), pay(s, alice, bob, 1_500_000))
		}, want: settlement.Verified},
		{name: "E-53 the bundler did not pay", change: func(s *scene) {
			s.receipt["from"], s.tx["from"] = alice.String(), alice.String()
			s.setLogs(pay(s, carol, bob, 1_500_000))
		}, want: settlement.PayerMismatch},
		{name: "E-54 a Safe that pays several", change: func(s *scene) {
			s.receipt["from"], s.receipt["to"], s.tx["from"] = carol.String(), alice.String(), carol.String()
			s.setLogs(pay(s, alice, carol, 5), pay(s, alice, bob, 1_500_000), event(alice, "ExecutionSuccess(bytes32,uint256)"))
		}, want: settlement.Verified},
		{name: "E-55 an account with code, type 4, to itself", change: func(s *scene) {
			s.receipt["type"], s.tx["type"], s.receipt["to"], s.tx["to"] = "0x4", "0x4", alice.String(), alice.String()
			s.tx["authorizationList"] = []any{fields{"chainId": "0x2105", "address": safe.String(), "nonce": "0x1", "yParity": "0x0", "r": "0x1", "s": "0x2"}}
		}, want: settlement.Verified},
		{name: "E-56 an exchange pays", change: logs(func(s *scene) []fields { return []fields{pay(s, account("hot wallet"), bob, 1_500_000)} }), want: settlement.PayerMismatch},
		{name: "E-56 an exchange pays, bound by an instrument of the order", change: logs(func(s *scene) []fields { return []fields{pay(s, account("hot wallet"), bob, 1_500_000)} }), claim: func(c *settlement.Claim) { c.Payers = nil }, want: settlement.Verified},
		{name: "E-57 a router pays the last hop", change: logs(func(s *scene) []fields {
			return []fields{s.transferLog(weth, alice, router, 10), pay(s, router, bob, 1_500_000)}
		}), want: settlement.PayerMismatch},
		{name: "E-57 a router that the intent names", change: logs(func(s *scene) []fields {
			return []fields{s.transferLog(weth, alice, router, 10), pay(s, router, bob, 1_500_000)}
		}), claim: func(c *settlement.Claim) { c.Payers = []settlement.Address{alice, router} }, want: settlement.Verified},
		{name: "E-57 Permit2 moves the payer's own tokens", change: func(s *scene) { s.receipt["to"], s.tx["to"] = router.String(), router.String() }, want: settlement.Verified},
		{name: "E-58 coin from a contract", change: func(s *scene) {
			s.setLogs(event(safe, "ExecutionSuccess(bytes32,uint256)"))
			s.receipt["to"], s.tx["to"] = safe.String(), safe.String()
		}, claim: native, want: settlement.NoTransfer},
		{name: "E-58 coin sent to a contract, which passes it on", change: func(s *scene) { s.setLogs(); s.tx["to"], s.tx["value"] = router.String(), "0x16e360" }, claim: native, want: settlement.PayeeMismatch},
		{name: "E-59 payer and payee are one", change: logs(func(s *scene) []fields { return []fields{pay(s, bob, bob, 1_500_000)} }), claim: func(c *settlement.Claim) { c.Payers = []settlement.Address{bob} }, want: settlement.IntentInvalid},
		{name: "E-60 upper-case answers", change: func(s *scene) {
			s.log(0)["address"] = "0x" + strings.ToUpper(usd.String()[2:])
			s.receipt["transactionHash"] = "0x" + strings.ToUpper(payment.String()[2:])
		}, want: settlement.Verified},

		{name: "E-70 an endpoint of another chain", change: func(s *scene) { s.chainID = "0xaa36a7" }, want: settlement.RPCMisconfigured},
		{name: "E-70 an endpoint of another chain, and a right one", change: func(s *scene) { s.chainID = "0xaa36a7" }, second: func(*scene) {}, want: settlement.Verified},
		{name: "E-71 the same hash on another chain", claim: func(c *settlement.Claim) { c.Chain = "eip155:1" }, want: settlement.ChainUnsupported},
		{name: "E-72 a deposit", change: func(s *scene) {
			s.receipt["type"], s.receipt["depositNonce"], s.receipt["depositReceiptVersion"] = "0x7e", "0x1", "0x1"
		}, want: settlement.Verified},
		{name: "E-72 coin in a transaction of an unknown type", change: func(s *scene) { sends(s); s.tx["type"], s.receipt["type"] = "0x6a", "0x6a"; delete(s.tx, "gas") }, claim: native, want: settlement.Verified},
		{name: "E-72 an unknown type that names no value", change: func(s *scene) { sends(s); s.tx["type"] = "0x7f"; delete(s.tx, "value") }, claim: native, want: settlement.RPCDecodeFailed},
		{name: "E-73 a header that does not hash to its hash", change: func(s *scene) {
			s.block["step"], s.block["signature"], s.block["sealFields"] = "371", "00", []any{"0x01"}
			delete(s.block, "parentHash")
		}, want: settlement.Verified},
		{name: "E-74 before Bedrock", change: func(s *scene) {
			s.answer = answerRaw("eth_getTransactionReceipt", 200, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32801,"message":"no historical RPC is available for this historical (pre-bedrock) execution request"}}`)
		}, want: settlement.RPCHistoryUnavailable},
		{name: "E-75 an extrinsic's hash", change: notFound, want: settlement.TxNotFound},
		{name: "E-76 a broken index", change: notFound, second: func(*scene) {}, want: settlement.Verified},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			if test.change != nil {
				test.change(s)
			}
			nodes := []*node{startNode(t, s)}
			if test.second != nil {
				other := newScene()
				test.second(other)
				nodes = append(nodes, startNode(t, other))
			}
			claim := theClaim()
			if test.claim != nil {
				test.claim(&claim)
			}
			chain := startChain(t, func(c *Config) {
				c.Tokens = append(c.Tokens, nativeToken())
				if test.config != nil {
					test.config(c)
				}
			}, nodes...)
			v, err := chain.Verify(t.Context(), claim)
			if got := outcome(v, err); got != test.want || v.Detail != test.detail {
				t.Fatalf("got %s %q (%v), want %s %q", got, v.Detail, err, test.want, test.detail)
			}
			if v.Code.MoneyMoved() && (v.Transfer == nil || v.Evidence == nil) {
				t.Errorf("money moved, and the verdict tells neither which nor where: %+v", v)
			}
		})
	}
}

// A waiting transaction's slot is what a later look needs to say that another one took its place.
func TestPendingTellsItsSlot(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.null = []string{"eth_getTransactionReceipt"}
	s.tx["blockHash"], s.tx["blockNumber"], s.tx["transactionIndex"], s.tx["nonce"] = nil, nil, nil, "0x5"
	n := startNode(t, s)
	chain := startChain(t, nil, n)
	claim := theClaim()
	v, err := chain.Verify(t.Context(), claim)
	if want := (settlement.Slot{Sender: alice, Nonce: 5}); err != nil || v.Slot == nil || *v.Slot != want {
		t.Fatalf("got %+v (%v), want the slot %+v", v, err, want)
	}
	claim.Slot = v.Slot
	n.change(func(s *scene) {
		s.null = append(s.null, "eth_getTransactionByHash")
		s.count = "0x6"
	})
	if v, err = chain.Verify(t.Context(), claim); v.Code != settlement.ProofExpired || v.Detail != settlement.Replaced {
		t.Errorf("got %+v (%v), want PROOF_EXPIRED, replaced", v, err)
	}
}

// One balance under two names is one payment twice: the list must not hold both.
func TestMirroredBalances(t *testing.T) {
	t.Parallel()
	for chain, pairs := range mirrors {
		for _, pair := range pairs {
			for _, tokens := range [][]settlement.Token{
				{{Chain: chain, Address: pair[0], Symbol: "ONE"}, {Chain: chain, Address: pair[1], Symbol: "TWO"}},
				{{Chain: chain, Address: pair[1], Symbol: "TWO"}, {Chain: chain, Address: pair[0], Symbol: "ONE"}},
			} {
				cfg := Config{Chain: chain, Endpoints: []Endpoint{{Name: "a", URL: "http://127.0.0.1:1"}}, Finality: Finality{Depth: 1}, Tokens: tokens}
				if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "second time") {
					t.Errorf("%s: both were taken: %v", chain, err)
				}
				cfg.Tokens = tokens[:1]
				if _, err := New(cfg); err != nil {
					t.Errorf("%s: one of them: %v", chain, err)
				}
			}
		}
	}
}

// The time of the block counts, not ours: a payment made in time is good whenever it is shown.
func TestTimeIsTheBlocks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		from, to time.Duration // of the window, from the block
		now      time.Duration
		want     settlement.Code
	}{
		{"C-09 an hour before the intent", time.Hour, 2 * time.Hour, 0, settlement.PaymentStale},
		{"C-10 one second outside the skew", 61 * time.Second, time.Hour, 0, settlement.PaymentStale},
		{"C-10 the last second of the skew", 60 * time.Second, time.Hour, 0, settlement.Verified},
		{"C-11 shown a year later", -time.Minute, time.Minute, 365 * 24 * time.Hour, settlement.Verified},
		{"C-12 one second late", -time.Hour, -time.Second, 0, settlement.PaymentLate},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chain := startChain(t, func(c *Config) { c.Now = func() time.Time { return paidAt.Add(test.now) } }, startNode(t, newScene()))
			claim := theClaim()
			const skew = time.Minute // as whoever makes the claim takes it off
			claim.NotBefore, claim.NotAfter = paidAt.Add(test.from-skew), paidAt.Add(test.to)
			v, err := chain.Verify(t.Context(), claim)
			if got := outcome(v, err); got != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
		})
	}
}
