package agentkey_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

var _ orchestration.Signer = (*agentkey.Remote)(nil)

var mail = apitypes.TypedData{
	Types: apitypes.Types{
		"EIP712Domain": {{Name: "name", Type: "string"}},
		"Mail":         {{Name: "contents", Type: "string"}},
	},
	PrimaryType: "Mail", Domain: apitypes.TypedDataDomain{Name: "Ether Mail"},
	Message: apitypes.TypedDataMessage{"contents": "Hello"},
}

// signingHost signs what it is asked to with one key, in either order of
// parameters; change may spoil its answer.
func signingHost(t *testing.T, key *agentkey.Key, change func(http.ResponseWriter, string) bool) orchestration.Secret {
	t.Helper()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil || len(call.Params) != 2 || r.URL.Query().Get("key") != "s3cret" {
			t.Errorf("call %+v, %v", call, err)
			return
		}
		var signature string
		var err error
		switch call.Method {
		case "eth_sign":
			call.Params[0], call.Params[1] = call.Params[1], call.Params[0]
			fallthrough
		case "personal_sign":
			var text string
			_ = json.Unmarshal(call.Params[0], &text)
			message, _ := hex.DecodeString(strings.TrimPrefix(text, "0x"))
			signature, err = key.SignMessage(r.Context(), message)
		case "eth_signTypedData_v4":
			var typed apitypes.TypedData
			if err = json.Unmarshal(call.Params[1], &typed); err == nil {
				signature, err = key.SignTypedData(r.Context(), typed)
			}
		}
		if err != nil {
			t.Error(err)
		}
		if change == nil || !change(w, signature) {
			_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": 1, "result": signature})
		}
	}))
	t.Cleanup(host.Close)
	return orchestration.Secret(host.URL + "/?key=s3cret")
}

func TestRemoteSignsLikeTheKey(t *testing.T) {
	t.Parallel()
	key, err := agentkey.FromHex(devKey)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("line\r\nline\x00")
	want, err := key.SignMessage(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	wantTyped, err := key.SignTypedData(t.Context(), mail)
	if err != nil {
		t.Fatal(err)
	}
	lowV := func(w http.ResponseWriter, signature string) bool {
		raw, _ := hex.DecodeString(signature[2:])
		raw[64] -= 27
		_, _ = fmt.Fprintf(w, `{"result":"0x%x"}`, raw)
		return true
	}
	for name, c := range map[string]struct {
		method string
		change func(http.ResponseWriter, string) bool
	}{"personal_sign": {}, "eth_sign": {method: agentkey.MethodEthSign}, "last byte 0 or 1": {change: lowV}} {
		remote, err := agentkey.NewRemote(agentkey.RemoteConfig{
			URL: signingHost(t, key, c.change), Address: strings.ToLower(devAddress), Method: c.method,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := remote.SignMessage(t.Context(), message); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
		if got, err := remote.SignTypedData(t.Context(), mail); err != nil || got != wantTyped {
			t.Errorf("%s: typed data: %s, %v; want %s", name, got, err, wantTyped)
		}
		if remote.Address() != devAddress {
			t.Errorf("address %s", remote.Address())
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			for _, value := range []any{remote, *remote} {
				if got := fmt.Sprintf(verb, value); got != "remote signer of "+devAddress {
					t.Errorf("%s of %T shows %s", verb, value, got)
				}
			}
		}
	}
}

func TestRemoteIsNotTrusted(t *testing.T) {
	t.Parallel()
	dev, err := agentkey.FromHex(devKey)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	answer := func(status int, text string) func(http.ResponseWriter, string) bool {
		return func(w http.ResponseWriter, _ string) bool {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, text)
			return true
		}
	}
	for name, c := range map[string]struct {
		key     *agentkey.Key
		change  func(http.ResponseWriter, string) bool
		want    string
		badSign bool
	}{
		"signs with another key":   {stranger, nil, stranger.Address(), true},
		"answers nonsense":         {dev, answer(200, `{"result":"0x12"}`), "130 hex digits", true},
		"refuses":                  {dev, answer(200, `{"error":{"code":-32601,"message":"no such method"}}`), "refused (-32601): no such method", false},
		"answers a page":           {dev, answer(502, "<html>"), "status 502", false},
		"answers null":             {dev, answer(200, `{"result":null}`), "no signature", false},
		"sends somewhere else":     {dev, answer(307, ""), "status 307", false},
		"answers more than enough": {dev, answer(200, `{"result":"`+strings.Repeat("0", 1<<17)+`"}`), "no signature", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote, err := agentkey.NewRemote(agentkey.RemoteConfig{URL: signingHost(t, c.key, c.change), Address: devAddress})
			if err != nil {
				t.Fatal(err)
			}
			_, err = remote.SignMessage(t.Context(), []byte("m"))
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, agentkey.ErrSignature) != c.badSign {
				t.Errorf("got %v; want %s", err, c.want)
			}
			if _, err = remote.SignTypedData(t.Context(), mail); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("typed data: got %v; want %s", err, c.want)
			}
		})
	}

	remote, err := agentkey.NewRemote(agentkey.RemoteConfig{URL: "http://127.0.0.1:1/?key=s3cret", Address: devAddress})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.SignMessage(t.Context(), nil); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("nobody there: %v", err)
	}
	for _, cfg := range []agentkey.RemoteConfig{
		{}, {URL: "ftp://h", Address: devAddress}, {URL: "http://", Address: devAddress}, {URL: "http://h"}, {URL: "http://h", Address: devAddress, Method: "eth_signTransaction"},
	} {
		_, err := agentkey.NewRemote(cfg)
		if _, ok := errors.AsType[*orchestration.ConfigError](err); !ok {
			t.Errorf("%+v: got %v, want a config error", cfg, err)
		}
	}
}
