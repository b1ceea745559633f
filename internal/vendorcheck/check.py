"""Whole order lives and the errors, by the vendor's SDK against `settler sandbox`. See main.go."""

import json
import os
import sys
import time
import traceback
import urllib.request

from eth_account import Account
from eth_account.messages import encode_defunct
from peaq_os_sdk import PeaqosClient
from peaq_os_sdk.orchestration import ListMarketServicesOptions
from peaq_os_sdk.orchestration import types as t
from peaq_os_sdk.orchestration.errors import OrchestrationApiError, OrchestrationNetworkError, StreamDeliveryNotReadyError
from web3 import Web3

URL, RPC, TOKEN, CHAIN = (os.environ["CHECK_" + name] for name in ("URL", "RPC", "TOKEN", "CHAIN"))
PAYER = Account.from_key(os.environ["CHECK_PAYER"])
# The first account of every development chain, which controls the sandbox's identities.
CONTROLLER = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
PAYEE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
STATE = os.path.join(os.environ["CHECK_DIR"], "state.json")

w3 = Web3(Web3.HTTPProvider(RPC))
counts = {"passed": 0, "failed": 0}


def market(key="check-key"):
    return PeaqosClient(rpc_url=RPC, private_key=PAYER.key.to_0x_hex(), orchestration_url=URL, api_key=key).orchestration


api = market()


def check(name, got, want):
    ok = got == want
    counts["passed" if ok else "failed"] += 1
    print(("ok    " if ok else "FAIL  ") + name + ("" if ok else f": got {got!r}, want {want!r}"))


def refused(name, code, status, call):
    """The call must fail with this code and status."""
    try:
        call()
        got = "no error"
    except OrchestrationApiError as err:
        got = (err.code, err.status_code)
    check(name, got, (code, status))


def control(method, path, body=None):
    """An answer of the sandbox's own control endpoint."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + "/_sandbox" + path, data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.status


def section(run, *arguments):
    """Runs checks; what they do not expect is one failure more."""
    try:
        return run(*arguments)
    except Exception:  # whatever the SDK raises
        traceback.print_exc()
        check(run.__name__, "an exception", "none")


def personal_sign(account, message):
    return account.sign_message(encode_defunct(text=message)).signature.to_0x_hex()


def transfer(to, amount, gas=100_000):
    """A plain ERC-20 transfer, as the vendor's buyer sends it; waits for the receipt."""
    contract = w3.eth.contract(address=TOKEN, abi=[{
        "name": "transfer", "type": "function", "stateMutability": "nonpayable", "outputs": [{"type": "bool", "name": ""}],
        "inputs": [{"type": "address", "name": "to"}, {"type": "uint256", "name": "amount"}],
    }])
    tx = contract.functions.transfer(to, amount).build_transaction({
        "from": PAYER.address, "nonce": w3.eth.get_transaction_count(PAYER.address, "pending"), "gas": gas,
    })
    sent = w3.eth.send_raw_transaction(PAYER.sign_transaction(tx).raw_transaction)
    return w3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.1).transactionHash.to_0x_hex()


def register(number):
    """A machine, registered and activated."""
    asked = api.create_machine_identity_challenge(t.CreateMachineIdentityChallengeRequest(identity_ref=f"peaqos:machine:{number}")).item
    check("identity challenge names the controller", asked.controller_addresses, (CONTROLLER.address,))
    request = dict(display_name="Charger", owner_id="acme", machine_type="charger", runtime_profile="default", identity_ref=asked.identity_ref)
    refused("machine signed by a stranger", "MACHINE_IDENTITY_PROOF_INVALID", 401, lambda: api.create_machine(t.CreateMachineRequest(
        **request, identity_proof=t.MachineIdentityProofInput(asked.challenge_id, personal_sign(PAYER, asked.message)))))
    proof = t.MachineIdentityProofInput(asked.challenge_id, personal_sign(CONTROLLER, asked.message))
    machine = api.create_machine(t.CreateMachineRequest(**request, identity_proof=proof, labels={"site_id": "7"}, skill_keys=("svc:wallet",))).item
    check("machine begins as a draft", (machine.status, machine.identity_ref), ("draft", f"did:peaq:{number}"))
    check("labels come back, through the SDK's two renamings", dict(machine.labels), {"site_id": "7"})
    refused("a challenge is used once", "MACHINE_IDENTITY_EXISTS", 409, lambda: api.create_machine(t.CreateMachineRequest(**request, identity_proof=proof)))
    refused("a draft has no pairings", "MACHINE_NOT_ACTIVE", 409, lambda: challenge(machine.id))
    machine = api.update_machine(machine.id, t.UpdateMachineRequest(status="active")).item
    check("machine is active", api.get_machine(machine.id).item.status, "active")
    refused("identity cannot change", "MACHINE_IDENTITY_IMMUTABLE", 409,
            lambda: api.update_machine(machine.id, t.UpdateMachineRequest(identity_ref=f"did:peaq:{number + 1}")))
    return machine.id


