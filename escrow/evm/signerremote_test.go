package evm

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// signingServer signs what eth_signTransaction asks for, as JSON-RPC arguments say it, and answers like geth. answer may
// write something else instead.
func signingServer(t *testing.T, key *Keystore, answer func(w http.ResponseWriter, id json.RawMessage, tx *types.Transaction) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params []txArgs        `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil || call.Method != "eth_signTransaction" || len(call.Params) != 1 || r.URL.Query().Get("key") != "s3cret" {
			t.Errorf("call %+v, %v", call, err)
			return
		}
		a := call.Params[0]
		tx := types.NewTx(&types.DynamicFeeTx{
			ChainID: (*big.Int)(a.ChainID), Nonce: uint64(a.Nonce), GasTipCap: (*big.Int)(a.TipCap), GasFeeCap: (*big.Int)(a.FeeCap), Gas: uint64(a.Gas),
			To: a.To, Value: (*big.Int)(a.Value), Data: a.Data, AccessList: a.Accesses,
		})
		if a.GasPrice != nil {
			tx = types.NewTx(&types.LegacyTx{Nonce: uint64(a.Nonce), GasPrice: (*big.Int)(a.GasPrice), Gas: uint64(a.Gas), To: a.To, Value: (*big.Int)(a.Value), Data: a.Data})
		}
		w.Header().Set("Content-Type", "application/json")
		if answer != nil && answer(w, call.ID, tx) {
			return
		}
		signed, err := key.SignTx(r.Context(), tx, (*big.Int)(a.ChainID))
		if err != nil || a.From != key.Address() {
			t.Errorf("asked to sign %+v: %v", a, err)
			return
		}
		result(t, w, call.ID, map[string]any{"raw": encoded(t, signed), "tx": signed})
	}))
	t.Cleanup(server.Close)
	return server.URL + "/?key=s3cret"
}

func encoded(t *testing.T, tx *types.Transaction) hexutil.Bytes {
	t.Helper()
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Error(err)
	}
	return raw
}

func result(t *testing.T, w io.Writer, id json.RawMessage, value any) {
	t.Helper()
	if err := json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": id, "result": value}); err != nil {
		t.Error(err)
	}
}

func remoteTo(t *testing.T, url string) *Remote {
	t.Helper()
	remote, err := NewRemote(RemoteConfig{URL: url, Address: devAddress, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return remote
}

// Whatever a remote signer changes of what it was asked to sign, its answer is refused.
func TestRemoteMayChangeNothing(t *testing.T) {
	t.Parallel()
	key := devKeystore(t)
	other := common.Address{8}
	for field, change := range map[string]func(*types.DynamicFeeTx){
		"chain id":                     func(tx *types.DynamicFeeTx) { tx.ChainID = big.NewInt(1) },
		"nonce":                        func(tx *types.DynamicFeeTx) { tx.Nonce++ },
		"receiver":                     func(tx *types.DynamicFeeTx) { tx.To = &other },
		"value":                        func(tx *types.DynamicFeeTx) { tx.Value = big.NewInt(1) },
		"data":                         func(tx *types.DynamicFeeTx) { tx.Data = append([]byte{0}, tx.Data...) },
		"gas limit":                    func(tx *types.DynamicFeeTx) { tx.Gas++ },
		"fee cap":                      func(tx *types.DynamicFeeTx) { tx.GasFeeCap = new(big.Int).Add(tx.GasFeeCap, big.NewInt(1)) },
		"tip cap":                      func(tx *types.DynamicFeeTx) { tx.GasTipCap = new(big.Int) },
		"it is of another transaction": func(tx *types.DynamicFeeTx) { tx.AccessList = nil },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			url := signingServer(t, key, func(w http.ResponseWriter, id json.RawMessage, tx *types.Transaction) bool {
				changed := &types.DynamicFeeTx{
					ChainID: tx.ChainId(), Nonce: tx.Nonce(), GasTipCap: tx.GasTipCap(), GasFeeCap: tx.GasFeeCap(), Gas: tx.Gas(), To: tx.To(),
					Value: tx.Value(), Data: tx.Data(), AccessList: tx.AccessList(),
				}
				change(changed)
				signed, err := types.SignNewTx(key.private, types.LatestSignerForChainID(changed.ChainID), changed)
				if err != nil {
					t.Error(err)
				}
				result(t, w, id, encoded(t, signed))
				return true
			})
			signed, err := remoteTo(t, url).SignTx(t.Context(), calls()["dynamic fee"], homeChain)
			if signed != nil || !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), field) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRemoteIsNotTrusted(t *testing.T) {
	t.Parallel()
	key := devKeystore(t)
	stranger, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	scheme := types.LatestSignerForChainID(homeChain)
	answer := func(status int, text string) func(http.ResponseWriter, json.RawMessage, *types.Transaction) bool {
		return func(w http.ResponseWriter, id json.RawMessage, _ *types.Transaction) bool {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(text, "ID", string(id)))
			return true
		}
	}
	for name, c := range map[string]struct {
		answer       func(http.ResponseWriter, json.RawMessage, *types.Transaction) bool
		want         string
		badSignature bool
	}{
		"signs with another key": {func(w http.ResponseWriter, id json.RawMessage, tx *types.Transaction) bool {
			signed, err := types.SignTx(tx, scheme, stranger)
			if err != nil {
				t.Error(err)
			}
			result(t, w, id, encoded(t, signed))
			return true
		}, "made by " + crypto.PubkeyToAddress(stranger.PublicKey).Hex(), true},
		"signs for every chain": {func(w http.ResponseWriter, id json.RawMessage, tx *types.Transaction) bool {
			signed, err := types.SignNewTx(key.private, types.HomesteadSigner{}, &types.LegacyTx{Nonce: tx.Nonce(), GasPrice: tx.GasPrice(), Gas: tx.Gas(), To: tx.To(), Value: tx.Value(), Data: tx.Data()})
			if err != nil {
				t.Error(err)
			}
			result(t, w, id, encoded(t, signed))
			return true
		}, "the type differs", true},
		"does not sign": {func(w http.ResponseWriter, id json.RawMessage, tx *types.Transaction) bool {
			result(t, w, id, encoded(t, tx))
			return true
		}, "invalid transaction v, r, s values", true},
		"gives the high s": {func(w http.ResponseWriter, id json.RawMessage, tx *types.Transaction) bool {
			signed, err := key.SignTx(t.Context(), tx, homeChain)
			if err != nil {
				t.Error(err)
				return true
			}
			v, r, s := signed.RawSignatureValues()
			turned := make([]byte, 65)
			r.FillBytes(turned[:32])
			new(big.Int).Sub(crypto.S256().Params().N, s).FillBytes(turned[32:64])
			turned[64] = 1 - byte(v.Uint64())
			if signed, err = tx.WithSignature(scheme, turned); err != nil {
				t.Error(err)
			}
			result(t, w, id, encoded(t, signed))
			return true
		}, "invalid transaction v, r, s values", true},
		"answers nonsense":     {answer(200, `{"jsonrpc":"2.0","id":ID,"result":"0x02c0"}`), "no transaction", true},
		"answers nothing":      {answer(200, `{"jsonrpc":"2.0","id":ID,"result":{}}`), "no transaction", true},
		"answers null":         {answer(200, `{"jsonrpc":"2.0","id":ID,"result":null}`), "cannot unmarshal", false},
		"answers a number":     {answer(200, `{"jsonrpc":"2.0","id":ID,"result":7}`), "cannot unmarshal", false},
		"refuses":              {answer(200, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"request denied"}}`), "refused (-32000): request denied", false},
		"answers a page":       {answer(502, "<html>"), "status 502", false},
		"sends somewhere else": {answer(307, ""), "status 307", false},
		"answers for ever":     {answer(200, `{"jsonrpc":"2.0","id":ID,"result":"0x`+strings.Repeat("0", 2*maxSignerAnswer)+`"}`), "too large", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed, err := remoteTo(t, signingServer(t, key, c.answer)).SignTx(t.Context(), calls()["dynamic fee"], homeChain)
			if signed != nil || err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrSignature) != c.badSignature {
				t.Errorf("got %v; want %s", err, c.want)
			}
		})
	}
}

func TestRemoteThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	for _, c := range []struct {
		url     string
		timeout time.Duration
		want    string
	}{{slow.URL + "/s3cret", 50 * time.Millisecond, "deadline exceeded"}, {"http://127.0.0.1:1/s3cret", time.Minute, "refused"}} {
		remote, err := NewRemote(RemoteConfig{URL: c.url, Address: devAddress, Timeout: c.timeout})
		if err != nil {
			t.Fatal(err)
		}
		_, err = remote.SignTx(t.Context(), calls()["legacy"], homeChain)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", c.url, err)
		}
	}
	for _, url := range []string{"", "ftp://h/s3cret", "http://", "http://h:s3cret/", "ws://h/s3cret", "://s3cret"} {
		if _, err := NewRemote(RemoteConfig{URL: url, Address: devAddress}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// TestRemoteWithAnvil asks the real server that SETTLER_ANVIL names; `make signer-check` brings it from npm.
func TestRemoteWithAnvil(t *testing.T) {
	t.Parallel()
	program := os.Getenv("SETTLER_ANVIL")
	if program == "" {
		t.Skip("SETTLER_ANVIL names no anvil; make signer-check runs this with one")
	}
	node := exec.CommandContext(t.Context(), program, "--port", "0", "--chain-id", homeChain.String())
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Wait() }) // killed with the test's context
	url := ""
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			url = "http://" + address
		}
	}
	if url == "" {
		t.Fatal("anvil does not listen")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()

	remote, inKeystore := remoteTo(t, url), devKeystore(t)
	for name, tx := range calls() {
		got, err := remote.SignTx(t.Context(), tx, homeChain)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := inKeystore.SignTx(t.Context(), tx, homeChain) // both sign as RFC 6979 says
		if err != nil || got.Hash() != want.Hash() {
			t.Errorf("%s: anvil gives %s, the keystore %s, %v", name, got.Hash(), want.Hash(), err)
		}
	}
	if err := Probe(t.Context(), remote, homeChain); err != nil {
		t.Error(err)
	}
	stranger, err := NewRemote(RemoteConfig{URL: url, Address: common.Address{1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := Probe(t.Context(), stranger, homeChain); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a key that anvil does not have: %v", err)
	}
	if err := Probe(t.Context(), remote, big.NewInt(1)); err == nil || !strings.Contains(err.Error(), "chain") {
		t.Errorf("another chain: %v", err)
	}
}
