package chaintest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
)

// Cluster is a made-up cluster of Solana in memory, which answers as Agave does: for what no real node can be brought to
// within a test, such as a day of payments. Its transactions move SOL and are really signed. It serves JSON-RPC over HTTP.
type Cluster struct {
	start time.Time // of slot 0

	mu       sync.Mutex // guards the rest
	latest   uint64     // confirmed slot
	first    uint64     // of the history
	sent     uint64
	accounts map[string][]string       // account → signatures, the oldest first
	txs      map[string]clusterTx      // signature → transaction
	places   map[string]map[string]int // account → signature → place in accounts
	calls    map[string]int            // method → how often it was called
	received map[string][]received     // account → what was paid to it, the oldest first
}

// received is what arrived in a slot.
type received struct{ slot, lamports uint64 }

type clusterTx struct {
	slot   uint64
	failed bool
	result json.RawMessage // nil for one that failed
}

const (
	// slotTime, finalLag: as on mainnet.
	slotTime = 400 * time.Millisecond
	finalLag = 32
	// clusterBalance is what every account has before a transaction, in lamports.
	clusterBalance = 1_000_000_000_000
	signatureFee   = 5000
	// Limits of Agave: MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT, MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS,
	// MAX_MULTIPLE_ACCOUNTS.
	listLimit, statusLimit, accountLimit = 1000, 256, 100
)

// clusterGenesis is the genesis hash of no cluster that there is.
var clusterGenesis = sdk.Hash(sha256.Sum256([]byte("made up"))).String()

// NewCluster has history from the first slot on and is at the latest, whose block is of now.
func NewCluster(first, latest uint64) *Cluster {
	return &Cluster{
		start: time.Now().Add(-time.Duration(latest) * slotTime), first: first, latest: latest,
		accounts: make(map[string][]string), received: make(map[string][]received), txs: make(map[string]clusterTx), places: make(map[string]map[string]int),
		calls: make(map[string]int),
	}
}

// Genesis is the cluster's genesis hash.
func (c *Cluster) Genesis() string { return clusterGenesis }

// Advance lets so many slots pass.
func (c *Cluster) Advance(slots uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest += slots
}

// Latest is the confirmed slot.
func (c *Cluster) Latest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest
}

// Forget drops the history below a slot.
func (c *Cluster) Forget(below uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = below
}

// Calls is how often the method was called; of all methods where it is empty.
func (c *Cluster) Calls(method string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if method != "" {
		return c.calls[method]
	}
	for _, calls := range c.calls {
		n += calls
	}
	return n
}

// ClusterPayment is a transfer of SOL.
type ClusterPayment struct {
	From       sdk.PrivateKey
	To         sdk.PublicKey
	Lamports   uint64
	References []sdk.PublicKey // that it names
	Cosigner   sdk.PrivateKey  // who signs too, and is named; nil for nobody
}

// Pay carries the payment out in the latest slot. The first signature is the transaction's name.
func (c *Cluster) Pay(p ClusterPayment) ([]sdk.Signature, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, 2), p.Lamports) // System, Transfer
	from := p.From.PublicKey()
	accounts := sdk.AccountMetaSlice{sdk.Meta(from).SIGNER().WRITE(), sdk.Meta(p.To).WRITE()}
	for _, r := range p.References {
		accounts = append(accounts, sdk.Meta(r))
	}
	if p.Cosigner != nil {
		accounts = append(accounts, sdk.Meta(p.Cosigner.PublicKey()).SIGNER())
	}
	tx, err := sdk.NewTransaction([]sdk.Instruction{sdk.NewInstruction(sdk.SystemProgramID, accounts, data)}, c.nextHash(), sdk.TransactionPayer(from))
	if err != nil {
		return nil, fmt.Errorf("make a transaction: %w", err)
	}
	if _, err := tx.Sign(func(k sdk.PublicKey) *sdk.PrivateKey {
		if k == from {
			return &p.From
		}
		return &p.Cosigner
	}); err != nil {
		return nil, fmt.Errorf("sign a transaction: %w", err)
	}
	result, err := c.result(tx, p.To, p.Lamports)
	if err != nil {
		return nil, fmt.Errorf("encode a transaction: %w", err)
	}
	c.add(tx.Signatures[0], clusterTx{slot: c.latest, result: result}, tx.Message.AccountKeys)
	to := p.To.String()
	c.received[to] = append(c.received[to], received{c.latest, p.Lamports})
	return tx.Signatures, nil
}