def challenge(machine, role="buyer"):
    return api.create_agent_pairing_challenge(machine, t.CreateAgentPairingChallengeRequest(
        agent_address=PAYER.address, agent_provider="check", agent_role=role)).item


def pair(machine, role="buyer", policy=None):
    asked = challenge(machine, role)
    proof = t.AgentProofInput(asked.challenge_id, personal_sign(PAYER, asked.message))
    return api.create_agent_pairing(machine, t.CreateAgentPairingRequest(
        agent_address=PAYER.address, agent_provider="check", agent_role=role, agent_proof=proof, delegation_policy=policy)).item


def policy(**limits):
    lists = dict(allowed_skill_keys=(), denied_skill_keys=(), allowed_service_ids=(), denied_service_ids=())
    return t.DelegationPolicy(**{**lists, **limits})


def order(machine, pairing, service, **more):
    return api.create_market_order(t.CreateMarketOrderRequest(
        machine_id=machine, agent_pairing_id=pairing.id, service_id=service, **more), pairing.pairing_token).item


def intend(placed, pairing):
    """The intent as the vendor's CLI asks for it: the recommendation's rail, wdk-usdt-transfer instead of wallet."""
    advice = placed.payment
    rail = advice.default_rail
    if rail == "wallet" and "wdk-usdt-transfer" in advice.supported_rails:
        rail = "wdk-usdt-transfer"
    return api.create_payment_intent(placed.id, t.CreatePaymentIntentRequest(rail=t.PaymentIntentRailOptions(
        type=rail, chain=advice.chain, token=advice.token, token_address=advice.token_address, token_mint=advice.token_mint,
        payer_address=advice.payer_address, payee_address=advice.payee_address, wallet_address=advice.wallet_address)), pairing.pairing_token).item


def proof(payment, **more):
    fields = dict(verification_mode="recorded", chain=payment.rail.chain, token=payment.rail.token, payer_address=PAYER.address,
                  payee_address=payment.rail.payee_address, amount=str(payment.amount))
    return t.SubmitPaymentProofRequest(**{**fields, **more})


def execute(placed, token, **request):
    return api.execute_market_order(placed.id, t.ExecuteMarketOrderRequest(**request), token)


def finish(name, placed, pairing, **request):
    """Execute, confirm, release: the end of each paid order."""
    token = pairing.pairing_token
    refused(name + ": confirm before delivery", "ORDER_NOT_DELIVERED", 409, lambda: api.confirm_market_order(placed.id, token))
    done = execute(placed, token, **request)
    check(name + ": delivered", (done.order.status, done.execution.status_code, done.execution.outcome.result), ("delivered", 200, {"done": True}))
    refused(name + ": release before confirm", "VALIDATION_ERROR", 400, lambda: api.release_payment(placed.id, None, token))
    confirmed = api.confirm_market_order(placed.id, token)
    check(name + ": confirmed", (confirmed.order.status, confirmed.payment.status), ("confirmed", "release_pending"))
    refused(name + ": closed", "ORDER_CLOSED", 409, lambda: api.dispute_market_order(placed.id, t.DisputeMarketOrderRequest(reason="late"), token))
    released = api.release_payment(placed.id, t.ReleasePaymentRequest(transaction_hash="0x" + "ab" * 32, notes="paid out"), token).item
    check(name + ": released", released.status, "released")


