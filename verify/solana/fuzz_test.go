package solana

import (
	"testing"

	bin "github.com/gagliardetto/binary"
	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"

	"github.com/settler-pay/settler/settlement"
)

// Whatever an endpoint answers, nothing panics, and nothing becomes a payment without the payer's signature over the
// accounts and the amount.
func FuzzAnswer(f *testing.F) {
	for _, r := range ours(f) {
		f.Add([]byte(r.Result))
	}
	f.Add([]byte(`{"slot":1,"transaction":{"signatures":[],"message":{}},"meta":null}`))
	var known []*subject
	for _, r := range ours(f) {
		for _, x := range r.Expectations {
			if x.Code == settlement.Verified {
				known = append(known, newSubject(f, r, x))
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := decodeAnswer(raw)
		if err != nil || len(a.signatures) == 0 {
			return
		}
		txid := settlement.TxID(a.signatures[0][:])
		l, err := a.check(txid)
		if err != nil {
			return
		}
		if !l.message.keys[0].Verify(l.message.bytes(), a.signatures[0]) {
			t.Fatal("a message passes that its first signer did not sign")
		}
		for _, s := range known {
			claim := s.r.claim(t, s.x)
			claim.TxID = txid
			look, err := newChain(t, s.r.Chain, s.x.token(t, s.r.Chain), "http://localhost").Judge(claim, raw)
			if err == nil && look.Verdict.Code == settlement.Verified && txid != s.r.claim(t, s.x).TxID {
				t.Fatalf("%s is paid by another transaction", s.r.name)
			}
		}
	})
}

// The rebuilt message is what solana-go reads back, part by part.
func FuzzMessage(f *testing.F) {
	for _, r := range ours(f) {
		a, err := decodeAnswer(r.Result)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(a.message.version+1), a.message.bytes(), a.message.blockhash[:])
	}
	f.Fuzz(func(t *testing.T, version byte, raw, blockhash []byte) {
		if len(blockhash) != 32 || len(raw) == 0 {
			return
		}
		m := message{
			version: int(version%3) - 1, signers: 1, readonlyOthers: raw[0] % 4, blockhash: key(blockhash),
			keys: []key{key(blockhash), sdk.TokenProgramID},
		}
		for i := 0; i < len(raw) && i < 4*64; i += 64 {
			m.instructions = append(m.instructions, instruction{program: 1, accounts: []byte{0, 0}, data: raw[i:min(i+64, len(raw))]})
		}
		if m.version == version1 {
			m.priorityFee, m.limits[0] = request{true, uint64(raw[0])}, request{true, 7}
		}
		if m.version == version0 {
			m.lookups = []lookup{{table: key(blockhash), writable: raw[:min(3, len(raw))]}}
		}
		var read sdk.Message
		if err := read.UnmarshalWithDecoder(bin.NewBinDecoder(m.bytes())); err != nil {
			t.Fatalf("version %d: %v", m.version, err)
		}
		sameMessage(t, &m, &read)
	})
}

// What instructions say is bounded by what they hold: no index out of range, no part beyond its batch.
func FuzzInstruction(f *testing.F) {
	f.Add(byte(0), []byte{0, 1, 2}, append([]byte{3}, make([]byte, 8)...))
	f.Add(byte(0), []byte{0, 1, 2, 3}, append([]byte{12}, make([]byte, 9)...))
	f.Add(byte(1), []byte{0, 1, 2, 3}, append([]byte{26, 1}, make([]byte, 17)...))
	f.Add(byte(0), []byte{0, 1, 2, 0, 1, 2}, append([]byte{255, 3, 9, 3}, make([]byte, 8)...))
	f.Add(byte(2), []byte{0, 1}, append([]byte{2, 0, 0, 0}, make([]byte, 8)...))
	f.Add(byte(2), []byte{0, 1, 2}, append([]byte{11, 0, 0, 0}, make([]byte, 8)...))
	f.Add(byte(3), []byte{}, []byte("memo"))
	programs := []key{sdk.TokenProgramID, sdk.Token2022ProgramID, sdk.SystemProgramID, sdk.MemoProgramID}
	f.Fuzz(func(t *testing.T, program byte, accounts, data []byte) {
		const count = 6
		for i := range accounts {
			accounts[i] %= count
		}
		l := &ledger{answer: &answer{}, keys: make([]key, count), tokenBefore: make([]*tokenBalance, count), tokenAfter: make([]*tokenBalance, count)}
		for i := range l.keys {
			l.keys[i] = key{byte(i + 1)}
		}
		l.tokenBefore[0] = &tokenBalance{mint: key{1}, program: programs[program%4], decimals: 0}
		w := walker{ledger: l}
		if err := w.read(place{3, -1, -1}, programs[program%4], accounts, data); err != nil {
			return
		}
		for _, a := range w.acts {
			if int(max(a.source, a.destination, a.authority)) >= count || a.fee > a.amount || len(a.more) > len(accounts) {
				t.Errorf("%+v out of %v", a, accounts)
			}
			if a.kind == actTransfer && a.mint.IsZero() {
				t.Errorf("a transfer of no mint: %+v", a)
			}
		}
	})
}

// A text that is taken is the only one of its bytes.
func FuzzBase58(f *testing.F) {
	f.Add("28f8jFzCX3D1dJ5sZSABgVmrziAQu3hPeERjRoKMJwvQGrahxDfSRARpgX4rBeGcYvGSMu77QPoEqYdyYTzx9TY7")
	f.Add("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
	f.Add("11111111111111111111111111111111")
	f.Add("1EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
	f.Add("0OIl")
	f.Add("https://explorer.solana.com/tx/")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseAddress(text); err == nil && (len(a) != 32 || FormatAddress(a) != text) {
			t.Errorf("address %q is %q", text, FormatAddress(a))
		}
		if id, err := ParseTxID(text); err == nil && (len(id) != 64 || FormatTxID(id) != text && len(text) < 90) {
			t.Errorf("signature %q is %q", text, FormatTxID(id))
		}
		if data, err := decodeData([]byte(text)); err == nil && base58.Encode(data) != text {
			t.Errorf("data %q is %q", text, base58.Encode(data))
		}
	})
}
