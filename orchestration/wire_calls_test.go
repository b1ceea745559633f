package orchestration

import "context"

// wireCalls makes each recorded call that this client has: SDK name → call.
var wireCalls = map[string]func(context.Context, *Client, wireArgs) (any, error){
	"list_machines": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return listOf(c.ListMachines(ctx, a.page()))
	},
	"get_machine": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.GetMachine(ctx, a.text("machine_id")))
	},
	"create_machine": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.CreateMachine(ctx, params[CreateMachineRequest](a, "params")))
	},
	"update_machine": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.UpdateMachine(ctx, a.text("machine_id"), params[UpdateMachineRequest](a, "params")))
	},
	"create_machine_identity_challenge": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.CreateMachineIdentityChallenge(ctx, params[struct{ IdentityRef string }](a, "params").IdentityRef))
	},
	"list_agent_pairings": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return listOf(c.ListAgentPairings(ctx, a.text("machine_id"), a.page()))
	},
	"create_agent_pairing_challenge": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.CreateAgentPairingChallenge(ctx, a.text("machine_id"), params[AgentPairingChallengeRequest](a, "params")))
	},
	"create_agent_pairing": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.CreateAgentPairing(ctx, a.text("machine_id"), params[CreateAgentPairingRequest](a, "params")))
	},
	"create_agent_pairing_session": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.CreateAgentPairingSession(ctx, a.text("machine_id"), a.text("pairing_id"), params[CreateAgentPairingRequest](a, "params").AgentProof))
	},
	"revoke_agent_pairing": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return struct{}{}, c.RevokeAgentPairing(ctx, a.text("machine_id"), a.text("pairing_id"))
	},
	"list_market_services": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return listOf(c.As(Secret(a.text("pairing_token"))).ListMarketServices(ctx, params[MarketServiceFilter](a, "options"), a.page()))
	},
	"get_market_service": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.As(Secret(a.text("pairing_token"))).GetMarketService(ctx, a.text("service_id"), params[MarketServiceFilter](a, "options").MachineID))
	},
	"search_market": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		req := params[MarketSearchRequest](a, "params")
		req.ProviderCredentials = params[struct{ ProviderCredentials ProviderCredentials }](a, "params").ProviderCredentials
		return itemOf(c.SearchMarket(ctx, Secret(a.text("pairing_token")), req))
	},
	"get_market_search": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.GetMarketSearch(ctx, a.text("search_id")))
	},
	"list_market_orders": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return listOf(c.ListMarketOrders(ctx, a.text("machine_id"), a.page()))
	},
	"create_market_order": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		req := params[CreateMarketOrderRequest](a, "params")
		req.ProviderCredentials = params[struct{ ProviderCredentials ProviderCredentials }](a, "params").ProviderCredentials
		return itemOf(c.CreateMarketOrder(ctx, Secret(a.text("pairing_token")), req))
	},
	"get_market_order": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.As(Secret(a.text("pairing_token"))).GetMarketOrder(ctx, a.text("order_id")))
	},
	"execute_market_order": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		req := params[ExecuteMarketOrderRequest](a, "params")
		req.PaymentSignature = params[struct {
			Payment struct{ PaymentSignature Secret }
		}](a, "params").Payment.PaymentSignature
		return c.ExecuteMarketOrder(ctx, Secret(a.text("pairing_token")), a.text("order_id"), req)
	},
	"confirm_market_order": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return c.ConfirmMarketOrder(ctx, Secret(a.text("pairing_token")), a.text("order_id"))
	},
	"dispute_market_order": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return c.DisputeMarketOrder(ctx, Secret(a.text("pairing_token")), a.text("order_id"), params[DisputeMarketOrderRequest](a, "params"))
	},
	"create_payment_intent": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.CreatePaymentIntent(ctx, Secret(a.text("pairing_token")), a.text("order_id"), params[PaymentIntentRequest](a, "params")))
	},
	"get_market_payment": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.GetMarketPayment(ctx, a.text("order_id")))
	},
	"submit_payment_proof": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return itemOf(c.SubmitPaymentProof(ctx, Secret(a.text("pairing_token")), a.text("order_id"), params[PaymentProof](a, "params")))
	},
	"check_health": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return struct{}{}, c.CheckHealth(ctx)
	},
	"list_machines_all": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return allOf(all(ctx, a.page(), c.ListMachines))
	},
	"list_market_services_all": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return allOf(all(ctx, a.page(), func(ctx context.Context, page Page) (List[MarketService], error) {
			return c.ListMarketServices(ctx, params[MarketServiceFilter](a, "options"), page)
		}))
	},
	"list_market_orders_all": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return allOf(all(ctx, a.page(), func(ctx context.Context, page Page) (List[MarketOrder], error) {
			return c.ListMarketOrders(ctx, a.text("machine_id"), page)
		}))
	},
	"list_agent_pairings_all": func(ctx context.Context, c *Client, a wireArgs) (any, error) {
		return allOf(c.AllAgentPairings(ctx, a.text("machine_id")))
	},
}
