package evm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

// Endpoint is one JSON-RPC server. Its URL may hold a key: it is in no error of this package.
type Endpoint struct {
	Name   string
	URL    string
	Header http.Header
}

// MoverConfig is what NewMover needs. All fields are required but those that name a default.
type MoverConfig struct {
	Chain     settlement.ChainID
	Endpoints []Endpoint // reads are asked of them in this order; transactions go to all
	Signer    Signer
	// Depth or Tag says which blocks are final, as in the chain's own rule: exactly one of them.
	Depth uint64
	Tag   string
	// MaxFee is what a unit of gas may cost at most, in wei.
	MaxFee *big.Int
	// MaxFeeUrgent is that of urgent transactions. Defaults to MaxFee.
	MaxFeeUrgent *big.Int
	// Margin is the time that a transaction must have left to be in a block before a reclaim deadline. Defaults to 5 min.
	Margin time.Duration
	// HTTPClient defaults to one of its own.
	HTTPClient *http.Client
	// Timeout bounds all calls of one look together. Defaults to 15 s.
	Timeout time.Duration
}

// Gas that calls may use. A transfer must find 360,000 left to begin (see OrderVault), which is given back where it is not
// used; deploying a vault and paying costs some 255,000.
const (
	gasAlone     = 900_000
	gasOfBatch   = 300_000
	gasEach      = 700_000 // limit of a batch's member
	gasOfMember  = 220_000 // what a member of a batch costs
	gasOfOwn     = 400_000 // a transfer out of our own wallet: as much as a vault leaves to one
	bumpNumer    = 9       // a fee bump is at least an eighth: nodes refuse less than a tenth
	bumpDenom    = 8
	defaultAhead = 2 // a fee cap of so many base fees outlives some full blocks
)

// Mover pays out of vaults, or out of the signer's own wallet, with one signer's key on one chain. It keeps nothing: whoever calls it stores what comes back
// before the next step.
type Mover struct {
	cfg     MoverConfig
	chainID *big.Int
	clients []*rpc.Client
	names   []string
}

// NewMover opens the endpoints; those over HTTP are not asked anything yet.
func NewMover(ctx context.Context, cfg MoverConfig) (*Mover, error) {
	id, err := strconv.ParseUint(cfg.Chain.Reference(), 10, 64)
	switch {
	case err != nil || cfg.Chain.Namespace() != "eip155":
		return nil, fmt.Errorf("chain %q is not an EVM chain", cfg.Chain)
	case len(cfg.Endpoints) == 0 || cfg.Signer == nil:
		return nil, errors.New("an endpoint and a signer are required")
	case (cfg.Depth == 0) == (cfg.Tag == ""):
		return nil, errors.New("exactly one of depth and tag is required")
	case cfg.MaxFee == nil || cfg.MaxFee.Sign() <= 0:
		return nil, errors.New("a cap on the fee is required")
	}
	if cfg.Margin <= 0 {
		cfg.Margin = 5 * time.Minute
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{}
	}
	m := &Mover{cfg: cfg, chainID: new(big.Int).SetUint64(id)}
	for _, e := range cfg.Endpoints {
		client, err := rpc.DialOptions(ctx, e.URL, rpc.WithHTTPClient(cfg.HTTPClient), rpc.WithHeaders(e.Header))
		if err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", e.Name, quiet(err))
		}
		m.clients, m.names = append(m.clients, client), append(m.names, e.Name)
	}
	return m, nil
}

// Close ends the connections.
func (m *Mover) Close() {
	for _, c := range m.clients {
		c.Close()
	}
}

// Signer is the operator of the vaults that are paid from, or the wallet that is.
func (m *Mover) Signer() settlement.Address {
	address := m.cfg.Signer.Address()
	return settlement.Address(address[:])
}

