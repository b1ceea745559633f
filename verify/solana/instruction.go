package solana

import (
	"encoding/binary"
	"errors"
	"strconv"

	sdk "github.com/gagliardetto/solana-go"
)

// act is one instruction that we read, top-level or inner, or one part of a batch.
type act struct {
	kind    actKind
	place   place
	program key
	mint    key // zero: native coin, or not known
	// source, destination and authority are indices of accounts.
	source, destination, authority byte
	amount, fee                    uint64
	more                           []byte // accounts after those that the instruction needs
	memo                           []byte
}

type actKind byte

const (
	actNative   actKind = iota // lamports from one system account to another
	actTransfer                // tokens from one account to another
	actMint                    // tokens into destination, out of nothing
	actBurn                    // tokens of source into nothing
	actHidden                  // Token-2022: may change amounts that no instruction names
	actMemo
)

// place is where in the transaction an act stands.
type place struct{ top, inner, part int } // inner and part: -1, none

// String is the canonical text: "ix/2", "ix/2.5", and "#1" for the second part of a batch.
func (p place) String() string {
	text := "ix/" + strconv.Itoa(p.top)
	if p.inner >= 0 {
		text += "." + strconv.Itoa(p.inner)
	}
	if p.part >= 0 {
		text += "#" + strconv.Itoa(p.part)
	}
	return text
}

// Instructions by their first byte, of the Token program and of Token-2022.
const (
	tokenTransfer         = 3
	tokenMintTo           = 7
	tokenBurn             = 8
	tokenTransferChecked  = 12
	tokenMintToChecked    = 14
	tokenBurnChecked      = 15
	tokenFee              = 26 // Token-2022, with a second byte
	tokenConfidential     = 27
	tokenConfidentialFee  = 37
	tokenConfidentialMint = 42
	tokenBatch            = 255
)

// Second bytes of tokenFee.
const (
	feeTransferChecked      = 1
	feeWithdrawFromMint     = 2
	feeWithdrawFromAccounts = 3
)

// Instructions of the System program, 32 bits.
const (
	systemTransfer         = 2
	systemTransferWithSeed = 11
)

// walk reads all instructions in the order in which they ran.
//
// Source: step 6, S-16 to S-18, S-21 to S-25, S-38, S-44 of the verification rules.
func (l *ledger) walk() ([]act, error) {
	w := walker{ledger: l, acts: make([]act, 0, 8)}
	inner := l.inner
	for i := range l.message.instructions {
		in := &l.message.instructions[i]
		if err := w.read(place{i, -1, -1}, l.keys[in.program], in.accounts, in.data); err != nil {
			return nil, err
		}
		if len(inner) == 0 || int(inner[0].index) != i {
			continue
		}
		for j := range inner[0].list {
			in := &inner[0].list[j]
			program := l.keys[in.program]
			if !reads(program) {
				continue
			}
			data, err := decodeData(in.text)
			if err != nil {
				return nil, undecodable("the transaction", err)
			}
			if err := w.read(place{i, j, -1}, program, in.accounts, data); err != nil {
				return nil, err
			}
		}
		inner = inner[1:]
	}
	return w.acts, nil
}

func reads(program key) bool {
	return program == sdk.TokenProgramID || program == sdk.Token2022ProgramID || program == sdk.SystemProgramID || isMemo(program)
}

func isMemo(program key) bool {
	return program == sdk.MemoProgramID || program == memoProgramV1
}

// memoProgramV1 is the first Memo program, which still runs.
var memoProgramV1 = sdk.MustPublicKeyFromBase58("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")

type walker struct {
	*ledger
	acts []act
}

func (w *walker) read(at place, program key, accounts, data []byte) error {
	switch {
	case program == sdk.SystemProgramID:
		w.system(at, accounts, data)
	case isMemo(program):
		w.acts = append(w.acts, act{kind: actMemo, place: at, program: program, memo: data})
	case program == sdk.TokenProgramID, program == sdk.Token2022ProgramID:
		if len(data) > 0 && data[0] == tokenBatch {
			return w.batch(at, program, accounts, data[1:])
		}
		return w.token(at, program, accounts, data)
	}
	return nil
}

func (w *walker) system(at place, accounts, data []byte) {
	if len(data) < 12 {
		return
	}
	kind, amount := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint64(data[4:])
	switch {
	case kind == systemTransfer && len(accounts) >= 2:
		w.acts = append(w.acts, act{
			place: at, source: accounts[0], destination: accounts[1], authority: accounts[0], amount: amount, more: accounts[2:],
		})
	case kind == systemTransferWithSeed && len(accounts) >= 3:
		w.acts = append(w.acts, act{
			place: at, source: accounts[0], destination: accounts[2], authority: accounts[1], amount: amount, more: accounts[3:],
		})
	}
}

