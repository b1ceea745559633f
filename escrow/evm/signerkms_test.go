package evm

import (
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// kmsServer speaks KMS's protocol (AWS JSON 1.1 over HTTP) for one key.
type kmsServer struct {
	url      string
	calls    atomic.Int64
	throttle atomic.Int64 // answers still to be throttled
	wait     time.Duration
	spec     string              // of the key, as it is told
	public   []byte              // DER, as it is told
	high     bool                // give the high s
	spoil    func([]byte) []byte // what is given in place of the DER signature
}

func newKMSServer(t *testing.T, key string) *kmsServer {
	t.Helper()
	private, err := crypto.HexToECDSA(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &kmsServer{spec: "ECC_SECG_P256K1", public: publicKeyDER(t, oidSecp256k1, crypto.FromECDSAPub(&private.PublicKey))}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		var in struct {
			KeyID                         string `json:"KeyId"`
			MessageType, SigningAlgorithm string
			Message                       []byte
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.KeyID != "alias/operator" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKID/") {
			t.Errorf("%s: %+v, %v", r.Header.Get("X-Amz-Target"), in, err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		answer := func(status int, body map[string]any) {
			w.WriteHeader(status)
			if err := json.NewEncoder(w).Encode(body); err != nil {
				t.Error(err)
			}
		}
		select {
		case <-time.After(s.wait):
		case <-r.Context().Done():
			return
		}
		if s.throttle.Add(-1) >= 0 {
			answer(http.StatusBadRequest, map[string]any{"__type": "ThrottlingException", "message": "Rate exceeded"})
			return
		}
		switch r.Header.Get("X-Amz-Target") {
		case "TrentService.GetPublicKey":
			answer(http.StatusOK, map[string]any{"KeyId": "arn:aws:kms:eu-central-1:1:key/1", "KeySpec": s.spec, "KeyUsage": "SIGN_VERIFY", "PublicKey": s.public, "SigningAlgorithms": []string{"ECDSA_SHA_256"}})
		case "TrentService.Sign":
			if in.MessageType != "DIGEST" || in.SigningAlgorithm != "ECDSA_SHA_256" || len(in.Message) != 32 {
				answer(http.StatusBadRequest, map[string]any{"__type": "ValidationException", "message": "not a digest"})
				return
			}
			raw, err := crypto.Sign(in.Message, private)
			if err != nil {
				t.Error(err)
			}
			pair := struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:64])}
			if s.high { // as good a signature as the other, which chains refuse
				pair.S.Sub(crypto.S256().Params().N, pair.S)
			}
			der, err := asn1.Marshal(pair)
			if err != nil {
				t.Error(err)
			}
			if s.spoil != nil {
				der = s.spoil(der)
			}
			answer(http.StatusOK, map[string]any{"KeyId": "arn:aws:kms:eu-central-1:1:key/1", "Signature": der, "SigningAlgorithm": "ECDSA_SHA_256"})
		default:
			t.Errorf("call of %q", r.Header.Get("X-Amz-Target"))
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func publicKeyDER(t *testing.T, curve asn1.ObjectIdentifier, point []byte) []byte {
	t.Helper()
	parameters, err := asn1.Marshal(curve)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: oidPublicKey, Parameters: asn1.RawValue{FullBytes: parameters}}, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// config is that of the server's client; it waits no longer than tests like between two tries.
func (s *kmsServer) config() KMSConfig {
	return KMSConfig{KeyID: "alias/operator", Timeout: 5 * time.Second, Client: kms.New(kms.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(s.url), Credentials: credentials.NewStaticCredentialsProvider("AKID", "s3cret", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		}),
	})}
}

func kmsOf(t *testing.T, s *kmsServer) *KMS {
	t.Helper()
	signer, err := NewKMS(t.Context(), s.config())
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Both s of a signature verify; KMS gives either, chains take the lower.
func TestKMSGivesTheLowS(t *testing.T) {
	t.Parallel()
	server := newKMSServer(t, devKey)
	signer, inKeystore := kmsOf(t, server), devKeystore(t)
	for _, high := range []bool{false, true} {
		server.high = high
		for nonce := range uint64(8) { // both recovery ids
			to := devAddress
			tx := types.NewTx(&types.DynamicFeeTx{ChainID: homeChain, Nonce: nonce, To: &to, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1)})
			got, err := signer.SignTx(t.Context(), tx, homeChain)
			if err != nil {
				t.Fatal(err)
			}
			want, err := inKeystore.SignTx(t.Context(), tx, homeChain)
			if err != nil || got.Hash() != want.Hash() {
				t.Errorf("high %v, nonce %d: %s, want %s, %v", high, nonce, got.Hash(), want.Hash(), err)
			}
		}
	}
}

func TestKMSSignaturesAreNotTrusted(t *testing.T) {
	t.Parallel()
	order := crypto.S256().Params().N
	pair := func(r, s *big.Int) func([]byte) []byte {
		return func([]byte) []byte {
			der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
			if err != nil {
				t.Error(err)
			}
			return der
		}
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"of another key": pair(big.NewInt(1), big.NewInt(1)),
		"zero r":         pair(new(big.Int), big.NewInt(1)),
		"negative s":     pair(big.NewInt(1), big.NewInt(-1)),
		"s of the order": pair(big.NewInt(1), order),
		"r beyond 256":   pair(new(big.Int).Lsh(big.NewInt(1), 300), big.NewInt(1)),
		"more than DER":  func(der []byte) []byte { return append(der, 0) },
		"less than DER":  func(der []byte) []byte { return der[:len(der)-1] },
		"nothing":        func([]byte) []byte { return nil },
		"bare r and s":   func([]byte) []byte { return make([]byte, 64) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newKMSServer(t, devKey)
			server.spoil = spoil
			signed, err := kmsOf(t, server).SignTx(t.Context(), calls()["legacy"], homeChain)
			if signed != nil || !errors.Is(err, ErrSignature) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A key that was exchanged behind its alias signs for another address than the one that was told.
func TestKMSKeyThatWasExchanged(t *testing.T) {
	t.Parallel()
	server := newKMSServer(t, strings.Repeat("01", 32))
	told := newKMSServer(t, devKey)
	server.public = told.public
	if _, err := kmsOf(t, server).SignTx(t.Context(), calls()["legacy"], homeChain); !errors.Is(err, ErrSignature) {
		t.Errorf("got %v", err)
	}
}

func TestKMSThrottles(t *testing.T) {
	t.Parallel()
	server := newKMSServer(t, devKey)
	signer := kmsOf(t, server)
	before := server.calls.Load()
	server.throttle.Store(2)
	if _, err := signer.SignTx(t.Context(), calls()["legacy"], homeChain); err != nil || server.calls.Load()-before != 3 {
		t.Errorf("%d calls, %v", server.calls.Load()-before, err)
	}
	server.throttle.Store(1000)
	if _, err := signer.SignTx(t.Context(), calls()["legacy"], homeChain); err == nil || !strings.Contains(err.Error(), "ThrottlingException") || errors.Is(err, ErrSignature) {
		t.Errorf("throttled for ever: %v", err)
	}
	server.throttle.Store(0)
	server.wait = 10 * time.Second
	cfg := server.config()
	cfg.Timeout = 50 * time.Millisecond
	if _, err := (&KMS{cfg, devAddress}).SignTx(t.Context(), calls()["legacy"], homeChain); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
}

func TestKMSRefusesOtherKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*kmsServer)
		want   string
	}{
		"another spec":    {func(s *kmsServer) { s.spec = "ECC_NIST_P256" }, "is a ECC_NIST_P256"},
		"another curve":   {func(s *kmsServer) { s.public = publicKeyDER(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, nil) }, "not of secp256k1"},
		"no point":        {func(s *kmsServer) { s.public = publicKeyDER(t, oidSecp256k1, make([]byte, 65)) }, "public key"},
		"no key":          {func(s *kmsServer) { s.public = []byte{1} }, "not an elliptic curve's"},
		"more than a key": {func(s *kmsServer) { s.public = append(s.public, 0) }, "not an elliptic curve's"},
		"throttled":       {func(s *kmsServer) { s.throttle.Store(1000) }, "ThrottlingException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newKMSServer(t, devKey)
			c.change(server)
			if signer, err := NewKMS(t.Context(), server.config()); signer != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want %s", err, c.want)
			}
		})
	}
}

func FuzzRecoverable(f *testing.F) {
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1}, []byte("hash"))
	f.Fuzz(func(t *testing.T, der, text []byte) {
		hash := crypto.Keccak256Hash(text)
		if signature, err := recoverable(der, hash, devAddress); err == nil {
			t.Errorf("%x is taken for a signature of ours: %x", der, signature)
		} else if !errors.Is(err, ErrSignature) {
			t.Error(err)
		}
	})
}