def machines_and_agents(machine):
    agent = api.enroll_machine_agent(machine, t.EnrollMachineAgentRequest(label="runtime", allowed_provider_keys=("qvac",))).item
    check("agent is provisioned with a token", (agent.status, bool(agent.provisioning_token)), ("provisioned", True))
    beat = dict(machine_id=machine, agent_id=agent.id, lease_ttl_seconds=30, endpoints=(
        t.HeartbeatEndpointEntry(provider_key="qvac", endpoint_base_url="http://10.0.0.7:8000/x?y=1", auth_token="secret"),))
    refused("heartbeat with a wrong token", "AGENT_AUTH_INVALID", 401,
            lambda: api.machine_agent_heartbeat(t.MachineAgentHeartbeatRequest(agent_token="wrong", **beat)))
    beaten = api.machine_agent_heartbeat(t.MachineAgentHeartbeatRequest(agent_token=agent.provisioning_token, **beat)).item
    check("heartbeat", (beaten.lease_ttl_seconds, beaten.endpoints[0].endpoint_base_url), (30, "http://10.0.0.7:8000"))
    check("agent is active", [(a.status, a.provisioning_token) for a in api.list_machine_agents(machine).items], [("active", None)])
    endpoint = api.get_runtime_endpoint(machine, "qvac").item
    check("endpoint of the heartbeat", (endpoint.source, endpoint.probe_path, endpoint.has_auth_token, endpoint.label),
          ("agent", "/v1/models", True, "QVAC runtime"))
    manual = api.upsert_runtime_endpoint(machine, "Own", t.UpsertRuntimeEndpointRequest(endpoint_base_url="https://own.example/path")).item
    check("endpoint by hand", (manual.provider_key, manual.source, manual.endpoint_base_url), ("own", "manual", "https://own.example"))
    check("endpoints", [e.provider_key for e in api.list_runtime_endpoints_all(machine, limit=1)], ["qvac", "own"])
    api.delete_runtime_endpoint(machine, "own")
    refused("endpoint is deleted", "NOT_FOUND", 404, lambda: api.get_runtime_endpoint(machine, "own"))
    api.revoke_machine_agent(machine, agent.id)
    refused("agent is revoked", "AGENT_PAIRING_INACTIVE", 403,
            lambda: api.machine_agent_heartbeat(t.MachineAgentHeartbeatRequest(agent_token=agent.provisioning_token, **beat)))


def catalogue():
    check("health", api.check_health().ok, True)
    check("readiness", api.get_readiness().status, "ready")
    skills = list(api.list_skills_all(limit=2))
    check("skills page by page", len(skills), 7)
    check("skill", api.get_skill(skills[0].key).item.key, skills[0].key)
    check("manifest", api.get_skill_manifest(skills[0].key).item.key, skills[0].key)
    config = api.update_skill_config(skills[0].key, t.UpdateSkillConfigRequest(enabled=True, credentials={"apiKey": "x"}, settings={"depth": 3})).item
    check("skill's configuration", (config.enabled, config.has_credentials, dict(config.settings)), (True, True, {"depth": 3}))
    check("services", len(list(api.list_market_services_all(limit=3))), 7)
    check("services by type", [s.id for s in api.list_market_services(ListMarketServicesOptions(service_type="storage.object")).items], ["svc:escrow"])
    check("service", api.get_market_service("svc:wallet").item.id, "svc:wallet")
    made = api.create_policy(t.CreatePolicyRequest(name="cheap", budget_cap=t.PolicyBudgetCap(currency="USD", amount=5))).item
    changed = api.update_policy(made.id, t.UpdatePolicyRequest(native_only=True)).item
    check("policy", (changed.name, changed.native_only, changed.budget_cap.amount), ("cheap", True, 5))
    check("policies", [p.id for p in api.list_policies().items], [made.id])


