package solana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/settlement"
)

// follower scans one account the way a service does: it keeps the cursor in its stored form only.
type follower struct {
	t       *testing.T
	chain   *Chain
	stored  []byte
	found   []settlement.FoundTx
	unread  []settlement.UnreadTx
	commits int
	breakAt int // this delivery from now on fails; 0: none
}

func follow(t *testing.T, chain *Chain, cursor settlement.AccountCursor) *follower {
	t.Helper()
	stored, err := cursor.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return &follower{t: t, chain: chain, stored: stored}
}

var errCrash = errors.New("crash")

func (f *follower) cursor() (cursor settlement.AccountCursor) {
	f.t.Helper()
	if err := cursor.UnmarshalBinary(f.stored); err != nil {
		f.t.Fatal(err)
	}
	return cursor
}

func (f *follower) scan() error {
	f.t.Helper()
	head, err := f.chain.Heads(f.t.Context())
	if err != nil {
		return err
	}
	return f.chain.Scan(f.t.Context(), head.Head, f.cursor(), func(s settlement.AccountScan) error {
		if f.breakAt--; f.breakAt == 0 {
			return errCrash
		}
		stored, err := s.Cursor.MarshalBinary()
		if err != nil {
			f.t.Fatal(err)
		}
		f.stored, f.commits = stored, f.commits+1
		f.found, f.unread = append(f.found, s.Found...), append(f.unread, s.Unread...)
		return nil
	})
}

func (f *follower) must() {
	f.t.Helper()
	if err := f.scan(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) ids() (ids []settlement.TxID) {
	for _, tx := range f.found {
		ids = append(ids, tx.TxID)
	}
	slices.Sort(ids)
	return ids
}

// What names a payee's account is found once, with what it moves and what a claim makes of it; what failed is not.
func TestScan(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	m := l.classic()
	chain := l.chain(m.listed(), Token{Token: settlement.Token{Symbol: "SOL", Decimals: 9}})
	head, err := chain.Heads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bob := addressOf(m.bob.PublicKey())
	accounts, err := chain.Accounts(t.Context(), bob, addressOf(m.mint))
	if err != nil || len(accounts) != 1 || accounts[0] != addressOf(m.payee) {
		t.Fatalf("accounts %v (%v)", accounts, err)
	}
	tokens := follow(t, chain, settlement.AccountCursor{Account: accounts[0], Payee: bob, Slot: head.Latest + 1})
	wallet := follow(t, chain, settlement.AccountCursor{Account: bob, Payee: bob, Slot: head.Latest + 1})
	tokens.must()
	if len(tokens.found) != 0 || tokens.commits != 0 {
		t.Errorf("before anything was paid: %d found, %d commits", len(tokens.found), tokens.commits)
	}
	reference := newKey(t).PublicKey()
	paid := l.run(plan{payer: m.alice, instructions: []sdk.Instruction{memo("for you"), m.checked(3*million, ro(reference))}})
	broken, err := l.send(plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(5000 * million)}})
	if err != nil {
		t.Fatal(err)
	}
	l.await(broken, "confirmed")
	coins := l.run(plan{payer: m.alice, instructions: []sdk.Instruction{payLamports(m.alice.PublicKey(), m.bob.PublicKey(), 7)}})
	tokens.must()
	wallet.must()
	if len(tokens.found) != 1 || tokens.found[0].TxID != settlement.TxID(paid[:]) || tokens.commits != 1 {
		t.Fatalf("found %+v in %d commits", tokens.found, tokens.commits)
	}
	tx := tokens.found[0]
	if len(tx.Transfers) != 1 || !slices.Equal(tx.Memos, []string{"for you"}) || tx.Block.Number <= head.Latest || tx.Block.Time.IsZero() ||
		tx.Sender != addressOf(m.alice.PublicKey()) {
		t.Errorf("found %+v", tx)
	}
	want := settlement.Transfer{
		Token: addressOf(m.mint), Payer: addressOf(m.alice.PublicKey()), Payee: bob, Amount: settlement.NewAmount(3 * million),
		Position: "ix/1", Index: -1, References: []settlement.Address{addressOf(reference)},
	}
	if !reflect.DeepEqual(tx.Transfers[0], want) {
		t.Errorf("transfer %+v, want %+v", tx.Transfers[0], want)
	}
	x := m.pays(3*million, settlement.Verified, "")
	claim := recording{Chain: chain.id, Signature: paid.String()}.claim(t, x)
	claim.Memo, claim.Reference = "for you", addressOf(reference)
	if v := tx.Judge(claim); v.Code != settlement.Verified || v.Transfer.Position != "ix/1" || v.Evidence == nil || v.Evidence.Block != tx.Block.Number {
		t.Errorf("judged %+v", v)
	}
	claim.Memo = "for me"
	if v := tx.Judge(claim); v.Code != settlement.ReferenceMismatch {
		t.Errorf("judged %s", v.Code)
	}
	if len(wallet.found) != 1 || wallet.found[0].TxID != settlement.TxID(coins[:]) || wallet.found[0].Transfers[0].Amount.String() != "7" {
		t.Errorf("at the wallet: %+v", wallet.found)
	}
	// The reference key leads to the payment, too.
	byKey := follow(t, chain, settlement.AccountCursor{Account: addressOf(reference), Slot: head.Latest + 1})
	byKey.must()
	if !slices.Equal(byKey.ids(), tokens.ids()) {
		t.Errorf("by the reference key: %+v", byKey.found)
	}
	l.await(broken, "finalized")
	seen := []settlement.SeenTx{
		{TxID: tx.TxID, Slot: tx.Block.Number}, {TxID: settlement.TxID(broken[:]), Slot: tx.Block.Number}, {TxID: settlement.TxID(make([]byte, 64)), Slot: 1},
	}
	final, err := chain.Heads(t.Context())
	for ; err == nil && final.Final < late+1; final, err = chain.Heads(t.Context()) {
		time.Sleep(100 * time.Millisecond)
	}
	fates, err := chain.Fates(t.Context(), seen)
	if err != nil || !slices.Equal(fates, []settlement.Fate{settlement.FateFinal, settlement.FateFailed, settlement.FateGone}) {
		t.Errorf("fates %v (%v)", fates, err)
	}
	tokens.must()
	if len(tokens.found) != 1 {
		t.Errorf("found again: %+v", tokens.found)
	}
}