// Transaction is what getTransaction tells of it.
func (c *Cluster) Transaction(signature sdk.Signature) (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tx, ok := c.known(signature.String())
	if !ok || tx.failed {
		return nil, fmt.Errorf("no transaction %s", signature)
	}
	return tx.result, nil
}

// Fail adds a transaction to the latest slot that names the account and failed.
func (c *Cluster) Fail(account sdk.PublicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var signature sdk.Signature
	first, second := c.nextHash(), c.nextHash()
	copy(signature[:], first[:])
	copy(signature[32:], second[:])
	c.add(signature, clusterTx{slot: c.latest, failed: true}, []sdk.PublicKey{account})
}

// nextHash is unlike all before.
func (c *Cluster) nextHash() sdk.Hash {
	c.sent++
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, c.sent))
}

func (c *Cluster) add(signature sdk.Signature, tx clusterTx, accounts []sdk.PublicKey) {
	name := signature.String()
	c.txs[name] = tx
	for _, a := range accounts {
		account := a.String()
		if c.places[account] == nil {
			c.places[account] = make(map[string]int)
		}
		c.places[account][name] = len(c.accounts[account])
		c.accounts[account] = append(c.accounts[account], name)
	}
}

// result is the transaction as getTransaction shows it.
func (c *Cluster) result(tx *sdk.Transaction, to sdk.PublicKey, lamports uint64) (json.RawMessage, error) {
	keys := tx.Message.AccountKeys
	before, after := slices.Repeat([]uint64{clusterBalance}, len(keys)), slices.Repeat([]uint64{clusterBalance}, len(keys))
	fee := signatureFee * uint64(len(tx.Signatures))
	after[0] -= lamports + fee
	after[slices.Index(keys, to)] += lamports
	var instructions []any
	for _, in := range tx.Message.Instructions {
		places := make([]int, len(in.Accounts))
		for i, place := range in.Accounts {
			places[i] = int(place)
		}
		instructions = append(instructions, map[string]any{
			"programIdIndex": in.ProgramIDIndex, "accounts": places, "data": base58.Encode(in.Data), "stackHeight": 1,
		})
	}
	none := []any{}
	return json.Marshal(map[string]any{
		"slot": c.latest, "blockTime": c.timeOf(c.latest), "version": "legacy",
		"transaction": map[string]any{"signatures": tx.Signatures, "message": map[string]any{
			"accountKeys": keys, "header": tx.Message.Header, "recentBlockhash": tx.Message.RecentBlockhash, "instructions": instructions,
		}},
		"meta": map[string]any{
			"err": nil, "fee": fee, "preBalances": before, "postBalances": after, "preTokenBalances": none, "postTokenBalances": none,
			"innerInstructions": none, "loadedAddresses": map[string]any{"writable": none, "readonly": none},
		},
	})
}

func (c *Cluster) timeOf(slot uint64) int64 {
	return c.start.Add(time.Duration(slot) * slotTime).Unix()
}

func (c *Cluster) final() uint64 { return c.latest - min(c.latest, finalLag) }

