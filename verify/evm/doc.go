// Package evm looks at an EVM chain: one transaction (Verify), or a block for many payees (Scan); it returns verdicts. It
// keeps nothing, moves nothing and traces nothing: native coin counts only as the value of a transaction itself.
//
// # One payment
//
// A claim says which transaction must contain which transfer; [Chain.Verify] says whether the chain confirms it. Everything in
// the claim except the transaction's id comes from the stored intent: whoever hands in an id must not name the payer.
//
//	chain, err := evm.New(evm.Config{
//		Chain:     "eip155:8453",
//		Endpoints: []evm.Endpoint{{Name: "one", URL: "https://…"}, {Name: "two", URL: "https://…"}},
//		Tokens:    []settlement.Token{{Chain: "eip155:8453", Address: usdc, Symbol: "USDC", Decimals: 6}},
//		Finality:  evm.Finality{Tag: "finalized"},
//	})
//	verdict, err := chain.Verify(ctx, claim)
//
// A verdict is a fact about the payment and has one of three outcomes: confirmed, rejected, pending. An error is a
// *[settlement.LookError], says that we could not look, and nothing about the payment: look again, after its RetryAfter if it has
// one. Its code is one of the RPC_ codes of package settlement.
//
// Consume what a confirmed verdict names before acting on it: a row with a unique key (chain, transaction id, Transfer.Position),
// inserted together with the order's change of state, and a second unique key with Transfer.Index in place of the position.
// Hand positions that other orders have used in as Claim.Used. Where the token's policy adds up, consume all of Verdict.Parts.
//
// A rejected code for which MoneyMoved is true came with money: a person decides between refund and credit, and
// Verdict.Transfer is what came nearest. TX_UNCONFIRMED carries the transfer that will pay once its block is final.
//
// # What counts
//
// ERC-20 transfers count by their logs only, whoever sent the transaction and whatever was called: smart accounts, bundles,
// relayers, routers and batches need nothing special, because the payer is whose balance fell. A log counts if its contract
// is listed, its shape is exactly that of Transfer(address indexed, address indexed, uint256), and the receipt contradicts
// itself nowhere, down to the bloom. With Claim.Want.Authorization set, the transfer must follow its EIP-3009
// AuthorizationUsed with that nonce. What a token may do is its [settlement.Policy].
//
// Blocks count once final, under the chain's [Finality] or that of a [Tier] for small sums, and if the number still leads to
// the receipt's block. [Trust] says whether one endpoint is believed, or several operators must agree, or all receipts of the
// block are hashed to its receipts root. docs/verification.md lists the ways in which a verifier is fooled, and the tests.
//
// # Many payments
//
// [Chain.Scan] and [Chain.ScanFor] return what a block moves, in two or three calls whatever the number of payees;
// [Chain.CatchUp] reads a long range. [Chain.Heads] tells how far the chain has come, [Chain.Status] how the endpoints do, and
// [Chain.Check] whether they are what the configuration says: call it at start.
//
// # One receipt, without any endpoint
//
// [ReadReceipt] and settlement.Judge judge a receipt that somebody has already.
//
// Read next: verify.go (the procedure), decode.go (what an answer must look like), rpc.go (how we ask).
package evm