// Accounts of a payee beside the associated one are watched, and what arrives there is told to be in the wrong place.
func TestScanForeignAccount(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	m := l.classic()
	chain := l.chain(m.listed())
	bob := addressOf(m.bob.PublicKey())
	foreign := newKey(t)
	l.run(plan{payer: m.alice, signers: []sdk.PrivateKey{foreign}, instructions: []sdk.Instruction{
		createAccount(m.alice.PublicKey(), foreign.PublicKey(), accountLength, m.program),
		instruct(m.program, join([]byte{18}, m.bob.PublicKey().Bytes()), rw(foreign.PublicKey()), ro(m.mint)),
	}})
	accounts, err := chain.Accounts(t.Context(), bob, addressOf(m.mint))
	if want := []settlement.Address{addressOf(m.payee), addressOf(foreign.PublicKey())}; err != nil || !slices.Equal(accounts, want) {
		t.Fatalf("accounts %v, want %v (%v)", accounts, want, err)
	}
	l.run(plan{payer: m.alice, instructions: []sdk.Instruction{transferPlain(m.program, m.payer, foreign.PublicKey(), m.alice.PublicKey(), million)}})
	f := follow(t, chain, settlement.AccountCursor{Account: accounts[1], Payee: bob})
	f.must()
	if len(f.found) != 2 || len(f.found[0].Transfers) != 1 || f.found[0].Transfers[0].Fault != settlement.PayeeMismatch || f.found[0].Transfers[0].Payee != bob {
		t.Errorf("found %+v", f.found)
	}
}

