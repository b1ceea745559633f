package agentkey

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/settler-pay/settler/orchestration"
)

const (
	// MethodPersonalSign takes the message, then the address: wallets, development nodes.
	MethodPersonalSign = "personal_sign"
	// MethodEthSign takes the address, then the message: geth, Web3Signer.
	MethodEthSign = "eth_sign"

	// remoteTimeout of one signature, unless HTTPClient has its own: a signer may
	// ask a person or a hardware module.
	remoteTimeout = 30 * time.Second
	// maxAnswer in bytes; a signature is 132 characters.
	maxAnswer = 64 << 10
)

// RemoteConfig describes a remote signer.
type RemoteConfig struct {
	// URL is where JSON-RPC is spoken, http or https. Required. It may hold a key.
	URL orchestration.Secret
	// Address of the key, 0x and 40 hex digits. Required.
	Address string
	// Method signs an EIP-191 message. Defaults to MethodPersonalSign.
	Method string
	// HTTPClient sends the requests; redirects are never followed. Defaults to a
	// client that waits 30 s.
	HTTPClient *http.Client
}

// Remote signs by asking somebody else over JSON-RPC: the key never is in this
// process. What comes back is checked to be the key's signature of what was
// asked. It is safe for concurrent use.
type Remote struct {
	url     orchestration.Secret
	method  string
	address common.Address
	http    http.Client
}

// NewRemote makes a remote signer. Nothing is sent. The error is a
// *orchestration.ConfigError and does not quote the URL.
func NewRemote(cfg RemoteConfig) (*Remote, error) {
	base, err := url.Parse(string(cfg.URL))
	method := cmp.Or(cfg.Method, MethodPersonalSign)
	var problems []string
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		problems = append(problems, "the URL must be http or https and have a host")
	}
	if !common.IsHexAddress(cfg.Address) {
		problems = append(problems, fmt.Sprintf("%q is not an address", cfg.Address))
	}
	if method != MethodPersonalSign && method != MethodEthSign {
		problems = append(problems, fmt.Sprintf("method %q is neither %s nor %s", method, MethodPersonalSign, MethodEthSign))
	}
	if problems != nil {
		return nil, &orchestration.ConfigError{Problem: "remote signer: " + strings.Join(problems, "; ")}
	}
	r := &Remote{url: cfg.URL, method: method, address: common.HexToAddress(cfg.Address), http: http.Client{Timeout: remoteTimeout}}
	if cfg.HTTPClient != nil {
		r.http = *cfg.HTTPClient
	}
	r.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return r, nil
}

// Address is the key's address, in the case of EIP-55.
func (r *Remote) Address() string { return r.address.Hex() }

// SignMessage is Key.SignMessage, elsewhere. ErrSignature: what came back is not
// this key's signature of the message.
func (r *Remote) SignMessage(ctx context.Context, message []byte) (string, error) {
	params := []any{"0x" + hex.EncodeToString(message), r.address}
	if r.method == MethodEthSign {
		params[0], params[1] = params[1], params[0]
	}
	signature, err := r.call(ctx, r.method, params)
	if err != nil {
		return "", err
	}
	signer, err := Recover(message, signature)
	return r.checked(signature, signer, err)
}

// SignTypedData is Key.SignTypedData, elsewhere, by eth_signTypedData_v4.
func (r *Remote) SignTypedData(ctx context.Context, typed apitypes.TypedData) (string, error) {
	signature, err := r.call(ctx, "eth_signTypedData_v4", []any{r.address, typed})
	if err != nil {
		return "", err
	}
	signer, err := RecoverTypedData(typed, signature)
	return r.checked(signature, signer, err)
}

// checked gives a signature in the one spelling that Key has too.
func (r *Remote) checked(signature, signer string, err error) (string, error) {
	if err == nil {
		err = mustBe(signer, r.Address())
	}
	if err != nil {
		return "", fmt.Errorf("remote signer: %w", err)
	}
	raw, err := hex.DecodeString(signature[2:])
	if err != nil {
		return "", fmt.Errorf("remote signer: %w", err) // it was decoded before
	}
	raw[len(raw)-1] %= 27
	return spell(raw), nil
}

// call makes one JSON-RPC call that answers text.
func (r *Remote) call(ctx context.Context, method string, params []any) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("remote signer: %s: %w", method, err) }
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fail(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(r.url), bytes.NewReader(body))
	if err != nil {
		return fail(errors.New("the URL cannot be used"))
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.http.Do(req)
	if err != nil {
		if quoting, ok := errors.AsType[*url.Error](err); ok {
			err = quoting.Err // without the URL
		}
		return fail(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fail(err)
	}
	var answer struct {
		Result string `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	err = json.Unmarshal(text, &answer)
	switch {
	case err == nil && answer.Error != nil:
		return fail(fmt.Errorf("refused (%d): %.200s", answer.Error.Code, answer.Error.Message))
	case err != nil || answer.Result == "":
		return fail(fmt.Errorf("the answer with status %d holds no signature", resp.StatusCode))
	}
	return answer.Result, nil
}

// String shows the address.
func (r Remote) String() string { return "remote signer of " + r.address.Hex() }

// Format shows the address whatever the verb, also of a copy: the URL may hold a
// secret.
func (r Remote) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }
