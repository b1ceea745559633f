// Package rails says what each payment rail needs: who moves the money, whether we can carry it out, and which terms an
// order, its quote and its intent agree on. It is pure: it decides on what others have read.
//
// Read next: terms.go, the comparison of what was advised with what was asked.
package rails

import (
	"slices"

	"github.com/settler-pay/settler/settlement"
)

// The rails of the orchestration API that this version carries out. The others are open strings: they lead to a review.
const (
	NotRequired     = "not-required"
	Wallet          = "wallet"
	WDKUSDTTransfer = "wdk-usdt-transfer"
	EscrowRail      = "escrow"
	OnchainEscrow   = "onchain-escrow"
)

// Reasons why an order cannot be paid as it stands. A person acts on them; the detail says what was read.
const (
	RailUnsupported   settlement.Code = "RAIL_UNSUPPORTED"   // no executor for the rail
	PayeeMissing      settlement.Code = "PAYEE_MISSING"      // neither advice nor intent names who is to be paid
	PayeeInvalid      settlement.Code = "PAYEE_INVALID"      // the payee is not an account of the chain
	PayerMissing      settlement.Code = "PAYER_MISSING"      // nobody is named or proven as the payer
	PayerInvalid      settlement.Code = "PAYER_INVALID"      // the named payer is not an account of the chain
	PayerIsPayee      settlement.Code = "PAYER_IS_PAYEE"     // a transfer to oneself proves nothing
	AmountMissing     settlement.Code = "AMOUNT_MISSING"     // no price anywhere
	AmountInvalid     settlement.Code = "AMOUNT_INVALID"     // the price is not a number that the token can express
	AmountZero        settlement.Code = "AMOUNT_ZERO"        // nothing to pay on a rail that demands a payment
	AmountConflict    settlement.Code = "AMOUNT_CONFLICT"    // two prices that disagree
	AmountUnconfirmed settlement.Code = "AMOUNT_UNCONFIRMED" // a raw amount without an independent price
	IntentDiffers     settlement.Code = "INTENT_DIFFERS"     // the intent asks for something else than the order advises
	OrderClosed       settlement.Code = "ORDER_CLOSED"       // the order ended before it was paid

	RefundAddressMissing settlement.Code = "REFUND_ADDRESS_MISSING" // no proven wallet that a vault could give the money back to
	VaultUnrehearsed     settlement.Code = "VAULT_UNREHEARSED"      // no vault is handed out before one was rehearsed with the token
	VaultImpossible      settlement.Code = "VAULT_IMPOSSIBLE"       // no vault can hold what the order asks for
	HoldTooShort         settlement.Code = "HOLD_TOO_SHORT"         // too little time is left until the payer may take the money back
)

// Direct reports whether the rail is a plain transfer from payer to payee, which we verify and do not move ourselves.
func Direct(rail string) bool { return rail == Wallet || rail == WDKUSDTTransfer }

// Escrow reports whether the rail holds the money until the order is confirmed. The orchestrator treats both alike.
func Escrow(rail string) bool { return rail == EscrowRail || rail == OnchainEscrow }

// Carried reports whether we carry the rail out.
func Carried(rail string) bool { return Direct(rail) || Escrow(rail) }

// Choose picks the rail to ask for: the vendor's buyer replaces wallet by wdk-usdt-transfer where the service supports it.
func Choose(defaultRail string, supported []string) string {
	if defaultRail == Wallet && slices.Contains(supported, WDKUSDTTransfer) {
		return WDKUSDTTransfer
	}
	return defaultRail
}
