package orchestrationtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/settler-pay/settler/orchestration"
)

// railBody is the rail of an intent as it is sent: an object or, as the older
// document may be read, a bare name.
type railBody struct {
	Type            orchestration.RailType     `json:"type"`
	Chain           string                     `json:"chain"`
	Token           string                     `json:"token"`
	TokenAddress    string                     `json:"tokenAddress"`
	TokenMint       string                     `json:"tokenMint"`
	EscrowAddress   string                     `json:"escrowAddress"`
	ExternalURL     string                     `json:"externalUrl"`
	Provider        string                     `json:"provider"`
	AccountID       string                     `json:"accountId"`
	WalletAddress   string                     `json:"walletAddress"`
	PayerAddress    string                     `json:"payerAddress"`
	PayeeAddress    string                     `json:"payeeAddress"`
	PaymentIntentID string                     `json:"paymentIntentId"`
	Metadata        map[string]json.RawMessage `json:"metadata"`
}

func (r *railBody) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte(`"`)) {
		return json.Unmarshal(text, &r.Type)
	}
	type object railBody
	return json.Unmarshal(text, (*object)(r))
}

// check refuses a rail that the contract does not name, and addresses that are
// none on the rail's chain.
func (r railBody) check() error {
	rails := []orchestration.RailType{
		"", orchestration.RailNotRequired, orchestration.RailWallet, orchestration.RailX402, orchestration.RailVaultStripe,
		orchestration.RailWDKUSDTTransfer, orchestration.RailEscrow, orchestration.RailOnchainEscrow, orchestration.RailOffchainRecord,
		orchestration.RailExternal, orchestration.RailMPP, orchestration.RailXVV42,
	}
	if !slices.Contains(rails, r.Type) {
		return invalid("rail.type", "no rail "+strconv.Quote(string(r.Type)))
	}
	for name, address := range map[string]string{
		"tokenAddress": r.TokenAddress, "escrowAddress": r.EscrowAddress, "walletAddress": r.WalletAddress,
		"payerAddress": r.PayerAddress, "payeeAddress": r.PayeeAddress,
	} {
		if address == "" {
			continue
		}
		valid := isAddress(address) || isSolanaAddress(address)
		switch chain := caip2(r.Chain); {
		case strings.HasPrefix(chain, "eip155:"):
			valid = isAddress(address)
		case strings.HasPrefix(chain, "solana:"):
			valid = isSolanaAddress(address)
		}
		if !valid {
			return invalid("rail."+name, name+" is not an address of its chain")
		}
	}
	return nil
}

