package evm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	// signTimeout of one signature, unless another is configured: a signer may ask a person or a hardware module.
	signTimeout = 30 * time.Second
	// maxSignerAnswer in bytes. A batch of 50 payments has 25 kB of calldata, twice in geth's answer and in hex.
	maxSignerAnswer = 1 << 20
)

// RemoteConfig describes a remote signer.
type RemoteConfig struct {
	// URL is where JSON-RPC is spoken, http or https. Required. It may hold a key and is never shown.
	URL string
	// Address of the key. Required.
	Address common.Address
	// Timeout of one signature. Defaults to 30 s.
	Timeout time.Duration
}

// Remote is a Signer that asks somebody else by eth_signTransaction: the key is never in this process. The answer is not
// trusted. Printing it shows its address only.
type Remote struct {
	client  *rpc.Client
	address common.Address
	timeout time.Duration
}

// NewRemote makes a remote signer. Nothing is sent. The error does not quote the URL.
func NewRemote(cfg RemoteConfig) (*Remote, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("the URL must be http or https and have a host")
	}
	client, err := rpc.DialOptions(context.Background(), cfg.URL, rpc.WithHTTPClient(&http.Client{
		Transport:     boundedAnswers{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}))
	if err != nil {
		return nil, errors.New("the URL cannot be used")
	}
	return &Remote{client, cfg.Address, cmp.Or(cfg.Timeout, signTimeout)}, nil
}

// Address is the key's address.
func (r *Remote) Address() common.Address { return r.address }

// txArgs is a transaction as eth_signTransaction takes it.
type txArgs struct {
	From     common.Address   `json:"from"`
	To       *common.Address  `json:"to"`
	Gas      hexutil.Uint64   `json:"gas"`
	GasPrice *hexutil.Big     `json:"gasPrice,omitempty"`
	FeeCap   *hexutil.Big     `json:"maxFeePerGas,omitempty"`
	TipCap   *hexutil.Big     `json:"maxPriorityFeePerGas,omitempty"`
	Value    *hexutil.Big     `json:"value"`
	Nonce    hexutil.Uint64   `json:"nonce"`
	Data     hexutil.Bytes    `json:"data"`
	ChainID  *hexutil.Big     `json:"chainId"`
	Accesses types.AccessList `json:"accessList,omitempty"`
}

// SignTx is Signer's.
func (r *Remote) SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	scheme, err := unsigned(tx, chainID)
	if err != nil {
		return nil, err
	}
	args := txArgs{
		From: r.address, To: tx.To(), Gas: hexutil.Uint64(tx.Gas()), Value: (*hexutil.Big)(tx.Value()),
		Nonce: hexutil.Uint64(tx.Nonce()), Data: tx.Data(), ChainID: (*hexutil.Big)(chainID), Accesses: tx.AccessList(),
	}
	if tx.Type() == types.LegacyTxType {
		args.GasPrice = (*hexutil.Big)(tx.GasPrice())
	} else {
		args.FeeCap, args.TipCap = (*hexutil.Big)(tx.GasFeeCap()), (*hexutil.Big)(tx.GasTipCap())
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var answer rawTransaction
	if err := r.client.CallContext(ctx, &answer, "eth_signTransaction", args); err != nil {
		return nil, fmt.Errorf("remote signer: %w", withoutURL(err))
	}
	var signed types.Transaction
	if err := signed.UnmarshalBinary(answer); err != nil {
		return nil, fmt.Errorf("remote signer: %w: no transaction: %w", ErrSignature, err)
	}
	if err := checkSigned(tx, &signed, scheme, r.address); err != nil {
		return nil, fmt.Errorf("remote signer: %w", err)
	}
	return &signed, nil
}

// rawTransaction is an answer: the encoded transaction alone (anvil, Web3Signer), or as the member raw (geth, clef).
type rawTransaction []byte

func (t *rawTransaction) UnmarshalJSON(text []byte) error {
	var object struct {
		Raw hexutil.Bytes `json:"raw"`
	}
	into := any(&object.Raw)
	if len(text) > 0 && text[0] == '{' {
		into = &object
	}
	err := json.Unmarshal(text, into)
	*t = rawTransaction(object.Raw)
	return err
}

// withoutURL is what went wrong without the URL, which may hold a key, and without pages of text.
func withoutURL(err error) error {
	if quoting, ok := errors.AsType[*url.Error](err); ok {
		return quoting.Err
	}
	if status, ok := errors.AsType[rpc.HTTPError](err); ok {
		return fmt.Errorf("the answer has status %d", status.StatusCode)
	}
	if refused, ok := errors.AsType[rpc.Error](err); ok {
		return fmt.Errorf("refused (%d): %.200s", refused.ErrorCode(), refused.Error())
	}
	return err
}

// boundedAnswers is the default transport, which reads no more of an answer than a signature can need.
type boundedAnswers struct{}

func (boundedAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxSignerAnswer)
	}
	return resp, err
}

// Format shows the address whatever the verb, also of a copy.
func (r Remote) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "remote signer of %s", r.address.Hex())
}