var errBatch = errors.New("a batch of token instructions has a form that we do not know")

// batch reads [account count, data length, data] again and again; the parts share the accounts in order. A part that is a
// batch itself is refused on chain.
func (w *walker) batch(at place, program key, accounts, data []byte) error {
	for part := 0; len(data) > 0; part++ {
		if len(data) < 2 || int(data[0]) > len(accounts) || int(data[1]) > len(data)-2 {
			return undecodable("the transaction", errBatch)
		}
		count, length := int(data[0]), int(data[1])
		at.part = part
		if err := w.token(at, program, accounts[:count], data[2:2+length]); err != nil {
			return err
		}
		accounts, data = accounts[count:], data[2+length:]
	}
	return nil
}

// token reads one instruction of the two token programs. What has too few accounts or bytes is not what it looks like: the
// program would have refused it. More accounts are signers of a multisig, references, or those of a hook.
func (w *walker) token(at place, program key, accounts, data []byte) error {
	if len(data) < 9 {
		if len(data) > 1 && program == sdk.Token2022ProgramID && hides(data) {
			w.acts = append(w.acts, act{kind: actHidden, place: at, program: program})
		}
		return nil
	}
	a := act{place: at, program: program}
	amount := binary.LittleEndian.Uint64(data[1:])
	switch kind := data[0]; {
	case kind == tokenTransfer && len(accounts) >= 3:
		a.kind, a.amount = actTransfer, amount
		a.source, a.destination, a.authority, a.more = accounts[0], accounts[1], accounts[2], accounts[3:]
		return w.transfer(a, nil, nil)
	case kind == tokenTransferChecked && len(accounts) >= 4 && len(data) >= 10:
		a.kind, a.amount = actTransfer, amount
		a.source, a.destination, a.authority, a.more = accounts[0], accounts[2], accounts[3], accounts[4:]
		return w.transfer(a, &w.keys[accounts[1]], &data[9])
	case program == sdk.Token2022ProgramID && kind == tokenFee && data[1] == feeTransferChecked && len(accounts) >= 4 && len(data) >= 19:
		a.kind, a.amount, a.fee = actTransfer, binary.LittleEndian.Uint64(data[2:]), binary.LittleEndian.Uint64(data[11:])
		a.source, a.destination, a.authority, a.more = accounts[0], accounts[2], accounts[3], accounts[4:]
		return w.transfer(a, &w.keys[accounts[1]], &data[10])
	case (kind == tokenMintTo || kind == tokenMintToChecked) && len(accounts) >= 3:
		a.kind, a.amount, a.mint, a.destination = actMint, amount, w.keys[accounts[0]], accounts[1]
	case (kind == tokenBurn || kind == tokenBurnChecked) && len(accounts) >= 3:
		a.kind, a.amount, a.mint, a.source = actBurn, amount, w.keys[accounts[1]], accounts[0]
	case program == sdk.Token2022ProgramID && hides(data):
		a.kind = actHidden
	default:
		return nil
	}
	w.acts = append(w.acts, a)
	return nil
}

func hides(data []byte) bool {
	switch data[0] {
	case tokenFee:
		return data[1] == feeWithdrawFromMint || data[1] == feeWithdrawFromAccounts
	case tokenConfidential, tokenConfidentialFee, tokenConfidentialMint:
		return true
	}
	return false
}

// transfer fills in the mint, which the plain transfer does not name, and holds the balances of both accounts against the
// instruction. A transfer between two accounts that nothing else is known of is left out.
func (w *walker) transfer(a act, mint *key, decimals *byte) error {
	for _, b := range []*tokenBalance{
		w.tokenBefore[a.source], w.tokenAfter[a.source], w.tokenBefore[a.destination], w.tokenAfter[a.destination],
	} {
		if b == nil {
			continue
		}
		switch {
		case mint != nil && *mint != b.mint,
			decimals != nil && *decimals != b.decimals,
			!b.program.IsZero() && b.program != a.program:
			return inconsistent("%s moves other tokens than the balances of its accounts say", a.place)
		}
		mint = &b.mint
	}
	if mint == nil {
		return nil
	}
	if a.fee > a.amount {
		return inconsistent("%s withholds more than it moves", a.place)
	}
	a.mint = *mint
	w.acts = append(w.acts, a)
	return nil
}
