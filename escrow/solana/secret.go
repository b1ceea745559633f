package solana

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

var (
	// ErrPassword means that the password does not open the secret's file, or that the file's first lines were changed.
	ErrPassword = errors.New("the password does not open the vault secret")
	// ErrDamaged means that the file is no vault secret, or was changed.
	ErrDamaged = errors.New("the vault secret is damaged")
	// ErrEpoch means that the file holds the secret of another epoch than was expected.
	ErrEpoch = errors.New("the vault secret is of another epoch")
)

// Secret is what the keys of all wallets of an epoch are derived from: whoever has it has their money. Printing it shows
// its epoch only.
type Secret struct {
	key   [32]byte
	epoch uint32
}

// secretFormat names what the file holds, once decrypted.
const secretFormat = "settler-vault-secret/1"

// secretFile is the decrypted file.
type secretFile struct {
	Format string `json:"format"`
	Epoch  uint32 `json:"epoch"` // from 1
	Secret string `json:"secret"`
}

const (
	// minPassword in bytes.
	minPassword = 12
	// ScryptCost is log2 of scrypt's cost, which makes each guess of the password take about a second. It is age's own.
	ScryptCost = 18
)

// CreateSecret makes a secret and writes it, encrypted with the password (age, scrypt). The cost is ScryptCost; only a secret
// that guards nothing may have a lower one.
func CreateSecret(to io.Writer, password string, epoch uint32, cost int) error {
	if len(password) < minPassword {
		return fmt.Errorf("the password has %d bytes, at least %d are needed", len(password), minPassword)
	}
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	plain, err := json.Marshal(secretFile{secretFormat, epoch, hex.EncodeToString(key[:])})
	if err != nil {
		return err
	}
	return seal(to, plain, password, cost)
}

// OpenSecret reads what CreateSecret wrote. The error is ErrPassword, ErrDamaged or ErrEpoch, and never quotes what was
// read.
func OpenSecret(from io.Reader, password string, epoch uint32) (*Secret, error) {
	text, err := unseal(from, password)
	if err != nil {
		return nil, err
	}
	var file secretFile
	if json.Unmarshal(text, &file) != nil || file.Format != secretFormat {
		return nil, fmt.Errorf("%w: it is not a %s", ErrDamaged, secretFormat)
	}
	key, err := hex.DecodeString(file.Secret)
	if err != nil || len(key) != len(Secret{}.key) {
		return nil, fmt.Errorf("%w: the secret has not its length", ErrDamaged)
	}
	if file.Epoch != epoch {
		return nil, fmt.Errorf("%w: %d, not %d", ErrEpoch, file.Epoch, epoch)
	}
	return &Secret{[32]byte(key), epoch}, nil
}

// Epoch tells the secret from those before and after it. Vaults keep the epoch that they were made in.
func (s *Secret) Epoch() uint32 { return s.epoch }

// Format shows the epoch whatever the verb, also of a copy.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "vault secret of epoch %d", s.epoch)
}

// Vault names the wallet of an order: each differs from every other in one field at least.
type Vault struct {
	Genesis     sdk.Hash // of the cluster
	Marketplace string   // its id
	Payment     settlement.PaymentID
	Generation  uint32 // 0, or more when a payment gets another wallet
}

// Wallet is the wallet of an order. Its key is derived by HKDF-SHA256 (RFC 5869) without salt; the info is the text
// "settler solana vault 1", and then genesis hash (32 bytes), epoch (4, big endian), length of the marketplace's id (4, big
// endian), the id, payment id (16) and generation (4, big endian). The 32 bytes that come out are the seed of the key
// (RFC 8032).
func (s *Secret) Wallet(v Vault) (Wallet, error) {
	info := append([]byte("settler solana vault 1"), v.Genesis[:]...)
	info = binary.BigEndian.AppendUint32(info, s.epoch)
	info = binary.BigEndian.AppendUint32(info, uint32(len(v.Marketplace))) // an id has at most 63 bytes
	info = append(info, v.Marketplace...)
	info = append(info, v.Payment[:]...)
	info = binary.BigEndian.AppendUint32(info, v.Generation)
	return s.derive(info)
}

// FeePayer is the wallet that pays the fees of the epoch's releases on the cluster, derived as those of orders are; the info is
// the text "settler solana fee payer 1", and then genesis hash and epoch. It holds no order's money.
func (s *Secret) FeePayer(genesis sdk.Hash) (Wallet, error) {
	return s.derive(binary.BigEndian.AppendUint32(append([]byte("settler solana fee payer 1"), genesis[:]...), s.epoch))
}

func (s *Secret) derive(info []byte) (Wallet, error) {
	seed, err := hkdf.Key(sha256.New, s.key[:], nil, string(info), ed25519.SeedSize)
	if err != nil {
		return Wallet{}, fmt.Errorf("derive wallet: %w", err)
	}
	return Wallet{ed25519.NewKeyFromSeed(seed)}, nil
}

// Wallet is the key of a wallet. Printing it shows its address only.
type Wallet struct{ private ed25519.PrivateKey }

// Address is the wallet's own, which is what a payer is told: never that of a token account, which another wallet might
// take for an owner and so pay into an account that nobody can sign for.
func (w Wallet) Address() sdk.PublicKey { return sdk.PublicKeyFromBytes(w.private[ed25519.SeedSize:]) }

// Sign adds the wallet's signature to a transaction that needs it; those of others are left alone.
func (w Wallet) Sign(tx *sdk.Transaction) error {
	key, address := sdk.PrivateKey(w.private), w.Address()
	if !tx.IsSigner(address) {
		return fmt.Errorf("the transaction needs no signature of %s", address)
	}
	_, err := tx.PartialSign(func(public sdk.PublicKey) *sdk.PrivateKey {
		if public == address {
			return &key
		}
		return nil
	})
	return err
}

// Format shows the address whatever the verb.
func (w Wallet) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "wallet %s", w.Address()) }
