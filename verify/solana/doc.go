// Package solana looks at a Solana cluster: one transaction (Verify), or what names an account (Scan); it returns verdicts.
// It keeps nothing and moves nothing.
//
// # One payment
//
// [Chain.Verify] says whether the cluster confirms a claim: a transaction's first signature and the transfer that it must
// contain. A verdict is a fact about the payment; an error is a *[settlement.LookError], says that we could not look, and
// nothing about the payment.
//
// # Many payments
//
// Solana has no logs to search, so payments without an id are found account by account, and what that costs follows
// payees and payments, never open orders:
//
//  1. When a payee is waited at for a token, [Chain.Accounts] names the accounts to watch: the associated account, the other
//     accounts of the mint that he owns now (ask again now and then), or the wallet for the native coin. Each gets a
//     [settlement.AccountCursor] that begins at the head that was read before the address was handed out.
//  2. Each tick: one [Chain.Heads], then one [Chain.Scan] for each account. It hands over the transactions that are new, each
//     read once, with the cursor to store in the same database transaction (MarshalBinary). Nobody is asked while nothing is
//     new but for the list, and nothing needs to be stored.
//  3. Each transfer of a [settlement.FoundTx] is attributed by payee, mint, amount, payer and its References: an order's
//     reference key is among those of the transfer that was made with it, so that no order is polled for. The Judge of a
//     found transaction is its verdict for a claim, as if it were final, and asks nobody.
//  4. What is found at "confirmed" is not final. Each tick, or whenever the final slot has moved, [Chain.Fates] tells of all
//     such transactions what became of them, 256 in a call: still open; final, and then [Chain.Verify] decides under the
//     rule for the amount; failed or gone, and then the sighting is withdrawn. Gone is said only by a final slot beyond it.
//
// A transaction that comes back in another slot is found once more, with that slot. An order that becomes known after its
// payment was found needs a second look at what is behind the cursor: scan with a cursor that begins at the order's own
// head, and throw the cursor away. An account whose history no endpoint has any more is RPC_HISTORY_UNAVAILABLE at each
// scan, until one has it.
//
// Read next: verify.go (the procedure), answer.go (what an answer must look like), coherent.go (what it is held against),
// instruction.go and transfer.go (what counts as a transfer), scan.go (what names an account).
package solana
