package solana

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// value is one value of a recorded answer, where it stands in the text, and where its name does.
type value struct {
	path       string // "meta.preTokenBalances[1].owner"
	start, end int
	nameStart  int // of the name with its quotes; -1: an item of a list
	nameEnd    int
	kind       byte // its first byte
}

// values lists every value of the answer, objects and lists too.
func values(text []byte) []value {
	var out []value
	c := cursor{text: text}
	var walk func(path string, v value)
	walk = func(path string, v value) {
		c.next()
		v.path, v.start, v.kind = path, c.at, text[c.at]
		at := len(out)
		out = append(out, v)
		switch text[c.at] {
		case '{':
			c.object()
			for name, ok := c.field(); ok; name, ok = c.field() {
				nameEnd := strings.LastIndexByte(string(text[:c.at]), '"') + 1
				walk(strings.TrimPrefix(path+"."+string(name), "."), value{nameStart: nameEnd - len(name) - 2, nameEnd: nameEnd})
			}
		case '[':
			c.list()
			for i := 0; c.item(i); i++ {
				walk(path+"["+strconv.Itoa(i)+"]", value{nameStart: -1})
			}
		default:
			c.skip()
		}
		out[at].end = c.at
	}
	walk("", value{nameStart: -1})
	return out
}

// kinds of changes.
const (
	changed = "changed" // another value of the same type and form
	nulled  = "null"
	dropped = "dropped" // its name is another one
	retyped = "retyped" // a text for a number, a number for anything else
	removed = "removed" // an item taken out of its list
)

var base58Text = regexp.MustCompile(`^"[1-9A-HJ-NP-Za-km-z]+"$`)

// mutate applies a change to one value; false where there is no such change.
func mutate(text []byte, v value, kind string, random *rand.Rand) ([]byte, bool) {
	replace := func(start, end int, by string) ([]byte, bool) {
		return slices.Concat(text[:start], []byte(by), text[end:]), true
	}
	old := string(text[v.start:v.end])
	switch kind {
	case nulled:
		if old == "null" {
			return nil, false
		}
		return replace(v.start, v.end, "null")
	case dropped:
		if v.nameStart < 0 {
			return nil, false
		}
		return replace(v.nameStart, v.nameEnd, `"other"`)
	case retyped:
		if v.kind == '"' || v.kind == '{' || v.kind == '[' {
			return replace(v.start, v.end, "7")
		}
		return replace(v.start, v.end, `"x"`)
	case removed:
		if v.nameStart >= 0 || v.path == "" {
			return nil, false
		}
		start, end := v.start, v.end
		if rest := strings.TrimLeft(string(text[end:]), " \n"); rest[0] == ',' {
			end = len(text) - len(rest) + 1
		} else if before := strings.TrimRight(string(text[:start]), " \n"); before[len(before)-1] == ',' {
			start = len(before) - 1
		}
		return replace(start, end, "")
	}
	switch {
	case v.kind >= '0' && v.kind <= '9':
		n, err := strconv.ParseUint(old, 10, 64)
		if err != nil { // a fraction, for people
			return replace(v.start, v.end, "0.5")
		}
		if n < 256 {
			return replace(v.start, v.end, strconv.FormatUint((n+1+random.Uint64N(254))%256, 10))
		}
		return replace(v.start, v.end, strconv.FormatUint(n+1+random.Uint64N(n), 10))
	case v.kind == '"' && strings.HasSuffix(v.path, ".amount"):
		n, _ := strconv.ParseUint(strings.Trim(old, `"`), 10, 64)
		return replace(v.start, v.end, `"`+strconv.FormatUint(n+1+random.Uint64N(1_000_000), 10)+`"`)
	case v.kind == '"' && base58Text.MatchString(old) && v.end-v.start >= 34 && v.end-v.start <= 46: // a key
		var fresh sdk.PublicKey
		for i := range fresh {
			fresh[i] = byte(random.Uint32())
		}
		return replace(v.start, v.end, `"`+fresh.String()+`"`)
	case v.kind == '"' && old == `"legacy"`:
		return replace(v.start, v.end, strconv.Itoa(int(random.Uint32N(2))))
	case v.kind == '"' && base58Text.MatchString(old):
		at := v.start + 1 + int(random.Uint32N(uint32(v.end-v.start-2)))
		fresh := alphabet[random.Uint32N(uint32(len(alphabet)))]
		if fresh == text[at] {
			return nil, false
		}
		return replace(at, at+1, string(fresh))
	case v.kind == '"':
		return replace(v.start, v.end, `"something else"`)
	case old == "null":
		return replace(v.start, v.end, [...]string{`{}`, `"Custom"`, `0`, `{"InstructionError":[0,{"Custom":1}]}`, `[]`, `false`}[random.Uint32N(6)])
	}
	return nil, false
}

