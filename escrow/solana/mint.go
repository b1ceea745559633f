package solana

import (
	"fmt"
	"slices"

	sdk "github.com/gagliardetto/solana-go"
	token2022 "github.com/gagliardetto/solana-go/programs/token-2022"
)

// Account is an account as a node tells it.
type Account struct {
	Program  sdk.PublicKey // that owns it
	Lamports uint64
	Data     []byte
}

// Token is a mint as it is configured, or SOL when all is zero.
type Token struct {
	Mint, Program sdk.PublicKey
	Decimals      uint8
	// Allowed are extensions, by their names in the Token-2022 program, that are accepted although they let somebody else
	// stop or move held money.
	Allowed []string
}

// native reports whether the token is SOL.
func (t Token) native() bool { return t.Mint.IsZero() }

// account is the associated token account of a wallet.
func (t Token) account(wallet sdk.PublicKey) (sdk.PublicKey, error) {
	account, _, err := sdk.FindAssociatedTokenAddressWithProgram(wallet, t.Mint, t.Program)
	return account, err
}

// CheckMint tells whether money in the token may be held, now: the mint is the configured one, and no extension lets
// somebody else stop or move it, unless it is allowed. It is asked at start and before each release, because a mint
// changes. The error is a *Refusal.
func (t Token) CheckMint(mint *Account) error {
	m, err := t.transferable(mint)
	if err != nil {
		return err
	}
	for _, extension := range risky(m) {
		if !slices.Contains(t.Allowed, extension) {
			return refused(RefusedMint, "mint %s: extension %s is not allowed", t.Mint, extension)
		}
	}
	return nil
}

// transferable decodes the mint, which must be the configured one, and its tokens such that a plain transfer moves them now. The error is a
// *Refusal.
func (t Token) transferable(mint *Account) (*token2022.MintWithExtensions, error) {
	refuse := func(format string, args ...any) (*token2022.MintWithExtensions, error) {
		return nil, refused(RefusedMint, "mint %s: %s", t.Mint, fmt.Sprintf(format, args...))
	}
	if mint == nil {
		return refuse("there is no such account")
	}
	if mint.Program != t.Program || !isTokenProgram(t.Program) {
		return refuse("it is owned by %s, not %s", mint.Program, t.Program)
	}
	m, err := token2022.DecodeMintWithExtensions(mint.Data)
	switch {
	case err != nil:
		return refuse("%v", err)
	case m.Mint.Decimals != t.Decimals:
		return refuse("it has %d decimals, not %d", m.Mint.Decimals, t.Decimals)
	case m.NonTransferable:
		return refuse("its tokens cannot be transferred")
	case m.TransferHook != nil && !m.TransferHook.ProgramID.IsNone():
		return refuse("the program %s has a say in each transfer", m.TransferHook.ProgramID.Get())
	case m.Pausable != nil && m.Pausable.Paused:
		return refuse("it is paused")
	}
	return m, nil
}

// risky are the extensions of a mint by which somebody could stop or move held money, or that are not known.
func risky(m *token2022.MintWithExtensions) []string {
	found := map[token2022.ExtensionType]bool{
		token2022.ExtensionPermanentDelegate:             m.PermanentDelegate != nil && !m.PermanentDelegate.Delegate.IsNone(),
		token2022.ExtensionTransferHook:                  m.TransferHook != nil && !m.TransferHook.Authority.IsNone(), // may name a program later
		token2022.ExtensionPausable:                      m.Pausable != nil && !m.Pausable.Authority.IsNone(),
		token2022.ExtensionDefaultAccountState:           frozenByDefault(m),
		token2022.ExtensionConfidentialTransferMint:      m.ConfidentialTransferMint != nil,
		token2022.ExtensionConfidentialTransferFeeConfig: m.ConfidentialTransferFeeConfig != nil,
		token2022.ExtensionConfidentialMintBurn:          m.ConfidentialMintBurn != nil,
	}
	var names []string
	for extension, there := range found {
		if there {
			names = append(names, extension.String())
		}
	}
	for _, unknown := range m.Unknown {
		names = append(names, unknown.Type.String())
	}
	slices.Sort(names)
	return names
}

func frozenByDefault(m *token2022.MintWithExtensions) bool {
	return m.DefaultAccountState != nil && m.DefaultAccountState.State != token2022.AccountStateInitialized
}

func isTokenProgram(program sdk.PublicKey) bool {
	return program == sdk.TokenProgramID || program == sdk.Token2022ProgramID
}
