package orchestration

import "encoding/json"

// RailType names a payment rail: an open set. The rail "not-required" is not the
// payment status "not_required".
type RailType string

// Rails of the contract. RailMPP and RailXVV42 are two names of one rail: the
// older document has the first, every published SDK the second.
const (
	RailNotRequired     RailType = "not-required"
	RailWallet          RailType = "wallet"
	RailX402            RailType = "x402"
	RailVaultStripe     RailType = "vault-stripe"
	RailWDKUSDTTransfer RailType = "wdk-usdt-transfer"
	RailEscrow          RailType = "escrow"
	RailOnchainEscrow   RailType = "onchain-escrow"
	RailOffchainRecord  RailType = "offchain-record"
	RailExternal        RailType = "external"
	RailMPP             RailType = "mpp"
	RailXVV42           RailType = "xvv42"
)

// Same reports whether two names mean one rail.
func (r RailType) Same(other RailType) bool {
	return r == other || r.canonical() == other.canonical()
}

func (r RailType) canonical() RailType {
	if r == RailXVV42 {
		return RailMPP
	}
	return r
}

// RailRecommendation is how a service wants to be paid, as its quote and order
// say. It is advice; what is due is in the MarketPayment. "" is absent.
type RailRecommendation struct {
	DefaultRail    RailType   `json:"defaultRail" wire:"required"`
	Required       bool       `json:"required" wire:"required"`
	SupportedRails []RailType `json:"supportedRails"`
	Notes          []string   `json:"notes"`
	Provider       string     `json:"provider,omitempty"`
	// Chain is a bare name (base) or CAIP-2 (eip155:8453); both occur.
	Chain string `json:"chain,omitempty"`
	// Token is a symbol. The token's identity is TokenAddress or TokenMint.
	Token         string `json:"token,omitempty"`
	TokenAddress  string `json:"tokenAddress,omitempty"`
	TokenMint     string `json:"tokenMint,omitempty"`
	WalletAddress string `json:"walletAddress,omitempty"`
	ExternalURL   string `json:"externalUrl,omitempty"`
	PayerAddress  string `json:"payerAddress,omitempty"`
	PayeeAddress  string `json:"payeeAddress,omitempty"`
	Extra         Extra  `json:"-"`
}

// RailDetails is the rail of one payment. "" is absent.
type RailDetails struct {
	Type            RailType `json:"type,omitempty" also:"railType" wire:"filled"`
	Chain           string   `json:"chain,omitempty"`
	Token           string   `json:"token,omitempty"`
	TokenAddress    string   `json:"tokenAddress,omitempty"`
	TokenMint       string   `json:"tokenMint,omitempty"`
	EscrowAddress   string   `json:"escrowAddress,omitempty"`
	ExternalURL     string   `json:"externalUrl,omitempty"`
	Provider        string   `json:"provider,omitempty"`
	AccountID       string   `json:"accountId,omitempty"`
	WalletAddress   string   `json:"walletAddress,omitempty"`
	PayerAddress    string   `json:"payerAddress,omitempty"`
	PayeeAddress    string   `json:"payeeAddress,omitempty"`
	PaymentIntentID string   `json:"paymentIntentId,omitempty"`
	// Metadata keeps its keys as they are. Known ones: rawAmount (base units,
	// text or number), tokenDecimals or decimals, paymentRequest (x402).
	Metadata map[string]json.RawMessage `json:"metadata,omitempty" wire:"lenient"`
	Extra    Extra                      `json:"-"`
}