// subject is an accepted claim on a recording, and what its payment touches.
type subject struct {
	r    recording
	x    expectation
	text []byte
	all  []value

	paid             act
	native, unsealed bool // unsealed: the sums of the mint are not exact
	checked, pinned  bool
	before, after    []tokenBalance
	version          int
	lookups          bool
	keys             []key // of the whole transaction
}

func newSubject(t testing.TB, r recording, x expectation) *subject {
	t.Helper()
	s := &subject{r: r, x: x, text: r.Result, all: values(r.Result), native: x.Token == "native", pinned: x.Program != ""}
	v, err := r.judge(t, x, r.Result)
	if err != nil || v.Code != settlement.Verified {
		t.Fatalf("%s: %s (%v)", r.name, v.Code, err)
	}
	l, err := read(r.Result, r.claim(t, x).TxID)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range l.acts {
		if a.place.String() == v.Transfer.Position {
			s.paid = a
		}
	}
	s.before, s.after, s.version, s.lookups = l.tokensBefore, l.tokensAfter, l.message.version, len(l.message.lookups) > 0
	s.keys = l.keys
	s.unsealed = s.paid.program != sdk.TokenProgramID || s.paid.mint == sdk.WrappedSol
	// A plain transfer is told from the others by its length: 9 bytes, "3" first.
	s.checked = !s.native && !slices.ContainsFunc(plainTransfers(l), func(p place) bool { return p == s.paid.place })
	return s
}

func plainTransfers(l *ledger) (out []place) {
	for i, in := range l.message.instructions {
		if len(in.data) > 0 && in.data[0] == tokenTransfer {
			out = append(out, place{i, -1, -1})
		}
	}
	for _, group := range l.inner {
		for j, in := range group.list {
			if data, err := decodeData(in.text); err == nil && len(data) > 0 && data[0] == tokenTransfer {
				out = append(out, place{int(group.index), j, -1})
			}
		}
	}
	return out
}

var indices = regexp.MustCompile(`\[\d+\]`)