// history is a made cluster in which one account gets many payments, oldest first.
type history struct {
	*chaintest.Proxy
	payment *payment
	account string

	mu      sync.Mutex // guards the rest
	rows    []historyRow
	final   uint64
	latest  uint64
	first   uint64
	lists   int // calls
	reads   map[string]int
	refuse  func(c chaintest.Call) (chaintest.Answer, bool)
	forgets map[string]bool // signatures that are not known, as after a fork
}

type historyRow struct {
	signature string
	slot      uint64
	result    json.RawMessage
	failed    bool
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{
		Proxy: chaintest.NewProxy(t, "http://127.0.0.1:1"), payment: newPayment(t), final: 100_000, latest: 100_032,
		reads: make(map[string]int), forgets: make(map[string]bool),
	}
	h.account = FormatAddress(mustAssociated(t, address(t, h.payment.x.Payee), address(t, h.payment.x.Token)))
	h.Intercept(h.answer)
	return h
}

func mustAssociated(t *testing.T, wallet, mint settlement.Address) settlement.Address {
	t.Helper()
	a, err := AssociatedAccount(wallet, TokenProgram, mint)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pay adds a payment in the slot. Payments are told apart by their signature, and share what they say but for the slot.
func (h *history) pay(t *testing.T, slot uint64) settlement.TxID {
	t.Helper()
	p := newParty(t, sdk.TokenProgramID)
	m := p.make(t, 2*million, []sdk.Instruction{p.checked(2 * million)})
	m.fields["slot"] = slot
	h.add(historyRow{signature: m.tx.Signatures[0].String(), slot: slot, result: m.result(t)})
	return settlement.TxID(m.tx.Signatures[0][:])
}

func (h *history) add(row historyRow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := len(h.rows)
	for at > 0 && h.rows[at-1].slot > row.slot {
		at--
	}
	h.rows = slices.Insert(h.rows, at, row)
}

func (h *history) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *history) answer(c chaintest.Call) chaintest.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		if a, ok := h.refuse(c); ok {
			return a
		}
	}
	var params []json.RawMessage
	if json.Unmarshal(c.Params, &params) != nil {
		return refusal(-32602, "parameters")
	}
	number := func(n uint64) chaintest.Answer { return result(strconv.FormatUint(n, 10)) }
	switch c.Method {
	case "getGenesisHash":
		return result(`"` + mainnetGenesis + `"`)
	case "getSlot":
		if strings.Contains(string(c.Params), "finalized") {
			return number(h.final)
		}
		return number(h.latest)
	case "getFirstAvailableBlock":
		return number(h.first)
	case "getSignaturesForAddress":
		return h.list(params)
	case "getSignatureStatuses":
		var asked []string
		_ = json.Unmarshal(params[0], &asked) // none, then
		values := make([]string, len(asked))
		for i, signature := range asked {
			values[i] = "null"
			if row := h.row(signature); row != nil {
				values[i] = fmt.Sprintf(`{"slot":%d,"err":null,"confirmationStatus":%q}`, row.slot, h.level(row))
			}
		}
		return result(`{"context":{"slot":1},"value":[` + strings.Join(values, ",") + `]}`)
	case "getTransaction":
		var signature string
		_ = json.Unmarshal(params[0], &signature) // none, then
		h.reads[signature]++
		row := h.row(signature)
		if row == nil || h.level(row) != "finalized" && strings.Contains(string(params[1]), "finalized") {
			return chaintest.Hide
		}
		return chaintest.Answer{Result: row.result}
	}
	return refusal(-32601, "Method not found")
}

func (h *history) level(row *historyRow) string {
	if row.slot <= h.final {
		return "finalized"
	}
	return "confirmed"
}

func (h *history) row(signature string) *historyRow {
	i := slices.IndexFunc(h.rows, func(r historyRow) bool { return r.signature == signature })
	if i < 0 || h.forgets[signature] || h.rows[i].slot < h.first {
		return nil
	}
	return &h.rows[i]
}

