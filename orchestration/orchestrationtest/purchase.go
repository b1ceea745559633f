package orchestrationtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/settler-pay/settler/orchestration"
)

// listing is an offer of the stream market with what its seller added.
type listing struct {
	Listing
	Resource        json.RawMessage `json:"resource,omitempty"`
	PaymentRails    json.RawMessage `json:"paymentRails,omitempty"`
	DeliveryOptions json.RawMessage `json:"deliveryOptions,omitempty"`
	UpdatedAt       string          `json:"updatedAt"`
}

// purchase is a purchase as it is shown, and beside it what is not.
type purchase struct {
	ID        string          `json:"id"`
	Status    string          `json:"status"`
	Resource  json.RawMessage `json:"resource"`
	Buyer     json.RawMessage `json:"buyer"`
	Payment   purchasePayment `json:"payment"`
	Delivery  map[string]any  `json:"delivery"`
	CreatedAt string          `json:"createdAt"`
	UpdatedAt string          `json:"updatedAt"`

	ListingID string          `json:"listingId"`
	MachineID string          `json:"machineId"` // of the buyer's pairing
	BuyerID   string          `json:"buyerId"`
	Access    json.RawMessage `json:"access"`  // prepared by the seller
	Connect   json.RawMessage `json:"connect"` // where to fetch it
}

type purchasePayment struct {
	Status     string  `json:"status"`
	Rail       *string `json:"rail"`
	Reference  *string `json:"reference"`
	RecordedAt *string `json:"recordedAt"`
}

// wire is the purchase without what gives access.
func (p purchase) wire() map[string]any {
	return map[string]any{
		"id": p.ID, "status": p.Status, "resource": p.Resource, "buyer": p.Buyer, "payment": p.Payment, "delivery": p.Delivery,
		"createdAt": p.CreatedAt, "updatedAt": p.UpdatedAt,
	}
}

func (s *Server) listPaymentRails(*call) (answer, error) {
	chains, tokens := []string{}, []string{}
	for _, each := range s.state.listings.all(func(listing) bool { return true }) {
		if !slices.Contains(chains, each.Chain) {
			chains = append(chains, each.Chain)
		}
		if !slices.Contains(tokens, each.Token) {
			tokens = append(tokens, each.Token)
		}
	}
	return whole([]any{
		map[string]any{"type": "x402", "chains": chains, "tokens": tokens, "requiresProof": true},
		map[string]any{"type": "transfer", "chains": chains, "tokens": tokens, "verification": "destination-chain-finality"},
	}), nil
}

func (s *Server) listDeliveryTransports(*call) (answer, error) {
	return whole([]any{
		map[string]any{
			"mode": "p2p", "transportId": "peaqos-p2p", "version": "1", "features": []string{}, "signaling": "peaqos-socket",
			"protocols": []string{"peaqos-p2p"}, "encoding": "json",
		},
		map[string]any{"mode": "storage", "provider": "walrus", "features": []string{}},
		map[string]any{"mode": "tunnel", "provider": "sandbox", "features": []string{}},
	}), nil
}

// capabilities are what a machine's agent can deliver by.
type capabilities struct {
	MachineID     string            `json:"machineId"`
	AgentID       string            `json:"agentId"`
	Capabilities  []json.RawMessage `json:"capabilities"`
	ResourceTypes []string          `json:"resourceTypes"`
	ExpiresAt     *string           `json:"expiresAt"`
	Status        string            `json:"status"`
	UpdatedAt     string            `json:"updatedAt"`
}

func (s *Server) putCapabilities(c *call) (answer, error) {
	var row capabilities
	if err := c.decode(&row); err != nil {
		return answer{}, err
	}
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	if err := required("agentId", row.AgentID); err != nil {
		return answer{}, err
	}
	if row.ResourceTypes == nil {
		row.ResourceTypes = []string{"stream.bundle"}
	}
	row.MachineID, row.Status, row.UpdatedAt = machine.ID, "active", s.now()
	s.state.capabilities.put(machine.ID, row)
	return item(http.StatusOK, row), nil
}

