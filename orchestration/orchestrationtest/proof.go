package orchestrationtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// chainNames are the names that the vendor's buyer knows (contract, 9.4).
var chainNames = map[string]string{
	"peaq": "eip155:3338", "agung": "eip155:9990", "base": "eip155:8453", "ethereum": "eip155:1", "eth": "eip155:1",
	"polygon": "eip155:137", "arbitrum": "eip155:42161", "optimism": "eip155:10", "bsc": "eip155:56",
}

// solanaMainnet is the chain that all of the vendor's names for Solana mean.
const solanaMainnet = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"

// caip2 is the chain's CAIP-2 name, for names that the vendor's buyer knows.
func caip2(chain string) string {
	name := strings.ToLower(strings.TrimSpace(chain))
	if id, ok := chainNames[name]; ok {
		return id
	}
	if name == "solana" || name == "solana:mainnet" {
		return solanaMainnet
	}
	return chain
}

// chainName is how a chain is stored.
func (s *Server) chainName(chain string) string {
	if s.cfg.ChainsAsCAIP2 {
		return caip2(chain)
	}
	return chain
}

// ProofRecord is one accepted proof. X402Signature is that of an x402 proof,
// whose other fields are what its metadata says.
type ProofRecord struct {
	Proof         orchestration.PaymentProof
	X402Signature string
	PairingID     string
	At            time.Time
}

// proofBody is both kinds of proof that the path takes: Payment is set in those
// of x402.
type proofBody struct {
	VerificationMode     orchestration.VerificationMode `json:"verificationMode"`
	Chain                string                         `json:"chain"`
	Token                string                         `json:"token"`
	PayerAddress         string                         `json:"payerAddress"`
	PayeeAddress         string                         `json:"payeeAddress"`
	Amount               string                         `json:"amount"`
	TransactionHash      string                         `json:"transactionHash"`
	TransactionSignature string                         `json:"transactionSignature"`
	TokenAddress         string                         `json:"tokenAddress"`
	TokenMint            string                         `json:"tokenMint"`
	TokenDecimals        *int                           `json:"tokenDecimals"`
	RawAmount            string                         `json:"rawAmount"`
	Metadata             map[string]json.RawMessage     `json:"metadata"`
	PaymentReference     string                         `json:"paymentReference"`
	Payment              *struct {
		PaymentSignature string `json:"paymentSignature"`
	} `json:"payment"`
}

func (p proofBody) solana() bool { return strings.HasPrefix(caip2(p.Chain), "solana") }

// transaction is what the chain calls it.
func (p proofBody) transaction() string { return cmp.Or(p.TransactionHash, p.TransactionSignature) }

var digitsForm = regexp.MustCompile(`^[0-9]{1,78}$`)

func (p proofBody) check() error {
	err := required("verificationMode", string(p.VerificationMode), "chain", p.Chain, "payerAddress", p.PayerAddress,
		"payeeAddress", p.PayeeAddress, "amount", p.Amount)
	if err != nil {
		return err
	}
	amount, ok := decimal(p.Amount)
	switch {
	case p.VerificationMode != orchestration.VerificationRecorded && p.VerificationMode != orchestration.VerificationRPC:
		return invalid("verificationMode", "verificationMode is neither recorded nor rpc")
	case p.solana() && p.TransactionSignature == "":
		return invalid("transactionSignature", "the transaction is required")
	case !p.solana() && p.TransactionHash == "":
		return invalid("transactionHash", "the transaction is required")
	case !ok || amount.Sign() < 0:
		return invalid("amount", "amount is not a decimal number")
	case p.RawAmount != "" && !digitsForm.MatchString(p.RawAmount):
		return invalid("rawAmount", "rawAmount is not a whole number of base units")
	case p.TokenDecimals != nil && (*p.TokenDecimals < 0 || *p.TokenDecimals > 255):
		return invalid("tokenDecimals", "tokenDecimals is not 0 to 255")
	}
	return nil
}

func (s *Server) submitProof(c *call) (answer, error) {
	var proof proofBody
	if err := c.decode(&proof); err != nil {
		return answer{}, err
	}
	if proof.Payment != nil {
		return s.submitX402(c, proof)
	}
	if err := proof.check(); err != nil {
		return answer{}, err
	}
	if proof.solana() { // always recorded, whatever was asked for
		proof.VerificationMode = orchestration.VerificationRecorded
	}
	order, payment, err := s.awaiting(c, proof.transaction())
	if err != nil || payment.Status == orchestration.PaymentHeld {
		return item(http.StatusOK, payment), err
	}
	if s.cfg.CompareProof {
		if err := proof.compare(payment); err != nil {
			return answer{}, err
		}
	}
	if proof.VerificationMode == orchestration.VerificationRPC {
		url := s.rpc[caip2(proof.Chain)]
		// No lock is held while the chain is asked; the state is checked again.
		s.mu.Unlock()
		_, err := s.lookAt(c.Context(), url, proof)
		s.mu.Lock()
		if err != nil {
			return answer{}, err
		}
		order, payment, err = s.awaiting(c, proof.transaction())
		if err != nil || payment.Status == orchestration.PaymentHeld {
			return item(http.StatusOK, payment), err
		}
	}
	return s.accept(c, order, payment, proof)
}

