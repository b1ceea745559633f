package evm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Signer signs transactions with the one key of its address, and nothing else: no message, no typed data. It is safe for
// concurrent use. Keystore, Remote and KMS are the signers; Guard stands before each of them.
type Signer interface {
	Address() common.Address
	// SignTx gives the transaction signed for the chain. What it returns differs from tx in the signature only, and the
	// signature recovers to Address. The error is ErrUnsignable for a transaction that no signer here signs, ErrSignature
	// when what came back is not that; any other means that the signer could not be asked or refused. Nothing was sent in
	// either case, and asking again is safe.
	SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error)
}

var (
	// ErrUnsignable means that a transaction is not one that is signed here: it could be replayed on another chain, or
	// does more than a call.
	ErrUnsignable = errors.New("transaction is not signed")
	// ErrSignature means that a signer gave something else than the key's signature of what it was asked to sign.
	ErrSignature = errors.New("bad signature")
)

// unsigned checks what is to be signed and gives what makes its hash. Only calls at a price are signed: a transaction with
// an authorisation list would let somebody else's code act for the signer's account.
func unsigned(tx *types.Transaction, chainID *big.Int) (types.Signer, error) {
	switch {
	case chainID == nil || chainID.Sign() <= 0:
		return nil, fmt.Errorf("%w: without a chain id every chain would take it", ErrUnsignable)
	case tx.Type() != types.LegacyTxType && tx.Type() != types.DynamicFeeTxType:
		return nil, fmt.Errorf("%w: its type is %d, not %d or %d", ErrUnsignable, tx.Type(), types.LegacyTxType, types.DynamicFeeTxType)
	case tx.Type() == types.DynamicFeeTxType && tx.ChainId().Cmp(chainID) != 0:
		return nil, fmt.Errorf("%w: it is for chain %s, not %s", ErrUnsignable, tx.ChainId(), chainID)
	case tx.To() == nil:
		return nil, fmt.Errorf("%w: it creates a contract", ErrUnsignable)
	}
	return types.LatestSignerForChainID(chainID), nil
}

// sign checks tx, has its hash signed (r, s and a recovery id of 0 or 1) and checks what came back.
func sign(tx *types.Transaction, chainID *big.Int, address common.Address, signHash func(common.Hash) ([]byte, error)) (*types.Transaction, error) {
	scheme, err := unsigned(tx, chainID)
	if err != nil {
		return nil, err
	}
	signature, err := signHash(scheme.Hash(tx))
	if err != nil {
		return nil, err
	}
	signed, err := tx.WithSignature(scheme, signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := checkSigned(tx, signed, scheme, address); err != nil {
		return nil, err
	}
	return signed, nil
}

// checkSigned tells whether signed is tx with a signature of the address. The hash that was signed covers every field; the
// fields are compared one by one as well so that the error can name the first that differs.
func checkSigned(tx, signed *types.Transaction, scheme types.Signer, address common.Address) error {
	for _, field := range []struct {
		name      string
		got, want any
	}{
		{"type", signed.Type(), tx.Type()},
		{"chain id", signed.ChainId().String(), scheme.ChainID().String()},
		{"nonce", signed.Nonce(), tx.Nonce()},
		{"receiver", fmt.Sprint(signed.To()), fmt.Sprint(tx.To())},
		{"value", signed.Value().String(), tx.Value().String()},
		{"data", string(signed.Data()), string(tx.Data())},
		{"gas limit", signed.Gas(), tx.Gas()},
		{"fee cap", signed.GasFeeCap().String(), tx.GasFeeCap().String()},
		{"tip cap", signed.GasTipCap().String(), tx.GasTipCap().String()},
	} {
		if field.got != field.want {
			return fmt.Errorf("%w: the %s differs from what was to be signed", ErrSignature, field.name)
		}
	}
	if scheme.Hash(signed) != scheme.Hash(tx) {
		return fmt.Errorf("%w: it is of another transaction", ErrSignature)
	}
	sender, err := types.Sender(scheme, signed) // refuses a high s
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if sender != address {
		return fmt.Errorf("%w: made by %s, not by %s", ErrSignature, sender, address)
	}
	return nil
}

// Probe has a signer sign a transaction that no chain will include: its nonce is the last one that there is (EIP-2681),
// it pays nothing and moves nothing.
func Probe(ctx context.Context, signer Signer, chainID *big.Int) error {
	to := signer.Address()
	_, err := signer.SignTx(ctx, types.NewTx(&types.DynamicFeeTx{
		ChainID: chainID, Nonce: math.MaxUint64 - 1, To: &to, Gas: 21_000, GasFeeCap: new(big.Int), GasTipCap: new(big.Int),
	}), chainID)
	return err
}