func (s *Server) updateListing(c *call) (answer, error) {
	row, ok := s.state.listings.get(c.PathValue("listing"))
	if !ok || row.MachineID != c.PathValue("machine") {
		return answer{}, notFound("listing")
	}
	var req struct {
		Resource        json.RawMessage `json:"resource"`
		PaymentRails    json.RawMessage `json:"paymentRails"`
		DeliveryOptions json.RawMessage `json:"deliveryOptions"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if req.Resource != nil {
		row.Resource = req.Resource
	}
	if req.PaymentRails != nil {
		row.PaymentRails = req.PaymentRails
	}
	if req.DeliveryOptions != nil {
		row.DeliveryOptions = req.DeliveryOptions
	}
	row.UpdatedAt = s.now()
	s.state.listings.put(row.ID, row)
	return item(http.StatusOK, row), nil
}

func (s *Server) createPurchase(c *call) (answer, error) {
	var req struct{ Resource, Buyer json.RawMessage }
	var parts struct {
		Resource struct {
			Type      string `json:"type"`
			ListingID string `json:"listingId"`
		} `json:"resource"`
		Buyer struct {
			ID        string `json:"id"`
			PublicKey struct {
				Type         string `json:"type"`
				PublicKeyHex string `json:"publicKeyHex"`
			} `json:"publicKey"`
		} `json:"buyer"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := c.decode(&parts); err != nil {
		return answer{}, err
	}
	err := required("resource.type", parts.Resource.Type, "resource.listingId", parts.Resource.ListingID, "buyer.id", parts.Buyer.ID,
		"buyer.publicKey.publicKeyHex", parts.Buyer.PublicKey.PublicKeyHex)
	if err != nil {
		return answer{}, err
	}
	if _, ok := s.state.listings.get(parts.Resource.ListingID); !ok {
		return answer{}, notFound("listing")
	}
	row := purchase{
		ID: newID("pur_"), Status: "delivery_reserved", Resource: req.Resource, Buyer: req.Buyer,
		Payment: purchasePayment{Status: "pending"}, Delivery: map[string]any{"status": "requested"},
		CreatedAt: s.now(), ListingID: parts.Resource.ListingID, MachineID: c.token.MachineID, BuyerID: parts.Buyer.ID,
	}
	s.savePurchase(row, "purchase.created")
	return item(http.StatusCreated, row.wire()), nil
}

// savePurchase keeps what happened to a purchase. Caller holds s.mu.
func (s *Server) savePurchase(row purchase, event string) {
	row.UpdatedAt = s.now()
	s.state.purchases.put(row.ID, row)
	s.note(row.BuyerID, event, "purchase", row.ID, row.MachineID, map[string]any{"status": row.Status})
}

// purchaseOf finds the purchase of the path, which must be of the token's
// machine. Caller holds s.mu.
func (s *Server) purchaseOf(c *call) (purchase, listing, error) {
	row, ok := s.state.purchases.get(c.PathValue("purchase"))
	if !ok {
		return row, listing{}, notFound("purchase")
	}
	offer, _ := s.state.listings.get(row.ListingID)
	return row, offer, s.actsAs(c, row.MachineID, "")
}

func (s *Server) getPurchase(c *call) (answer, error) {
	row, _, err := s.purchaseOf(c)
	return item(http.StatusOK, row.wire()), err
}

func (s *Server) createPurchaseIntent(c *call) (answer, error) {
	var req struct {
		Rail map[string]json.RawMessage `json:"rail"`
	}
	var named struct {
		Rail struct {
			Type string `json:"type"`
		} `json:"rail"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := c.decode(&named); err != nil {
		return answer{}, err
	}
	row, offer, err := s.purchaseOf(c)
	switch {
	case err != nil:
		return answer{}, err
	case named.Rail.Type != "transfer" && named.Rail.Type != "x402":
		return answer{}, invalid("rail.type", "rail.type is neither transfer nor x402")
	case row.Payment.Status == "verified":
		return answer{}, invalid("status", "the purchase is paid")
	}
	row.Status, row.Payment.Rail = "payment_pending", &named.Rail.Type
	s.savePurchase(row, "purchase.payment_intent.created")
	return item(http.StatusCreated, map[string]any{
		"purchaseId": row.ID, "status": row.Status, "rail": req.Rail,
		"amount":       map[string]any{"value": offer.Amount, "token": offer.Token, "chain": offer.Chain},
		"instructions": map[string]any{"payTo": offer.PayTo, "tokenAddress": offer.TokenAddress, "chain": offer.Chain},
	}), nil
}

// submitPurchaseProof answers "verified" whatever the mode, as the contract has
// it; the receipt tells. An RPC URL in the body is not looked at: who pays must
// not name his judge.
func (s *Server) submitPurchaseProof(c *call) (answer, error) {
	var req struct {
		proofBody
		Rail          string `json:"rail"`
		PaymentHeader string `json:"paymentHeader"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	row, offer, err := s.purchaseOf(c)
	switch {
	case err != nil:
		return answer{}, err
	case row.Status != "payment_pending":
		return answer{}, invalid("status", "the purchase is "+row.Status)
	case req.Rail != "transfer" && req.Rail != "x402":
		return answer{}, invalid("rail", "rail is neither transfer nor x402")
	}
	proof, status, block := req.proofBody, "recorded", (*uint64)(nil)
	proof.Chain, proof.TokenAddress = cmp.Or(proof.Chain, offer.Chain), cmp.Or(proof.TokenAddress, offer.TokenAddress)
	proof.PayeeAddress = cmp.Or(proof.PayeeAddress, offer.PayTo)
	mode := cmp.Or(proof.VerificationMode, orchestration.VerificationRecorded)
	if req.Rail == "x402" {
		if _, err := parseX402(req.PaymentHeader); err != nil {
			return answer{}, err
		}
		mode = orchestration.VerificationRecorded
	}
	if mode == orchestration.VerificationRPC && !proof.solana() {
		url := s.rpc[caip2(proof.Chain)]
		s.mu.Unlock() // no lock is held while the chain is asked
		number, err := s.lookAt(c.Context(), url, proof)
		s.mu.Lock()
		if err != nil {
			return answer{}, err
		}
		if row, _, err = s.purchaseOf(c); err != nil {
			return answer{}, err
		}
		status, block = "verified", &number
	}
	at, reference := s.now(), proof.transaction()
	row.Status, row.Payment = "payment_verified", purchasePayment{Status: "verified", Rail: &req.Rail, Reference: &reference, RecordedAt: &at}
	s.savePurchase(row, "purchase.payment_proof.recorded")
	return item(http.StatusOK, map[string]any{
		"purchaseId": row.ID, "paymentStatus": "verified", "deliveryStatus": "releasable",
		"receipt": map[string]any{
			"verifiedAt": at, "chain": proof.Chain, "transactionHash": reference, "verificationMode": mode, "status": status, "blockNumber": block,
		},
	}), nil
}

func (s *Server) getPurchaseDelivery(c *call) (answer, error) {
	row, _, err := s.purchaseOf(c)
	if err != nil {
		return answer{}, err
	}
	if row.Payment.Status != "verified" || row.Access == nil {
		return answer{}, refuse(http.StatusConflict, "STREAM_DELIVERY_NOT_READY", "the seller has not prepared the access")
	}
	delivery := map[string]any{"connect": row.Connect}
	for name, value := range row.Delivery {
		delivery[name] = value
	}
	delivery["signaling"] = map[string]any{"type": "peaqos-socket", "channelId": row.ID}
	return answer{status: http.StatusOK, body: map[string]any{"purchaseId": row.ID, "delivery": delivery, "access": row.Access}}, nil
}

// purchaseEvents are the events that parties may emit, and the purchase's status
// after those that end or begin something.
var purchaseEvents = map[string]string{
	"delivery.started": "active", "delivery.completed": "completed", "delivery.failed": "failed",
	"buyer.connected": "", "seller.ready": "", "seller.offline": "",
}

func (s *Server) createPurchaseEvent(c *call) (answer, error) {
	var req struct {
		Type string `json:"type"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	row, _, err := s.purchaseOf(c)
	if err != nil {
		return answer{}, err
	}
	status, ok := purchaseEvents[req.Type]
	if !ok {
		return answer{}, invalid("type", "no such event")
	}
	row.Status = cmp.Or(status, row.Status)
	s.savePurchase(row, "purchase."+req.Type)
	return item(http.StatusCreated, map[string]any{"id": newID("pev_"), "purchaseId": row.ID, "type": req.Type, "createdAt": s.now()}), nil
}

// prepareAccess is the seller's answer to a payment: keys for the buyer and
// where to fetch.
func (s *Server) prepareAccess(c *call) (answer, error) {
	var req struct {
		MachineID  string            `json:"machineId"`
		AgentID    string            `json:"agentId"`
		AgentToken string            `json:"agentToken"`
		Items      []json.RawMessage `json:"items"`
		Delivery   struct {
			Mode        string          `json:"mode"`
			TransportID string          `json:"transportId"`
			ChannelID   string          `json:"channelId"`
			Connect     json.RawMessage `json:"connect"`
		} `json:"delivery"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	row, ok := s.state.purchases.get(c.PathValue("purchase"))
	offer, _ := s.state.listings.get(row.ListingID)
	if !ok || offer.MachineID != req.MachineID {
		return answer{}, notFound("purchase")
	}
	if _, err := s.asAgent(c, req.MachineID, req.AgentID, req.AgentToken); err != nil {
		return answer{}, err
	}
	if row.Payment.Status != "verified" {
		return answer{}, refuse(http.StatusPaymentRequired, orchestration.CodePaymentRequired, "the purchase is not paid")
	}
	access, err := json.Marshal(append([]json.RawMessage{}, req.Items...))
	if err != nil {
		return answer{}, err
	}
	session := newID("dsess_")
	row.Access, row.Connect, row.Status = access, req.Delivery.Connect, "delivery_released"
	row.Delivery = map[string]any{
		"status": "ready", "mode": req.Delivery.Mode, "transportId": req.Delivery.TransportID, "sessionId": session,
		"protocols": []string{"peaqos-p2p"}, "encoding": "json",
	}
	s.savePurchase(row, "purchase.delivery.released")
	return answer{status: http.StatusOK, body: map[string]any{
		"item": map[string]any{
			"id": row.ID, "listingId": row.ListingID, "machineId": offer.MachineID, "buyerId": row.BuyerID, "chunkIds": []string{},
			"amount": json.Number(offer.Amount), "currency": offer.Token, "status": row.Status, "payment": row.Payment, "accessGrantIds": []string{},
			"deliverySessionId": session,
		},
		"access": row.Access,
		"deliverySession": map[string]any{
			"id": session, "machineId": offer.MachineID, "orderId": row.ID, "buyerId": row.BuyerID, "chunkIds": []string{},
			"delivery": map[string]any{
				"mode": req.Delivery.Mode, "transportId": req.Delivery.TransportID, "connect": req.Delivery.Connect,
				"signaling": map[string]any{"type": "peaqos-socket", "channelId": cmp.Or(req.Delivery.ChannelID, row.ID)},
				"protocols": []string{"peaqos-p2p"}, "encoding": "json",
			},
			"status": "ready", "createdAt": s.now(), "updatedAt": s.now(),
		},
	}}, nil
}