// createIntent creates the order's payment or gives the one that exists. The
// amount comes from the quote; the rail is what was asked for, gaps filled from
// the order's recommendation.
func (s *Server) createIntent(c *call) (answer, error) {
	var req struct {
		Amount   number   `json:"amount"`
		Currency string   `json:"currency"`
		Rail     railBody `json:"rail"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	if payment, ok := s.state.payments.get(order.ID); ok {
		return item(http.StatusOK, payment), nil
	}
	rail := req.Rail
	rail.fill(order.Payment)
	if err := required("rail.type", string(rail.Type)); err != nil {
		return answer{}, err
	}
	if err := rail.check(); err != nil {
		return answer{}, err
	}
	if s.cfg.EnforceRails && rail.Type != order.Payment.DefaultRail && !slices.ContainsFunc(order.Payment.SupportedRails, rail.Type.Same) {
		return answer{}, invalid("rail.type", "the service does not support "+string(rail.Type))
	}
	if amount, ok := decimal(string(req.Amount)); req.Amount != "" && (!ok || amount.Sign() <= 0) {
		return answer{}, invalid("amount", "amount is not above zero")
	}
	if s.cfg.ChainsAsCAIP2 {
		rail.Chain = caip2(rail.Chain)
	}
	payment := orchestration.MarketPayment{
		ID: newID("pay_"), OrderID: order.ID, MachineID: order.MachineID, Status: orchestration.PaymentIntentCreated,
		Notes: []string{}, CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	if rail.Type == orchestration.RailNotRequired {
		if order.Payment.Required {
			return answer{}, refuse(http.StatusPaymentRequired, orchestration.CodePaymentRequired, "the service is not free")
		}
		payment.Status = orchestration.PaymentNotRequired
		order = s.moveOrder(order, orchestration.OrderReady)
	} else {
		s.price(order, &payment)
		if s.cfg.HonourAmount && req.Amount != "" {
			payment.Amount = json.Number(req.Amount)
		}
		if s.cfg.HonourAmount && req.Currency != "" {
			payment.Currency = &req.Currency
		}
		if err := s.describe(order, &rail); err != nil {
			return answer{}, err
		}
		order = s.moveOrder(order, orchestration.OrderPaymentPending)
	}
	payment.Rail = rail.details()
	s.state.payments.put(order.ID, payment)
	count, _ := s.state.intents.get(order.ID)
	s.state.intents.put(order.ID, count+1)
	return s.told(c, item(http.StatusCreated, payment), order, "order.updated"), nil
}

func (r *railBody) fill(advice orchestration.RailRecommendation) {
	r.Type = cmp.Or(r.Type, advice.DefaultRail)
	r.Chain = cmp.Or(r.Chain, advice.Chain)
	r.Token = cmp.Or(r.Token, advice.Token)
	r.TokenAddress = cmp.Or(r.TokenAddress, advice.TokenAddress)
	r.TokenMint = cmp.Or(r.TokenMint, advice.TokenMint)
	r.Provider = cmp.Or(r.Provider, advice.Provider)
	r.ExternalURL = cmp.Or(r.ExternalURL, advice.ExternalURL)
	r.WalletAddress = cmp.Or(r.WalletAddress, advice.WalletAddress)
	r.PayerAddress = cmp.Or(r.PayerAddress, advice.PayerAddress)
	r.PayeeAddress = cmp.Or(r.PayeeAddress, advice.PayeeAddress)
	r.PaymentIntentID = cmp.Or(r.PaymentIntentID, newID("pi_"))
}

func (r railBody) details() orchestration.RailDetails {
	return orchestration.RailDetails{
		Type: r.Type, Chain: r.Chain, Token: r.Token, TokenAddress: r.TokenAddress, TokenMint: r.TokenMint, EscrowAddress: r.EscrowAddress,
		ExternalURL: r.ExternalURL, Provider: r.Provider, AccountID: r.AccountID, WalletAddress: r.WalletAddress,
		PayerAddress: r.PayerAddress, PayeeAddress: r.PayeeAddress, PaymentIntentID: r.PaymentIntentID, Metadata: r.Metadata,
	}
}

// describe adds what the service knows: its escrow, the token's decimals, base
// units, the provider's x402 challenge. What the request says stays.
func (s *Server) describe(order orchestration.MarketOrder, rail *railBody) error {
	service, _ := s.services.get(order.ServiceID)
	known := map[string]json.RawMessage{}
	switch rail.Type {
	case orchestration.RailEscrow, orchestration.RailOnchainEscrow:
		rail.EscrowAddress = cmp.Or(rail.EscrowAddress, service.EscrowAddress)
	case orchestration.RailX402:
		challenge, err := service.challenge()
		if err != nil {
			return err
		}
		known["paymentRequest"] = challenge
	}
	if service.TokenDecimals != nil {
		known["tokenDecimals"] = json.RawMessage(strconv.Itoa(*service.TokenDecimals))
	}
	if service.RawAmount != "" {
		known["rawAmount"] = json.RawMessage(strconv.Quote(service.RawAmount))
	}
	maps.Copy(known, rail.Metadata)
	rail.Metadata = known
	return nil
}

// pricing is what the order's quote says, or without one the service. Caller
// holds s.mu.
func (s *Server) pricing(order orchestration.MarketOrder) orchestration.Pricing {
	if order.QuoteID != nil {
		if quote, ok := s.state.quotes.get(*order.QuoteID); ok {
			return quote.Pricing
		}
	}
	if service, ok := s.services.get(order.ServiceID); ok {
		return service.pricing()
	}
	return orchestration.Pricing{}
}

func (s *Server) price(order orchestration.MarketOrder, payment *orchestration.MarketPayment) {
	pricing := s.pricing(order)
	payment.Amount = pricing.Amount
	if pricing.Currency != "" {
		payment.Currency = &pricing.Currency
	}
}

func (s *Server) getPayment(c *call) (answer, error) {
	id := c.PathValue("order")
	if _, ok := s.state.orders.get(id); !ok {
		return answer{}, notFound("order")
	}
	payment, ok := s.state.payments.get(id)
	switch {
	case ok:
		return item(http.StatusOK, payment), nil
	case s.cfg.PaymentMissing404:
		return answer{}, notFound("payment")
	}
	return item(http.StatusOK, nil), nil
}

// movePayment moves the order's payment when it is in one of from, and gives it
// as it is then; nil without one. Caller holds s.mu.
func (s *Server) movePayment(orderID string, to orchestration.PaymentStatus, from ...orchestration.PaymentStatus) *orchestration.MarketPayment {
	payment, ok := s.state.payments.get(orderID)
	if !ok {
		return nil
	}
	if slices.Contains(from, payment.Status) {
		payment.Status, payment.UpdatedAt = to, s.now()
		s.state.payments.put(orderID, payment)
	}
	return &payment
}

// lockEscrow records what the caller says about a deposit; nobody looks at the
// chain (contract, 10.2). Repeated on a held payment it changes nothing.
func (s *Server) lockEscrow(c *call) (answer, error) {
	var req struct {
		TransactionHash string `json:"transactionHash"`
		Chain           string `json:"chain"`
		EscrowAddress   string `json:"escrowAddress"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := required("transactionHash", req.TransactionHash, "chain", req.Chain, "escrowAddress", req.EscrowAddress); err != nil {
		return answer{}, err
	}
	order, payment, err := s.payable(c)
	if err != nil {
		return answer{}, err
	}
	escrow := payment.Rail.Type == orchestration.RailEscrow || payment.Rail.Type == orchestration.RailOnchainEscrow
	switch {
	case !escrow && !s.cfg.LockAnyRail:
		return answer{}, invalid("rail.type", "the payment's rail is "+string(payment.Rail.Type))
	case payment.Status == orchestration.PaymentHeld:
		return item(http.StatusOK, payment), nil
	case payment.Status != orchestration.PaymentIntentCreated:
		return answer{}, invalid("status", "the payment is "+string(payment.Status))
	}
	if err := s.payOnce(order.ID, req.Chain, req.TransactionHash); err != nil {
		return answer{}, err
	}
	payment.Rail.EscrowAddress = req.EscrowAddress
	payment.Proof = &orchestration.Proof{
		Chain: s.chainName(req.Chain), Token: payment.Rail.Token, TransactionHash: req.TransactionHash, PayerAddress: payment.Rail.PayerAddress,
		VerifiedAt: s.now(), VerificationMode: orchestration.VerificationRecorded,
	}
	return s.hold(c, order, payment), nil
}

// hold makes the payment held and the order ready.
func (s *Server) hold(c *call, order orchestration.MarketOrder, payment orchestration.MarketPayment) answer {
	payment.Status, payment.UpdatedAt = orchestration.PaymentHeld, s.now()
	s.state.payments.put(order.ID, payment)
	order = s.moveOrder(order, orchestration.OrderReady)
	return s.told(c, item(http.StatusOK, payment), order, "order.updated")
}

func (s *Server) release(c *call) (answer, error) {
	return s.payOut(c, orchestration.PaymentReleased, []orchestration.PaymentStatus{orchestration.PaymentReleasePending})
}

func (s *Server) refund(c *call) (answer, error) {
	from := s.cfg.RefundFrom
	if from == nil {
		from = []orchestration.PaymentStatus{orchestration.PaymentHeld, orchestration.PaymentFrozen, orchestration.PaymentReleasePending}
	}
	return s.payOut(c, orchestration.PaymentRefunded, from)
}

// payOut ends a payment. A closed order does not hinder it: a release follows
// the confirmation that closed it. Hash and text are kept in the notes, the
// contract has no field for them.
func (s *Server) payOut(c *call, to orchestration.PaymentStatus, from []orchestration.PaymentStatus) (answer, error) {
	var req struct {
		TransactionHash string `json:"transactionHash"`
		Notes           string `json:"notes"`
		Reason          string `json:"reason"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	order, err := s.writable(c)
	if err != nil {
		return answer{}, err
	}
	payment, ok := s.state.payments.get(order.ID)
	if !ok {
		return answer{}, notFound("payment")
	}
	if !slices.Contains(from, payment.Status) {
		code := cmp.Or(s.cfg.PayoutCode, orchestration.CodeValidation)
		status := http.StatusConflict
		if code == orchestration.CodeValidation {
			status = http.StatusBadRequest
		}
		return answer{}, refuse(status, code, "the payment is "+string(payment.Status))
	}
	payment.Status, payment.UpdatedAt = to, s.now()
	payment.Notes = slices.Clone(payment.Notes)
	if req.TransactionHash != "" {
		payment.Notes = append(payment.Notes, string(to)+" by "+req.TransactionHash)
	}
	if text := cmp.Or(req.Notes, req.Reason); text != "" {
		payment.Notes = append(payment.Notes, text)
	}
	s.state.payments.put(order.ID, payment)
	return s.told(c, item(http.StatusOK, payment), order, "order.updated"), nil
}