def keys_and_tokens(machine):
    refused("no key", "AUTH_REQUIRED", 401, lambda: market(None).list_machines())
    refused("wrong key", "AUTH_INVALID", 401, lambda: market("other").list_machines())
    pairing = pair(machine, "rotating")
    check("pairing", (pairing.status, pairing.has_auth_token, pairing.verification.signer_address), ("active", True, PAYER.address))
    check("token ends as it says", pairing.pairing_token[-4:], pairing.token_last_four)
    check("tokens are in no list", [p.pairing_token for p in api.list_agent_pairings_all(machine, limit=1)], [None])
    asked = challenge(machine, "rotating")
    stranger = Account.create()
    refused("rotation signed by a stranger", "AGENT_PAIRING_PROOF_INVALID", 401, lambda: api.create_agent_pairing_session(
        machine, pairing.id, t.CreateAgentPairingSessionRequest(t.AgentProofInput(asked.challenge_id, personal_sign(stranger, asked.message)))))
    rotated = api.create_agent_pairing_session(machine, pairing.id, t.CreateAgentPairingSessionRequest(
        t.AgentProofInput(asked.challenge_id, personal_sign(PAYER, asked.message)))).item
    check("rotation gives another session", rotated.session_id != pairing.session_id, True)
    search = t.MarketSearchRequest(service_type="commerce")
    check("the new token works", api.search_market(search, rotated.pairing_token).item.status, "completed")
    refused("a token that is none", "AGENT_AUTH_INVALID", 401, lambda: api.search_market(search, "a.b.c"))
    control("POST", "/sessions/expire")
    refused("an expired session", "AGENT_AUTH_EXPIRED", 401, lambda: api.search_market(search, rotated.pairing_token))
    pairing = pair(machine, "paused")
    api.update_agent_pairing(machine, pairing.id, t.UpdateAgentPairingRequest(status="paused"))
    refused("a paused pairing", "AGENT_PAIRING_INACTIVE", 403, lambda: api.search_market(search, pairing.pairing_token))
    api.update_agent_pairing(machine, pairing.id, t.UpdateAgentPairingRequest(status="active"))
    check("an active one again", api.search_market(search, pairing.pairing_token).item.status, "completed")
    api.update_agent_pairing(machine, pairing.id, t.UpdateAgentPairingRequest(delegation_policy=policy(daily_spend_limit=9)))
    refused("a changed policy ends the token", "AGENT_AUTH_INVALID", 401, lambda: api.search_market(search, pairing.pairing_token))
    api.revoke_agent_pairing(machine, pairing.id)
    refused("a revoked pairing", "AGENT_AUTH_INVALID", 401, lambda: api.search_market(search, pairing.pairing_token))


def limits(machine):
    pairing = pair(machine, "limited", policy(per_transaction_limit=2, daily_spend_limit=3.5, currency="USDC", denied_service_ids=("svc:fails",)))
    refused("denied service", "AGENT_POLICY_DENIED", 403, lambda: order(machine, pairing, "svc:fails"))
    refused("above the limit of one order", "AGENT_SPEND_LIMIT_EXCEEDED", 403, lambda: order(machine, pairing, "svc:escrow"))
    order(machine, pairing, "svc:wallet")
    order(machine, pairing, "svc:wallet")
    refused("above the day's limit", "AGENT_DAILY_LIMIT_EXCEEDED", 403, lambda: order(machine, pairing, "svc:wallet"))