// must are the codes that the change may lead to; "" stands for every code but VERIFIED.
func (s *subject) must(v value, kind string) []settlement.Code {
	const (
		ok      = settlement.Verified
		wrong   = settlement.RPCInconsistent
		foreign = settlement.RPCDecodeFailed
	)
	codes := func(list ...settlement.Code) []settlement.Code { return list }
	// by gives the code for a value that is changed, for one that is null or gone, and else that for another type.
	by := func(change, none settlement.Code) []settlement.Code {
		switch kind {
		case changed:
			return codes(change)
		case nulled, dropped:
			return codes(none)
		case removed:
			return codes(change)
		}
		return codes(foreign)
	}
	switch pattern := indices.ReplaceAllString(v.path, "[]"); pattern {
	case "":
		return codes(settlement.RPCUnavailable)
	case "slot":
		return by(ok, foreign)
	case "blockTime":
		return by(ok, wrong)
	case "version":
		switch {
		case (kind == nulled || kind == dropped) && s.version == legacy:
			return codes(ok)
		case kind == nulled || kind == dropped:
			return codes(wrong)
		}
		return codes(wrong, foreign)
	case "transaction", "transaction.signatures", "transaction.message", "transaction.message.header", "transaction.message.accountKeys",
		"transaction.message.instructions", "transaction.message.recentBlockhash":
		return by(wrong, foreign)
	case "transaction.signatures[]", "transaction.message.accountKeys[]", "transaction.message.instructions[].data":
		if kind == changed {
			return codes(wrong, foreign) // one letter can make it a byte too long
		}
		return by(wrong, foreign)
	case "transaction.message.header.numRequiredSignatures", "transaction.message.header.numReadonlySignedAccounts",
		"transaction.message.header.numReadonlyUnsignedAccounts", "transaction.message.instructions[]",
		"transaction.message.instructions[].programIdIndex", "transaction.message.instructions[].accounts",
		"transaction.message.instructions[].accounts[]", "transaction.message.addressTableLookups[]",
		"transaction.message.addressTableLookups[].accountKey", "transaction.message.addressTableLookups[].writableIndexes",
		"transaction.message.addressTableLookups[].readonlyIndexes", "transaction.message.addressTableLookups[].writableIndexes[]",
		"transaction.message.addressTableLookups[].readonlyIndexes[]":
		return by(wrong, foreign)
	case "transaction.message.addressTableLookups", "meta.loadedAddresses":
		if s.lookups {
			return by(wrong, wrong)
		}
		return by(ok, ok)
	case "meta.loadedAddresses.writable", "meta.loadedAddresses.readonly":
		if kind == dropped && (!s.lookups || string(s.text[v.start:v.end]) == "[]") {
			return codes(ok)
		}
		if kind == dropped {
			return codes(wrong)
		}
		return by(ok, foreign)
	case "meta.loadedAddresses.writable[]", "meta.loadedAddresses.readonly[]":
		if kind == changed { // only table and place are signed: what the payment names must fit all the same
			if s.names(string(s.text[v.start+1 : v.end-1])) {
				return codes(wrong, settlement.PayeeMismatch, settlement.TokenMismatch)
			}
			return codes(ok)
		}
		return by(wrong, foreign)
	case "meta":
		return by(wrong, wrong)
	case "meta.err":
		if kind == dropped {
			return codes(wrong)
		}
		return codes(settlement.TxFailed)
	case "meta.fee", "meta.preBalances", "meta.postBalances":
		if kind == dropped {
			return codes(wrong)
		}
		return by(wrong, foreign)
	case "meta.preBalances[]", "meta.postBalances[]":
		return by(wrong, foreign)
	case "meta.preTokenBalances", "meta.postTokenBalances", "meta.innerInstructions":
		return by(ok, wrong)
	default:
		switch {
		case strings.HasPrefix(pattern, "meta.preTokenBalances[]"), strings.HasPrefix(pattern, "meta.postTokenBalances[]"):
			return s.mustBalance(v, pattern, kind)
		case strings.HasPrefix(pattern, "meta.innerInstructions[]"):
			return s.mustInner(v, pattern, kind)
		}
		return codes(ok) // it decides nothing
	}
}

// names reports whether the payment's own instruction needs the account.
func (s *subject) names(account string) bool {
	for _, k := range []key{s.paid.program, s.paid.mint, s.keys[s.paid.source], s.keys[s.paid.destination]} {
		if k.String() == account {
			return true
		}
	}
	return false
}

// mustBalance is must for an entry of the token balances. Those of the payment's own accounts decide: the source's before,
// the destination's after.
func (s *subject) mustBalance(v value, pattern, kind string) []settlement.Code {
	var i int
	list, pre := s.after, false
	if _, err := fmt.Sscanf(v.path, "meta.postTokenBalances[%d]", &i); err != nil {
		if _, err := fmt.Sscanf(v.path, "meta.preTokenBalances[%d]", &i); err != nil {
			panic(v.path)
		}
		list, pre = s.before, true
	}
	b := list[i]
	source := !s.native && b.account == s.paid.source
	destination := !s.native && b.account == s.paid.destination
	decides := source && pre || destination && !pre
	touched := source || destination
	const (
		ok      = settlement.Verified
		wrong   = settlement.RPCInconsistent
		foreign = settlement.RPCDecodeFailed
	)
	codes := func(list ...settlement.Code) []settlement.Code { return list }
	_, name, _ := strings.Cut(pattern, "[]")
	if kind == retyped && !strings.HasPrefix(name, ".uiTokenAmount.ui") || (kind == nulled || kind == dropped) && slices.Contains(
		[]string{"", ".accountIndex", ".mint", ".uiTokenAmount", ".uiTokenAmount.amount", ".uiTokenAmount.decimals"}, name) {
		return codes(foreign)
	}
	switch name {
	case ".owner":
		switch {
		case decides && source:
			return codes(settlement.PayerMismatch)
		case decides:
			return codes(settlement.PayeeMismatch)
		}
		return codes(ok)
	case ".programId":
		switch {
		case kind != changed:
			return codes(ok)
		case touched:
			return codes(wrong)
		}
		return codes(ok, wrong)
	case ".mint":
		if touched {
			return codes(wrong)
		}
		return codes(ok, wrong)
	case ".uiTokenAmount.decimals":
		switch {
		case touched && s.checked:
			return codes(wrong)
		case decides && s.pinned:
			return codes(settlement.TokenMismatch, settlement.PayeeMismatch) // the second where another transfer of the token is left
		}
		return codes(ok, wrong) // of another payment's account
	case ".uiTokenAmount.amount":
		switch {
		case !s.native && b.mint == s.paid.mint && !s.unsealed:
			return codes(wrong)
		case destination:
			return codes(wrong, settlement.TransferAmbiguous, settlement.AmountMismatch)
		}
		return codes(ok, wrong)
	case ".accountIndex", "": // the entry is another account's, or gone
		switch {
		case decides:
			return codes("")
		case destination:
			return codes(ok, wrong, settlement.TransferAmbiguous, settlement.AmountMismatch)
		}
		return codes(ok, wrong)
	}
	return codes(ok)
}

