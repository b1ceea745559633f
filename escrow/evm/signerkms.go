package evm

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// KMSConfig describes a key in AWS KMS.
type KMSConfig struct {
	// Client has region, credentials and how often a throttled call is repeated. Required.
	Client *kms.Client
	// KeyID is the key's id or ARN, or an alias of it: an asymmetric key for signing of the spec ECC_SECG_P256K1. Required.
	KeyID string
	// Timeout of one signature with its repetitions. Defaults to 30 s.
	Timeout time.Duration
}

// KMS is a Signer whose key never leaves AWS KMS.
type KMS struct {
	cfg     KMSConfig
	address common.Address
}

// NewKMS asks KMS for the public key.
func NewKMS(ctx context.Context, cfg KMSConfig) (*KMS, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, signTimeout)
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	out, err := cfg.Client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &cfg.KeyID})
	if err != nil {
		return nil, fmt.Errorf("KMS key %s: %w", cfg.KeyID, err)
	}
	if out.KeySpec != kmstypes.KeySpecEccSecgP256k1 || out.KeyUsage != kmstypes.KeyUsageTypeSignVerify {
		return nil, fmt.Errorf("KMS key %s is a %s for %s, not an ECC_SECG_P256K1 for SIGN_VERIFY", cfg.KeyID, out.KeySpec, out.KeyUsage)
	}
	public, err := parsePublicKey(out.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("KMS key %s: %w", cfg.KeyID, err)
	}
	return &KMS{cfg, crypto.PubkeyToAddress(*public)}, nil
}

// Address is the key's address.
func (k *KMS) Address() common.Address { return k.address }

// SignTx is Signer's.
func (k *KMS) SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	signed, err := sign(tx, chainID, k.address, func(hash common.Hash) ([]byte, error) {
		out, err := k.cfg.Client.Sign(ctx, &kms.SignInput{
			KeyId: &k.cfg.KeyID, Message: hash[:], MessageType: kmstypes.MessageTypeDigest, SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256,
		})
		if err != nil {
			return nil, err
		}
		return recoverable(out.Signature, hash, k.address)
	})
	if err != nil {
		return nil, fmt.Errorf("KMS key %s: %w", k.cfg.KeyID, err)
	}
	return signed, nil
}

// Format shows key and address whatever the verb, also of a copy: the client knows credentials.
func (k KMS) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "KMS key %s of %s", k.cfg.KeyID, k.address.Hex())
}

// recoverable makes of a DER signature the form that chains take: r, the lower of the two s that verify (EIP-2), and the
// recovery id that leads to the address.
func recoverable(der []byte, hash common.Hash, address common.Address) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &pair); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: not DER", ErrSignature)
	}
	order := crypto.S256().Params().N
	for _, n := range []*big.Int{pair.R, pair.S} {
		if n.Sign() <= 0 || n.Cmp(order) >= 0 {
			return nil, fmt.Errorf("%w: r or s is out of range", ErrSignature)
		}
	}
	if pair.S.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		pair.S.Sub(order, pair.S)
	}
	signature := make([]byte, crypto.SignatureLength)
	pair.R.FillBytes(signature[:32])
	pair.S.FillBytes(signature[32:64])
	for id := range byte(2) {
		signature[crypto.RecoveryIDOffset] = id
		public, err := crypto.SigToPub(hash[:], signature)
		if err == nil && crypto.PubkeyToAddress(*public) == address {
			return signature, nil
		}
	}
	return nil, fmt.Errorf("%w: it is not of %s", ErrSignature, address)
}

// Object identifiers of a secp256k1 key.
//
// Source: RFC 5480 section 2.1.1, SEC 2 appendix A.2.
var (
	oidPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidSecp256k1 = asn1.ObjectIdentifier{1, 3, 132, 0, 10}
)

// parsePublicKey reads a SubjectPublicKeyInfo. crypto/x509 does not know the curve.
func parsePublicKey(der []byte) (*ecdsa.PublicKey, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	rest, err := asn1.Unmarshal(der, &info)
	if err != nil || len(rest) > 0 || !info.Algorithm.Algorithm.Equal(oidPublicKey) {
		return nil, errors.New("the public key is not an elliptic curve's")
	}
	curve, err := asn1.Marshal(oidSecp256k1)
	if err != nil || !bytes.Equal(info.Algorithm.Parameters.FullBytes, curve) {
		return nil, errors.New("the public key is not of secp256k1")
	}
	public, err := crypto.UnmarshalPubkey(info.Key.RightAlign())
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return public, nil
}