def free(machine, pairing):
    token = pairing.pairing_token
    placed = order(machine, pairing, "svc:free", input_payload={"keep_me": {"as_is": 1}})
    check("free: input is kept", dict(placed.input_payload), {"keep_me": {"as_is": 1}})
    check("free: no payment", api.get_market_payment(placed.id).item, None)
    check("free: delivered", execute(placed, token).order.status, "delivered")
    confirmed = api.confirm_market_order(placed.id, token)
    check("free: confirmed", (confirmed.order.status, confirmed.payment), ("confirmed", None))
    failing = order(machine, pairing, "svc:fails")
    done = execute(failing, token)
    check("failing: outcome", (done.order.status, done.execution.outcome.status, done.order.error_message), ("failed", "failed", "the provider is out of order"))
    refused("failing: closed", "ORDER_CLOSED", 409, lambda: execute(failing, token))
    read = api.execute_market_service("svc:free", t.ExecuteMarketServiceRequest(machine_id=machine, agent_pairing_id=pairing.id, operation="run"), token)
    check("direct read", read.execution.outcome.result, {"done": True})
    refused("direct read of what costs", "EXECUTION_UNSUPPORTED", 409, lambda: api.execute_market_service(
        "svc:wallet", t.ExecuteMarketServiceRequest(machine_id=machine, agent_pairing_id=pairing.id, operation="run"), token))


def wallet(machine, pairing):
    token = pairing.pairing_token
    found = api.search_market(t.MarketSearchRequest(machine_id=machine, agent_pairing_id=pairing.id, service_type="commerce", max_results=1), token).item
    check("search", (found.status, found.quotes[0].pricing.amount), ("completed", 1.5))
    check("search read back", api.get_market_search(found.id).item.quotes[0].id, found.quotes[0].id)
    placed = order(machine, pairing, "svc:wallet", search_id=found.id, quote_id=found.quotes[0].id)
    refused("wallet: execute unpaid", "PAYMENT_REQUIRED", 402, lambda: execute(placed, token))
    refused("wallet: proof without intent", "NOT_FOUND", 404, lambda: api.submit_payment_proof(placed.id, t.SubmitPaymentProofRequest(
        "recorded", CHAIN, "TUSD", PAYER.address, PAYEE, "1.5", transaction_hash="0x" + "11" * 32), token))
    payment = intend(placed, pairing)
    check("wallet: intent", (payment.status, payment.amount, payment.rail.rail_type, payment.rail.payee_address),
          ("intent_created", 1.5, "wdk-usdt-transfer", PAYEE))
    check("wallet: intent again", intend(placed, pairing).id, payment.id)
    rpc = dict(verification_mode="rpc", token_address=TOKEN, token_decimals=6, raw_amount="1500000")
    refused("wallet: not mined", "PAYMENT_NOT_MINED", 409,
            lambda: api.submit_payment_proof(placed.id, proof(payment, transaction_hash="0x" + "11" * 32, **rpc), token))
    refused("wallet: no RPC", "PAYMENT_RPC_REQUIRED", 400,
            lambda: api.submit_payment_proof(placed.id, proof(payment, transaction_hash="0x" + "11" * 32, **{**rpc, "chain": "base"}), token))
    other = transfer(PAYEE, 1_499_999)
    refused("wallet: paid too little", "PAYMENT_TRANSFER_NOT_FOUND", 400,
            lambda: api.submit_payment_proof(placed.id, proof(payment, transaction_hash=other, **rpc), token))
    reverted = transfer(PAYEE, 10**30)
    refused("wallet: reverted", "PAYMENT_TX_FAILED", 402,
            lambda: api.submit_payment_proof(placed.id, proof(payment, transaction_hash=reverted, **rpc), token))
    paid = transfer(PAYEE, 1_500_000)
    refused("wallet: another token named", "PAYMENT_TRANSFER_NOT_FOUND", 400,
            lambda: api.submit_payment_proof(placed.id, proof(payment, transaction_hash=paid, **{**rpc, "token_address": PAYEE}), token))
    held = api.submit_payment_proof(placed.id, proof(payment, transaction_hash=paid, **rpc), token).item
    check("wallet: held", (held.status, held.proof.transaction_hash, held.proof.verification_mode), ("held", paid, "rpc"))
    check("wallet: ready", api.get_market_order(placed.id, pairing_token=token).item.status, "ready")
    refused("wallet: proof again", "VALIDATION_ERROR", 400,
            lambda: api.submit_payment_proof(placed.id, proof(payment, transaction_hash=paid, **rpc), token))
    finish("wallet", placed, pairing)
    second = order(machine, pairing, "svc:wallet")
    payment = intend(second, pairing)
    held = api.submit_payment_proof(second.id, proof(payment, transaction_hash=paid, **rpc), token).item
    check("wallet: the same transaction pays a second order, nobody looks", held.status, "held")
    execute(second, token)
    disputed = api.dispute_market_order(second.id, t.DisputeMarketOrderRequest(reason="empty", evidence={"photo_id": 3}), token)
    check("dispute", (disputed.order.status, disputed.payment.status, disputed.dispute.status), ("disputed", "frozen", "open"))
    check("refund", api.refund_payment(second.id, t.RefundPaymentRequest(reason="empty"), token).item.status, "refunded")
    refused("refund again", "VALIDATION_ERROR", 400, lambda: api.refund_payment(second.id, None, token))


