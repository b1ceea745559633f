package solana

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"

	"github.com/settler-pay/settler/settlement"
)

// NativeDecimals are those of SOL: a lamport is its smallest part.
const NativeDecimals = 9

// Programs that hold tokens.
var (
	// TokenProgram is SPL Token, the classic program.
	TokenProgram = addressOf(sdk.TokenProgramID)
	// Token2022Program is SPL Token-2022.
	Token2022Program = addressOf(sdk.Token2022ProgramID)
)

var token2022Program = Token2022Program

// ParseAddress reads the base58 text of exactly 32 bytes.
func ParseAddress(text string) (settlement.Address, error) {
	var raw [32]byte
	if err := base58.Decode32(text, &raw); err != nil {
		return "", fmt.Errorf("address %w", explain(text, 32))
	}
	return settlement.Address(raw[:]), nil
}

// FormatAddress is the address in base58; empty for the empty address.
func FormatAddress(a settlement.Address) string {
	if a == "" {
		return ""
	}
	return base58.Encode([]byte(a))
}

// ParseTxID reads the base58 text of the 64 bytes of a transaction's first signature, alone or in the URL of an explorer
// (…/tx/SIGNATURE).
func ParseTxID(text string) (settlement.TxID, error) {
	if u, err := url.Parse(text); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		_, rest, ok := strings.Cut(u.Path, "/tx/")
		if !ok {
			return "", errors.New("signature: the URL names no transaction (…/tx/SIGNATURE)")
		}
		text = strings.TrimSuffix(rest, "/")
	}
	var raw [64]byte
	if err := base58.Decode64(text, &raw); err != nil {
		return "", fmt.Errorf("signature %w", explain(text, 64))
	}
	return settlement.TxID(raw[:]), nil
}

// FormatTxID is the signature in base58; empty for the empty id.
func FormatTxID(id settlement.TxID) string {
	if id == "" {
		return ""
	}
	return base58.Encode([]byte(id))
}

// explain says what is wrong with a text that is not base58 of so many bytes.
//
// Source: S-48, S-49 of the verification rules.
func explain(text string, want int) error {
	shown := text
	if len(shown) > 100 {
		shown = shown[:100] + "…"
	}
	wrong := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(alphabet, r) })
	switch {
	case text == "":
		return errors.New("is empty")
	case strings.HasPrefix(text, "0x"):
		return fmt.Errorf("%q is hex, as other chains write it; here it is base58", shown)
	case wrong >= 0 && unicode.IsSpace([]rune(text[wrong:])[0]):
		return fmt.Errorf("%q holds blanks", shown)
	case wrong >= 0:
		return fmt.Errorf("%q holds %q, which base58 does not use: it leaves out 0, O, I and l", shown, []rune(text[wrong:])[0])
	}
	if len(text) > 100 {
		return fmt.Errorf("%q is too long for %d bytes in base58", shown, want)
	}
	raw, err := base58.Decode(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not base58", shown)
	case want == 64 && len(raw) == 32:
		return fmt.Errorf("%q is 32 bytes, an account; a transaction is named by its first signature, 64 bytes", shown)
	case want == 32 && len(raw) == 64:
		return fmt.Errorf("%q is 64 bytes, a signature; an account has 32", shown)
	}
	return fmt.Errorf("%q is %d bytes in base58, not %d", shown, len(raw), want)
}

const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// AssociatedAccount is the address of the wallet's own account for a mint of that token program, whether it exists or not.
// The program is part of it: the same wallet and mint give another address under the other program.
//
// Source: S-10 of the verification rules.
func AssociatedAccount(wallet, program, mint settlement.Address) (settlement.Address, error) {
	if len(wallet) != 32 || len(program) != 32 || len(mint) != 32 {
		return "", errors.New("wallet, program and mint have 32 bytes each")
	}
	address, _, err := sdk.FindAssociatedTokenAddressWithProgram(
		sdk.PublicKeyFromBytes([]byte(wallet)), sdk.PublicKeyFromBytes([]byte(mint)), sdk.PublicKeyFromBytes([]byte(program)))
	if err != nil {
		return "", fmt.Errorf("derive the associated account: %w", err)
	}
	return addressOf(address), nil
}

// Genesis hashes of the public clusters; the first 32 characters are the reference of their CAIP-2 ids.
const (
	mainnetGenesis = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
	devnetGenesis  = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"
	testnetGenesis = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"
)

// referenceLength is how much of the genesis hash a CAIP-2 id carries.
const referenceLength = 32

// clusters are the public clusters with the names in use for them beside their CAIP-2 ids. The first name is for people.
var clusters = []struct {
	genesis string
	names   []string
}{
	{mainnetGenesis, []string{"solana", "solana:mainnet", "solana:mainnet-beta", "solana-mainnet"}},
	{devnetGenesis, []string{"solana-devnet", "solana:devnet"}},
	{testnetGenesis, []string{"solana-testnet", "solana:testnet"}},
}

// Mainnet is the CAIP-2 id of Solana's main cluster.
var Mainnet = ChainOf(mainnetGenesis)

// ChainOf is the CAIP-2 id of the cluster with that genesis hash, in base58.
func ChainOf(genesis string) settlement.ChainID {
	return settlement.ChainID("solana:" + genesis[:min(len(genesis), referenceLength)])
}

// Names are the names in use for a public cluster beside its CAIP-2 id, the one for people first; nil for another cluster.
func Names(id settlement.ChainID) []string {
	for _, c := range clusters {
		if ChainOf(c.genesis) == id {
			return slices.Clone(c.names)
		}
	}
	return nil
}

// ParseChain reads a CAIP-2 id or one of Names.
func ParseChain(text string) (settlement.ChainID, error) {
	for _, c := range clusters {
		if slices.Contains(c.names, text) {
			return ChainOf(c.genesis), nil
		}
	}
	id := settlement.ChainID(text)
	if reference := id.Reference(); id.Namespace() != "solana" || len(reference) != referenceLength || strings.Trim(reference, alphabet) != "" {
		return "", fmt.Errorf("chain %q is not solana: and the first %d characters of a genesis hash", text, referenceLength)
	}
	return id, nil
}