// list is getSignaturesForAddress as Agave answers it: an unknown "before" gives an empty list.
func (h *history) list(params []json.RawMessage) chaintest.Answer {
	var account string
	var options struct {
		Limit          int
		Before         string
		MinContextSlot uint64
	}
	if json.Unmarshal(params[0], &account) != nil || json.Unmarshal(params[1], &options) != nil || options.Limit > maxPage || account != h.account {
		return refusal(-32602, "parameters")
	}
	h.lists++
	if options.MinContextSlot > h.latest {
		return refusal(-32016, "Minimum context slot has not been reached")
	}
	from := len(h.rows)
	if options.Before != "" {
		if h.row(options.Before) == nil {
			return result("[]")
		}
		from = slices.IndexFunc(h.rows, func(r historyRow) bool { return r.signature == options.Before })
	}
	var lines []string
	for i := from - 1; i >= 0 && len(lines) < options.Limit; i-- {
		row := &h.rows[i]
		if h.row(row.signature) == nil || row.slot > h.latest {
			continue
		}
		err := "null"
		if row.failed {
			err = `{"InstructionError":[0,"InvalidAccountData"]}`
		}
		lines = append(lines, fmt.Sprintf(`{"signature":%q,"slot":%d,"err":%s,"memo":null,"blockTime":1,"confirmationStatus":%q}`,
			row.signature, row.slot, err, h.level(row)))
	}
	return result("[" + strings.Join(lines, ",") + "]")
}

func (h *history) follow(t *testing.T, slot uint64, others ...*history) *follower {
	t.Helper()
	urls := []string{h.URL()}
	for _, other := range others {
		urls = append(urls, other.URL())
	}
	chain := newChain(t, Mainnet, h.payment.x.token(t, Mainnet), urls...)
	return follow(t, chain, settlement.AccountCursor{Account: address(t, h.account), Payee: address(t, h.payment.x.Payee), Slot: slot})
}

// advance lets the cluster go on by so many slots.
func (h *history) advance(slots uint64) {
	h.set(func() { h.final, h.latest = h.final+slots, h.latest+slots })
}

// Looks that their caller gives up say nothing about the endpoint, however many they are.
func TestGivenUpLooks(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	f := h.follow(t, 20_000)
	f.must()
	h.set(func() {
		h.refuse = func(chaintest.Call) (chaintest.Answer, bool) { return chaintest.Answer{Delay: time.Minute}, true }
	})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := f.chain.Heads(ctx); err == nil {
			t.Fatal("an answer that never came")
		}
	}
	h.set(func() { h.refuse = nil })
	f.must()
	if s := f.chain.Status().Endpoints[0]; s.State != Healthy {
		t.Errorf("the endpoint is %s (%s)", s.State, s.LastError)
	}
}

// After a day of downtime 10,000 signatures on one payee are caught up with, whatever breaks off meanwhile, and while new
// ones arrive.
func TestCatchUpMissesNone(t *testing.T) {
	t.Parallel()
	const many = 10_000
	h := newHistory(t)
	var want []settlement.TxID
	for i := range uint64(many) {
		// A failed transaction costs no read; one in a hundred succeeded.
		slot := 20_000 + i*8
		if i%100 == 0 {
			want = append(want, h.pay(t, slot))
			continue
		}
		var id sdk.Signature
		for j, b := range u64(i) {
			id[j], id[j+20] = b, b+1
		}
		h.rows = append(h.rows, historyRow{signature: id.String(), slot: slot, failed: true})
	}
	f := h.follow(t, 20_000)
	h.set(func() { h.first = 19_000 })
	for crash := 1; ; crash++ { // a crash at every third commit at the latest
		f.breakAt = crash%3 + 1
		err := f.scan()
		if err == nil {
			break
		}
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		if crash%3 == 0 {
			h.advance(10)
			h.mu.Lock()
			slot := h.latest
			h.mu.Unlock()
			want = append(want, h.pay(t, slot))
		}
		if crash > 2000 {
			t.Fatal("it does not get on")
		}
	}
	got := slices.Compact(f.ids())
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d transactions found, want %d", len(got), len(want))
	}
	if c := f.cursor(); len(c.Gaps) > 0 || len(c.Unread) > 0 {
		t.Errorf("%d gaps, %d unread are left", len(c.Gaps), len(c.Unread))
	}
}