def solana(machine, pairing):
    placed = order(machine, pairing, "svc:solana")
    payment = intend(placed, pairing)
    held = api.submit_payment_proof(placed.id, proof(
        payment, verification_mode="rpc", chain="solana:mainnet", payer_address="9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
        transaction_signature="5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"), pairing.pairing_token).item
    check("solana: recorded whatever is asked", (held.status, held.proof.verification_mode), ("held", "recorded"))
    finish("solana", placed, pairing)


def escrow(machine, pairing):
    token = pairing.pairing_token
    placed = order(machine, pairing, "svc:escrow")
    payment = intend(placed, pairing)
    check("escrow: intent names the escrow", payment.rail.escrow_address, payment.rail.payee_address)
    deposit = transfer(payment.rail.payee_address, 20_000_000)
    lock = t.LockEscrowPaymentRequest(deposit, CHAIN, payment.rail.escrow_address)
    locked = api.lock_escrow_payment(placed.id, lock, token).item
    check("escrow: held", (locked.status, locked.proof.transaction_hash), ("held", deposit))
    check("escrow: lock again", api.lock_escrow_payment(placed.id, lock, token).item.updated_at, locked.updated_at)
    finish("escrow", placed, pairing)
    other = order(machine, pairing, "svc:wallet")
    refused("escrow: lock without intent", "NOT_FOUND", 404, lambda: api.lock_escrow_payment(other.id, lock, token))
    intend(other, pairing)
    refused("escrow: lock of another rail", "VALIDATION_ERROR", 400, lambda: api.lock_escrow_payment(other.id, lock, token))


def x402(machine, pairing):
    token = pairing.pairing_token
    placed = order(machine, pairing, "svc:x402")
    payment = intend(placed, pairing)
    check("x402: amount is in the challenge", (payment.amount, api.parse_x402_payment_requirements(payment).amount), (None, "10000"))
    signed = api.sign_x402_payment(payment, PAYER)
    proved = api.submit_x402_payment_proof(placed.id, t.SubmitX402PaymentProofRequest(
        payment_signature=signed.payment_signature, payment_reference=signed.payment_reference,
        metadata={"headerName": signed.header_name, "network": signed.network, "asset": signed.asset, "amount": signed.amount, "serviceId": "svc:x402"}), token).item
    check("x402: held, nothing paid", (proved.status, proved.proof.transaction_hash, proved.proof.metadata.header_name), ("held", None, signed.header_name))
    refused("x402: execute without the signature", "PAYMENT_REQUIRED", 402, lambda: execute(placed, token))
    forged = api.sign_x402_payment(payment, PAYER)
    refused("x402: execute with another signature", "PAYMENT_REQUIRED", 402, lambda: execute(
        placed, token, payment=t.X402ExecutePayment(forged.payment_signature)))
    finish("x402", placed, pairing, input={"city": "Oslo"}, payment=t.X402ExecutePayment(signed.payment_signature))
    settled = api.get_market_payment(placed.id).item
    check("x402: settled", (settled.proof.metadata.payment_settlement.status, settled.proof.metadata.payment_settlement.payer_address, len(settled.proof.transaction_hash)),
          ("settled", PAYER.address, 66))
    again = order(machine, pairing, "svc:x402")
    intend(again, pairing)
    api.submit_x402_payment_proof(again.id, t.SubmitX402PaymentProofRequest(payment_signature=signed.payment_signature), token)
    refused("x402: an authorisation pays once", "PAYMENT_REQUIRED", 402, lambda: execute(
        again, token, payment=t.X402ExecutePayment(signed.payment_signature)))