// payable finds order and payment of a proof or lock. Caller holds s.mu.
func (s *Server) payable(c *call) (orchestration.MarketOrder, orchestration.MarketPayment, error) {
	order, err := s.unfinished(c)
	if err != nil {
		return order, orchestration.MarketPayment{}, err
	}
	payment, ok := s.state.payments.get(order.ID)
	switch {
	case ok:
	case !s.cfg.ProofWithoutIntent:
		return order, payment, notFound("payment")
	default:
		payment = orchestration.MarketPayment{
			ID: newID("pay_"), OrderID: order.ID, MachineID: order.MachineID, Status: orchestration.PaymentIntentCreated,
			Notes: []string{}, CreatedAt: s.now(), UpdatedAt: s.now(),
		}
		var rail railBody
		rail.fill(order.Payment)
		payment.Rail = rail.details()
		s.price(order, &payment)
	}
	return order, payment, nil
}

// awaiting is payable for a proof: the payment waits for one, or it is held by
// this very transaction and the switch for that is on. Caller holds s.mu.
func (s *Server) awaiting(c *call, transaction string) (orchestration.MarketOrder, orchestration.MarketPayment, error) {
	order, payment, err := s.payable(c)
	if err != nil {
		return order, payment, err
	}
	repeated := payment.Status == orchestration.PaymentHeld && payment.Proof != nil && transaction != "" &&
		(payment.Proof.TransactionHash == transaction || payment.Proof.TransactionSignature == transaction)
	if payment.Status != orchestration.PaymentIntentCreated && (!repeated || !s.cfg.RepeatProof) {
		return order, payment, invalid("status", "the payment is "+string(payment.Status))
	}
	return order, payment, nil
}

// compare is CompareProof: the proof is about what the payment asks for.
func (p proofBody) compare(payment orchestration.MarketPayment) error {
	rail := payment.Rail
	differ := func(said, wanted string) bool { return wanted != "" && !strings.EqualFold(said, wanted) }
	said, _ := decimal(p.Amount)
	wanted, priced := decimal(string(payment.Amount))
	switch {
	case differ(caip2(p.Chain), caip2(rail.Chain)):
		return invalid("chain", "the payment is due on "+rail.Chain)
	case differ(p.TokenAddress, rail.TokenAddress) || differ(p.TokenMint, rail.TokenMint):
		return invalid("tokenAddress", "the payment is due in another token")
	case differ(p.PayeeAddress, rail.PayeeAddress):
		return invalid("payeeAddress", "the payment is due to "+rail.PayeeAddress)
	case priced && said.Cmp(wanted) < 0:
		return invalid("amount", "the payment is due in full: "+string(payment.Amount))
	}
	return nil
}

// payOnce remembers which order a transaction paid first, and with OnceOnly
// refuses it for another. Caller holds s.mu.
func (s *Server) payOnce(orderID, chain, transaction string) error {
	key := caip2(chain) + "/" + transaction
	first, ok := s.state.paid.get(key)
	if !ok {
		s.state.paid.put(key, orderID)
		return nil
	}
	if first != orderID && s.cfg.OnceOnly {
		return invalid("transactionHash", "the transaction has paid another order")
	}
	return nil
}

// accept keeps the proof and makes the payment held and the order ready.
func (s *Server) accept(c *call, order orchestration.MarketOrder, payment orchestration.MarketPayment, proof proofBody) (answer, error) {
	if err := s.payOnce(order.ID, proof.Chain, proof.transaction()); err != nil {
		return answer{}, err
	}
	payment.Proof = &orchestration.Proof{
		Chain: s.chainName(proof.Chain), Token: proof.Token, TransactionHash: proof.TransactionHash,
		TransactionSignature: proof.TransactionSignature, PayerAddress: proof.PayerAddress, VerifiedAt: s.now(),
		VerificationMode: proof.VerificationMode, Metadata: proof.Metadata,
	}
	if s.cfg.SolanaAsHash && proof.TransactionSignature != "" {
		payment.Proof.TransactionHash, payment.Proof.TransactionSignature = proof.TransactionSignature, ""
	}
	if proof.VerificationMode == orchestration.VerificationRPC && payment.Rail.Type == orchestration.RailWallet {
		payment.Rail.Type = orchestration.RailWDKUSDTTransfer
	}
	metadata := map[string]any{}
	for name, value := range proof.Metadata {
		metadata[name] = value
	}
	s.keepProof(c, order.ID, ProofRecord{Proof: orchestration.PaymentProof{
		VerificationMode: proof.VerificationMode, Chain: proof.Chain, Token: proof.Token, PayerAddress: proof.PayerAddress,
		PayeeAddress: proof.PayeeAddress, Amount: proof.Amount, TransactionHash: proof.TransactionHash,
		TransactionSignature: proof.TransactionSignature, TokenAddress: proof.TokenAddress, TokenMint: proof.TokenMint,
		TokenDecimals: proof.TokenDecimals, RawAmount: proof.RawAmount, Metadata: metadata,
	}})
	return s.hold(c, order, payment), nil
}

func (s *Server) keepProof(c *call, orderID string, proof ProofRecord) {
	proof.PairingID, proof.At = c.token.PairingID, s.cfg.Now()
	kept, _ := s.state.proofs.get(orderID)
	s.state.proofs.put(orderID, append(slices.Clone(kept), proof))
}
