package solana

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"filippo.io/age"
	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/programs/system"
)

// CreateWallet makes a key and writes it, encrypted with the password (age, scrypt): within is what Solana's own programs read, 64 numbers
// as JSON. The cost is as of CreateSecret.
func CreateWallet(to io.Writer, password string, cost int) error {
	if len(password) < minPassword {
		return fmt.Errorf("the password has %d bytes, at least %d are needed", len(password), minPassword)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	plain, err := json.Marshal([ed25519.PrivateKeySize]byte(private)) // an array is written as numbers
	if err != nil {
		return err
	}
	return seal(to, plain, password, cost)
}

// OpenWallet reads what CreateWallet wrote, or `age -p` made of a key of Solana's own programs. The error is ErrPassword or ErrDamaged, and
// never quotes what was read.
func OpenWallet(from io.Reader, password string) (Wallet, error) {
	plain, err := unseal(from, password)
	if err != nil {
		return Wallet{}, err
	}
	var numbers []byte
	if json.Unmarshal(plain, &numbers) != nil || len(numbers) != ed25519.PrivateKeySize {
		return Wallet{}, fmt.Errorf("%w: it is not a key of 64 numbers", ErrDamaged)
	}
	private := ed25519.NewKeyFromSeed(numbers[:ed25519.SeedSize])
	if string(private) != string(numbers) {
		return Wallet{}, fmt.Errorf("%w: its halves are of two keys", ErrDamaged)
	}
	return Wallet{private}, nil
}

// seal encrypts with the password.
func seal(to io.Writer, plain []byte, password string, cost int) error {
	recipient, err := age.NewScryptRecipient(password)
	if err != nil {
		return err
	}
	recipient.SetWorkFactor(cost)
	sealed, err := age.Encrypt(to, recipient)
	if err != nil {
		return err
	}
	if _, err := sealed.Write(plain); err != nil {
		return err
	}
	return sealed.Close()
}

// unseal reads what seal wrote.
func unseal(from io.Reader, password string) ([]byte, error) {
	identity, err := age.NewScryptIdentity(password)
	if err != nil {
		return nil, ErrPassword
	}
	plain, err := age.Decrypt(from, identity)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, ErrPassword
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return text, nil
}

const (
	// nonceSeed makes the address of the wallet's nonce account.
	nonceSeed = "settler refunds"
	// nonceLength is that of a nonce account, in bytes: version (4), state (4), authority (32), value (32), fee (8).
	//
	// Source: solana-sdk, nonce::State::size.
	nonceLength = 80
)

// NonceAccount is where the wallet's durable nonce is: an account that the wallet alone can advance.
func (w Wallet) NonceAccount() (sdk.PublicKey, error) {
	return sdk.CreateWithSeed(w.Address(), nonceSeed, sdk.SystemProgramID)
}

// newNonce makes the wallet's nonce account, unsigned. A copy fails: the account is there.
func (w Wallet) newNonce(blockhash sdk.Hash) (*sdk.Transaction, error) {
	at, err := w.NonceAccount()
	if err != nil {
		return nil, err
	}
	var b builder
	b.add(system.NewCreateAccountWithSeedInstruction(w.Address(), nonceSeed, RentExempt(nonceLength), nonceLength, sdk.SystemProgramID, w.Address(), at, w.Address()).ValidateAndBuild())
	b.add(system.NewInitializeNonceAccountInstruction(w.Address(), at, sdk.SysVarRecentBlockHashesPubkey, sdk.SysVarRentPubkey).ValidateAndBuild())
	if b.err != nil {
		return nil, b.err
	}
	return sdk.NewTransaction(b.instructions, blockhash, sdk.TransactionPayer(w.Address()))
}

// nonceOf reads the value of the wallet's nonce account.
func (w Wallet) nonceOf(account *Account) (sdk.Hash, error) {
	authority := w.Address()
	if account == nil || account.Program != sdk.SystemProgramID || len(account.Data) != nonceLength {
		return sdk.Hash{}, errors.New("the wallet has no nonce account: `settler refund-wallet setup` makes it")
	}
	if d := account.Data; d[0] != 1 || d[4] != 1 || sdk.PublicKeyFromBytes(d[8:40]) != authority { // version and state: current, initialised
		return sdk.Hash{}, fmt.Errorf("the nonce account is not one of wallet %s alone", authority)
	}
	return sdk.HashFromBytes(account.Data[40:72]), nil
}

// SetUpNonce makes the wallet's nonce account where it is absent, and returns it once the cluster has it. The wallet pays some 0.0015 SOL.
func SetUpNonce(ctx context.Context, cfg RefunderConfig) (account sdk.PublicKey, made bool, err error) {
	f, err := newRefunder(ctx, cfg)
	if err != nil {
		return account, false, err
	}
	for {
		there := false
		err := f.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
			accounts, err := f.nodes.accounts(ctx, e, confirmed, 0, []sdk.PublicKey{f.nonce})
			if err != nil || accounts[f.nonce] != nil {
				there = err == nil
				if err == nil {
					_, err = cfg.Wallet.nonceOf(accounts[f.nonce])
				}
				return err
			}
			hash, _, err := f.nodes.blockhash(ctx, e)
			if err != nil {
				return err
			}
			tx, err := cfg.Wallet.newNonce(hash)
			if err == nil {
				err = cfg.Wallet.Sign(tx)
			}
			if err != nil {
				return err
			}
			raw, err := tx.MarshalBinary()
			if err != nil {
				return err
			}
			var signature sdk.Signature // the node tries it first, and says what is missing
			return f.nodes.call(ctx, e, &signature, "sendTransaction", base64.StdEncoding.EncodeToString(raw), map[string]any{"encoding": "base64", "preflightCommitment": confirmed})
		})
		if err != nil || there {
			return f.nonce, made, err
		}
		made = true
		select {
		case <-ctx.Done():
			return f.nonce, made, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}