def external(machine, pairing):
    token = pairing.pairing_token
    placed = order(machine, pairing, "svc:external")
    payment = intend(placed, pairing)
    held = api.submit_payment_proof(placed.id, proof(payment, chain="offchain", token="EUR", payer_address="me", payee_address="them", amount="1", transaction_hash="receipt 7"), token).item
    check("external: recorded", held.status, "held")
    done = execute(placed, token)
    check("external: handoff", (done.order.status, done.execution.status_code, bool(done.execution.handoff.url)), ("handoff", 202, True))
    check("external: confirmed", api.confirm_market_order(placed.id, token).payment.status, "release_pending")


def purchases(machine, pairing):
    token = pairing.pairing_token
    check("payment rails", [r.type for r in api.list_payment_rails()], ["x402", "transfer"])
    check("delivery transports", [d.mode for d in api.list_delivery_transports()], ["p2p", "storage", "tunnel"])
    registered = api.put_delivery_capabilities(machine, agent_id="agent_1", capabilities=[t.DeliveryCapabilityInput("peaqos-p2p", "1", ())])
    check("delivery capabilities", (registered.status, registered.resource_types), ("active", ("stream.bundle",)))
    api.update_stream_listing_purchase_fields("mach_sandbox", "listing_sandbox", t.StreamListingPurchaseFields(
        resource=t.StreamListingResource(type="stream.listing", mode="bundle")))
    bought = api.create_purchase(resource=t.PurchaseResource("stream.listing", "listing_sandbox"),
                                 buyer=t.PurchaseBuyerInput("buyer_1", t.BuyerPublicKey("x25519", "ab" * 32)), pairing_token=token)
    intent = api.create_purchase_payment_intent(bought.id, rail=t.TransferPaymentIntentRail("transfer", t.TransferRailDestination(PAYEE)), pairing_token=token)
    check("purchase: intent", (intent.status, intent.amount.value), ("payment_pending", "0.5"))
    paid = transfer(PAYEE, 500_000)
    prove = dict(rail="transfer", pairing_token=token, transaction_hash=paid, payer_address=PAYER.address, verification_mode="rpc")
    refused("purchase: another amount", "PAYMENT_TRANSFER_NOT_FOUND", 400,
            lambda: api.submit_purchase_payment_proof(bought.id, raw_amount="500001", rpc_url="http://127.0.0.1:1", **prove))
    proved = api.submit_purchase_payment_proof(bought.id, raw_amount="500000", **prove)
    check("purchase: verified", (proved.payment_status, proved.receipt.status, proved.receipt.block_number > 0), ("verified", "verified", True))
    try:
        api.get_purchase_delivery(bought.id, token)
        got = "no error"
    except StreamDeliveryNotReadyError as err:
        got = err.purchase_id
    check("purchase: not ready", got, bought.id)
    seller = api.enroll_machine_agent("mach_sandbox").item
    prepared = api.prepare_buyer_access(bought.id, agent_id=seller.id, agent_token=seller.provisioning_token, params={
        "machine_id": "mach_sandbox", "agent_id": seller.id, "agent_token": seller.provisioning_token, "items": [],
        "delivery": {"mode": "p2p", "transport_id": "peaqos-p2p", "connect": {
            "type": "peaqos-p2p-url", "url": "peaqos-p2p://x", "expires_at": "2030-01-01T00:00:00Z"}}})
    check("purchase: access prepared", prepared.item.id, bought.id)
    check("purchase: delivery", api.get_purchase_delivery(bought.id, token).delivery.connect.url, "peaqos-p2p://x")
    api.create_purchase_event(bought.id, actor=t.PurchaseEventActor(id="buyer_1"), event_type="delivery.completed")
    check("purchase: completed", api.get_purchase(bought.id).status, "completed")


