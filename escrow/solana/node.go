package solana

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// Endpoint is one JSON-RPC server. Its URL and headers may hold a key: they are in no error of this package.
type Endpoint struct {
	Name, URL string
	Operator  string // who runs it: endpoints of one operator have one voice. Defaults to Name
	Header    http.Header
}

func (e Endpoint) operator() string { return cmp.Or(e.Operator, e.Name) }

// maxAnswer is the longest answer that is read, in bytes: a hundred accounts are much less.
const maxAnswer = 4 << 20

// nodes asks the endpoints of one cluster.
type nodes struct {
	endpoints []Endpoint
	http      *http.Client
	timeout   time.Duration
}

// ask lets look ask one endpoint after the other until one has answered. All of one look's answers are of one endpoint. A
// refusal ends it.
func (n *nodes) ask(ctx context.Context, look func(context.Context, Endpoint) error) error {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	var faults []error
	for _, e := range n.endpoints {
		each, cancel := context.WithTimeout(ctx, n.timeout/time.Duration(len(n.endpoints)))
		err := look(each, e)
		cancel()
		if _, refused := errors.AsType[*Refusal](err); err == nil || refused {
			return err
		}
		faults = append(faults, fmt.Errorf("endpoint %s: %w", e.Name, err))
	}
	return &settlement.LookError{Code: settlement.RPCUnavailable, Err: errors.Join(faults...)}
}

// call asks one endpoint and decodes its result.
func (n *nodes) call(ctx context.Context, e Endpoint, into any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	question, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(question))
	if err != nil {
		return fmt.Errorf("%s: the URL is not one", method)
	}
	for name, values := range e.Header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := n.http.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok { // which shows the URL
			err = wrapped.Err
		}
		return fmt.Errorf("%s: %w", method, err)
	}
	defer response.Body.Close()
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer)
	switch {
	case err != nil:
		return fmt.Errorf("%s: status %d, and no JSON: %w", method, response.StatusCode, err)
	case answer.Error != nil:
		return fmt.Errorf("%s: code %d: %s", method, answer.Error.Code, answer.Error.Message)
	case answer.Result == nil:
		return fmt.Errorf("%s: status %d without a result", method, response.StatusCode)
	}
	if err := json.Unmarshal(answer.Result, into); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// accounts is accountsAt without the slot.
func (n *nodes) accounts(ctx context.Context, e Endpoint, commitment string, slot uint64, keys []sdk.PublicKey) (map[sdk.PublicKey]*Account, error) {
	accounts, _, err := n.accountsAt(ctx, e, commitment, slot, keys)
	return accounts, err
}

// accountsAt reads accounts at the commitment, all at once, as they are at the slot or later, and gives the slot that they are of; those
// that do not exist are left out.
func (n *nodes) accountsAt(ctx context.Context, e Endpoint, commitment string, slot uint64, keys []sdk.PublicKey) (map[sdk.PublicKey]*Account, uint64, error) {
	var answer struct {
		Context struct {
			Slot uint64 `json:"slot"`
		} `json:"context"`
		Value []*struct {
			Owner    sdk.PublicKey `json:"owner"`
			Lamports uint64        `json:"lamports"`
			Data     []string      `json:"data"`
		} `json:"value"`
	}
	if err := n.call(ctx, e, &answer, "getMultipleAccounts", keys, map[string]any{"encoding": "base64", "commitment": commitment, "minContextSlot": slot}); err != nil {
		return nil, 0, err
	}
	if len(answer.Value) != len(keys) {
		return nil, 0, fmt.Errorf("getMultipleAccounts: %d accounts, %d were asked for", len(answer.Value), len(keys))
	}
	out := make(map[sdk.PublicKey]*Account, len(keys))
	for i, a := range answer.Value {
		if a == nil {
			continue
		}
		if len(a.Data) != 2 || a.Data[1] != "base64" {
			return nil, 0, errors.New("getMultipleAccounts: an account is not in base64")
		}
		data, err := base64.StdEncoding.DecodeString(a.Data[0])
		if err != nil {
			return nil, 0, fmt.Errorf("getMultipleAccounts: %w", err)
		}
		out[keys[i]] = &Account{Program: a.Owner, Lamports: a.Lamports, Data: data}
	}
	return out, answer.Context.Slot, nil
}

// Commitments.
const (
	finalized = "finalized"
	confirmed = "confirmed" // for what does not change: a new mint is not final yet
	processed = "processed"
)