// A payment that was seen at confirmed and leaves the cluster with its fork is told to be gone once what is final has
// passed it, not before; back in another slot it is found once more.
func TestConfirmedThenGone(t *testing.T) {
	t.Parallel()
	h, other := newHistory(t), (*history)(nil)
	id := h.pay(t, h.latest-3)
	f := h.follow(t, 99_000)
	f.must()
	if len(f.found) != 1 || f.found[0].Final {
		t.Fatalf("found %+v", f.found)
	}
	seen := []settlement.SeenTx{{TxID: id, Slot: f.found[0].Block.Number}}
	fate := func(chain *Chain, want settlement.Fate) {
		t.Helper()
		fates, err := chain.Fates(t.Context(), seen)
		if err != nil || len(fates) != 1 || fates[0] != want {
			t.Errorf("fate %v (%v), want %s", fates, err, want)
		}
	}
	fate(f.chain, settlement.FateOpen)
	h.set(func() { h.forgets[FormatTxID(id)] = true })
	fate(f.chain, settlement.FateOpen)
	h.advance(32)
	fate(f.chain, settlement.FateOpen)
	h.advance(40)
	fate(f.chain, settlement.FateGone)
	// A second endpoint that still has it is believed, and one that cannot know says nothing.
	other = newHistory(t)
	other.rows, other.final, other.latest = h.rows, h.final, h.latest
	fate(h.follow(t, 0, other).chain, settlement.FateOpen)
	h.set(func() { h.first = h.final })
	if fates, err := f.chain.Fates(t.Context(), seen); settlement.LookCode(err) != settlement.RPCHistoryUnavailable {
		t.Errorf("pruned: %v (%v)", fates, err)
	}
	h.set(func() {
		h.first = 0
		delete(h.forgets, FormatTxID(id))
		slot := h.latest
		h.rows[0].slot = slot
		h.rows[0].result = json.RawMessage(strings.Replace(string(h.rows[0].result), `"slot":100029`, `"slot":`+strconv.FormatUint(slot, 10), 1))
	})
	f.must()
	if len(f.found) != 2 || f.found[1].TxID != id || f.found[1].Block.Number == f.found[0].Block.Number {
		t.Errorf("found %+v", f.found)
	}
}

// The same on the real node, with a proxy that takes a transaction back.
func TestProxyTakesBack(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	m := l.classic()
	proxy := chaintest.NewProxy(t, l.node.URL())
	id := ChainOf(l.node.Genesis())
	token := m.listed()
	token.Chain = id
	chain := newChain(t, id, token, proxy.URL())
	head, err := chain.Heads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	paid := l.run(plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(million)}})
	f := follow(t, chain, settlement.AccountCursor{Account: addressOf(m.payee), Payee: addressOf(m.bob.PublicKey()), Slot: head.Latest + 1})
	f.must()
	if len(f.found) != 1 {
		t.Fatalf("found %+v", f.found)
	}
	proxy.Intercept(func(c chaintest.Call) chaintest.Answer {
		if strings.Contains(string(c.Params), paid.String()) {
			if c.Method == "getSignatureStatuses" {
				return result(`{"context":{"slot":1},"value":[null]}`)
			}
			return chaintest.Hide
		}
		return chaintest.Pass
	})
	seen := []settlement.SeenTx{{TxID: settlement.TxID(paid[:]), Slot: f.found[0].Block.Number}}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		fates, err := chain.Fates(t.Context(), seen)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("fates %v (%v)", fates, err)
		}
		if fates[0] == settlement.FateGone {
			break
		}
	}
	final, err := chain.Heads(t.Context())
	if err != nil || final.Final < seen[0].Slot+late {
		t.Errorf("gone at final slot %d, seen in %d (%v)", final.Final, seen[0].Slot, err)
	}
}