// ServeHTTP answers one call.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m message
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := answer{Version: "2.0", ID: m.ID}
	result, refused := c.call(m.Method, m.Params)
	if out.Error = refused; refused == nil {
		if out.Result, err = json.Marshal(result); err != nil {
			panic(err) // values of our own
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // a caller that has gone misses nothing
}

// call answers with a value or a refusal.
func (c *Cluster) call(method string, raw json.RawMessage) (any, *RPCError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[method]++
	var params []json.RawMessage
	_ = json.Unmarshal(raw, &params) // none, then
	finalized := strings.Contains(string(raw), `"finalized"`)
	inContext := func(value any) any {
		return map[string]any{"context": map[string]any{"slot": c.latest}, "value": value}
	}
	switch method {
	case "getGenesisHash":
		return clusterGenesis, nil
	case "getSlot":
		if finalized {
			return c.final(), nil
		}
		return c.latest, nil
	case "getFirstAvailableBlock":
		return c.first, nil
	case "getAccountInfo":
		return inContext(nil), nil
	case "getMultipleAccounts":
		var asked []string
		if len(params) == 0 || json.Unmarshal(params[0], &asked) != nil || len(asked) > accountLimit || !finalized {
			return nil, &RPCError{Code: -32602, Message: "Too many inputs provided"}
		}
		accounts := make([]any, len(asked))
		for i, account := range asked {
			lamports := uint64(0)
			for _, r := range c.received[account] {
				if r.slot <= c.final() {
					lamports += r.lamports
				}
			}
			if lamports > 0 {
				accounts[i] = map[string]any{"lamports": lamports, "owner": sdk.SystemProgramID, "data": []string{"", "base64"}, "executable": false, "rentEpoch": 0}
			}
		}
		return inContext(accounts), nil
	case "getSignaturesForAddress":
		return c.list(params)
	case "getSignatureStatuses":
		var asked []string
		if len(params) == 0 || json.Unmarshal(params[0], &asked) != nil || len(asked) > statusLimit {
			return nil, &RPCError{Code: -32602, Message: "Too many inputs provided"}
		}
		statuses := make([]any, len(asked))
		for i, signature := range asked {
			if tx, ok := c.known(signature); ok {
				statuses[i] = map[string]any{"slot": tx.slot, "err": tx.err(), "confirmationStatus": c.level(tx)}
			}
		}
		return inContext(statuses), nil
	case "getTransaction":
		var signature string
		if len(params) == 0 || json.Unmarshal(params[0], &signature) != nil {
			return nil, &RPCError{Code: -32602, Message: "Invalid params"}
		}
		tx, ok := c.known(signature)
		if !ok || tx.failed || finalized && tx.slot > c.final() {
			return nil, nil
		}
		return tx.result, nil
	}
	return nil, &RPCError{Code: -32601, Message: "Method not found"}
}

func (c *Cluster) known(signature string) (clusterTx, bool) {
	tx, ok := c.txs[signature]
	return tx, ok && tx.slot >= c.first
}

func (t clusterTx) err() any {
	if t.failed {
		return map[string]any{"InstructionError": []any{0, "InvalidAccountData"}}
	}
	return nil
}

func (c *Cluster) level(tx clusterTx) string {
	if tx.slot <= c.final() {
		return "finalized"
	}
	return "confirmed"
}

// list answers getSignaturesForAddress, the newest first. An unknown "before" gives nothing.
func (c *Cluster) list(params []json.RawMessage) (any, *RPCError) {
	var account string
	options := struct {
		Limit          int
		Before         string
		MinContextSlot uint64
	}{Limit: listLimit}
	if len(params) != 2 || json.Unmarshal(params[0], &account) != nil || json.Unmarshal(params[1], &options) != nil || options.Limit > listLimit {
		return nil, &RPCError{Code: -32602, Message: "Invalid params"}
	}
	if options.MinContextSlot > c.latest {
		return nil, &RPCError{Code: -32016, Message: "Minimum context slot has not been reached"}
	}
	rows := []any{}
	at := len(c.accounts[account])
	if options.Before != "" {
		place, ok := c.places[account][options.Before]
		if _, known := c.known(options.Before); !ok || !known {
			return rows, nil
		}
		at = place
	}
	for _, signature := range slices.Backward(c.accounts[account][:at]) {
		tx, ok := c.known(signature)
		if !ok || len(rows) == options.Limit {
			break
		}
		rows = append(rows, map[string]any{
			"signature": signature, "slot": tx.slot, "err": tx.err(), "memo": nil, "blockTime": c.timeOf(tx.slot), "confirmationStatus": c.level(tx),
		})
	}
	return rows, nil
}