def faults(machine, pairing):
    path = "/api/v1/machines/" + machine
    for kind, fields, want in (
        ("error", {"status": 503, "code": "PEAQOS_IDENTITY_UNAVAILABLE"}, "PEAQOS_IDENTITY_UNAVAILABLE"),
        ("nonsense", {}, "BAD_RESPONSE"), ("refuse", {}, "network"), ("delay", {"delay": "20ms"}, "none"),
    ):
        control("POST", "/faults", {"kind": kind, "path": path, "times": 1, **fields})
        try:
            api.get_machine(machine)
            got = "none"
        except OrchestrationApiError as err:
            got = err.code
        except OrchestrationNetworkError:
            got = "network"
        check("fault " + kind, got, want)
    check("fault is over", api.get_machine(machine).item.id, machine)
    before = len(list(api.list_market_orders_all(machine_id=machine)))
    control("POST", "/faults", {"kind": "lose-answer", "method": "POST", "path": "/api/v1/market/orders", "times": 1})
    try:
        order(machine, pairing, "svc:free")
        got = "an answer"
    except OrchestrationNetworkError:
        got = len(list(api.list_market_orders_all(machine_id=machine))) - before
    check("fault lose-answer: acted all the same", got, 1)


def lists(machine):
    whole = [o.id for o in api.list_market_orders(machine_id=machine, limit=500).items]
    check("orders page by page", [o.id for o in api.list_market_orders_all(machine_id=machine, limit=3)], whole)
    refused("a cursor that is none", "VALIDATION_ERROR", 400, lambda: api.list_market_orders(machine_id=machine, cursor="nonsense"))
    refused("orders of no machine", "NOT_FOUND", 404, lambda: api.list_market_orders(machine_id="mach_none"))
    refused("no such order", "NOT_FOUND", 404, lambda: api.get_market_order("ord_none"))
    check("machines", machine in [m.id for m in api.list_machines_all(limit=1)], True)
    events = api.list_audit_events(machine_id=machine, resource_type="market_order", limit=5).items
    check("audit", (len(events), {e.resource_type for e in events}), (5, {"market_order"}))


def life():
    section(catalogue)
    machine = register(int(time.time()))
    for each in (machines_and_agents, keys_and_tokens, limits):
        section(each, machine)
    pairing = pair(machine)
    for each in (free, wallet, solana, escrow, x402, external, purchases, faults):
        section(each, machine, pairing)
    section(lists, machine)
    other = register(int(time.time()) + 1)
    foreign = pair(other)
    placed = order(machine, pairing, "svc:wallet")
    refused("a token of another machine", "AGENT_AUTH_INVALID", 401, lambda: intend(placed, foreign))
    api.archive_machine(other)
    refused("an archived machine", "MACHINE_NOT_ACTIVE", 409, lambda: api.list_market_orders(machine_id=other))
    intend(placed, pairing)
    with open(STATE, "w", encoding="utf-8") as file:
        json.dump({"machine": machine, "pairing": pairing.id, "token": pairing.pairing_token, "order": placed.id,
                   "orders": [o.id for o in api.list_market_orders_all(machine_id=machine)], **counts}, file)


def restarted():
    with open(STATE, encoding="utf-8") as file:
        kept = json.load(file)
    counts.update(passed=kept["passed"], failed=kept["failed"])
    check("restart: orders", [o.id for o in api.list_market_orders_all(machine_id=kept["machine"], limit=7)], kept["orders"])
    payment = api.get_market_payment(kept["order"]).item
    check("restart: payment", (payment.status, payment.amount), ("intent_created", 1.5))
    paid = transfer(PAYEE, 1_500_000)
    held = api.submit_payment_proof(kept["order"], proof(
        payment, transaction_hash=paid, verification_mode="rpc", token_address=TOKEN, token_decimals=6, raw_amount="1500000"), kept["token"]).item
    check("restart: the old token pays the old order", held.status, "held")
    check("restart: pairing", [p.status for p in api.list_agent_pairings(kept["machine"]).items if p.id == kept["pairing"]], ["active"])
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(1 if counts["failed"] else 0)


{"life": life, "restarted": restarted}[sys.argv[1]]()