// genesis is the genesis hash of the cluster that the endpoint serves.
func (n *nodes) genesis(ctx context.Context, e Endpoint) (sdk.Hash, error) {
	var hash sdk.Hash
	err := n.call(ctx, e, &hash, "getGenesisHash")
	return hash, err
}

// height is the block height of the newest block that the endpoint has processed.
func (n *nodes) height(ctx context.Context, e Endpoint) (uint64, error) {
	var height uint64
	err := n.call(ctx, e, &height, "getBlockHeight", map[string]string{"commitment": processed})
	return height, err
}

// final is the last final slot, and the height of its block.
func (n *nodes) final(ctx context.Context, e Endpoint) (slot, height uint64, err error) {
	var info struct {
		AbsoluteSlot uint64 `json:"absoluteSlot"`
		BlockHeight  uint64 `json:"blockHeight"`
	}
	err = n.call(ctx, e, &info, "getEpochInfo", map[string]string{"commitment": finalized})
	return info.AbsoluteSlot, info.BlockHeight, err
}

// blockhash is the last final one, and the block height above which no block takes a transaction that names it.
func (n *nodes) blockhash(ctx context.Context, e Endpoint) (sdk.Hash, uint64, error) {
	var recent struct {
		Value struct {
			Blockhash            sdk.Hash `json:"blockhash"`
			LastValidBlockHeight uint64   `json:"lastValidBlockHeight"`
		} `json:"value"`
	}
	err := n.call(ctx, e, &recent, "getLatestBlockhash", map[string]string{"commitment": finalized})
	return recent.Value.Blockhash, recent.Value.LastValidBlockHeight, err
}

// status is what an endpoint knows of a transaction, with all of its history; nil when it knows nothing.
type status struct {
	Slot               uint64          `json:"slot"`
	Err                json.RawMessage `json:"err"`
	ConfirmationStatus string          `json:"confirmationStatus"`
}

// statuses also gives the slot that they are of.
func (n *nodes) statuses(ctx context.Context, e Endpoint, ids []string) ([]*status, uint64, error) {
	var answer struct {
		Context struct {
			Slot uint64 `json:"slot"`
		} `json:"context"`
		Value []*status `json:"value"`
	}
	err := n.call(ctx, e, &answer, "getSignatureStatuses", ids, map[string]bool{"searchTransactionHistory": true})
	if err == nil && len(answer.Value) != len(ids) {
		err = fmt.Errorf("getSignatureStatuses: %d statuses, %d were asked for", len(answer.Value), len(ids))
	}
	return answer.Value, answer.Context.Slot, err
}

// valid reports whether a block may still take a transaction that names the blockhash.
func (n *nodes) valid(ctx context.Context, e Endpoint, hash sdk.Hash) (bool, error) {
	var answer struct {
		Value bool `json:"value"`
	}
	err := n.call(ctx, e, &answer, "isBlockhashValid", hash, map[string]string{"commitment": processed})
	return answer.Value, err
}

// reaches reports an error when the endpoint's history does not go down to the block height.
func (n *nodes) reaches(ctx context.Context, e Endpoint, height uint64) error {
	var first uint64
	if err := n.call(ctx, e, &first, "getFirstAvailableBlock"); err != nil {
		return err
	}
	var block struct {
		BlockHeight uint64 `json:"blockHeight"`
	}
	if err := n.call(ctx, e, &block, "getBlock", first, map[string]any{"transactionDetails": "none", "rewards": false, "maxSupportedTransactionVersion": 0}); err != nil {
		return err
	}
	if block.BlockHeight > height {
		return fmt.Errorf("its history begins at block height %d, above %d", block.BlockHeight, height)
	}
	return nil
}

// send hands signed bytes to every endpoint. It is enough that one takes them.
func (n *nodes) send(ctx context.Context, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	var faults []error
	for _, e := range n.endpoints {
		var signature sdk.Signature
		err := n.call(ctx, e, &signature, "sendTransaction", base64.StdEncoding.EncodeToString(raw), map[string]any{"encoding": "base64", "skipPreflight": true})
		if err != nil {
			faults = append(faults, fmt.Errorf("endpoint %s: %w", e.Name, err))
		}
	}
	if len(faults) < len(n.endpoints) {
		return nil
	}
	return fmt.Errorf("send transaction: %w", errors.Join(faults...))
}