// A node that is behind is not believed to have listed everything, nor one whose history does not reach down to the
// cursor: nothing is skipped, and the cursor stays.
func TestScanSkipsNoGap(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	f := h.follow(t, 99_000)
	old := h.pay(t, 99_500)
	lagging := newHistory(t)
	lagging.rows, lagging.account, lagging.latest, lagging.final = nil, h.account, 90_000, 89_968
	behind := h.follow(t, 99_000, lagging)
	head, err := behind.chain.Heads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.set(func() {
		h.refuse = func(c chaintest.Call) (chaintest.Answer, bool) {
			return refusal(-32005, "Node is unhealthy"), c.Method != "getSlot"
		}
	})
	err = behind.chain.Scan(t.Context(), head.Head, behind.cursor(), func(settlement.AccountScan) error { return errCrash })
	if settlement.LookCode(err) != settlement.RPCUnavailable || lagging.lists != 1 {
		t.Errorf("one is behind: %v after %d lists", err, lagging.lists)
	}
	h.set(func() { h.refuse, h.first = nil, 99_600 }) // nothing of it is left
	before := f.stored
	for range 2 {
		if err := f.scan(); settlement.LookCode(err) != settlement.RPCHistoryUnavailable || !slices.Equal(f.stored, before) {
			t.Errorf("pruned: %v", err)
		}
	}
	archive := newHistory(t)
	archive.rows, archive.account = h.rows, h.account
	both := h.follow(t, 99_000, archive)
	both.must()
	if !slices.Equal(both.ids(), []settlement.TxID{old}) {
		t.Errorf("with an archive: found %d", len(both.found))
	}
}

// The list goes on from a transaction that the fork has taken: the end of the list is then no end.
func TestListGoesOnFromWhatIsGone(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	var want []settlement.TxID
	for i := range uint64(maxPage / 100) {
		want = append(want, h.pay(t, 99_100+i))
	}
	f := h.follow(t, 99_000)
	last := h.rows[len(h.rows)-4]
	h.set(func() {
		h.refuse = func(c chaintest.Call) (chaintest.Answer, bool) {
			if c.Method != "getSignaturesForAddress" {
				return chaintest.Answer{}, false
			}
			h.forgets[last.signature] = h.lists > 0 // between two pages
			return chaintest.Answer{}, false
		}
	})
	cursor := f.cursor()
	cursor.Gaps = []settlement.AccountGap{{Before: settlement.SeenTx{TxID: mustID(t, last.signature), Slot: last.slot}, Slot: 99_000}}
	cursor.Slot = last.slot
	stored, err := cursor.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	f.stored = stored
	if err := f.scan(); settlement.LookCode(err) != settlement.RPCHistoryUnavailable {
		t.Fatalf("%v", err)
	}
	h.set(func() { h.refuse = nil; clear(h.forgets) })
	f.must()
	slices.Sort(want)
	if got := slices.Compact(f.ids()); !slices.Equal(got, want) {
		t.Errorf("%d transactions found, want %d", len(got), len(want))
	}
}