// quiet drops the URL, which net/http puts into its errors.
func quiet(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// ask lets look ask one endpoint after the other until one has answered. All of one look's answers are of one endpoint.
func (m *Mover) ask(ctx context.Context, look func(context.Context, *rpc.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	var faults []error
	for i, client := range m.clients {
		each, cancel := context.WithTimeout(ctx, m.cfg.Timeout/time.Duration(len(m.clients)))
		err := look(each, client)
		cancel()
		if err == nil {
			return nil
		}
		faults = append(faults, fmt.Errorf("endpoint %s: %w", m.names[i], quiet(err)))
	}
	return &settlement.LookError{Code: settlement.RPCUnavailable, Err: errors.Join(faults...)}
}

// header is what is read of a block's.
type header struct {
	Number  hexutil.Uint64 `json:"number"`
	Hash    common.Hash    `json:"hash"`
	Time    hexutil.Uint64 `json:"timestamp"`
	BaseFee *hexutil.Big   `json:"baseFeePerGas"`
}

func readHeader(ctx context.Context, client *rpc.Client, block string) (header, error) {
	var h *header
	if err := client.CallContext(ctx, &h, "eth_getBlockByNumber", block, false); err != nil {
		return header{}, fmt.Errorf("read block %s: %w", block, err)
	}
	if h == nil {
		return header{}, fmt.Errorf("block %s is not there", block)
	}
	return *h, nil
}

// final is the highest final block.
func (m *Mover) final(ctx context.Context, client *rpc.Client) (header, error) {
	if m.cfg.Tag != "" {
		return readHeader(ctx, client, m.cfg.Tag)
	}
	latest, err := readHeader(ctx, client, "latest")
	if err != nil {
		return header{}, err
	}
	if uint64(latest.Number) < m.cfg.Depth {
		return header{}, fmt.Errorf("the chain has %d blocks, none of them final", latest.Number)
	}
	return readHeader(ctx, client, hexutil.EncodeUint64(uint64(latest.Number)-m.cfg.Depth))
}

// CheckChain asks every endpoint for its chain.
func (m *Mover) CheckChain(ctx context.Context) error { return m.checkEach(ctx, m.checkChain) }

// Check asks every endpoint for its chain, and whether the vaults' factory there puts vaults where we do.
func (m *Mover) Check(ctx context.Context) error { return m.checkEach(ctx, m.check) }

func (m *Mover) checkEach(ctx context.Context, check func(context.Context, *rpc.Client) error) error {
	var faults []error
	for i, client := range m.clients {
		each, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
		err := check(each, client)
		cancel()
		if err != nil {
			faults = append(faults, fmt.Errorf("endpoint %s: %w", m.names[i], quiet(err)))
		}
	}
	return errors.Join(faults...)
}

func (m *Mover) checkChain(ctx context.Context, client *rpc.Client) error {
	var id hexutil.Big
	if err := client.CallContext(ctx, &id, "eth_chainId"); err != nil {
		return err
	}
	if id.ToInt().Cmp(m.chainID) != 0 {
		return fmt.Errorf("it serves chain %s, not %s", id.ToInt(), m.chainID)
	}
	return nil
}

func (m *Mover) check(ctx context.Context, client *rpc.Client) error {
	if err := m.checkChain(ctx, client); err != nil {
		return err
	}
	sample := Terms{
		ChainID: m.chainID.Uint64(), OrderKey: [32]byte{1}, Token: common.Address{2}, Amount: settlement.NewAmount(3), Payer: common.Address{4},
		Payee: common.Address{5}, Operator: common.Address{6}, Arbiter: common.Address{7}, ReclaimDeadline: time.Unix(8, 0), DisputeDeadline: time.Unix(9, 0),
	}
	out, err := callAt(ctx, client, common.Address{}, Factory, contracts.NewOrderVaults().PackVaultOf(sample.contract()), "latest")
	switch {
	case err != nil:
		return fmt.Errorf("ask the vaults' factory: %w", err)
	case len(out) == 0:
		return fmt.Errorf("there is no vaults' factory at %s: deploy it, or hand out no vaults on this chain", Factory)
	case common.BytesToAddress(out) != sample.Vault():
		return errors.New("the vaults' factory puts vaults elsewhere: this chain has another CREATE2 rule")
	}
	return nil
}

// Code reads what vaults run on, of which every endpoint must show the same.
func (m *Mover) Code(ctx context.Context) (settlement.VaultCode, error) {
	code := settlement.VaultCode{Factory: settlement.Address(Factory[:])}
	err := m.checkEach(ctx, func(ctx context.Context, client *rpc.Client) error {
		var parts [2]hexutil.Bytes
		for i, at := range []common.Address{Factory, implementation} {
			if err := client.CallContext(ctx, &parts[i], "eth_getCode", at, "latest"); err != nil {
				return fmt.Errorf("read the code at %s: %w", at, err)
			}
			if len(parts[i]) == 0 {
				return fmt.Errorf("there is no code at %s", at)
			}
		}
		hash := [32]byte(crypto.Keccak256(parts[0], parts[1]))
		if code.Hash != [32]byte{} && code.Hash != hash {
			return errors.New("it shows other code of the vaults than the endpoints before it")
		}
		code.Hash = hash
		return nil
	})
	return code, err
}

// call0 is the argument of eth_call.
type call0 struct {
	From  common.Address `json:"from"`
	To    common.Address `json:"to"`
	Gas   hexutil.Uint64 `json:"gas,omitempty"`
	Value *hexutil.Big   `json:"value,omitempty"`
	Data  hexutil.Bytes  `json:"data"`
}

func callAt(ctx context.Context, client *rpc.Client, from, to common.Address, data []byte, block string) ([]byte, error) {
	var out hexutil.Bytes
	err := client.CallContext(ctx, &out, "eth_call", call0{From: from, To: to, Data: data}, block)
	return out, err
}

// Nonces is how many transactions of the account are in blocks, and how many there are with those that wait in the pool.
func (m *Mover) Nonces(ctx context.Context, of settlement.Address) (mined, known uint64, err error) {
	var counts [2]hexutil.Uint64
	err = m.ask(ctx, func(ctx context.Context, client *rpc.Client) error {
		for i, block := range []string{"latest", "pending"} {
			if err := client.CallContext(ctx, &counts[i], "eth_getTransactionCount", common.BytesToAddress([]byte(of)), block); err != nil {
				return fmt.Errorf("read the nonce of %s: %w", of, err)
			}
		}
		return nil
	})
	return uint64(counts[0]), uint64(counts[1]), err
}

// Prepare reads the vaults at the final block and makes one transaction of those movements that can be carried out as it
// stands.
func (m *Mover) Prepare(ctx context.Context, movements []settlement.Movement) (settlement.Prepared, error) {
	var out settlement.Prepared
	err := m.ask(ctx, func(ctx context.Context, client *rpc.Client) (err error) {
		out, err = m.prepare(ctx, client, movements)
		return err
	})
	return out, err
}

func (m *Mover) prepare(ctx context.Context, client *rpc.Client, movements []settlement.Movement) (settlement.Prepared, error) {
	var out settlement.Prepared
	var nonce hexutil.Uint64
	// With those that wait: one that our books do not know may still be carried out.
	if err := client.CallContext(ctx, &nonce, "eth_getTransactionCount", m.cfg.Signer.Address(), "pending"); err != nil {
		return out, fmt.Errorf("read the signer's nonce: %w", err)
	}
	out.Nonce = uint64(nonce)
	latest, err := readHeader(ctx, client, "latest")
	if err != nil {
		return out, err
	}
	final, err := m.final(ctx, client)
	if err != nil {
		return out, err
	}
	if len(movements) == 1 && movements[0].Direct != nil {
		return m.prepareDirect(ctx, client, out, movements[0], hexutil.EncodeUint64(uint64(final.Number)))
	}
	terms := make([]Terms, len(movements))
	balances, states := make([]hexutil.Bytes, len(movements)), make([]hexutil.Bytes, len(movements))
	var batch []rpc.BatchElem
	for i, mv := range movements {
		if terms[i], err = FromVault(mv.Vault); err != nil {
			return out, fmt.Errorf("vault of payment %s: %w", mv.Payment, err)
		}
		vault := terms[i].Vault()
		block := hexutil.EncodeUint64(uint64(final.Number))
		batch = append(batch,
			rpc.BatchElem{Method: "eth_call", Args: []any{call0{To: terms[i].Token, Data: contracts.NewTestUSD().PackBalanceOf(vault)}, block}, Result: &balances[i]},
			rpc.BatchElem{Method: "eth_call", Args: []any{call0{To: vault, Data: contracts.NewOrderVault().PackState()}, block}, Result: &states[i]},
		)
	}
	if len(batch) == 0 {
		return out, nil
	}
	if err := client.BatchCallContext(ctx, batch); err != nil {
		return out, fmt.Errorf("read %d vaults: %w", len(movements), err)
	}
	for _, e := range batch {
		if e.Error != nil && !reverted(e.Error) {
			return out, fmt.Errorf("read a vault: %w", e.Error)
		}
	}
	var pays []contracts.OrderVaultsPayment
	for i, mv := range movements {
		var reason settlement.Code
		var detail string
		if err = cmp.Or(batch[2*i].Error, batch[2*i+1].Error); err != nil { // of one token or vault: the others go on
			reason, detail, err = settlement.VaultUnreadable, fmt.Sprintf("asked what the vault has: %v", err), nil
		} else {
			reason, detail, err = m.refuse(mv, balances[i], states[i], time.Unix(int64(latest.Time), 0)) //nolint:gosec // a block's time
		}
		switch {
		case err != nil:
			return out, fmt.Errorf("vault of payment %s: %w", mv.Payment, err)
		case reason != "":
			out.Refused = append(out.Refused, settlement.RefusedMovement{Movement: mv, Reason: reason, Detail: detail})
		default:
			out.Movements = append(out.Movements, mv)
			pays = append(pays, paymentOf(terms[i], mv))
		}
	}
	switch len(pays) {
	case 0:
	case 1:
		out.Call = factoryCall(contracts.NewOrderVaults().PackPay(pays[0]))
	default:
		out.Call = settlement.Call{
			Target: settlement.Address(Factory[:]), Data: contracts.NewOrderVaults().PackPayBatch(pays, big.NewInt(gasEach)),
			Gas: gasOfBatch + gasEach + uint64(len(pays))*gasOfMember,
		}
	}
	return out, nil
}

// reverted reports whether a contract refused a call, which says nothing against the endpoint.
func reverted(err error) bool {
	refusal, ok := errors.AsType[rpc.Error](err)
	return ok && (refusal.ErrorCode() == 3 || strings.Contains(strings.ToLower(err.Error()), "revert"))
}

func paymentOf(t Terms, m settlement.Movement) contracts.OrderVaultsPayment {
	return contracts.OrderVaultsPayment{
		Terms: t.contract(), Part: big.NewInt(int64(m.Part)), ToPayee: m.ToPayee.Big(), ToPayer: m.ToPayer.Big(),
	}
}

// FreezeCall is the call by which the arbiter freezes the vault.
func FreezeCall(v settlement.Vault) (settlement.Call, error) {
	terms, err := FromVault(v)
	if err != nil {
		return settlement.Call{}, fmt.Errorf("vault %s: %w", v.Address, err)
	}
	return factoryCall(contracts.NewOrderVaults().PackFreeze(terms.contract())), nil
}

// PayCall is the call by which the operator pays one movement out of its vault.
func PayCall(mv settlement.Movement) (settlement.Call, error) {
	terms, err := FromVault(mv.Vault)
	if err != nil {
		return settlement.Call{}, fmt.Errorf("vault %s: %w", mv.Vault.Address, err)
	}
	return factoryCall(contracts.NewOrderVaults().PackPay(paymentOf(terms, mv))), nil
}

// ReclaimCall is the call by which the payer takes back all that is in the vault, to himself.
func ReclaimCall(v settlement.Vault) (settlement.Call, error) {
	terms, err := FromVault(v)
	if err != nil {
		return settlement.Call{}, fmt.Errorf("vault %s: %w", v.Address, err)
	}
	return factoryCall(contracts.NewOrderVaults().PackReclaim(terms.contract(), terms.Payer)), nil
}

func factoryCall(data []byte) settlement.Call {
	return settlement.Call{Target: settlement.Address(Factory[:]), Data: data, Gas: gasAlone}
}

// refuse says why the vault cannot pay the movement; state is empty where the vault was not deployed.
func (m *Mover) refuse(mv settlement.Movement, balance, state []byte, now time.Time) (settlement.Code, string, error) {
	if len(balance) != 32 {
		return "", "", fmt.Errorf("the token answers its balance in %d bytes", len(balance))
	}
	has := new(big.Int).SetBytes(balance)
	until, whose := mv.Vault.ReclaimAt, "the payer may take the money back"
	if len(state) > 0 {
		books, err := contracts.NewOrderVault().UnpackState(state)
		if err != nil {
			return "", "", fmt.Errorf("read its books: %w", err)
		}
		has.Sub(has, new(big.Int).Add(books.OwedToPayee, books.OwedToPayer))
		switch {
		case books.Parts.Bit(int(mv.Part)) != 0:
			return settlement.VaultPartUsed, fmt.Sprintf("part %d was paid on the chain before", mv.Part), nil
		case books.Frozen && m.Signer() != mv.Vault.Arbiter:
			return settlement.VaultFrozen, "the vault is frozen on the chain: the arbiter divides it", nil
		case books.Frozen:
			until, whose = mv.Vault.DisputeAt, "either party may have it divided by default"
		}
	}
	need := mv.ToPayee.Add(mv.ToPayer)
	switch {
	case !now.Add(m.cfg.Margin).Before(until):
		return settlement.VaultReclaim, fmt.Sprintf("%s from %s on", whose, until.UTC().Format(time.RFC3339)), nil
	case has.Cmp(need.Big()) < 0:
		return settlement.VaultShort, fmt.Sprintf("the vault has %s base units at the final block, and %s are to be moved", has, need), nil
	}
	return "", "", nil
}
