// Package orchestration is a client of the Machine Markets orchestration API:
// machines and their agents, pairings, the catalogue, the market, orders and
// their payments, purchases of streams. It agrees with the vendor's Python SDK
// 0.12.1 on the wire, call by call.
//
// # Calls
//
// A Client has one method for each call, named as in the vendor's SDK in Go's
// spelling: submit_payment_proof is SubmitPaymentProof. The first argument after
// the context is the agent's pairing token, for calls that act for an agent; then
// come ids, then the request.
//
//	client, err := orchestration.New(orchestration.Config{BaseURL: url, APIKey: key})
//	order, err := client.GetMarketOrder(ctx, orderID)
//	payment, err := client.SubmitPaymentProof(ctx, token, orderID, proof)
//
// A list with pages has two methods: List… reads one page, All… walks them lazily.
// The walk ends with its first error, and never asks twice for one page: cursors
// that lead back are an error. To walk by hand, give the NextCursor of a page to
// the next. Lists without pages are a slice.
//
//	for order, err := range client.AllMarketOrders(ctx, machineID, orchestration.Page{}) {
//
// A read takes at most 30 s and a write at most 60 s, with everything that belongs
// to it, unless the context or the Config says otherwise.
//
// # Who calls
//
// The platform's key (Config.APIKey) goes with every call but health, readiness
// and heartbeats. Agent calls also carry a pairing token, which lives for some
// hours: a Session gets it, keeps it alive and hands it out.
//
//	err := session.Do(ctx, func(token orchestration.Secret) (err error) {
//		payment, err = client.SubmitPaymentProof(ctx, token, orderID, proof)
//		return err
//	})
//
// Client.As gives a token to the few reads that may have one.
//
// # Requests and answers
//
// In requests "", nil and zero are left out; where the wire tells absent from
// empty, a nil list is left out and an empty one is sent. User maps (labels,
// metadata, evidence, input, …) go out as given: no key is renamed, no null is
// dropped.
//
// Answers are read in camelCase and in snake_case. Statuses, rails, modes and
// codes are open sets with constants for what is known: an unknown value is
// decoded, never refused. What a struct does not name is in its Extra. Amounts
// are json.Number, the text that was on the wire: they never pass through a
// float.
//
// # Errors
//
//   - *ValidationError: an argument was refused and nothing was sent
//   - *NetworkError: no answer came
//   - *APIError: the answer says no, or cannot be read
//   - *ConfigError: from New and NewSession only
//   - *SessionError: from Session only; there is no valid token, the call was not made
//
// Codes are errors: errors.Is(err, CodeOrderClosed). No error, and no way to print
// or encode anything of this package, shows a Secret.
//
// Reads are repeated at most twice, after a network error, a 5xx or a 429. A write
// is sent exactly once: no call has an idempotency key. OutcomeOf tells from the
// error whether it acted; when that is Unknown, the method's comment says what to
// read before writing again.
//
// # What it is not
//
// The package mirrors somebody else's contract and knows nothing of our domain. It
// imports the standard library only and does not sign: a Session takes any Signer
// (see agentkey), x402 headers come from package x402. It does not verify that
// money moved: a payment that is held is a claim. Calls that the vendor has only
// announced are in announced.go and graph.go, and say how sure they are.
//
// Where the contract is open or contradicts itself, what we chose is in
// docs/divergences.md. Read client.go, then call.go, then session.go; encode.go
// and decode.go are the one place that knows about spellings.
package orchestration