func mustID(t *testing.T, text string) settlement.TxID {
	t.Helper()
	id, err := ParseTxID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// One operator that leaves a payment out of its list does not hide it, and one that tells lies about it does not have it
// believed: it stays to be read.
func TestScanQuorum(t *testing.T) {
	t.Parallel()
	h, other := newHistory(t), newHistory(t)
	var want []settlement.TxID
	for i := range uint64(5) {
		want = append(want, h.pay(t, 99_100+i))
	}
	other.rows, other.account = slices.Clone(h.rows), h.account
	chain := h.payment.trusting(t, quorum(2), h.URL(), other.URL())
	other.set(func() {
		other.refuse = func(c chaintest.Call) (chaintest.Answer, bool) {
			if c.Method == "getSignaturesForAddress" { // it hides the third
				other.forgets[other.rows[2].signature] = true
				a := other.list(paramsOf(c))
				clear(other.forgets)
				return a, true
			}
			return chaintest.Answer{}, false
		}
		other.rows[1].result = json.RawMessage(strings.Replace(string(other.rows[1].result), `"err":null`, `"err":"lie"`, 1))
	})
	f := follow(t, chain, settlement.AccountCursor{Account: address(t, h.account), Payee: address(t, h.payment.x.Payee), Slot: 99_000})
	f.must()
	slices.Sort(want)
	liedAbout := mustID(t, h.rows[1].signature)
	believed := slices.DeleteFunc(slices.Clone(want), func(id settlement.TxID) bool { return id == liedAbout })
	if !slices.Equal(f.ids(), believed) {
		t.Errorf("%d found, want %d", len(f.found), len(believed))
	}
	if c := f.cursor(); len(c.Unread) != 1 || c.Unread[0].TxID != liedAbout || len(f.unread) != 1 || settlement.LookCode(f.unread[0].Err) != settlement.RPCInconsistent {
		t.Errorf("unread %+v, %+v", c.Unread, f.unread)
	}
	other.set(func() { other.rows[1] = h.rows[1] })
	f.must()
	if !slices.Equal(f.ids(), want) || len(f.cursor().Unread) != 0 {
		t.Errorf("%d found in the end, want %d; unread %+v", len(f.found), len(want), f.cursor().Unread)
	}
}

func paramsOf(c chaintest.Call) (params []json.RawMessage) {
	_ = json.Unmarshal(c.Params, &params) // checked before
	return params
}

// What is in no form that we know stays to be read, holds nothing up, and is found once it can be read.
func TestUnread(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	odd := h.pay(t, 99_100)
	next := h.pay(t, 99_200)
	readable := h.rows[0].result
	h.set(func() {
		h.rows[0].result = json.RawMessage(strings.Replace(string(readable), `"version":"legacy"`, `"version":2`, 1))
	})
	f := h.follow(t, 99_000)
	f.must()
	f.must()
	if !slices.Equal(f.ids(), []settlement.TxID{next}) || len(f.unread) != 2 || settlement.LookCode(f.unread[0].Err) != settlement.RPCDecodeFailed {
		t.Fatalf("found %d, unread %+v", len(f.found), f.unread)
	}
	h.set(func() { h.rows[0].result = readable })
	f.must()
	if len(f.found) != 2 || f.found[1].TxID != odd || len(f.cursor().Unread) != 0 {
		t.Errorf("found %d, unread %+v", len(f.found), f.cursor().Unread)
	}
}

// Each new transaction is read once, whatever is listed again; a quiet account costs one call and no commit.
func TestScanCost(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.pay(t, 98_000) // something older, as any account has that was ever used
	f := h.follow(t, 99_000)
	for i := range uint64(30) {
		h.advance(25)
		if i%3 == 0 {
			h.pay(t, h.latest)
		}
		lists := h.lists
		f.must()
		if h.lists > lists+1 {
			t.Errorf("%d lists in one scan", h.lists-lists)
		}
	}
	for signature, times := range h.reads {
		if times != 1 {
			t.Errorf("%s was read %d times", signature, times)
		}
	}
	if len(f.found) != 10 || f.commits != 10 {
		t.Errorf("%d found in %d commits", len(f.found), f.commits)
	}
	h.advance(2 * quietMove)
	f.must()
	if c := f.cursor(); f.commits != 11 || len(c.Seen) != 0 || c.Slot < 99_000+quietMove {
		t.Errorf("after a quiet time: %d commits, %+v", f.commits, c)
	}
}
