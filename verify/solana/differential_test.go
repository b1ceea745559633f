package solana

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"
)

// sameMessage compares ours with solana-go's.
func sameMessage(t testing.TB, m *message, other *sdk.Message) {
	t.Helper()
	versions := map[int]sdk.MessageVersion{legacy: sdk.MessageVersionLegacy, version0: sdk.MessageVersionV0, version1: sdk.MessageVersionV1}
	if versions[m.version] != other.GetVersion() {
		t.Errorf("version %d, solana-go has %d", m.version, other.GetVersion())
	}
	h := other.Header
	if m.signers != h.NumRequiredSignatures || m.readonlySigners != h.NumReadonlySignedAccounts || m.readonlyOthers != h.NumReadonlyUnsignedAccounts {
		t.Errorf("header %d %d %d, solana-go has %+v", m.signers, m.readonlySigners, m.readonlyOthers, h)
	}
	if key(other.RecentBlockhash) != m.blockhash || len(m.instructions) != len(other.Instructions) || len(m.lookups) != len(other.AddressTableLookups) {
		t.Fatalf("blockhash, instructions or lookups differ: %+v, solana-go has %+v", m, other)
	}
	for i, in := range m.instructions {
		theirs := other.Instructions[i]
		same := int(in.program) == int(theirs.ProgramIDIndex) && bytes.Equal(in.data, theirs.Data) && len(in.accounts) == len(theirs.Accounts)
		for j := range in.accounts {
			same = same && uint16(in.accounts[j]) == theirs.Accounts[j]
		}
		if !same {
			t.Errorf("instruction %d: %+v, solana-go has %+v", i, in, theirs)
		}
	}
	for i, l := range m.lookups {
		theirs := other.AddressTableLookups[i]
		if l.table != theirs.AccountKey || !bytes.Equal(l.writable, theirs.WritableIndexes) || !bytes.Equal(l.readonly, theirs.ReadonlyIndexes) {
			t.Errorf("lookup %d: %+v, solana-go has %+v", i, l, theirs)
		}
	}
}

// Our decoding and solana-go's agree on every recording: message, signatures, balances, inner instructions.
func TestSameAsSolanaGo(t *testing.T) {
	t.Parallel()
	list := ours(t)
	if os.Getenv("SETTLER_FIXTURES") != "" {
		list = append(list, usable(fixtures(t))...)
	}
	for _, r := range list {
		t.Run(r.name, func(t *testing.T) {
			a, err := decodeAnswer(r.Result)
			if err != nil {
				t.Fatal(err)
			}
			var theirs rpc.GetTransactionResult
			if err := json.Unmarshal(r.Result, &theirs); err != nil {
				t.Fatal(err)
			}
			tx, err := theirs.Transaction.GetTransaction()
			if err != nil {
				t.Fatal(err)
			}
			signed, err := tx.Message.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if ours := a.message.bytes(); a.message.version != version1 && !bytes.Equal(ours, signed) {
				t.Errorf("the message is\n%x, solana-go has\n%x", ours, signed)
			}
			if err := tx.VerifySignatures(); err != nil {
				t.Errorf("solana-go: %v", err)
			}
			if a.message.version != version1 { // solana-go 1.23 reads the JSON of version 1 as a legacy message
				sameMessage(t, &a.message, &tx.Message)
			}
			if a.slot != theirs.Slot || a.failed != (theirs.Meta.Err != nil) || a.fee != theirs.Meta.Fee || len(a.signatures) != len(tx.Signatures) {
				t.Errorf("slot %d, failed %t, fee %d; solana-go has %+v", a.slot, a.failed, a.fee, theirs)
			}
			for i := range a.before {
				if a.before[i] != theirs.Meta.PreBalances[i] || a.after[i] != theirs.Meta.PostBalances[i] {
					t.Errorf("lamports of account %d differ", i)
				}
			}
			for i, list := range [][]tokenBalance{a.tokensBefore, a.tokensAfter} {
				others := [][]rpc.TokenBalance{theirs.Meta.PreTokenBalances, theirs.Meta.PostTokenBalances}[i]
				if len(list) != len(others) {
					t.Fatalf("%d token balances, solana-go has %d", len(list), len(others))
				}
				for j, b := range list {
					o := others[j]
					if uint16(b.account) != o.AccountIndex || b.mint != o.Mint || b.owner != *o.Owner || b.program != *o.ProgramId ||
						o.UiTokenAmount.Amount != strconv.FormatUint(b.amount, 10) || b.decimals != o.UiTokenAmount.Decimals {
						t.Errorf("token balance %+v, solana-go has %+v", b, o)
					}
				}
			}
			if len(a.inner) != len(theirs.Meta.InnerInstructions) {
				t.Fatalf("%d groups of inner instructions, solana-go has %d", len(a.inner), len(theirs.Meta.InnerInstructions))
			}
			for i, group := range a.inner {
				other := theirs.Meta.InnerInstructions[i]
				if uint16(group.index) != other.Index || len(group.list) != len(other.Instructions) {
					t.Fatalf("inner instructions of %d differ", group.index)
				}
				for j, in := range group.list {
					data, err := decodeData(in.text)
					if err != nil || !bytes.Equal(data, other.Instructions[j].Data) || uint16(in.program) != other.Instructions[j].ProgramIDIndex {
						t.Errorf("inner instruction %d.%d differs: %v", i, j, err)
					}
				}
			}
		})
	}
}