// mustInner is must for inner instructions, which nobody signs. The payment's own must be as it was.
func (s *subject) mustInner(v value, pattern, kind string) []settlement.Code {
	own := fmt.Sprintf("].instructions[%d]", s.paid.place.inner)
	if strings.HasSuffix(pattern, ".stackHeight") {
		return []settlement.Code{settlement.Verified}
	}
	if s.paid.place.inner >= 0 && strings.Contains(v.path, own) &&
		strings.HasSuffix(v.path, ".data") && kind == changed && s.paid.program == sdk.Token2022ProgramID {
		return []settlement.Code{"", settlement.Verified} // it may name more than arrived: nobody signed it, and the balances decide
	}
	if s.paid.place.inner >= 0 && strings.Contains(v.path, own) &&
		(strings.HasSuffix(v.path, ".programIdIndex") || strings.HasSuffix(v.path, ".data") || strings.HasSuffix(v.path, ".accounts[0]")) {
		return []settlement.Code{""}
	}
	return nil // whatever it leads to
}

// subjects are all accepted claims of all recordings.
func subjects(t testing.TB) (out []*subject) {
	t.Helper()
	list := ours(t)
	if os.Getenv("SETTLER_FIXTURES") != "" {
		list = append(list, usable(fixtures(t))...)
	}
	for _, r := range list {
		for _, x := range r.Expectations {
			if v, err := r.judge(t, x, r.Result); err == nil && v.Code == settlement.Verified {
				out = append(out, newSubject(t, r, x))
			}
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d accepted claims", len(out))
	}
	return out
}

// TestMutations changes every single value of every accepted recording in every way, then values at random until so many
// changes were made: SETTLER_MUTATIONS, 20,000 by default.
func TestMutations(t *testing.T) {
	t.Parallel()
	wanted := 20_000
	if text := os.Getenv("SETTLER_MUTATIONS"); text != "" {
		var err error
		if wanted, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	all := subjects(t)
	chains := make(map[*subject]*Chain, len(all))
	claims := make(map[*subject]settlement.Claim, len(all))
	for _, s := range all {
		chains[s], claims[s] = newChain(t, s.r.Chain, s.x.token(t, s.r.Chain), "http://localhost"), s.r.claim(t, s.x)
	}
	random := rand.New(rand.NewPCG(1, uint64(wanted)))
	made, faults := 0, 0
	try := func(s *subject, v value, kind string) {
		text, ok := mutate(s.text, v, kind, random)
		if !ok {
			return
		}
		made++
		look, err := chains[s].Judge(claims[s], text)
		got, want := outcome(look.Verdict, err), s.must(v, kind)
		if want == nil || slices.Contains(want, got) || slices.Contains(want, "") && got != settlement.Verified {
			return
		}
		if faults++; faults <= 20 {
			t.Errorf("%s (%s): %s %s: got %s (%v), want %v", s.r.name, s.x.Why, v.path, kind, got, err, want)
		}
	}
	kinds := []string{changed, nulled, dropped, retyped, removed}
	for _, s := range all {
		for _, v := range s.all {
			for _, kind := range kinds {
				try(s, v, kind)
			}
		}
	}
	for made < wanted {
		s := all[random.IntN(len(all))]
		try(s, s.all[random.IntN(len(s.all))], kinds[random.IntN(len(kinds))])
	}
	t.Logf("%d changes to %d accepted claims, %d wrong", made, len(all), faults)
}
